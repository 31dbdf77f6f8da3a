/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * personality: may addresses be fixed here, as the shared layout needs it?
 *
 * What it is: personality(2), for those that ask and for the one that does it.
 * What it is not: the rest of the layout (run/layout.h).
 * Invariants: who asks is not changed: a child does it for them.
 * Locking and owner: it is of the process.
 * Failure: an errno, positive.
 */
#ifndef KSR_PERSONALITY_H
#define KSR_PERSONALITY_H

/* What is executed next has its addresses where the kernel puts them without chance. 0, or an errno. */
int ksr_personality_fix(void);
/* Why personality(2) refuses that: 0, or an errno. Asked in a child. */
int ksr_personality_try(void);

#endif
