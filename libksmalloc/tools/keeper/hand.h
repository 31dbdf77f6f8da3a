/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hand: a process of its own that holds others, and lets them go by its end.
 *
 * What it is: the kernel detaches a tracer from everything when the tracer
 * ends, also from threads that have not come to a stop, which nothing else can
 * do. So whatever uses stop.h runs in a hand: it may give up at any moment, and
 * who waits for the hand knows afterwards that nothing is held any more.
 *
 * What it is not: where a caller keeps its state. The hand begins as a copy of
 * the caller, and what it writes is lost, but for memory that both have mapped
 * shared.
 *
 * Locking and owner: the caller has one thread, or none of the others holds a
 * lock that the work needs.
 *
 * Failure: what the work returned, or -errno of making the hand; -ECANCELED
 * where the hand was killed, also by itself (stop.h): then nothing is held either.
 */
#ifndef KSR_KEEPER_HAND_H
#define KSR_KEEPER_HAND_H

/* The work's result is 0 or -errno. */
int ksr_hand_run(int (*work)(void *data), void *data);

#endif
