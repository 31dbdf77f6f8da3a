/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * huge-worker [BYTES]: a worker with blocks of so many bytes, else 64 KiB, each byte of which it knows. It reads commands from standard input and answers each with a
 * number: of bytes that are wrong, of pages that were gained, or 0.
 *   load MEBIBYTES      allocates blocks and fills them
 *   differ EVERY        gives a page of each EVERYth block a content that only this process has
 *   equal EVERY         and the usual one again
 *   zeros EVERY         gives a page of each EVERYth block back (MADV_DONTNEED), looks at it, and fills it again
 *   free 0              frees all blocks and allocates them anew, zeroed
 *   fork 0              a child looks at all bytes, does all of that, and looks again
 *   small 0, disable 0  asks for no huge pages: in its blocks (madvise), at all (prctl)
 *   share 0, check 0
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"

#define PAGE 4096u

static size_t block_bytes = 65536;
static unsigned char *blocks[16384];
static size_t count;
static uint32_t differing; /* every so many blocks, 0 for none */

/* The page of the block that changes, another one in each. */
static size_t page_of(size_t block)
{
	return block % (block_bytes / PAGE) * PAGE;
}

static unsigned char usual(size_t block, size_t at)
{
	return (unsigned char)(block * 31 + at / PAGE * 7 + at / 16 * 3 + 1);
}

static unsigned char byte_of(size_t block, size_t at)
{
	if (differing && block % differing == 0 && at - page_of(block) < PAGE)
		return (unsigned char)(at % 251 + (size_t)getpid() + block);
	return usual(block, at);
}

static void fill(size_t block, size_t begin, size_t end)
{
	for (size_t at = begin; at < end; at++)
		blocks[block][at] = byte_of(block, at);
}

static long check(void)
{
	long wrong = 0;

	for (size_t block = 0; block < count; block++) {
		for (size_t at = 0; at < block_bytes; at++)
			wrong += blocks[block][at] != byte_of(block, at);
	}
	return wrong;
}

static long allocate(void)
{
	long wrong = 0;

	for (size_t block = 0; block < count; block++) {
		blocks[block] = calloc(1, block_bytes);
		for (size_t at = 0; at < block_bytes; at++)
			wrong += blocks[block][at] != 0;
	}
	for (size_t block = 0; block < count; block++)
		fill(block, 0, block_bytes);
	return wrong;
}

static void write_pages(uint32_t before, uint32_t now)
{
	uint32_t every = now ? now : before;

	differing = now;
	for (size_t block = 0; every && block < count; block += every)
		fill(block, page_of(block), page_of(block) + PAGE);
}

static long give_back(uint32_t every)
{
	long wrong = 0;

	for (size_t block = 0; every && block < count; block += every) {
		unsigned char *page = (unsigned char *)(((uintptr_t)blocks[block] + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
		size_t first = (size_t)(page - blocks[block]);

		wrong += madvise(page, PAGE, MADV_DONTNEED) != 0;
		for (size_t at = 0; at < PAGE; at++)
			wrong += page[at] != 0;
		wrong += blocks[block][first + PAGE] != byte_of(block, first + PAGE);
		fill(block, first, first + PAGE);
	}
	return wrong + check();
}

static long renew(void)
{
	for (size_t block = 0; block < count; block++)
		free(blocks[block]);
	ksmalloc_trim();
	return allocate();
}

static long fork_all(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		long wrong = check();

		write_pages(differing, 3);
		wrong += give_back(5);
		wrong += ksmalloc_share() < 0;
		wrong += check() + renew() + check();
		_exit(wrong != 0);
	}
	waitpid(child, &status, 0);
	return status != 0 ? 1 : check();
}

static long ask_for_small_pages(void)
{
	long wrong = 0;

	for (size_t block = 0; block < count; block++) {
		uintptr_t page = ((uintptr_t)blocks[block] + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

		wrong += madvise((void *)page, PAGE, MADV_NOHUGEPAGE) != 0;
	}
	return wrong;
}

static long obey(const char *command, uint32_t number)
{
	if (strcmp(command, "load") == 0) {
		count = (size_t)number * ((1 << 20) / block_bytes);
		return count <= sizeof(blocks) / sizeof(blocks[0]) ? allocate() : 1;
	}
	if (strcmp(command, "differ") == 0 || strcmp(command, "equal") == 0) {
		uint32_t now = command[0] == 'd' ? number : 0;

		write_pages(number, now);
		return 0;
	}
	if (strcmp(command, "zeros") == 0)
		return give_back(number);
	if (strcmp(command, "free") == 0)
		return renew();
	if (strcmp(command, "fork") == 0)
		return fork_all();
	if (strcmp(command, "small") == 0)
		return ask_for_small_pages();
	if (strcmp(command, "disable") == 0)
		return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (strcmp(command, "share") == 0)
		return ksmalloc_share();
	return check();
}

int main(int argc, char **argv)
{
	char command[32];
	unsigned int number;

	if (argc > 1)
		block_bytes = strtoul(argv[1], NULL, 10);
	setvbuf(stdin, NULL, _IONBF, 0);
	while (scanf("%31s %u", command, &number) == 2) {
		printf("%ld\n", obey(command, number));
		fflush(stdout);
	}
	return 0;
}
