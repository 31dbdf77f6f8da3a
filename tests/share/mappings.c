/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mappings SECONDS OWN: does with its own anonymous mappings what runtimes do with their heaps, at random, and checks each
 * page against what it should be, while passes are made all the time: between its calls, and from a signal handler that
 * interrupts them anywhere. What it does is equal in all workers but for one operation in so many (OWN).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"
#include "stress_loop.h"

#define AREAS	60u
#define MOST	300u /* pages of an area */
#define PAGE	4096u
#define WORDS	(PAGE / sizeof(uint64_t))
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)

enum state {
	NONE,	 /* reserved, no rights */
	ZERO,
	WRITTEN, /* with the page's key */
	GONE,	 /* unmapped */
};

struct page {
	uint8_t state;
	bool is_wiped;	  /* children read zeros */
	bool is_unforked; /* children do not have it */
	uint64_t key;
};

struct area {
	unsigned char *bytes;
	uint32_t count;
	struct page pages[MOST];
};

static struct area areas[AREAS];
static bool in_child;

/* --- what a page should be ---------------------------------------------------------------- */

static uint64_t word_of(const struct page *page, uint32_t at)
{
	return page->state == WRITTEN ? page->key + at / 8 : 0;
}

static uint64_t *words_of(const struct area *area, uint32_t number)
{
	return (uint64_t *)(void *)(area->bytes + (size_t)number * PAGE);
}

static void complain(const struct area *area, uint32_t number, uint32_t at, const char *when)
{
	printf("area %td at %p, page %u of %u, state %u: word %u is %lx, not %lx, %s%s\n", area - areas, (void *)area->bytes,
	       number, area->count, area->pages[number].state, at, (unsigned long)words_of(area, number)[at],
	       (unsigned long)word_of(&area->pages[number], at), when, in_child ? ", in a child" : "");
	fflush(stdout);
	abort();
}

static void check(const struct area *area, uint32_t begin, uint32_t end, const char *when)
{
	for (uint32_t i = begin; i < end; i++) {
		const struct page *page = &area->pages[i];

		if (page->state != ZERO && page->state != WRITTEN)
			continue;
		for (uint32_t at = 0; at < WORDS; at++) {
			if (words_of(area, i)[at] != word_of(page, at))
				complain(area, i, at, when);
		}
		stress_checked += PAGE;
	}
}

static void check_all(const char *when)
{
	for (uint32_t i = 0; i < AREAS; i++)
		check(&areas[i], 0, areas[i].count, when);
}

/* Few keys, so that much of it is equal to what the store has again. */
static void fill(struct area *area, uint32_t begin, uint32_t end)
{
	for (uint32_t i = begin; i < end; i++) {
		struct page *page = &area->pages[i];

		if (page->state != ZERO && page->state != WRITTEN)
			continue;
		page->state = WRITTEN;
		page->key = (uint64_t)(area - areas) * MOST * 8 + i * 8 + 1 + stress_draw(64) / 62;
		for (uint32_t at = 0; at < WORDS; at++)
			words_of(area, i)[at] = word_of(page, at);
	}
}

static void set(struct area *area, uint32_t begin, uint32_t end, enum state state)
{
	for (uint32_t i = begin; i < end; i++)
		area->pages[i].state = (uint8_t)state;
}

/* What is new has no advice. */
static void set_new(struct area *area, uint32_t begin, uint32_t end, enum state state)
{
	memset(&area->pages[begin], 0, (end - begin) * sizeof(struct page));
	set(area, begin, end, state);
}

static void expect(bool holds, const char *call)
{
	if (holds)
		return;
	printf("%s: %s\n", call, strerror(errno));
	fflush(stdout);
	abort();
}

/* --- calls ---------------------------------------------------------------------------------- */

static unsigned char *at(const struct area *area, uint32_t page)
{
	return area->bytes + (size_t)page * PAGE;
}

static size_t length(uint32_t begin, uint32_t end)
{
	return (size_t)(end - begin) * PAGE;
}

static bool has(const struct area *area, uint32_t begin, uint32_t end, enum state state)
{
	for (uint32_t i = begin; i < end; i++) {
		if (area->pages[i].state == state)
			return true;
	}
	return false;
}

static bool may_not_be_shared(const struct area *area, uint32_t begin, uint32_t end)
{
	for (uint32_t i = begin; i < end; i++) {
		if (area->pages[i].is_wiped)
			return true;
	}
	return false;
}

/* As PHP does, or as HotSpot and V8 do, whose chunks may be anywhere. */
static void map(struct area *area)
{
	bool reserves = stress_draw(2);
	void *hint = stress_draw(3) ? NULL : (void *)(UINT64_C(0x100000000000) + stress_draw(1u << 20) * UINT64_C(0x2000000));
	void *memory;

	area->count = 20 + stress_draw(MOST - 20);
	memory = mmap(hint, length(0, area->count), reserves ? PROT_NONE : RW, ANON | (reserves ? MAP_NORESERVE : 0), -1, 0);
	expect(memory != MAP_FAILED, "mmap");
	area->bytes = memory;
	set_new(area, 0, area->count, reserves ? NONE : ZERO);
	if (reserves && stress_draw(2)) {
		expect(madvise(area->bytes, length(0, area->count), MADV_DONTFORK) == 0, "MADV_DONTFORK");
		for (uint32_t i = 0; i < area->count; i++)
			area->pages[i].is_unforked = true;
	}
	if (!reserves)
		fill(area, 0, area->count);
}

static void commit(struct area *area, uint32_t begin, uint32_t end)
{
	if (has(area, begin, end, GONE))
		return;
	if (stress_draw(2)) {
		expect(mmap(at(area, begin), length(begin, end), RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED, "MAP_FIXED");
		set_new(area, begin, end, ZERO);
	} else {
		expect(mprotect(at(area, begin), length(begin, end), RW) == 0, "mprotect");
		for (uint32_t i = begin; i < end; i++)
			area->pages[i].state = area->pages[i].state == NONE ? ZERO : area->pages[i].state;
	}
	check(area, begin, end, "committed");
	fill(area, begin, end);
}

static void decommit(struct area *area, uint32_t begin, uint32_t end)
{
	if (has(area, begin, end, GONE))
		return;
	if (stress_draw(2)) {
		expect(mmap(at(area, begin), length(begin, end), PROT_NONE, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED,
		       "MAP_FIXED");
		set_new(area, begin, end, NONE);
	} else {
		expect(mprotect(at(area, begin), length(begin, end), PROT_NONE) == 0, "mprotect");
		expect(madvise(at(area, begin), length(begin, end), MADV_DONTNEED) == 0, "MADV_DONTNEED");
		set(area, begin, end, NONE);
	}
}

static void give_back(struct area *area, uint32_t begin, uint32_t end)
{
	bool is_lazy = stress_draw(3) == 0;

	if (has(area, begin, end, GONE) || has(area, begin, end, NONE))
		return;
	expect(madvise(at(area, begin), length(begin, end), is_lazy ? MADV_FREE : MADV_DONTNEED) == 0, "giving back");
	/* Until then either is right. */
	if (is_lazy)
		memset(at(area, begin), 0, length(begin, end));
	set(area, begin, end, ZERO);
	check(area, begin, end, "given back");
	if (stress_draw(2))
		fill(area, begin, end);
}

static void protect(struct area *area, uint32_t begin, uint32_t end)
{
	static const int rights[] = { PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, RW | PROT_EXEC };
	int chosen = rights[stress_draw(4)];

	if (has(area, begin, end, GONE) || has(area, begin, end, NONE))
		return;
	expect(mprotect(at(area, begin), length(begin, end), chosen) == 0, "mprotect");
	if (stress_draw(2))
		ksmalloc_share();
	if (chosen & PROT_READ)
		check(area, begin, end, "protected");
	/* Some of it, whatever may be done to it. */
	if (stress_draw(2)) {
		uint32_t middle = begin + (end - begin) / 2;

		expect(madvise(at(area, begin), length(begin, middle), MADV_DONTNEED) == 0 || begin == middle, "MADV_DONTNEED");
		set(area, begin, middle, ZERO);
	}
	expect(mprotect(at(area, begin), length(begin, end), RW) == 0, "mprotect");
	check(area, begin, end, "no longer protected");
}

static void resize(struct area *area)
{
	uint32_t after = 20 + stress_draw(MOST - 20), before = area->count;
	void *memory;

	/* One mapping only. */
	if (has(area, 0, before, GONE) || has(area, 0, before, NONE) || may_not_be_shared(area, 0, before))
		return;
	for (uint32_t i = 1; i < before; i++) {
		if (area->pages[i].is_unforked != area->pages[0].is_unforked)
			return;
	}
	/* What the kernel does not see as one it does not move (EFAULT); nothing has happened then. */
	memory = mremap(area->bytes, length(0, before), length(0, after), MREMAP_MAYMOVE);
	if (memory == MAP_FAILED) {
		expect(errno == EFAULT || errno == EINVAL, "mremap");
		check(area, 0, before, "not moved");
		return;
	}
	area->bytes = memory;
	area->count = after;
	for (uint32_t i = before; i < after; i++)
		area->pages[i] = (struct page){ .state = ZERO, .is_unforked = area->pages[0].is_unforked };
	check(area, 0, after, "after mremap");
	fill(area, 0, after);
}

static void unmap(struct area *area, uint32_t begin, uint32_t end)
{
	bool all = stress_draw(2);

	if (all) {
		begin = 0;
		end = area->count;
	}
	check(area, begin, end, "before munmap");
	/* What was unmapped before may be somebody else's now. */
	for (uint32_t i = begin; i < end; i++) {
		if (area->pages[i].state != GONE)
			expect(munmap(at(area, i), PAGE) == 0, "munmap");
	}
	set_new(area, begin, end, GONE);
	if (all)
		area->bytes = NULL;
}

static void advise(struct area *area, uint32_t begin, uint32_t end)
{
	static const int harmless[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE, 25 /* COLLAPSE */, MADV_WILLNEED, MADV_SEQUENTIAL,
					MADV_DONTDUMP, MADV_DODUMP, MADV_MERGEABLE, 21 /* PAGEOUT */, 20 /* COLD */ };
	uint32_t chosen = stress_draw(14);

	if (has(area, begin, end, GONE))
		return;
	if (chosen < 10) {
		madvise(at(area, begin), length(begin, end), harmless[chosen]);
	} else if (chosen == 10) {
		expect(madvise(at(area, begin), length(begin, end), MADV_REMOVE) != 0, "MADV_REMOVE was to fail");
	} else if (chosen == 11) {
		expect(mlock(at(area, begin), length(begin, end)) == 0 || has(area, begin, end, NONE), "mlock");
		expect(munlock(at(area, begin), length(begin, end)) == 0, "munlock");
	} else {
		bool off = chosen == 12;

		expect(madvise(at(area, begin), length(begin, end), off ? MADV_DONTFORK : MADV_DOFORK) == 0, "MADV_DONTFORK");
		for (uint32_t i = begin; i < end; i++)
			area->pages[i].is_unforked = off;
	}
	check(area, begin, end, "advised");
}

static void wipe(struct area *area, uint32_t begin, uint32_t end)
{
	if (has(area, begin, end, GONE))
		return;
	expect(madvise(at(area, begin), length(begin, end), MADV_WIPEONFORK) == 0, "MADV_WIPEONFORK");
	for (uint32_t i = begin; i < end; i++)
		area->pages[i].is_wiped = true;
	check(area, begin, end, "to be wiped");
}

static void operate(struct area *area)
{
	uint32_t begin, end;

	if (!area->bytes) {
		map(area);
		return;
	}
	begin = stress_draw(area->count);
	end = begin + 1 + stress_draw(area->count - begin);
	switch (stress_draw(16)) {
	case 0:
	case 1:
	case 2:
		commit(area, begin, end);
		break;
	case 3:
		decommit(area, begin, end);
		break;
	case 4:
	case 5:
		give_back(area, begin, end);
		break;
	case 6:
		protect(area, begin, end);
		break;
	case 7:
		resize(area);
		break;
	case 8:
		unmap(area, begin, end);
		break;
	case 9:
		advise(area, begin, end);
		break;
	case 10:
		if (stress_draw(8) == 0)
			wipe(area, begin, end);
		break;
	case 11:
	case 12:
		fill(area, begin, end);
		break;
	default:
		check(area, 0, area->count, "as it lay there");
	}
}

/* What a child has of it: that is its own business then. */
static void become_child(void)
{
	in_child = true;
	for (uint32_t i = 0; i < AREAS; i++) {
		for (uint32_t k = 0; areas[i].bytes && k < areas[i].count; k++) {
			struct page *page = &areas[i].pages[k];

			if (page->state == GONE)
				continue;
			if (page->is_unforked) {
				expect(msync(at(&areas[i], k), PAGE, MS_ASYNC) == -1 && errno == ENOMEM,
				       "a child has what it was not to");
				page->state = GONE;
			} else if (page->is_wiped && page->state == WRITTEN) {
				page->state = ZERO;
			}
		}
	}
}

static void fork_once(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		become_child();
		check_all("after fork");
		for (int i = 0; i < 60; i++) {
			operate(&areas[stress_draw(AREAS)]);
			if (i % 20 == 19)
				stress_pass(0);
		}
		check_all("at its end");
		_exit(0);
	}
	if (waitpid(child, &status, 0) == child && status)
		abort();
	check_all("after a child");
}

static void operate_any(void)
{
	operate(&areas[stress_draw(AREAS)]);
}

static void operate_alone(void)
{
	fill(&areas[0], 0, areas[0].bytes ? areas[0].count / 2 : 0);
}

int main(int argc, char **argv)
{
	static const struct stress_loop loop = {
		operate_any, operate_alone, fork_once, check_all,
		.per_alarm = 20, .per_pass = 100, .per_fork = 500,
	};

	return stress_run(&loop, argc, argv);
}
