/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The beginning of the table of a group's store, as far as others than its members may read it: of which they write the number of
 * requests, and nothing else. All of it may be anything: members have written it.
 *
 * The table lies beside the group's seed, and its name is KSMALLOC_STORE_TABLE and the seed's. Who writes has taken
 * flock(2) on it, and has found the magic there. requests is a number that is made one larger to ask all members for a
 * whole pass; they look at it when they look whether the store has changed, every 8 seconds at the latest where they
 * run or wait in a call that libksmalloc-share.so can wake, and say in their segments (ksmalloc/segment.h) which request
 * they have followed.
 */
#ifndef KSMALLOC_STORE_H
#define KSMALLOC_STORE_H

#include <ksmalloc/segment.h>
#include <stdbool.h>
#include <stdint.h>

#define KSMALLOC_STORE_MAGIC UINT64_C(0x31534d534b53544f)
#define KSMALLOC_STORE_TABLE "store."

struct ksmalloc_store_head {
	uint64_t magic;
	uint64_t id;	      /* of the group's layout */
	uint64_t generation;  /* grows with each file */
	uint64_t lease_until; /* milliseconds of the machine's clock */
	uint32_t lease_pid;
	uint32_t over_holes; /* generation when a member has said last that it made files larger than what was published */
	uint64_t requests;
	uint64_t room[2];
};

/* --- the files of the store, behind the head ---------------------------------------------- */

#define KSMALLOC_STORE_HOLDERS 7u

/* A process, by its own namespace's number, that has the file open. pid 0: none. */
struct ksmalloc_store_holder {
	uint32_t pid;
	uint32_t descriptor;
};

struct ksmalloc_store_record {
	uint64_t inode; /* 0: none */
	struct ksmalloc_store_holder holders[KSMALLOC_STORE_HOLDERS];
};

/*
 * What is seen of a file. It came later than the records, and lies behind them, where members of older versions neither
 * look nor write: of a file of theirs there is none, or one with another inode.
 */
struct ksmalloc_store_sight {
	uint64_t inode;				/* of the file that it is about */
	uint32_t seen[KSMALLOC_STORE_HOLDERS];	/* by the record's holders: KSMALLOC_STORE_SAID, their number's last bits, pages */
	uint32_t most;				/* pages that one of them has seen at a time */
	uint32_t generation;			/* of the table, when the file was published */
	uint32_t given_up;			/* the same, when it was given up; 0: it is not */
};

/* In seen: the holder has said how many pages it sees; below, the pages. */
#define KSMALLOC_STORE_SAID	  (UINT32_C(1) << 31)
#define KSMALLOC_STORE_PAGES_BITS 20u
#define KSMALLOC_STORE_PAGES_MASK ((UINT32_C(1) << KSMALLOC_STORE_PAGES_BITS) - 1)

/* What a holder with this number says in seen, but for the pages. */
static inline uint32_t ksmalloc_store_said_by(uint32_t pid)
{
	return KSMALLOC_STORE_SAID | (pid << KSMALLOC_STORE_PAGES_BITS & ~KSMALLOC_STORE_SAID);
}

/* What lies at the beginning of the table. */
struct ksmalloc_store_list {
	struct ksmalloc_store_head first;
	struct ksmalloc_store_record files[KSMALLOC_MAX_STORE_FILES];
	struct ksmalloc_store_sight sights[KSMALLOC_MAX_STORE_FILES];
};

#define KSMALLOC_STORE_PAGE	 UINT64_C(4096)
#define KSMALLOC_STORE_LEFT_PART 64u

/* True if who sees so many of a file's pages leaves it when it is given up: not where that is nearly all. */
static inline bool ksmalloc_store_is_left(uint64_t pages, uint64_t seen)
{
	return seen * KSMALLOC_STORE_LEFT_PART <= pages * (KSMALLOC_STORE_LEFT_PART - 1);
}

#endif
