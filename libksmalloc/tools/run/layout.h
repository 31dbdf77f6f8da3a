/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout: the half of the shared layout that lies before exec.
 *
 * What it is: from a group's seed it sets the stack limit and the personality
 * under which the kernel puts libraries where the group has them, and tells the
 * library in the environment; see ksmalloc/seed.h for how and why.
 * What it is not: the places of slots, and putting the limit and the personality
 * back; the library does both before main.
 * Invariants: a program that cannot get the layout starts as it would without
 * the option, and exactly one line says why. Nothing here raises a hard limit.
 * Locking and owner: one thread; it changes the process, right before exec.
 * Failure: KSR_EXIT_FAILED after a message when nothing should be started.
 */
#ifndef KSR_RUN_LAYOUT_H
#define KSR_RUN_LAYOUT_H

#include "command.h"
#include "run/program.h"
#include "seed_file.h"

struct ksr_layout {
	struct ksr_seed_file file;
	struct ksr_seed_request request;
	bool through_loader;
	bool shares; /* memory of sites is to be shared with the group also without its layout */
	bool shared; /* out: the program gets the layout */
};

/* Reads or makes the seed. */
int ksr_layout_find_seed(const struct ksr_command *command, struct ksr_layout *layout);

/*
 * Looks whether the program can have the layout and, if so, changes the limit and the personality
 * of this process. Sets layout->shared, and the library's variables where they serve the
 * program's children at least.
 */
int ksr_layout_enter(const struct ksr_command *command, struct ksr_layout *layout,
		     const struct ksr_program *program);

/*
 * Makes the program's words a call of its loader, so that its own image lies among the
 * libraries. A line says if that cannot be; the words are then as they were.
 */
int ksr_layout_insert_loader(const struct ksr_command *command, struct ksr_program *program);

/*
 * Gives the program the private layout: takes that of an enclosing run out of the environment, and leaves the group's seed in it
 * where memory is to be shared.
 */
int ksr_layout_leave(const struct ksr_command *command, const struct ksr_layout *layout);

/* Says what is random in the layout, and what is not. program is NULL when none was given. */
void ksr_layout_show(const struct ksr_command *command, const struct ksr_layout *layout,
		     const struct ksr_program *program);

/* The part of it that an operator must know: what is not random. One line. */
void ksr_layout_warn(const struct ksr_command *command, const struct ksr_layout *layout,
		     const struct ksr_program *program);

#endif
