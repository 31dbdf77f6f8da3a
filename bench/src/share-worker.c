/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share-worker [--thread|--huge|--merge] MEBIBYTES: a worker that holds the same as its siblings, in blocks of 64 KiB, and waits in
 * poll(2). With --thread it has a second thread, so that it cannot share by itself. With --huge the blocks do not come from
 * malloc, but lie in a mapping for which it asks for huge pages; with --merge in one that KSM may merge.
 *
 * It says "ready" when it has loaded them. Then it takes commands from standard input, until that is closed:
 *   check   reads all; answers "ok", or "wrong" if a byte is not what it should be
 *   write   writes to each page once; answers the nanoseconds of a write, of the middle one of several batches
 *   reads   reads at random places, each read waiting for the one before; answers the nanoseconds of one. At SCHED_FIFO, if
 *           it may
 *   churn   gives half of the blocks another content, the same as its siblings; answers "ok"
 *   own     gives some of the blocks a content that no sibling has; answers "ok"
 *   reload  frees all blocks, and loads others, the same as its siblings; answers "ok"
 *   clock   lets the second thread look at the clock again and again from now on; answers "ok"
 *   stops   answers how long that thread could not, in microseconds: each time that was not short, not counting the
 *           time in which it waited for a processor
 */
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK	   65536u
#define WORDS	   (BLOCK / sizeof(uint64_t))
#define PAGE	   4096u
#define BATCH	   64u /* blocks */
#define MAX_BLOCKS (64u * 1024)
#define LOOK_NS	   100000u /* the clock's thread sleeps so long, so that it is not busy */
#define SHORT_NS   300000u
#define MAX_STOPS  4096u
#define READS	   2000000u
#define HUGE_PAGE  ((size_t)2 << 20)

static uint64_t *blocks[MAX_BLOCKS];
static uint64_t versions[MAX_BLOCKS];
static size_t count;
static uint64_t churns;

/* --- data -------------------------------------------------------------------------------------- */

static uint64_t seed_of(size_t block)
{
	return versions[block] * MAX_BLOCKS + block + 1;
}

static void fill(size_t block)
{
	uint64_t state = seed_of(block);

	for (size_t word = 0; word < WORDS; word++)
		blocks[block][word] = bench_random(&state);
}

/* Memory for all blocks that begins with a huge page, if there is one. */
static unsigned char *map_blocks(int advice)
{
	size_t length = count * BLOCK + HUGE_PAGE;
	unsigned char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, length, advice)) {
		perror("share-worker");
		exit(1);
	}
	if (advice == MADV_MERGEABLE)
		madvise(memory, length, MADV_NOHUGEPAGE);
	return memory + (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
}

/* advice: 0 for blocks of malloc. */
static void load(int advice)
{
	unsigned char *memory = advice ? map_blocks(advice) : NULL;

	for (size_t i = 0; i < count; i++) {
		blocks[i] = memory ? (uint64_t *)(void *)(memory + i * BLOCK) : bench_alloc(BLOCK);
		fill(i);
	}
}

/* Another half each time, in stretches of a MiB: what was shared is not, in the middle of what stays. */
static void churn(void)
{
	churns++;
	for (size_t i = 0; i < count; i++) {
		if ((i / 16 + churns) % 2)
			continue;
		versions[i] = churns;
		fill(i);
	}
}

/* One in sixteen, which others of each worker. */
static void write_own(void)
{
	for (size_t i = (size_t)getpid() % 16; i < count; i += 16) {
		versions[i] = (uint64_t)getpid() << 16 | churns;
		fill(i);
	}
}

static void reload(void)
{
	for (size_t i = 0; i < count; i++)
		free(blocks[i]);
	churns++;
	for (size_t i = 0; i < count; i++)
		versions[i] = churns;
	load(0);
}

static bool is_right(void)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t state = seed_of(i);

		for (size_t word = 0; word < WORDS; word++) {
			if (blocks[i][word] != bench_random(&state))
				return false;
		}
	}
	return true;
}

static double read_at_random(void)
{
	const struct sched_param first = { .sched_priority = 50 }, usual = { .sched_priority = 0 };
	uint64_t state = 1, found = 0, begin;

	sched_setscheduler(0, SCHED_FIFO, &first);
	begin = bench_now_ns();
	for (uint32_t i = 0; i < READS; i++) {
		/* One bit of what was read, so that the processor cannot begin with the next one before. */
		uint64_t next = bench_random(&state) + (found & 1);

		found = blocks[(next >> 32) * count >> 32][next % WORDS];
	}
	begin = bench_now_ns() - begin;
	sched_setscheduler(0, SCHED_OTHER, &usual);
	bench_keep(&found);
	return (double)begin / READS;
}

static int compare(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static double write_once(void)
{
	static double batches[MAX_BLOCKS / BATCH + 1];
	size_t done = 0;

	for (size_t i = 0; i < count; i += BATCH) {
		size_t end = i + BATCH < count ? i + BATCH : count;
		uint64_t begin = bench_now_ns();

		for (size_t block = i; block < end; block++) {
			volatile char *bytes = (volatile char *)blocks[block];

			for (size_t at = 0; at < BLOCK; at += PAGE)
				bytes[at] = (char)(bytes[at] + 1);
		}
		batches[done++] = (double)(bench_now_ns() - begin) / (double)((end - i) * (BLOCK / PAGE));
	}
	qsort(batches, done, sizeof(batches[0]), compare);
	return batches[done / 2];
}

/* --- the clock --------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static bool looks;
static unsigned int stops[MAX_STOPS]; /* microseconds. Synchronization: complete before stop_count says so. */
static size_t stop_count;

/* How long the thread has waited for a processor so far, as the scheduler counts it: the second number. */
static uint64_t waited_ns(int schedstat)
{
	char text[128];
	ssize_t length = pread(schedstat, text, sizeof(text) - 1, 0);
	unsigned long long waited = 0;

	text[length > 0 ? length : 0] = 0;
	if (sscanf(text, "%*u %llu", &waited) != 1)
		return 0;
	return waited;
}

static void note_stop(uint64_t ns)
{
	size_t at = stop_count;

	if (at == MAX_STOPS)
		return;
	stops[at] = (unsigned int)(ns / 1000);
	__atomic_store_n(&stop_count, at + 1, __ATOMIC_RELEASE);
}

static void *look_at_clock(void *unused)
{
	int schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	uint64_t before, waited;

	(void)unused;
	pthread_mutex_lock(&mutex);
	while (!looks)
		pthread_cond_wait(&wanted, &mutex);
	pthread_mutex_unlock(&mutex);
	before = bench_now_ns();
	waited = waited_ns(schedstat);
	for (;;) {
		uint64_t now, now_waited, other;

		nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
		now = bench_now_ns();
		now_waited = waited_ns(schedstat);
		other = LOOK_NS + now_waited - waited;
		if (now - before > other + SHORT_NS)
			note_stop(now - before - other);
		before = now;
		waited = now_waited;
	}
	return NULL;
}

static void let_look(void)
{
	pthread_mutex_lock(&mutex);
	looks = true;
	pthread_cond_signal(&wanted);
	pthread_mutex_unlock(&mutex);
	puts("ok");
}

static void print_stops(void)
{
	size_t known = __atomic_load_n(&stop_count, __ATOMIC_ACQUIRE);

	for (size_t i = 0; i < known; i++)
		printf("%u ", stops[i]);
	putchar('\n');
}

/* --- commands ---------------------------------------------------------------------------------- */

static void follow(const char *command)
{
	if (strcmp(command, "check\n") == 0) {
		puts(is_right() ? "ok" : "wrong");
	} else if (strcmp(command, "write\n") == 0) {
		printf("%.1f\n", write_once());
	} else if (strcmp(command, "reads\n") == 0) {
		printf("%.2f\n", read_at_random());
	} else if (strcmp(command, "churn\n") == 0) {
		churn();
		puts("ok");
	} else if (strcmp(command, "own\n") == 0) {
		write_own();
		puts("ok");
	} else if (strcmp(command, "reload\n") == 0) {
		reload();
		puts("ok");
	} else if (strcmp(command, "clock\n") == 0) {
		let_look();
	} else if (strcmp(command, "stops\n") == 0) {
		print_stops();
	}
	fflush(stdout);
}

static int advice_of(const char *word)
{
	return strcmp(word, "--huge") == 0 ? MADV_HUGEPAGE : strcmp(word, "--merge") == 0 ? MADV_MERGEABLE : 0;
}

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	bool has_thread = argc > 1 && strcmp(argv[1], "--thread") == 0;
	int advice = argc > 1 ? advice_of(argv[1]) : 0;
	pthread_t thread;
	char line[64];

	count = bench_argument(argc, argv, has_thread || advice ? 2 : 1, 160) * 16;
	if (count == 0 || count > MAX_BLOCKS) {
		fprintf(stderr, "usage: share-worker [--thread|--huge|--merge] MEBIBYTES, 1 to %u\n", MAX_BLOCKS / 16);
		return 1;
	}
	load(advice);
	if (has_thread && pthread_create(&thread, NULL, look_at_clock, NULL))
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t length;

		poll(&input, 1, -1);
		length = read(STDIN_FILENO, line, sizeof(line) - 1);
		if (length <= 0)
			return 0;
		line[length] = 0;
		follow(line);
	}
}
