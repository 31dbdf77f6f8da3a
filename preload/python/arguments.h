/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arguments: what Python makes of its arguments and of the environment does not shift what comes next.
 *
 * What it is: workers differ in their arguments more than in anything else, and Python has copied all of them, several
 * times, before it imports anything. It makes strings of them, and of its own paths, from wide characters, whose length
 * it asks for by wcslen(3) just before: such strings are told from other objects, and go to Python's own allocator. And
 * when it has made os.environ, and asks for the clock's ticks, an anchor is passed, the first one that is followed.
 * What it is not: for what comes after that.
 * Failure: none. A string that is missed, or another object of that size, lies elsewhere, and shifts others of its size.
 */
#ifndef KSP_ARGUMENTS_H
#define KSP_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* To be called before the first object, with where Python's functions are looked up; is_over() when nothing of this is needed any more, in the middle of Python. */
void ksp_arguments_start(void *scope, void (*is_over)(void));

/* Is the object of this size that is about to be made the string of wide characters whose length was just asked for? */
bool ksp_arguments_is_string(size_t size);

#endif
