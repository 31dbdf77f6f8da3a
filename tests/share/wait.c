/* SPDX-License-Identifier: BSD-2-Clause */
/* A function for Lua, which has none that sleeps: half a second, without arguments or results. */
#include <unistd.h>

int share_wait(void *state);

int share_wait(void *state)
{
	(void)state;
	usleep(500000);
	return 0;
}
