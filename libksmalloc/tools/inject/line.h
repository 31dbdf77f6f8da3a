/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line: a command line of podman's or docker's, or a Quadlet file, with the library and a sidecar, and without them again.
 *
 * What it is: words that are put right behind `run`, and commands before and after it; of a file a part at its end, between two marks.
 * What it is not: a parser of all options that engines have.
 * Invariants: what is there stays as it is, word for word; removing gives the same words or bytes again. What it writes of others' words is
 * quoted for sh.
 * Locking and owner: no state; the caller frees the text.
 * Failure: NULL and a sentence.
 */
#ifndef KSR_INJECT_LINE_H
#define KSR_INJECT_LINE_H

#include "inject/wish.h"

/* words: the command line from the engine on, NULL at its end. wish NULL: take it out. The result ends with a line end. */
char *ksr_inject_line(const char *const *words, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY]);
/*
 * What has the volume of a wish by a prepared one ready on this host, by the engine of this name: for sh, to be run as who runs the containers,
 * and again as often as one likes. NULL without memory.
 */
char *ksr_inject_prepare(const char *engine, const struct ksr_inject_wish *wish);
/* The next value of an option of the engine's, from *at on, which begins as 0; NULL: there is none, or that is no such command. */
const char *ksr_inject_line_value(const char *const *words, const char *option, size_t *at);
/* A .container file; name is what the group is called where the wish has none. wish NULL: take it out. */
char *ksr_inject_quadlet(const char *text, const char *name, const struct ksr_inject_wish *wish, char why[KSR_INJECT_WHY]);

#endif
