// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where KSM looks for pages of the same content: see ksm_index.h.
 */

#include <linux/container_of.h>
#include <linux/sched.h>

#include "ksm_index.h"

static struct ksm_index_node *node_of(struct rb_node *rb)
{
	return rb ? container_of(rb, struct ksm_index_node, rb) : NULL;
}

static unsigned int checksum_of(const struct ksm_index *index,
				const void *node)
{
	return *(const unsigned int *)(node + index->checksum);
}

/**
 * ksm_index_init - make an empty index
 * @index: the index
 * @checksum: KSM_INDEX_CHECKSUM() of what it is to hold
 */
void ksm_index_init(struct ksm_index *index, int checksum)
{
	index->root = RB_ROOT;
	index->checksum = checksum;
}

/* Go on to the next node of this checksum, and stop at it, or where it would be. */
static struct ksm_index_node *descend(struct ksm_index *index,
				      unsigned int checksum,
				      struct ksm_index_pos *pos)
{
	struct rb_node *rb;
	unsigned int other;

	while ((rb = *pos->link)) {
		other = checksum_of(index, rb);
		if (checksum == other)
			return node_of(rb);
		pos->parent = rb;
		pos->link = checksum < other ? &rb->rb_left : &rb->rb_right;
		cond_resched();
	}
	return NULL;
}

/**
 * ksm_index_find - begin a search
 * @index: the index
 * @checksum: the checksum that is looked for
 * @pos: where it stands after that
 *
 * Return: the first node of this checksum, or NULL.
 */
struct ksm_index_node *ksm_index_find(struct ksm_index *index,
				      unsigned int checksum,
				      struct ksm_index_pos *pos)
{
	pos->parent = NULL;
	pos->link = &index->root.rb_node;
	return descend(index, checksum, pos);
}

/**
 * ksm_index_next_equal - go on with a search
 * @index: the index
 * @checksum: the checksum that is looked for
 * @pos: where it stands
 * @cmp: how the content that is looked for compares with that of the node there:
 *	 less or greater than 0
 *
 * Return: the next node of this checksum, or NULL.
 */
struct ksm_index_node *ksm_index_next_equal(struct ksm_index *index,
					    unsigned int checksum,
					    struct ksm_index_pos *pos, int cmp)
{
	/* The node may have been replaced since it was found. */
	struct rb_node *rb = *pos->link;

	pos->parent = rb;
	pos->link = cmp < 0 ? &rb->rb_left : &rb->rb_right;
	return descend(index, checksum, pos);
}

/**
 * ksm_index_insert - insert a node
 * @index: the index
 * @node: the node, whose checksum is set
 * @pos: where a search for its checksum and content has ended
 */
void ksm_index_insert(struct ksm_index *index, struct ksm_index_node *node,
		      struct ksm_index_pos *pos)
{
	rb_link_node(&node->rb, pos->parent, pos->link);
	rb_insert_color(&node->rb, &index->root);
}

/**
 * ksm_index_erase - take a node out
 * @index: the index
 * @node: the node
 */
void ksm_index_erase(struct ksm_index *index, struct ksm_index_node *node)
{
	rb_erase(&node->rb, &index->root);
}

/**
 * ksm_index_replace - put one node in place of another one
 * @index: the index
 * @old: the node that is taken out
 * @new: one of the same checksum and content
 */
void ksm_index_replace(struct ksm_index *index, struct ksm_index_node *old,
		       struct ksm_index_node *new)
{
	rb_replace_node(&old->rb, &new->rb, &index->root);
}

/**
 * ksm_index_reset - forget all nodes
 * @index: the index; the nodes are not touched
 */
void ksm_index_reset(struct ksm_index *index)
{
	index->root = RB_ROOT;
}

/**
 * ksm_index_first - begin to go through all nodes
 * @index: the index
 *
 * Return: the first one in some order, or NULL.
 */
struct ksm_index_node *ksm_index_first(struct ksm_index *index)
{
	return node_of(rb_first(&index->root));
}

/**
 * ksm_index_next - go on through all nodes
 * @index: the index
 * @node: a node
 *
 * Return: the one after it, or NULL.
 */
struct ksm_index_node *ksm_index_next(struct ksm_index *index,
				      struct ksm_index_node *node)
{
	return node_of(rb_next(&node->rb));
}
