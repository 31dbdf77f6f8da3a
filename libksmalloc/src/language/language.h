/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * language: what the interpreter that runs in this thread is executing.
 *
 * What it is: the interpreters among the loaded objects (reader.h), the choice of the one whose script this thread is running, and
 * a program's own answer to that question (ksmalloc_frame_callback()).
 * What it is not: an unwinder. C frames between those of a script are not told apart.
 *
 * Locking: none. The list of loaded objects is looked through when code came or went, inside of the loader's lock.
 * Failure: a list without frames.
 */
#ifndef KSM_LANGUAGE_H
#define KSM_LANGUAGE_H

#include "base.h"
#include "site/script.h"
#include "site/unwind.h"

#include <ksmalloc/ksmalloc.h>

/* When the library is loaded, and in a forked child: this is the process's first thread. */
void ksm_language_init(void);

/* In the child of a process with threads, one of which may have been looking for interpreters. */
void ksm_language_postfork_child(void);

/* Forgets which interpreters there are: one may be unloaded next. Between calls of module.h that say so. */
void ksm_language_forget(void);

/* Fills the list, in a thread that has this call stack. */
void ksm_language_walk(const struct ksm_stack *stack, struct ksm_script *script);

/*
 * True if objects were loaded since they were looked through last, and they have been looked through again. For what is not known
 * yet: nobody tells when dlopen(3) is done.
 */
bool ksm_language_look_again(void);

/* A hash of all that is known of the frames without a look at their lines, over one of something else. */
uint64_t ksm_language_hash(const struct ksm_script *script, uint64_t seed);

/* Finds the lines of all frames, and drops those that are at the line of one before them in the same code. */
void ksm_language_find_lines(struct ksm_script *script);

/* See ksmalloc_frame_callback(). 0, or -EPERM where frames are not wanted. */
typedef int ksm_language_callback(void *context, unsigned int depth, struct ksmalloc_frame *frame);
int ksm_language_set_callback(ksm_language_callback *callback, void *context);

#endif
