/* SPDX-License-Identifier: BSD-2-Clause */
#include "pieces.h"

#include <string.h>

/* The header's rows come first in each slab. */
#define FIRST_ROW ((uint32_t)(sizeof(struct ksp_slab) + KSP_ROW - 1) / KSP_ROW)

static_assert(KSP_MIXED_ROWS * KSP_ROW == KSP_SLAB, "rows are as long as 64 places of a mixed slab");

static struct ksp_piece pieces[KSP_MOST_PIECES][KSP_CLASSES];
static uint8_t piece_of_mixed[KSP_MIXED_SLABS];

uint8_t ksp_mixed_classes[KSP_MIXED_SLABS][KSP_MIXED_ROWS];

/* Of large objects there are few between two anchors. */
unsigned int ksp_pieces_of(unsigned int class)
{
	return class < 16 ? 4 : class < KSP_FINE_CLASSES ? 3 : 2;
}

static uint32_t rows_of(unsigned int class, unsigned int piece)
{
	size_t size = ksm_max(ksp_class_size(class), KSP_ROW);

	return (uint32_t)(((size << piece) + KSP_ROW - 1) / KSP_ROW);
}

/* Larger objects' pieces lie behind those of smaller ones, and a piece that does not fit begins a slab. */
void ksp_pieces_plan(void)
{
	uint32_t slab = 0;
	uint32_t row = FIRST_ROW;

	memset(ksp_mixed_classes, KSP_CLASSES, sizeof(ksp_mixed_classes));
	for (unsigned int piece = 0; piece < KSP_MOST_PIECES; piece++) {
		for (unsigned int class = 0; class < KSP_CLASSES; class++) {
			uint32_t rows;

			if (piece >= ksp_pieces_of(class))
				continue;
			rows = rows_of(class, piece);
			if (row + rows > KSP_MIXED_ROWS) {
				slab++;
				row = FIRST_ROW;
			}
			pieces[piece][class] = (struct ksp_piece){ (uint8_t)slab, (uint8_t)row, (uint8_t)rows };
			piece_of_mixed[slab] = (uint8_t)piece;
			memset(&ksp_mixed_classes[slab][row], (int)class, rows);
			row += rows;
		}
		slab++;
		row = FIRST_ROW;
	}
}

const struct ksp_piece *ksp_piece(unsigned int class, unsigned int piece)
{
	return &pieces[piece][class];
}

unsigned int ksp_piece_of_mixed(unsigned int mixed)
{
	return piece_of_mixed[mixed];
}

static void make_places(struct ksp_slab *slab, const struct ksp_piece *piece, size_t size)
{
	uint32_t step = (uint32_t)size / KSP_MIXED_UNIT;
	uint32_t end = (piece->row + piece->rows) * 64u;

	for (uint32_t number = piece->row * 64u; number + step <= end; number += step)
		slab->free[number / 64] |= UINT64_C(1) << number % 64;
}

void ksp_pieces_make(struct ksp_slab *slab, unsigned int mixed)
{
	slab->is_mixed = true;
	slab->inverse = 65536 / KSP_MIXED_UNIT;
	slab->number = mixed;
	for (unsigned int class = 0; class < KSP_CLASSES; class++) {
		const struct ksp_piece *piece = &pieces[piece_of_mixed[mixed]][class];

		if (piece->rows && piece->slab == mixed)
			make_places(slab, piece, ksp_class_size(class));
	}
}
