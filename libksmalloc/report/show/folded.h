/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folded: stacks as flame graph tools read them.
 *
 * What it is: a line for each origin: its group, its program, its frames from the outermost to the innermost with ';' between
 * them, and one value.
 * What it is not: sorted by name, or added up: the tools do both.
 * Invariants: no frame has a ';' or ends its line; origins without any of the value have no line.
 * Locking and owner: reads the scene.
 * Failure: the stream remembers errors of writing.
 */
#ifndef KSR_SHOW_FOLDED_H
#define KSR_SHOW_FOLDED_H

#include "show/scene.h"

int ksr_folded_write(const struct ksr_scene *scene, FILE *output);

#endif
