/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place: one piece of content that one of two processes has nowhere.
 *
 * What it is: an address, a length and a kind; and what a place is in words.
 * What it is not: the content, which is not kept.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_PAGES_PLACE_H
#define KSR_PAGES_PLACE_H

#include "base.h"

struct ksr_diff_place {
	uint64_t address; /* in the first process */
	bool only[2];	  /* what stands there in this process is nowhere in the other */
	bool is_text;
	bool is_time;	   /* seconds since 1970 as a floating-point number, in both */
	bool is_entry;	   /* the text is the name of an entry of a folder (folders.h) */
	uint32_t bytes[2]; /* of the texts; 0: there is none in this process */
	uint64_t type; /* data of a file of the first process that is pointed to beside it, or 0 */
};

/* How much a place tells: a text more than the number beside it, the name of an entry more than
 * another text. */
int ksr_place_telling(const struct ksr_diff_place *place);
/* "text of 12 bytes, in the second only, against one of 6": what a place is. */
void ksr_place_text(const struct ksr_diff_place *place, char *text, size_t bytes);

#endif
