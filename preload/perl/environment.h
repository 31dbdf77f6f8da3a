/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * environment: the keys of %ENV are %ENV's alone.
 *
 * What it is: Perl keeps each key that any hash has once for all hashes, and names of variables and functions among
 * them. A worker with one variable more, NAME, has that text already when a module comes to use a name like it, and makes no block for
 * it then: all later ones of that length lie where another worker has those before them. So before the script begins each key
 * of %ENV gets a block of its own, marked as Perl itself marks keys that it does not share, and leaves the common table.
 * What it is not: for hashes of the script's; a key that is added later is shared as ever.
 * When not: in Perl before 5.36, where a hash shares either all of its keys or none.
 * Failure: without memory the rest of the keys stay shared.
 */
#ifndef KSP_ENVIRONMENT_H
#define KSP_ENVIRONMENT_H

struct interpreter; /* Perl's */

/* Before main(); nothing is done later where Perl lacks what it takes. */
void ksp_environment_start(void) __attribute__((visibility("hidden")));

/* To be called between two ops, before the script or what it uses has run. */
void ksp_environment_own(struct interpreter *perl) __attribute__((visibility("hidden")));

#endif
