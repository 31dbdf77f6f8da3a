/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects: memory for runtimes' own allocators of objects, which follow the streams.
 *
 * What it is: pieces of the region heap's last quarter, for those who were told by ksmalloc/stream.h which
 * stream it is. They are advised and hinted as jemalloc's memory is.
 * What it is not: an allocator; and not for the private layout.
 *
 * Locking: none; what a stream has taken is counted by an atomic.
 * Failure: NULL.
 */
#ifndef KSM_OBJECTS_H
#define KSM_OBJECTS_H

#include "base.h"

/* length bytes of zeros for a stream, a multiple of KSMALLOC_STREAM_ALIGNMENT; never given back. NULL if there are none. */
void *ksm_objects_map(uint32_t stream, size_t length);

#endif
