/* SPDX-License-Identifier: BSD-2-Clause */
/* How: each rule is a filter of its own. The kernel runs all of them and takes the strictest answer. */
#include "seccomp.h"
#include "test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

struct name {
	const char *name;
	unsigned int number;
};

static const struct name calls[] = {
	{ "mmap", SYS_mmap },		{ "munmap", SYS_munmap },	{ "mremap", SYS_mremap },
	{ "madvise", SYS_madvise },	{ "prctl", SYS_prctl },		{ "openat", SYS_openat },
	{ "ftruncate", SYS_ftruncate }, { "fallocate", SYS_fallocate },
	{ "memfd_create", SYS_memfd_create }, { "mprotect", SYS_mprotect },
	{ "read", SYS_read }, { "personality", SYS_personality },
	{ "process_vm_readv", SYS_process_vm_readv },
	{ "prlimit64", SYS_prlimit64 }, { "getrandom", SYS_getrandom }, { "mkdirat", SYS_mkdirat },
#ifdef SYS_open
	{ "open", SYS_open }, { "mkdir", SYS_mkdir },
#endif
};

static const struct name errors[] = {
	{ "ENOMEM", ENOMEM }, { "EPERM", EPERM }, { "EINVAL", EINVAL }, { "EAGAIN", EAGAIN },
	{ "EACCES", EACCES }, { "ENOSYS", ENOSYS }, { "ENOSPC", ENOSPC }, { "EMFILE", EMFILE },
	{ "EFAULT", EFAULT },
};

#define MAX_FILTER 32

struct program {
	struct sock_filter code[MAX_FILTER];
	unsigned short length;
};

static unsigned int find(const struct name *names, size_t count, const char *text, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i].name) == length && memcmp(names[i].name, text, length) == 0)
			return names[i].number;
	test_fail(__FILE__, __LINE__, "unknown name in a rule: %.*s", (int)length, text);
}

static void emit(struct program *program, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
	CHECK(program->length < MAX_FILTER);
	program->code[program->length++] = (struct sock_filter){ code, yes, no, value };
}

#define ALLOW(program) emit(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0)

/* Only the low half of an argument is compared; with '>' a large high half counts as more. */
static const char *add_condition(struct program *program, const char *text)
{
	unsigned int argument, skip;
	unsigned long value;
	char operator;
	int used = 0;

	CHECK_MSG(sscanf(text, "[%u]%c%lu%n", &argument, &operator, &value, &used) == 3 && used > 0,
		  "bad condition %s", text);
	uint32_t low = offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);

	if (operator == '>') {
		emit(program, BPF_LD | BPF_W | BPF_ABS, low + 4, 0, 0);
		emit(program, BPF_JMP | BPF_JGT | BPF_K, 0, 3, 0);
	}
	emit(program, BPF_LD | BPF_W | BPF_ABS, low, 0, 0);
	skip = operator == '=' ? BPF_JEQ : operator == '>' ? BPF_JGT : BPF_JSET;
	emit(program, (uint16_t)(BPF_JMP | skip | BPF_K), (uint32_t)value, 1, 0);
	ALLOW(program);
	return text + used;
}

void deny_calls(const char *rule)
{
	struct program program = { .length = 0 };
	size_t length = strcspn(rule, "[:");
	const char *at = rule + length;

	emit(&program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	emit(&program, BPF_JMP | BPF_JEQ | BPF_K, find(calls, TEST_COUNT_OF(calls), rule, length), 1, 0);
	ALLOW(&program);
	while (*at == '[') {
		at = add_condition(&program, at);
		at += *at == ',';
	}
	CHECK_MSG(*at == ':', "bad rule %s", rule);
	emit(&program, BPF_RET | BPF_K,
	     SECCOMP_RET_ERRNO | find(errors, TEST_COUNT_OF(errors), at + 1, strlen(at + 1)), 0, 0);
	struct sock_fprog filter = { .len = program.length, .filter = program.code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
		test_skip("seccomp filters cannot be used here: %s", strerror(errno));
}
