/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping/ranges_pool.h"

#include "os/os.h"

#define PIECE_BYTES (64 * KSM_KIB)
/* The first node's room is the piece's own. */
#define PIECE_NODES ((uint32_t)(PIECE_BYTES / KSM_RANGES_NODE_BYTES) - 1)

struct free_node {
	struct free_node *next;
};

struct ksm_ranges_piece {
	struct ksm_ranges_piece *next; /* of those with nodes left */
	struct ksm_ranges_piece *previous;
	struct free_node *free; /* nodes that were in use before */
	uint32_t untouched;	/* the last ones, which never were */
	uint32_t used;
};

static_assert(sizeof(struct ksm_ranges_piece) <= KSM_RANGES_NODE_BYTES, "a piece's own part");

static void link_piece(struct ksm_ranges_pool *pool, struct ksm_ranges_piece *piece)
{
	piece->previous = NULL;
	piece->next = pool->open;
	if (piece->next)
		piece->next->previous = piece;
	pool->open = piece;
}

static void unlink_piece(struct ksm_ranges_pool *pool, struct ksm_ranges_piece *piece)
{
	if (piece->next)
		piece->next->previous = piece->previous;
	if (piece->previous)
		piece->previous->next = piece->next;
	else
		pool->open = piece->next;
}

/*
 * Twice the length has an aligned piece in it. If the kernel does not take back what lies around
 * it (too many mappings), it stays, untouched.
 */
static struct ksm_ranges_piece *map_piece(void)
{
	void *memory;
	uintptr_t begin, piece;

	if (ksm_os_map(&memory, 2 * PIECE_BYTES, true) != 0)
		return NULL;
	begin = (uintptr_t)memory;
	piece = ksm_align_up(begin, PIECE_BYTES);
	if (piece > begin)
		ksm_os_unmap(memory, piece - begin);
	ksm_os_unmap((void *)(piece + PIECE_BYTES), begin + PIECE_BYTES - piece);
	return (struct ksm_ranges_piece *)piece;
}

bool ksm_ranges_pool_reserve(struct ksm_ranges_pool *pool, uint32_t nodes)
{
	while (pool->left < nodes) {
		struct ksm_ranges_piece *piece = map_piece();

		if (!piece)
			return false;
		piece->untouched = PIECE_NODES;
		link_piece(pool, piece);
		pool->pieces++;
		pool->left += PIECE_NODES;
	}
	return true;
}

void *ksm_ranges_pool_take(struct ksm_ranges_pool *pool)
{
	struct ksm_ranges_piece *piece = pool->open;
	void *node = piece->free;

	if (node) {
		piece->free = piece->free->next;
	} else {
		node = (char *)piece + (PIECE_NODES + 1 - piece->untouched) * KSM_RANGES_NODE_BYTES;
		piece->untouched--;
	}
	piece->used++;
	pool->left--;
	pool->used++;
	if (piece->used == PIECE_NODES)
		unlink_piece(pool, piece);
	return node;
}

void ksm_ranges_pool_give(struct ksm_ranges_pool *pool, void *node)
{
	struct ksm_ranges_piece *piece =
		(struct ksm_ranges_piece *)ksm_align_down((uintptr_t)node, PIECE_BYTES);
	struct free_node *free = node;

	if (piece->used == PIECE_NODES)
		link_piece(pool, piece);
	free->next = piece->free;
	piece->free = free;
	piece->used--;
	pool->left++;
	pool->used--;
	/* A piece's worth stays at hand, so that a program at the edge of one does not map all day.
	 */
	if (piece->used > 0 || pool->left < 2 * PIECE_NODES)
		return;
	unlink_piece(pool, piece);
	pool->pieces--;
	pool->left -= PIECE_NODES;
	ksm_os_unmap(piece, PIECE_BYTES);
}
