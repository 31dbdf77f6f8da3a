// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which of the pages that ksmd knows does it visit next? See ksm_lists.h.
 */

#include <linux/kernel.h>
#include <linux/string.h>

#include "ksm_lists.h"

/**
 * ksm_list_after - which list is a page on after a visit?
 * @merged: it was merged
 * @tried: it was looked for, in vain
 * @known: it was visited before
 * @pending: its probation goes on, and no visit has found it changed
 *
 * A page that changes is not new any more: it would keep those waiting that do not.
 *
 * Return: the list.
 */
enum ksm_list ksm_list_after(bool merged, bool tried, bool known, bool pending)
{
	if (merged)
		return KSM_LIST_NONE;
	if (tried || (known && !pending))
		return KSM_LIST_RESCAN;
	return KSM_LIST_NEW;
}

/**
 * ksm_list_grown - are there pages in a process that are not known?
 * @size: the number of its pages
 * @seen: the number that it had when it was looked through last
 *
 * Return: true if it is to be looked through now: then @seen is @size.
 */
bool ksm_list_grown(unsigned long size, unsigned long *seen)
{
	bool grown = size >= *seen + KSM_LISTS_GROWTH &&
		size - *seen >= size / KSM_LISTS_PART;

	/* What was unmapped and comes again is new, too. */
	if (grown || size < *seen)
		*seen = size;
	return grown;
}

/**
 * ksm_lists_batch - a batch begins
 * @lists: the lists
 * @pages: how many pages it may visit
 * @alone: there is no other work
 *
 * Return: how many of them are for new.
 */
unsigned int ksm_lists_batch(struct ksm_lists *lists, unsigned int pages,
			     bool alone)
{
	lists->ended = false;
	return alone ? pages : DIV_ROUND_UP(pages, 2);
}

/**
 * ksm_lists_begin - go on with a pass of new, or begin one
 * @lists: the lists
 * @rescanned: rescan is through in this epoch
 *
 * Return: false if there is none in this batch any more.
 */
bool ksm_lists_begin(struct ksm_lists *lists, bool rescanned)
{
	if (lists->started)
		return true;
	if (lists->ended)
		return false;
	lists->started = true;
	lists->counts = rescanned;
	return true;
}

/**
 * ksm_lists_end - a pass of new is over
 * @lists: the lists
 */
void ksm_lists_end(struct ksm_lists *lists)
{
	lists->started = false;
	lists->ended = true;
	if (lists->counts)
		lists->through = true;
}

/**
 * ksm_lists_break - a pass of new has lost its way, and is not over
 * @lists: the lists
 */
void ksm_lists_break(struct ksm_lists *lists)
{
	lists->started = false;
	lists->ended = true;
}

/**
 * ksm_lists_epoch - an epoch begins
 * @lists: the lists
 */
void ksm_lists_epoch(struct ksm_lists *lists)
{
	lists->through = false;
	lists->counts = false;
}
