/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that runs with libc's malloc opens the library, itself or as what an interpreter is linked
 * with, and no tunable of glibc makes room for it. malloc stays libc's for everybody; ksmalloc_malloc
 * places blocks; and whichever of both made a block, the library's calls free, change and measure
 * it. Threads from before, forks and dlclose(3) are as ever.
 *
 * Arguments: how to open it, the library, the interpreter, another library with TLS, two plugins.
 */
#include "test.h"

#include "interpreter.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#define COUNT 64
#define LARGE (64 * TEST_KIB)

static struct interpreter calls;
static bool usual_are_ours; /* the usual names lead to the library, not straight to libc */

static void *find(void *handle, const char *name)
{
	void *symbol = dlsym(handle, name);

	CHECK_MSG(symbol != NULL, "%s", dlerror());
	return symbol;
}

#define FIND(handle, member, name) (*(void **)&calls.member = find(handle, name))

static void find_calls(void *handle)
{
	FIND(handle, own_malloc, "ksmalloc_malloc");
	FIND(handle, own_calloc, "ksmalloc_calloc");
	FIND(handle, own_realloc, "ksmalloc_realloc");
	FIND(handle, own_aligned, "ksmalloc_aligned_alloc");
	FIND(handle, own_free, "ksmalloc_free");
	FIND(handle, own_usable, "ksmalloc_usable_size");
	/* By this handle they are the library's, as for who is opened with RTLD_DEEPBIND. */
	FIND(handle, usual_malloc, "malloc");
	FIND(handle, usual_calloc, "calloc");
	FIND(handle, usual_realloc, "realloc");
	FIND(handle, usual_aligned, "memalign");
	FIND(handle, usual_free, "free");
	FIND(handle, usual_usable, "malloc_usable_size");
	calls.duplicate = strdup;
}

static void *open_as(const char *how, char **paths)
{
	bool direct = strncmp(how, "library", 7) == 0;
	int mode = RTLD_NOW;
	void *handle;

	if (strstr(how, "-global"))
		mode |= RTLD_GLOBAL;
	if (strstr(how, "-deepbind"))
		mode |= RTLD_DEEPBIND;
	handle = strstr(how, "-namespace") ? dlmopen(LM_ID_NEWLM, paths[1], mode) :
					     dlopen(direct ? paths[0] : paths[1], mode);
	CHECK_MSG(handle != NULL, "%s", dlerror());
	usual_are_ours = direct || (mode & RTLD_DEEPBIND);
	if (direct)
		find_calls(handle);
	else
		calls = *(struct interpreter *)find(handle, "interpreter");
	return handle;
}

static void check_own(size_t size)
{
	char *block = calls.own_malloc(size);

	CHECK(block != NULL && calls.own_usable(block) >= size);
	memset(block, 'o', size);
	block = calls.own_realloc(block, size * 3);
	CHECK(block[0] == 'o' && block[size - 1] == 'o');
	calls.own_free(block);
	calls.own_free(calls.own_calloc(size, 2));
	calls.own_free(calls.own_aligned(256, size));
	/* By the usual names, where those lead to the library. */
	if (usual_are_ours)
		calls.usual_free(calls.own_malloc(size));
}

/* Blocks of libc, in the library's calls. */
static void check_foreign(size_t size)
{
	char *block = malloc(size);

	CHECK(calls.own_usable(block) >= size && calls.usual_usable(block) >= size);
	memset(block, 'f', size);
	block = calls.own_realloc(block, size * 3);
	block = calls.usual_realloc(block, size * 5);
	CHECK(block[0] == 'f' && block[size - 1] == 'f');
	free(block);
	calls.own_free(malloc(size));
	calls.own_free(aligned_alloc(4096, size));
	calls.usual_free(malloc(size));
	calls.own_free(NULL);
	calls.usual_free(NULL);
}

/* Blocks by the usual names are libc's, and may go to libc. */
static void check_usual(size_t size)
{
	free(calls.usual_malloc(size));
	free(calls.usual_calloc(size, 1));
	free(calls.usual_realloc(NULL, size));
	free(calls.usual_aligned(64, size));
	free(realloc(calls.usual_malloc(size), size * 2));
	free(calls.duplicate("a text"));
	calls.usual_free(calls.duplicate("a text"));
	calls.usual_free(calls.usual_malloc(size));
}

static void check_all(bool crossing)
{
	for (size_t size = 50; size < 2000000; size = size * 3 + 1) {
		check_own(size);
		if (crossing) {
			check_foreign(size);
			check_usual(size);
		}
	}
}

static void *make_placed(void)
{
	void *blocks[COUNT], *last;

	for (size_t i = test_opaque(0); i < COUNT; i++) {
		blocks[i] = calls.own_malloc(LARGE);
		test_fill(blocks[i], LARGE, i);
	}
	last = blocks[COUNT - 1];
	CHECK(test_is_placed(last));
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[i], LARGE, i));
	for (size_t i = 0; i < COUNT - 1; i++)
		calls.own_free(blocks[i]);
	return last;
}

struct worker {
	pthread_barrier_t opened;
	bool crossing;
};

static void *from_before(void *argument)
{
	struct worker *worker = argument;
	void *block = malloc(1000);

	pthread_barrier_wait(&worker->opened);
	check_all(worker->crossing);
	if (worker->crossing)
		calls.own_free(block);
	return make_placed();
}

static void check_fork(bool crossing)
{
	void *block = make_placed(), *small = calls.own_malloc(100);
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		check_all(crossing);
		calls.own_free(block);
		calls.own_free(small);
		calls.own_free(make_placed());
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(status == 0, "the child ended with status %x", status);
	calls.own_free(block);
	calls.own_free(small);
}

/* The library does not hear of dlclose(): what it knows of code at an address must still be right. */
static void check_plugins(char **paths)
{
	uint64_t ids[2] = { 0 };

	for (int round = 0; round < 12; round++) {
		void *handle = dlopen(paths[round % 2], RTLD_NOW), *blocks[COUNT];
		int (*make)(void *(*allocate)(size_t size), void **blocks, size_t count, size_t size);
		const struct ksmalloc_segment_site *site;

		CHECK_MSG(handle != NULL, "%s", dlerror());
		*(void **)&make = find(handle, "plugin_make");
		CHECK(make(calls.own_malloc, blocks, COUNT, LARGE) == 0);
		site = test_site_of(blocks[COUNT - 1]);
		CHECK(site != NULL);
		if (!ids[round % 2])
			ids[round % 2] = site->id;
		CHECK_MSG(ids[round % 2] == site->id, "round %d: another site than before", round);
		CHECK(dlclose(handle) == 0);
		for (size_t i = 0; i < COUNT; i++)
			calls.own_free(blocks[i]);
	}
	CHECK(ids[0] != ids[1]);
}

int main(int argc, char **argv)
{
	struct worker worker;
	pthread_t thread;
	void *handle, *block;

	CHECK(argc == 7);
	CHECK_MSG(!getenv("GLIBC_TUNABLES"), "tunables would hide what is tried here");
	/* A namespace of its own has a libc, and blocks, of its own. */
	worker.crossing = !strstr(argv[1], "-namespace");
	CHECK(pthread_barrier_init(&worker.opened, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, from_before, &worker) == 0);
	handle = open_as(argv[1], argv + 2);
	CHECK_MSG(dlopen(argv[4], RTLD_NOW) != NULL, "%s", dlerror());
	pthread_barrier_wait(&worker.opened);
	check_all(worker.crossing);
	CHECK(pthread_join(thread, &block) == 0);
	calls.own_free(block);
	check_fork(worker.crossing);
	/* The library knows the code of its own namespace. */
	if (worker.crossing)
		check_plugins(argv + 5);
	CHECK(dlclose(handle) == 0);
	/* The interpreter is gone with its own functions, the library stays. */
	calls.usual_malloc = malloc;
	calls.usual_free = free;
	usual_are_ours = false;
	check_all(worker.crossing);
	calls.own_free(make_placed());
	puts("right");
	return 0;
}
