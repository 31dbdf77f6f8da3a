/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that look random and are the same in every run. */
#ifndef KSMALLOC_TESTS_DRAW_H
#define KSMALLOC_TESTS_DRAW_H

#include <stdint.h>

static inline uint32_t draw(uint32_t below)
{
	static uint64_t state = UINT64_C(88172645463325252);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 20) % below;
}

#endif
