/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * origin: who asks for memory, in the language that the program was written in.
 *
 * What it is: from the current call to a row of the segment's table of origins: the call stack, and above it
 * what the interpreter is executing.
 * What it is not: a site. Nothing is placed by an origin, and no call that does not capture anyway has one.
 *
 * Identity: XXH3, 48 bits, over the C frames as those of a site, and over file, function and line of each frame of the
 * interpreter. It is the same in every process that runs the same files and scripts. Code that was made at run time is
 * not part of it: such frames tell origins of a process apart, and readers who know their names tell them apart, too.
 *
 * Invariants: an index never changes what it means. Origin 0 is "not known".
 * Locking: a lock of its own for new origins; known ones are found without. The caller holds no lock, since new code is
 * looked up in the loader's list.
 * Failure: 0, without memory, with a full table, inside of another capture of the thread, and while code is unloaded.
 */
#ifndef KSM_ORIGIN_H
#define KSM_ORIGIN_H

#include "base.h"

/* Makes the table. 0 or -ENOMEM; without it all origins are 0. */
int ksm_origin_init(void);

/*
 * The origin of a call that returns to caller with frame address frame: its index in the segment. Some
 * microseconds; no call of malloc, no system call.
 */
uint32_t ksm_origin_capture(uintptr_t caller, uintptr_t frame);

/* The same of a call that maps memory: what an engine does later on behalf of its script is known by it (site/task.h). */
uint32_t ksm_origin_capture_mapping(uintptr_t caller, uintptr_t frame, size_t length);

/* Where the code of the script lies that the thread's last capture has seen (script.h); NULL: not known. */
const void *ksm_origin_code(void);

/* True if it has frames of an interpreter. */
bool ksm_origin_is_script(uint32_t origin);

void ksm_origin_prefork(void);
void ksm_origin_postfork_parent(void);
void ksm_origin_postfork_child(void);

#endif
