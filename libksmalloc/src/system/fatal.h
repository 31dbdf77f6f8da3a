/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fatal: the lines that the library writes on standard error.
 *
 * What it is: one call that ends the program after a misuse of the heap, and
 * one that prints a single warning line. Both format into the stack and use
 * write(2) only.
 * What it is not: a log. Failures of the system are counted, not printed.
 * Locking: none. Failure: a line that cannot be written is lost.
 */
#ifndef KSM_FATAL_H
#define KSM_FATAL_H

#include "base.h"

/* The fixed lines of a misuse; tests and users match on them. */
#define KSM_FATAL_DOUBLE_FREE	"double free"
#define KSM_FATAL_INVALID	"invalid pointer"
#define KSM_FATAL_MISALIGNED	"misaligned pointer"
#define KSM_FATAL_CORRUPT	"corrupted metadata"
#define KSM_FATAL_ARENA		"invalid arena"

/* Prints "ksmalloc: " and the fixed string what, then aborts. */
_Noreturn KSM_COLD void ksm_fatal(const char *what);

/* Prints "ksmalloc: " and the formatted line, cut at 512 bytes. Preserves errno. */
KSM_COLD void ksm_warn(const char *format, ...) KSM_PRINTF(1, 2);

#endif
