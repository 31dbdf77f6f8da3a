/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of the pages that ksmd knows does it visit next, if they are on lists?
 *
 * Without lists, the linear lane visits all pages in the order of their addresses,
 * so that a new page waits until all old ones have had their turn, twice. With
 * them, a page is on one of these:
 *
 *  - new: it was seen, and was not tried yet;
 *  - rescan: it was tried and failed, or it has changed, so that it waits for the
 *    linear lane as all pages do without lists;
 *  - del: there is no page any more at its address, and what is known of it is to
 *    be released at leisure; or
 *  - none: it is merged.
 *
 * Rules:
 *  - Of what the hinted lane leaves of its share of a batch, half is taken from new,
 *    and the rest, with what new leaves, from rescan. When rescan is through in this
 *    epoch, new takes half of the whole batch before the hinted lane gets the rest; or
 *    all of it if hints are off, so that there is no other work.
 *  - A page is visited at most once in a pass of new, and a pass does not begin in
 *    the batch in which one has ended: two visits are at least one batch apart.
 *  - A process is looked through for pages that are not known when it has grown by
 *    KSM_LISTS_GROWTH pages, and by one in KSM_LISTS_PART of its own, since that was
 *    done last. What is known is passed by, and KSM_LISTS_PASSED of it count like one
 *    visit: so this costs no more than four visits for each page that is found.
 *  - An epoch does not end before a pass of new has ended that began when rescan was
 *    through: in each epoch, each page is visited.
 *
 * Pure logic: it knows no page and no mm, and takes its state as an argument.
 *
 * Locking: the caller's. ksm.c holds ksm_thread_mutex in all calls.
 */
#ifndef __MM_KSM_LISTS_H
#define __MM_KSM_LISTS_H

#include <linux/types.h>

#define KSM_LISTS_GROWTH	16
#define KSM_LISTS_PART		64
/* So many are released for the price of a visit. */
#define KSM_LISTS_RELEASE	16
/* And so many known pages are passed by for it, where unknown ones are looked for. */
#define KSM_LISTS_PASSED	16

enum ksm_list {
	KSM_LIST_NONE,
	KSM_LIST_NEW,
	KSM_LIST_RESCAN,
};

/**
 * struct ksm_lists - where the lists are
 * @started: a pass of new has begun, and has not ended
 * @ended: a pass of new has ended in this batch
 * @counts: the pass began when rescan was through
 * @through: such a pass has ended in this epoch
 */
struct ksm_lists {
	bool started;
	bool ended;
	bool counts;
	bool through;
};

enum ksm_list ksm_list_after(bool merged, bool tried, bool known, bool pending);
bool ksm_list_grown(unsigned long size, unsigned long *seen);
unsigned int ksm_lists_batch(struct ksm_lists *lists, unsigned int pages,
			     bool alone);
bool ksm_lists_begin(struct ksm_lists *lists, bool rescanned);
void ksm_lists_end(struct ksm_lists *lists);
void ksm_lists_break(struct ksm_lists *lists);
void ksm_lists_epoch(struct ksm_lists *lists);

#endif /* __MM_KSM_LISTS_H */
