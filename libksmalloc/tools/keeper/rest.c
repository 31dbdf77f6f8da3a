/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/rest.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "keeper/registers.h"

#ifdef __x86_64__

#define SYSCALL	      0x050f /* the instruction */

/*
 * Of others a part may be the whole, or a second call would do something else than go on: on a socket it takes the error that
 * the program's next call is to see, raises SIGPIPE, and begins a limit of time anew.
 */
static bool is_stream(pid_t pid, uint64_t descriptor)
{
	struct stat status;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, (int)descriptor);
	return stat(path, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode));
}

/* One that the program handles. What does nothing by default, as SIGCHLD, waits here, too, for a thread that is traced. */
static bool has_signal(const struct ksr_image_status *status, uint64_t mask)
{
	return (status->pending | status->pending_here) & ~mask & status->caught;
}

/* Behind the call by which the rest of another one is moved. */
static bool is_in_rest(const struct user_regs_struct *set, const struct ksr_room *room)
{
	return set->rip == room->rest + KSR_SYSCALL_BYTES;
}

static bool is_syscall(const struct ksr_image *image, uint64_t address)
{
	uint16_t code;

	return ksr_image_read(image, address, &code, sizeof(code)) == 0 && code == SYSCALL;
}

/*
 * True if the registers are those behind a call, with what it returns. Where the kernel has begun to restart it, and the
 * thread stands once more before that, they are those before it, and the call's number stands in the place of the
 * result.
 */
static bool has_returned(const struct ksr_image *image, const struct user_regs_struct *set)
{
	return is_syscall(image, set->rip - KSR_SYSCALL_BYTES) && !(set->rax == set->orig_rax && is_syscall(image, set->rip));
}

/* The rest of what the registers are about is next. */
static void call_for_rest(struct user_regs_struct *set, const struct ksr_room *room, uint64_t moved)
{
	set->rsi += moved;
	set->rdx -= moved;
	set->rax = set->orig_rax;
	set->orig_rax = (unsigned long long)-1;
	set->rip = room->rest;
}

/* The first time: it has a record to come back by, with what was moved; r12 has what was moved since (ksr_entry_rest). */
static int begin(const struct ksr_image *image, const struct ksr_registers *was, struct user_regs_struct *set)
{
	struct ksr_record record;
	uint64_t address = ksr_registers_way_back(was, &record);

	set->rbx = address;
	set->r12 = 0;
	set->rsp = ksr_registers_below(address);
	return ksr_image_write(image, address, &record, sizeof(record));
}

/* True if the thread was led. */
static bool lead(const struct ksr_stop *stop, const struct ksr_room *room, pid_t tid)
{
	struct ksr_image_status status;
	struct ksr_registers was, led;
	int64_t moved;
	int error = 0;

	if (ksr_registers_call(tid) != SYS_write || ksr_registers_read(tid, &was))
		return false;
	moved = (int64_t)was.set.rax;
	if (moved <= 0 || (uint64_t)moved >= was.set.rdx || !is_stream(stop->image->pid, was.set.rdi))
		return false;
	if (!has_returned(stop->image, &was.set) || ksr_image_status(stop->image, tid, &status) ||
	    has_signal(&status, was.mask) || status.shadow_stack)
		return false;
	led = was;
	/* Cut off again: in a register, so that all changes at once, or nothing does if the keeper ends here. */
	if (is_in_rest(&was.set, room))
		led.set.r12 += (uint64_t)moved;
	else
		error = begin(stop->image, &was, &led.set);
	call_for_rest(&led.set, room, (uint64_t)moved);
	return !error && !ksr_registers_write(tid, &led);
}

size_t ksr_rest_lead(const struct ksr_stop *stop, const struct ksr_room *room)
{
	size_t led = 0;

	for (size_t i = 0; i < stop->count && room->rest; i++) {
		const struct ksr_thread *thread = &stop->threads[i];

		if (thread->stands && !thread->group_stop)
			led += lead(stop, room, thread->tid);
	}
	return led;
}

#else

size_t ksr_rest_lead(const struct ksr_stop *stop, const struct ksr_room *room)
{
	(void)stop;
	(void)room;
	return 0;
}

#endif
