/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout/stream.h"

#include "segment/stat.h"

__thread struct ksm_stream_state ksm_stream_self __attribute__((tls_model("initial-exec")));
uint32_t ksm_stream_depth_now;

/* Of the threads of this depth. Synchronization: atomic. */
static uint32_t last_ordinal;

uint32_t ksm_stream_next_ordinal(void)
{
	uint32_t ordinal = __atomic_add_fetch(&last_ordinal, 1, __ATOMIC_RELAXED);

	if (ordinal >= KSM_LANES && ksm_layout_is_shared() && ksm_stat)
		ksm_stat_add(&ksm_stat->header.bounds.threads_beyond_total, 1);
	return ordinal;
}

void ksm_stream_start_thread(uint32_t ordinal)
{
	ksm_stream_self.ordinal = ordinal;
	ksm_stream_self.is_first = ordinal == 0;
	ksm_stream_self.is_rare = false;
	ksm_stream_self.has_left_start = false;
	ksm_stream_self.stream = (uint16_t)ksm_stream_part_of(ordinal);
}

void ksm_stream_enter_child(void)
{
	__atomic_store_n(&ksm_stream_depth_now, ksm_stream_depth_of_child(), __ATOMIC_RELAXED);
	__atomic_store_n(&last_ordinal, 0, __ATOMIC_RELAXED);
	ksm_stream_self.is_new_child = false;
	ksm_stream_start_thread(0);
}
