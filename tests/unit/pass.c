/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a pass looks how much memory there is. What lies where, the clock, what the kernel says of memory, and what is found in a slice
 * are the test's; the store is a real one.
 */
#include "pass/pass.h"

#include "system/alone.h"
#include "os/os.h"
#include "pass/memory.h"
#include "pass/slice.h"
#include "segment/stat.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLICES 4u
#define PAGES  100u /* of each slice that is published */

static char folder[] = "/tmp/pass.XXXXXX";
static unsigned char *memory;
static uint64_t now_us = 1000000000;
static uint64_t room = 100 * KSM_MIB;
static uint32_t readings;

/* What happens in a slice. */
static void (*look)(struct ksm_pass_round *pass, struct ksm_pass_view *view);

uint64_t __wrap_ksm_os_now_us(void);
uint64_t __wrap_ksm_os_now_us(void)
{
	return now_us;
}

uint64_t __wrap_ksm_os_now_ms(void);
uint64_t __wrap_ksm_os_now_ms(void)
{
	return now_us / 1000;
}

uint64_t __wrap_ksm_os_memory_room(void);
uint64_t __wrap_ksm_os_memory_room(void)
{
	readings++;
	return room;
}

bool __wrap_ksm_layout_has_seed(void);
bool __wrap_ksm_layout_has_seed(void)
{
	return true;
}

/* The slices, as the only mapping that there is. */
static struct ksm_os_mapping all_memory(void)
{
	return (struct ksm_os_mapping){
		.begin = (uintptr_t)memory, .end = (uintptr_t)memory + SLICES * KSM_SHARE_SLICE,
		.rights = PROT_READ | PROT_WRITE, .is_private = true,
	};
}

int __wrap_ksm_alone_check(bool stopped, enum ksmalloc_aside *why, const struct ksm_alone_visitor *visitor);
int __wrap_ksm_alone_check(bool stopped, enum ksmalloc_aside *why, const struct ksm_alone_visitor *visitor)
{
	const struct ksm_os_mapping mapping = all_memory();

	(void)stopped;
	(void)why;
	if (visitor)
		visitor->visit(&mapping, visitor->argument);
	return 0;
}

int __wrap_ksm_os_each_mapping_from(uintptr_t from, ksm_os_visit_mapping *visit, void *argument);
int __wrap_ksm_os_each_mapping_from(uintptr_t from, ksm_os_visit_mapping *visit, void *argument)
{
	const struct ksm_os_mapping mapping = all_memory();

	if (from < mapping.end)
		visit(&mapping, argument);
	return 0;
}

bool __wrap_ksm_pass_memory_find_part(const struct ksm_os_mapping *mapping, struct ksm_region_range *part);
bool __wrap_ksm_pass_memory_find_part(const struct ksm_os_mapping *mapping, struct ksm_region_range *part)
{
	*part = (struct ksm_region_range){ mapping->begin, mapping->end };
	return true;
}

int __wrap_ksm_pass_slice_share(struct ksm_pass_round *pass, struct ksm_pass_view *view);
int __wrap_ksm_pass_slice_share(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	look(pass, view);
	return 0;
}

static void setup(void)
{
	static char seed[64];
	char *reserved = mmap(NULL, (SLICES + 1) * KSM_SHARE_SLICE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	memory = (unsigned char *)ksm_align_up((uintptr_t)reserved, KSM_SHARE_SLICE);
	for (uint32_t i = 0; i < SLICES; i++)
		memset(memory + i * KSM_SHARE_SLICE, 7, PAGES * KSM_PAGE);
	cr_assert_neq(mkdtemp(folder), NULL);
	snprintf(seed, sizeof(seed), "%s/seed", folder);
	ksm_options.share = true;
	ksm_options.seed = seed;
	cr_assert_eq(ksm_stat_init(), 0);
	ksm_pass_init();
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(pass, .init = setup, .fini = teardown, .timeout = KSM_CASE_SECONDS);

/* --- after a batch ------------------------------------------------------------------------------- */

static uint64_t room_in_slice[3 * SLICES], slices;

/* Two slices are a batch; what is published takes memory until the pass has returned to them. */
static void publish_two(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	struct ksm_share_slice slice = { .address = view->address, .place = view->address - (uintptr_t)memory };
	struct ksm_share_set pages = { 0 };

	if (slices < KSM_COUNT_OF(room_in_slice))
		room_in_slice[slices++] = pass->store.room;
	if (pass->is_return) {
		room = 100 * KSM_MIB;
		return;
	}
	if (pass->batch_count > 0 && pass->batch_count < 2)
		pass->store.most_pages = 1;
	cr_assert(ksm_store_may_publish(&pass->store));
	ksm_share_add_range(&pages, view->address, view->address, view->address + PAGES * KSM_PAGE);
	cr_assert_eq(ksm_store_add(&pass->store, &slice, &pages), 0);
	pass->batch[pass->batch_count++] = view->address;
	room = 20 * KSM_MIB;
}

/* All in the same moment: what is known of memory would be believed. */
Test(pass, what_has_come_back_after_a_batch_is_there_for_the_next_one)
{
	look = publish_two;
	cr_assert_geq(ksm_pass_now(), 0);
	cr_assert_eq(slices, 2 * SLICES);
	cr_assert_leq(room_in_slice[2], 20 * KSM_MIB, "it is there twice");
	cr_assert_eq(room_in_slice[4], 100 * KSM_MIB);
	/* The same in a short step. */
	slices = 0;
	now_us += 1000000000;
	cr_assert_geq(ksm_pass_step(1000), 0);
	cr_assert_eq(slices, 2 * SLICES);
	cr_assert_lt(room_in_slice[2], 100 * KSM_MIB);
	cr_assert_eq(room_in_slice[4], 100 * KSM_MIB);
}

/* --- long steps ---------------------------------------------------------------------------------- */

static void take_time(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	(void)view;
	cr_assert(ksm_store_take_room(&pass->store, KSM_MIB));
	now_us += 150000;
}

static uint32_t readings_in_step_of(uint64_t budget_us)
{
	uint32_t before = readings;

	now_us += 1000000000;
	cr_assert_geq(ksm_pass_step(budget_us), 0);
	return readings - before;
}

Test(pass, memory_is_looked_at_in_long_steps_and_not_in_short_ones)
{
	look = take_time;
	/* Looked at with the first slice, 300 ms later with the third one. */
	cr_assert_eq(readings_in_step_of(2000000), 2);
	/* When the store was entered, and so on. */
	cr_assert_eq(readings_in_step_of(2000000), 2);
	cr_assert_eq(readings_in_step_of(180000), 1);
	now_us += 1000000;
	cr_assert_geq(ksm_pass_now(), 0);
	cr_assert_eq(readings, 7);
}

static void take_nothing(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	(void)pass;
	(void)view;
	now_us += 1000;
}

Test(pass, memory_is_not_looked_at_where_none_is_to_be_taken)
{
	look = take_nothing;
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(readings_in_step_of(1000000), 0);
	look = take_time;
	cr_assert_eq(readings_in_step_of(100), 1, "at the first need");
	look = take_nothing;
	cr_assert_eq(readings_in_step_of(1000000), 1, "that pass");
	cr_assert_eq(readings_in_step_of(1000000), 1, "the one before took some");
	for (uint32_t i = 0; i < 3; i++)
		readings_in_step_of(1000000);
	cr_assert_eq(readings_in_step_of(1000000), 0);
}
