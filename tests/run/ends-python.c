/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that starts Python and ends it, several times, and after each end opens files and goes on to use its memory, which
 * PyMem_Malloc() gives then, too.. Usage: LIBRARY FOLDER
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TURNS 3
#define FILES 40
#define BLOCKS 80

static struct {
	void (*initialize)(int signals);
	int (*finalize)(void);
	int (*run)(const char *program);
	void *(*malloc)(size_t size);
	void (*free)(void *p);
} python;

static const struct {
	void *where;
	const char *name;
} names[] = {
	{&python.initialize, "Py_InitializeEx"}, {&python.finalize, "Py_FinalizeEx"},
	{&python.run, "PyRun_SimpleString"},	 {&python.malloc, "PyMem_Malloc"},
	{&python.free, "PyMem_Free"},
};

/* A file that was not opened before. */
static int open_new(const char *folder, int turn, int number)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%d-%d", folder, turn, number);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	fd = open(path, O_RDONLY);
	close(fd);
	return fd >= 0;
}

static int use_memory(void)
{
	char *blocks[BLOCKS];
	int good = 1;

	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = python.malloc(30 + 16 * (size_t)(i % 20));
		if (blocks[i])
			memset(blocks[i], i, 30);
	}
	for (int i = 0; i < BLOCKS; i++) {
		good &= blocks[i] && blocks[i][0] == i && blocks[i][29] == i;
		python.free(blocks[i]);
	}
	return good;
}

int main(int argc, char **argv)
{
	void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *found = library ? dlsym(library, names[i].name) : NULL;

		if (!found)
			return 77;
		memcpy(names[i].where, &found, sizeof(found));
	}
	for (int turn = 0; turn < TURNS; turn++) {
		python.initialize(0);
		if (python.run("import os\n"
			       "made = [{'a': i} for i in range(20000)]\n"
			       "pid = os.fork()\n"
			       "if pid == 0: os._exit(0)\n"
			       "assert os.waitpid(pid, 0)[1] == 0\n") ||
		    python.finalize())
			return 1;
		for (int i = 0; i < FILES; i++) {
			if (!open_new(argv[2], turn, i) || !use_memory())
				return 1;
		}
	}
	puts("good");
	return 0;
}
