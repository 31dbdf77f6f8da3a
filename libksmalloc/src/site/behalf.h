/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * behalf: which script has made the program map most of late?
 *
 * What it is: a few stacks of scripts with what was mapped for them, of which the heaviest stay (Misra and Gries), so that what an
 * engine does later (task.h) is not said to be of whoever came last. What was mapped longer ago counts less.
 * What it is not: a sum: what many others have mapped is taken off.
 *
 * Locking: none; a thread has its own. Failure: none.
 */
#ifndef KSM_BEHALF_H
#define KSM_BEHALF_H

#include "base.h"

#define KSM_BEHALF_FRAMES 8u
#define KSM_BEHALF_STACKS 4u

struct ksm_behalf {
	uint64_t since; /* bytes since all of them were halved */
	struct ksm_behalf_of {
		uint64_t bytes; /* 0: it is free */
		uint32_t count;
		uintptr_t frames[KSM_BEHALF_FRAMES];
	} list[KSM_BEHALF_STACKS];
};

/* So much was mapped for these frames, of which the first ones are kept. */
void ksm_behalf_add(struct ksm_behalf *behalf, const uintptr_t *frames, uint32_t count, uint64_t bytes);

/* Whose most is; NULL: of nobody so far. */
const struct ksm_behalf_of *ksm_behalf_most(const struct ksm_behalf *behalf);

#endif
