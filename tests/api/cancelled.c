/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cancelled WHAT: no call that the library interposes is a cancellation point. A thread with a
 * cancellation pending comes back from all of them, also from the one that starts the library and
 * makes its segment, and everybody else goes on.
 */
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define COUNT 48
#define LARGE (64 * TEST_KIB)

static const char *what;
static volatile bool came_back;

static bool is(const char *name)
{
	return strcmp(what, name) == 0;
}

/* What is not used would not be allocated at all. */
static TEST_NOINLINE void use(void *block, size_t size)
{
	CHECK(block != NULL);
	memset(block, 1, size);
}

static void allocate_and_free(size_t size)
{
	void *blocks[COUNT];

	for (size_t i = test_opaque(0); i < COUNT; i++) {
		blocks[i] = malloc(size);
		use(blocks[i], size);
	}
	for (size_t i = 0; i < COUNT; i++)
		free(blocks[i]);
}

static void grow(void)
{
	char *block = NULL;

	for (size_t size = 1000; size < 3 * TEST_MIB; size += size / 2) {
		block = realloc(block, size);
		use(block, size);
	}
	block = realloc(block, 100);
	free(block);
}

static void other_calls(void)
{
	for (size_t i = test_opaque(0); i < COUNT; i++) {
		void *block = calloc(i + 1, LARGE);

		use(block, LARGE);
		free(block);
		CHECK(posix_memalign(&block, TEST_PAGE, LARGE) == 0);
		use(block, LARGE);
		CHECK(malloc_usable_size(block) >= LARGE);
		free(block);
	}
	malloc_trim(0);
}

/* Opened by main: fopen is a cancellation point. */
static FILE *stream;

/* What writes: to a stream of the program's, and to standard error. */
static void tell(void)
{
	CHECK(mallinfo2().arena > 0);
	CHECK(malloc_info(0, stream) == 0);
	malloc_stats();
}

static void map(void)
{
	for (int i = 0; i < COUNT; i++) {
		char *memory = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(memory != MAP_FAILED);
		memory = mremap(memory, LARGE, 2 * LARGE, MREMAP_MAYMOVE);
		CHECK(memory != MAP_FAILED);
		use(memory, 2 * LARGE);
		CHECK(munmap(memory, 2 * LARGE) == 0);
	}
}

static void *child(void *data)
{
	allocate_and_free(LARGE);
	return data;
}

/* Joined by main: pthread_join is a cancellation point. */
static pthread_t children[COUNT];

static void create(void)
{
	for (size_t i = 0; i < COUNT; i++)
		CHECK(pthread_create(&children[i], NULL, child, NULL) == 0);
}

static pid_t forked;

static void fork_and_allocate(void)
{
	forked = fork();
	CHECK(forked >= 0);
	if (forked > 0) {
		allocate_and_free(LARGE);
		return;
	}
	allocate_and_free(LARGE);
	_exit(came_back ? 1 : 0);
}

static void act(void)
{
	if (is("small"))
		allocate_and_free(100);
	else if (is("large"))
		allocate_and_free(LARGE);
	else if (is("realloc"))
		grow();
	else if (is("others"))
		other_calls();
	else if (is("tell"))
		tell();
	else if (is("map"))
		map();
	else if (is("create"))
		create();
	else if (is("fork"))
		fork_and_allocate();
	else
		test_fail(__FILE__, __LINE__, "unknown word %s", what);
}

static void *thread(void *data)
{
	(void)data;
	CHECK(pthread_cancel(pthread_self()) == 0);
	act();
	came_back = true;
	/* The cancellation was pending all the time: this is where it happens. */
	pthread_testcancel();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t id;
	void *result;
	int status;

	CHECK(argc > 1);
	what = argv[1];
	stream = fopen("/dev/null", "we");
	CHECK(stream && setvbuf(stream, NULL, _IONBF, 0) == 0);
	/* A hang is what is looked for. */
	alarm(60 * test_slower());
	/* First in a process that has placed nothing, then once more where everything is set up. */
	for (int round = 0; round < 2; round++) {
		came_back = false;
		CHECK(pthread_create(&id, NULL, thread, NULL) == 0);
		CHECK(pthread_join(id, &result) == 0);
		CHECK_MSG(came_back, "a thread was cancelled in round %d of %s", round, what);
		CHECK(result == PTHREAD_CANCELED);
		for (size_t i = 0; i < COUNT && is("create"); i++)
			CHECK(pthread_join(children[i], NULL) == 0);
		if (is("fork")) {
			CHECK(waitpid(forked, &status, 0) == forked);
			CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
		}
		allocate_and_free(LARGE);
		allocate_and_free(100);
	}
	return 0;
}
