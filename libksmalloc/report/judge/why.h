/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why: why memory of a group is not saved, by pages, and what it would be worth to change that.
 *
 * What it is: two siblings compared page by page (pages/scan.h, as ksmalloc-diff(1) does), one of them looked at twice, and
 * what the kernel counts, made into one list of reasons with figures. What holds of the two is taken for all of their kind,
 * of whose own memory (join/balance.h) each has its part.
 *
 * What it is not: words (show/why.h), or exact: of large processes a part is compared, and figures are scaled.
 *
 * Invariants: a page is counted for one reason, the first that keeps it from being saved: that it does not live, that it
 * is written, what it contains, that it is not offered, that nobody came to it yet.
 *
 * Where memory has marks (ksmalloc/segment.h), what is found of a row is divided among those who asked for it, by the pages
 * of that class.
 *
 * Locking and owner: one thread; the result owns its findings and the comparison, the report is the caller's.
 *
 * Failure: -errno; -ESRCH where there are no two of a kind.
 */
#ifndef KSR_JUDGE_WHY_H
#define KSR_JUDGE_WHY_H

#include "join/report.h"
#include "judge/worker.h"
#include "pages/change.h"
#include "pages/rows.h"

/* X(name, key) */
#define KSR_WHY_REASONS(X)                                                                         \
	X(UNIQUE, "unique")	     /* content that only one of them has */                        \
	X(SHIFTED, "shifted")	     /* equal, some bytes further */                                \
	X(POINTERS, "pointers")	     /* equal but for addresses */                                  \
	X(WORDS, "words")	     /* equal but for a few words a page */                         \
	X(SHORT_LIVED, "short_lived") /* freed before it can merge */                               \
	X(REWRITTEN, "rewritten")    /* written again and again */                                  \
	X(NOT_OFFERED, "not_mergeable")                                                             \
	X(HUGE, "huge_pages")                                                                       \
	X(NOT_REACHED, "not_reached") /* nobody came to it yet */                                   \
	X(LIMIT, "sharing_limit")    /* more processes than one page may be shared by */            \
	X(STOPPED, "stopped")	     /* nothing merges or shares */

enum ksr_why_reason {
#define KSR_WHY_ID(name, key) KSR_WHY_##name,
	KSR_WHY_REASONS(KSR_WHY_ID)
#undef KSR_WHY_ID
		KSR_WHY_COUNT,
};

#define KSR_WHY_CAUSES 3
#define KSR_WHY_OFFSETS 4

struct ksr_why_finding {
	enum ksr_why_reason reason;
	uint32_t row;	/* of the comparison */
	uint32_t origin; /* whose memory of the row it is, in the first process's table; 0: of nobody who is known */
	uint64_t holds; /* bytes of all of the kind that this is about */
	uint64_t worth; /* of these, what would be saved at most; 0: nothing */
	int64_t shift;	/* SHIFTED: by so many bytes, most of it */
	enum ksr_cause causes[KSR_WHY_CAUSES]; /* WORDS: those of most pages */
	size_t cause_count;
	uint32_t offsets[KSR_WHY_OFFSETS]; /* WORDS: in the page, those of most pages */
	size_t offset_count;
	uint64_t lifetime_ms; /* SHORT_LIVED */
	uint64_t seconds;     /* NOT_REACHED: until then, KSR_NONE: not known */
	bool is_denied;	      /* NOT_OFFERED: by the filter or the program */
	bool is_asked;	      /* HUGE: the program asked for them */
	bool is_mapping;      /* NOT_OFFERED: to the group's store, which leaves the program's own mappings alone */
	bool is_sharing;      /* STOPPED: and the group's store leaves it alone, too */
	bool by_store;	      /* NOT_REACHED: by the group's store */
};

struct ksr_why {
	struct ksr_why_finding *list; /* what is worth most first */
	size_t count;
	struct ksr_workers members;
	struct ksr_findings notes; /* who was left out */
	struct ksr_diff diff;
	bool has_diff;
	uint64_t workers; /* of the kind */
	uint64_t interval_ms;
	uint64_t looked_ms; /* when processes were looked at first, by the clock that only goes on */
	uint64_t every;
	bool is_shared; /* they have the shared layout */
};

const char *ksr_why_key(enum ksr_why_reason reason);
/* Compares two of the processes, which the report has; looks at one of them again after so many milliseconds. */
int ksr_why_create(const struct ksr_fs *fs, const struct ksr_report *report, const pid_t *pids, size_t count,
		   uint64_t interval_ms, struct ksr_why *why);
void ksr_why_destroy(struct ksr_why *why);

#endif
