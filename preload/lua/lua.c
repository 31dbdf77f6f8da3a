/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-lua.so: a library of its own, which `ksmalloc run --profile=lua` loads.
 *
 * Seed: Lua seeds the hashes of its strings from three addresses and from time(2), and offers
 * no way to give a seed. In the shared layout the addresses are equal; with
 * different times two workers have their strings and table entries in different order
 * and share nothing. Here time() answers calls out of lua_newstate(), and no others, with a
 * number of the group's.
 *
 * lua_newstate is looked up once, before main: a Lua that is loaded later with
 * RTLD_LOCAL is not seen. time() is to be callable from signal handlers, so it
 * does nothing but compare.
 *
 * Objects: malloc does not know what an object is, and one that a worker has made more moves all of
 * its size. ksmalloc_lua_follow() gives Lua 5.4 another allocator (places.h), through the call that
 * Lua has for that. It is a function for Lua, which the interpreter calls because of LUA_INIT_5_4,
 * before the script: the interpreter has Lua within itself, so that nothing of it could be put in
 * front of. What was allocated before goes back to the allocator that it came from, and so does
 * what is too large.
 *
 * When not: without streams (the private layout, or without libksmalloc.so), where another runtime
 * follows them, where the user has a LUA_INIT of his own, and with `lua -E`.
 */
#include "level.h"
#include "places.h"

#include "../group.h"
#include "../symbols.h"

#include "ksmalloc/stream.h"

#include <dlfcn.h>
#include <string.h>
#include <time.h>

#pragma weak ksmalloc_stream_leave_start

/* --- the seed -------------------------------------------------------------------------------- */

/* Beyond those of the launcher's settings and of ruby. */
#define NUMBER_OF_TIME (UINT64_C(2) << 32)

/* Where lua_newstate's code lies, and what it gets. Synchronization: written before main. */
static uintptr_t first_byte;
static uintptr_t end_byte;
static time_t group_time;

__attribute__((constructor)) static void start(void)
{
	void *function = dlsym(RTLD_DEFAULT, "lua_newstate");
	struct ksmalloc_seed seed;

	if (!function || !ksh_group_seed(&seed))
		return;
	group_time = (time_t)(ksmalloc_seed_derive(&seed, KSMALLOC_SEED_HASHES, NUMBER_OF_TIME) & INT32_MAX);
	explicit_bzero(&seed, sizeof(seed));
	first_byte = (uintptr_t)function;
	end_byte = first_byte + ksh_symbol_size(function);
}

__attribute__((visibility("default"))) time_t time(time_t *result)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	struct timespec now;

	if (caller - first_byte < end_byte - first_byte)
		now.tv_sec = group_time;
	else
		clock_gettime(CLOCK_REALTIME_COARSE, &now); /* the clock that libc's time() reads */
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}

/* --- objects --------------------------------------------------------------------------------- */

/* As in Lua's own headers, which need not be there when this is built. */
typedef void *allocate_function(void *context, void *old, size_t old_size, size_t size);
typedef allocate_function *get_function(void *state, void **context);
typedef void set_function(void *state, allocate_function *allocate, void *context);

/* What was there before. Written once. */
static allocate_function *before;
static void *before_context;

/* The type of a new object, which is what Lua says in the place of an old size. */
static const uint8_t kinds[] = {
	[4] = KSL_STRING, [5] = KSL_TABLE, [6] = KSL_FUNCTION, [7] = KSL_RARE,
	[8] = KSL_RARE,	  [9] = KSL_RARE,  [10] = KSL_RARE};

static void *new_object(size_t type, size_t size)
{
	void *result = NULL;

	if (ksm_likely(size - 1 < KSL_LARGEST))
		result = ksl_alloc(
			type < KSM_COUNT_OF(kinds) ? (enum ksl_kind)kinds[type] : KSL_OTHER, size);
	return ksm_likely(result) ? result : before(before_context, NULL, type, size);
}

/* Lua takes it for granted that nothing fails that is not to become longer. */
static void *resize(void *old, size_t old_size, size_t size)
{
	bool is_held = ksl_holds(old);
	void *result;

	if (is_held ? size <= KSL_LARGEST && ksl_class(size) == ksl_class(ksl_size(old))
		    : size > KSL_LARGEST)
		return is_held ? old : before(before_context, old, old_size, size);
	result = new_object(0, size);
	if (!result)
		return size <= old_size ? old : NULL;
	memcpy(result, old, old_size < size ? old_size : size);
	if (is_held)
		ksl_free(old);
	else
		before(before_context, old, old_size, 0);
	return result;
}

static void *allocate(void *context, void *old, size_t old_size, size_t size)
{
	(void)context;
	if (!old)
		return size ? new_object(old_size, size) : NULL;
	if (size)
		return resize(old, old_size, size);
	if (ksm_likely(ksl_holds(old)))
		ksl_free(old);
	else
		before(before_context, old, old_size, 0);
	return NULL;
}

static bool start_places(void)
{
	struct ksh_source source;

	if (!ksh_source_follow(&source, ksl_moved))
		return false;
	ksl_start(&source);
	return true;
}

/* A lua_CFunction; without arguments or results. The first state of the process gets the allocator.
 */
__attribute__((visibility("default"))) int ksmalloc_lua_follow(void *state);
int ksmalloc_lua_follow(void *state)
{
	get_function *get = (get_function *)dlsym(RTLD_DEFAULT, "lua_getallocf");
	set_function *set = (set_function *)dlsym(RTLD_DEFAULT, "lua_setallocf");

	if (before || !get || !set || !start_places())
		return 0;
	/* What lies before is Lua's table of arguments. */
	ksl_level(state);
	if (ksmalloc_stream_leave_start)
		ksmalloc_stream_leave_start();
	before = get(state, &before_context);
	set(state, allocate, NULL);
	return 0;
}
