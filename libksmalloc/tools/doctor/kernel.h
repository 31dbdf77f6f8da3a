/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel: KSM and the settings of the machine, and what this process may call.
 *
 * What it is not: a change of settings; doctor.c makes those.
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_KERNEL_H
#define KSR_DOCTOR_KERNEL_H

#include "judge/finding.h"
#include "owner.h"
#include "read/kernel.h"

/* pages_to_scan below this is raised by --fix: about 195 MiB/s at the default sleep. */
#define KSR_PAGES_TO_SCAN 1000
/* The kernel's own, which a sleep that is far too long becomes with --fix. */
#define KSR_SLEEP_MILLISECS 20

/* KSM, whose it is, the settings of the machine, and what this process may call. */
void ksr_check_kernel(const struct ksr_fs *fs, const struct ksr_owner *owner, struct ksr_findings *findings);
/* Is sleep_millisecs so large that KSM merges next to nothing? */
bool ksr_is_huge_sleep(const struct ksr_kernel *kernel);

#endif
