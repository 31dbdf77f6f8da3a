/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * begin: what libksmalloc-start.so asks of the kernel and does with texts. It is loaded into programs of any C library, and so
 * needs none.
 *
 * What it is: system calls, and the few functions of texts that the start needs.
 * What it is not: for anything that is linked with a C library.
 * Invariants: no memory but the stack's and what is asked for by ksm_begin_memory(); no state.
 * Locking and owner: one thread, before the program's own code.
 * Failure: system calls return -errno.
 */
#ifndef KSM_BEGIN_H
#define KSM_BEGIN_H

#include <stdbool.h>
#include <stddef.h>

struct ksm_begin_file {
	unsigned long device;
	unsigned long inode;
};

/* Zeros that stay until the process executes something; NULL without memory. */
void *ksm_begin_memory(size_t bytes);
long ksm_begin_execute(const char *path, const char *const *argv, const char *const *environment);
/* Links are followed; false: there is no such file. */
bool ksm_begin_file(const char *path, struct ksm_begin_file *file);
/* What a link says, ended by a zero; false if it cannot be read, or is longer. */
bool ksm_begin_link(const char *path, char *text, size_t bytes);
/* To the error output. */
void ksm_begin_say(const char *text);
/* Nobody in this container has started the process: a program that writes to many others says things once. */
bool ksm_begin_is_first(void);

size_t ksm_begin_length(const char *text);
bool ksm_begin_equal(const char *text, const char *other, size_t bytes);
/* Behind NAME=, or NULL; the name comes with its '='. */
const char *ksm_begin_value(const char *entry, const char *name);
/* text and a zero at *at of the buffer, which it moves; false: there is no room. */
bool ksm_begin_append(char **at, const char *end, const char *text, size_t bytes);

#endif
