/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stability: is the content of a site still written to?
 *
 * What it is: the rule that turns comparisons of sampled pages into what a hint
 * says: unknown, volatile (written again and again) or settled (not written any
 * more). Pure logic: no memory is read and no clock is asked.
 * What it is not: the sampling itself, which is sample's.
 *
 * The rule: a comparison in which no page had changed makes an unknown site
 * settled, and two of them in a row make a volatile one unknown. One changed
 * page makes a settled site unknown, and from then on it takes twice as many
 * comparisons as before to be settled again, up to KSM_STABILITY_MOST_NEEDED: a
 * site that is written now and then changes its hint ever more seldom. Three
 * comparisons in a row in which half of the pages had changed make an unknown
 * site volatile. Fewer than KSM_STABILITY_LEAST_PAGES pages say nothing.
 *
 * Locking: the caller's. Failure: none.
 */
#ifndef KSM_STABILITY_H
#define KSM_STABILITY_H

#include "base.h"

#include <ksmalloc/segment.h>

#define KSM_STABILITY_LEAST_PAGES 3u
#define KSM_STABILITY_MOST_NEEDED 32u

struct ksm_stability {
	enum ksmalloc_stability now;
	uint32_t quiet;		/* comparisons in a row without a changed page */
	uint32_t noisy;		/* comparisons in a row with half of the pages changed */
	uint32_t needed;	/* quiet ones that it takes to be settled */
};

void ksm_stability_init(struct ksm_stability *stability, enum ksmalloc_stability now);

/* Notes a comparison: changed of compared pages were changed. True if now is another. */
bool ksm_stability_note(struct ksm_stability *stability, uint32_t compared, uint32_t changed);

/*
 * The program says that it is settled. Comparisons may still find that it is not. True if now
 * is another.
 */
bool ksm_stability_settle(struct ksm_stability *stability);

#endif
