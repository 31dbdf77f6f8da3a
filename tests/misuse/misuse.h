/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One misuse of the heap per program: it must end with SIGABRT, and the last
 * line on standard error must be the fixed one, so that users can search for it.
 *
 * A test defines EXPECTED and misuse(). Pointers go through hide(), or else the
 * compiler would find the mistake before the library does.
 */
#ifndef KSM_TEST_MISUSE_H
#define KSM_TEST_MISUSE_H

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define COUNT 64
#define LARGE (64 * TEST_KIB)

static void misuse(void);

static __attribute__((unused)) TEST_NOINLINE void *hide(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer) : : "memory");
	return pointer;
}

/* A placed block with live neighbours; the others are never freed. */
static __attribute__((unused)) TEST_NOINLINE char *placed_block(void)
{
	static void *blocks[COUNT];

	test_alloc_many(blocks, COUNT, LARGE);
	if (!test_is_placed(blocks[COUNT / 2])) {
		dprintf(STDERR_FILENO, "no block is placed\n");
		_exit(3);
	}
	return blocks[COUNT / 2];
}

static void in_child(int standard_error)
{
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	dup2(standard_error, STDERR_FILENO);
	/* A program that handles SIGABRT still ends: abort() sees to that. */
	misuse();
	_exit(4);
}

int main(void)
{
	char text[4096], *line;
	size_t length = 0;
	ssize_t got;
	int ends[2], status;

	CHECK(pipe(ends) == 0);
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		in_child(ends[1]);
	close(ends[1]);
	while (length + 1 < sizeof(text) && (got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "ended with status %x and said: %s",
		  status, text);
	CHECK_MSG(length > 0 && text[length - 1] == '\n', "the line does not end: %s", text);
	text[length - 1] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	CHECK_MSG(strcmp(line, EXPECTED) == 0, "said \"%s\", expected \"%s\"", line, EXPECTED);
	return 0;
}

#endif
