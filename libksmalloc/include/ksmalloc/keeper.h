/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libksmalloc.so offers to a keeper: a process that stops all threads of a worker and has one of them share pages.
 *
 * What it is: the contract of one function, which is called in a thread that was stopped (ptrace(2)), never by a program.
 * The keeper finds what does the same in the segment (struct ksmalloc_segment_keeper).
 *
 * Before the call: all other threads of the process are stopped, and so are all others that use its memory. The thread may have
 * been stopped anywhere, also inside of malloc, but not inside of vfork(2) or execve(2). The stack pointer points to
 * KSMALLOC_KEEPER_STACK bytes that are no memory of malloc's; the red zone of the thread's own stack stays untouched. Its
 * signals are blocked, or would be delivered within.
 */
#ifndef KSMALLOC_KEEPER_H
#define KSMALLOC_KEEPER_H

#ifndef KSMALLOC_EXPORT
#define KSMALLOC_EXPORT
#endif

#define KSMALLOC_KEEPER_STACK 65536

/*
 * Beside a group's seed lies a file with this before its name, of which the group's keeper has locked a byte (fcntl(2)): by that
 * lock there is one keeper, and members know whom they let trace them. The byte's offset is the inode of /proc/self/ns/pid, or 0
 * where that cannot be read: containers may have the folder in common, and a keeper sees the processes of its own alone.
 */
#define KSMALLOC_KEEPER_PREFIX "keeper."

/*
 * Goes on with a pass, or begins one, for about so many microseconds. Returns how many milliseconds later there is more to
 * do, 0 for at once; or -EOPNOTSUPP: never; -EBUSY: the thread was stopped where it must not be disturbed, try
 * again after it has run; and other errors as ksmalloc_share(3). errno stays as it is, nothing is allocated, and no lock is taken.
 */
KSMALLOC_EXPORT long ksmalloc_share_stopped(unsigned int microseconds);

#endif
