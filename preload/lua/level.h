/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * level: Lua's counts are the same whatever arguments the script has.
 *
 * What it is: Lua has made a string of each argument before the script runs. It counts bytes, and collects garbage when there are so
 * many, and strings, whose table grows with one of them: a worker with an argument more collects sooner, and grows
 * its table in another function of Lua's, so that the two go other ways for ever. So bytes and strings are filled up to a multiple of
 * something, by a block and strings that nobody reads, and Lua collects once, from where all workers count alike.
 * Failure: without memory, or with very many arguments, counts stay as they are.
 */
#ifndef KSL_LEVEL_H
#define KSL_LEVEL_H

/* To be called by a C function of Lua 5.4, before the script runs. What it makes is kept as long as the state. */
void ksl_level(void *state) __attribute__((visibility("hidden")));

#endif
