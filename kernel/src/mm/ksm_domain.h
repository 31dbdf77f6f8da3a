/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Merge domains: with whose memory a page may be merged.
 *
 * Who writes to a page can tell by the time that it takes whether it was merged,
 * and so whether somebody else has a page of the same content. Inside of a domain
 * that is no secret; pages of two domains are never merged, and not compared.
 *
 * A domain has a number, which is 0 if it is the only one, and a salt, by which
 * checksums of the same content differ between domains. So the domain is a part of
 * the key that an index is searched by; the number is compared besides, for salts
 * may be equal by chance.
 *
 * Locking: none. All here depends on its arguments only.
 */
#ifndef __MM_KSM_DOMAIN_H
#define __MM_KSM_DOMAIN_H

#include <linux/types.h>

enum ksm_domain_kind {
	KSM_DOMAIN_SYSTEM,	/* all memory */
	KSM_DOMAIN_USER,	/* of processes of one user */
	KSM_DOMAIN_CGROUP,	/* of processes of one memory cgroup */
	KSM_DOMAIN_PROCESS,	/* of one process */
	KSM_DOMAIN_KINDS
};

/**
 * struct ksm_domain - a domain
 * @id: its number
 * @salt: its part of the checksums of pages
 */
struct ksm_domain {
	u64 id;
	u32 salt;
};

/**
 * struct ksm_domain_owner - whose memory it is
 * @process: the number of the mm, which no other one has or will have
 * @user: the number of the user, as the first user namespace has it
 * @cgroup: the number of the memory cgroup
 * @dumpable: processes of the same user may look at it
 */
struct ksm_domain_owner {
	u64 process;
	u64 user;
	u64 cgroup;
	bool dumpable;
};

u64 ksm_domain_id(enum ksm_domain_kind kind,
		  const struct ksm_domain_owner *owner);
u32 ksm_domain_salt(u64 id, u64 seed);

/* An order of domains: less than, equal to, or greater than 0. */
static inline int ksm_domain_cmp(u64 id, u64 other)
{
	return id < other ? -1 : id > other;
}

#endif /* __MM_KSM_DOMAIN_H */
