/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that runs a loop in LuaJIT, which compiles it and maps memory in it, closes its state, and does the same in
 * a second one. That one lies some pages above the first one, whose memory is gone: what was kept of the first one
 * must not be taken for what is common to the second one's states.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096u

static struct {
	void *(*new_state)(void);
	void (*open_libraries)(void *state);
	int (*load)(void *state, const char *code);
	int (*call)(void *state, int arguments, int results, int handler);
	void (*close)(void *state);
} lua;

static const char code[] = "local ffi = require 'ffi'\n"
			   "ffi.cdef 'void *mmap(void *, size_t, int, int, int, long); int munmap(void *, size_t);'\n"
			   "for i = 1, 1000 do ffi.C.munmap(ffi.C.mmap(nil, 1048576, 3, 0x22, -1, 0), 1048576) end\n";

static int find(void *file)
{
	lua.new_state = (void *(*)(void))dlsym(file, "luaL_newstate");
	lua.open_libraries = (void (*)(void *))dlsym(file, "luaL_openlibs");
	lua.load = (int (*)(void *, const char *))dlsym(file, "luaL_loadstring");
	lua.call = (int (*)(void *, int, int, int))dlsym(file, "lua_pcall");
	lua.close = (void (*)(void *))dlsym(file, "lua_close");
	return lua.new_state && lua.open_libraries && lua.load && lua.call && lua.close ? 0 : -1;
}

static void *map(size_t pages)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* No gap between mappings is left that a state could lie in. */
static void fill_gaps(void)
{
	for (size_t i = 0; i < 3000; i++)
		mmap(NULL, PAGE * (1 + i % 40), i % 2 ? PROT_READ | PROT_WRITE : PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Its address. */
static void *run(void)
{
	void *state = lua.new_state();

	if (!state)
		exit(2);
	lua.open_libraries(state);
	if (lua.load(state, code) != 0 || lua.call(state, 0, 0, 0) != 0)
		exit(2);
	lua.close(state);
	return state;
}

int main(void)
{
	void *file = dlopen("libluajit-5.1.so.2", RTLD_NOW | RTLD_GLOBAL);
	unsigned int above = 0;

	if (!file || find(file) != 0)
		return 77;
	fill_gaps();
	for (size_t pages = 1; pages <= 3; pages++) {
		void *between = map(pages);
		char *first = run();
		char *second;

		munmap(between, pages * PAGE);
		second = run();
		above += second > first && second < first + 16384;
	}
	printf("%u\n", above);
	return 0;
}
