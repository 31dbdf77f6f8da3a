/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * data: a program whose data segment is written to in the same way in each of its processes: variables with and without a first
 * value, and pointers that the loader relocates and protects. For each line on its standard input: "fill" writes to the
 * variables, "map FILE" maps a file privately and writes to half of it, "share" makes a pass and says what it gained, "kinds" and "archive" say how many pages are mapped from the store
 * and which rights they have, "check" how many bytes are wrong, "write" changes some, "clear" gives some back, "drop" would
 * give back what the file has and says the error, and "keep" tells the kernel to keep the variables out of core dumps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"
#include "of_store.h"

#define PAGE	4096u
#define BYTES	(64 * PAGE)
#define ALIGNED __attribute__((aligned(PAGE)))

static unsigned char with_value[BYTES] ALIGNED = { 1 };
static unsigned char without_value[BYTES] ALIGNED;

#define EIGHT(what)	   what, what, what, what, what, what, what, what
#define MANY(what)	   EIGHT(EIGHT(EIGHT(EIGHT(what))))
#define POINTERS	   4096u
static unsigned char target;
static unsigned char *const relocated[POINTERS] ALIGNED = { MANY(&target) };

static int version[2];

static unsigned char byte_of(unsigned int number, size_t at)
{
	return (unsigned char)(at / 7 * 13 + number + (at < BYTES / 2 ? version[number] : 0) + 1);
}

static void fill(unsigned char *memory, unsigned int number)
{
	for (size_t i = 0; i < BYTES; i++)
		memory[i] = byte_of(number, i);
}

/* A file of zeros, of which every other 16 pages are written to. It stays mapped. */
static unsigned char *archive;

static int map_archive(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	archive = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (archive == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < BYTES; i++) {
		if (i / PAGE / 16 % 2)
			archive[i] = byte_of(0, i);
	}
	return 0;
}

static unsigned int count_wrong_of_archive(void)
{
	unsigned int wrong = 0;

	for (size_t i = 0; archive && i < BYTES; i++)
		wrong += archive[i] != (i / PAGE / 16 % 2 ? byte_of(0, i) : 0);
	return wrong;
}

static unsigned int count_wrong(void)
{
	unsigned int wrong = count_wrong_of_archive();

	for (size_t i = 0; i < BYTES; i++)
		wrong += (with_value[i] != byte_of(0, i)) + (without_value[i] != byte_of(1, i));
	for (unsigned int i = 0; i < POINTERS; i++)
		wrong += ((unsigned char *const volatile *)relocated)[i] != &target;
	return wrong;
}

static void show_kind(const volatile void *begin, size_t bytes)
{
	char rights[8];
	unsigned long pages = count_of_store(begin, bytes, rights);

	printf("%lu %s ", pages, rights);
}

/* What was given back reads as zeros, and is filled again. */
static unsigned int clear(void)
{
	unsigned int wrong = madvise(without_value + 20 * PAGE, 30 * PAGE, MADV_DONTNEED) != 0;

	for (size_t i = 20 * PAGE; i < 50 * PAGE; i++)
		wrong += without_value[i] != 0;
	fill(without_value, 1);
	return wrong;
}

/* Nobody gets zeros for what the file has: that it cannot be had again is an error, and nothing changes. */
static int drop(void)
{
	int first = madvise(with_value, PAGE, MADV_DONTNEED) == 0 ? 0 : errno;
	int second = madvise(with_value + 4 * PAGE, PAGE, MADV_DONTNEED) == 0 ? 0 : errno;

	return first == second ? first : -1;
}

static void write_some(void)
{
	version[0]++;
	version[1]++;
	fill(with_value, 0);
	fill(without_value, 1);
}

static void answer(char *line)
{
	if (strncmp(line, "fill", 4) == 0) {
		fill(with_value, 0);
		fill(without_value, 1);
		printf("0");
	} else if (strncmp(line, "share", 5) == 0) {
		printf("%ld", ksmalloc_share());
	} else if (strncmp(line, "kinds", 5) == 0) {
		show_kind(with_value, sizeof(with_value));
		show_kind(without_value, sizeof(without_value));
		show_kind(relocated, sizeof(relocated));
	} else if (strncmp(line, "check", 5) == 0) {
		printf("%u", count_wrong());
	} else if (strncmp(line, "map ", 4) == 0) {
		printf("%d", map_archive(strtok(line + 4, "\n")));
	} else if (strncmp(line, "archive", 7) == 0) {
		show_kind(archive, BYTES);
	} else if (strncmp(line, "write", 5) == 0) {
		write_some();
		printf("0");
	} else if (strncmp(line, "clear", 5) == 0) {
		printf("%u", clear());
	} else if (strncmp(line, "drop", 4) == 0) {
		printf("%d %d", drop(), with_value[0]);
	} else {
		printf("%d", madvise(with_value, sizeof(with_value), MADV_DONTDUMP));
	}
	printf("\n");
	fflush(stdout);
}

int main(void)
{
	char line[4096 + 8];

	while (fgets(line, sizeof(line), stdin))
		answer(line);
	return 0;
}
