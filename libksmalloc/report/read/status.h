/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status: who a process is, and what KSM counts for it as a whole.
 *
 * What it is: /proc/PID/stat and status, and ksm_stat.
 * What it is not: counters by site (counters.h).
 * Invariants: sizes are bytes; KSR_NONE stands for what the kernel does not tell.
 * Locking and owner: the results are the caller's, and own nothing.
 * Failure: -errno. Lines that are not known are ignored, since kernels add some.
 */
#ifndef KSR_READ_STATUS_H
#define KSR_READ_STATUS_H

#include "read/number.h"

/* /proc/PID/ksm_stat, since 6.1 in parts; KSR_NONE where there is no such line. */
struct ksr_ksm_stat {
	uint64_t rmap_items;
	uint64_t zero_pages;
	uint64_t merging_pages;
	int64_t process_profit; /* bytes; 0 when unknown */
};

struct ksr_status {
	char command[64];
	pid_t parent;
	char state; /* a letter, as in ps(1) */
	uint64_t start_time_ticks;
	uint64_t cpu_ticks;   /* in the program and in the kernel */
	uint64_t start_stack; /* another one after an exec, and 0 where the caller may not know */
	uint64_t page_tables; /* VmPTE */
	uint64_t uid;	      /* real */
	pid_t inner_pid; /* in the process's own pid namespace, 0 if the kernel does not tell */
};

void ksr_ksm_stat_parse(const struct ksr_text *text, struct ksr_ksm_stat *stat);
/* Falls back to ksm_merging_pages where there is no ksm_stat. */
int ksr_ksm_stat_read(const struct ksr_fs *fs, pid_t pid, struct ksr_ksm_stat *stat);

/* false when the text is not that of /proc/PID/stat. */
bool ksr_status_parse_stat(const struct ksr_text *text, struct ksr_status *status);
int ksr_status_read(const struct ksr_fs *fs, pid_t pid, struct ksr_status *status);

/* The last number of a line "\nLabel:\t1\t2" of /proc/PID/status, which is the one that the process itself sees; 0 if there is none. */
pid_t ksr_status_last_number(const struct ksr_text *text, const char *label);

#endif
