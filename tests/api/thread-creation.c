/* SPDX-License-Identifier: BSD-2-Clause */
/* pthread_create is interposed: arguments, results, errors and attributes pass through unchanged. */
#include "test.h"

#include <pthread.h>

static void *echo(void *data)
{
	return (char *)data + 1;
}

int main(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	void *result;
	size_t size;

	for (uintptr_t i = 0; i < 100; i++) {
		CHECK(pthread_create(&thread, NULL, echo, (void *)i) == 0);
		CHECK(pthread_join(thread, &result) == 0);
		CHECK((uintptr_t)result == i + 1);
	}
	CHECK(pthread_attr_init(&attributes) == 0);
	CHECK(pthread_attr_getstacksize(&attributes, &size) == 0 && size >= 16384);
	CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
	CHECK(pthread_create(&thread, &attributes, echo, NULL) == 0);
	/* Root may have a real-time thread, others get EPERM: either way it is the answer of libc. */
	struct sched_param parameters = { .sched_priority = 99 };

	CHECK(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED) == 0);
	CHECK(pthread_attr_setschedpolicy(&attributes, SCHED_FIFO) == 0);
	CHECK(pthread_attr_setschedparam(&attributes, &parameters) == 0);
	int error = pthread_create(&thread, &attributes, echo, NULL);

	CHECK(error == 0 || error == EPERM);
	pthread_exit(NULL);
}
