/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * received FOLDER THREADS SLEEPERS [BYTES]: memory of which most is equal in all such workers, into which the kernel writes in all ways
 * that a call of the program has it write: read, readv, recv, recvmsg, pread, preadv, process_vm_writev, and past the page cache (O_DIRECT).
 * Each byte of a block is compared before and after it receives some, meanwhile passes are made: by a signal handler, where there is one
 * thread and no sleeper, or by somebody who stops all threads. What is received is what was there, or lay there at first, or something else.
 *
 * It ends with its standard input, or when so many bytes were compared in some passes, and prints how many there were. 77: nothing can be read
 * past the page cache in that folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"
#include "test.h"

#define PAGE	    4096u
#define SECTOR	    512u
#define BLOCKS	    160u
#define BLOCK_BYTES (16u * PAGE)
#define SECTORS	    (BLOCK_BYTES / SECTOR)
#define KINDS	    16u /* of blocks, which have other content */
#define VERSIONS    8u	/* of what is in a sector; 0: what it had at first */
#define FILE_BYTES  ((size_t)KINDS * VERSIONS * BLOCK_BYTES)
#define MOST	    16u /* threads */
#define MOST_AT_ONCE (16u * SECTOR) /* a pipe and a socket take that without a wait */
#define NEVER	    1000000000
#define LEAST_PASSES 20

struct block {
	unsigned char *bytes;
	unsigned char version[SECTORS];
};

static struct block blocks[BLOCKS];
static const unsigned char *source; /* of all kinds and versions, as the file has them */
static int cached, direct;	    /* the file; past the cache */
static uint32_t thread_count;
static bool is_over;		     /* Synchronization: atomic. */
static uint64_t checked, enough = UINT64_MAX; /* Synchronization: atomic. */
static volatile sig_atomic_t passes, gained;
static sig_atomic_t least_passes;

struct owner {
	pthread_t thread;
	uint32_t number;
	uint64_t random;
	int pipe[2];
	int stream[2];
	int datagrams[2];
	uint64_t received;
};

static struct owner owners[MOST];

static uint32_t draw(struct owner *owner, uint32_t below)
{
	return (uint32_t)(test_random(&owner->random) % below);
}

static size_t place_of(uint32_t kind, uint32_t version, size_t at)
{
	return ((size_t)kind * VERSIONS + version) * BLOCK_BYTES + at;
}

static uint32_t kind_of(const struct block *block)
{
	return (uint32_t)(block - blocks) % KINDS;
}

static void check(const struct block *block, const char *when)
{
	for (uint32_t i = 0; i < SECTORS; i++) {
		const unsigned char *wanted = source + place_of(kind_of(block), block->version[i], (size_t)i * SECTOR);
		const unsigned char *found = block->bytes + (size_t)i * SECTOR;
		uint32_t at = 0;

		if (memcmp(found, wanted, SECTOR) == 0)
			continue;
		while (found[at] == wanted[at])
			at++;
		printf("block %td, sector %u of version %u: byte %u is %u, not %u, %s\n", block - blocks, i, block->version[i], at,
		       found[at], wanted[at], when);
		fflush(stdout);
		abort();
	}
	__atomic_fetch_add(&checked, BLOCK_BYTES, __ATOMIC_RELAXED);
}

/* --- what the kernel writes ------------------------------------------------------------------ */

/* So many bytes that lie in the file at this place come to this address. */
struct order {
	struct owner *owner;
	unsigned char *to;
	size_t place;
	size_t bytes;
};

enum way { BY_READ, BY_READV, BY_RECV, BY_RECVMSG, BY_PREAD, BY_PREADV, BY_PROCESS_VM_WRITEV, DIRECT, WAYS };

static const char *const names[WAYS] = { "read", "readv", "recv", "recvmsg", "pread", "preadv", "process_vm_writev", "O_DIRECT" };

/* In three parts that begin anywhere. */
static void part(const struct order *order, size_t from, struct iovec *parts)
{
	size_t left = order->bytes - from;
	size_t first = left / 3, second = left / 2 - first;

	parts[0] = (struct iovec){ order->to + from, first };
	parts[1] = (struct iovec){ order->to + from + first, second };
	parts[2] = (struct iovec){ order->to + from + first + second, left - first - second };
}

static void send_to(int fd, const struct order *order)
{
	if (write(fd, source + order->place, order->bytes) == (ssize_t)order->bytes)
		return;
	perror("write");
	abort();
}

static ssize_t receive_part(enum way way, const struct order *order, size_t from)
{
	const struct owner *owner = order->owner;
	unsigned char *to = order->to + from;
	size_t left = order->bytes - from;
	struct iovec parts[3], whole = { (void *)(uintptr_t)(source + order->place + from), left };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	off_t place = (off_t)(order->place + from);

	part(order, from, parts);
	switch (way) {
	case BY_READ:
		return read(owner->pipe[0], to, left);
	case BY_READV:
		return readv(owner->pipe[0], parts, 3);
	case BY_RECV:
		return recv(owner->stream[0], to, left, MSG_WAITALL);
	case BY_RECVMSG:
		return recvmsg(owner->datagrams[0], &message, 0);
	case BY_PREAD:
		return pread(cached, to, left, place);
	case BY_PREADV:
		return preadv(cached, parts, 3, place);
	case BY_PROCESS_VM_WRITEV:
		return process_vm_writev(getpid(), &whole, 1, parts, 3, 0);
	default:
		return pread(direct, to, left, place);
	}
}

static void receive(enum way way, const struct order *order)
{
	const struct owner *owner = order->owner;
	size_t done = 0;

	if (way == BY_READ || way == BY_READV)
		send_to(owner->pipe[1], order);
	if (way == BY_RECV)
		send_to(owner->stream[1], order);
	if (way == BY_RECVMSG)
		send_to(owner->datagrams[1], order);
	while (done < order->bytes) {
		ssize_t got = receive_part(way, order, done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			printf("%s has brought %zu of %zu bytes: %s\n", names[way], done, order->bytes, strerror(errno));
			fflush(stdout);
			abort();
		}
		done += (size_t)got;
	}
}

static void operate(struct owner *owner)
{
	struct block *block = &blocks[draw(owner, BLOCKS / thread_count) * thread_count + owner->number];
	enum way way = draw(owner, WAYS);
	uint32_t step = way == DIRECT ? PAGE / SECTOR : 1;
	uint32_t begin = draw(owner, SECTORS) / step * step;
	uint32_t most = (SECTORS - begin) * SECTOR > MOST_AT_ONCE ? MOST_AT_ONCE / SECTOR : SECTORS - begin;
	uint32_t count = (1 + draw(owner, most)) / step * step;
	uint32_t version = draw(owner, 2) ? 0 : draw(owner, 3) ? block->version[begin] : draw(owner, VERSIONS);
	struct order order = {
		.owner = owner,
		.to = block->bytes + (size_t)begin * SECTOR,
		.place = place_of(kind_of(block), version, (size_t)begin * SECTOR),
		.bytes = (size_t)count * SECTOR,
	};

	check(block, "as it lay there");
	if (count == 0)
		return;
	/* Something else is there until then: what has not come is seen. */
	if (draw(owner, 2))
		memset(order.to, 0xa5, order.bytes);
	receive(way, &order);
	memset(block->version + begin, (int)version, count);
	owner->received += order.bytes;
	check(block, names[way]);
}

/* --- the program ----------------------------------------------------------------------------- */

/* Not before there were passes, where it makes them itself. */
static bool is_enough(void)
{
	return __atomic_load_n(&checked, __ATOMIC_RELAXED) >= enough && passes >= least_passes;
}

static void *run(void *data)
{
	struct owner *owner = data;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	for (uint32_t i = 1; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); i++) {
		operate(owner);
		if (owner->number == 0 && ((i % 256 == 0 && poll(&input, 1, 0) > 0) || is_enough()))
			__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Each in another call. */
static void *sleep_on(void *data)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	uintptr_t number = (uintptr_t)data;
	int ends[2];
	char byte;

	if (number % 3 == 0 && pipe(ends) == 0) {
		while (read(ends[0], &byte, 1) != 1)
			;
	}
	if (number % 3 == 1) {
		pthread_mutex_lock(&mutex);
		for (;;)
			pthread_cond_wait(&never, &mutex);
	}
	for (;;)
		sleep(NEVER);
	return NULL;
}

static void pass(int number)
{
	struct itimerval next = { { 0, 0 }, { 0, 0 } };
	int saved_errno = errno;
	long got = ksmalloc_share();

	(void)number;
	passes += got >= 0;
	gained += got > 0 ? (sig_atomic_t)got : 0;
	next.it_value.tv_usec = 1 + passes * 7919 % 9973;
	setitimer(ITIMER_REAL, &next, NULL);
	errno = saved_errno;
}

static void make_file(const char *folder)
{
	char path[4096];
	unsigned char *bytes;

	CHECK(snprintf(path, sizeof(path), "%s/received.XXXXXX", folder) < (int)sizeof(path));
	cached = mkstemp(path);
	CHECK_MSG(cached >= 0, "%s: %s", path, strerror(errno));
	CHECK(ftruncate(cached, (off_t)FILE_BYTES) == 0);
	bytes = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, cached, 0);
	CHECK(bytes != MAP_FAILED);
	for (size_t at = 0; at < FILE_BYTES; at++)
		bytes[at] = (unsigned char)(at / BLOCK_BYTES * 37 + at / SECTOR * 11 + at);
	CHECK(fsync(cached) == 0 && mprotect(bytes, FILE_BYTES, PROT_READ) == 0);
	source = bytes;
	direct = open(path, O_RDONLY | O_DIRECT);
	unlink(path);
	if (direct < 0)
		test_skip("%s: no file can be read past the page cache: %s", folder, strerror(errno));
}

static void fill_all(void)
{
	for (uint32_t i = 0; i < BLOCKS; i++) {
		CHECK((blocks[i].bytes = aligned_alloc(PAGE, BLOCK_BYTES)) != NULL);
		memcpy(blocks[i].bytes, source + place_of(kind_of(&blocks[i]), 0, 0), BLOCK_BYTES);
	}
}

static void start_all(uint32_t sleepers)
{
	for (uint32_t i = 0; i < thread_count; i++) {
		struct owner *owner = &owners[i];

		owner->number = i;
		owner->random = (uint64_t)getpid() << 16 | i;
		CHECK(pipe(owner->pipe) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, owner->stream) == 0 &&
		      socketpair(AF_UNIX, SOCK_DGRAM, 0, owner->datagrams) == 0);
		if (i > 0)
			CHECK(pthread_create(&owner->thread, NULL, run, owner) == 0);
	}
	for (uintptr_t i = 0; i < sleepers; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, sleep_on, (void *)i) == 0);
	}
	if (thread_count == 1 && sleepers == 0) {
		least_passes = LEAST_PASSES;
		CHECK(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = pass, .sa_flags = SA_RESTART }, NULL) == 0);
		pass(0);
	}
}

int main(int argc, char **argv)
{
	uint64_t received = 0;

	CHECK(argc > 3);
	thread_count = (uint32_t)atoi(argv[2]);
	CHECK(thread_count > 0 && thread_count <= MOST);
	if (argc > 4)
		enough = strtoull(argv[4], NULL, 10);
	make_file(argv[1]);
	fill_all();
	printf("ready\n");
	fflush(stdout);
	start_all((uint32_t)atoi(argv[3]));
	run(&owners[0]);
	for (uint32_t i = 1; i < thread_count; i++)
		pthread_join(owners[i].thread, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	for (uint32_t i = 0; i < BLOCKS; i++)
		check(&blocks[i], "at the end");
	for (uint32_t i = 0; i < thread_count; i++)
		received += owners[i].received;
	printf("%llu bytes checked, %llu received, %ld passes, %ld pages\n", (unsigned long long)checked,
	       (unsigned long long)received, (long)passes, (long)gained);
	return 0;
}
