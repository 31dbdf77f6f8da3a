/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A module for an unmodified Lua 5.4: label(name, function, ...) calls the function under a label, and gives its results;
 * name may be nil: then the label is where the function is defined, "tables.lua:4". It works
 * without the library, too. A label is open until the call returns: a coroutine must not yield from within.
 */
#include <ksmalloc/embed.h>

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

/* Where the function, which is pushed and popped, is defined. */
static void describe(lua_State *lua, int function, char *label, size_t label_bytes)
{
	lua_Debug facts;

	lua_pushvalue(lua, function);
	lua_getinfo(lua, ">S", &facts);
	snprintf(label, label_bytes, "%s:%d", facts.short_src, facts.linedefined);
}

static int label(lua_State *lua)
{
	const char *name = luaL_optstring(lua, 1, NULL);
	char place[64];
	int begun, failed;

	luaL_checktype(lua, 2, LUA_TFUNCTION);
	if (!name) {
		describe(lua, 2, place, sizeof(place));
		name = place;
	}
	begun = ksmalloc_embed_begin_name(name);
	failed = lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0);
	ksmalloc_embed_end(begun);
	return failed ? lua_error(lua) : lua_gettop(lua) - 1;
}

__attribute__((visibility("default"))) int luaopen_ksmalloc_label(lua_State *lua)
{
	lua_pushcfunction(lua, label);
	return 1;
}
