/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of pages that map a file which was given up. */
#include "pass/files.h"

#include "store_members.h"

static struct ksm_share_work work;

static void setup_work(void)
{
	setup();
	cr_assert_eq(ksm_share_begin(&work), 0);
	cr_assert_eq(ksm_share_open(&work), 0);
}

static void teardown_work(void)
{
	ksm_share_close(&work);
	ksm_share_end(&work);
	teardown();
}

TestSuite(pass_files, .init = setup_work, .fini = teardown_work, .timeout = KSM_CASE_SECONDS);

/* The fate of the first slice, which maps the first file, with another member that sees all of that. */
static struct ksm_pass_layer decide(struct ksm_pass_files *files)
{
	struct ksm_pass_layer layer = { .address = (uintptr_t)memory, .inode = store.files[0].inode };
	int fd = store.files[0].descriptor;

	ksm_share_add_range(&layer.mapped, layer.address, layer.address, layer.address + PAGES * KSM_PAGE);
	cr_assert_neq(mmap(memory, PAGES * KSM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0), MAP_FAILED);
	cr_assert_eq(ksm_pass_files_decide(files, &store, &work, &layer), 0);
	return layer;
}

/* Gives the first file up. */
static void begin_pass(struct ksm_pass_files *files)
{
	cr_assert_eq(say(PAGES / 2), 1);
	memset(files, 0, sizeof(*files));
	cr_assert(ksm_pass_files_begin(files, &store));
	cr_assert_eq(files->going, 1);
	cr_assert_not(ksm_pass_files_begin(files, &store), "that is known");
	cr_assert_eq(files->going, 1);
}

Test(pass_files, what_no_other_file_has_is_carried_over)
{
	static struct ksm_pass_files files;
	struct ksm_pass_layer layer;
	struct member member;

	begin();
	member = begin_member(PAGES, PAGES / 2);
	begin_pass(&files);
	layer = decide(&files);
	cr_assert_eq(layer.fate, KSM_PASS_IS_CARRIED_OVER);
	cr_assert_eq(layer.seen, PAGES);
	cr_assert_eq(ksm_share_count(&layer.wanted), PAGES);
	end_member(member);
}

/* It would lie in two files else, of which each member keeps one. */
Test(pass_files, what_an_older_file_has_is_left)
{
	static struct ksm_pass_files files;
	struct ksm_pass_layer layer;
	struct member member;

	begin();
	cr_assert_eq(publish(), 1);
	member = begin_member(PAGES, PAGES / 2);
	begin_pass(&files);
	layer = decide(&files);
	cr_assert_eq(layer.fate, KSM_PASS_IS_LEFT);
	cr_assert_eq(ksm_share_count(&layer.wanted), 0);
	end_member(member);
}

Test(pass_files, what_an_older_file_has_otherwise_is_carried_over)
{
	static struct ksm_pass_files files;
	struct ksm_pass_layer layer;
	struct member member;

	begin();
	for (uint32_t page = 0; page < PAGES; page++)
		memory[page * KSM_PAGE] ^= page >= 10;
	cr_assert_eq(publish(), 1);
	member = begin_member(PAGES, PAGES / 2);
	begin_pass(&files);
	layer = decide(&files);
	cr_assert_eq(layer.fate, KSM_PASS_IS_CARRIED_OVER);
	cr_assert_eq(ksm_share_count(&layer.wanted), PAGES - 10);
	end_member(member);
}

Test(pass_files, alike_pages_are_counted_by_file)
{
	static struct ksm_pass_files files;

	begin();
	cr_assert_eq(publish(), 1);
	ksm_pass_files_begin(&files, &store);
	ksm_pass_files_count_alike(&files, store.files[1].inode, 3);
	ksm_pass_files_count_alike(&files, store.files[1].inode, 4);
	ksm_pass_files_count_alike(&files, store.files[1].inode + 1000000, 5);
	cr_assert_eq(files.alike[0], 0);
	cr_assert_eq(files.alike[1], 7);
	ksm_pass_files_begin(&files, &store);
	cr_assert_eq(files.alike[1], 0);
}

/* As where the file had holes when it was mapped, and what was put there has become alike. */
Test(pass_files, what_is_alike_is_a_reason_to_leave_a_file_that_is_seen_whole)
{
	static struct ksm_pass_files files;

	begin();
	for (uint32_t rests = 0; rests < 2; rests++) {
		cr_assert_not(ksm_pass_files_begin(&files, &store));
		ksm_pass_files_count(&files, &store, 0, PAGES + 70, PAGES);
		cr_assert_not(ksm_pass_files_end(&files, &store, rests), "nothing is alike");
		ksm_pass_files_begin(&files, &store);
		ksm_pass_files_count(&files, &store, 0, PAGES + 70, PAGES);
		ksm_pass_files_count_alike(&files, store.files[0].inode, 70);
		cr_assert_eq(ksm_pass_files_end(&files, &store, rests), rests == 1);
	}
	cr_assert(ksm_pass_files_begin(&files, &store), "it is left");
	cr_assert_eq(files.going, 1);
}

/* What this process has said of the second file, or all bits. */
static uint32_t said_of_second(void)
{
	const struct ksmalloc_store_list *head = &store.tables->head;

	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		if (head->files[1].holders[i].pid == (uint32_t)store.pid && (head->sights[1].seen[i] & KSMALLOC_STORE_SAID))
			return head->sights[1].seen[i] & KSMALLOC_STORE_PAGES_MASK;
	}
	return UINT32_MAX;
}

/* It would map them in its next pass, and the one that has published them may have ended. */
Test(pass_files, of_what_came_during_the_pass_nothing_is_said)
{
	static struct ksm_pass_files files;

	begin();
	for (uint32_t mapped = 0; mapped <= 100; mapped += 100) {
		ksm_pass_files_begin(&files, &store);
		if (mapped == 0)
			cr_assert_eq(publish(), 1);
		else
			files.inodes[1] = 0;
		ksm_pass_files_count(&files, &store, 0, PAGES, PAGES);
		if (mapped > 0)
			ksm_pass_files_count(&files, &store, 1, mapped, mapped);
		cr_assert_not(ksm_pass_files_end(&files, &store, false), "some of it may be in slices that were over");
		cr_assert_eq(said_of_second(), UINT32_MAX);
		cr_assert_eq(files.late, 2, "the next pass is soon");
	}
	ksm_pass_files_begin(&files, &store);
	ksm_pass_files_count(&files, &store, 0, PAGES, PAGES);
	ksm_pass_files_count(&files, &store, 1, 100, 100);
	cr_assert(ksm_pass_files_end(&files, &store, false));
	cr_assert_eq(files.late, 0);
	cr_assert_eq(said_of_second(), 100);
}

/* Else the others would have to take it for all of it until the next pass, which may be minutes away. */
Test(pass_files, what_is_opened_before_the_first_slice_or_published_is_judged)
{
	static struct ksm_pass_files files;

	begin();
	ksm_pass_files_begin(&files, &store);
	cr_assert_eq(publish(), 1);
	ksm_pass_files_follow(&files, &store);
	ksm_pass_files_count(&files, &store, 0, PAGES, PAGES);
	cr_assert(ksm_pass_files_end(&files, &store, false), "nobody sees it");
	cr_assert_eq(said_of_second(), 0);
	cr_assert_not(ksm_pass_files_is_going(&files, &store, 0));
	cr_assert_eq(publish(), 2);
	ksm_pass_files_follow_one(&files, &store, 2);
	ksm_pass_files_count(&files, &store, 2, PAGES, PAGES);
	cr_assert_not(ksm_pass_files_end(&files, &store, false));
	cr_assert_eq(store.tables->head.sights[2].seen[0] & KSMALLOC_STORE_PAGES_MASK, PAGES);
}

/* So that the others need not carry over for its sake what nobody wants. */
Test(pass_files, of_what_came_late_and_was_given_up_it_is_said)
{
	static struct ksm_pass_files files;
	uint32_t seen[KSM_STORE_FILES];

	begin();
	ksm_pass_files_begin(&files, &store);
	cr_assert_eq(publish(), 1);
	memset(seen, 0xff, sizeof(seen));
	seen[1] = PAGES / 2;
	cr_assert_eq(ksm_store_note_seen(&store, seen, NULL), 1);
	ksm_pass_files_count(&files, &store, 0, PAGES, PAGES);
	cr_assert_not(ksm_pass_files_end(&files, &store, false));
	cr_assert_eq(said_of_second(), 0);
}

/* A file that is too small to be given up. */
static int publish_little(void)
{
	const struct ksm_share_slice slice = { .address = (uintptr_t)memory };
	struct ksm_share_set pages = { 0 };

	ksm_share_add_range(&pages, (uintptr_t)memory, (uintptr_t)memory, (uintptr_t)memory + 10 * KSM_PAGE);
	if (!ksm_store_may_publish(&store) || ksm_store_add(&store, &slice, &pages))
		return -1;
	return ksm_store_publish(&store);
}

/* So many passes that find no page of another file than the first one: after three it is closed. */
static void pass_in_vain(struct ksm_pass_files *files, uint32_t passes)
{
	for (uint32_t i = 0; i < passes; i++) {
		ksm_pass_files_begin(files, &store);
		ksm_pass_files_count(files, &store, 0, PAGES, PAGES);
		ksm_pass_files_end(files, &store, false);
	}
}

/* It would be closed before a pass has looked for it. */
Test(pass_files, passes_without_a_page_are_counted_anew_for_another_file)
{
	static struct ksm_pass_files files;

	begin();
	for (uint32_t comes = 0; comes < 3; comes++) {
		cr_assert_eq(publish_little(), 1);
		pass_in_vain(&files, 2);
		cr_assert_neq(store.files[1].inode, 0);
		ksm_store_let_go(&store, 1);
		cr_assert_eq(publish_little(), 1);
		if (comes == 1)
			ksm_pass_files_follow_one(&files, &store, 1);
		if (comes == 2) {
			ksm_pass_files_begin(&files, &store);
			ksm_store_let_go(&store, 1);
			cr_assert_eq(publish_little(), 1);
			ksm_pass_files_count(&files, &store, 0, PAGES, PAGES);
			cr_assert_not(ksm_pass_files_end(&files, &store, false), "it is another one");
			cr_assert_neq(store.files[1].inode, 0);
		}
		pass_in_vain(&files, 2);
		cr_assert_neq(store.files[1].inode, 0, "comes %u", comes);
		pass_in_vain(&files, 1);
		cr_assert_eq(store.files[1].inode, 0, "it has been looked for three times");
	}
}

Test(pass_files, one_that_has_come_late_is_not_closed_for_the_slices_before)
{
	static struct ksm_pass_files files;

	begin();
	cr_assert_eq(publish_little(), 1);
	for (uint32_t i = 0; i < 5; i++) {
		ksm_pass_files_begin(&files, &store);
		files.inodes[1] = 0;
		ksm_pass_files_count(&files, &store, 0, PAGES, PAGES);
		/* Found nowhere, in a part of all slices. */
		ksm_pass_files_count(&files, &store, 1, 0, 0);
		files.idle[1] = 2;
		ksm_pass_files_end(&files, &store, false);
		cr_assert_neq(store.files[1].inode, 0);
	}
}

/* For few pages also what is copied at once, of the longest run, has to be there besides 4 MiB; for each holder what is seen. */
Test(pass_files, memory_for_what_is_left_is_that_of_all_holders)
{
	struct ksm_pass_layer layer = { .seen = 16, .index = 0 };
	struct member member;

	begin();
	member = begin_member(PAGES, PAGES);
	ksm_share_add_range(&layer.mapped, 0, 0, 100 * KSM_PAGE);
	ksm_share_add_range(&layer.mapped, 0, 110 * KSM_PAGE, 410 * KSM_PAGE);
	store.room = 4 * KSM_MIB + (300 + 2 * 16) * KSM_PAGE;
	store.needs_room = true;
	cr_assert(ksm_pass_files_take_room(&store, &layer));
	cr_assert_eq(store.room, 4 * KSM_MIB + 300 * KSM_PAGE);
	cr_assert_not(ksm_pass_files_take_room(&store, &layer));
	layer.index = KSM_STORE_FILES;
	store.room = 4 * KSM_MIB + (300 + 7 * 16) * KSM_PAGE;
	cr_assert(ksm_pass_files_take_room(&store, &layer), "nobody knows who holds it");
	cr_assert_eq(store.room, 4 * KSM_MIB + 300 * KSM_PAGE);
	end_member(member);
}
