/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin that is opened with RTLD_DEEPBIND finds its own version() and its dependency's, not the
 * program's; and its blocks, whoever made them for it and already in its constructor, are the
 * program's: each side changes and frees what the other made.
 *
 * Arguments: how to open it, and the plugin. "refused" expects the kernel to refuse what
 * the flag needs: blocks are right all the same, and names are the program's.
 */
#include "test.h"

#include "deepbind-plugin.h"

#include <dlfcn.h>

static const size_t sizes[] = { 100, 5000, 70000, 300000 };

const char *version(void)
{
	return "program";
}

static void *open_as(const char *how, const char *path)
{
	if (strcmp(how, "lazy") == 0)
		return dlopen(path, RTLD_LAZY | RTLD_DEEPBIND);
	if (strcmp(how, "global") == 0)
		return dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_DEEPBIND);
	if (strcmp(how, "dlmopen") == 0)
		return dlmopen(LM_ID_BASE, path, RTLD_NOW | RTLD_DEEPBIND);
	if (strcmp(how, "namespace") == 0)
		return dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_DEEPBIND);
	return dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
}

/* What the plugin makes, it can change and release, whichever malloc is its. */
static void check_alone(const struct deepbind_plugin *plugin, bool refused)
{
	for (size_t kind = 0; kind < plugin->kinds; kind++) {
		for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
			void *block = plugin->make(kind, sizes[i]);

			CHECK(block != NULL && plugin->usable(block) >= sizes[i]);
			block = plugin->resize(block, sizes[i] * 2);
			plugin->release(block);
		}
	}
	/* A thread's stack is made writable by the call that is refused. */
	if (!refused)
		plugin->run_thread();
}

static void check_crossing(const struct deepbind_plugin *plugin)
{
	for (size_t kind = 0; kind < plugin->kinds; kind++) {
		for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
			void *block = plugin->make(kind, sizes[i]);

			CHECK_MSG(malloc_usable_size(block) >= sizes[i], "%s", plugin->name(kind));
			CHECK_MSG(malloc_usable_size(block) == plugin->usable(block), "%s", plugin->name(kind));
			memset(block, 'p', sizes[i]);
			block = realloc(block, sizes[i] + 5000);
			block = plugin->resize(block, sizes[i] + 10000);
			CHECK_MSG(memchr(block, 'p', 1) == block, "%s", plugin->name(kind));
			free(block);
		}
	}
	for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
		plugin->release(malloc(sizes[i]));
		plugin->release(strdup("of the program"));
		plugin->release(plugin->resize(calloc(sizes[i], 1), 10));
		plugin->release(aligned_alloc(4096, sizes[i]));
	}
	for (size_t i = 0; i < DEEPBIND_CONSTRUCTED; i++)
		free(plugin->constructed[i]);
}

/* Large blocks of the plugin have a site, and so a place. */
static void check_placed(const struct deepbind_plugin *plugin)
{
	void *blocks[64];

	for (size_t i = test_opaque(0); i < TEST_COUNT_OF(blocks); i++)
		blocks[i] = plugin->make(0, 64 * TEST_KIB);
	CHECK(test_is_placed(blocks[TEST_COUNT_OF(blocks) - 1]));
	for (size_t i = 0; i < TEST_COUNT_OF(blocks); i++)
		plugin->release(blocks[i]);
}

/* Who asks libc itself from now on is led to the same. */
static void check_lookups(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	void *symbol = dlsym(libc, "malloc");
	void *(*allocate)(size_t size);

	CHECK(libc != NULL && symbol != NULL);
	memcpy(&allocate, &symbol, sizeof(symbol));
	free(allocate(100));
	free(allocate(100000));
	CHECK(dlclose(libc) == 0);
}

int main(int argc, char **argv)
{
	const struct deepbind_plugin *plugin;
	void *handle;
	bool refused;

	CHECK(argc > 2);
	refused = strcmp(argv[1], "refused") == 0;
	handle = open_as(argv[1], argv[2]);
	CHECK_MSG(handle != NULL, "%s", dlerror());
	plugin = dlsym(handle, "plugin");
	CHECK(plugin != NULL);
	CHECK_MSG(strcmp(plugin->version(), refused ? "program" : "plugin") == 0, "the plugin's is the %s's",
		  plugin->version());
	CHECK_MSG(strcmp(plugin->library_version(), refused ? "program" : "plugin") == 0,
		  "the library's is the %s's", plugin->library_version());
	check_alone(plugin, refused);
	if (strcmp(argv[1], "namespace") != 0) {
		check_crossing(plugin);
		check_placed(plugin);
		if (!refused)
			check_lookups();
	}
	CHECK(dlclose(handle) == 0);
	/* Errors are the loader's own. */
	CHECK(dlopen("/nonexistent.so", RTLD_NOW | RTLD_DEEPBIND) == NULL);
	CHECK(strstr(dlerror(), "/nonexistent.so") != NULL);
	CHECK(dlmopen(LM_ID_BASE, "/nonexistent.so", RTLD_NOW | RTLD_DEEPBIND) == NULL);
	CHECK(strstr(dlerror(), "/nonexistent.so") != NULL);
	return 0;
}
