/* SPDX-License-Identifier: BSD-2-Clause */
#include "arguments.h"

#include "../symbols.h"

#include "ksmalloc/ksmalloc.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base.h"

#pragma weak ksmalloc_anchor

#define EXPORT __attribute__((visibility("default")))

/* Of a string of ASCII, with its zero, besides the characters: as in Python's headers, equal from 3.3 to 3.11. */
#define STRING_BYTES 49

typedef size_t length_function(const wchar_t *text);
typedef long sysconf_function(int name);

static length_function *next_length;
static sysconf_function *next_sysconf;

/* NULL before the start and after it. Synchronization: set by the thread that starts Python, as what follows; taken once. */
static void (*when_over)(void);

/* PyUnicode_FromWideChar(), which asks for the length of what it makes a string of; others copy it, and make none. */
static uintptr_t from_wide;
static size_t from_wide_bytes;

/* What wcslen(3) has said last, and one more; 0: an object was made since. */
static __thread size_t asked __attribute__((tls_model("initial-exec")));

/* Both may be called in signal handlers and in children of a fork, where nothing may be looked up. */
__attribute__((constructor(101))) static void find_next(void)
{
	next_length = (length_function *)dlsym(RTLD_NEXT, "wcslen");
	next_sysconf = (sysconf_function *)dlsym(RTLD_NEXT, "sysconf");
}

void ksp_arguments_start(void *scope, void (*is_over)(void))
{
	void *function = dlsym(scope, "PyUnicode_FromWideChar");

	from_wide = (uintptr_t)function;
	from_wide_bytes = function ? ksh_symbol_size(function) : 0;
	when_over = is_over;
}

bool ksp_arguments_is_string(size_t size)
{
	size_t length = asked;

	asked = 0;
	return when_over && length > 1 && size == length - 1 + STRING_BYTES;
}

EXPORT size_t wcslen(const wchar_t *text)
{
	size_t length;

	if (ksm_unlikely(!next_length))
		find_next();
	length = next_length(text);
	if (ksm_unlikely(when_over) && (uintptr_t)__builtin_return_address(0) - from_wide < from_wide_bytes)
		asked = length + 1;
	return length;
}

static void end(void)
{
	static const char name[] = "(arguments)";
	void (*is_over)(void) = __atomic_exchange_n(&when_over, NULL, __ATOMIC_ACQ_REL);

	if (!is_over)
		return;
	is_over();
	if (ksmalloc_anchor)
		ksmalloc_anchor(name, sizeof(name) - 1);
}

/* The module posix, the first one that Python imports, asks for it behind its copy of the environment. */
EXPORT long sysconf(int name)
{
	if (ksm_unlikely(!next_sysconf))
		find_next();
	if (ksm_unlikely(when_over) && name == _SC_CLK_TCK)
		end();
	return next_sysconf(name);
}
