/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats: a folder for segments, where their owner could not read them else.
 *
 * What it is: Yama (kernel.yama.ptrace_scope) lets an ordinary user look into the memory of the
 * user's own descendants only, and a segment is memory unless a folder is named. Then
 * `ksmalloc run` names the folder that the library would choose: KSMALLOC_STATS_DIR.
 * What it is not: for root, who may read all, nor for those who said where segments are to be: by
 * KSMALLOC_STATS_DIR, also an empty one, KSMALLOC_STATS_GROUP, KSMALLOC_CONF or KSMALLOC_STATS=0.
 * Locking and owner: one thread; it changes the environment, right before exec.
 * Failure: without a folder of the user's own the environment stays as it is.
 */
#ifndef KSR_RUN_STATS_H
#define KSR_RUN_STATS_H

void ksr_run_stats(void);

#endif
