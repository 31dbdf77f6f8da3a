/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of a group and their table: what they find in it, and what a hostile one cannot make them do. */
#include "store/mark.h"
#include "store/store.h"

#include "draw.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ksmalloc/store.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char *memory;
static char folder[] = "/tmp/store.XXXXXX";
static struct ksm_store store;

static void prepare(struct ksm_store *member)
{
	memset(member, 0, sizeof(*member));
	snprintf(member->path, sizeof(member->path), "%s/table", folder);
	member->id = 42;
	member->bytes = 4 * KSM_SHARE_SLICE;
	cr_assert_eq(ksm_store_init(member), 0);
}

static void setup(void)
{
	char *reserved = mmap(NULL, 6 * KSM_SHARE_SLICE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	memory = (unsigned char *)ksm_align_up((uintptr_t)reserved, KSM_SHARE_SLICE);
	for (uint32_t i = 0; i < KSM_SHARE_PAGES; i++)
		memset(memory + i * KSM_PAGE, (int)i + 1, KSM_PAGE);
	cr_assert_neq(mkdtemp(folder), NULL);
	prepare(&store);
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(store, .init = setup, .fini = teardown, .timeout = KSM_CASE_SECONDS);

static struct ksm_share_set pages(uint32_t begin, uint32_t count)
{
	struct ksm_share_set set = { 0 };

	for (uint32_t i = begin; i < begin + count; i++)
		ksm_share_add(&set, i);
	return set;
}

static uint32_t count(const struct ksm_share_set *set)
{
	uint32_t result = 0;

	for (uint32_t i = 0; i < KSM_SHARE_PAGES; i++)
		result += ksm_share_has(set, i);
	return result;
}

/* As another process, which has what this one has in its memory and its open files. */
static int in_child(int (*act)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(act());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status), "the child was killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static struct ksm_share_slice slice_at(uint32_t number)
{
	return (struct ksm_share_slice){ .address = (uintptr_t)memory + number * KSM_SHARE_SLICE,
					 .place = number * KSM_SHARE_SLICE };
}

static uint32_t mark(uint32_t begin, uint32_t number)
{
	struct ksm_share_set set = pages(begin, number), common;
	struct ksm_share_slice slice = slice_at(0);

	cr_assert_eq(ksm_store_mark(&store, &slice, &set, &common), 0);
	return count(&common);
}

static int mark_in_child(void)
{
	return ksm_store_enter(&store) == 0 ? (int)mark(0, 100) : 255;
}

/* --- what members find ------------------------------------------------------------------------- */

Test(store, what_a_second_member_has_too_is_common)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(mark(0, 50), 0);
	cr_assert_eq(mark(0, 50), 0, "these are its own");
	ksm_store_leave(&store);
	cr_assert_eq(in_child(mark_in_child), 50);
}

Test(store, another_content_is_not_common)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	mark(0, 100);
	ksm_store_leave(&store);
	memory[0]++;
	memory[99 * KSM_PAGE + KSM_PAGE - 1]++;
	cr_assert_eq(in_child(mark_in_child), 98);
}

Test(store, two_contents_of_a_page_are_remembered)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	mark(0, 100);
	ksm_store_leave(&store);
	memset(memory, 222, 100 * KSM_PAGE);
	cr_assert_eq(in_child(mark_in_child), 0);
	cr_assert_eq(in_child(mark_in_child), 100, "what the first child had");
}

Test(store, who_has_marked_a_page_first_finds_that_another_member_has_it)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	mark(0, 100);
	ksm_store_leave(&store);
	cr_assert_eq(in_child(mark_in_child), 100);
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(mark(0, 100), 100);
	ksm_store_leave(&store);
}

static int publish_in_child(void)
{
	struct ksm_share_slice slice = slice_at(0);
	struct ksm_share_set set = pages(0, 100);
	int index;

	if (ksm_store_enter(&store) || !ksm_store_may_publish(&store) ||
	    ksm_store_add(&store, &slice, &set))
		return 255;
	index = ksm_store_publish(&store);
	ksm_store_leave(&store);
	return index;
}

static int find_in_child(void)
{
	struct ksm_share_file file;
	unsigned char byte = 0;

	if (ksm_store_enter(&store))
		return 255;
	file = ksm_store_file(&store, 0);
	if (file.descriptor < 0)
		return 254;
	if (ksm_share_check(&file) || pread(file.descriptor, &byte, 1, 5 * KSM_PAGE) != 1)
		return 253;
	return byte;
}

Test(store, what_one_publishes_all_find)
{
	uint64_t before;

	cr_assert_eq(ksm_store_enter(&store), 0);
	before = ksm_store_generation(&store);
	ksm_store_leave(&store);
	cr_assert_not(ksm_store_is_changed(&store, before, 0));
	cr_assert_eq(publish_in_child(), 0);
	cr_assert(ksm_store_is_changed(&store, before, 0));
	cr_assert_eq(ksm_store_enter(&store), 0);
	before = ksm_store_generation(&store);
	ksm_store_leave(&store);
	cr_assert_not(ksm_store_is_changed(&store, before, 0));
	cr_assert(ksm_store_is_changed(&store, before, 1), "somebody asks");
	cr_assert_eq(in_child(find_in_child), 6);
}

static int count_in_child(void)
{
	return ksm_store_enter(&store) == 0 ? (int)ksm_store_holders(&store, 0) : 255;
}

Test(store, who_holds_a_file_is_counted_while_it_lives)
{
	cr_assert_eq(publish_in_child(), 0);
	cr_assert_eq(in_child(count_in_child), 2);
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(ksm_store_holders(&store, 0), 1, "the child has ended");
	cr_assert_eq(ksm_store_holders(&store, 1), KSMALLOC_STORE_HOLDERS, "none is open there");
	cr_assert_eq(ksm_store_holders(&store, KSM_STORE_FILES), KSMALLOC_STORE_HOLDERS);
}

static int find_as_another_user(void)
{
	int descriptor, found;

	if (ksm_store_enter(&store))
		return 255;
	ksm_store_leave(&store);
	ksm_store_heed_user(&store);
	descriptor = store.files[0].descriptor;
	if (fcntl(descriptor, F_GETFD) < 0)
		return 254;
	/* A server that is another user for a moment keeps all. */
	if (seteuid(65534))
		return 77;
	ksm_store_heed_user(&store);
	if (fcntl(descriptor, F_GETFD) < 0 || ksm_store_enter(&store) == 0 || seteuid(0))
		return 253;
	ksm_store_heed_user(&store);
	found = find_in_child();
	ksm_store_leave(&store);
	if (setresuid(65534, 65534, 65534))
		return 252;
	ksm_store_heed_user(&store);
	return fcntl(descriptor, F_GETFD) < 0 && ksm_store_enter(&store) ? found : 251;
}

Test(store, who_becomes_another_user_keeps_no_file)
{
	int result;

	cr_assert_eq(publish_in_child(), 0);
	result = in_child(find_as_another_user);
	if (result == 77)
		cr_skip("this needs root");
	cr_assert_eq(result, 6);
}

static int find_anew_in_child(void)
{
	close(store.files[0].descriptor);
	return find_in_child();
}

Test(store, a_file_is_had_from_who_holds_it)
{
	cr_assert_eq(publish_in_child(), 0);
	cr_assert_eq(in_child(find_anew_in_child), 6);
}

static int let_go_in_child(void)
{
	if (ksm_store_enter(&store) || ksm_store_file(&store, 0).descriptor < 0)
		return 255;
	ksm_store_let_go(&store, 0);
	ksm_store_leave(&store);
	if (ksm_store_enter(&store) || ksm_store_file(&store, 0).descriptor >= 0)
		return 254;
	ksm_store_want_all(&store);
	ksm_store_leave(&store);
	/* Its parent still has it. */
	return find_in_child();
}

Test(store, a_file_that_all_let_go_is_gone)
{
	cr_assert_eq(publish_in_child(), 0);
	cr_assert_eq(in_child(let_go_in_child), 6);
	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_let_go(&store, 0);
	ksm_store_want_all(&store);
	ksm_store_leave(&store);
	cr_assert_eq(in_child(find_in_child), 254);
	cr_assert_eq(publish_in_child(), 0, "its place is free again");
}

/* It would have its place for as long as this process lives, and who looks for it would ask in vain. */
Test(store, a_file_that_was_let_go_while_another_member_had_the_lock_is_gone)
{
	int other;

	cr_assert_eq(publish_in_child(), 0);
	cr_assert_eq(ksm_store_enter(&store), 0);
	other = open(store.path, O_RDWR);
	cr_assert_eq(flock(other, LOCK_EX), 0);
	ksm_store_let_go(&store, 0);
	ksm_store_leave(&store);
	close(other);
	cr_assert_eq(publish_in_child(), 0, "its place is free again");
}

Test(store, who_publishes_keeps_others_from_it_for_as_long_as_it_lives)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert(ksm_store_may_publish(&store));
	cr_assert(ksm_store_may_publish(&store));
	ksm_store_leave(&store);
	cr_assert_eq(in_child(publish_in_child), 255);
	/* The lease of a process that has ended. */
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert(ksm_store_may_publish(&store));
	ksm_store_leave(&store);
}

Test(store, who_gives_up_what_it_was_to_publish_lets_others_do_it)
{
	struct ksm_share_slice slice = slice_at(0);
	struct ksm_share_set set = pages(0, 10);

	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert(ksm_store_may_publish(&store));
	cr_assert_eq(ksm_store_add(&store, &slice, &set), 0);
	ksm_store_give_up(&store);
	ksm_store_leave(&store);
	/* This process is alive, and might have published for seconds. */
	cr_assert_eq(in_child(publish_in_child), 0);
}

/* The runner of this test lives, and has none of these files, as the first process of a container that was started again. */
static void fill_with_strangers(void)
{
	const struct ksmalloc_store_holder stranger = { (uint32_t)getppid(), 0 };
	struct ksmalloc_store_record records[KSM_STORE_FILES] = { { 0 } };
	int table = open(store.path, O_RDWR);

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		records[i].inode = UINT64_C(1) << 60 | i;
		records[i].holders[i % KSMALLOC_STORE_HOLDERS] = stranger;
	}
	cr_assert_eq(pwrite(table, records, sizeof(records), offsetof(struct ksmalloc_store_list, files)), (ssize_t)sizeof(records));
	close(table);
}

Test(store, files_of_nobody_make_room_though_somebody_has_their_holders_numbers)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_leave(&store);
	fill_with_strangers();
	cr_assert_lt(publish_in_child(), (int)KSM_STORE_FILES);
}

/* One at each place of the table, and more than it has places: no file of a living holder is taken for nobody's. */
Test(store, files_that_holders_have_keep_their_places)
{
	for (uint32_t i = 0; i < KSM_STORE_FILES - 2; i++) {
		cr_assert_eq(publish_in_child(), (int)i);
		cr_assert_eq(ksm_store_enter(&store), 0);
		ksm_store_begin_pass(&store);
		ksm_store_leave(&store);
	}
	cr_assert_eq(publish_in_child(), 255);
	cr_assert_eq(ksm_store_enter(&store), 0);
	for (uint32_t i = 0; i < KSM_STORE_FILES - 2; i++)
		cr_assert_eq(ksm_store_holders(&store, i), 1);
}

Test(store, descriptors_of_others_are_not_taken_for_its_own)
{
	int descriptor;

	cr_assert_eq(publish_in_child(), 0);
	descriptor = store.files[0].descriptor;
	close(descriptor);
	cr_assert_eq(dup2(open("/dev/null", O_RDWR), descriptor), descriptor);
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_neq(ksm_store_file(&store, 0).descriptor, descriptor);
	/* It is not closed either. */
	cr_assert_eq(fcntl(descriptor, F_GETFD), 0);
}

/* --- what is refused ----------------------------------------------------------------------------- */

Test(store, a_table_that_others_may_write_to_is_refused)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_leave(&store);
	cr_assert_eq(chmod(store.path, 0620), 0);
	cr_assert_eq(ksm_store_enter(&store), -EPERM);
	cr_assert_lt(store.table, 0);
}

/* Those of a renewed seed take it over, and those of before do not take it back. */
Test(store, a_table_of_a_renewed_seed_is_left_to_it)
{
	struct ksmalloc_store_head head;
	int table;

	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_leave(&store);
	table = open(store.path, O_RDWR);
	cr_assert_eq(pread(table, &head, sizeof(head), 0), (ssize_t)sizeof(head));
	head.id++;
	cr_assert_eq(pwrite(table, &head, sizeof(head), 0), (ssize_t)sizeof(head));
	cr_assert_eq(ksm_store_enter(&store), -ESTALE);
	cr_assert_lt(store.table, 0);
	store.was_in = false;
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(pread(table, &head, sizeof(head), 0), (ssize_t)sizeof(head));
	cr_assert_eq(head.id, store.id);
}

Test(store, somebody_s_file_is_not_overwritten)
{
	char content[32] = "something that is no table";
	int file = open(store.path, O_RDWR | O_CREAT, 0600);

	cr_assert_eq(write(file, content, sizeof(content)), (ssize_t)sizeof(content));
	cr_assert_eq(ksm_store_enter(&store), -EINVAL);
	memset(content, 0, sizeof(content));
	cr_assert_eq(pread(file, content, sizeof(content), 0), (ssize_t)sizeof(content));
	cr_assert_str_eq(content, "something that is no table");
}

Test(store, a_link_is_not_followed)
{
	char other[80];

	snprintf(other, sizeof(other), "%s/other", folder);
	cr_assert_eq(symlink(other, store.path), 0);
	cr_assert_eq(ksm_store_enter(&store), -ELOOP);
	cr_assert_neq(access(other, F_OK), 0);
	cr_assert_eq(unlink(store.path), 0);
	cr_assert_eq(mkfifo(store.path, 0600), 0);
	cr_assert_lt(ksm_store_enter(&store), 0);
}

Test(store, a_table_of_another_layout_is_begun_anew)
{
	struct ksm_store other;

	cr_assert_eq(publish_in_child(), 0);
	prepare(&other);
	other.id = 43;
	cr_assert_eq(ksm_store_enter(&other), 0);
	cr_assert_lt(ksm_store_file(&other, 0).descriptor, 0);
}

/* --- hostile tables -------------------------------------------------------------------------------- */

/* What must not be opened, or not be taken for a file of the store's. */
static int hostile_files[6];

static void make_hostile_files(void)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	hostile_files[0] = ends[0];
	hostile_files[1] = open("/dev/zero", O_RDWR);
	hostile_files[2] = ksm_os_create_store("open");
	cr_assert_eq(ksm_os_set_length(hostile_files[2], store.bytes), 0);
	hostile_files[3] = ksm_os_create_store("short");
	cr_assert_eq(ksm_os_set_length(hostile_files[3], KSM_PAGE), 0);
	cr_assert_eq(ksm_os_seal(hostile_files[3]), 0);
	hostile_files[4] = open(store.path, O_RDWR);
	hostile_files[5] = open("/", O_RDONLY);
}

/* A record of a file as the table has them: an inode and holders. It may be right in all but what the file is. */
static void write_record(int table, uint32_t index, int descriptor)
{
	uint32_t holder[2] = { (uint32_t)getpid(), (uint32_t)descriptor };
	struct stat status;
	uint64_t inode;

	cr_assert_eq(fstat(descriptor, &status), 0);
	inode = status.st_ino;
	cr_assert_eq(pwrite(table, &inode, 8, 64 + index * 64), 8);
	cr_assert_eq(pwrite(table, holder, 8, 64 + index * 64 + 8), 8);
}

Test(store, files_that_are_none_of_the_store_s_are_not_taken)
{
	int table;

	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_leave(&store);
	make_hostile_files();
	table = open(store.path, O_RDWR);
	for (uint32_t i = 0; i < KSM_COUNT_OF(hostile_files); i++)
		write_record(table, i, hostile_files[i]);
	cr_assert_eq(ksm_store_enter(&store), 0);
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++)
		cr_assert_lt(ksm_store_file(&store, i).descriptor, 0, "file %u", i);
	ksm_store_leave(&store);
	/* The same, but for seals: the record is well made. */
	cr_assert_eq(ksm_os_seal(hostile_files[2]), 0);
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_geq(ksm_store_file(&store, 2).descriptor, 0);
}

/* Anything may be written anywhere, at any moment between two calls. */
static void spoil(int table)
{
	uint64_t words[16];
	uint32_t length = 1 + draw(sizeof(words));
	static const uint64_t interesting[] = { 0, 1, UINT64_MAX, INT64_MAX, UINT32_MAX, INT32_MAX, 42 };

	for (uint32_t i = 0; i < KSM_COUNT_OF(words); i++)
		words[i] = draw(3) ? interesting[draw(KSM_COUNT_OF(interesting))] :
				     (uint64_t)draw(UINT32_MAX) << 32 | draw(UINT32_MAX);
	/* The head more often than the rest, and behind its first two words, which others clear the table for. */
	cr_assert_gt(pwrite(table, words, length, draw(4) ? 16 + draw(7300) : draw(34000000)), 0);
	if (draw(50) == 0)
		write_record(table, draw(KSM_STORE_FILES), hostile_files[draw(KSM_COUNT_OF(hostile_files))]);
	if (draw(100) == 0)
		cr_assert_eq(ftruncate(table, draw(2) ? draw(40000000) : draw(10000)), 0);
}

Test(store, whatever_the_table_says_files_are_sealed_and_nothing_else_is_touched)
{
	uint32_t published = 0, taken = 0;
	int table;

	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_leave(&store);
	make_hostile_files();
	table = open(store.path, O_RDWR);
	for (uint32_t round = 0; round < 1500; round++) {
		struct ksm_share_set set = pages(draw(400), 1 + draw(100)), common;
		struct ksm_share_slice slice;

		spoil(table);
		if (ksm_store_enter(&store) != 0)
			continue;
		spoil(table);
		slice = slice_at((uint32_t)draw(4));
		ksm_store_mark(&store, &slice, &set, &common);
		spoil(table);
		slice = slice_at(0);
		if (draw(20) == 0 && ksm_store_may_publish(&store) &&
		    ksm_store_add(&store, &slice, &set) == 0)
			published += ksm_store_publish(&store) >= 0;
		for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
			struct ksm_share_file file = ksm_store_file(&store, i);

			if (file.descriptor < 0)
				continue;
			taken++;
			cr_assert_eq(ksm_share_check(&file), 0);
		}
		ksm_store_leave(&store);
	}
	cr_assert_gt(published, 0);
	cr_assert_gt(taken, 0);
	for (uint32_t i = 0; i < KSM_COUNT_OF(hostile_files); i++)
		cr_assert_eq(fcntl(hostile_files[i], F_GETFD) & ~FD_CLOEXEC, 0);
	for (uint32_t i = 0; i < KSM_SHARE_PAGES; i++)
		cr_assert_eq(memory[i * KSM_PAGE], (unsigned char)(i + 1));
}
