/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gap: Perl's next arenas begin at an even place.
 *
 * What it is: Perl's arenas are blocks of malloc's of one size class, a page each. A worker that has made one more
 * than another one has all later ones a page further on. So at a boundary blocks of that class are taken up to the
 * next multiple of 64 KiB, and kept: they are never written to, so that they take addresses and no memory. Where two
 * workers are at different multiples they meet at one of 256 KiB, which every fourth boundary goes to.
 * What it is not: for several threads. Blocks that were used before are given back at once.
 * Failure: none; arenas go on where they are.
 */
#ifndef KSP_GAP_H
#define KSP_GAP_H

/* To be called between two ops, when the lists are empty. The ordinal is that of the boundary. */
void ksp_gap_take(unsigned int ordinal);

/* Arenas lie somewhere else from now on. */
void ksp_gap_moved(void);

#endif
