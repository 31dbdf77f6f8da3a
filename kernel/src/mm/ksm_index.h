/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where KSM looks for pages of the same content.
 *
 * An index holds nodes that have a checksum each, and is asked for those of one
 * checksum: to compare their contents is the caller's. It knows nothing of pages.
 * ksm.c has an index of what is merged, the stable tree, and one of what is not,
 * the unstable tree.
 *
 * A search goes from node to node: ksm_index_find() returns the first one of the
 * checksum, and ksm_index_next_equal() the next one, in the direction in which the
 * contents were found to differ. When there is none, a node may be inserted where
 * the search has ended. Nodes may be replaced during a search; after any other
 * change of the index, it begins anew.
 *
 * Locking: the caller's. In ksm.c, it is ksm_thread_mutex.
 */
#ifndef __MM_KSM_INDEX_H
#define __MM_KSM_INDEX_H

#include <linux/rbtree.h>
#include <linux/types.h>

/**
 * struct ksm_index_node - what is in an index, a part of something else
 * @rb: in the tree, by checksum, and by content where those are equal
 *
 * A node that is in no index may be used for something else.
 */
struct ksm_index_node {
	struct rb_node rb;
};

/**
 * struct ksm_index - an index
 * @root: the tree
 * @checksum: where the checksum is, an unsigned int, in bytes from the node on
 */
struct ksm_index {
	struct rb_root root;
	int checksum;
};

/* In what has a node and a checksum. */
#define KSM_INDEX_CHECKSUM(type, node, sum) \
	((int)offsetof(type, sum) - (int)offsetof(type, node))
#define KSM_INDEX_INIT(type, node, sum) \
	{ .root = RB_ROOT, .checksum = KSM_INDEX_CHECKSUM(type, node, sum) }

/**
 * struct ksm_index_pos - where a search stands
 * @parent: the node above
 * @link: what points to the node that the search is at, or would
 */
struct ksm_index_pos {
	struct rb_node *parent;
	struct rb_node **link;
};

void ksm_index_init(struct ksm_index *index, int checksum);
struct ksm_index_node *ksm_index_find(struct ksm_index *index,
				      unsigned int checksum,
				      struct ksm_index_pos *pos);
struct ksm_index_node *ksm_index_next_equal(struct ksm_index *index,
					    unsigned int checksum,
					    struct ksm_index_pos *pos, int cmp);
void ksm_index_insert(struct ksm_index *index, struct ksm_index_node *node,
		      struct ksm_index_pos *pos);
void ksm_index_erase(struct ksm_index *index, struct ksm_index_node *node);
void ksm_index_replace(struct ksm_index *index, struct ksm_index_node *old,
		       struct ksm_index_node *new);
void ksm_index_reset(struct ksm_index *index);
struct ksm_index_node *ksm_index_first(struct ksm_index *index);
struct ksm_index_node *ksm_index_next(struct ksm_index *index,
				      struct ksm_index_node *node);

#endif /* __MM_KSM_INDEX_H */
