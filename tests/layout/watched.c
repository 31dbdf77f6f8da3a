/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watched: threads free, resize and use each other's small blocks, a mark for each few of which is set, and children are
 * forked meanwhile, which go on with what they inherit. No block loses its content, many have marks while it goes on, and
 * when all were freed hardly any has, in each of these processes by its own segment. The argument says how many KiB there are
 * for a mark, 0 that there are none.
 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS 4
#define CELLS	2000
#define TURNS	150000
#define FORKS	12
#define MOST	3000 /* bytes of a block */
#define LARGEST 16000 /* and of one in 64: of a large class of jemalloc's, which is the only one with samples */
#define OWN	16   /* blocks of a thread that is inside of malloc at any moment of a fork */
#define RUNNERS	2
#define LEFT	(40 + RUNNERS * OWN) /* marks of blocks that nobody frees in a child, and of libc's */

struct block {
	uint32_t size;
	uint32_t byte;
	unsigned char content[];
};

static struct block *_Atomic cells[CELLS];
static pthread_mutex_t locks[CELLS]; /* of each cell: children find them as they are, with nobody inside */
static atomic_bool is_over;
static pthread_rwlock_t forking = PTHREAD_RWLOCK_INITIALIZER;

static uint64_t count_marks(void)
{
	const struct ksmalloc_segment_header *header = test_segment();
	const char *marks = (const char *)header + header->marks.offset;
	uint64_t count = 0;

	for (uint32_t i = 0; i < header->marks.count; i++) {
		const struct ksmalloc_segment_mark *mark = (const void *)(marks + (size_t)i * header->marks.stride);

		count += mark->address && mark->kind == KSMALLOC_MARK_SMALL;
	}
	return count;
}

static void fill(struct block *block, uint32_t size, uint32_t byte)
{
	CHECK(block != NULL);
	block->size = size;
	block->byte = byte;
	memset(block->content, (int)byte, size);
}

static void check(const struct block *block, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		CHECK(block->content[i] == (unsigned char)block->byte);
}

static struct block *obtain(uint64_t random, size_t bytes)
{
	void *aligned = NULL;

	switch (random % 8) {
	case 0:
		return calloc(1, bytes);
	case 1:
		return posix_memalign(&aligned, random & 56 ? 64 : 8192, bytes) ? NULL : aligned;
	default:
		return malloc(bytes);
	}
}

/* One step with one cell: makes a block, resizes it, or frees it. */
static void turn(uint64_t *state)
{
	uint64_t random = test_random(state);
	size_t cell = random % CELLS;
	uint32_t size = (uint32_t)(random >> 20) % (random & 7 ? 200 : random & 56 ? MOST : LARGEST);
	struct block *block;

	pthread_mutex_lock(&locks[cell]);
	block = atomic_load(&cells[cell]);
	if (!block) {
		block = obtain(random >> 40, sizeof(*block) + size);
		fill(block, size, (uint32_t)(random >> 32) & 0xff);
	} else if (random >> 60 == 0) {
		uint32_t kept = block->size < size ? block->size : size;

		check(block, block->size);
		block = realloc(block, sizeof(*block) + size);
		CHECK(block != NULL);
		check(block, kept);
		fill(block, size, block->byte + 1);
	} else {
		check(block, block->size);
		free(block);
		block = NULL;
	}
	atomic_store(&cells[cell], block);
	pthread_mutex_unlock(&locks[cell]);
}

static void *run(void *argument)
{
	uint64_t state = (uintptr_t)argument;

	for (int i = 0; i < TURNS; i++) {
		pthread_rwlock_rdlock(&forking);
		turn(&state);
		pthread_rwlock_unlock(&forking);
	}
	return NULL;
}

/* Goes on while others fork. */
static void *run_on(void *argument)
{
	uint64_t state = (uintptr_t)argument;
	void *own[OWN] = {NULL};

	while (!atomic_load(&is_over)) {
		uint64_t random = test_random(&state);

		free(own[random % OWN]);
		own[random % OWN] = malloc(1 + (random >> 20) % 500);
	}
	for (int i = 0; i < OWN; i++)
		free(own[i]);
	return NULL;
}

static void free_all(void)
{
	for (size_t i = 0; i < CELLS; i++) {
		struct block *block = atomic_exchange(&cells[i], NULL);

		if (block)
			check(block, block->size);
		free(block);
	}
}

/* Returns if no more marks are left than the program's own blocks are to blame for. */
static void be_child(uint64_t state)
{
	for (int i = 0; i < 3000; i++)
		turn(&state);
	free_all();
	CHECK(count_marks() <= LEFT);
	_exit(0);
}

static void fork_now(uint64_t state)
{
	pid_t child;
	int status;

	/* No cell is half done then; what the library does in other threads at the time of a fork is its own. */
	pthread_rwlock_wrlock(&forking);
	child = fork();
	if (child == 0)
		be_child(state);
	pthread_rwlock_unlock(&forking);
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(int count, char **arguments)
{
	uint64_t kib = count > 1 ? strtoul(arguments[1], NULL, 10) : 0;
	pthread_t threads[THREADS + RUNNERS];
	uint64_t most = 0;

	/* A large block, so that the process has a segment. */
	free(malloc(TEST_MIB));
	for (int i = 0; i < CELLS; i++)
		pthread_mutex_init(&locks[i], NULL);
	for (uintptr_t i = 0; i < THREADS + RUNNERS; i++)
		CHECK(pthread_create(&threads[i], NULL, i < THREADS ? run : run_on, (void *)(i + 1)) == 0);
	for (uint64_t i = 0; i < FORKS; i++) {
		fork_now(i + 100);
		most = count_marks() > most ? count_marks() : most;
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < THREADS + RUNNERS; i++)
		pthread_join(threads[i], NULL);
	printf("%llu marks at most, ", (unsigned long long)most);
	free_all();
	printf("%llu in the end\n", (unsigned long long)count_marks());
	CHECK(kib ? most * kib >= 10 : most == 0);
	CHECK(count_marks() <= LEFT);
	return 0;
}
