/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share-worker [--thread] MEBIBYTES: a worker that holds the same as its siblings, in blocks of 64 KiB, and waits in
 * poll(2). With --thread it has a second thread, so that it cannot share by itself.
 *
 * It says "ready" when it has loaded them. Then it takes commands from standard input, until that is closed:
 *   check   reads all; answers "ok", or "wrong" if a byte is not what it should be
 *   write   writes to each page once; answers the nanoseconds of a write, of the middle one of several batches
 *   churn   gives half of the blocks another content, the same as its siblings; answers "ok"
 *   clock   lets the second thread look at the clock again and again from now on; answers "ok"
 *   stops   answers how long that thread could not, in microseconds: each time that was not short, not counting the
 *           time in which it waited for a processor
 */
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#define BLOCK	   65536u
#define WORDS	   (BLOCK / sizeof(uint64_t))
#define PAGE	   4096u
#define BATCH	   64u /* blocks */
#define MAX_BLOCKS (64u * 1024)
#define LOOK_NS	   100000u /* the clock's thread sleeps so long, so that it is not busy */
#define SHORT_NS   300000u
#define MAX_STOPS  4096u

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

static void load(void)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = bench_alloc(BLOCK);
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
	} else if (strcmp(command, "churn\n") == 0) {
		churn();
		puts("ok");
	} else if (strcmp(command, "clock\n") == 0) {
		let_look();
	} else if (strcmp(command, "stops\n") == 0) {
		print_stops();
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	bool has_thread = argc > 1 && strcmp(argv[1], "--thread") == 0;
	pthread_t thread;
	char line[64];

	count = bench_argument(argc, argv, has_thread ? 2 : 1, 160) * 16;
	if (count == 0 || count > MAX_BLOCKS) {
		fprintf(stderr, "usage: share-worker [--thread] MEBIBYTES, 1 to %u\n", MAX_BLOCKS / 16);
		return 1;
	}
	load();
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
