/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pairs-threads THREADS MIN MAX: malloc, write the first byte, free, in several threads at
 * once, for the powers of two from MIN to MAX bytes.
 *
 * Prints "SIZE BEST ALONE NANOSECONDS APART FAULTS AT_ONCE". All but the first and the last are
 * per pair: NANOSECONDS and FAULTS of THREADS threads, ALONE the time of one thread, and BEST that
 * of its best batch, APART the time of as many processes with one thread each. These share the
 * machine and no allocator: a second busy processor alone makes a machine slower if both are one
 * core.
 *
 * A time is what a pair keeps one processor, waiting for locks included: the wall time of a batch
 * in each thread, without the time in which the thread could run and had no processor
 * (/proc/thread-self/schedstat), added up over all threads and divided by their pairs.
 * Threads beyond the processors wait for locks while others run: the sum is at most the wall time
 * of the whole batch, times the processors. So neighbours on the machine do not count, as far
 * as the scheduler knows of them.
 *
 * Each thread stays on one processor: a scheduler wakes it near to who woke it. Still, where
 * neighbours take the processors, threads seldom run at once and do not hinder each other.
 * AT_ONCE is the sum of these times by the wall time of the batch and the processors: 1 if all of
 * them were the threads' own. Of many short batches those in which it was highest count, and of
 * these the median. Batches of the three ways take turns.
 */
#define _GNU_SOURCE
#include "load.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES 45
#define COUNTED 15
#define BATCH_NS 1000000u

enum way {
	WAY_ALONE,
	WAY_APART,
	WAY_TOGETHER,
	WAYS,
};

struct batch {
	double ns;
	double faults;
	double at_once;
};

/* Of the last batch. */
struct worker {
	uint64_t own_ns; /* Running, or waiting for anything but a processor. */
	long faults;
};

/* Threads, or processes, that do a batch together; the main thread waits at both ends of it. */
struct group {
	pthread_barrier_t barrier;
	struct worker workers[LOAD_MAX_THREADS];
	unsigned int count;
};

/* Mapped, so that processes share it. */
static struct common {
	size_t size;
	unsigned long pairs;
	struct group groups[WAYS];
} * common;

static cpu_set_t processors; /* Those that the program may use. */

struct member {
	pthread_t thread;
	unsigned int index;
	struct group *group;
};

static void run_pairs(size_t size, unsigned long pairs)
{
	for (unsigned long i = 0; i < pairs; i++) {
		char *block = bench_alloc(size);

		block[0] = (char)i;
		bench_keep(block);
		free(block);
	}
}

/* The number of pairs that fill a batch of one thread, found by doubling. */
static unsigned long calibrate(size_t size)
{
	unsigned long pairs = 64;

	for (;;) {
		uint64_t begin = bench_now_ns();

		run_pairs(size, pairs);
		if (bench_now_ns() - begin >= BATCH_NS / 2)
			return pairs * 2;
		pairs *= 2;
	}
}

static unsigned int usable_processors(unsigned int threads)
{
	unsigned int count = (unsigned int)CPU_COUNT(&processors);

	return count < threads ? count : threads;
}

/*
 * Keeps this thread on one processor, another one for each index: a scheduler wakes threads near
 * to who woke them, and batches are too short for it to think better of it.
 */
static void stay_on_processor(unsigned int index)
{
	unsigned int left = index % (unsigned int)CPU_COUNT(&processors);
	cpu_set_t one;

	CPU_ZERO(&one);
	for (size_t processor = 0; processor < CPU_SETSIZE; processor++) {
		if (CPU_ISSET(processor, &processors) && left-- == 0)
			CPU_SET(processor, &one);
	}
	if (sched_setaffinity(0, sizeof(one), &one))
		load_die("no such processor");
}

static long thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/* How long this thread could run and had no processor, ever. */
static uint64_t thread_waited_ns(int schedstat)
{
	char text[96];
	ssize_t length = pread(schedstat, text, sizeof(text) - 1, 0);
	unsigned long long waited;

	if (length <= 0)
		load_die("no schedstat");
	text[length] = '\0';
	if (sscanf(text, "%*u %llu", &waited) != 1)
		load_die("schedstat says something else");
	return waited;
}

/* Both readings of schedstat are within the wall time, so that no wait is taken off twice. */
static void run_batch(struct worker *worker, int schedstat)
{
	uint64_t begin = bench_now_ns(), waited = thread_waited_ns(schedstat);
	long faults = thread_faults();

	run_pairs(common->size, common->pairs);
	worker->faults = thread_faults() - faults;
	waited = thread_waited_ns(schedstat) - waited;
	worker->own_ns = bench_now_ns() - begin - waited;
}

static int open_schedstat(void)
{
	return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

/* A first batch warms each thread's caches. */
static void *member_main(void *argument)
{
	struct member *member = argument;
	int schedstat = open_schedstat();

	stay_on_processor(member->index);
	for (int batch = 0; batch <= BATCHES; batch++) {
		pthread_barrier_wait(&member->group->barrier);
		run_batch(&member->group->workers[member->index], schedstat);
		pthread_barrier_wait(&member->group->barrier);
	}
	close(schedstat);
	return NULL;
}

static struct batch batch_of(const struct group *group, double wall_ns)
{
	double pairs = (double)common->pairs * group->count, own_ns = 0, faults = 0;

	for (unsigned int i = 0; i < group->count; i++) {
		own_ns += (double)group->workers[i].own_ns;
		faults += (double)group->workers[i].faults;
	}
	wall_ns *= usable_processors(group->count);
	if (own_ns > wall_ns)
		own_ns = wall_ns;
	return (struct batch){
		.ns = own_ns / pairs, .faults = faults / pairs, .at_once = own_ns / wall_ns};
}

static struct batch measure_group(struct group *group)
{
	uint64_t begin_ns = bench_now_ns();

	pthread_barrier_wait(&group->barrier);
	pthread_barrier_wait(&group->barrier);
	return batch_of(group, (double)(bench_now_ns() - begin_ns));
}

static struct batch measure_alone(struct group *group, int schedstat)
{
	uint64_t begin_ns = bench_now_ns();

	run_batch(&group->workers[0], schedstat);
	return batch_of(group, (double)(bench_now_ns() - begin_ns));
}

static void start(struct member *member, enum way way, unsigned int index)
{
	pid_t parent = getpid(), pid;

	member->group = &common->groups[way];
	member->index = index;
	if (way == WAY_TOGETHER) {
		load_start(&member->thread, member_main, member);
		return;
	}
	pid = fork();
	if (pid < 0)
		load_die("no process");
	if (pid == 0) {
		/* It must not wait for a parent that an allocator ended. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
			_exit(1);
		member_main(member);
		_exit(0);
	}
}

static int compare_at_once(const void *left, const void *right)
{
	double a = ((const struct batch *)left)->at_once,
	       b = ((const struct batch *)right)->at_once;

	return (a < b) - (a > b);
}

static int compare_ns(const void *left, const void *right)
{
	double a = ((const struct batch *)left)->ns, b = ((const struct batch *)right)->ns;

	return (a > b) - (a < b);
}

/* The batch of median time, of those in which most threads ran at once. */
static struct batch typical(struct batch *batches)
{
	qsort(batches, BATCHES, sizeof(*batches), compare_at_once);
	qsort(batches, COUNTED, sizeof(*batches), compare_ns);
	return batches[COUNTED / 2];
}

static double best_ns(const struct batch *batches)
{
	double best = batches[0].ns;

	for (int i = 1; i < BATCHES; i++)
		best = batches[i].ns < best ? batches[i].ns : best;
	return best;
}

static void print_size(struct batch *alone, const struct batch *together, const struct batch *apart)
{
	printf("%zu %.2f %.2f %.2f %.2f %.4f %.3f\n", common->size, best_ns(alone),
	       typical(alone).ns, together->ns, apart->ns, together->faults, together->at_once);
	fflush(stdout); /* A process that is started must not have it, too. */
}

/* One thread: the program stays single-threaded, for which allocators have shorter paths. */
static void measure_one(int schedstat)
{
	struct batch batches[BATCHES], middle;

	measure_alone(&common->groups[WAY_ALONE], schedstat); /* Warms up. */
	for (int i = 0; i < BATCHES; i++)
		batches[i] = measure_alone(&common->groups[WAY_ALONE], schedstat);
	middle = typical(batches);
	print_size(batches, &middle, &middle);
}

static void measure(unsigned int threads, int schedstat)
{
	struct member members[LOAD_MAX_THREADS];
	struct batch batches[WAYS][BATCHES], together, apart;

	/* Processes first: these have none of the threads' caches. */
	for (unsigned int i = 0; i < threads; i++)
		start(&members[i], WAY_APART, i);
	for (unsigned int i = 0; i < threads; i++)
		start(&members[i], WAY_TOGETHER, i);
	measure_group(&common->groups[WAY_APART]);
	measure_group(&common->groups[WAY_TOGETHER]);
	for (int i = 0; i < BATCHES; i++) {
		batches[WAY_ALONE][i] = measure_alone(&common->groups[WAY_ALONE], schedstat);
		batches[WAY_APART][i] = measure_group(&common->groups[WAY_APART]);
		batches[WAY_TOGETHER][i] = measure_group(&common->groups[WAY_TOGETHER]);
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(members[i].thread, NULL);
	while (wait(NULL) > 0)
		;
	together = typical(batches[WAY_TOGETHER]);
	apart = typical(batches[WAY_APART]);
	print_size(batches[WAY_ALONE], &together, &apart);
}

static void make_common(unsigned int threads)
{
	pthread_barrierattr_t attributes;

	common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (common == MAP_FAILED)
		load_die("no memory");
	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	for (int way = 0; way < WAYS; way++) {
		struct group *group = &common->groups[way];

		group->count = way == WAY_ALONE ? 1 : threads;
		pthread_barrier_init(&group->barrier, &attributes, threads + 1);
	}
}

int main(int argc, char **argv)
{
	unsigned int threads = load_threads(argc, argv, 3, "pairs-threads THREADS MIN MAX");
	int schedstat = open_schedstat();
	size_t min_size, max_size;

	load_sizes(argc, argv, 2, &min_size, &max_size);
	if (sched_getaffinity(0, sizeof(processors), &processors))
		load_die("no set of processors");
	make_common(threads);
	for (size_t size = min_size; size <= max_size; size *= 2) {
		common->size = size;
		common->pairs = calibrate(size);
		if (threads == 1)
			measure_one(schedstat);
		else
			measure(threads, schedstat);
	}
	return 0;
}
