/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker that knows each byte that it should have. It reads commands from standard input, and answers each of them with a
 * line: numbers, or "ok", or what is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "ksmalloc/keeper.h"
#include "ksmalloc/ksmalloc.h"
#include "ksmalloc/segment.h"
#include "test.h"
#include "worker_memory.h"
#include "worker_threads.h"

#define PAGE 4096u

struct block {
	unsigned char *bytes;
	size_t size;
	uint32_t version;
};

/* --- what the library says of itself ----------------------------------------------------------- */

static const char *const reasons[] = {
#define REASON_KEY(name, key, words, remedy) key,
	KSMALLOC_ASIDE_REASONS(REASON_KEY)
};

static uint32_t last_reason; /* why the last pass was not made */

/* The process's own segment: it begins where its marker ends. */
static const struct ksmalloc_segment_share *seen(void)
{
	static const struct ksmalloc_segment_header *header;
	FILE *file = header ? NULL : fopen("/proc/self/maps", "re");
	char line[512];
	unsigned long end;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "/memfd:" KSMALLOC_SEGMENT_MARKER " ") && sscanf(line, "%*x-%lx", &end) == 1)
			header = (const struct ksmalloc_segment_header *)end;
	}
	if (file)
		fclose(file);
	return &header->share;
}

static void show_counters(void)
{
#define SHOW_COUNTER(name, kind, help) printf(" " #name "=%llu", (unsigned long long)seen()->stats.name);
	KSMALLOC_SHARE_STATS(SHOW_COUNTER)
	for (unsigned int i = 0; i < KSMALLOC_MAX_STORE_FILES; i++) {
		if (seen()->files[i].inode)
			printf(" %llu:%llu", (unsigned long long)seen()->files[i].inode,
			       (unsigned long long)seen()->files[i].bytes);
	}
	printf("\n");
}

static void pretend_version(uint32_t version)
{
	uintptr_t header = (uintptr_t)seen() - offsetof(struct ksmalloc_segment_header, share);

	((struct ksmalloc_segment_header *)header)->version = version;
}

static long share_now(void)
{
	long gained = ksmalloc_share();

	last_reason = seen()->aside;
	return gained;
}

static struct block *blocks;
static uint32_t count;

static unsigned char byte_of(const struct block *block, size_t at)
{
	uint32_t number = (uint32_t)(block - blocks);

	return (unsigned char)(number * 31 + block->version * 7 + at / 16 * 3 + 1);
}

static void fill(struct block *block, size_t from)
{
	for (size_t i = from; i < block->size; i++)
		block->bytes[i] = byte_of(block, i);
}

static bool is_right(const struct block *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (block->bytes[i] != byte_of(block, i))
			return false;
	}
	return true;
}

static size_t size_of(uint32_t number)
{
	return number % 10 ? 100 + number % 900 : 20000 + number % 5000;
}

static void load(uint32_t wanted)
{
	blocks = calloc(wanted, sizeof(*blocks));
	count = wanted;
	for (uint32_t i = 0; i < count; i++) {
		blocks[i].size = size_of(i);
		blocks[i].bytes = malloc(blocks[i].size);
		fill(&blocks[i], 0);
	}
}

static uint32_t count_wrong(void)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < count; i++)
		wrong += !is_right(&blocks[i], blocks[i].size);
	return wrong;
}

/* --- what a program does to memory ----------------------------------------------------------- */

/* rewrite EVERY [BLOCKS [FIRST]]: one in so many stretches of so many blocks; where EVERY is negative, as it was before. */
static void rewrite(const char *line)
{
	long every = 0, stretch = 1, first = 0;

	sscanf(line, "rewrite %ld %ld %ld", &every, &stretch, &first);
	for (uint32_t i = 0; every && i < count; i++) {
		if ((i / stretch + first) % labs(every))
			continue;
		blocks[i].version += every < 0 ? UINT32_MAX : 1;
		fill(&blocks[i], 0);
	}
}

/* What was freed comes back as zeros from calloc. */
static uint32_t renew(void)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < count; i += 2)
		free(blocks[i].bytes);
	for (uint32_t i = 0; i < count; i += 2) {
		blocks[i].bytes = calloc(1, blocks[i].size);
		for (size_t at = 0; at < blocks[i].size; at++)
			wrong += blocks[i].bytes[at] != 0;
	}
	for (uint32_t i = 0; i < count; i += 2)
		fill(&blocks[i], 0);
	return wrong;
}

/* All of it is freed, so that whole runs go back to the kernel, and allocated anew. */
static uint32_t renew_all(void)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < count; i++)
		free(blocks[i].bytes);
	ksmalloc_trim();
	for (uint32_t i = 0; i < count; i++) {
		blocks[i].bytes = calloc(1, blocks[i].size);
		for (size_t at = 0; at < blocks[i].size; at++)
			wrong += blocks[i].bytes[at] != 0;
	}
	for (uint32_t i = 0; i < count; i++)
		fill(&blocks[i], 0);
	return wrong;
}

static uint32_t grow(void)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < count; i += 5) {
		size_t before = blocks[i].size;

		blocks[i].size = before * 3;
		blocks[i].bytes = realloc(blocks[i].bytes, blocks[i].size);
		wrong += !is_right(&blocks[i], before);
		fill(&blocks[i], before);
	}
	return wrong;
}

static int fork_and_write(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		uint32_t wrong = count_wrong();

		rewrite("rewrite 3");
		share_now();
		wrong += renew() + count_wrong();
		rewrite("rewrite -3");
		share_now();
		_exit(wrong + count_wrong() != 0);
	}
	waitpid(child, &status, 0);
	return status;
}

/* Blocks of whole pages, whose advice and rights the program changes. */
static unsigned char *block_of_pages;

static const char *advise(void)
{
	unsigned char *block = block_of_pages;
	const size_t bytes = 64 * PAGE;
	int status = 0;
	pid_t child;

	if (!block) {
		if (posix_memalign((void **)&block_of_pages, PAGE, 8 * bytes))
			return "no memory";
		block = block_of_pages;
		for (size_t i = 0; i < 8 * bytes; i++)
			block[i] = (unsigned char)(i / 100 + 1);
		return "made";
	}
	if (madvise(block + bytes, bytes, MADV_DONTNEED) || madvise(block + 3 * bytes, PAGE, MADV_DONTNEED) ||
	    (madvise(block + 3 * bytes + 2 * PAGE, PAGE, MADV_FREE) && errno != EINVAL))
		return strerror(errno);
	for (size_t i = 0; i < bytes; i++) {
		if (block[bytes + i] || (i < PAGE && block[3 * bytes + i]))
			return "what was given back is not zero";
		if (block[2 * bytes + i] != (unsigned char)((2 * bytes + i) / 100 + 1))
			return "what lies beside it is gone";
	}
	if (mlock(block + 4 * bytes, bytes) == 0) {
		if (madvise(block + 4 * bytes, bytes, MADV_DONTNEED) == 0 || errno != EINVAL ||
		    block[5 * bytes - 1] != (unsigned char)((5 * bytes - 1) / 100 + 1))
			return "what was locked is gone";
		/* What lies before it is given back, and there it ends. */
		if (madvise(block + 4 * bytes - PAGE, PAGE + bytes, MADV_DONTNEED) == 0 || errno != EINVAL || block[4 * bytes - PAGE] ||
		    block[4 * bytes] != (unsigned char)(4 * bytes / 100 + 1) || munlock(block + 4 * bytes, bytes))
			return "what was locked behind other memory is gone";
	}
	if (madvise(block + 5 * bytes, PAGE, MADV_WIPEONFORK))
		return strerror(errno);
	child = fork();
	if (child == 0)
		_exit(block[5 * bytes + 1] != 0 || block[6 * bytes] != (unsigned char)(6 * bytes / 100 + 1));
	waitpid(child, &status, 0);
	if (status)
		return "the child was to have zeros";
	if (mprotect(block + 7 * bytes, 2 * PAGE, PROT_READ) || madvise(block + 7 * bytes, PAGE, MADV_DONTNEED) ||
	    block[7 * bytes] != 0 || mprotect(block + 7 * bytes, 2 * PAGE, PROT_READ | PROT_WRITE))
		return "what may only be read cannot be given back";
	block[7 * bytes] = 1;
	return "ok";
}

/* The same in its place: a hole is made behind it, into which it grows again. */
static const char *grow_in_place(unsigned char *memory, size_t bytes)
{
	if (mremap(memory, bytes, bytes / 2, 0) != memory || mremap(memory, bytes / 2, bytes, 0) != memory)
		return strerror(errno);
	for (size_t i = 0; i < bytes; i++) {
		if (memory[i] != (i < bytes / 2 ? (unsigned char)((2 * bytes + i) / 100 + 1) : 0))
			return "what grew in its place has another content";
	}
	return NULL;
}

/* Shared memory of malloc that becomes longer: what is behind it in the file is something else. It is never freed. */
static const char *remap_block(void)
{
	const size_t bytes = 64 * PAGE;
	const char *wrong = grow_in_place(block_of_pages + 2 * bytes, bytes);
	unsigned char *memory;

	if (wrong)
		return wrong;
	memory = mremap(block_of_pages, bytes, 2 * bytes, MREMAP_MAYMOVE);
	if (memory == MAP_FAILED)
		return strerror(errno);
	for (size_t i = 0; i < 2 * bytes; i++) {
		if (memory[i] != (i < bytes ? (unsigned char)(i / 100 + 1) : 0))
			return "what became longer has another content";
	}
	munmap(memory, 2 * bytes);
	return "ok";
}

/* A mapping of the program's own that becomes longer, beside all that. */
static const char *remap(void)
{
	const size_t bytes = 1 << 20;
	unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return "no mapping";
	memset(memory, 5, bytes);
	share_now();
	memory = mremap(memory, bytes, 2 * bytes, MREMAP_MAYMOVE);
	if (memory == MAP_FAILED)
		return "no longer mapping";
	for (size_t i = 0; i < 2 * bytes; i++) {
		if (memory[i] != (i < bytes ? 5 : 0))
			return "another content";
	}
	munmap(memory, 2 * bytes);
	return remap_block();
}

/* --- stacks in memory of malloc ---------------------------------------------------------------- */

static ucontext_t main_context, coroutine;
static long share_result;

static void share_in_coroutine(void)
{
	share_result = share_now();
}

/* At first makes the memory. Then writes to all of it, and a pass is made on a stack in the middle of it. */
static long share_on_own_stack(void)
{
	const size_t bytes = 6 << 20, stack = 1 << 20;
	static unsigned char *memory;
	bool is_new = !memory;

	if (is_new)
		memory = malloc(bytes);
	for (size_t i = 0; i < bytes; i++)
		memory[i] = (unsigned char)(i / 100 + (is_new ? 1 : 2));
	if (is_new)
		return 0;
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = memory + bytes / 2;
	coroutine.uc_stack.ss_size = stack;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, share_in_coroutine, 0);
	swapcontext(&main_context, &coroutine);
	for (size_t i = 0; i < bytes; i++) {
		if ((i < bytes / 2 || i >= bytes / 2 + stack) && memory[i] != (unsigned char)(i / 100 + 2))
			return -1000;
	}
	return share_result;
}

/* --- limits ------------------------------------------------------------------------------------ */

static long limit_files(bool on)
{
	static struct rlimit before;
	struct rlimit none = { 3, 3 };

	if (on)
		getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	return setrlimit(RLIMIT_NOFILE, on ? &none : &before);
}

static long limit_file_size(long bytes)
{
	struct rlimit limit = { (rlim_t)bytes, RLIM_INFINITY };

	return setrlimit(RLIMIT_FSIZE, &limit);
}

static void *wait_for_ever(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

/* stopped: the other thread sleeps, as if a keeper had stopped it. */
static long share_with_thread(bool stopped)
{
	pthread_t thread;
	long result;

	if (pthread_create(&thread, NULL, wait_for_ever, NULL))
		return 1;
	result = stopped ? ksmalloc_share_stopped(10000000) : share_now();
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	return result;
}

static void *share_for_ever(void *nothing)
{
	for (;;) {
		share_now();
		pthread_testcancel();
	}
	return nothing;
}

/* How many of some children, which are forked while another thread asks for a pass, cannot make one. */
static uint32_t fork_beside_thread(void)
{
	uint32_t refused = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, share_for_ever, NULL))
		return 1000;
	for (int i = 0; i < 30; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0)
			_exit(share_now() < 0);
		waitpid(child, &status, 0);
		refused += status != 0;
	}
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	return refused;
}

static int write_for_ever(void *memory)
{
	volatile unsigned char *byte = memory;

	for (;;)
		++*byte;
	return 0;
}

/* 1 if it cannot be told here that another process has the memory, too. */
static long share_with_partner(void)
{
	static unsigned char stack[65536] __attribute__((aligned(16)));
	unsigned char *memory = malloc(PAGE);
	long result;
	pid_t partner;

	if (unshare(CLONE_VM))
		return 1;
	partner = clone(write_for_ever, stack + sizeof(stack), CLONE_VM | SIGCHLD, memory);
	result = share_now();
	kill(partner, SIGKILL);
	waitpid(partner, NULL, 0);
	free(memory);
	return result;
}

/* A ring of which only the mapping is left. 1 if there is none here. */
static long share_with_ring(void)
{
	struct io_uring_params parameters = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
	void *memory;
	long result;

	if (ring < 0)
		return 1;
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	close(ring);
	if (memory == MAP_FAILED)
		return 1;
	result = share_now();
	munmap(memory, PAGE);
	return result;
}

/* As a program does that becomes a daemon; what is opened afterwards has their numbers. */
static long close_files(void)
{
	long opened = 0;

	for (int i = 3; i < 1024; i++)
		close(i);
	for (int i = 0; i < 1000; i++)
		opened += open("/dev/null", O_RDWR) >= 0;
	return opened;
}

static bool is(const char *line, const char *command)
{
	return strncmp(line, command, strlen(command)) == 0;
}

/* Questions, which change nothing. */
static bool answers(const char *line)
{
	if (is(line, "reason")) {
		printf("%s\n", reasons[last_reason]);
	} else if (is(line, "place")) {
		printf("%p\n", (void *)blocks[0].bytes);
	} else if (is(line, "seen")) {
		show_counters();
	} else if (is(line, "check")) {
		printf("%u\n", count_wrong());
	} else if (is(line, "maps")) {
		printf("%zu\n", test_vma_count());
	} else if (is(line, "memory")) {
		worker_show_memory();
	} else {
		return false;
	}
	return true;
}

static void obey(const char *line)
{
	long number = strtol(strchr(line, ' ') ? strchr(line, ' ') : "0", NULL, 10);

	if (is(line, "load"))
		load((uint32_t)number);
	if (is(line, "rewrite"))
		rewrite(line);
	if (is(line, "share"))
		printf("%ld\n", share_now());
	else if (is(line, "renew_all"))
		printf("%u\n", renew_all());
	else if (is(line, "renew"))
		printf("%u\n", renew());
	else if (is(line, "grow"))
		printf("%u\n", grow());
	else if (is(line, "fork"))
		printf("%d\n", fork_and_write());
	else if (is(line, "advise"))
		printf("%s\n", advise());
	else if (is(line, "remap"))
		printf("%s\n", remap());
	else if (is(line, "files"))
		printf("%ld\n", limit_files(number));
	else if (is(line, "thread"))
		printf("%ld\n", share_with_thread(number));
	else if (is(line, "coroutine"))
		printf("%ld\n", share_on_own_stack());
	else if (is(line, "length"))
		printf("%ld\n", limit_file_size(number));
	else if (is(line, "children"))
		printf("%u\n", fork_beside_thread());
	else if (is(line, "partner"))
		printf("%ld\n", share_with_partner());
	else if (is(line, "ring"))
		printf("%ld\n", share_with_ring());
	else if (is(line, "close"))
		printf("%ld\n", close_files());
	else if (is(line, "lock"))
		printf("%d\n", mlock(blocks, PAGE));
	else if (is(line, "wait"))
		printf("%d\n", usleep((useconds_t)number * 1000));
	else if (is(line, "addresses")) {
		test_limit_memory(0);
		printf("0\n");
	} else {
		printf("ok\n");
	}
}

int main(int argc, char **argv)
{
	char line[64];

	seen(); /* which is found in no thread, child or coroutine then */
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* What was not read yet is for the program that takes its place. */
	setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (is(line, "exec"))
			execv(argv[0], argv);
		if (is(line, "version"))
			pretend_version((uint32_t)atol(line + strlen("version")));
		if (!worker_obey_of_threads(line) && !answers(line))
			obey(line);
	}
	return argc > 1;
}
