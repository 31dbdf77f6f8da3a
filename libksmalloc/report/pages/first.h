/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * first: where two processes have content that is not merely moved.
 *
 * What it is: one object more in one process moves all that comes after it, and
 * thousands of pages differ by pointers and by the order of what they hold. The
 * cause is what the other process has nowhere: a text, or a number that is large
 * enough to be told from others (atoms.h). Their places are kept by row.
 *
 * What it is not: a clock. Nothing tells when a block was made; in the regions of
 * the shared layout lower addresses are older more often than not. And no content
 * is kept: a place has an address, a length and a kind.
 *
 * Invariants: what pointers, ids, times of starts and AT_RANDOM explain is no
 * place; nor is anything on stacks.
 *
 * Locking and owner: one thread; places belong to the rows of the comparison. diff->first is set while one is made.
 *
 * Failure: -errno. A set that is full hides places and invents none. Of a comparison of
 * some rows or of a sample, content may be elsewhere in what was not read.
 */
#ifndef KSR_PAGES_FIRST_H
#define KSR_PAGES_FIRST_H

#include "pages/rows.h"
#include "pages/words.h"

/* Places of a row that are kept beside those with the name of an entry. */
#define KSR_DIFF_PLACES_MOST 256

/* Sets diff->first; -errno, and it is to be destroyed then, too. */
int ksr_first_create(const struct ksr_fs *fs, struct ksr_diff *diff);
void ksr_first_destroy(struct ksr_diff *diff);

/* Content that a process has. All of it must be noted before places are looked for. */
void ksr_first_note(struct ksr_first *first, int which, const unsigned char *page);
/*
 * Adds the places of a pair of pages to the row, and the page to those that have only moved. Where
 * most of the content has shifted, a text at an edge of the page may be cut elsewhere than in the
 * other process, and is left out. first may be NULL in both calls.
 */
int ksr_first_look(struct ksr_first *first, struct ksr_diff_row *row, struct ksr_pair *pair,
		   uint64_t address, const unsigned char *a, const unsigned char *b,
		   enum ksr_page_class class);

/* A place of a row, for showing. */
struct ksr_first_place {
	const struct ksr_diff_row *row;
	const struct ksr_diff_place *place;
};

/*
 * All places, by how early they may have come about: names of entries, then small blocks and
 * mappings by address, data of files, nurseries, then sites in the order they were met in. The
 * caller frees.
 */
struct ksr_first_place *ksr_first_places(const struct ksr_diff *diff, size_t *count);
#endif
