/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bodies: what clients have sent so far.
 *
 * What it is: a growing text for each request, with a bound for each and one for all. Where that is reached, the largest one has to
 * go, whoever sends it: a review of a pod is small beside what somebody sends who means to fill the memory.
 * What it is not: HTTP.
 * Invariants: all texts together have at most KSR_BODIES_MOST bytes.
 * Locking and owner: one thread; a body is its owner's until it is dropped.
 * Failure: a body that is too large, or had to go, keeps nothing any more and says so.
 */
#ifndef KSR_WEBHOOK_BODIES_H
#define KSR_WEBHOOK_BODIES_H

#include "base.h"

/* A cluster takes no object above 1.5 MiB, and a review may have two of them. */
#define KSR_BODY_MOST (3u << 20)
#define KSR_BODIES_MOST (24u << 20)

struct ksr_body {
	struct ksr_body *next;
	struct ksr_body *before;
	char *text;
	size_t bytes;
	size_t room;
	bool too_large;
	bool was_dropped; /* for another one, or for want of memory */
};

/* All there are; zero is none. */
struct ksr_bodies {
	struct ksr_body *first;
	size_t room;
};

struct ksr_body *ksr_body_create(struct ksr_bodies *bodies);
void ksr_body_destroy(struct ksr_bodies *bodies, struct ksr_body *body);
void ksr_body_add(struct ksr_bodies *bodies, struct ksr_body *body, const char *text, size_t bytes);

#endif
