/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights: as whom the exporter's processes go on, and what they may do then.
 *
 * What it is: the user that a name, a number or NUMBER:NUMBER means, the change to it, and the capabilities that stay.
 * What it is not: a sandbox: files of everybody can be read by whoever goes on.
 * Invariants: after the change there are no other groups than the user's own, and no way back.
 * Locking and owner: they are for a process of one thread.
 * Failure: -errno, with a sentence in why where there is one.
 */
#ifndef KSR_SERVE_RIGHTS_H
#define KSR_SERVE_RIGHTS_H

#include <sys/types.h>

#include "base.h"

#define KSR_RIGHTS_NOBODY "nobody"
#define KSR_RIGHTS_WHY_BYTES 160

struct ksr_person {
	uid_t user;
	gid_t group;
};

int ksr_rights_find(const char *text, struct ksr_person *person, char why[KSR_RIGHTS_WHY_BYTES]);
/* A group by its name or number. */
int ksr_rights_find_group(const char *text, gid_t *group, char why[KSR_RIGHTS_WHY_BYTES]);
int ksr_rights_become(const struct ksr_person *person);
/* Gives up all capabilities. */
void ksr_rights_drop_all(void);
/* Gives up all but those that reading other processes needs; nothing where CAP_SYS_PTRACE is not among them. */
void ksr_rights_drop_but_reading(void);

#endif
