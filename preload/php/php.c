/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-php.so: a library of its own, which `ksmalloc run --profile=php` loads.
 *
 * PHP keeps the memory of a request for the next one. Nothing lives in it then, but its bytes are
 * still there, and they are seldom equal in two workers: their last requests were not the same, and
 * PHP turns the order of its chunks round with each request. Nobody reads them again, so that it is
 * better not to have them than to merge them: a worker that got no connection for IDLE_MS gives
 * that memory back to the kernel, by PHP's own functions. One that is busy goes on as ever.
 *
 * What the command line's PHP makes of arguments and the environment does not shift what comes next, either (renewal.h).
 *
 * When: in accept(2), where workers of php-fpm and php-cgi wait for their next connection.
 * When not: while PHP has any block, for a script runs then (which may be a server, and call this
 * itself); in other threads than the first one, and in a PHP that is built for threads; where the
 * memory is not PHP's own (USE_ZEND_ALLOC=0, the handlers of a profiler); for sockets that do not
 * wait; and in the private layout.
 *
 * What is waited on wakes one worker for each connection, as accept(2) does. A worker that was
 * woken and finds that another one was faster waits in accept(2) with the memory that it has.
 *
 * Failure: where anything of it is not to be had, accept(2) is called as if we were not there.
 */
#include "renewal.h"
#include "zend.h"

#include <ksmalloc/stream.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#pragma weak ksmalloc_stream_leave_start

/* At most once in this time a worker has to get its memory anew, which takes some microseconds a
 * page. */
#define IDLE_MS 1000

/* PHP halves with each request what it keeps beyond what that one used, and nobody has 2^32 chunks.
 */
#define REQUESTS 32

typedef int accept_function(int socket, struct sockaddr *address, socklen_t *length);
typedef char *getcwd_function(char *buffer, size_t bytes);

/* PHP's functions. Synchronization: written before main. */
static struct ksz_zend zend;
static bool found;
static pthread_t first_thread;
static accept_function *next_accept;
static getcwd_function *next_getcwd;

static bool is_shared(void)
{
	const char *layout = secure_getenv("KSMALLOC_LAYOUT");

	return layout && strcmp(layout, "shared") == 0;
}

__attribute__((constructor)) static void start(void)
{
	next_accept = (accept_function *)dlsym(RTLD_NEXT, "accept");
	next_getcwd = (getcwd_function *)dlsym(RTLD_NEXT, "getcwd");
	if (found || !is_shared() || !ksz_zend_find(&zend))
		return;
	first_thread = pthread_self();
	found = true;
	ksz_renewal_start(&zend);
}

/* A PHP that was built without these counts says 0 for both. */
static bool is_between_requests(void)
{
	return pthread_equal(pthread_self(), first_thread) && zend.is_own() &&
	       zend.usage(false) == 0 && zend.usage(true) >= KSZ_CHUNK_BYTES;
}

/*
 * Ends requests that have used nothing until PHP keeps no chunk but the first one. That one has its
 * own tables in its first page, and the largest block that fits into a chunk takes the rest: what
 * is in a block is ours.
 */
static void give_back(void)
{
	void *heap = zend.heap();

	for (int i = 0; i < REQUESTS; i++) {
		zend.end_request(heap, false, true);
		if (zend.usage(true) <= KSZ_CHUNK_BYTES)
			break;
	}
	if (zend.usage(true) > KSZ_CHUNK_BYTES)
		return;
	ksz_zend_take_empty(&zend, heap);
	zend.end_request(heap, false, true);
}

/*
 * What epoll_wait() says: 0 after IDLE_MS without a connection. 1, too, where it cannot be asked.
 * Only a set with the socket marked as exclusive takes part in the turns of those who wait in
 * accept(2); with poll(2) each connection would wake all.
 */
static int wait_in_turn(int listener)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	int set = epoll_create1(EPOLL_CLOEXEC);
	int ready = 1;
	int error;

	if (set < 0)
		return ready;
	if (!epoll_ctl(set, EPOLL_CTL_ADD, listener, &event))
		ready = epoll_wait(set, &event, 1, IDLE_MS);
	error = errno;
	close(set);
	errno = error;
	return ready;
}

/* False, with errno, if a signal has come. It may have been the one to end on, which a second wait
 * would not see. */
static bool wait_and_give_back(int listener)
{
	struct pollfd now = {.fd = listener, .events = POLLIN};
	int flags;
	int ready;

	if (!is_between_requests() || poll(&now, 1, 0) != 0)
		return true;
	flags = fcntl(listener, F_GETFL);
	if (flags < 0 || flags & O_NONBLOCK)
		return true;
	ready = wait_in_turn(listener);
	if (ready == 0)
		give_back();
	return ready >= 0 || errno != EINTR;
}

__attribute__((visibility("default"))) int accept(int listener, struct sockaddr *address,
						  socklen_t *length)
{
	if (found && !wait_and_give_back(listener))
		return -1;
	if (!next_accept)
		start();
	return next_accept(listener, address, length);
}

/*
 * The command line's PHP has copied its arguments and the environment, to show other ones in /proc, when it first asks for
 * the working folder. Then it makes what it never frees, among that the names that scripts point to.
 */
__attribute__((visibility("default"))) char *getcwd(char *buffer, size_t bytes)
{
	if (found && ksmalloc_stream_leave_start)
		ksmalloc_stream_leave_start();
	if (!next_getcwd)
		start();
	return next_getcwd(buffer, bytes);
}
