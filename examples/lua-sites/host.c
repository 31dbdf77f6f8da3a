/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host SCRIPT: runs a Lua script and names its large blocks for ksmalloc.
 *
 * All memory of an interpreter comes from a few C functions, so that call stacks
 * say little about the script. The host's allocator therefore opens a label
 * that names what is allocated and for which Lua function. Afterwards it prints
 * "done" and waits for the end of its input, so that a report can be made.
 */
#include <ksmalloc/ksmalloc.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

/* Smaller blocks are never placed; to name them would cost time and change nothing. */
#define LABEL_BYTES ((size_t)16 << 10)

struct host {
	lua_State *lua; /* NULL until the state is complete */
};

/*
 * For a new object Lua passes its type instead of an old size. Parts of tables
 * and buffers have no type of their own.
 */
static const char *object_name(const void *block, size_t type)
{
	if (!block && type == LUA_TSTRING)
		return "string";
	if (!block && type == LUA_TUSERDATA)
		return "userdata";
	return "table or buffer";
}

/*
 * Writes "string in build_names (tables.lua:7)". lua_getstack and lua_getinfo
 * with these letters only read, so they may be called while Lua allocates.
 */
static void make_label(lua_State *lua, const char *object, char *label, size_t label_bytes)
{
	lua_Debug call;

	for (int level = 0; lua_getstack(lua, level, &call); level++) {
		lua_getinfo(lua, "Sn", &call);
		if (call.what[0] == 'C')
			continue;
		snprintf(label, label_bytes, "%s in %s (%s:%d)", object,
			 call.name ? call.name : "main", call.short_src, call.linedefined);
		return;
	}
	snprintf(label, label_bytes, "%s of the host", object);
}

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
	struct host *host = context;
	char label[64];
	void *result;

	if (!new_size) {
		free(block);
		return NULL;
	}
	if (new_size < LABEL_BYTES || !host->lua)
		return realloc(block, new_size);
	make_label(host->lua, object_name(block, old_size), label, sizeof(label));
	ksmalloc_label_begin(label);
	result = realloc(block, new_size);
	ksmalloc_label_end();
	return result;
}

int main(int argc, char **argv)
{
	struct host host = {0};
	lua_State *lua = lua_newstate(allocate, &host);

	if (argc != 2 || !lua) {
		fprintf(stderr, "usage: host SCRIPT\n");
		return 2;
	}
	host.lua = lua;
	luaL_openlibs(lua);
	if (luaL_dofile(lua, argv[1])) {
		fprintf(stderr, "%s\n", lua_tostring(lua, -1));
		return 1;
	}
	puts("done");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	lua_close(lua);
	return 0;
}
