/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seed_file: the file that makes processes a group in the shared layout.
 *
 * What it is: finds the seed of a group, makes it where there is none, replaces
 * it on demand and when it has grown old. The layout of the file and the rules
 * of what is accepted are in ksmalloc/seed.h.
 * What it is not: what follows from a seed; that is layout's and the library's.
 * Invariants: launchers that start at the same time get the same seed: a new
 * file is written whole under another name and then linked into place, which
 * one of them does first; renewal happens under a lock of the folder. A seed
 * in place is never written to; processes that run keep what they have read.
 * Locking and owner: one thread; flock(2) on the folder between processes.
 * Failure: a negative errno and a line in `why` that names the file and says
 * what to do. A file that is not accepted is never replaced unless asked for.
 */
#ifndef KSR_SEED_FILE_H
#define KSR_SEED_FILE_H

#include <limits.h>

#include "base.h"
#include "ksmalloc/seed.h"

#define KSR_SEED_AGE (UINT64_C(30) * 24 * 3600) /* seconds after which a seed is renewed */

struct ksr_seed_request {
	const char *group;
	const char *path;     /* of a file that the user names, or NULL: the default place */
	uint64_t age_seconds; /* renew from this age on; 0: never */
	bool renew;	      /* now; the only way to make a file that the user names */
	bool existing;	      /* where there is none, none is made: -ENOENT */
};

struct ksr_seed_file {
	char path[PATH_MAX]; /* absolute */
	struct ksmalloc_seed seed;
	bool made; /* by this call */
};

/* Letters, digits, dot, dash, underscore; 63 at most: the name is part of a file's name. */
bool ksr_seed_group_is_good(const char *group);

int ksr_seed_get(struct ksr_seed_file *file, const struct ksr_seed_request *request, char *why,
		 size_t why_bytes);

/* A number with s, m, h, d or w behind it, or 0. */
bool ksr_parse_duration(const char *text, uint64_t *seconds);

#endif
