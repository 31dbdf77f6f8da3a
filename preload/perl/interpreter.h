/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpreter: Perl's own headers, and whether the Perl that this process is has the layout that they say.
 *
 * What it is: the only way to a Perl's structures, which follow from its version and from how it was built. Its
 * variables and functions are looked up when the process starts: there may be no Perl in it.
 * Failure: ksp_perl_find() says that there is none, or another one.
 */
#ifndef KSP_INTERPRETER_H
#define KSP_INTERPRETER_H

#define PERL_NO_GET_CONTEXT
#include <EXTERN.h>
#include <perl.h>

#include <pthread.h>
#include <stdbool.h>

struct ksp_perl {
	PerlInterpreter **current; /* PL_curinterp: the first one of the process */
	pthread_key_t *key;	   /* of a thread's interpreter */
	despatch_signals_proc_t despatch; /* what Perl itself calls when a signal is pending */
};

/* False where there is no Perl yet, or not the one that the headers were made for. */
bool ksp_perl_find(struct ksp_perl *perl) __attribute__((visibility("hidden")));

#endif
