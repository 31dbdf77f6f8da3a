/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seed of ruby's hashes, in libksmalloc-ruby.so, which `ksmalloc run --profile=ruby` loads.
 *
 * Ruby draws it from the kernel by getentropy(3), and offers no way to give one. With different seeds two
 * workers have their tables in different order, and their keys' and symbols' hashes differ. Here the call for that seed,
 * and no other, is answered with numbers made from the group's secret.
 *
 * Which call that is: what ruby draws first, before there are objects, goes to a variable of its own,
 * hash_salt (Init_RandomSeedCore() in random.c, ruby 2.7 to 3.4). All that it draws later, for Kernel#rand, Random and
 * SecureRandom, goes to the stack or the heap. So a call is answered if it is the first that comes out of ruby, and both the
 * caller and where the bytes are to go lie in the file that ruby is, and their number is that of a salt. Any
 * other one goes on to libc's getentropy(), and if it was ruby's first, none is ever answered.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "../group.h"
#include "children.h"

#define WORDS_OF_SALT 3 /* a start for each hash, and a key of 128 bits for SipHash */

/* Beyond those of the launcher's settings; KSMALLOC_SEED_HASHES gives the numbers of both. */
#define FIRST_NUMBER (UINT64_C(1) << 32)

typedef int getentropy_function(void *buffer, size_t length);

/* Ruby has drawn. Synchronization: atomic; before ruby's first draw there is one thread. */
static bool has_drawn;

/* The loaded file that holds an address of code or data; NULL for the heap and the stack. */
static struct link_map *file_of(const void *address)
{
	struct link_map *file = NULL;
	Dl_info info;

	return dladdr1(address, &info, (void **)&file, RTLD_DL_LINKMAP) ? file : NULL;
}

static bool is_ruby(struct link_map *file)
{
	void *setup = file ? dlsym(RTLD_DEFAULT, "ruby_setup") : NULL;

	return setup && file_of(setup) == file;
}

static bool answer(void *buffer)
{
	uint64_t salt[WORDS_OF_SALT];
	struct ksmalloc_seed seed;

	if (!ksh_group_seed(&seed))
		return false;
	for (unsigned int i = 0; i < WORDS_OF_SALT; i++)
		salt[i] = ksmalloc_seed_derive(&seed, KSMALLOC_SEED_HASHES, FIRST_NUMBER + i);
	memcpy(buffer, salt, sizeof(salt));
	explicit_bzero(salt, sizeof(salt));
	explicit_bzero(&seed, sizeof(seed));
	return true;
}

static int next_getentropy(void *buffer, size_t length)
{
	getentropy_function *next = (getentropy_function *)dlsym(RTLD_NEXT, "getentropy");

	if (next)
		return next(buffer, length);
	errno = ENOSYS;
	return -1;
}

__attribute__((visibility("default"))) int getentropy(void *buffer, size_t length)
{
	struct link_map *file;

	if (__atomic_load_n(&has_drawn, __ATOMIC_RELAXED))
		return next_getentropy(buffer, length);
	file = file_of(__builtin_return_address(0));
	if (!is_ruby(file) || __atomic_exchange_n(&has_drawn, true, __ATOMIC_RELAXED))
		return next_getentropy(buffer, length);
	krb_children_start();
	if (length == WORDS_OF_SALT * sizeof(uint64_t) && file_of(buffer) == file && answer(buffer))
		return 0;
	return next_getentropy(buffer, length);
}
