/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-lua.so: a library of its own, which `ksmalloc run --profile=lua` loads.
 *
 * Lua seeds the hashes of its strings from three addresses and from time(2), and offers
 * no way to give a seed. In the shared layout the addresses are equal; with
 * different times two workers have their strings and table entries in different order
 * and share nothing. Here time() answers calls out of lua_newstate(), and no others, with a
 * number of the group's.
 *
 * lua_newstate is looked up once, before main: a Lua that is loaded later with
 * RTLD_LOCAL is not seen. time() is to be callable from signal handlers, so it
 * does nothing but compare.
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <time.h>

#include "group.h"

/* Where lua_newstate's code lies, and what it gets. Synchronization: written before main. */
static uintptr_t first_byte;
static uintptr_t end_byte;
static time_t group_time;

__attribute__((constructor)) static void start(void)
{
	void *function = dlsym(RTLD_DEFAULT, "lua_newstate");
	const ElfW(Sym) *symbol = NULL;
	struct ksmalloc_seed seed;
	void *entry = NULL;
	Dl_info info;

	if (!function || !dladdr1(function, &info, &entry, RTLD_DL_SYMENT) || !entry ||
	    !ksh_group_seed(&seed))
		return;
	symbol = entry;
	/* A middle part of the word; the whole is nobody's business. */
	group_time = (time_t)((seed.words[KSMALLOC_SEED_HASHES] >> 13) & INT32_MAX);
	first_byte = (uintptr_t)function;
	end_byte = first_byte + symbol->st_size;
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
