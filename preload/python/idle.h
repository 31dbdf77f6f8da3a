/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idle: gives back what a python that has nothing to do does not use.
 *
 * What it is: the calls in which servers wait for something to do (poll, select, epoll_wait). Where the first thread has
 * waited for IDLE_MS in them, and nothing came, pages without an object go back (unused.h), once until something comes.
 * A wait that is longer than that is made in two parts, which its caller does not see.
 * What it is not: a thread, a timer, or a wait of its own. A process that always has something to do pays a comparison
 * for each of these calls.
 *
 * When not: in other threads; where another library waits than Python itself and its modules, since it may hold a lock that
 * others want with the interpreter's; where Python does not know the thread; where it has the interpreter's lock while it
 * waits, or may have it (with subinterpreters); in children that Python has not made itself, whose lock may be one that
 * nobody gives back.
 *
 * Synchronization: what is noted is the first thread's; pages go back under the interpreter's lock.
 */
#ifndef KSP_IDLE_H
#define KSP_IDLE_H

#include "base.h"

/*
 * Begins to look, in the first thread: scope is where Python's functions are looked up, give_back() what pages go to. Where
 * something of Python is missing nothing follows.
 */
void ksp_idle_start(void *scope, void (*give_back)(void *pages, size_t bytes));

/* To be called in a child that Python has made, when its locks are in order. */
void ksp_idle_forked(void);

#endif
