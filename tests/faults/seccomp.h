/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes chosen system calls of this process and its children fail, by a seccomp
 * filter: the kernel answers with an errno and does nothing.
 *
 * A rule is text: CALL[ARGUMENT]OPERATOR VALUE:ERRNO, where the condition may be
 * missing and there may be two, joined by commas:
 *   madvise:EINVAL            every madvise
 *   madvise[2]=12:EINVAL      MADV_MERGEABLE only
 *   mmap[1]>1048576:ENOMEM    mappings of more than 1 MiB
 *   mmap[3]&32:ENOMEM         anonymous mappings (a bit of the flags is set)
 */
#ifndef KSM_TEST_SECCOMP_H
#define KSM_TEST_SECCOMP_H

/* Adds the rule. The test ends as skipped where the kernel has no seccomp filters. */
void deny_calls(const char *rule);

#endif
