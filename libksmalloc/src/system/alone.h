/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alone: can this thread be sure that nobody else writes to the process's memory?
 *
 * What it is: what the kernel tells of threads, debuggers, locked and pinned memory, and of devices and rings through
 * which it, or hardware, writes on the program's behalf.
 * What it is not: a lock: it holds for as long as the thread does nothing about it, with signals blocked.
 * Locking: none. Failure: counts as not alone.
 */
#ifndef KSM_ALONE_H
#define KSM_ALONE_H

#include "base.h"
#include "os/os.h"

#include <ksmalloc/segment.h>

/* At load. 0, or -errno: then it cannot be told. */
int ksm_alone_init(void);

/* For who wants to know the mappings, too: the kernel takes long to tell of many. Sees all of them, if it is so. */
struct ksm_alone_visitor {
	void (*visit)(const struct ksm_os_mapping *mapping, void *argument);
	void *argument;
};

/*
 * 0 if it is so. -EBUSY if there are other threads or somebody traces the process, -EPERM if memory is locked or pinned
 * or something else may write to it. stopped: a tracer has stopped all other threads. why: which of them it is, unless
 * 0 is returned. visitor: NULL, or who sees the mappings. Without one only those that are shared are looked at, which is enough soon
 * after a look at all: rings are.
 */
int ksm_alone_check(bool stopped, enum ksmalloc_aside *why, const struct ksm_alone_visitor *visitor);

/* Who traces the process now, as its pid; 0 if nobody does, or nobody that has a pid here. */
pid_t ksm_alone_tracer(void);

#endif
