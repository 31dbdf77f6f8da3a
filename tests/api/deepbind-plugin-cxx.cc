// SPDX-License-Identifier: BSD-2-Clause
// A plugin whose blocks come from operator new: it alone brings libstdc++ into the process.
#include "deepbind-plugin.h"

#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <string>
#include <thread>
#include <vector>

extern "C" const char *version()
{
	return "plugin";
}

namespace {

const char *const kind_names[] = { "new", "new[]", "new (nothrow)", "aligned new", "the dependency's malloc" };
const std::string global(100, 'g'); // made by a constructor
void *constructed[DEEPBIND_CONSTRUCTED];

void *make(size_t kind, size_t size)
{
	switch (kind) {
	case 0: return ::operator new(size);
	case 1: return new char[size];
	case 2: return ::operator new(size, std::nothrow);
	case 3: return ::operator new(size, std::align_val_t{ 256 });
	default: return library_make(size);
	}
}

const char *name_of(size_t kind)
{
	return kind_names[kind];
}

void release(void *block)
{
	::operator delete(block);
}

void run_thread()
{
	std::thread([] {
		std::vector<std::string> texts;

		for (int i = 0; i < 1000; i++)
			texts.push_back(std::string(i * 100, 'x') + global);
		free(::operator new(100000));
		::operator delete(malloc(100));
	}).join();
}

struct maker {
	maker()
	{
		constructed[0] = ::operator new(100);
		constructed[1] = new char[70000];
		constructed[2] = strdup("a text of libc's");
	}
} maker;

} // namespace

extern "C" {
extern struct deepbind_plugin plugin;
struct deepbind_plugin plugin = { sizeof(kind_names) / sizeof(kind_names[0]), name_of, make, realloc,
				  malloc_usable_size, release, constructed, version,
				  library_calls_version, run_thread };
}
