/* SPDX-License-Identifier: BSD-2-Clause */
#include "environment.h"

#include "interpreter.h"

#include "../symbols.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "base.h"

/* Perl frees such keys with the block that they are in. */
#ifdef HVhek_NOTSHARED
typedef void unshare_function(PerlInterpreter *perl, HEK *key);
typedef void *alloc_function(MEM_SIZE bytes);

static unshare_function *unshare_key;
static alloc_function *allocate;

void ksp_environment_start(void)
{
	const struct ksh_symbol symbols[] = {
		{ &unshare_key, "Perl_unshare_hek" },
		{ &allocate, "Perl_safesysmalloc" },
	};

	if (!ksh_find_symbols(RTLD_DEFAULT, symbols, KSM_COUNT_OF(symbols)))
		unshare_key = NULL;
}

static HEK *copy(const HEK *key)
{
	/* A zero and the flags come behind the text. */
	size_t bytes = HEK_BASESIZE + (size_t)HEK_LEN(key) + 2;
	HEK *own = allocate(bytes);

	if (own) {
		memcpy(own, key, bytes);
		HEK_FLAGS(own) |= HVhek_NOTSHARED;
	}
	return own;
}

static void own_key(struct interpreter *perl, HE *entry)
{
	HEK *shared = HeKEY_hek(entry);
	HEK *own;

	if (HEK_LEN(shared) == HEf_SVKEY || HEK_FLAGS(shared) & HVhek_NOTSHARED)
		return;
	own = copy(shared);
	if (!own)
		return;
	HeKEY_hek(entry) = own;
	unshare_key(perl, shared);
}

void ksp_environment_own(struct interpreter *perl)
{
	const GV *name = perl->Ienvgv;
	HV *environment = name && isGV_with_GP(name) && GvGP(name) ? GvHV(name) : NULL;

	if (!unshare_key || !environment || !HvARRAY(environment))
		return;
	for (STRLEN i = 0; i <= HvMAX(environment); i++) {
		for (HE *entry = HvARRAY(environment)[i]; entry; entry = HeNEXT(entry))
			own_key(perl, entry);
	}
}
#else
void ksp_environment_start(void)
{
}

void ksp_environment_own(struct interpreter *perl)
{
	(void)perl;
}
#endif
