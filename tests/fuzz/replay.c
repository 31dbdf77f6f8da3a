/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a target without libFuzzer: on each file below the folders given, on
 * prefixes of it, and on copies with one byte changed, the same ones each time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES 65536
#define DAMAGES 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int runs;

/* A block of the exact size, so that a sanitizer sees a read past its end. */
static void feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(1);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	static uint8_t data[MOST_BYTES];
	uint32_t random = 1;
	ssize_t size;
	int fd;

	(void)status;
	(void)where;
	if (kind != FTW_F)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : read(fd, data, sizeof(data));
	if (fd >= 0)
		close(fd);
	if (size < 0)
		return 1;
	for (ssize_t end = 0; end <= size; end += 1 + size / DAMAGES)
		feed(data, (size_t)end);
	for (int i = 0; i < DAMAGES && size > 0; i++) {
		size_t at;
		uint8_t before;

		random = random * 1664525 + 1013904223;
		/* Heads and first records decide most: half of the damage goes there. */
		at = (random >> 8) % (i % 2 && size > 512 ? 512 : (size_t)size);
		before = data[at];
		data[at] ^= (uint8_t)(1u << (random >> 29) | random >> 24);
		feed(data, (size_t)size);
		data[at] = before;
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (nftw(argv[i], visit, 16, FTW_PHYS)) {
			fprintf(stderr, "replay: cannot read %s\n", argv[i]);
			return 1;
		}
	}
	printf("%u inputs\n", runs);
	return runs ? 0 : 1;
}
