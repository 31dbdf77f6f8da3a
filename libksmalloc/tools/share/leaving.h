/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaving: files of a group's store that were given up, and that somebody is still to leave.
 *
 * What it is: a sum of bytes, by what the group's tables say of files and who sees how much of them, and by what its processes say
 * that the files take.
 * What it is not: trusted. Members may write anything into a table: it costs who asks some rounds more.
 * Locking and owner: one thread; nothing is kept.
 * Failure: of a table that cannot be read there are none.
 */
#ifndef KSR_SHARE_LEAVING_H
#define KSR_SHARE_LEAVING_H

#include "share/group.h"

uint64_t ksr_share_leaving(const struct ksr_share_group *group);

#endif
