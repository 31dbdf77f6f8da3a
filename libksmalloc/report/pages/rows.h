/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows: a comparison of two processes, and what was found, by row.
 *
 * What it is: a row for each site or region, with its pages, causes and places; and which regions of
 * which process belong to it.
 *
 * What it is not: a reader of memory. scan.h fills it.
 *
 * Invariants: per row, both = equal + elsewhere_pairs + pointers + words + shifted + other,
 * and shared + merged + forked + zero are parts of equal.
 *
 * Locking and owner: one thread; a comparison owns all but the spaces.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_PAGES_ROWS_H
#define KSR_PAGES_ROWS_H

#include "pages/cause.h"
#include "pages/place.h"
#include "pages/words.h"
#include "read/space.h"

/* Pages of a row: X(name, title, what it is). */
#define KSR_DIFF_COUNTS(X)                                                                         \
	X(both)		   /* there in both processes */                                           \
	X(equal)	   /* would merge, or are merged */                                        \
	X(shared)	   /* equal, since both map a store there */                               \
	X(merged)	   /* equal, and one page of KSM already; needs root */                    \
	X(forked)	   /* equal, and shared by fork; needs root */                             \
	X(zero)		   /* equal, and all zero */                                               \
	X(elsewhere_pairs) /* both contents are found elsewhere in the other process */            \
	X(pointers)                                                                                \
	X(words)                                                                                   \
	X(shifted)                                                                                 \
	X(other)                                                                                   \
	X(moved) /* of other: all content that can be told apart is in the other process, too */   \
	X(masked) /* of other: in the other process, wherever, but for addresses; only where pages are noted */ \
	X(only_first) /* there in the first process only */                                        \
	X(only_second)                                                                             \
	X(elsewhere_single) /* of these, content that is found elsewhere in the other */           \
	X(masked_single)    /* of only_first, content that is elsewhere but for addresses */        \
	X(swapped)	    /* in either; not compared */

struct ksr_diff_counts {
#define KSR_DIFF_COUNT(name) uint64_t name;
	KSR_DIFF_COUNTS(KSR_DIFF_COUNT)
#undef KSR_DIFF_COUNT
};

#define KSR_DIFF_TYPES 8

/* Pages of a row that are looked into: 128 MiB, some seconds at worst. */
#define KSR_DIFF_LOOK_MOST 32768

/* What pointers to the data of files stand beside words that differ. */
struct ksr_diff_type {
	uint64_t address;
	uint64_t count;
};

/* One reason in one row. */
struct ksr_diff_cause {
	enum ksr_cause cause;
	uint32_t row;
	uint32_t target; /* region of the first process, else KSR_REGION_NONE */
	uint64_t pages;	 /* that it occurs in */
	uint64_t alone;	 /* that it is the only reason of */
	uint64_t words;
	uint64_t pointers; /* words of simply different pages that are addresses */
	uint64_t example;  /* address in the first process: of a page where it is alone, if any */
	bool example_alone;
	int64_t deltas[KSR_FEW_DELTAS]; /* the first that were met; or distances of content */
	uint32_t delta_count;		/* one more than fit: there are others */
	uint32_t *positions; /* words by their place in the page; these and what follows are not
				scaled */
	struct ksr_diff_type types[KSR_DIFF_TYPES];
	uint64_t typed; /* words with a pointer beside them */
	/* Of random words and other values: hashes of the pairs that occur most, for keys that are kept in many
	 * places. */
	struct ksr_diff_type values[KSR_DIFF_TYPES];
	uint64_t page; /* the last page that was counted, to count it once */
};

/* A word of the data of a file: these have names. */
struct ksr_diff_named {
	uint64_t address;
	enum ksr_cause cause;
	uint32_t target;
};

#define KSR_DIFF_NAMED_MOST 65536

struct ksr_diff_row {
	enum ksr_region_kind kind;
	uint64_t id;	     /* of a site */
	uint32_t regions[2]; /* one of each process that belongs to it, or KSR_REGION_NONE */
	bool wanted;
	struct ksr_diff_counts counts;
	struct ksr_diff_cause *causes;
	size_t cause_count;
	struct ksr_diff_named *named;
	size_t named_count;
	struct ksr_diff_place *places; /* by ascending address */
	size_t place_count;
	size_t place_total; /* also those that are not kept */
	uint64_t differing; /* pairs that are neither equal nor elsewhere */
	uint64_t looked;    /* of these, looked into; the figures are scaled by the quotient */
	/* How the search for moved content goes. */
	uint64_t searched;
	uint64_t found;
	int64_t shift;
};

struct ksr_first;
struct ksr_events;
struct ksr_notes;

struct ksr_diff {
	const struct ksr_space *spaces[2];
	struct ksr_first *first;   /* NULL: places are not looked for */
	struct ksr_events *events; /* NULL: pages are not counted by event (pages/events.h) */
	struct ksr_notes *notes;   /* NULL: single pages are not noted (pages/notes.h) */
	uint32_t *match[2];	   /* region of the one -> of the other */
	uint32_t *row_of[2];	   /* region -> row */
	struct ksr_diff_row *rows;
	size_t row_count;
	bool has_frames; /* the kernel shows frame numbers: who shares a page is known */
	bool flags_tell; /* and so are merged and forked, by ksr_page_flags_open() */
	uint64_t few;
	uint64_t every;	      /* 1: all pages; n: one stretch of n */
	uint64_t unlooked;    /* bytes of mappings too large to look at */
	size_t moved_regions; /* regions of files and slots that lie at other addresses */
	size_t compared_regions;
};

/* Rows only, all wanted; few and every have their defaults. */
int ksr_diff_create(const struct ksr_space *first, const struct ksr_space *second,
		    struct ksr_diff *diff);
void ksr_diff_destroy(struct ksr_diff *diff);

#endif
