/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * children: where ruby's objects go in the child of a fork.
 *
 * What it is: ruby has heap pages of its own, and a child inherits them with their free slots. Which slots are free differs
 * from child to child, since their master has made an object more meanwhile, and from the first that differs on every
 * object is shifted, and every pointer to it. So in a child the master's garbage is collected, what is free in inherited
 * pages is filled up, and what lies in them is kept for as long as the child lives. All that comes later lies in pages of
 * the child's own, which have equal addresses in equal children, and the collector counts anew. It is done
 * when the child begins, and again at its first few anchors (ksmalloc/stream.h).
 *
 * What it is not: for children of a master with a large heap, which was loaded to be shared by forks, or whose objects have
 * much memory, which would be kept with them; for a ruby that is not
 * 3.1, the one whose slots and collector were looked at; where the program has switched the collector off, or hardly any
 * memory is left; in children that were not made by Process._fork.
 *
 * Locking: ruby's lock is held in all that is done; what may be a signal handler only asks ruby to call later.
 * Failure: none; objects go where they always go.
 */
#ifndef KRB_CHILDREN_H
#define KRB_CHILDREN_H

/* To be called once, when ruby has its virtual machine and no objects yet. Does nothing without streams. */
void krb_children_start(void);

#endif
