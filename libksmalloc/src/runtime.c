/* SPDX-License-Identifier: BSD-2-Clause */
#include "runtime.h"

#include "os.h"
#include "region.h"
#include "stream.h"

#include <errno.h>
#include <ksmalloc/stream.h>
#include <sys/mman.h>

static_assert(KSM_STREAMS <= KSMALLOC_STREAMS, "the followers' tables have room for all streams");

void *ksm_runtime_map(uint32_t stream, size_t length)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uintptr_t at;

	if (stream >= KSM_STREAMS || length == 0 || length % KSMALLOC_STREAM_ALIGNMENT)
		return NULL;
	while ((at = ksm_region_next_objects(stream, length)) != 0) {
		int error = ksm_os_map_place((void *)at, length, PROT_READ | PROT_WRITE, flags);

		if (!error) {
			ksm_region_introduce(KSM_REGION_HEAP, (void *)at, length);
			return (void *)at;
		}
		if (error != -EEXIST)
			break;
		ksm_region_count_taken();
	}
	return NULL;
}
