/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner: who sets KSM's settings now.
 *
 * What it is: recognises those that set them again and again: ksmtuned, the kernel's own advisor, and `ksmalloc tune`.
 * What it is not: who keeps the former settings; tune/settings does that.
 * Invariants: there is one `ksmalloc tune` at most that has taken them, of those that have the host's sysfs, in whatever container: the
 * lock is on the file of a setting. Only who may write that can keep others out.
 * Locking and owner: a taken lock is the caller's descriptor; texts are literals.
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
/* Has a `ksmalloc tune` taken them, here or in a container? */
bool ksr_owner_holds(const struct ksr_fs *fs);
/* Takes them until the descriptor is closed, which is returned; -EWOULDBLOCK where somebody has, or -errno. */
int ksr_owner_take(const struct ksr_fs *fs);

#endif
