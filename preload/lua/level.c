/* SPDX-License-Identifier: BSD-2-Clause */
#include "level.h"

#include "../symbols.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

#include "base.h"

/* As in Lua's own headers, which need not be there when this is built. */
#define REGISTRY (-1000000 - 1000) /* LUA_REGISTRYINDEX */
#define STOP 0
#define RESTART 1
#define COLLECT 2
#define COUNT 3
#define COUNT_REST 4
#define LONGEST_SHORT 40 /* LUAI_MAXSHORTLEN: no longer ones are in the table of strings */

#define EVEN_BYTES 16384u
#define EVEN_STRINGS 8u
#define MOST_ARGUMENTS 256

static struct {
	int (*collector)(void *state, int what, ...);
	int (*get_global)(void *state, const char *name);
	int (*get)(void *state, int table, long long index);
	void (*set)(void *state, int table, long long index);
	void (*set_top)(void *state, int index);
	int (*top)(void *state);
	const char *(*text)(void *state, int index, size_t *length);
	void (*new_table)(void *state, int array, int hash);
	const char *(*push_text)(void *state, const char *text);
	void *(*new_block)(void *state, size_t bytes, int values);
	void (*push_value)(void *state, int index);
	void (*set_field)(void *state, int table, const char *name);
} lua;

static bool find_lua(void)
{
	const struct ksh_symbol symbols[] = {
		{ &lua.collector, "lua_gc" },
		{ &lua.get_global, "lua_getglobal" },
		{ &lua.get, "lua_rawgeti" },
		{ &lua.set, "lua_rawseti" },
		{ &lua.set_top, "lua_settop" },
		{ &lua.top, "lua_gettop" },
		{ &lua.text, "lua_tolstring" },
		{ &lua.new_table, "lua_createtable" },
		{ &lua.push_text, "lua_pushstring" },
		{ &lua.new_block, "lua_newuserdatauv" },
		{ &lua.push_value, "lua_pushvalue" },
		{ &lua.set_field, "lua_setfield" },
	};

	return ksh_find_symbols(RTLD_DEFAULT, symbols, KSM_COUNT_OF(symbols));
}

#define TYPE_STRING 4
#define TYPE_TABLE 5

/* --- strings --------------------------------------------------------------------------------- */

struct arguments {
	const char *texts[MOST_ARGUMENTS]; /* Lua has each short string once */
	unsigned int count;
};

static void add(struct arguments *arguments, const char *text)
{
	for (unsigned int i = 0; i < arguments->count; i++) {
		if (arguments->texts[i] == text)
			return;
	}
	arguments->texts[arguments->count++] = text;
}

/* False at the end, or where there are too many. */
static bool add_at(void *state, struct arguments *arguments, int table, long long index)
{
	size_t length = 0;
	const char *text;

	if (arguments->count == MOST_ARGUMENTS || lua.get(state, table, index) != TYPE_STRING) {
		lua.set_top(state, table);
		return false;
	}
	text = lua.text(state, -1, &length);
	if (length <= LONGEST_SHORT)
		add(arguments, text);
	lua.set_top(state, table);
	return true;
}

/* Of the table of arguments: the script's name is at 0, what stands before it below. */
static unsigned int count_strings(void *state)
{
	struct arguments arguments = { .count = 0 };
	int top = lua.top(state);

	if (lua.get_global(state, "arg") == TYPE_TABLE) {
		for (long long i = 0; add_at(state, &arguments, top + 1, i); i++)
			;
		for (long long i = -1; add_at(state, &arguments, top + 1, i); i--)
			;
	}
	lua.set_top(state, top);
	return arguments.count;
}

/* Strings of one length in a table that has room for as many as there can be, which goes to the top of the stack. */
static void push_strings(void *state, unsigned int count)
{
	int table = lua.top(state) + 1;
	char name[16];

	lua.new_table(state, EVEN_STRINGS + 2, 0);
	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "ksmalloc %02u", i % 100);
		lua.push_text(state, name);
		lua.set(state, table, i + 1);
	}
}

/* --- bytes ----------------------------------------------------------------------------------- */

static size_t count_bytes(void *state)
{
	return (size_t)lua.collector(state, COUNT) * KSM_KIB + (size_t)lua.collector(state, COUNT_REST);
}

/* Two blocks, for the first one shows what Lua counts for a block beside its bytes. Into the table on top. */
static void fill_bytes(void *state, long long index)
{
	int table = lua.top(state);
	size_t before = count_bytes(state);
	size_t beside;
	size_t wanted;

	lua.new_block(state, 0, 0);
	lua.set(state, table, index);
	beside = count_bytes(state) - before;
	wanted = EVEN_BYTES - (before + 2 * beside) % EVEN_BYTES;
	lua.new_block(state, wanted, 0);
	lua.set(state, table, index + 1);
}

void ksl_level(void *state)
{
	unsigned int strings;
	unsigned int wanted;

	if (!find_lua())
		return;
	strings = count_strings(state);
	if (strings == MOST_ARGUMENTS)
		return;
	wanted = EVEN_STRINGS - strings % EVEN_STRINGS;
	push_strings(state, wanted);
	lua.push_value(state, -1);
	lua.set_field(state, REGISTRY, "ksmalloc");
	lua.collector(state, COLLECT);
	lua.collector(state, STOP);
	fill_bytes(state, EVEN_STRINGS + 1);
	lua.set_top(state, -2);
	lua.collector(state, RESTART);
	lua.collector(state, COLLECT);
}
