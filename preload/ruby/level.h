/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * level: ruby's counts are the same whatever arguments and environment there are.
 *
 * What it is: an argument is an object, and a variable some bytes by malloc, of which ruby counts how many there are until
 * it collects. One more, and all objects that come later lie a slot further on, and each collection begins sooner. So when ARGV is
 * made objects and bytes are filled up to a multiple of something, by empty strings and blocks that nobody reads.
 * What it is not: for more arguments than that multiple in one worker, and fewer in another.
 * Locking: ruby's lock. Failure: counts stay as they are.
 */
#ifndef KRB_LEVEL_H
#define KRB_LEVEL_H

/* To be called once, before the program runs, when ruby has made ARGV. What it makes is kept. */
void krb_level(void);

#endif
