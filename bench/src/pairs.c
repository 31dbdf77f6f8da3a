/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pairs COUNT SIZE: COUNT times malloc and free. For counting instructions.
 *
 * A first thousand pairs warms the allocator in every run, also with COUNT 0,
 * so that the difference of two runs is the steady state and nothing else.
 */
#include "bench.h"

static void run_pairs(unsigned long count, size_t size)
{
	for (unsigned long i = 0; i < count; i++) {
		void *block = malloc(size);

		bench_keep(block);
		free(block);
	}
}

int main(int argc, char **argv)
{
	unsigned long count = bench_argument(argc, argv, 1, 0);
	size_t size = bench_argument(argc, argv, 2, 64);

	run_pairs(1000, size);
	run_pairs(count, size);
	return 0;
}
