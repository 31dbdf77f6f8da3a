/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random COUNT: runs a target without libFuzzer, on so many inputs of random bytes, the same ones each time.
 * It finds less, for it does not look at what an input has reached.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_BYTES 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, i;
	static uint8_t data[MOST_BYTES];
	uint64_t random = 1;

	for (i = 0; i < count; i++) {
		size_t size = i % MOST_BYTES, at;

		for (at = 0; at < size; at++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			data[at] = (uint8_t)(random >> 56);
		}
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("%lu inputs\n", count);
	return 0;
}
