/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of slices are made of: memory whose pages have a content that tells them apart, and a file with the same. */
#ifndef UNIT_SHARE_MEMORY_H
#define UNIT_SHARE_MEMORY_H

#include "store/share.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES KSM_SHARE_PAGES
#define SLICES 3u

static struct ksm_share_work work;
static struct ksm_share_file file;
static struct ksm_share_slice slices[SLICES];
static unsigned char *memory;
static uint32_t introduced;

static inline void introduce(void *addr, size_t length)
{
	introduced++;
	madvise(addr, length, MADV_NOHUGEPAGE);
}

static inline unsigned char *page_at(uint32_t page)
{
	return memory + (size_t)page * KSM_PAGE;
}

/* A page's usual content: no two pages have the same. */
static inline void fill(unsigned char *page, uint32_t number)
{
	uint32_t *words = (uint32_t *)(void *)page;

	for (uint32_t i = 0; i < KSM_PAGE / sizeof(*words); i++)
		words[i] = number * 2654435761u + i + 1;
}

static inline void touch(uint32_t page, uint32_t pages)
{
	for (uint32_t i = page; i < page + pages; i++)
		fill(page_at(i), i);
}

/* Puts pages into the file as touch() does into memory. */
static inline void store(uint32_t page, uint32_t pages)
{
	unsigned char content[KSM_PAGE] __attribute__((aligned(8)));

	for (uint32_t i = page; i < page + pages; i++) {
		fill(content, i);
		cr_assert_eq(pwrite(file.descriptor, content, KSM_PAGE, (off_t)(i * KSM_PAGE)), (ssize_t)KSM_PAGE);
	}
}

static inline void seal(void)
{
	cr_assert_eq(ksm_os_seal(file.descriptor), 0);
	cr_assert_eq(ksm_share_check(&file), 0);
}

static inline void want(struct ksm_share_slice *slice, uint32_t page, uint32_t pages)
{
	for (uint32_t i = page; i < page + pages; i++)
		ksm_share_add(&slice->wanted, i);
}

static inline void setup(void)
{
	char *reserved = mmap(NULL, (SLICES + 2) * KSM_SHARE_SLICE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq((void *)reserved, MAP_FAILED);
	memory = (unsigned char *)ksm_align_up((uintptr_t)reserved, KSM_SHARE_SLICE);
	cr_assert_eq(mmap(memory, SLICES * KSM_SHARE_SLICE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0), memory);
	madvise(memory, SLICES * KSM_SHARE_SLICE, MADV_NOHUGEPAGE);
	file = (struct ksm_share_file){ ksm_os_create_store("test"), SLICES * KSM_SHARE_SLICE, NULL };
	cr_assert_geq(file.descriptor, 0);
	cr_assert_eq(ksm_os_set_length(file.descriptor, file.bytes), 0);
	for (uint32_t i = 0; i < SLICES; i++) {
		slices[i] = (struct ksm_share_slice){ .address = (uintptr_t)memory + i * KSM_SHARE_SLICE,
						      .place = i * KSM_SHARE_SLICE,
						      .introduce = introduce };
		want(&slices[i], 0, PAGES);
	}
	cr_assert_eq(ksm_share_begin(&work), 0);
	cr_assert_eq(ksm_share_open(&work), 0);
}

static inline int share(uint32_t number)
{
	int error;

	errno = 99;
	error = ksm_share_slice(&file, &work, &slices[number]);
	cr_assert_eq(errno, 99);
	return error;
}

/* Whether a page is the process's own, is the file's, or is not there. */
static inline char kind(uint32_t page)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	cr_assert_eq(pread(pagemap, &entry, sizeof(entry), (off_t)(((uintptr_t)page_at(page) >> 12) * 8)),
		     (ssize_t)sizeof(entry));
	close(pagemap);
	return !(entry >> 63) ? '-' : entry >> 61 & 1 ? 'f' : 'o';
}

static inline void expect_usual(uint32_t page, uint32_t pages)
{
	unsigned char content[KSM_PAGE] __attribute__((aligned(8)));

	for (uint32_t i = page; i < page + pages; i++) {
		fill(content, i);
		cr_assert_eq(memcmp(page_at(i), content, KSM_PAGE), 0, "page %u", i);
	}
}

static inline void expect_zeros(uint32_t page, uint32_t pages)
{
	static const unsigned char zeros[KSM_PAGE];

	for (uint32_t i = page; i < page + pages; i++)
		cr_assert_eq(memcmp(page_at(i), zeros, KSM_PAGE), 0, "page %u", i);
}

/* Mappings that lie in the memory, and how many of them are the file's. */
static inline uint32_t count_mappings(uint32_t *of_file)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint32_t count = 0;
	char line[512];

	*of_file = 0;
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t begin = strtoul(line, NULL, 16);

		if (begin < (uintptr_t)memory || begin >= (uintptr_t)memory + SLICES * KSM_SHARE_SLICE)
			continue;
		count++;
		*of_file += strstr(line, "/memfd:test") != NULL;
	}
	fclose(maps);
	return count;
}

static inline uint32_t count_kind(char wanted, uint32_t page, uint32_t pages)
{
	uint32_t count = 0;

	for (uint32_t i = page; i < page + pages; i++)
		count += kind(i) == wanted;
	return count;
}

#endif
