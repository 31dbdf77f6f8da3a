/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task: is this code a job that an engine does later for what a script has done before?
 *
 * What it is: the functions by which V8 begins a collection that it has put off until no script runs, found among what the loaded
 * objects export. The memory that they take has no function of a script on its stack; it is on behalf of the script that made the
 * heap grow so far, as that of a collection in its midst is.
 * What it is not: a list of all that an engine does by itself: what nobody has made it do is on nobody's behalf.
 *
 * Locking: none; who asks while another thread looks gets the answer of before.
 * Failure: without such a function nothing is a task.
 */
#ifndef KSM_TASK_H
#define KSM_TASK_H

#include "base.h"

/* Looks for the functions where that was not done since code came or went; the generation is that of the modules. */
void ksm_task_look(uint32_t generation);

/* In a forked child: the thread that looked is not there. */
void ksm_task_postfork_child(void);

/* True of an address in one of them. */
bool ksm_task_is(uintptr_t address);

#endif
