/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Libraries come and go, mostly at the same address. A site belongs to the file
 * that really was there: one library keeps its site each time it is loaded, and
 * another one at its address is not mistaken for it.
 */
#include "test.h"

#include <dlfcn.h>

#define COUNT	64
#define PLUGINS	3

typedef int alloc_function(void **blocks, size_t count, size_t size);

static uint64_t use(const char *path, void **blocks, void **where)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	CHECK_MSG(handle != NULL, "%s", dlerror());
	void *symbol = dlsym(handle, "plugin_alloc");
	alloc_function *allocate;

	CHECK(symbol != NULL);
	*where = symbol;
	memcpy(&allocate, &symbol, sizeof(allocate));
	CHECK(allocate(blocks, COUNT, 64 * TEST_KIB) == 0);
	const struct ksmalloc_segment_site *site = test_site_of(blocks[COUNT - 1]);

	CHECK(site != NULL);
	CHECK(dlclose(handle) == 0);
	return site->id;
}

int main(int argc, char **argv)
{
	void *blocks[COUNT], *where[PLUGINS], *last = NULL;
	uint64_t ids[PLUGINS] = { 0 };
	int same_place = 0;

	CHECK(argc == 1 + PLUGINS);
	for (int round = 0; round < 60; round++) {
		int p = round < 6 ? round % PLUGINS : (round * 7 + round / 5) % PLUGINS;
		uint64_t id = use(argv[1 + p], blocks, &where[p]);

		same_place += where[p] == last;
		last = where[p];
		if (ids[p] == 0)
			ids[p] = id;
		CHECK_MSG(ids[p] == id, "round %d: plugin %d had site %llx and now has %llx", round, p,
			  (unsigned long long)ids[p], (unsigned long long)id);
		for (int k = 0; k < PLUGINS; k++)
			CHECK_MSG(k == p || ids[k] != id, "round %d: plugins %d and %d share a site", round, k, p);
		/* The blocks outlive the library that made them. */
		for (int i = 0; i < COUNT; i++)
			memset(blocks[i], round, 64 * TEST_KIB);
		test_free_many(blocks, COUNT);
	}
	if (same_place == 0)
		test_skip("the loader never used an address twice");
	return 0;
}
