/* SPDX-License-Identifier: BSD-2-Clause */
/* A library that waits for something while it holds a lock. tests/run/python-idle calls it. */
#include <poll.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int wait_locked(int fd);
int take_lock(void);

/* To be called without Python's lock. */
int wait_locked(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	int result;

	pthread_mutex_lock(&lock);
	result = poll(&wanted, 1, 20000);
	pthread_mutex_unlock(&lock);
	return result;
}

/* To be called with it. */
int take_lock(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return 1;
}
