/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unloads TURNS LIBRARY...: threads that load Lua, run a script in several states, and unload it again, all the time, while others map
 * and unmap memory, and signals interrupt them. Whose memory that is is asked meanwhile.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 4
#define STATES	3

static const char script[] =
	"local t = {} for i = 1, 3000 do t[i] = ('x'):rep(600) .. i end "
	"local function f(n) if n == 0 then return #t end return 0 + f(n - 1) end "
	"local co = coroutine.wrap(function() for i = 1, 500 do t[#t + 1] = ('c'):rep(700) .. i end coroutine.yield(f(20)) end) "
	"return co()";

static int turns;
static volatile int is_over; /* Synchronization: written once. */

static void map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory != MAP_FAILED)
		munmap(memory, bytes);
}

static void handle(int number)
{
	(void)number;
	map(256 << 10);
}

static void *map_and_unmap(void *unused)
{
	while (!is_over) {
		map(64 << 10);
		free(malloc(700));
		free(malloc(70000));
		usleep(50);
	}
	return unused;
}

static void *function(void *library, const char *name)
{
	void *found = dlsym(library, name);

	if (!found) {
		fprintf(stderr, "unloads: %s\n", dlerror());
		_exit(1);
	}
	return found;
}

static void run_in(void *library)
{
	void *(*new_state)(void) = function(library, "luaL_newstate");
	void (*open_libraries)(void *) = function(library, "luaL_openlibs");
	int (*load)(void *, const char *) = function(library, "luaL_loadstring");
	int (*call_k)(void *, int, int, int, long, void *) = dlsym(library, "lua_pcallk");
	int (*call)(void *, int, int, int) = call_k ? NULL : function(library, "lua_pcall");
	void (*end)(void *) = function(library, "lua_close");
	void *states[STATES];

	for (int i = 0; i < STATES; i++) {
		states[i] = new_state();
		open_libraries(states[i]);
		if (load(states[i], script) || (call_k ? call_k(states[i], 0, -1, 0, 0, NULL) : call(states[i], 0, -1, 0))) {
			fputs("unloads: the script fails\n", stderr);
			_exit(1);
		}
	}
	for (int i = 0; i < STATES; i++)
		end(states[i]);
}

static void *load_and_unload(void *name)
{
	for (int i = 0; i < turns; i++) {
		void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

		if (!library) {
			fprintf(stderr, "%s\n", dlerror());
			_exit(77);
		}
		run_in(library);
		dlclose(library);
	}
	return name;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS], mapper;

	if (argc < 3)
		return 2;
	turns = atoi(argv[1]);
	signal(SIGUSR1, handle);
	pthread_create(&mapper, NULL, map_and_unmap, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, load_and_unload, argv[2 + i % (argc - 2)]);
	for (int i = 0; i < 20 * turns; i++) {
		pthread_kill(threads[i % THREADS], SIGUSR1);
		usleep(1000);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	is_over = 1;
	pthread_join(mapper, NULL);
	puts("goes on");
	return 0;
}
