/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Call stacks that nobody has seen before. wander(path) goes down eleven functions, each of which calls the next one from one of
 * three places that the path chooses, and ends in end(path), which the program defines.
 */
#ifndef KSM_TEST_NEW_STACKS_H
#define KSM_TEST_NEW_STACKS_H

#include "test.h"

static void end(uint64_t path);

#define LEVEL(name, next)                             \
	static TEST_NOINLINE void name(uint64_t path) \
	{                                             \
		if (path % 3 == 0)                    \
			next(path / 3);               \
		else if (path % 3 == 1)               \
			next(path / 3 + 1);           \
		else                                  \
			next(path / 3 + 2);           \
		__asm__ volatile("" ::: "memory");    \
	}

LEVEL(level1, end)
LEVEL(level2, level1)
LEVEL(level3, level2)
LEVEL(level4, level3)
LEVEL(level5, level4)
LEVEL(level6, level5)
LEVEL(level7, level6)
LEVEL(level8, level7)
LEVEL(level9, level8)
LEVEL(level10, level9)
LEVEL(wander, level10)

#endif
