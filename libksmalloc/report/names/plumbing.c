/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames that lie between a program's decision to allocate and malloc.
 * A site named after one of them would say nothing: every large block of a
 * Python program comes from PyMem_RawMalloc. The table is matched in order,
 * with the globs of fnmatch(3); an empty function means the whole module.
 * Keep it short: a name belongs here only if its one purpose is to allocate.
 */
#include "names/plumbing.h"

#include <fnmatch.h>

struct plumbing {
	const char *module;
	const char *function;
};

static const struct plumbing table[] = {
	/* The allocator itself. */
	{"libksmalloc*", ""},
	/* libc and the C++ runtime; C++ names are those of a demangler. */
	{"*", "malloc"},
	{"*", "calloc"},
	{"*", "realloc"},
	{"*", "reallocarray"},
	{"*", "aligned_alloc"},
	{"*", "posix_memalign"},
	{"*", "memalign"},
	{"*", "mmap"},
	{"*", "mmap64"},
	{"*", "strdup"},
	{"*", "__strdup"},
	{"*", "strndup"},
	{"*", "xmalloc"},
	{"*", "xcalloc"},
	{"*", "xrealloc"},
	{"*", "operator new*"},
	{"*", "_Znw*"},
	{"*", "_Zna*"},
	{"*", "__gnu_cxx::new_allocator*"},
	{"*", "std::__new_allocator*"},
	{"*", "std::allocator_traits*"},
	{"*", "std::allocator<*"},
	{"*", "std::_Vector_base*::_M_allocate*"},
	{"*", "allocate"},
	{"*", "_M_allocate"},
	{"*", "_M_create"},
	{"*", "_M_create_storage"},
	/* CPython. */
	{"*", "_PyMem_*"},
	{"*", "PyMem_*"},
	{"*", "PyObject_Malloc"},
	{"*", "PyObject_Calloc"},
	{"*", "PyObject_Realloc"},
	{"*", "_PyObject_Malloc"},
	{"*", "_PyObject_Calloc"},
	{"*", "_PyObject_Realloc"},
	{"*", "_PyObject_Arena*"},
	{"*", "_PyObject_GC_Malloc"},
	{"*", "_PyObject_GC_Alloc"},
	{"*", "gc_alloc"},
	{"*", "new_arena"},
	{"*", "allocate_from_new_pool"},
	{"*", "pymalloc_alloc"},
	{"*", "arena_map_*"},
	/* GLib, redis, sqlite, lua, php, ruby, perl, node. */
	{"*", "g_malloc*"},
	{"*", "g_try_malloc*"},
	{"*", "g_realloc*"},
	{"*", "g_slice_alloc*"},
	{"*", "zmalloc*"},
	{"*", "ztrymalloc*"},
	{"*", "zcalloc*"},
	{"*", "zrealloc*"},
	{"*", "ztryrealloc*"},
	{"*", "sqlite3Mem*"},
	{"*", "sqlite3Malloc*"},
	{"*", "sqlite3DbMalloc*"},
	{"*", "sqlite3DbRealloc*"},
	{"*", "sqlite3Realloc"},
	{"*", "sqlite3_malloc*"},
	{"*", "sqlite3_realloc*"},
	{"*", "mallocWithAlarm"},
	{"*", "l_alloc"},
	{"*", "luaM_*"},
	{"*", "zend_mm_*"},
	{"*", "_emalloc*"},
	{"*", "_erealloc*"},
	{"*", "_safe_malloc"},
	{"*", "objspace_x*alloc*"},
	{"*", "ruby_x*alloc*"},
	{"*", "Perl_safesys*alloc"},
	{"*", "node::Malloc*"},
	{"*", "node::UncheckedMalloc*"},
};

bool ksr_is_plumbing(const char *function, const char *module)
{
	for (size_t i = 0; i < KSM_COUNT_OF(table); i++) {
		if (fnmatch(table[i].module, module, 0) == 0 &&
		    (!table[i].function[0] || fnmatch(table[i].function, function, 0) == 0))
			return true;
	}
	return false;
}
