/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime: memory for runtimes' own allocators of objects, which follow the streams.
 *
 * What it is: pieces of the region heap's last quarter, for those who were told by ksmalloc/stream.h which
 * stream it is. They are advised and hinted as jemalloc's memory is.
 * What it is not: an allocator; and not for the private layout.
 *
 * Locking: none; what a stream has taken is counted by an atomic.
 * Failure: NULL.
 */
#ifndef KSM_RUNTIME_H
#define KSM_RUNTIME_H

#include "base.h"

/* length bytes of zeros for a stream, a multiple of KSMALLOC_STREAM_ALIGNMENT; never given back. NULL if there are none. */
void *ksm_runtime_map(uint32_t stream, size_t length);

#endif
