/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group: the seed of the group that this process is in, for helper libraries that give an interpreter its hash seed.
 *
 * What it is: the file that `ksmalloc run` names in the environment, checked as libksmalloc checks it.
 * What it is not: part of libksmalloc.so; a helper works beside a version of it that is not its own.
 * Threads: any; nothing is kept. It opens and closes a file: to be called where that may be done.
 */
#ifndef KSMALLOC_GROUP_H
#define KSMALLOC_GROUP_H

#include <stdbool.h>

#include "ksmalloc/seed.h"

/* False where there is none: in the private layout, in a setuid program, and if the file is not to be trusted. */
bool ksh_group_seed(struct ksmalloc_seed *seed) __attribute__((visibility("hidden")));

#endif
