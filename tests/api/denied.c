/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is denied does not merge in a process whose heap does, whatever its size and whichever call
 * gave it. argv: "inherited" makes the process mergeable as a whole and executes itself, as a service
 * manager does; "here" looks at the process as it is. Then "blocks"; with deny=label:heap "heap";
 * with advise=none "nothing".
 */
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

#define COUNT 40

static const size_t sizes[] = { 1, 16, 100, 1000, 3000, 8 * TEST_KIB, 15 * TEST_KIB,
				16 * TEST_KIB, 64 * TEST_KIB, 300 * TEST_KIB, 9 * TEST_MIB };

static bool merges(const void *block)
{
	return test_has_flag(block, "mg");
}

static void expect_kept_out(const void *block, const char *what, size_t size)
{
	CHECK_MSG(block && !merges(block), "%s of %zu bytes merges", what, size);
}

/* --- calls that are denied: deny=function:ksmtest_secret* --------------------------------- */

void *ksmtest_secret_malloc(size_t size);
void *ksmtest_secret_realloc(void *block, size_t size);
void ksmtest_secret_all(size_t size);

TEST_NOINLINE void *ksmtest_secret_malloc(size_t size)
{
	void *block = malloc(size);

	CHECK(block != NULL);
	memset(block, 1, size);
	return block;
}

TEST_NOINLINE void *ksmtest_secret_realloc(void *block, size_t size)
{
	void *to = realloc(block, size);

	CHECK(to != NULL);
	return to;
}

TEST_NOINLINE void ksmtest_secret_all(size_t size)
{
	void *block = calloc(1, size);

	expect_kept_out(block, "calloc", size);
	CHECK(test_is_zero(block, size));
	free(block);
	block = aligned_alloc(64, size);
	expect_kept_out(block, "aligned_alloc", size);
	CHECK((uintptr_t)block % 64 == 0);
	free(block);
	CHECK(posix_memalign(&block, 256, size) == 0);
	expect_kept_out(block, "posix_memalign", size);
	CHECK((uintptr_t)block % 256 == 0);
	free(block);
	block = realloc(NULL, size);
	expect_kept_out(block, "realloc(NULL)", size);
	block = realloc(block, 3 * size);
	expect_kept_out(block, "a block that grew", 3 * size);
	block = realloc(block, size / 3 + 1);
	expect_kept_out(block, "a block that shrank", size / 3 + 1);
	free(block);
	if (size < 8 * TEST_KIB) {
		char text[8 * TEST_KIB] = { 0 };

		memset(text, 'x', size);
		block = strdup(text);
		expect_kept_out(block, "strdup", size);
		free(block);
	}
}

/* --- calls that are not --------------------------------------------------------------------- */

static TEST_NOINLINE void *grow(void *block, size_t size)
{
	void *to = realloc(block, size);

	CHECK(to != NULL);
	return to;
}

/* Others may not carry a secret to where it merges, and a denied call may not leave it there. */
static void check_reallocs(size_t size)
{
	void *block = ksmtest_secret_malloc(size);

	expect_kept_out(block, "malloc", size);
	block = grow(block, 2 * size);
	expect_kept_out(block, "a secret that another call made larger", 2 * size);
	block = grow(block, 2 * size + 400 * TEST_KIB);
	expect_kept_out(block, "a secret that another call made large", 2 * size + 400 * TEST_KIB);
	CHECK(((char *)block)[size - 1] == 1);
	block = grow(block, size);
	expect_kept_out(block, "a secret that another call made small again", size);
	CHECK(((char *)block)[size - 1] == 1);
	CHECK(realloc(block, 0) == NULL);
	block = grow(NULL, size);
	memset(block, 2, size);
	block = ksmtest_secret_realloc(block, 2 * size);
	CHECK(((char *)block)[size - 1] == 2);
	expect_kept_out(block, "what a denied call made larger", 2 * size);
	free(block);
}

static void check_wanted(bool small_ones_merge)
{
	void *small[COUNT], *large[COUNT];
	bool some = false;

	test_alloc_many(small, COUNT, 100);
	test_alloc_many(large, COUNT, 64 * TEST_KIB);
	/* Memory that a secret has left may be given to anybody. */
	for (size_t i = 0; i < COUNT; i++)
		some |= merges(small[i]);
	CHECK_MSG(some == small_ones_merge, "do small blocks merge? %d", some);
	CHECK(merges(large[COUNT - 1]));
	test_free_many(small, COUNT);
	test_free_many(large, COUNT);
}

static void check_blocks(void)
{
	void *held[TEST_COUNT_OF(sizes)][COUNT];

	for (size_t s = 0; s < TEST_COUNT_OF(sizes); s++) {
		size_t count = sizes[s] > TEST_MIB ? 2 : COUNT;

		for (size_t i = 0; i < count; i++) {
			held[s][i] = ksmtest_secret_malloc(sizes[s]);
			expect_kept_out(held[s][i], "malloc", sizes[s]);
		}
		ksmtest_secret_all(sizes[s]);
		check_reallocs(sizes[s]);
		void *block = ksmalloc_malloc_private(sizes[s]);

		expect_kept_out(block, "a private block", sizes[s]);
		free(block);
		for (size_t i = 0; i < count; i++)
			free(held[s][i]);
	}
	check_wanted(true);
}

static void *run_thread(void *unused)
{
	(void)unused;
	check_blocks();
	return NULL;
}

static void check_everywhere(void)
{
	pthread_t thread;
	pid_t child;
	int status;

	check_blocks();
	CHECK(pthread_create(&thread, NULL, run_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		check_blocks();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	check_blocks();
}

/* With advise=none: nothing merges, from the first page on. */
static void check_nothing(void)
{
	void *blocks[COUNT];
	void *page = mmap(NULL, TEST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	CHECK(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 0);
	CHECK(test_vma_count_flag("mg") == 0);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	if (strcmp(argv[1], "inherited") == 0) {
		if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) != 0)
			test_skip("this kernel has no PR_SET_MEMORY_MERGE");
		execl("/proc/self/exe", argv[0], "here", argv[2], NULL);
		test_fail(__FILE__, __LINE__, "cannot execute itself: %s", strerror(errno));
	}
	if (strcmp(argv[2], "nothing") == 0)
		check_nothing();
	else if (strcmp(argv[2], "heap") == 0)
		check_wanted(false);
	else
		check_everywhere();
	return 0;
}
