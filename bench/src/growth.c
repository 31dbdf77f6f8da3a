/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth BUFFERS STEP END: buffers that realloc makes longer by STEP bytes in turn, until
 * each of them has END bytes. Each step is filled.
 *
 * Several buffers are in each other's way: what lies behind one of them is
 * soon another one's. Prints the pairs of load.h per step, and "seconds N" for all.
 */
#include "load.h"

#define MAX_BUFFERS 16u

static unsigned char mark_of(size_t offset, unsigned int buffer)
{
	return (unsigned char)(offset / 4096 + buffer * 7 + 1);
}

static void check(unsigned char *const *buffers, unsigned int count, size_t step, size_t end)
{
	for (unsigned int i = 0; i < count; i++) {
		for (size_t offset = 0; offset < end; offset += step) {
			if (buffers[i][offset] != mark_of(offset, i) ||
			    buffers[i][offset + step - 1] != mark_of(offset, i))
				load_die("growth: a buffer lost its content");
		}
	}
}

int main(int argc, char **argv)
{
	unsigned char *buffers[MAX_BUFFERS] = {NULL};
	unsigned int count = (unsigned int)bench_argument(argc, argv, 1, 0);
	size_t step = bench_argument(argc, argv, 2, 0), end = bench_argument(argc, argv, 3, 0);
	struct load_meter meter;
	double seconds;

	if (argc != 4 || !count || count > MAX_BUFFERS || !step || end < step || end % step)
		load_die(
			"usage: growth BUFFERS STEP END; up to 16 buffers, END a multiple of STEP");
	load_begin(&meter);
	for (size_t offset = 0; offset < end; offset += step) {
		for (unsigned int i = 0; i < count; i++) {
			buffers[i] = realloc(buffers[i], offset + step);
			if (!buffers[i])
				load_die("growth: no memory");
			memset(buffers[i] + offset, mark_of(offset, i), step);
		}
	}
	seconds = (double)(bench_now_ns() - meter.begin_ns) / 1e9;
	load_print(&meter, end / step * count);
	printf(" seconds %.4f\n", seconds);
	check(buffers, count, step, end);
	for (unsigned int i = 0; i < count; i++)
		free(buffers[i]);
	return 0;
}
