/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of a store with holes, which this process maps and has open. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ksmalloc/segment.h>

#include "join/memory.h"
#include "read/store_files.h"

#define PAGES 64
#define PAGE  4096UL

/* A file of so many pages in which every eighth one is there. */
static int make_file(void)
{
	int fd = memfd_create(KSMALLOC_STORE_NAME, MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, PAGES * PAGE), 0);
	for (off_t page = 0; page < PAGES; page += 8)
		cr_assert_eq(pwrite(fd, "x", 1, page * (off_t)PAGE), 1);
	return fd;
}

static char *map_file(int fd, size_t first, size_t pages)
{
	char *address = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)(first * PAGE));

	cr_assert_neq(address, MAP_FAILED);
	return address;
}

/* What is found of the mapping at an address. */
static struct ksr_vma look(const char *address)
{
	struct ksr_store_files files = {.count = 0};
	struct ksr_vma found = {.begin = 0};
	struct ksr_smaps smaps;
	struct ksr_fs fs;

	cr_assert_eq(ksr_fs_init(&fs, NULL), 0);
	cr_assert_eq(ksr_smaps_read(&fs, getpid(), &smaps), 0);
	/* A second look has nothing to find out any more. */
	for (int i = 0; i < 2; i++)
		ksr_store_files_look(&files, &fs, getpid(), &smaps);
	for (size_t i = 0; i < smaps.count; i++) {
		if (smaps.vmas[i].begin == (uintptr_t)address)
			found = smaps.vmas[i];
		else if (!(smaps.vmas[i].flags & KSR_VMA_STORE))
			cr_assert_eq(smaps.vmas[i].hollow, 0);
	}
	ksr_smaps_free(&smaps);
	ksr_store_files_free(&files);
	ksr_fs_fini(&fs);
	return found;
}

static uint64_t shared_of(const char *address)
{
	struct ksr_vma vma = look(address);
	struct ksr_memory memory;

	cr_assert(vma.flags & KSR_VMA_STORE);
	ksr_memory_from_vma(&vma, &memory);
	return memory.shared / PAGE;
}

Test(store_files, test_holes_are_not_shared)
{
	int fd = make_file();
	char *all = map_file(fd, 0, PAGES);
	/* Begins within a hole, and ends with the second page that it has. */
	char *part = map_file(fd, 3, 14);

	cr_assert_eq(shared_of(all), PAGES / 8);
	cr_assert_eq(look(part).offset, 3 * PAGE);
	cr_assert_eq(shared_of(part), 2);
	/* A copy of a page, and one over a hole, which has a page of the file then, as the kernel copies from there. */
	all[8 * PAGE] = 'y';
	cr_assert_eq(shared_of(all), PAGES / 8 - 1);
	all[9 * PAGE] = 'y';
	cr_assert_eq(shared_of(all), PAGES / 8 - 1);
	cr_assert_eq(shared_of(part), 3);
	for (size_t page = 0; page < PAGES; page++)
		all[page * PAGE] = 'y';
	cr_assert_eq(shared_of(all), 0);
	close(fd);
}

/* What is carried over lies over a hole: it is the process's own and no hole, counted once. */
Test(store_files, test_copies_over_holes)
{
	int fd = make_file();
	char *all = map_file(fd, 0, PAGES);
	char *part = map_file(fd, 3, 14);
	static const size_t copied[] = {1, 7, 8, 15, 16, 62, 63};

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		all[copied[i] * PAGE] = 'y';
	part[0] = 'y';
	/* The file's pages go, and every eighth comes back; the copies stay, two of them over such pages. */
	cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGES * PAGE), 0);
	for (off_t page = 0; page < PAGES; page += 8)
		cr_assert_eq(pwrite(fd, "x", 1, page * (off_t)PAGE), 1);
	cr_assert_eq(look(all).anonymous, 7 * PAGE);
	cr_assert_eq(look(all).hollow, (PAGES - PAGES / 8 - 5) * PAGE);
	cr_assert_eq(shared_of(all), PAGES / 8 - 2);
	cr_assert_eq(look(part).hollow, (14 - 2 - 1) * PAGE);
	cr_assert_eq(shared_of(part), 2);
	close(fd);
}

/* Where nobody has the file open any more, all that is mapped may be shared. */
Test(store_files, test_unknown_without_descriptor)
{
	int fd = make_file();
	char *all = map_file(fd, 0, PAGES);

	close(fd);
	cr_assert_eq(look(all).hollow, 0);
	cr_assert_eq(shared_of(all), PAGES);
}

/* What has the name of a store's file, and is none that is mapped, or no file. */
Test(store_files, test_other_descriptors)
{
	char name[64];
	int other = make_file();
	int fd = make_file();
	char *all = map_file(fd, 0, PAGES);
	int pipes[2];

	cr_assert_eq(pipe(pipes), 0);
	snprintf(name, sizeof(name), "/tmp/memfd:%s (deleted)", KSMALLOC_STORE_NAME);
	cr_assert(mkfifo(name, 0600) == 0);
	cr_assert(open(name, O_RDWR | O_CLOEXEC) >= 0);
	unlink(name);
	cr_assert_eq(shared_of(all), PAGES / 8);
	close(other);
	close(fd);
}

Test(store_files, test_empty_file)
{
	int fd = memfd_create(KSMALLOC_STORE_NAME, MFD_CLOEXEC);
	char *all;

	cr_assert_eq(ftruncate(fd, PAGES * PAGE), 0);
	all = map_file(fd, 0, PAGES);
	cr_assert_eq(shared_of(all), 0);
	close(fd);
}
