/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library opened with RTLD_DEEPBIND prefers libc's malloc to the program's,
 * unless the flag is taken away. Then what it allocates here would be freed there.
 */
#include "test.h"

#include <dlfcn.h>

#define COUNT 64

typedef int alloc_function(void **blocks, size_t count, size_t size);
typedef void free_function(void **blocks, size_t count);

int main(int argc, char **argv)
{
	void *blocks[COUNT], *handle, *symbol;
	alloc_function *allocate;
	free_function *release;

	CHECK(argc > 1);
	handle = dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND);
	CHECK_MSG(handle != NULL, "%s", dlerror());
	symbol = dlsym(handle, "plugin_alloc");
	memcpy(&allocate, &symbol, sizeof(allocate));
	symbol = dlsym(handle, "plugin_free");
	memcpy(&release, &symbol, sizeof(release));

	/* Made there, freed here, and the other way round. */
	CHECK(allocate(blocks, COUNT, 64 * TEST_KIB) == 0);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	test_free_many(blocks, COUNT);
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	release(blocks, COUNT);
	CHECK(allocate(blocks, COUNT, 100) == 0);
	test_free_many(blocks, COUNT);
	test_alloc_many(blocks, COUNT, 100);
	release(blocks, COUNT);
	CHECK(dlclose(handle) == 0);
	/* Errors are the loader's own. */
	CHECK(dlopen("/nonexistent.so", RTLD_NOW | RTLD_DEEPBIND) == NULL);
	CHECK(strstr(dlerror(), "/nonexistent.so") != NULL);
	return 0;
}
