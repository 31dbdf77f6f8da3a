/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The beginning of the table of a group's store, as far as others than its members may read and write it.
 *
 * The table lies beside the group's seed, and its name is KSMALLOC_STORE_TABLE and the seed's. Who writes has taken
 * flock(2) on it, and has found the magic there. requests is a number that is made one larger to ask all members for a
 * whole pass; they look at it when they look whether the store has changed, every 8 seconds at the latest where they
 * run or wait in a call that libksmalloc-share.so can wake, and say in their segments (ksmalloc/segment.h) which request
 * they have followed.
 */
#ifndef KSMALLOC_STORE_H
#define KSMALLOC_STORE_H

#include <stdint.h>

#define KSMALLOC_STORE_MAGIC UINT64_C(0x31534d534b53544f)
#define KSMALLOC_STORE_TABLE "store."

struct ksmalloc_store_head {
	uint64_t magic;
	uint64_t id;	      /* of the group's layout */
	uint64_t generation;  /* grows with each file */
	uint64_t lease_until; /* milliseconds of the machine's clock */
	uint32_t lease_pid;
	uint32_t reserved;
	uint64_t requests;
	uint64_t room[2];
};

#endif
