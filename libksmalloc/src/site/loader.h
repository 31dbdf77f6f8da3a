/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader: who may ask the loader for its list of objects, and when.
 *
 * What it is: a gate before the loader's own lock, which glibc does not renew in a forked child: what a thread holds that is
 * not there stays locked. Who takes that lock for us counts itself in; a fork waits until nobody is inside, and nobody goes in
 * until the fork is over. Threads of the program that have the lock are seen by the lock itself where it was found, in
 * glibc's own variables, and by what debuggers see.
 * What it is not: the list; module, language and the unwinder read it.
 *
 * Haste: who may have interrupted anybody, as a signal handler, waits for nobody, since that one may wait for what was
 * interrupted. It goes in alone, and where nobody has the loader's lock, so that neither that nor the unwinder's locks, which
 * only those inside take, hold it up; it tries for some milliseconds, and is refused then. No fork begins meanwhile, and
 * there is no haste while one is under way.
 *
 * Callbacks: the program may allocate in a callback of dl_iterate_phdr(3), where it has the loader's lock already. Who is
 * inside may wait for that lock, with the unwinder's taken: so nobody goes in who has it, and a stack that is not known yet is
 * that of its caller alone.
 *
 * Locking: who waits for a fork may hold no lock that a fork takes. A fork waits no longer than a second: then its child is
 * stranded, and never goes in. Who is inside alone and does not come back within a second, since its handler was left
 * by a jump, is waited for no longer.
 * Failure: the list is not read, and what is not known yet stays unknown.
 */
#ifndef KSM_LOADER_H
#define KSM_LOADER_H

#include "base.h"

#include <link.h>

/* Finds the loader's lock; without it haste may wait for a thread that has it. */
void ksm_loader_init(void);

/*
 * In between this thread is in haste. False in one that is already, and in one that forks, and while a fork is under
 * way; then there is nothing to end. Was it refused since it began, then what it has learnt is not complete.
 */
bool ksm_loader_begin_haste(void);
void ksm_loader_end_haste(void);
bool ksm_loader_was_refused(void);

/*
 * 0, -EAGAIN while a fork or one in haste holds it up, or -EDEADLK in a thread that forks, in one that has the loader's lock,
 * and in a stranded child.
 */
int ksm_loader_enter(void);
void ksm_loader_leave(void);

/*
 * After a refusal: waits a moment. False where the last try to enter was not refused, and in haste, which has waited;
 * to try again is of no use then. The deadline is this function's, and 0 at first.
 */
bool ksm_loader_wait(uint64_t *deadline);

/*
 * dl_iterate_phdr(3) with its result, which is at least 0. Waits for whoever holds it up; -EDEADLK where that would be
 * for ever, and -EAGAIN in haste.
 */
int ksm_loader_iterate(int (*visit)(struct dl_phdr_info *, size_t, void *), void *context);

/* A thread was inside, or the list was changing, when this process was forked. */
bool ksm_loader_is_stranded(void);

/* This process, or one that it comes from, was forked from one with threads, which may have held the lock themselves. */
bool ksm_loader_is_inherited(void);

void ksm_loader_prefork(void);
void ksm_loader_postfork_parent(void);
void ksm_loader_postfork_child(void);

/*
 * In the child of a process with one thread, instead of these three: a handler that forks may have interrupted that thread
 * where it has the loader's lock, and the child goes on from there.
 */
void ksm_loader_postfork_only_child(void);

#endif
