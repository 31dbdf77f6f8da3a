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
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* At most once in this time a worker has to get its memory anew, which takes some microseconds a
 * page. */
#define IDLE_MS 1000

/* As in PHP's own zend_alloc_sizes.h, which need not be there when this is built; equal since 7.0.
 */
#define CHUNK_BYTES ((size_t)2 << 20)
#define LARGEST_IN_CHUNK (CHUNK_BYTES - 4096)

/* PHP halves with each request what it keeps beyond what that one used, and nobody has 2^32 chunks.
 */
#define REQUESTS 32

typedef int accept_function(int socket, struct sockaddr *address, socklen_t *length);
typedef bool is_own_function(void);
typedef size_t usage_function(bool real);
typedef void *heap_function(void);
typedef void *alloc_function(void *heap, size_t bytes);
typedef void end_request_function(void *heap, bool full, bool silent);

/* PHP's functions, all or none. Synchronization: written before main. */
static struct {
	is_own_function *is_own;
	usage_function *usage; /* bytes of blocks, or of chunks */
	heap_function *heap;
	alloc_function *alloc;
	end_request_function *end_request;
} zend;
static bool found;
static pthread_t first_thread;
static accept_function *next_accept;

static bool is_shared(void)
{
	const char *layout = secure_getenv("KSMALLOC_LAYOUT");

	return layout && strcmp(layout, "shared") == 0;
}

__attribute__((constructor)) static void start(void)
{
	next_accept = (accept_function *)dlsym(RTLD_NEXT, "accept");
	if (!is_shared() || dlsym(RTLD_DEFAULT, "tsrm_get_ls_cache"))
		return;
	zend.is_own = (is_own_function *)dlsym(RTLD_DEFAULT, "is_zend_mm");
	zend.usage = (usage_function *)dlsym(RTLD_DEFAULT, "zend_memory_usage");
	zend.heap = (heap_function *)dlsym(RTLD_DEFAULT, "zend_mm_get_heap");
	zend.alloc = (alloc_function *)dlsym(RTLD_DEFAULT, "_zend_mm_alloc");
	zend.end_request = (end_request_function *)dlsym(RTLD_DEFAULT, "zend_mm_shutdown");
	first_thread = pthread_self();
	found = zend.is_own && zend.usage && zend.heap && zend.alloc && zend.end_request;
}

/* A PHP that was built without these counts says 0 for both. */
static bool is_between_requests(void)
{
	return pthread_equal(pthread_self(), first_thread) && zend.is_own() &&
	       zend.usage(false) == 0 && zend.usage(true) >= CHUNK_BYTES;
}

/*
 * Ends requests that have used nothing until PHP keeps no chunk but the first one. That one has its
 * own tables in its first page, and the largest block that fits into a chunk takes the rest: what
 * is in a block is ours.
 */
static void give_back(void)
{
	void *heap = zend.heap();
	void *block;

	for (int i = 0; i < REQUESTS; i++) {
		zend.end_request(heap, false, true);
		if (zend.usage(true) <= CHUNK_BYTES)
			break;
	}
	if (zend.usage(true) > CHUNK_BYTES)
		return;
	block = zend.alloc(heap, LARGEST_IN_CHUNK);
	if (block)
		madvise(block, LARGEST_IN_CHUNK, MADV_DONTNEED);
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
