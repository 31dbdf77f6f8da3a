/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * registers: what a thread that stands is to go on with.
 *
 * What it is: reading and setting of the registers, of the mask of signals and
 * of what else decides where the thread goes on; and the way back from it that
 * the thread can go without a tracer (room.h).
 *
 * Invariants: registers are set as they were read, so also orig_rax: where it
 * is a system call's number the kernel restarts it, as it would have. The mask
 * is the one that holds after ppoll, pselect or sigsuspend, which set another
 * one for their time: they are restarted, and set it again.
 *
 * What it is not: vector registers; entry.c keeps them.
 *
 * Locking and owner: the tracer, while the thread stands.
 *
 * Failure: -errno; -ENOSYS on machines other than x86_64, -EOPNOTSUPP where a
 * thread runs 32-bit code, where the kernel does not tell of restartable
 * sequences (before 5.13), or with a shadow stack.
 */
#ifndef KSR_KEEPER_REGISTERS_H
#define KSR_KEEPER_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "keeper/image.h"
#include "ksmalloc/room.h"

struct ksr_registers {
	struct user_regs_struct set;
	uint64_t mask;
};

/* 0 where calls can be made on this machine. */
int ksr_registers_supported(void);

int ksr_registers_read(pid_t tid, struct ksr_registers *registers);
/* The number of the system call that the thread stands behind, -1 if there is none: one word, where most threads need no more. */
long ksr_registers_call(pid_t tid);

int ksr_registers_write(pid_t tid, const struct ksr_registers *registers);
int ksr_registers_write_mask(pid_t tid, uint64_t mask);

/*
 * A thread within a restartable sequence will begin anew, as the kernel has it do after any stop;
 * it has to be told where, since the kernel looks only at where the thread is when it goes on.
 */
int ksr_registers_leave_sequence(const struct ksr_image *image, pid_t tid, struct ksr_registers *registers);

/*
 * Some system calls end with EINTR at any stop, and the kernel does not restart them. Where one has no
 * limit of time nothing is lost by calling it again: it is made one that the kernel restarts.
 */
void ksr_registers_call_again(struct ksr_registers *registers);

/* Signals that the thread's own instructions caused, and that it has not got yet. */
bool ksr_registers_has_fault(pid_t tid);
uint64_t ksr_registers_faults(void);

#define KSR_SYSCALL_BYTES 2 /* of the instruction */

/* Where the stack may begin below a record: a handler of a signal that cannot be kept away finds the record behind it. */
static inline uint64_t ksr_registers_below(uint64_t record)
{
	return (record - 64) & ~UINT64_C(15);
}

/* Where the thread goes on by itself, and the record's address on its stack. */
uint64_t ksr_registers_way_back(const struct ksr_registers *registers, struct ksr_record *record);

void ksr_registers_begin(const struct ksr_registers *registers, const struct ksr_room *room, uint64_t record,
			 struct ksr_registers *other);
void ksr_registers_failed(const struct ksr_registers *registers, const struct ksr_room *room, int64_t result,
			  struct ksr_registers *other);
void ksr_registers_park(const struct ksr_registers *registers, const struct ksr_room *room, uint64_t record,
			struct ksr_registers *other);
/* Does the thread use the room, since a tracer died in a call? */
bool ksr_registers_in_room(const struct ksr_registers *registers, const struct ksr_room *room);
bool ksr_registers_at_end(const struct ksr_registers *registers, const struct ksr_room *room);

#endif
