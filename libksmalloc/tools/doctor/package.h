/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * package: which package would give names to the code of a file.
 *
 * What it is: asks dpkg-query(1) whose a file is, and looks through the lists of
 * packages that apt keeps for the one that has debug information for its build-id,
 * or else for one of the names that Debian gives to such packages.
 * What it is not: for other families of distributions, and no client of a server;
 * nothing is installed.
 * Invariants: no shell sees a name of a file. What is compressed apt's own tool reads.
 * Locking and owner: one thread; one child process at a time, and one list in memory.
 * Failure: nothing is found.
 */
#ifndef KSR_DOCTOR_PACKAGE_H
#define KSR_DOCTOR_PACKAGE_H

#include "read/fs.h"

#define KSR_PACKAGE_BYTES 128

struct ksr_debug_package {
	/* What is asked: the path is as this process sees it. */
	const char *path;
	const char *build_id;
	/* The answer. */
	char owner[KSR_PACKAGE_BYTES]; /* package of the file; empty: none, or there is no dpkg */
	char name[KSR_PACKAGE_BYTES];  /* of the package with debug information; empty: unknown */
	bool listed;		       /* apt can install it; else it is what the name would be */
	bool certain;		       /* it has this build-id */
	/* Names that it may have, the likeliest first. */
	char names[3][KSR_PACKAGE_BYTES];
	size_t name_count;
};

void ksr_debug_packages_find(const struct ksr_fs *fs, struct ksr_debug_package *list, size_t count);

/* Pure parts, exposed for tests. */

/* The debug package of a list of packages whose Build-Ids has this one; false when there is none.
 */
bool ksr_packages_with_build_id(const struct ksr_text *list, const char *build_id,
				char name[KSR_PACKAGE_BYTES]);
/* Does the list have a package of this name? */
bool ksr_packages_have(const struct ksr_text *list, const char *name);
/* The package of a line that dpkg-query --search wrote: "libc6:amd64: /lib/...". */
bool ksr_package_of_line(const char *line, char name[KSR_PACKAGE_BYTES]);

#endif
