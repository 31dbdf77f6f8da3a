/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandboxes LIST [child]: a program that has the library, and then puts itself, or a child, into a
 * sandbox that ends a process for a system call that is not on its list, allocates and frees as before:
 * what malloc needs of the kernel after load is mmap, munmap, mremap, madvise and futex.
 *
 * Of the lists of others what they say of memory and of futex is taken over as it is, what kills and
 * what answers with an errno. Of the rest only what this test itself needs is allowed, so that it is
 * stricter there than they are.
 */
#include "test.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <vector>

#define THREADS 3
#define ROUNDS	40
#define COUNT	64

namespace {

/* What becomes of a call whose argument is none of those that are listed. */
constexpr uint32_t kill_it = SECCOMP_RET_KILL_PROCESS;

constexpr uint32_t answer(uint32_t error)
{
	return SECCOMP_RET_ERRNO | error;
}

enum how { ANY, ONLY_BITS, ONE_OF };

struct rule {
	long call;
	how condition;
	unsigned int argument;
	uint32_t mask; /* bits that the condition does not look at; of ONLY_BITS all that may be set */
	std::vector<uint32_t> values;
	uint32_t otherwise;
};

rule any(long call)
{
	return { call, ANY, 0, 0, {}, kill_it };
}

rule only_bits(long call, unsigned int argument, uint32_t bits)
{
	return { call, ONLY_BITS, argument, bits, {}, kill_it };
}

rule one_of(long call, unsigned int argument, uint32_t mask, std::vector<uint32_t> values, uint32_t otherwise)
{
	return { call, ONE_OF, argument, mask, std::move(values), otherwise };
}

/* What is promised. */
const std::vector<rule> five = {
	any(SYS_mmap), any(SYS_munmap), any(SYS_mremap), any(SYS_madvise), any(SYS_futex),
};

/* The unprivileged part of sshd before authentication: sandbox-seccomp-filter.c of OpenSSH 9.9. */
const std::vector<rule> openssh = {
	only_bits(SYS_mmap, 2, PROT_READ | PROT_WRITE), any(SYS_munmap), any(SYS_mremap), any(SYS_madvise),
	only_bits(SYS_mprotect, 2, PROT_READ | PROT_WRITE), any(SYS_brk), any(SYS_futex),
};

/*
 * Chromium's renderer: RestrictMmapFlags() and RestrictFutex() of
 * sandbox/linux/seccomp-bpf-helpers/syscall_parameters_restrictions.cc, madvise of baseline_policy.cc
 * there, mremap of sandbox/policy/linux/bpf_renderer_policy_linux.cc (2024).
 */
const std::vector<rule> chromium = {
	only_bits(SYS_mmap, 3,
		  MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE | MAP_FIXED |
			  MAP_DENYWRITE | MAP_LOCKED),
	any(SYS_munmap), any(SYS_mremap),
	one_of(SYS_madvise, 2, 0, { MADV_DONTNEED, MADV_RANDOM, MADV_REMOVE, MADV_NORMAL, MADV_FREE }, answer(EPERM)),
	only_bits(SYS_mprotect, 2, PROT_READ | PROT_WRITE | PROT_EXEC), any(SYS_brk),
	one_of(SYS_futex, 1, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME,
	       { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET,
		 FUTEX_WAKE_BITSET }, kill_it),
};

/*
 * Firefox's media plugins: SandboxPolicyCommon, as it is where the allocator is not Firefox's own, and
 * madvise of GMPSandboxPolicy, in security/sandbox/linux/SandboxFilter.cpp (2024).
 */
const std::vector<rule> firefox = {
	any(SYS_mmap), any(SYS_munmap), only_bits(SYS_mremap, 3, MREMAP_MAYMOVE), any(SYS_mprotect), any(SYS_brk),
	one_of(SYS_madvise, 2, 0, { MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE }, answer(ENOSYS)),
	any(SYS_futex),
};

/* What the test itself does once it is in a sandbox: end, say why, and go on after a fork. */
const std::vector<rule> own = {
	any(SYS_exit), any(SYS_exit_group), any(SYS_write), any(SYS_wait4), any(SYS_rt_sigreturn),
	any(SYS_clock_gettime),
};

std::vector<sock_filter> program;

void emit(uint16_t code, uint32_t value, uint8_t yes = 0, uint8_t no = 0)
{
	program.push_back(sock_filter{ code, yes, no, value });
}

void load(uint32_t offset)
{
	emit(BPF_LD | BPF_W | BPF_ABS, offset);
}

void add(const rule &rule)
{
	size_t at = program.size();

	emit(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(rule.call));
	if (rule.condition != ANY) {
		load(static_cast<uint32_t>(offsetof(seccomp_data, args) + rule.argument * sizeof(uint64_t)));
		emit(BPF_ALU | BPF_AND | BPF_K, ~rule.mask);
	}
	if (rule.condition == ONLY_BITS) {
		emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
		emit(BPF_RET | BPF_K, rule.otherwise);
	}
	if (rule.condition == ONE_OF) {
		for (uint32_t value : rule.values) {
			emit(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
			emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		}
		emit(BPF_RET | BPF_K, rule.otherwise);
	} else {
		emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	program[at].jf = static_cast<uint8_t>(program.size() - at - 1);
}

/* Writes the filter: before it is in force, since it allocates. */
void build(const std::vector<rule> &list)
{
	load(offsetof(seccomp_data, nr));
	for (const rule &rule : own)
		add(rule);
	for (const rule &rule : list)
		add(rule);
	emit(BPF_RET | BPF_K, kill_it);
}

void enter()
{
	sock_fprog filter = { static_cast<unsigned short>(program.size()), program.data() };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
		test_skip("seccomp filters cannot be used here: %s", strerror(errno));
}

/* --- the work ------------------------------------------------------------------------- */

TEST_NOINLINE void fill(char **blocks, size_t size)
{
	test_alloc_many(reinterpret_cast<void **>(blocks), COUNT, size);
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(blocks[i] != nullptr);
		test_fill(blocks[i], size, i);
	}
}

TEST_NOINLINE void throw_it(int depth)
{
	if (depth == 0)
		throw std::runtime_error(std::string(100, 'x'));
	throw_it(depth - 1);
	test_opaque(1);
}

void throw_and_catch()
{
	bool caught = false;

	try {
		throw_it(10);
	} catch (const std::exception &error) {
		caught = strlen(error.what()) == 100;
	}
	CHECK(caught);
}

/* Blocks of several sites and sizes; slots are made, grow, and give back what was freed. */
/* Two buffers that grow in turn, from some KiB to MiB. */
void grow()
{
	char *buffers[2] = {nullptr, nullptr};

	for (size_t size = 100 * TEST_KIB; size < 6 * TEST_MIB; size += 300 * TEST_KIB) {
		for (auto &buffer : buffers) {
			buffer = static_cast<char *>(realloc(buffer, size));
			CHECK(buffer != nullptr);
			buffer[0] = buffer[size - 1] = 1;
		}
	}
	for (auto *buffer : buffers)
		free(buffer);
}

void work()
{
	char *blocks[3][COUNT];

	for (int round = 0; round < ROUNDS; round++) {
		fill(blocks[0], 20 * TEST_KIB + static_cast<size_t>(round) * 1000);
		fill(blocks[1], 200 * TEST_KIB);
		fill(blocks[2], 100);
		for (size_t i = 0; i < COUNT; i++) {
			CHECK(test_matches(blocks[1][i], 200 * TEST_KIB, i));
			blocks[1][i] = static_cast<char *>(realloc(blocks[1][i], 300 * TEST_KIB + i * 5000));
			CHECK(blocks[1][i] && test_matches(blocks[1][i], 200 * TEST_KIB, i));
			CHECK(test_matches(blocks[2][i], 100, i));
			char *zeros = static_cast<char *>(calloc(1, i * 1000 + 1));

			CHECK(zeros && test_is_zero(zeros, i * 1000 + 1));
			free(zeros);
		}
		if (round % 10 == 0)
			grow();
		for (auto &list : blocks)
			test_free_many(reinterpret_cast<void **>(list), COUNT);
		throw_and_catch();
		if (round % 10 == 0)
			malloc_trim(0);
	}
}

pthread_barrier_t ready, go, done;

/* Threads do not end in the sandbox: that is the C library's own matter, with calls of its own. */
void *thread(void *data)
{
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	work();
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&done);
	return data;
}

void run(const ksmalloc_segment_header *header, bool alone)
{
	uint64_t sites = header->stats.placed_sites, captures = header->stats.captures_total;

	enter();
	if (!alone)
		pthread_barrier_wait(&go);
	work();
	if (!alone)
		pthread_barrier_wait(&done);
	CHECK_MSG(header->stats.placed_sites >= sites + 2, "%llu sites were placed",
		  static_cast<unsigned long long>(header->stats.placed_sites));
	CHECK(header->stats.captures_total > captures);
	CHECK(header->slots.count >= 2);
}

} // namespace

int main(int argc, char **argv)
{
	CHECK(argc > 1);
	bool in_child = argc > 2 && strcmp(argv[2], "child") == 0;
	const ksmalloc_segment_header *header = test_segment();
	pthread_t id;

	CHECK(header != nullptr);
	if (strcmp(argv[1], "five") == 0)
		build(five);
	else if (strcmp(argv[1], "openssh") == 0)
		build(openssh);
	else if (strcmp(argv[1], "chromium") == 0)
		build(chromium);
	else if (strcmp(argv[1], "firefox") == 0)
		build(firefox);
	else
		test_fail(__FILE__, __LINE__, "unknown list %s", argv[1]);
	if (in_child) {
		int status;
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			run(header, true);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
		return 0;
	}
	CHECK(pthread_barrier_init(&ready, nullptr, THREADS + 1) == 0);
	CHECK(pthread_barrier_init(&go, nullptr, THREADS + 1) == 0);
	CHECK(pthread_barrier_init(&done, nullptr, THREADS + 1) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&id, nullptr, thread, nullptr) == 0);
	pthread_barrier_wait(&ready);
	run(header, false);
	_exit(0);
}
