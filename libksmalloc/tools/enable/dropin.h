/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dropin: the file by which a service is started with the library.
 *
 * What it is: its name and text, what is there already, and how one replaces the other. Where the service is to share
 * memory the file says only that: what stands in front of its commands is made whenever systemd reads them (generate.h).
 * What it is not: a judge whether the service can have it.
 * Invariants: only a file that begins with the line of ours is replaced or removed.
 * Locking and owner: one thread; texts are the caller's to free.
 * Failure: -errno.
 */
#ifndef KSR_ENABLE_DROPIN_H
#define KSR_ENABLE_DROPIN_H

#include <limits.h>

#include "service.h"

struct ksr_dropin {
	char unit[KSR_UNIT_BYTES];
	char folder[PATH_MAX];
	char path[PATH_MAX];
	char *now; /* what the file has; NULL: there is none */
};

struct ksr_dropin_wish {
	const char *library;
	const char *group;
	const char *profile;
	bool shares;
	const char *preloaded; /* what the unit's own environment preloads, or "" */
};

/* Reads what is there. -EEXIST: a file of that name is not ours. */
int ksr_dropin_open(struct ksr_dropin *dropin, const char *unit);
void ksr_dropin_close(struct ksr_dropin *dropin);
/* The text that the wish makes; NULL: no memory. */
char *ksr_dropin_text(const struct ksr_dropin_wish *wish);
/* Lines that go and lines that come in a file; NULL is none. */
void ksr_dropin_show(const char *path, const char *now, const char *wanted);
/* Replaces the file, or removes it, and its folder if that is empty then. */
int ksr_dropin_write(const struct ksr_dropin *dropin, const char *wanted);

#endif
