/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every test program shares: checks, skips, and what a process can learn
 * about its own memory from /proc and from its own statistics segment.
 *
 * What it is not: a framework. A test is a program with one property, and its
 * exit code says what happened: 0 it holds, 77 it cannot be tried here, else it
 * does not hold. Nothing here decides whether the library is loaded: a test of
 * placement fails without it, and tests/lint/tests-can-fail relies on that.
 */
#ifndef KSM_TEST_H
#define KSM_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <malloc.h>

#include <ksmalloc/ksmalloc.h>
#include <ksmalloc/segment.h>

#define TEST_PAGE	((size_t)4096)
#define TEST_KIB	((size_t)1024)
#define TEST_MIB	((size_t)1024 * 1024)
#define TEST_SKIP	77
/* Mappings that a process gains once by its first placed block: the segment and bookkeeping. */
#define TEST_PROCESS_VMAS ((size_t)12)

#define TEST_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define TEST_NOINLINE	__attribute__((noinline, noipa))
#define TEST_NORETURN	__attribute__((noreturn))
#define TEST_PRINTF(f, a) __attribute__((format(printf, f, a)))

#ifdef __cplusplus
extern "C" {
#endif

TEST_NORETURN void test_fail(const char *file, int line, const char *format, ...) TEST_PRINTF(3, 4);
TEST_NORETURN void test_skip(const char *format, ...) TEST_PRINTF(1, 2);

#define CHECK(condition)								\
	do {										\
		if (!(condition))							\
			test_fail(__FILE__, __LINE__, "not true: %s", #condition);	\
	} while (0)

#define CHECK_MSG(condition, ...)							\
	do {										\
		if (!(condition))							\
			test_fail(__FILE__, __LINE__, __VA_ARGS__);			\
	} while (0)

/* The number that a line of the file has in this format of scanf(3), the first such line; -1 if there is none. */
long test_field(const char *path, const char *format);

/* One mapping as /proc/self/smaps shows it. */
struct test_vma {
	uintptr_t begin;
	uintptr_t end;
	char perms[8];
	char flags[160];	/* the line VmFlags, with a space before and after each flag */
	char name[256];
	size_t rss_bytes;
	size_t merged_bytes;	/* the line KSM */
	uint64_t hint;		/* the line KsmHint of a kernel that takes hints, else 0 */
};

/* Number of mappings of this process. */
size_t test_vma_count(void);

/* Number of mappings that carry the flag, for example "mg". */
size_t test_vma_count_flag(const char *flag);

/* The mapping that holds the address; the test fails if there is none. */
struct test_vma test_vma_of(const void *address);

/* Does this kernel take hints, as the patched one does? */
bool test_takes_hints(void);

/* Has the mapping that holds the address this flag? */
bool test_has_flag(const void *address, const char *flag);

/* Resident memory of this process, exact (smaps_rollup, not the sloppy statm). */
size_t test_rss_bytes(void);

/* This process's segment, or NULL while it has none. */
const struct ksmalloc_segment_header *test_segment(void);

/* Slot and site of a placed block, or NULL if it is not in a site's slot. */
const struct ksmalloc_segment_slot *test_slot_of(const void *block);
const struct ksmalloc_segment_site *test_site_of(const void *block);

/* The site's statistics with what its threads have counted for themselves. */
struct ksmalloc_site_stats test_stats_of(const struct ksmalloc_segment_site *site);

/* Does the block lie in a slot that belongs to one site? */
bool test_is_placed(const void *block);

/* Fills and checks a pattern that depends on seed and on each byte's place. */
void test_fill(void *block, size_t size, uint64_t seed);
bool test_matches(const void *block, size_t size, uint64_t seed);

/* Is every byte of the range zero? */
bool test_is_zero(const void *block, size_t size);

/* The bytes between the block's end and the end of its last page are zero. */
bool test_tail_is_zero(const void *block, size_t size);

/* A small generator with a state of the caller's, equal in every run. */
uint64_t test_random(uint64_t *state);

/*
 * Gives back its argument in a way that the compiler cannot see through. A loop that starts at
 * test_opaque(0) is not split into copies, whose calls would be different sites.
 */
size_t test_opaque(size_t value);

/*
 * How many times as slow is this machine as its kind is? KSM_TEST_SLOWER says so where it is emulated, else it is 1. There limits are
 * so many times as long, and what is done for long so many times shorter.
 */
unsigned int test_slower(void);

/* From now on the process may have so many bytes of address space more than it has (RLIMIT_AS). */
void test_limit_memory(size_t bytes);

/* Runs "/proc/self/exe argument..." with this environment; its standard output goes to buffer. */
int test_run_self(const char *const argv[], char *buffer, size_t size);

/*
 * Allocates count blocks of one size from one call site. The result depends on
 * the caller too, since a site is the whole stack: two calls of this function
 * from two lines are two sites, and a loop around one call is one.
 */
void test_alloc_many(void **blocks, size_t count, size_t size);
void test_free_many(void **blocks, size_t count);
/* The id of the site that blocks of 64 KiB get now where this is called, or of the label that holds; 0: none. */
uint64_t test_current_site(void);

#ifdef __cplusplus
}
#endif

/*
 * A program that gets the library from LD_PRELOAD is linked without it, so that its names are
 * found when it starts.
 */
#ifdef KSM_TEST_PRELOADED
#pragma weak ksmalloc_version
#pragma weak ksmalloc_malloc
#pragma weak ksmalloc_label_begin
#pragma weak ksmalloc_label_end
#pragma weak ksmalloc_label_id
#pragma weak ksmalloc_label_begin_id
#pragma weak ksmalloc_arena_reserve
#pragma weak ksmalloc_arena_resize
#pragma weak ksmalloc_arena_set_live
#pragma weak ksmalloc_arena_release
#pragma weak ksmalloc_malloc_mergeable
#pragma weak ksmalloc_malloc_private
#pragma weak ksmalloc_settled
#pragma weak ksmalloc_merge_now
#pragma weak free_sized
#pragma weak free_aligned_sized
#endif

/* The same tests, on the calls with a prefix: what sanitizers can be built with. */
#ifdef KSM_TEST_PREFIXED
#define malloc		ksmalloc_malloc
#define calloc		ksmalloc_calloc
#define realloc		ksmalloc_realloc
#define reallocarray	ksmalloc_reallocarray
#define free		ksmalloc_free
#define aligned_alloc	ksmalloc_aligned_alloc
#define posix_memalign	ksmalloc_posix_memalign
#define malloc_usable_size(block) ksmalloc_usable_size(block)
#define malloc_trim(pad) ((void)(pad), ksmalloc_trim())
#endif

#endif
