/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc_info writes XML that tells what the program holds, malloc_stats tells the same on standard error,
 * and mallopt accepts what was meant for glibc's malloc.
 */
#include "test.h"

#include <fcntl.h>

#define COUNT 200
#define SIZE  (512 * TEST_KIB)

static char *text_of_info(void)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	CHECK(stream != NULL);
	CHECK(malloc_info(0, stream) == 0);
	CHECK(fclose(stream) == 0);
	return text;
}

/* The size in the last element of this kind, which is the sum over all heaps. */
static size_t size_in(const char *text, const char *element)
{
	const char *found = NULL;

	for (const char *next = strstr(text, element); next; next = strstr(next + 1, element))
		found = next;
	CHECK_MSG(found != NULL, "no %s in:\n%s", element, text);
	return strtoull(found + strlen(element), NULL, 10);
}

/* What malloc_stats writes, into a buffer of this size. */
static void text_of_stats(char *text, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t length;

	CHECK(saved >= 0 && pipe(ends) == 0);
	CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	malloc_stats();
	CHECK(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
	close(ends[1]);
	length = read(ends[0], text, size - 1);
	CHECK(length > 0);
	text[length] = '\0';
	close(ends[0]);
	close(saved);
}

static void check_sizes(void)
{
	void *blocks[COUNT];
	char *before = text_of_info(), *during, stats[1024];
	size_t placed, system;

	test_alloc_many(blocks, COUNT, SIZE);
	during = text_of_info();
	placed = size_in(during, "<total type=\"mmap\" size=\"") - size_in(before, "<total type=\"mmap\" size=\"");
	system = size_in(during, "<system type=\"current\" size=\"");
	CHECK_MSG(placed >= COUNT * SIZE / 2 && placed <= COUNT * SIZE, "%zu placed:\n%s", placed, during);
	CHECK_MSG(system >= COUNT * SIZE, "%zu of the system:\n%s", system, during);
	CHECK(strncmp(during, "<malloc version=\"1\">\n", 21) == 0);
	CHECK(strcmp(during + strlen(during) - 10, "</malloc>\n") == 0);

	text_of_stats(stats, sizeof(stats));
	CHECK_MSG(strstr(stats, "ksmalloc: small blocks: ") && strstr(stats, "ksmalloc: placed blocks: "), "%s", stats);
	CHECK_MSG(size_in(stats, "placed blocks: ") >= placed, "%zu placed, but\n%s", placed, stats);
	test_free_many(blocks, COUNT);
	free(during);
	free(before);
}

int main(void)
{
	static const int parameters[] = { M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX,
					  M_CHECK_ACTION, M_PERTURB, M_ARENA_TEST, M_ARENA_MAX };
	FILE *full = fopen("/dev/full", "we");

	check_sizes();
	for (size_t i = 0; i < TEST_COUNT_OF(parameters); i++)
		CHECK_MSG(mallopt(parameters[i], 64) == 1, "mallopt(%d, 64)", parameters[i]);

	CHECK(malloc_info(1, stdout) == EINVAL);
	CHECK(full && setvbuf(full, NULL, _IONBF, 0) == 0);
	CHECK_MSG(malloc_info(0, full) == -1 && errno == ENOSPC, "a stream that cannot be written: errno %d", errno);
	fclose(full);
	return 0;
}
