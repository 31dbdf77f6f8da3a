/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat: what others see of the process's passes, in the statistics segment.
 *
 * What it is: the counters of struct ksmalloc_segment_share, the list of the store's files, and the reason why the process stands
 * aside.
 * What it is not: a decision. Nothing of it is read again by the library.
 * Locking: none; relaxed atomics, one writer. Nothing is allocated. Failure: none; without a segment there are no passes.
 */
#ifndef KSM_PASS_STAT_H
#define KSM_PASS_STAT_H

#include "base.h"
#include "pass/files.h"
#include "store/share.h"
#include "store/store.h"

/* Why the process stands aside from now on, KSMALLOC_ASIDE_NOT if it does not; error: 0 or -errno. */
void ksm_pass_stat_aside(enum ksmalloc_aside why, int error);

/* The same for a step that was begun and has failed. why: what it was about. */
void ksm_pass_stat_failed(enum ksmalloc_aside why, int error);

/* A step has taken so long. */
void ksm_pass_stat_worked(uint64_t us);

/* A slice was looked at; and what one file of the store came to there. */
void ksm_pass_stat_looked(void);
void ksm_pass_stat_shared(const struct ksm_share_slice *slice);

/* The process has published so many pages, and of these so many bytes on huge ones. */
void ksm_pass_stat_published(uint32_t pages, uint64_t huge_bytes);

/*
 * A pass has come to its end, found that of files, so many pages mapped from the store, and began after so many requests for
 * one.
 */
void ksm_pass_stat_ended(const struct ksm_store *store, const struct ksm_pass_files *files, uint64_t shared_pages,
			 uint64_t requests);

#endif
