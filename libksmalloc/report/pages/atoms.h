/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * atoms: pieces of content that stay what they are when memory moves.
 *
 * What it is: finds in a page texts, and aligned words with numbers so large
 * that they are no size, count or address: hashes, random numbers, times. A set
 * tells whether a process had such a piece anywhere. What only one of two
 * processes has was not merely moved.
 *
 * What it is not: a copy. A set holds bits of hashes, and nothing of the content.
 *
 * Invariants: atoms of a page are in ascending order and do not overlap. A set
 * never denies what was added; it may claim a few that were not, the more the
 * fuller it is, and in the end all.
 *
 * Locking and owner: pure, and sets belong to one thread.
 *
 * Failure: memory only.
 */
#ifndef KSR_PAGES_ATOMS_H
#define KSR_PAGES_ATOMS_H

#include "base.h"

/* A shorter text is as likely to be a number that looks like one. */
#define KSR_ATOM_TEXT_LEAST 6

struct ksr_atom {
	uint32_t offset; /* in the page */
	uint32_t bytes;
	bool is_text;
	uint64_t hash;
};

/* No page has more of them. */
KSM_INLINE size_t ksr_atoms_most(size_t page_bytes)
{
	return page_bytes / KSR_ATOM_TEXT_LEAST + 1;
}

/* Fills atoms, which has room for ksr_atoms_most(), and returns how many there are. */
size_t ksr_atoms_find(const unsigned char *page, size_t page_bytes, struct ksr_atom *atoms);
/* Bytes of the text that begins at this place of the page, 0 if there is none. */
size_t ksr_atoms_text_bytes(const unsigned char *page, size_t page_bytes, size_t at);
/* The hash that a text of these bytes has as an atom. */
uint64_t ksr_atoms_text_hash(const void *text, size_t bytes);

struct ksr_atom_set {
	uint64_t *bits;
	uint64_t count;
};

/* What is added beyond this is not kept: the set claims everything from then on. */
#define KSR_ATOM_SET_MOST (UINT64_C(8) << 20)

/* -ENOMEM without memory. */
int ksr_atom_set_init(struct ksr_atom_set *set);
void ksr_atom_set_fini(struct ksr_atom_set *set);
void ksr_atom_set_add(struct ksr_atom_set *set, uint64_t hash);
bool ksr_atom_set_has(const struct ksr_atom_set *set, uint64_t hash);

#endif
