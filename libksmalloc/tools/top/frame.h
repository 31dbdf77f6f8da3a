/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame: the screen, as lines.
 *
 * What it is: what the state looks like on so many lines of so many columns; the same for a terminal and for text.
 * What it is not: drawn.
 * Invariants: a frame has no more lines than were asked for, and says so where rows are left out.
 * Locking and owner: a frame owns its lines.
 * Failure: -ENOMEM.
 */
#ifndef KSR_TOP_FRAME_H
#define KSR_TOP_FRAME_H

#include "top/act.h"
#include "top/line.h"

#define KSR_TOP_LEAST_HEIGHT 6

struct ksr_top_frame {
	struct ksr_top_line *lines;
	size_t room;
	size_t count;
	bool utf8;
	bool cursor; /* it is to be seen, behind the text of the last line */
	uint32_t width;
};

void ksr_top_frame_init(struct ksr_top_frame *frame, bool utf8);
void ksr_top_frame_fini(struct ksr_top_frame *frame);
/* A height of 0: as many lines as there are, for text. */
int ksr_top_frame_make(struct ksr_top_frame *frame, struct ksr_top_state *state, uint32_t width, size_t height);

#endif
