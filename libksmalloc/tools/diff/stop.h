/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stop: holds processes still, and lets them go on in any case.
 *
 * What it is: SIGSTOP, a wait until the process has stopped, and SIGCONT.
 * What it is not: ptrace: the parent of the process sees it stop.
 * Invariants: a process that stood before is left standing; a signal that ends
 * the command lets the others go on first. Only SIGKILL of the command leaves
 * them stopped.
 * Locking and owner: one thread; one set of processes at a time.
 * Failure: -errno; then nothing stays stopped.
 */
#ifndef KSR_DIFF_STOP_H
#define KSR_DIFF_STOP_H

#include "read/fs.h"

int ksr_stop_processes(const struct ksr_fs *fs, const pid_t *pids, size_t count);
void ksr_continue_processes(void);

#endif
