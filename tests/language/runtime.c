/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program with a language of its own, which it tells of (ksmalloc_frame_callback()); with the argument "python LIBRARY" one
 * that has loaded an interpreter later, while threads of its own, which that does not know, allocate.
 */
#include <ksmalloc/ksmalloc.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 700
#define BLOCKS 4000

static __attribute__((noinline)) void allocate(void)
{
	for (int i = 0; i < BLOCKS; i++)
		memset(malloc(BLOCK), 1, BLOCK);
}

/* --- a language of its own -------------------------------------------------------------------- */

struct call {
	const char *function;
	unsigned int line;
};

/*
 * What this thread executes; the callback has depths from the innermost one on. Compilers take it for granted that malloc
 * reads none of a program's variables.
 */
static _Thread_local volatile struct call calls[40];
static _Thread_local volatile unsigned int depth;

static int tell(void *context, unsigned int wanted, struct ksmalloc_frame *frame)
{
	if (wanted >= depth)
		return -1;
	frame->file = context;
	frame->function = calls[depth - 1 - wanted].function;
	frame->line = calls[depth - 1 - wanted].line;
	return 0;
}

static void call(const char *function, unsigned int line)
{
	calls[depth].function = function;
	calls[depth].line = line;
	depth = depth + 1;
}

static void *run_other(void *unused)
{
	call("in_thread", 30);
	allocate();
	depth = 0;
	return unused;
}

static int run_own(void)
{
	static char file[] = "program.own";
	pthread_t thread;

	if (ksmalloc_frame_callback(tell, file) != 0)
		return errno == EPERM ? 3 : 1;
	call("main", 1);
	call("outer", 10);
	call("inner", 20);
	allocate();
	depth = 1;
	for (unsigned int i = 0; i < 38; i++)
		call("deep", i);
	allocate();
	depth = 1;
	if (pthread_create(&thread, NULL, run_other, NULL) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	ksmalloc_frame_callback(NULL, NULL);
	call("not_told", 40);
	allocate();
	return 0;
}

/* --- an interpreter that is loaded later -------------------------------------------------------- */

static volatile int is_over;

static void *run_unknown(void *unused)
{
	while (!is_over) {
		void *large = malloc(1 << 20);

		memset(large, 1, 1 << 20);
		free(large);
		for (int i = 0; i < 500; i++)
			free(malloc(BLOCK));
	}
	return unused;
}

/* What is mapped here is not the script's, which may be in the middle of anything. */
static void handle(int number)
{
	size_t size = 8 << 20;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)number;
	if (memory != MAP_FAILED)
		memset(memory, 1, size);
}

static int run_python(const char *path)
{
	pthread_t thread;
	void *library;
	void (*start)(int);
	int (*run)(const char *);

	if (pthread_create(&thread, NULL, run_unknown, NULL) != 0)
		return 1;
	library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	start = (void (*)(int))dlsym(library, "Py_InitializeEx");
	run = (int (*)(const char *))dlsym(library, "PyRun_SimpleString");
	start(0);
	if (run("def embedded():\n    return [bytes(700) for i in range(4000)]\nkept = embedded()\n") != 0)
		return 1;
	if (signal(SIGUSR1, handle) == SIG_ERR ||
	    run("import os\ndef interrupted():\n    os.kill(os.getpid(), 10)\ninterrupted()\n") != 0)
		return 1;
	is_over = 1;
	return pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	int error = argc == 3 ? run_python(argv[2]) : run_own();
	char c;

	if (error)
		return error;
	printf("ready\n");
	fflush(stdout);
	if (read(0, &c, 1) < 0)
		return 1;
	return 0;
}
