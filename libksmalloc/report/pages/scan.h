/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan: the memory of two processes, compared page by page.
 *
 * What it is: walks over both processes twice. First all private pages are
 * compared with their counterparts, which is one memcmp for most; then those
 * that differ are looked into. What was found is summed by row, that is by
 * site or region, and by cause.
 *
 * The counterpart of a page is the one at the same place of the same region of
 * the other process: at the same address, where the layouts are equal.
 *
 * What it is not: a picture. It names nothing, and keeps no content.
 *
 * Of a row with very many pages that differ only some stretches are looked into, and its figures
 * are scaled; see KSR_DIFF_LOOK_MOST.
 *
 * Invariants: per row, both = equal + elsewhere_pairs + pointers + words + shifted + other,
 * and shared + merged + forked + zero are parts of equal.
 *
 * Locking and owner: one thread. The processes go on running: a page that is found equal when it
 * is looked into counts as equal.
 *
 * Failure: -errno.
 */
#ifndef KSR_PAGES_SCAN_H
#define KSR_PAGES_SCAN_H

#include "read/reader.h"
#include "pages/words.h"

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
	X(only_first) /* there in the first process only */                                        \
	X(only_second)                                                                             \
	X(elsewhere_single) /* of these, content that is found elsewhere in the other */           \
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
	/* Of other values: hashes of the pairs that occur most, for keys that are kept in many
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

/* Content that one of the two processes has nowhere (pages/first.h). */
struct ksr_diff_place {
	uint64_t address; /* in the first process */
	bool only[2];	  /* what stands there in this process is nowhere in the other */
	bool is_text;
	bool is_time;	   /* seconds since 1970 as a floating-point number, in both */
	bool is_entry;	   /* the text is the name of an entry of a folder (folders.h) */
	uint32_t bytes[2]; /* of the texts; 0: there is none in this process */
	uint64_t type; /* data of a file of the first process that is pointed to beside it, or 0 */
};

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

struct ksr_diff {
	const struct ksr_space *spaces[2];
	struct ksr_first *first;   /* NULL: places are not looked for */
	struct ksr_events *events; /* NULL: pages are not counted by event (pages/events.h) */
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
int ksr_diff_scan(const struct ksr_fs *fs, struct ksr_diff *diff);
void ksr_diff_destroy(struct ksr_diff *diff);

/* pages/sum.c: scales the figures of rows of which only some pages were looked into. */
void ksr_diff_scale(struct ksr_diff *diff);
/* The same for one figure of a row. */
uint64_t ksr_diff_scaled(uint64_t value, const struct ksr_diff_row *row);
/*
 * pages/sum.c: the data of a file that a word of the page points to, that at this offset or one
 * shortly before it: the type of an object, in languages whose objects begin with one. 0: none.
 */
uint64_t ksr_diff_find_type(const struct ksr_space *space, const unsigned char *page,
			    size_t offset);
/* pages/sum.c: adds a page that was looked into to its row. page is its content in the first. */
int ksr_diff_add(struct ksr_diff *diff, struct ksr_diff_row *row, uint64_t address,
		 const unsigned char *page, const struct ksr_page_diff *result);

#endif
