/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel: the state of the kernel, for programs.
 *
 * What it is: the section "kernel" of JSON and CSV, of all commands.
 * What it is not: in text, where notes say what of it matters.
 * Locking and owner: pure but for one file that is read.
 * Failure: the emitter remembers what it could not take.
 */
#ifndef KSR_SHOW_KERNEL_H
#define KSR_SHOW_KERNEL_H

#include "read/kernel.h"
#include "show/emitter.h"

/* The section "kernel" of JSON and CSV. */
void ksr_render_kernel(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
		       struct ksr_emitter *emitter);

#endif
