/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * moment: is this a moment of a Perl program that its equal workers come by, too?
 *
 * What it is: a choice by what the program does, and by no count of objects or bytes, which is what a difference
 * shifts. It looks at where the program is (the op's kind, the line, the file's name) and at what it goes through
 * there: the indices of its loops, $., $_, and the numbers and short strings in the variables of the running
 * function. A value that is another one than before the last boundary is hashed with the place, and one hash in
 * 2^bits is a moment. What is a worker's own (a pid, a time) usually stays as it is, and so does not count; where it
 * does not, this moment is missed in one of the workers, and not the next one.
 * What it is not: for several threads. Nothing is written to but its own table.
 * Failure: none.
 */
#ifndef KSP_MOMENT_H
#define KSP_MOMENT_H

#include <stdbool.h>

struct interpreter; /* Perl's */

/* There was a boundary: looks from now on compare with what was seen before it. */
void ksp_moment_passed(void);

/* To be called between two ops. */
bool ksp_moment_is(const struct interpreter *perl, unsigned int bits);

#endif
