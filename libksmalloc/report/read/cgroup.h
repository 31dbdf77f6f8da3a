/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup: which container a process runs in.
 *
 * What it is: the id in /proc/PID/cgroup by which docker, podman, containerd and CRI-O name the group of a container:
 * 64 hexadecimal digits, of which the first twelve are kept, as these programs print them.
 * What it is not: a question to one of them; containers of others, and what runs in none, have no name.
 * Invariants: the name is empty or has KSR_CONTAINER_BYTES - 1 hexadecimal digits. Of containers within containers
 * it is the innermost. Who has a cgroup namespace of its own, as a container has most often, sees no name.
 * Locking and owner: the name is the caller's.
 * Failure: an empty name: nothing depends on it.
 */
#ifndef KSR_READ_CGROUP_H
#define KSR_READ_CGROUP_H

#include "read/fs.h"

#define KSR_CONTAINER_BYTES 13

void ksr_cgroup_parse(const struct ksr_text *text, char container[KSR_CONTAINER_BYTES]);
void ksr_cgroup_read(const struct ksr_fs *fs, pid_t pid, char container[KSR_CONTAINER_BYTES]);

#endif
