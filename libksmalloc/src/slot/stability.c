/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot/stability.h"

#define NOISY_UNTIL_VOLATILE 3u
#define QUIET_UNTIL_UNKNOWN  2u

void ksm_stability_init(struct ksm_stability *stability, enum ksmalloc_stability now)
{
	*stability = (struct ksm_stability){ .now = now, .needed = 1 };
}

/* Goes over to another state, which has to gather its own evidence. */
static bool become(struct ksm_stability *stability, enum ksmalloc_stability now)
{
	stability->now = now;
	stability->quiet = 0;
	stability->noisy = 0;
	return true;
}

static bool note_quiet(struct ksm_stability *stability)
{
	stability->noisy = 0;
	stability->quiet++;
	if (stability->now == KSMALLOC_STABILITY_UNKNOWN && stability->quiet >= stability->needed)
		return become(stability, KSMALLOC_STABILITY_SETTLED);
	if (stability->now == KSMALLOC_STABILITY_VOLATILE && stability->quiet >= QUIET_UNTIL_UNKNOWN)
		return become(stability, KSMALLOC_STABILITY_UNKNOWN);
	return false;
}

static bool note_changed(struct ksm_stability *stability, bool half)
{
	stability->quiet = 0;
	stability->noisy = half ? stability->noisy + 1 : 0;
	if (stability->now == KSMALLOC_STABILITY_SETTLED) {
		stability->needed = (uint32_t)ksm_min(2 * stability->needed,
						      KSM_STABILITY_MOST_NEEDED);
		return become(stability, KSMALLOC_STABILITY_UNKNOWN);
	}
	if (stability->now == KSMALLOC_STABILITY_UNKNOWN && stability->noisy >= NOISY_UNTIL_VOLATILE)
		return become(stability, KSMALLOC_STABILITY_VOLATILE);
	return false;
}

bool ksm_stability_note(struct ksm_stability *stability, uint32_t compared, uint32_t changed)
{
	if (compared < KSM_STABILITY_LEAST_PAGES)
		return false;
	return changed ? note_changed(stability, 2 * changed >= compared) : note_quiet(stability);
}

bool ksm_stability_settle(struct ksm_stability *stability)
{
	return stability->now != KSMALLOC_STABILITY_SETTLED &&
	       become(stability, KSMALLOC_STABILITY_SETTLED);
}
