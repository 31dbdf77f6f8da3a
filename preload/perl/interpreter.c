/* SPDX-License-Identifier: BSD-2-Clause */
#include "interpreter.h"

#include "../symbols.h"

#include <dlfcn.h>

#include "base.h"

/*
 * The size of the interpreter's structure follows from version and options, the number of ops from the version; Perl
 * exports both. That PL_signalhook is found where the headers say is looked at later, when there is an interpreter.
 */
bool ksp_perl_find(struct ksp_perl *perl)
{
	const U16 *size = NULL;
	const U16 *old_size = NULL;
	void *ops = NULL;
	const struct ksh_symbol symbols[] = {
		{ &size, "PL_interp_size" },
		{ &old_size, "PL_interp_size_5_18_0" },
		{ &ops, "PL_ppaddr" },
		{ &perl->current, "PL_curinterp" },
		{ &perl->key, "PL_thr_key" },
		{ &perl->despatch, "Perl_despatch_signals" },
	};

	return ksh_find_symbols(RTLD_DEFAULT, symbols, KSM_COUNT_OF(symbols)) &&
	       *size == sizeof(struct interpreter) &&
	       *old_size == PERL_INTERPRETER_SIZE_UPTO_MEMBER(PERL_LAST_5_18_0_INTERP_MEMBER) &&
	       ksh_symbol_size(ops) == sizeof(Perl_ppaddr_t) * MAXO;
}
