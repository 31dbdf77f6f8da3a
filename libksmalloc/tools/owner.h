/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner: who sets KSM's settings now.
 *
 * What it is: recognises those that set them again and again: ksmtuned, the kernel's own advisor, and `ksmalloc tune`.
 * What it is not: a lock; tune/settings has that, and there is one `ksmalloc tune` at most.
 * Locking and owner: pure; texts are literals.
 * Failure: processes that cannot be read own nothing.
 */
#ifndef KSR_OWNER_H
#define KSR_OWNER_H

#include "read/fs.h"
#include "read/kernel.h"

struct ksr_owner {
	const char *name;     /* NULL: nobody that is known */
	const char *sentence; /* behind "KSM's settings are somebody else's: ", with what to do */
	const char *advice;   /* where one of the settings is a bad one */
};

/* Does the kernel's advisor set the speed? It neither starts KSM nor stops it. */
bool ksr_owner_is_advisor(const struct ksr_kernel *kernel);
/* The process that starts and stops KSM and sets its speed: ksmtuned or, if that is asked for, `ksmalloc tune`. */
struct ksr_owner ksr_owner_find(const struct ksr_fs *fs, bool also_tune);

#endif
