/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/registers.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base.h"

#define BIT(number) (UINT64_C(1) << ((number)-1))

uint64_t ksr_registers_faults(void)
{
	return BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGFPE) | BIT(SIGSYS);
}

#ifdef __x86_64__

#include <cpuid.h>

/* Results of system calls that the kernel restarts; no program ever sees them. */
#define RESTART_SYS	(-512)
#define RESTART_NO_INTR (-513)
#define RESTART_NO_HAND (-514)
#define RESTART_BLOCK	(-516)
#define NR_RESTART_SYSCALL 219
#define FLAGS_PLAIN	0x202 /* interrupts, and the bit that is always set */
#define STACK_RESERVE	1024
#define RED_ZONE_BYTES	128
#define CPUID_XSAVE	(1u << 27) /* leaf 1, ecx */

/* Newer than some headers. */
#ifndef SYS_io_pgetevents
#define SYS_io_pgetevents 333
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#define GET_SEQUENCE	0x420f /* PTRACE_GET_RSEQ_CONFIGURATION */
#define SEQUENCE_FIELD	8 /* of struct rseq: rseq_cs */

/* As the kernel has them; older headers do not. */
struct sequence_configuration {
	uint64_t area;
	uint32_t bytes;
	uint32_t signature;
	uint32_t flags;
	uint32_t unused;
};

struct sequence {
	uint32_t version;
	uint32_t flags;
	uint64_t begin;
	uint64_t bytes;
	uint64_t abort;
};

static int trace(int request, pid_t tid, uintptr_t address, void *data)
{
	long got = ptrace((enum __ptrace_request)request, tid, (void *)address, data);

	return got < 0 ? -errno : (int)got;
}

int ksr_registers_supported(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & CPUID_XSAVE))
		return -ENOSYS;
	/* ebx: what the parts that are in use now need. */
	if (!__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx) || ebx > KSR_ROOM_VECTOR_BYTES)
		return -ENOSYS;
	return 0;
}

int ksr_registers_read(pid_t tid, struct ksr_registers *registers)
{
	struct iovec all = {&registers->set, sizeof(registers->set)};
	int error = trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all);

	if (error)
		return error;
	/* The kernel gives fewer of them where 32-bit code runs. */
	if (all.iov_len != sizeof(registers->set))
		return -EOPNOTSUPP;
	return trace(PTRACE_GETSIGMASK, tid, sizeof(registers->mask), &registers->mask);
}

long ksr_registers_call(pid_t tid)
{
	return ptrace(PTRACE_PEEKUSER, tid, (void *)offsetof(struct user, regs.orig_rax), NULL);
}

int ksr_registers_write(pid_t tid, const struct ksr_registers *registers)
{
	struct user_regs_struct set = registers->set;
	struct iovec all = {&set, sizeof(set)};

	return trace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all);
}

int ksr_registers_write_mask(pid_t tid, uint64_t mask)
{
	return trace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}

int ksr_registers_leave_sequence(const struct ksr_image *image, pid_t tid, struct ksr_registers *registers)
{
	struct sequence_configuration configuration;
	struct sequence sequence;
	uint64_t address;
	int error = trace(GET_SEQUENCE, tid, sizeof(configuration), &configuration);

	if (error < 0)
		return error == -EIO || error == -EINVAL ? -EOPNOTSUPP : error;
	if (!configuration.area)
		return 0;
	error = ksr_image_read(image, configuration.area + SEQUENCE_FIELD, &address, sizeof(address));
	if (error || !address)
		return error;
	error = ksr_image_read(image, address, &sequence, sizeof(sequence));
	if (!error && registers->set.rip - sequence.begin < sequence.bytes)
		registers->set.rip = sequence.abort;
	return error;
}

/* Is it one of the calls of which registers.h speaks? */
static bool waits_for_ever(const struct user_regs_struct *set)
{
	switch (set->orig_rax) {
	case SYS_semop:
		return true;
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int)set->r10 < 0;
	case SYS_semtimedop:
	case SYS_epoll_pwait2:
		return !set->r10;
	case SYS_rt_sigtimedwait:
		return !set->rdx;
	case SYS_io_getevents:
	case SYS_io_pgetevents:
		return !set->r8;
	default:
		return false;
	}
}

void ksr_registers_call_again(struct ksr_registers *registers)
{
	/* A signal that has a handler ends it with EINTR still. */
	if ((int64_t)registers->set.rax == -EINTR && waits_for_ever(&registers->set))
		registers->set.rax = (unsigned long long)RESTART_NO_HAND;
}

bool ksr_registers_has_fault(pid_t tid)
{
	struct __ptrace_peeksiginfo_args place = {.nr = 1};
	siginfo_t info;

	for (; trace(PTRACE_PEEKSIGINFO, tid, (uintptr_t)&place, &info) > 0; place.off++)
		if (info.si_code > 0 && info.si_signo < 32 && (ksr_registers_faults() & BIT(info.si_signo)))
			return true;
	return false;
}

/* Where the kernel would restart the system call that the thread was in. */
static void restart(struct user_regs_struct *set)
{
	if ((int64_t)set->orig_rax < 0)
		return;
	switch ((int64_t)set->rax) {
	case RESTART_SYS:
	case RESTART_NO_INTR:
	case RESTART_NO_HAND:
		set->rax = set->orig_rax;
		set->rip -= KSR_SYSCALL_BYTES;
		break;
	case RESTART_BLOCK:
		set->rax = NR_RESTART_SYSCALL;
		set->rip -= KSR_SYSCALL_BYTES;
		break;
	default:
		break;
	}
}

uint64_t ksr_registers_way_back(const struct ksr_registers *registers, struct ksr_record *record)
{
	struct user_regs_struct set = registers->set;

	restart(&set);
	*record = (struct ksr_record){
		.rax = set.rax, .rbx = set.rbx, .rcx = set.rcx, .rdx = set.rdx,
		.rsi = set.rsi, .rdi = set.rdi, .rbp = set.rbp,
		.r8 = set.r8, .r9 = set.r9, .r10 = set.r10, .r11 = set.r11,
		.r12 = set.r12, .r13 = set.r13, .r14 = set.r14, .r15 = set.r15,
		.rip = set.rip, .flags = set.eflags, .mask = registers->mask,
	};
	return set.rsp - RED_ZONE_BYTES - sizeof(*record);
}

/* No system call is restarted on the way to another place. */
static void lead(const struct ksr_registers *registers, uint64_t rip, uint64_t rbx, struct ksr_registers *other)
{
	*other = *registers;
	other->set.orig_rax = (unsigned long long)-1;
	other->set.eflags = FLAGS_PLAIN;
	other->set.rip = rip;
	other->set.rbx = rbx;
}

void ksr_registers_begin(const struct ksr_registers *registers, const struct ksr_room *room, uint64_t record,
			 struct ksr_registers *other)
{
	lead(registers, room->begin, room->address, other);
	other->set.r13 = record;
	other->set.rsp = room->address + room->bytes - STACK_RESERVE;
}

void ksr_registers_failed(const struct ksr_registers *registers, const struct ksr_room *room, int64_t result,
			  struct ksr_registers *other)
{
	struct ksr_record unused;

	ksr_registers_begin(registers, room, ksr_registers_way_back(registers, &unused), other);
	other->set.rip = room->failed;
	other->set.rax = (unsigned long long)result;
}

void ksr_registers_park(const struct ksr_registers *registers, const struct ksr_room *room, uint64_t record,
			struct ksr_registers *other)
{
	lead(registers, room->park, record, other);
	other->set.r12 = room->address;
	other->set.rsp = ksr_registers_below(record);
}

bool ksr_registers_in_room(const struct ksr_registers *registers, const struct ksr_room *room)
{
	return registers->set.rsp - room->address < room->bytes;
}

bool ksr_registers_at_end(const struct ksr_registers *registers, const struct ksr_room *room)
{
	return registers->set.rip == room->end;
}

#else /* another machine: nothing is ever read or set */

int ksr_registers_supported(void)
{
	return -ENOSYS;
}

int ksr_registers_read(pid_t tid, struct ksr_registers *registers)
{
	(void)tid;
	(void)registers;
	return -ENOSYS;
}

long ksr_registers_call(pid_t tid)
{
	(void)tid;
	return -1;
}

int ksr_registers_write(pid_t tid, const struct ksr_registers *registers)
{
	(void)tid;
	(void)registers;
	return -ENOSYS;
}

int ksr_registers_write_mask(pid_t tid, uint64_t mask)
{
	(void)tid;
	(void)mask;
	return -ENOSYS;
}

int ksr_registers_leave_sequence(const struct ksr_image *image, pid_t tid, struct ksr_registers *registers)
{
	(void)image;
	(void)tid;
	(void)registers;
	return -ENOSYS;
}

void ksr_registers_call_again(struct ksr_registers *registers)
{
	(void)registers;
}

bool ksr_registers_has_fault(pid_t tid)
{
	(void)tid;
	return true;
}

uint64_t ksr_registers_way_back(const struct ksr_registers *registers, struct ksr_record *record)
{
	(void)registers;
	(void)record;
	return 0;
}

void ksr_registers_begin(const struct ksr_registers *registers, const struct ksr_room *room, uint64_t record,
			 struct ksr_registers *other)
{
	(void)registers;
	(void)room;
	(void)record;
	(void)other;
}

void ksr_registers_failed(const struct ksr_registers *registers, const struct ksr_room *room, int64_t result,
			  struct ksr_registers *other)
{
	(void)registers;
	(void)room;
	(void)result;
	(void)other;
}

void ksr_registers_park(const struct ksr_registers *registers, const struct ksr_room *room, uint64_t record,
			struct ksr_registers *other)
{
	(void)registers;
	(void)room;
	(void)record;
	(void)other;
}

bool ksr_registers_in_room(const struct ksr_registers *registers, const struct ksr_room *room)
{
	(void)registers;
	(void)room;
	return true;
}

bool ksr_registers_at_end(const struct ksr_registers *registers, const struct ksr_room *room)
{
	(void)registers;
	(void)room;
	return false;
}

#endif
