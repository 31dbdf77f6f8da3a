/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why: reasons of all groups of a report.
 *
 * What it is: two siblings of each group, compared as ksmalloc-why(1) does, in one table.
 * What it is not: for recorded trees, which have no memory.
 * Locking and owner: one thread; reads the report.
 * Failure: a group that cannot be looked at is a note.
 */
#ifndef KSR_REPORT_WHY_H
#define KSR_REPORT_WHY_H

#include "join/report.h"
#include "names/symbols.h"
#include "show/emitter.h"

void ksr_report_why(const struct ksr_fs *fs, const struct ksr_report *report, const struct ksr_naming *naming,
		    struct ksr_emitter *emitter);

#endif
