/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena/runtime.h"

#include "mapping/region.h"
#include "layout/stream.h"

#include <ksmalloc/stream.h>
#include <sys/mman.h>

static_assert(KSM_STREAMS <= KSMALLOC_STREAMS, "the followers' tables have room for all streams");

void *ksm_runtime_map(uint32_t stream, size_t length)
{
	void *memory = NULL;

	if (stream < KSM_STREAMS && length > 0 && length % KSMALLOC_STREAM_ALIGNMENT == 0)
		memory = ksm_region_map_objects(stream, length, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
	if (memory)
		ksm_region_introduce(KSM_REGION_HEAP, memory, length);
	return memory;
}
