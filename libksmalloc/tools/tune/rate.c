/* SPDX-License-Identifier: BSD-2-Clause */
#include "tune/rate.h"

#include <math.h>

/* With so much available memory nobody is in a hurry; with so little everything helps. */
#define PLENTY 0.5
#define SCARCE 0.1
/* Looking is in vain where less than one page of a thousand is saved by it. */
#define LEAST_YIELD 0.001
/* As many pages have to be seen before that is said. */
#define LEAST_SCANNED 10000

/* From least to most, by equal factors for equal steps of available memory. */
static double by_memory(const struct ksr_rate_bounds *bounds, double available)
{
	double need = (PLENTY - available) / (PLENTY - SCARCE);

	need = need < 0 ? 0 : need > 1 ? 1 : need;
	return (double)bounds->least * pow((double)bounds->most / (double)bounds->least, need);
}

uint64_t ksr_rate_next(const struct ksr_rate_bounds *bounds, const struct ksr_rate_look *look, uint64_t now)
{
	double wanted = by_memory(bounds, look->available);
	double last = (double)ksm_max(now, 1);

	/* What has merged is looked at all the same; where memory is short it goes on, in case that something comes. */
	if (look->scanned >= LEAST_SCANNED && look->available > SCARCE &&
	    (double)look->gained < LEAST_YIELD * (double)look->scanned)
		wanted = (double)bounds->least;
	if (look->cost > bounds->cost && last * bounds->cost / look->cost < wanted)
		wanted = last * bounds->cost / look->cost;
	wanted = wanted > 2 * last ? 2 * last : wanted < last / 2 ? last / 2 : wanted;
	return ksm_min(ksm_max((uint64_t)llround(wanted), bounds->least), bounds->most);
}
