/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pairs-threads THREADS MIN MAX: malloc, write the first byte, free, in several threads at
 * once, for the powers of two from MIN to MAX bytes.
 *
 * Prints "SIZE ALONE NANOSECONDS CPU_NANOSECONDS FAULTS AGAINST_ALONE AGAINST_APART". All but the
 * size and the quotients are per pair; ALONE is of one thread, the next three of THREADS.
 *
 * NANOSECONDS is the time that a pair keeps one processor, waiting for locks included: the wall
 * time of a batch in each thread, without the time in which the thread could run and had no
 * processor (/proc/thread-self/schedstat), added up over all threads and divided by their pairs.
 * Threads beyond the processors wait for locks while others run: the sum is at most the wall time
 * of the whole batch, times the processors. So neighbours on the machine do not count, as far
 * as the scheduler knows of them.
 *
 * AGAINST_ALONE is what NANOSECONDS is of ALONE. AGAINST_APART is what it is of the same in as many
 * processes: these share the machine and no allocator, and a second busy processor alone makes a
 * machine slower if both are one core. Batches of the three ways take turns; each figure is the
 * median over many short ones. The best would be one in which the threads did not meet.
 */
#define _GNU_SOURCE
#include "load.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES 31
#define BATCH_NS 1500000u

enum way {
	WAY_ALONE,
	WAY_APART,
	WAY_TOGETHER,
	WAYS,
};

struct batch {
	double ns;
	double cpu_ns;
	double faults;
};

/* Of the last batch. */
struct worker {
	uint64_t own_ns; /* Running, or waiting for anything but a processor. */
	uint64_t cpu_ns;
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

struct member {
	pthread_t thread;
	struct group *group;
	struct worker *worker;
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
	cpu_set_t set;
	unsigned int count;

	if (sched_getaffinity(0, sizeof(set), &set))
		load_die("no set of processors");
	count = (unsigned int)CPU_COUNT(&set);
	return count < threads ? count : threads;
}

static uint64_t thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
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
	uint64_t cpu_ns = thread_cpu_ns();
	long faults = thread_faults();

	run_pairs(common->size, common->pairs);
	worker->faults = thread_faults() - faults;
	worker->cpu_ns = thread_cpu_ns() - cpu_ns;
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

	for (int batch = 0; batch <= BATCHES; batch++) {
		pthread_barrier_wait(&member->group->barrier);
		run_batch(member->worker, schedstat);
		pthread_barrier_wait(&member->group->barrier);
	}
	close(schedstat);
	return NULL;
}

static struct batch batch_of(const struct group *group, double wall_ns)
{
	double pairs = (double)common->pairs * group->count;
	struct batch batch = {0};

	for (unsigned int i = 0; i < group->count; i++) {
		batch.ns += (double)group->workers[i].own_ns;
		batch.cpu_ns += (double)group->workers[i].cpu_ns / pairs;
		batch.faults += (double)group->workers[i].faults / pairs;
	}
	wall_ns *= usable_processors(group->count);
	batch.ns = (batch.ns < wall_ns ? batch.ns : wall_ns) / pairs;
	return batch;
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
	pid_t pid;

	member->group = &common->groups[way];
	member->worker = &member->group->workers[index];
	if (way == WAY_TOGETHER) {
		load_start(&member->thread, member_main, member);
		return;
	}
	pid = fork();
	if (pid < 0)
		load_die("no process");
	if (pid == 0) {
		member_main(member);
		_exit(0);
	}
}

static int compare_numbers(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double median(double *numbers)
{
	qsort(numbers, BATCHES, sizeof(*numbers), compare_numbers);
	return numbers[BATCHES / 2];
}

static void report(struct batch batches[BATCHES][WAYS])
{
	double alone[BATCHES], ns[BATCHES], cpu_ns[BATCHES], faults[BATCHES];
	double against_alone[BATCHES], against_apart[BATCHES];

	for (int i = 0; i < BATCHES; i++) {
		const struct batch *together = &batches[i][WAY_TOGETHER];

		alone[i] = batches[i][WAY_ALONE].ns;
		ns[i] = together->ns;
		cpu_ns[i] = together->cpu_ns;
		faults[i] = together->faults;
		against_alone[i] = together->ns / batches[i][WAY_ALONE].ns;
		against_apart[i] = together->ns / batches[i][WAY_APART].ns;
	}
	printf("%zu %.2f %.2f %.2f %.4f %.3f %.3f\n", common->size, median(alone), median(ns),
	       median(cpu_ns), median(faults), median(against_alone), median(against_apart));
	fflush(stdout); /* A process that is started must not have it, too. */
}

static void measure(unsigned int threads, int schedstat)
{
	struct member members[LOAD_MAX_THREADS];
	struct batch batches[BATCHES][WAYS];

	/* Processes first: these have none of the threads' caches. */
	for (unsigned int i = 0; i < threads; i++)
		start(&members[i], WAY_APART, i);
	for (unsigned int i = 0; i < threads; i++)
		start(&members[i], WAY_TOGETHER, i);
	measure_group(&common->groups[WAY_APART]);
	measure_group(&common->groups[WAY_TOGETHER]);
	for (int i = 0; i < BATCHES; i++) {
		batches[i][WAY_ALONE] = measure_alone(&common->groups[WAY_ALONE], schedstat);
		batches[i][WAY_APART] = measure_group(&common->groups[WAY_APART]);
		batches[i][WAY_TOGETHER] = measure_group(&common->groups[WAY_TOGETHER]);
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(members[i].thread, NULL);
	while (wait(NULL) > 0)
		;
	report(batches);
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
	make_common(threads);
	for (size_t size = min_size; size <= max_size; size *= 2) {
		common->size = size;
		common->pairs = calibrate(size);
		measure(threads, schedstat);
	}
	return 0;
}
