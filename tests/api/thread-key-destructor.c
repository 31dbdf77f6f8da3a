/* SPDX-License-Identifier: BSD-2-Clause */
/* Destructors of a thread's data allocate and free after the thread's function has returned. */
#include "test.h"

#include <pthread.h>

static pthread_key_t keys[4];
static int destroyed;

static void destroy(void *data)
{
	char *more = malloc(50000), *small = calloc(1, 30);

	CHECK(more && small);
	memset(more, 1, 50000);
	free(data);
	free(more);
	free(small);
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
}

static void *run(void *data)
{
	for (int i = 0; i < 4; i++)
		CHECK(pthread_setspecific(keys[i], malloc(i % 2 ? 100 : 70000)) == 0);
	return data;
}

int main(void)
{
	for (int i = 0; i < 4; i++)
		CHECK(pthread_key_create(&keys[i], destroy) == 0);
	for (int i = 0; i < 200; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	CHECK(destroyed == 800);
	return 0;
}
