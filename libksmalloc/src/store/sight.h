/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sight: how much of each file of the store its members see, and which files are given up for that.
 *
 * What it is: a file's memory is there as long as anybody maps a page of it. So members note in the table how many pages of
 * each file they see: map, and have not copied by a write. A file of which little is seen is given up, by a word in the table:
 * members put what they still want of it into a newer file, or take it back as their own, and let go of it.
 * What it is not: the way in which they do so (pass/files.h); or exact. Pages that different members see are taken for the
 * same ones, and only the members that the record has room for are heard.
 *
 * What is given up has to pay: what nobody sees is a part of what is seen, and who saw most has lost a part of it since,
 * by writes, or the file has got as much for holes that were written to. So what is copied stays in proportion to what
 * the program has written, also where members see different pages. That part is an eighth. Where members have come to
 * rest, or somebody has asked for a pass, it is a sixty-fourth, also of what was copied and is alike in several members,
 * and no more than a quarter of all files is given up at a time; and only as long as all such files together would gain a
 * part of the whole store: files are in order then, and members that write now and then stay so. Members that cannot but
 * write over holes when they map a file (store/share_fill.h) say so, and what that may have come to is no reason: the
 * next file would be no better. All that the table says may be a lie, and makes members copy, or keep, what they need
 * not. They copy nothing of which they see nearly all.
 *
 * Locking: as the store. Failure: -errno; nothing was noted.
 */
#ifndef KSM_STORE_SIGHT_H
#define KSM_STORE_SIGHT_H

#include "store/table.h"

#define KSM_STORE_NOT_SEEN UINT32_MAX

/*
 * At the end of a pass: notes how many pages of each file this process sees, or KSM_STORE_NOT_SEEN where that is not known,
 * and gives up what is not worth its memory any more. alike: NULL, or, of a member that rests, how many pages of each file it
 * has copied that another member has alike; then files are given up that are hardly worth the work. The number of files that
 * were, or -errno. Only while entered, and as what follows.
 */
int ksm_store_note_seen(struct ksm_store *store, const uint32_t pages[KSM_STORE_FILES], const uint32_t *alike);

/* True if the file was given up. pages: what this process sees of it; nothing is that it sees nearly all of. */
bool ksm_store_is_given_up(const struct ksm_store *store, uint32_t index, uint32_t pages);

/* True if the first file was published after the second one was given up. */
bool ksm_store_is_newer(const struct ksm_store *store, uint32_t index, uint32_t than);

/* True if another member sees pages of the file, as far as the table knows. */
bool ksm_store_is_seen_by_others(const struct ksm_store *store, uint32_t index);

#endif
