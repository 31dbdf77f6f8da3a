/* SPDX-License-Identifier: BSD-2-Clause */
/* A store of its own for each test, files in it, and other members, of which each lives as long as a test wants. */
#ifndef UNIT_STORE_MEMBERS_H
#define UNIT_STORE_MEMBERS_H

#include "store/sight.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 500u

static unsigned char *memory;
static char folder[] = "/tmp/sight.XXXXXX";
static struct ksm_store store;

static inline void setup(void)
{
	char *reserved = mmap(NULL, 3 * KSM_SHARE_SLICE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memory = (unsigned char *)ksm_align_up((uintptr_t)reserved, KSM_SHARE_SLICE);
	memset(memory, 5, 2 * KSM_SHARE_SLICE);
	cr_assert_neq(mkdtemp(folder), NULL);
	snprintf(store.path, sizeof(store.path), "%s/table", folder);
	store.id = 42;
	store.bytes = 2 * KSM_SHARE_SLICE;
	cr_assert_eq(ksm_store_init(&store), 0);
}

static inline void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

static inline int publish(void)
{
	const struct ksm_share_slice slice = { .address = (uintptr_t)memory };
	struct ksm_share_set pages = { 0 };

	ksm_share_add_range(&pages, (uintptr_t)memory, (uintptr_t)memory, (uintptr_t)memory + PAGES * KSM_PAGE);
	if (!ksm_store_may_publish(&store) || ksm_store_add(&store, &slice, &pages))
		return -1;
	return ksm_store_publish(&store);
}

/* Of two slices: so large that little of it is many pages. */
static inline int publish_more(void)
{
	struct ksm_share_slice slice = { .address = (uintptr_t)memory };
	struct ksm_share_set pages = { 0 };

	ksm_share_add_range(&pages, (uintptr_t)memory, (uintptr_t)memory, (uintptr_t)memory + PAGES * KSM_PAGE);
	for (int i = 0; i < 2; i++, slice.address += KSM_SHARE_SLICE, slice.place += KSM_SHARE_SLICE) {
		if (!ksm_store_may_publish(&store) || ksm_store_add(&store, &slice, &pages))
			return -1;
	}
	return ksm_store_publish(&store);
}

/* Of the first file; of others nothing is known. */
static inline int say_alike(uint32_t pages, const uint32_t *alike)
{
	uint32_t seen[KSM_STORE_FILES];

	memset(seen, 0xff, sizeof(seen));
	seen[0] = pages;
	return ksm_store_note_seen(&store, seen, alike);
}

static inline int say(uint32_t pages)
{
	return say_alike(pages, NULL);
}

/* In a member that rests, with so many pages that it has copied, and another one has alike. */
static inline int say_resting(uint32_t pages, uint32_t alike)
{
	const uint32_t all[KSM_STORE_FILES] = { alike };

	return say_alike(pages, all);
}

/* Another member, which lives as long as the test: what it has said counts. */
struct member {
	pid_t pid;
	int end;
};

static inline struct member begin_member(uint32_t first, uint32_t then)
{
	int ready[2], end[2];
	char byte = 0;
	struct member member;

	cr_assert_eq(pipe(ready) | pipe(end), 0);
	ksm_store_leave(&store);
	member.pid = fork();
	if (member.pid == 0) {
		close(end[1]);
		if (ksm_store_enter(&store) || say(first) < 0 || say(then) < 0)
			byte = 1;
		ksm_store_leave(&store);
		if (write(ready[1], &byte, 1) != 1 || read(end[0], &byte, 1) != 0)
			_exit(1);
		_exit(0);
	}
	close(end[0]);
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(byte, 0);
	close(ready[0]);
	member.end = end[1];
	cr_assert_eq(ksm_store_enter(&store), 0);
	return member;
}

static inline void end_member(struct member member)
{
	close(member.end);
	cr_assert_eq(waitpid(member.pid, NULL, 0), member.pid);
}

static inline void begin(void)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(publish(), 0);
	cr_assert_eq(say(PAGES), 0);
}

#endif
