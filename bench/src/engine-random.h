/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that look like chance and are the same in each run (xorshift64), for programs that are built with the engine's files. */
#ifndef ENGINE_RANDOM_H
#define ENGINE_RANDOM_H

static u64 random_u64(void)
{
	static u64 state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

#endif
