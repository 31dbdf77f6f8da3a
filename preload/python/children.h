/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * children: makes the interpreter's own state equal in equal workers, children of one master above all.
 *
 * What it is: what Python keeps besides objects, and what objects depend on: the number
 * that it gives to each change of a dictionary, the free lists of its types, and, in a child, how far the collector
 * of cycles has counted. In a child all of it would go on where the master was at the time of the fork, which is
 * another place for each child. It is put right in os.fork()'s children, by a function
 * that Python calls there (os.register_at_fork), so that it costs nothing where a child executes
 * another program; and in every process at anchors.
 * What it is not: needed for anything but equality. What cannot be found is left as it is.
 *
 * Locking: the interpreter lock.
 */
#ifndef KSP_CHILDREN_H
#define KSP_CHILDREN_H

#include "base.h"

/* Looks up what it needs of Python in scope. False if something is missing; then nothing else is to be called. */
bool ksp_children_find(void *scope);

/*
 * To be called now and then by a thread that may be anywhere inside of Python, until it
 * returns true: has the function registered as soon as Python is ready for it.
 */
bool ksp_children_try_to_register(void);

/*
 * To be called by a thread whose stream has changed by an anchor of this rank (slabs.h); it may be anywhere inside of
 * Python. The versions of dictionaries go on at a number that equal workers share. True if ksp_go_on() will be called
 * between two instructions of the program, where free lists are emptied, too; false as long as Python is not ready for
 * that.
 */
bool ksp_children_moved(uint32_t rank);

/* To be called when there is a new slab or piece with places of this size, the number of its kind in its stream. */
void ksp_children_added(size_t size, uint32_t number);

#endif
