/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that longjmp throws away leave nothing in the library that a later stack is mistaken for. */
#include "test.h"

#include <setjmp.h>

#define COUNT 32

static jmp_buf back;
static void *blocks[200];

/* Never returns, which the compiler must not know: it would drop the frames that are to be skipped. */
static TEST_NOINLINE void leave(void)
{
	longjmp(back, 1);
}

static TEST_NOINLINE void deep(int depth, int at)
{
	char frame[128];

	memset(frame, depth, sizeof(frame));
	__asm__ volatile("" : : "r"(frame) : "memory");
	if (depth == 0) {
		blocks[at] = malloc(20000 + (size_t)at);
		CHECK(blocks[at] != NULL);
		leave();
		return;
	}
	deep(depth - 1, at);
	__asm__ volatile("" : : "r"(frame) : "memory");
}

int main(void)
{
	volatile int at = 0;

	for (at = 0; at < 200; at++) {
		if (setjmp(back) == 0)
			deep(at % 23, at);
		test_fill(blocks[at], 20000 + (size_t)at, (uint64_t)at);
	}
	for (int i = 0; i < 200; i++) {
		CHECK(test_matches(blocks[i], 20000 + (size_t)i, (uint64_t)i));
		free(blocks[i]);
	}
	return 0;
}
