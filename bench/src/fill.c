/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fill BLOCKS SIZE ROUNDS: allocates and fills BLOCKS blocks, frees them all, ROUNDS times.
 *
 * Prints "fill MICROSECONDS" per block, the average over all rounds: the first
 * round gets its pages from the kernel, the later ones what the allocator kept.
 */
#include "bench.h"

static void fill_once(char **blocks, unsigned long count, size_t size, int content)
{
	for (unsigned long i = 0; i < count; i++) {
		blocks[i] = bench_alloc(size);
		memset(blocks[i], content, size);
	}
	bench_keep(blocks);
	for (unsigned long i = 0; i < count; i++)
		free(blocks[i]);
}

int main(int argc, char **argv)
{
	unsigned long count = bench_argument(argc, argv, 1, 1000);
	size_t size = bench_argument(argc, argv, 2, (size_t)64 << 10);
	unsigned long rounds = bench_argument(argc, argv, 3, 20);
	char **blocks = bench_alloc(count * sizeof(*blocks));
	uint64_t begin = bench_now_ns();

	for (unsigned long round = 0; round < rounds; round++)
		fill_once(blocks, count, size, (int)round);
	printf("fill %.3f\n", (double)(bench_now_ns() - begin) / 1e3 / (double)(count * rounds));
	free(blocks);
	return 0;
}
