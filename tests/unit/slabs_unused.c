/* SPDX-License-Identifier: BSD-2-Clause */
/* What pages without an object give back: all of them, nothing of an object, and no place of a later one changes. */
#include "slabs.h"

#include "unused.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRIDE	(256 * KSM_MIB)
#define STREAMS 4u
#define LIVE	20000u
#define PAGE	4096u

#include "source.h"

static unsigned int among(unsigned int of, unsigned int count)
{
	(void)count;
	return of;
}

static struct ksp_source source;

static void start(void)
{
	source = (struct ksp_source){ .memory = make_source() };
	ksp_start(&source);
}

TestSuite(slabs_unused, .init = start, .timeout = KSM_CASE_SECONDS);

static struct {
	unsigned char *p;
	size_t size;
	unsigned char byte;
} live[LIVE];

static uint64_t state = 7;

static uint32_t draw(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((state >> 33) % below);
}

static void *make(size_t size)
{
	void *p = size <= KSP_FINE ? ksp_try_alloc(size) : NULL;

	return p ? p : ksp_alloc_slowly(ksp_class(size));
}

static void fill(uint32_t i)
{
	live[i].size = 1 + draw(draw(4) ? 200 : KSP_LARGEST);
	live[i].byte = (unsigned char)(1 + draw(255));
	live[i].p = make(live[i].size);
	cr_assert(live[i].p);
	memset(live[i].p, live[i].byte, live[i].size);
}

static void drop(uint32_t i)
{
	if (live[i].p)
		ksp_free(live[i].p);
	live[i].p = NULL;
}

static void check(void)
{
	for (uint32_t i = 0; i < LIVE; i++) {
		for (size_t b = 0; live[i].p && b < live[i].size; b++)
			cr_assert_eq(live[i].p[b], live[i].byte, "object %u of %zu bytes, byte %zu", i, live[i].size, b);
	}
}

/* Fills all and leaves one of so many; with both there are full, sparse and empty slabs, and mixed ones in two streams. */
static void use(uint32_t one_of)
{
	for (uint32_t i = 0; i < LIVE; i++) {
		stream = i / (LIVE / 2);
		if (i % (LIVE / 2) == 0)
			ksp_moved();
		drop(i);
		fill(i);
	}
	for (uint32_t i = 0; i < LIVE; i++) {
		if (draw(one_of))
			drop(i);
	}
}

static bool is_resident(const char *page)
{
	unsigned char is = 0;

	cr_assert_eq(mincore((void *)(uintptr_t)page, PAGE, &is), 0);
	return is & 1;
}

static char has_object[STREAMS * STRIDE / PAGE];

static void note_objects(void)
{
	memset(has_object, 0, sizeof(has_object));
	for (uint32_t i = 0; i < LIVE; i++) {
		/* An object has all of its place. */
		for (size_t b = 0; live[i].p && b < ksp_size(live[i].p); b += KSP_GRAIN)
			has_object[(size_t)((char *)live[i].p - memory + b) / PAGE] = 1;
	}
}

/* Pages that are there and have no object, but for those that headers lie in. */
static size_t count_unused(void)
{
	size_t count = 0;

	note_objects();
	for (uint32_t of = 0; of < 2; of++) {
		for (size_t offset = of * STRIDE; offset < of * STRIDE + taken[of]; offset += PAGE) {
			if (offset % KSP_SLAB && !has_object[offset / PAGE] && is_resident(memory + offset))
				count++;
		}
	}
	return count;
}

Test(slabs_unused, only_pages_without_an_object_go_and_all_of_them)
{
	for (uint32_t one_of = 2; one_of <= 512; one_of *= 4) {
		use(one_of);
		cr_assert(one_of < 32 || count_unused() > 100);
		ksp_unused_give_back(give_back);
		cr_assert_eq(count_unused(), 0, "one of %u", one_of);
		check();
	}
}

/* The same objects are made and freed, with pages given back now and then or never. */
static uint64_t places(bool gives_back)
{
	uint64_t sum = 0;

	for (uint32_t turn = 0; turn < 200000; turn++) {
		uint32_t i = draw(LIVE);

		drop(i);
		if (draw(10) < 5)
			fill(i);
		sum = 31 * sum + (uintptr_t)live[i].p;
		if (gives_back && turn % 10000 == 0)
			ksp_unused_give_back(give_back);
	}
	check();
	return sum;
}

Test(slabs_unused, places_of_later_objects_do_not_change)
{
	uint64_t *sums = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(sums, MAP_FAILED);
	use(4);
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child == 0) {
			sums[i] = places(i);
			_exit(0);
		}
		cr_assert_eq(waitpid(child, NULL, 0), child);
	}
	cr_assert_neq(sums[0], 0);
	cr_assert_eq(sums[0], sums[1]);
}
