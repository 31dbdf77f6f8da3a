/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image: one process, held by descriptors, so that no other one is taken for it.
 *
 * What it is: a pid alone names whatever process has it at this moment, and an
 * execve keeps the pid and replaces everything else. A descriptor of the
 * process (pidfd) tells whether the process still lives; the descriptor of its
 * memory is bound to the program that was there when it was opened: once that
 * program has been replaced, it reads and writes nothing any more.
 *
 * What it is not: something that stops the process (stop.h does).
 *
 * Locking and owner: one thread.
 *
 * Failure: -errno; -ESRCH where the process, or this program in it, is no more.
 */
#ifndef KSR_KEEPER_IMAGE_H
#define KSR_KEEPER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ksr_image {
	pid_t pid; /* as the caller's namespace has it */
	int pidfd;
	int memory; /* /proc/PID/mem */
	uint64_t started; /* clock ticks since boot */
};

/* What /proc/PID/status says; sets of signals have bit n-1 for signal n. */
struct ksr_image_status {
	uint64_t pending; /* by the whole process */
	uint64_t pending_here; /* by the thread alone */
	uint64_t ignored;
	uint64_t caught;
	pid_t tracer;
	unsigned int filters; /* of seccomp, 0 where the kernel does not count them */
	bool strict; /* seccomp's other mode, which no filter counts for: it kills for most system calls */
	int shadow_stack; /* of the main thread */
};

struct ksr_image_usage {
	uint64_t cpu_ns; /* of all threads, in the kernel too; ksr_image_cpu_ns() */
	uint64_t pages; /* of anonymous memory that is there */
	unsigned int threads;
	bool sleeps; /* its main thread waits for something */
};

/* A started of 0 takes any process with that pid. */
int ksr_image_open(struct ksr_image *image, pid_t pid, uint64_t started);
void ksr_image_close(struct ksr_image *image);

/* 0 as long as nobody else can have the pid: until the end has been waited for. */
int ksr_image_alive(const struct ksr_image *image);

/* All bytes or none: -ESRCH after an execve or the end, -EFAULT where nothing is mapped. */
int ksr_image_read(const struct ksr_image *image, uint64_t address, void *bytes, size_t size);
int ksr_image_write(const struct ksr_image *image, uint64_t address, const void *bytes, size_t size);

/* The status of one thread; that of the process has its main thread's tid. */
int ksr_image_status(const struct ksr_image *image, pid_t tid, struct ksr_image_status *status);

/* When the process began, on CLOCK_BOOTTIME, as exact as a clock tick. */
uint64_t ksr_image_started_ns(const struct ksr_image *image);

/* The time that its threads have run so far, to the moment; 0 where it has gone. */
uint64_t ksr_image_cpu_ns(const struct ksr_image *image);

/* What the process uses; it need not stand. */
int ksr_image_usage(const struct ksr_image *image, struct ksr_image_usage *usage);

/* The letter of a thread's state, '?' where there is none. */
char ksr_image_state(const struct ksr_image *image, pid_t tid);

#endif
