/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An arena grows by zeros and shrinks at its end, at random, as a model has it; reports are told what it holds; what was
 * reserved and is not memory cannot be touched.
 */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>

#define PAGES 4096u
#define STEPS 3000

static unsigned char model[PAGES]; /* the number that the page was filled with; 0: not since it is memory */

static void check(const unsigned char *arena, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		const unsigned char *page = arena + i * TEST_PAGE;

		CHECK(page[0] == model[i] && page[TEST_PAGE - 1] == model[i]);
	}
}

static void at_random(unsigned char *arena)
{
	const struct ksmalloc_segment_site *site;
	uint64_t state = 42;
	size_t pages = 0;

	for (int step = 0; step < STEPS; step++) {
		/* Small steps, and now and then another size. */
		uint64_t drawn = test_random(&state);
		size_t next = drawn % 8 ? (pages + drawn / 8 % 33 + PAGES - 16) % PAGES : drawn / 8 % (PAGES + 1);

		CHECK(ksmalloc_arena_resize(arena, next * TEST_PAGE - (next ? drawn % 4000 : 0)) == 0);
		for (size_t i = pages; i < next; i++)
			model[i] = 0;
		pages = next;
		for (size_t i = 0; i < 8 && pages; i++) {
			size_t at = test_random(&state) % pages;

			model[at] = (unsigned char)(1 + step % 255);
			memset(arena + at * TEST_PAGE, model[at], TEST_PAGE);
		}
		if (step % 64 == 0)
			check(arena, pages);
	}
	check(arena, pages);
	CHECK(ksmalloc_arena_resize(arena, 64 * TEST_KIB) == 0);
	site = test_site_of(arena);
	CHECK(site && site->stats.slot_bytes == 64 * TEST_KIB && site->stats.placed_bytes == 64 * TEST_KIB);
}

/* The last signal of a child that writes to the byte, 0 if it may. */
static int touched(unsigned char *byte)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		/* A sanitizer has a handler for it. */
		signal(SIGSEGV, SIG_DFL);
		*(volatile unsigned char *)byte = 1;
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void borders(unsigned char *arena, size_t reserved)
{
	CHECK(ksmalloc_arena_resize(arena, TEST_PAGE) == 0);
	CHECK(touched(arena + TEST_PAGE - 1) == 0);
	CHECK(touched(arena + TEST_PAGE) == SIGSEGV);
	CHECK(touched(arena + reserved - 1) == SIGSEGV);
	CHECK(ksmalloc_arena_resize(arena, reserved) == 0);
	CHECK(touched(arena + reserved - 1) == 0);
	CHECK(touched(arena + reserved) == SIGSEGV);
	CHECK(ksmalloc_arena_resize(arena, reserved + 1) == -ENOSPC);
	CHECK(ksmalloc_arena_resize(arena, SIZE_MAX) == -ENOSPC);
	CHECK(touched(arena + reserved - 1) == 0);
	CHECK(test_vma_of(arena).end - test_vma_of(arena).begin == reserved);
}

static void live(unsigned char *arena)
{
	const struct ksmalloc_segment_site *site = test_site_of(arena);

	CHECK(ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	CHECK(test_stats_of(site).live_bytes == TEST_MIB);
	ksmalloc_arena_set_live(arena, 12345);
	CHECK(test_stats_of(site).live_bytes == 12345);
	CHECK(ksmalloc_arena_resize(arena, 2 * TEST_MIB) == 0);
	CHECK(test_stats_of(site).live_bytes == 12345 && test_stats_of(site).placed_bytes == 2 * TEST_MIB);
	ksmalloc_arena_set_live(arena, SIZE_MAX);
	CHECK(test_stats_of(site).live_bytes == 2 * TEST_MIB);
	CHECK(ksmalloc_arena_resize(arena, 0) == 0);
	CHECK(test_stats_of(site).live_bytes == 0 && test_stats_of(site).peak_bytes >= PAGES * TEST_PAGE);
}

int main(void)
{
	const struct ksmalloc_segment_site *site;
	size_t reserved = PAGES * TEST_PAGE;
	void *arena, *other;
	size_t before;

	CHECK(ksmalloc_arena_reserve(NULL, 1, 0, &arena) == -EINVAL);
	CHECK(ksmalloc_arena_reserve("", 1, 0, &arena) == -EINVAL);
	CHECK(ksmalloc_arena_reserve("heap", 0, 0, &arena) == -EINVAL);
	CHECK(ksmalloc_arena_reserve("heap", 1, 8, &arena) == -EINVAL);
	CHECK(ksmalloc_arena_reserve("heap", SIZE_MAX, 0, &arena) == -ENOMEM);
	CHECK(ksmalloc_arena_reserve("other", 1, 0, &other) == 0);
	/* What the library needs to say whose memory is, of arenas and of small blocks, it has from now on. */
	CHECK(ksmalloc_arena_resize(other, 1) == 0 && ksmalloc_arena_resize(other, 0) == 0);
	for (int i = 0; i < 4096; i++) {
		void *volatile block = malloc(1024);

		free(block);
	}
	before = test_vma_count();
	CHECK(ksmalloc_arena_reserve("heap", reserved, 0, &arena) == 0);
	CHECK((uintptr_t)arena % (2 * TEST_MIB) == 0);
	at_random(arena);
	/* What is memory and what is not: it does not fall to pieces. */
	CHECK(test_vma_count() <= before + 2);
	CHECK(test_has_flag(arena, "mg"));
	CHECK(!test_has_flag((char *)arena + reserved - 1, "mg"));
	borders(arena, reserved);
	live(arena);

	CHECK(ksmalloc_arena_resize(arena, reserved) == 0);
	site = test_site_of(arena);
	CHECK(strcmp((const char *)test_segment() + test_segment()->strings.offset + site->label_string, "heap") == 0);
	memset(arena, 1, reserved);
	before = test_rss_bytes();
	CHECK(ksmalloc_arena_resize(arena, reserved / 2) == 0);
	CHECK(test_rss_bytes() + reserved / 2 <= before + 256 * TEST_KIB);
	CHECK(ksmalloc_arena_release(arena) == 0);
	CHECK(test_stats_of(site).live_bytes == 0 && test_stats_of(site).slot_bytes == 0);
	CHECK(test_rss_bytes() + reserved <= before + 256 * TEST_KIB);
	/* The same again has the same place, and is zeros. */
	CHECK(ksmalloc_arena_reserve("heap", reserved, 0, &other) == 0);
	CHECK(other == arena);
	CHECK(ksmalloc_arena_resize(arena, reserved) == 0);
	CHECK(test_is_zero(arena, reserved));
	return 0;
}
