/* SPDX-License-Identifier: BSD-2-Clause */
/* worker_memory: the memory that a worker takes, as the kernel counts it. */
#ifndef WORKER_MEMORY_H
#define WORKER_MEMORY_H

/* Prints the KiB of its own, and the inode and the KiB of each of the store's files that it has open, on one line. */
void worker_show_memory(void);

#endif
