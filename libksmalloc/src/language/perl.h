/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perl: which subs of a script Perl is executing; version 5.36 with MULTIPLICITY, as distributions build it.
 *
 * What it is: the statement that is executed, and from the interpreter's stack of contexts the subs around it and the
 * statements that called them, as caller() gives them: package::name, and main for what stands outside of subs.
 * What it is not: for subs in C.
 *
 * A thread's interpreter is asked from Perl's own thread-specific pointer. A statement is known by the function that executes it.
 */
#ifndef KSM_LANGUAGE_PERL_H
#define KSM_LANGUAGE_PERL_H

#include "language/reader.h"

extern const struct ksm_reader ksm_language_perl __attribute__((visibility("hidden")));

#endif
