/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmas BLOCKS REALLOCS: how many mappings an allocator makes.
 *
 * Holds BLOCKS blocks of 16 KiB to 32 KiB from four sites, then reallocates
 * REALLOCS random ones to other sizes, then frees every second one. Prints the
 * number of mappings of the process more than at its start after each step.
 * With the kernel's limit of 65530 a mapping per block would end the program.
 */
#include "bench.h"

#define MIN_BYTES ((size_t)16 << 10)
#define SPREAD_BYTES ((size_t)16 << 10)

static uint64_t random_state = 88172645463325252u;

/* With a static buffer: one that stdio allocates could be one more mapping. */
static long count_mappings(void)
{
	static char buffer[65536];
	FILE *maps = fopen("/proc/self/maps", "re");
	long lines = 0;

	if (!maps) {
		perror("/proc/self/maps");
		exit(1);
	}
	setvbuf(maps, buffer, _IOFBF, sizeof(buffer));
	for (int byte = getc(maps); byte != EOF; byte = getc(maps))
		lines += byte == '\n';
	fclose(maps);
	return lines;
}

static size_t random_size(void)
{
	return MIN_BYTES + (size_t)(bench_random(&random_state) % SPREAD_BYTES);
}

static BENCH_NOINLINE char *allocate(unsigned long index)
{
	size_t size = random_size();
	char *block;

	switch (index % 4) {
	case 0:
		BENCH_OWN_SITE(0);
		block = bench_alloc(size);
		BENCH_OWN_SITE(0);
		break;
	case 1:
		BENCH_OWN_SITE(1);
		block = bench_alloc(size);
		BENCH_OWN_SITE(1);
		break;
	case 2:
		BENCH_OWN_SITE(2);
		block = bench_alloc(size);
		BENCH_OWN_SITE(2);
		break;
	default:
		BENCH_OWN_SITE(3);
		block = bench_alloc(size);
		BENCH_OWN_SITE(3);
		break;
	}
	return block;
}

int main(int argc, char **argv)
{
	unsigned long blocks = bench_argument(argc, argv, 1, 100000);
	unsigned long reallocs = bench_argument(argc, argv, 2, 10000);
	char **held = bench_alloc(blocks * sizeof(*held));
	long before = count_mappings();

	for (unsigned long i = 0; i < blocks; i++) {
		held[i] = allocate(i);
		held[i][0] = 1;
	}
	printf("held %ld\n", count_mappings() - before);
	for (unsigned long i = 0; i < reallocs; i++) {
		unsigned long victim = (unsigned long)bench_random(&random_state) % blocks;
		char *moved = realloc(held[victim], random_size() * 2);

		if (!moved || moved[0] != 1) {
			fprintf(stderr, "vmas: realloc failed\n");
			return 1;
		}
		held[victim] = moved;
	}
	printf("reallocated %ld\n", count_mappings() - before);
	for (unsigned long i = 0; i < blocks; i += 2)
		free(held[i]);
	printf("half-freed %ld\n", count_mappings() - before);
	return 0;
}
