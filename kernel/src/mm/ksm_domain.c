// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merge domains: see ksm_domain.h.
 */

#include <linux/xxhash.h>

#include "ksm_domain.h"

/**
 * ksm_domain_id - the number of a domain
 * @kind: what domains are made of
 * @owner: whose memory is asked about
 *
 * Memory that other processes of its owner must not look at, for it has or had a
 * privilege that they have not, is a domain of its own, unless there is only one.
 *
 * Return: the number. It tells the kind, too, so that no two kinds have one in
 * common.
 */
u64 ksm_domain_id(enum ksm_domain_kind kind,
		  const struct ksm_domain_owner *owner)
{
	u64 number;

	if (kind == KSM_DOMAIN_SYSTEM)
		return 0;
	if (!owner->dumpable)
		kind = KSM_DOMAIN_PROCESS;
	if (kind == KSM_DOMAIN_USER)
		number = owner->user;
	else if (kind == KSM_DOMAIN_CGROUP)
		number = owner->cgroup;
	else
		number = owner->process;
	return number * KSM_DOMAIN_KINDS + kind;
}

/**
 * ksm_domain_salt - the salt of a domain
 * @id: its number
 * @seed: what nobody knows
 *
 * Return: the salt, 0 if there is one domain only.
 */
u32 ksm_domain_salt(u64 id, u64 seed)
{
	return id ? xxhash(&id, sizeof(id), seed) : 0;
}
