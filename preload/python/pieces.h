/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pieces: where the first objects of each class lie in a stream.
 *
 * What it is: a plan of the mixed slabs, which is the same for all streams. There are many streams with few
 * objects each, so that a page that each class has for itself would be left empty for the most part. Each class has
 * a piece of 256 bytes or of one object first, and then some that are twice as large as the one before.
 * What it is not: memory, or an order in which pieces are used: a class's pieces lie where they lie, whatever
 * other classes do.
 *
 * Rows of a mixed slab are 256 bytes, and belong to one class each. An object that lies in two rows is the
 * first one's.
 */
#ifndef KSP_PIECES_H
#define KSP_PIECES_H

#include "slabs.h"

#define KSP_MIXED_SLABS	   16u /* as many as a stream's first memory has */
#define KSP_ROW		   256u
#define KSP_MOST_PIECES	   4u /* of a class */

struct ksp_piece {
	uint8_t slab;
	uint8_t row; /* the first one */
	uint8_t rows;
};

/* To be called once before all others. */
void ksp_pieces_plan(void);

/* How many pieces the class has, and one of them: piece is less than that. */
unsigned int ksp_pieces_of(unsigned int class);
const struct ksp_piece *ksp_piece(unsigned int class, unsigned int piece);

/* Which of their classes' pieces there are in a mixed slab. */
unsigned int ksp_piece_of_mixed(unsigned int mixed);

/* Writes the header of a mixed slab, whose memory is zeros, but for its stream. */
void ksp_pieces_make(struct ksp_slab *slab, unsigned int mixed);

#endif
