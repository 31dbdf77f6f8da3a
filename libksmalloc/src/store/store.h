/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: the memory files that the processes of a group have in common, and the table by which they find each other.
 *
 * What it is: a file beside the group's seed, with three tables. *Marks* (store/mark.h): which content which member had at
 * which place, so that only pages are published that a second member has, too. *Files*: the store's, with members that
 * have each of them open, of whom others get it through /proc/PID/fd. And a *lease*: one member publishes at a time.
 * What it is not: trusted. Another member may have written anything there, be broken, or have gone. A page is shared
 * only after it was compared, and from a file that was checked (ksm_share_check()); what the table says wrongly costs
 * time, or pages that nobody maps.
 *
 * The table is read and written by system calls, each time through its path: it may be cut short at any moment, and the
 * program may close all descriptors. Those of the store's files, which have to stay open, are looked at each time.
 *
 * Invariants: between ksm_store_enter() and ksm_store_leave() the descriptors of files are what they should be. A forked
 * child enters as a member of its own.
 * Locking: one thread at a time; flock(2) on the table between processes, waited for less than a millisecond or, before
 * something is published, for a few.
 * Failure: -errno; nothing is published or found then.
 */
#ifndef KSM_STORE_H
#define KSM_STORE_H

#include "store/table.h"

/* The path of the table: beside the seed of this path, by its name; false if that is too long. */
bool ksm_store_name(struct ksm_store *store, const char *seed);

#define KSM_STORE_ROOM_MS 200u /* so long it is believed how much memory there is */

/* Prepares a store whose first four members are set. 0 or -ENOMEM. */
int ksm_store_init(struct ksm_store *store);

/*
 * Opens the table, makes it unless it is there, and opens the files that are new in it. -ESTALE: members of another layout
 * have it now, since the group's seed was renewed. It is theirs: who was in it before does not empty it again.
 */
int ksm_store_enter(struct ksm_store *store);

/*
 * Closes all files if the process has become another user's since they were opened, and cannot go back: they are none of that
 * user's, nobody would ever close them, and through them it could read what the group has. Who is another user for a moment,
 * as servers are for a request, keeps them. Not while entered, and not in a child that has its parent's memory.
 */
void ksm_store_heed_user(struct ksm_store *store);
void ksm_store_leave(struct ksm_store *store);

/* A number that changes with the files of the store. Only while entered. */
uint64_t ksm_store_generation(const struct ksm_store *store);

/* The number of requests for a pass that were made so far. Only while entered. */
uint64_t ksm_store_requests(const struct ksm_store *store);

/* True if either is another one now. Not while entered. */
bool ksm_store_is_changed(const struct ksm_store *store, uint64_t generation, uint64_t requests);

/* One of the files; its descriptor is negative if there is none at this index. */
struct ksm_share_file ksm_store_file(struct ksm_store *store, uint32_t index);

/*
 * Closes a file of which this process maps no page, so that it goes when all have done so. It is not opened again before
 * ksm_store_want_all(), which opens all such files. Only while entered.
 */
void ksm_store_let_go(struct ksm_store *store, uint32_t index);
void ksm_store_want_all(struct ksm_store *store);

/*
 * True if this member may publish now; it may for some seconds. Not one whose files may not become long enough. Or what it
 * carries over from a file that was given up: for that there is room where there is none for what is new.
 */
bool ksm_store_may_publish(struct ksm_store *store);
bool ksm_store_may_carry_over(struct ksm_store *store);

/*
 * Before so many bytes of memory are taken besides: true if there is enough for them and for what the program may need
 * next. The kernel would end a process that has come to a limit (os.h), and not refuse it memory.
 */
bool ksm_store_take_room(struct ksm_store *store, uint64_t bytes);

/*
 * The same for what is seen of a file that was given up. All who hold the file leave it in the same moments, and none of them knows what
 * the others take: so many times as much is taken as there are holders. Few pages are taken where there is less: as long as they are not,
 * the file takes the memory of all of it; then there has to be enough for what is taken besides, for a moment.
 */
bool ksm_store_take_room_to_leave(struct ksm_store *store, uint64_t bytes, uint64_t besides, uint32_t holders);

/* Living holders of a file, this process for one; as many as a record has, where the table does not tell: the file is not open here. */
uint32_t ksm_store_holders(const struct ksm_store *store, uint32_t index);

/*
 * Looks how much there is, unless that was done a moment ago, or nothing was to be taken in this pass and the one before: several files
 * are read for it. ksm_store_enter() does so, and of what follows, of which the time is counted, only what is the first to take
 * something. What is taken and published is subtracted from what was found.
 */
void ksm_store_look_at_room(struct ksm_store *store);

/* The same, also if it was done a moment ago: what was taken has come back. */
void ksm_store_look_at_room_anew(struct ksm_store *store);

/* A pass begins, after the store was entered: nothing lacks room, and nothing was to be taken so far. */
void ksm_store_begin_pass(struct ksm_store *store);

/*
 * True if something was not published in this pass for want of memory, be it that a file would be so small that the table has no place for
 * it, and there was no more when that was looked at last.
 */
bool ksm_store_lacks_room(const struct ksm_store *store);

/* True if the table has places for many files more, also for small ones. */
bool ksm_store_has_places(const struct ksm_store *store);

/* True if the file that is published next has as many pages as there is memory for. */
bool ksm_store_is_full(const struct ksm_store *store);

/* Adds pages of the slice to the file that is published next. */
int ksm_store_add(struct ksm_store *store, const struct ksm_share_slice *slice, const struct ksm_share_set *pages);

/* Publishes it; the index of the file, or -errno: it is given up then, as by ksm_store_give_up(): others may publish. */
int ksm_store_publish(struct ksm_store *store);
void ksm_store_give_up(struct ksm_store *store);

#endif
