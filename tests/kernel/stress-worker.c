// SPDX-License-Identifier: BSD-2-Clause
/*
 * A worker of the stress: it owns some mappings and knows what each page of them holds. It maps,
 * fills, moves, grows, cuts, protects, forks, exits, gives advice and hints, and checks. What the
 * kernel has not (hints on an unpatched kernel) is refused with EINVAL and counts for nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define PAGE 4096UL
#define MAPPINGS 12
#define MAX_PAGES 512
#define TAGS 6			/* different contents of pages; 0 is all zero */

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define PR_SET_VMA_KSM_HINT 0x4b53
#define PR_KSM_MERGE 0x4b534d47

struct mapping {
	char *address;
	size_t pages;
	uint32_t tag[MAX_PAGES];	/* what each page holds */
};

static struct mapping mappings[MAPPINGS];
static uint64_t state;
static unsigned long hints_taken, merges_taken;

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "stress %d: ", getpid());
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	_exit(1);
}

void chance_begin(uint64_t seed)
{
	state = seed;
}

uint32_t chance(uint32_t below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % below;
}

/* --------------------------------------------------------------------- content */

static uint64_t word_of(uint32_t tag, size_t at)
{
	/* Equal for most of the page: comparisons have to go far. */
	return tag ? (at < 500 ? 0x5353535353535353ULL : tag * 0x9e3779b97f4a7c15ULL) : 0;
}

static void fill(struct mapping *m, size_t page, uint32_t tag)
{
	uint64_t *words = (uint64_t *)(m->address + page * PAGE);
	size_t i;

	for (i = 0; i < PAGE / 8; i++)
		words[i] = word_of(tag, i);
	m->tag[page] = tag;
}

static void check(const struct mapping *m, size_t page)
{
	const uint64_t *words = (const uint64_t *)(m->address + page * PAGE);
	size_t i;

	for (i = 0; i < PAGE / 8; i++)
		if (words[i] != word_of(m->tag[page], i))
			die("page %zu at %p: word %zu is %#llx, but %u was written", page,
			    (const void *)words, i, (unsigned long long)words[i], m->tag[page]);
}

static void check_all(void)
{
	size_t i, page;

	for (i = 0; i < MAPPINGS; i++)
		for (page = 0; page < mappings[i].pages; page++)
			check(&mappings[i], page);
}

/* ------------------------------------------------------------------ operations */

static struct mapping *some_mapping(void)
{
	struct mapping *m = &mappings[chance(MAPPINGS)];

	return m->pages ? m : NULL;
}

/* A range of pages inside a mapping. */
static size_t some_range(const struct mapping *m, size_t *count)
{
	size_t first = chance(m->pages);

	*count = 1 + chance(m->pages - first);
	return first;
}

/* The same in some mapping: NULL if there is none. */
static struct mapping *some_piece(size_t *first, size_t *count)
{
	struct mapping *m = some_mapping();

	if (m)
		*first = some_range(m, count);
	return m;
}

static void op_map(void)
{
	struct mapping *m = &mappings[chance(MAPPINGS)];
	size_t pages = 1 + chance(MAX_PAGES / 2);
	char *at;

	if (m->pages)
		return;
	at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return;
	m->address = at;
	m->pages = pages;
	memset(m->tag, 0, sizeof(m->tag));
	if (chance(4))
		madvise(at, pages * PAGE, MADV_MERGEABLE);
}

static void op_fill(void)
{
	struct mapping *m;
	uint32_t tag = chance(TAGS);
	size_t first, count, i;

	m = some_piece(&first, &count);
	if (!m)
		return;
	for (i = first; i < first + count; i++)
		fill(m, i, chance(8) ? tag : TAGS + chance(1 << 20));
}

static void op_check(void)
{
	struct mapping *m;
	size_t first, count, i;

	m = some_piece(&first, &count);
	if (!m)
		return;
	for (i = first; i < first + count; i++)
		check(m, i);
}

static void op_unmap(void)
{
	struct mapping *m = some_mapping();
	size_t cut;

	if (!m)
		return;
	/* The end only, mostly: what stays is one mapping still. */
	cut = chance(3) ? 1 + chance(m->pages) : m->pages;
	munmap(m->address + (m->pages - cut) * PAGE, cut * PAGE);
	m->pages -= cut;
}

static void op_move(void)
{
	struct mapping *m = some_mapping();
	size_t pages, i;
	char *to;

	if (!m)
		return;
	pages = 1 + chance(MAX_PAGES);
	to = mremap(m->address, m->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);
	if (to == MAP_FAILED)
		return;		/* advice has made several mappings of it */
	for (i = m->pages; i < pages; i++)
		m->tag[i] = 0;
	m->address = to;
	m->pages = pages;
}

static void op_advise(void)
{
	static const int advice[] = { MADV_MERGEABLE, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
				      MADV_NOHUGEPAGE, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED };
	struct mapping *m;
	size_t first, count;

	m = some_piece(&first, &count);
	if (!m)
		return;
	madvise(m->address + first * PAGE, count * PAGE, advice[chance(sizeof(advice) / sizeof(advice[0]))]);
}

static void op_discard(void)
{
	struct mapping *m;
	size_t first, count, i;

	m = some_piece(&first, &count);
	if (!m)
		return;
	if (madvise(m->address + first * PAGE, count * PAGE, MADV_DONTNEED))
		return;
	for (i = first; i < first + count; i++)
		m->tag[i] = 0;
}

static void op_protect(void)
{
	struct mapping *m;
	size_t first, count;

	m = some_piece(&first, &count);
	if (!m)
		return;
	mprotect(m->address + first * PAGE, count * PAGE, chance(2) ? PROT_READ : PROT_NONE);
	sched_yield();
	if (mprotect(m->address + first * PAGE, count * PAGE, PROT_READ | PROT_WRITE))
		die("mprotect: %s", strerror(errno));
}

static void op_lock(void)
{
	struct mapping *m;
	size_t first, count;

	m = some_piece(&first, &count);
	if (!m)
		return;
	mlock(m->address + first * PAGE, count * PAGE);
	munlock(m->address + first * PAGE, count * PAGE);
}

static void op_hint(void)
{
	struct mapping *m;
	/* A place in a program, or in a file. */
	uint64_t hint = chance(3) ? 1 + chance(8) : 1ULL << 55 | (1 + chance(2)) << 18 | chance(4);
	size_t first, count;

	m = some_piece(&first, &count);
	if (!m)
		return;
	hint |= (uint64_t)chance(16) << 48 | (uint64_t)chance(3) << 52 | (uint64_t)chance(2) << 54;
	if (!chance(6))
		hint = 0;
	if (!prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, m->address + first * PAGE, count * PAGE, hint))
		hints_taken++;
}

static void op_merge_now(void)
{
	struct mapping *m;
	size_t first, count;

	m = some_piece(&first, &count);
	if (!m)
		return;
	if (prctl(PR_KSM_MERGE, m->address + first * PAGE, count * PAGE, chance(2), 0) >= 0)
		merges_taken++;
}

static void op_process(void)
{
	prctl(PR_SET_MEMORY_MERGE, chance(2), 0, 0, 0);
}

/* A child has the same pages and goes its own way, while its parent waits or does not. */
static void op_fork(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return;
	if (!pid) {
		uint32_t i;

		state ^= (uint64_t)getpid() << 20;
		for (i = chance(20); i; i--)
			chance(2) ? op_fill() : op_check();
		if (!chance(4))
			execl("/bin/true", "true", NULL);
		check_all();
		_exit(0);
	}
	if (!chance(3))
		op_fill();
	if (!chance(8))
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status))
		die("child %d ended with %d", pid, WEXITSTATUS(status));
}

static void op_read_files(void)
{
	static const char * const files[] = { "/proc/self/smaps", "/proc/self/ksm_stat",
					      "/proc/self/ksm_sites", "/proc/self/pagemap" };
	char bytes[16384];
	int fd = open(files[chance(4)], O_RDONLY);

	if (fd < 0)
		return;
	while (read(fd, bytes, sizeof(bytes)) > 0 && chance(64))
		;
	close(fd);
}

static void (* const operations[])(void) = {
	op_map, op_map, op_map, op_fill, op_fill, op_fill, op_fill, op_check, op_check, op_unmap,
	op_move, op_advise, op_advise, op_discard, op_protect, op_lock, op_hint, op_hint,
	op_merge_now, op_process, op_fork, op_read_files,
};

void work(time_t end)
{
	unsigned long done = 0;

	while (time(NULL) < end) {
		operations[chance(sizeof(operations) / sizeof(operations[0]))]();
		/* ksmd needs time to find what is equal. */
		if (!(++done % 64))
			usleep(20000);
	}
	check_all();
	printf("stress %d: %lu operations, %lu hints, %lu merges on request\n", getpid(), done,
	       hints_taken, merges_taken);
	fflush(stdout);
	_exit(0);
}
