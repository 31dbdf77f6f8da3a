/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory is divided by marks so that the parts add up to it: by marks as a library writes them, and by any others.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "join/owners.h"

#define PAGE UINT64_C(4096)
#define MOST 4096u
#define ORIGINS 5u

/* A snapshot of marks alone. */
struct fake {
	struct ksmalloc_segment_header header;
	struct ksmalloc_segment_origin origins[ORIGINS];
	struct ksmalloc_segment_mark marks[MOST];
};

static struct ksr_snapshot snapshot_of(struct fake *fake, uint32_t marks)
{
	struct ksr_snapshot snapshot = {.data = (unsigned char *)fake};

	fake->header.origins = (struct ksmalloc_segment_table){.offset = offsetof(struct fake, origins),
							       .stride = sizeof(fake->origins[0]),
							       .capacity = ORIGINS, .count = ORIGINS};
	fake->header.marks = (struct ksmalloc_segment_table){.offset = offsetof(struct fake, marks),
							     .stride = sizeof(fake->marks[0]),
							     .capacity = MOST, .count = marks};
	snapshot.header = fake->header;
	return snapshot;
}

/* What jemalloc says that it keeps, and what of it divide() found. Each test is a process. */
static uint64_t told_kept;
static struct ksr_memory found_kept;

static struct ksr_memory divide(struct fake *fake, uint32_t marks, const struct ksr_vma *vmas, size_t vma_count,
				struct ksr_memory owned[ORIGINS], struct ksr_memory left[KSR_PART_COUNT])
{
	struct ksr_snapshot snapshot = snapshot_of(fake, marks);
	const struct ksr_fs fs = {.root_fd = -1};
	struct ksr_own_memory own = {0};
	struct ksr_memory nursery = {0};
	struct ksr_memory all = {0};
	struct ksr_owners owners;

	memset(left, 0, KSR_PART_COUNT * sizeof(left[0]));
	cr_assert_eq(ksr_owners_create(&owners, &fs, &snapshot), 0);
	owners.marks.kept = told_kept;
	for (size_t i = 0; i < vma_count; i++) {
		struct ksr_memory memory;

		ksr_memory_from_vma(&vmas[i], &memory);
		ksr_memory_add(&all, &memory);
		ksr_owners_add_mapping(&owners, &vmas[i], &memory, &own);
	}
	ksr_owners_finish(&owners, &own, left, &nursery);
	found_kept = owners.kept;
	for (uint32_t i = 0; i < ORIGINS; i++) {
		owned[i] = (struct ksr_memory){0};
		for (size_t k = 0; k < KSR_PART_COUNT; k++)
			ksr_memory_add(&owned[i], &owners.origins[i].parts[k]);
	}
	ksr_owners_destroy(&owners);
	return all;
}

static struct fake fake;

Test(owners, test_mappings_and_samples_are_divided)
{
	const struct ksr_vma vmas[] = {
		{.begin = 100 * PAGE, .end = 200 * PAGE, .rss = 100 * PAGE, .anonymous = 100 * PAGE},
		{.begin = 300 * PAGE, .end = 400 * PAGE, .rss = 80 * PAGE, .anonymous = 80 * PAGE},
	};
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];

	fake.marks[0] = (struct ksmalloc_segment_mark){.address = 100 * PAGE, .bytes = 50 * PAGE, .weight = 50 * PAGE,
		.origin = 1, .kind = KSMALLOC_MARK_MAPPING};
	fake.marks[1] = (struct ksmalloc_segment_mark){.address = 160 * PAGE, .bytes = 10 * PAGE, .weight = 10 * PAGE,
		.origin = 2, .kind = KSMALLOC_MARK_MAPPING};
	fake.marks[2] = (struct ksmalloc_segment_mark){.address = 300 * PAGE, .bytes = 100 * PAGE, .weight = 100 * PAGE,
		.origin = 0, .kind = KSMALLOC_MARK_HEAP};
	fake.marks[3] = (struct ksmalloc_segment_mark){.address = 900 * PAGE, .bytes = 64, .weight = 45 * PAGE,
		.origin = 3, .kind = KSMALLOC_MARK_SMALL};
	fake.marks[4] = (struct ksmalloc_segment_mark){.address = 900 * PAGE + 64, .bytes = 64, .weight = 15 * PAGE,
		.origin = 4, .kind = KSMALLOC_MARK_SMALL};
	divide(&fake, 5, vmas, 2, owned, left);
	cr_assert_eq(owned[1].resident, 50 * PAGE);
	cr_assert_eq(owned[2].resident, 10 * PAGE);
	cr_assert_eq(owned[3].resident, 60 * PAGE);
	cr_assert_eq(owned[4].resident, 20 * PAGE);
	cr_assert_eq(left[KSR_PART_OTHERS].resident, 40 * PAGE);
	cr_assert_eq(left[KSR_PART_HEAP].resident, 0);
}

/* A mapping in which the program cuts memory up for others, and makes stacks: what lies around these is still the mapping's. */
Test(owners, test_marks_that_lie_in_others_leave_these_their_rest)
{
	const struct ksr_vma vmas[] = {
		{.begin = 100 * PAGE, .end = 155 * PAGE, .rss = 55 * PAGE, .anonymous = 55 * PAGE},
		{.begin = 155 * PAGE, .end = 220 * PAGE, .rss = 65 * PAGE, .anonymous = 65 * PAGE},
	};
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];

	fake.marks[0] = (struct ksmalloc_segment_mark){100 * PAGE, 100 * PAGE, 100 * PAGE, 1, KSMALLOC_MARK_MAPPING, 0};
	fake.marks[1] = (struct ksmalloc_segment_mark){100 * PAGE, 20 * PAGE, 20 * PAGE, 2, KSMALLOC_MARK_POOL, 0};
	fake.marks[2] = (struct ksmalloc_segment_mark){130 * PAGE, 40 * PAGE, 40 * PAGE, 2, KSMALLOC_MARK_POOL, 0};
	fake.marks[3] = (struct ksmalloc_segment_mark){140 * PAGE, 10 * PAGE, 10 * PAGE, 3, KSMALLOC_MARK_STACK, 0};
	/* It begins in what ends before it does. */
	fake.marks[4] = (struct ksmalloc_segment_mark){190 * PAGE, 20 * PAGE, 20 * PAGE, 4, KSMALLOC_MARK_POOL, 0};
	divide(&fake, 5, vmas, 2, owned, left);
	cr_assert_eq(owned[1].resident, 30 * PAGE);
	cr_assert_eq(owned[2].resident, 50 * PAGE);
	cr_assert_eq(owned[3].resident, 10 * PAGE);
	cr_assert_eq(owned[4].resident, 20 * PAGE);
	cr_assert_eq(left[KSR_PART_OTHERS].resident, 10 * PAGE);
}

static const struct ksr_vma heap_of_100_pages = {.begin = 300 * PAGE, .end = 400 * PAGE, .rss = 100 * PAGE, .anonymous = 100 * PAGE};

/* Samples of a few bytes do not say whose a large heap is. */
Test(owners, test_samples_have_at_most_twice_what_they_stand_for)
{
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];

	fake.marks[0] = (struct ksmalloc_segment_mark){.address = 300 * PAGE, .bytes = 100 * PAGE, .weight = 100 * PAGE,
		.origin = 0, .kind = KSMALLOC_MARK_HEAP};
	fake.marks[1] = (struct ksmalloc_segment_mark){.address = 900 * PAGE, .bytes = 64, .weight = 10 * PAGE,
		.origin = 3, .kind = KSMALLOC_MARK_SMALL};
	divide(&fake, 2, &heap_of_100_pages, 1, owned, left);
	cr_assert_eq(owned[3].resident, 20 * PAGE);
	cr_assert_eq(left[KSR_PART_HEAP].resident, 80 * PAGE);
}

/* For whom jemalloc's memory was taken says where his is; the samples say how much that is. */
Test(owners, test_pieces_of_the_heap_are_whose_samples_say_and_their_own_first)
{
	const struct ksr_vma vmas[] = {
		{.begin = 300 * PAGE, .end = 340 * PAGE, .rss = 40 * PAGE, .anonymous = 40 * PAGE, .ksm = 40 * PAGE},
		{.begin = 340 * PAGE, .end = 400 * PAGE, .rss = 60 * PAGE, .anonymous = 60 * PAGE},
	};
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];
	struct ksr_memory all;

	fake.marks[0] = (struct ksmalloc_segment_mark){300 * PAGE, 40 * PAGE, 40 * PAGE, 3, KSMALLOC_MARK_HEAP, 0};
	fake.marks[1] = (struct ksmalloc_segment_mark){340 * PAGE, 30 * PAGE, 30 * PAGE, 4, KSMALLOC_MARK_HEAP, 0};
	fake.marks[2] = (struct ksmalloc_segment_mark){370 * PAGE, 30 * PAGE, 30 * PAGE, 2, KSMALLOC_MARK_HEAP, 0};
	fake.marks[3] = (struct ksmalloc_segment_mark){350 * PAGE, 64, 30 * PAGE, 3, KSMALLOC_MARK_SMALL, 0};
	fake.marks[4] = (struct ksmalloc_segment_mark){351 * PAGE, 64, 50 * PAGE, 4, KSMALLOC_MARK_SMALL, 0};
	fake.marks[5] = (struct ksmalloc_segment_mark){352 * PAGE, 64, 20 * PAGE, 1, KSMALLOC_MARK_SMALL, 0};
	all = divide(&fake, 6, vmas, 2, owned, left);
	cr_assert_eq(all.resident, 100 * PAGE);
	cr_assert_eq(owned[3].resident, 30 * PAGE);
	cr_assert_eq(owned[3].merged, 30 * PAGE, "not of its own pieces, which are merged");
	cr_assert_eq(owned[4].resident, 50 * PAGE);
	/* What origin 3 has not, and all that was taken for origin 2, are 40 pages, a quarter of them merged. */
	cr_assert_eq(owned[4].merged, 5 * PAGE);
	cr_assert_eq(owned[1].resident, 20 * PAGE);
	cr_assert_eq(owned[1].merged, 5 * PAGE);
	cr_assert_eq(owned[2].resident, 0);
	cr_assert_eq(left[KSR_PART_HEAP].resident, 0);
}

/* Of a heap of 100 pages 70 were freed and are kept: samples divide the others, however much they stand for. */
Test(owners, test_what_is_kept_is_nobodys)
{
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];

	told_kept = 70 * PAGE;
	fake.marks[0] = (struct ksmalloc_segment_mark){300 * PAGE, 100 * PAGE, 100 * PAGE, 0, KSMALLOC_MARK_HEAP, 0};
	fake.marks[1] = (struct ksmalloc_segment_mark){350 * PAGE, 64, 20 * PAGE, 3, KSMALLOC_MARK_SMALL, 0};
	fake.marks[2] = (struct ksmalloc_segment_mark){351 * PAGE, 64, 60 * PAGE, 4, KSMALLOC_MARK_SMALL, 0};
	divide(&fake, 2, &heap_of_100_pages, 1, owned, left);
	cr_assert_eq(found_kept.resident, 70 * PAGE);
	cr_assert_eq(owned[3].resident, 30 * PAGE);
	cr_assert_eq(left[KSR_PART_HEAP].resident, 0);
	divide(&fake, 3, &heap_of_100_pages, 1, owned, left);
	cr_assert_eq(found_kept.resident, 70 * PAGE);
	cr_assert_eq(owned[3].resident + owned[4].resident, 30 * PAGE);
	cr_assert_geq(owned[4].resident + 8 * PAGE, 30 * PAGE);
	/* No more than there is. */
	told_kept = 700 * PAGE;
	divide(&fake, 3, &heap_of_100_pages, 1, owned, left);
	cr_assert_eq(found_kept.resident, 100 * PAGE);
	cr_assert_eq(owned[3].resident + owned[4].resident + left[KSR_PART_HEAP].resident, 0);
}

/* It is a part of what samples leave of all pieces, whoever has taken these. */
Test(owners, test_what_is_kept_is_not_of_those_it_was_taken_for)
{
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];

	told_kept = 50 * PAGE;
	fake.marks[0] = (struct ksmalloc_segment_mark){300 * PAGE, 60 * PAGE, 60 * PAGE, 3, KSMALLOC_MARK_HEAP, 0};
	fake.marks[1] = (struct ksmalloc_segment_mark){360 * PAGE, 40 * PAGE, 40 * PAGE, 4, KSMALLOC_MARK_HEAP, 0};
	/* Twice as much at most: 20 pages. */
	fake.marks[2] = (struct ksmalloc_segment_mark){370 * PAGE, 64, 10 * PAGE, 4, KSMALLOC_MARK_SMALL, 0};
	divide(&fake, 3, &heap_of_100_pages, 1, owned, left);
	cr_assert_eq(found_kept.resident, 50 * PAGE);
	/* Of 30 that nothing accounts for, three quarters lie in pieces of origin 3. */
	cr_assert_geq(owned[3].resident + PAGE, 22 * PAGE + PAGE / 2);
	cr_assert_eq(found_kept.resident + owned[3].resident + owned[4].resident + left[KSR_PART_HEAP].resident, 100 * PAGE);
}

/* What neither samples nor counts account for is told apart by pieces only: nobody else has asked for that memory. */
Test(owners, test_what_no_sample_accounts_for_stays_with_those_it_was_taken_for)
{
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];
	struct ksr_memory all;

	fake.marks[0] = (struct ksmalloc_segment_mark){300 * PAGE, 60 * PAGE, 60 * PAGE, 3, KSMALLOC_MARK_HEAP, 0};
	fake.marks[1] = (struct ksmalloc_segment_mark){360 * PAGE, 20 * PAGE, 20 * PAGE, 4, KSMALLOC_MARK_HEAP, 0};
	fake.marks[2] = (struct ksmalloc_segment_mark){380 * PAGE, 20 * PAGE, 20 * PAGE, 0, KSMALLOC_MARK_HEAP, 0};
	/* Twice as much at most: 40 pages, half of them in its own piece. */
	fake.marks[3] = (struct ksmalloc_segment_mark){350 * PAGE, 64, 20 * PAGE, 4, KSMALLOC_MARK_SMALL, 0};
	all = divide(&fake, 4, &heap_of_100_pages, 1, owned, left);
	cr_assert_eq(all.resident, 100 * PAGE);
	cr_assert_eq(owned[4].resident, 40 * PAGE);
	/* Of the 60 that are left three quarters, as of what nobody has by samples. */
	cr_assert_eq(owned[3].resident, 45 * PAGE);
	cr_assert_eq(left[KSR_PART_HEAP].resident, 15 * PAGE);
}

/*
 * Of a mapping of a store only what was looked at is there, and all of it is held: who has the pages that were looked at
 * has no more of it than its pages. The pages are real ones, of this process.
 */
Test(owners, test_what_a_store_has_is_divided_by_addresses)
{
	const size_t bytes = 100 * PAGE;
	unsigned char *real = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t begin = (uintptr_t)real;
	const struct ksr_vma vma = {.begin = begin, .end = begin + bytes, .rss = 12 * PAGE, .flags = KSR_VMA_STORE};
	struct ksr_snapshot snapshot = snapshot_of(&fake, 1);
	struct ksr_memory left[KSR_PART_COUNT] = {0};
	struct ksr_own_memory own = {0};
	struct ksr_memory nursery = {0};
	struct ksr_memory memory;
	struct ksr_owners owners;
	struct ksr_fs fs;

	cr_assert_neq(real, MAP_FAILED);
	madvise(real, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 12; i++)
		real[i * PAGE] = 1;
	snapshot.pid = getpid();
	fake.marks[0] = (struct ksmalloc_segment_mark){.address = begin + 20 * PAGE, .bytes = 80 * PAGE, .weight = 80 * PAGE,
		.origin = 1, .kind = KSMALLOC_MARK_POOL};
	cr_assert_eq(ksr_fs_init(&fs, NULL), 0);
	cr_assert_eq(ksr_owners_create(&owners, &fs, &snapshot), 0);
	ksr_memory_from_vma(&vma, &memory);
	cr_assert_eq(memory.held, bytes);
	ksr_owners_add_mapping(&owners, &vma, &memory, &own);
	ksr_owners_finish(&owners, &own, left, &nursery);
	memory = (struct ksr_memory){0};
	for (size_t k = 0; k < KSR_PART_COUNT; k++)
		ksr_memory_add(&memory, &owners.origins[1].parts[k]);
	cr_assert_eq(memory.held, 80 * PAGE);
	cr_assert_eq(memory.shared, 80 * PAGE);
	cr_assert_eq(memory.resident, 0);
	ksr_owners_destroy(&owners);
	ksr_fs_fini(&fs);
	munmap(real, bytes);
}

static uint64_t any(uint64_t limit)
{
	return (((uint64_t)rand() << 31) ^ (uint64_t)rand()) % limit;
}

/* Overlapping, wrapping, of odd addresses, of no origin, and with weights that are not to be believed. */
static void fill_with_garbage(void)
{
	for (uint32_t i = 0; i < MOST; i++) {
		fake.marks[i] = (struct ksmalloc_segment_mark){
			.address = any(4) ? any(500 * PAGE) : any(UINT64_MAX),
			.bytes = any(4) ? any(60 * PAGE) : any(UINT64_MAX),
			.weight = any(2) ? any(60 * PAGE) : UINT64_MAX - any(3),
			.origin = (uint32_t)any(ORIGINS + 2),
			.kind = (uint32_t)any(KSMALLOC_MARK_KIND_COUNT + 2),
		};
	}
}

Test(owners, test_garbage_divides_no_more_than_there_is)
{
	struct ksr_vma vmas[40];
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];

	srand(5);
	for (uint32_t turn = 0; turn < 50; turn++) {
		struct ksr_memory sum = {0};
		struct ksr_memory all;

		fill_with_garbage();
		for (size_t i = 0; i < KSM_COUNT_OF(vmas); i++)
			vmas[i] = (struct ksr_vma){.begin = 10 * i * PAGE, .end = (10 * i + 7) * PAGE,
						   .rss = any(8) * PAGE, .anonymous = any(8) * PAGE,
						   .pss = any(3) * PAGE, .ksm = any(4) * PAGE,
						   .swap = any(3) * PAGE};
		all = divide(&fake, MOST, vmas, KSM_COUNT_OF(vmas), owned, left);
		for (uint32_t i = 0; i < ORIGINS; i++)
			ksr_memory_add(&sum, &owned[i]);
		for (size_t i = 0; i < KSR_PART_COUNT; i++)
			ksr_memory_add(&sum, &left[i]);
		cr_assert_eq(owned[0].resident, 0, "what has no origin is nobody's");
		cr_assert_eq(memcmp(&sum, &all, sizeof(all)), 0, "turn %u: %lu of %lu", turn,
			     (unsigned long)sum.resident, (unsigned long)all.resident);
	}
}

/* Pages that are asked for one by one, as an estimate does, are whose a report says. */
Test(owners, test_pages_and_mappings_are_owned_alike)
{
	const struct ksr_vma vma = {.begin = 0, .end = 600 * PAGE, .rss = 600 * PAGE, .anonymous = 600 * PAGE};
	const struct ksr_fs fs = {.root_fd = -1};

	srand(7);
	for (uint32_t turn = 0; turn < 50; turn++) {
		struct ksr_snapshot snapshot;
		struct ksr_memory left[KSR_PART_COUNT];
		struct ksr_memory owned[ORIGINS];
		uint64_t pages[ORIGINS] = {0};
		struct ksr_marks marks;

		for (uint32_t i = 0; i < 100; i++)
			fake.marks[i] = (struct ksmalloc_segment_mark){
				.address = any(500) * PAGE,
				.bytes = (any(20) + 1) * PAGE,
				.weight = PAGE,
				.origin = (uint32_t)any(ORIGINS),
				.kind = any(4) ? KSMALLOC_MARK_MAPPING : KSMALLOC_MARK_POOL};
		divide(&fake, 100, &vma, 1, owned, left);
		snapshot = snapshot_of(&fake, 100);
		cr_assert_eq(ksr_marks_create(&marks, &fs, &snapshot), 0);
		for (uint64_t page = 0; page < 600; page++) {
			const struct ksmalloc_segment_mark *mark = ksr_marks_owner_at(&marks, page * PAGE + PAGE / 2);

			pages[mark ? mark->origin : 0]++;
		}
		ksr_marks_destroy(&marks);
		for (uint32_t i = 1; i < ORIGINS; i++)
			cr_assert_eq(owned[i].resident, pages[i] * PAGE, "turn %u, origin %u: %lu, %lu pages", turn, i,
				     (unsigned long)owned[i].resident, (unsigned long)pages[i]);
	}
}

Test(owners, test_without_marks_all_is_left)
{
	const struct ksr_vma vma = {.begin = PAGE, .end = 9 * PAGE, .rss = 8 * PAGE, .anonymous = 8 * PAGE};
	struct ksr_memory left[KSR_PART_COUNT];
	struct ksr_memory owned[ORIGINS];

	divide(&fake, 0, &vma, 1, owned, left);
	cr_assert_eq(left[KSR_PART_OTHERS].resident, 8 * PAGE);
}
