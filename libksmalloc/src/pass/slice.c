/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass/slice.h"

#include "store/apart.h"
#include "pass/memory.h"
#include "pass/stat.h"
#include "store/mark.h"

#include <errno.h>
#include <string.h>

#define MOST_MOVED 64u /* slices in a pass, out of files that were given up */
#define COPIED	   16u /* of the pages of a mapping one in so many is to be shared still */

/* The layer of the slice that has pages of the file, or can have some; KSM_SHARED_LAYERS if none. */
static uint32_t layer_of(const struct ksm_shared_slice *entry, const struct ksm_pass_view *view, uint64_t inode)
{
	uint32_t found = KSM_SHARED_LAYERS;

	for (uint32_t i = 0; i < KSM_SHARED_LAYERS; i++) {
		if (entry->layers[i].inode == inode)
			return i;
		if (found == KSM_SHARED_LAYERS && ksm_share_count(&view->mapped[i]) == 0)
			found = i;
	}
	return found;
}

/* What the program has given rights of its own to is not in view. */
static bool is_all_in_view(const struct ksm_shared_slice *entry, const struct ksm_pass_view *view, uint32_t layer)
{
	return memcmp(&view->mapped[layer], &entry->layers[layer].mapped, sizeof(view->mapped[layer])) == 0;
}

/* A slice to which the pass returns was counted before. */
static uint32_t newly_shared(struct ksm_pass_round *pass, const struct ksm_share_slice *slice)
{
	return pass->is_return ? slice->gained : slice->shared;
}

/* Where nearly all pages were written to since, the mapping only keeps the file: it is left, if all of it may be. */
static void leave_if_copied(struct ksm_pass_round *pass, uint32_t index, struct ksm_shared_slice *entry,
			    const struct ksm_pass_view *view, uint32_t layer, const struct ksm_share_slice *slice)
{
	uint32_t mapped = ksm_share_count(&view->mapped[layer]);

	if (mapped > 0 && slice->shared * COPIED < mapped && is_all_in_view(entry, view, layer))
		ksm_shared_leave_layer(view->address, entry, layer, &view->read_only);
	else
		ksm_pass_files_count(&pass->files, &pass->store, index, mapped, newly_shared(pass, slice));
}

static struct ksm_share_slice begin_slice(const struct ksm_pass_view *view)
{
	return (struct ksm_share_slice){
		.address = view->address,
		.place = view->place,
		.of_file = view->of_file,
		.read_only = view->read_only,
		.begins = view->begins,
		.ends = view->ends,
		.introduce = ksm_pass_memory_introduce_shared,
	};
}

/* Shares the slice with one file of the store. anonymous: what may still be shared, of which that is taken off. */
static int share_with(struct ksm_pass_round *pass, uint32_t index, struct ksm_shared_slice *entry,
		      struct ksm_pass_view *view)
{
	struct ksm_share_file file = ksm_store_file(&pass->store, index);
	uint32_t layer = layer_of(entry, view, pass->store.files[index].inode);
	struct ksm_share_slice slice = begin_slice(view);
	bool is_going = ksm_pass_files_is_going(&pass->files, &pass->store, index);
	int error;

	if (layer == KSM_SHARED_LAYERS || !ksm_share_has_data(&file, view->place) ||
	    (is_going && ksm_share_count(&view->mapped[layer]) == 0))
		return 0;
	if (!is_going)
		slice.wanted = view->anonymous;
	slice.mapped = view->mapped[layer];
	slice.may_be_huge = pass->store.huge.is_wanted && !ksm_apart_is_kept_small((void *)view->address, KSM_SHARE_SLICE);
	slice.is_huge = ksm_shared_is_huge(&entry->layers[layer], &view->mapped[layer]);
	entry->layers[layer].inode = pass->store.files[index].inode;
	error = ksm_share_slice(&file, &pass->work, &slice);
	pass->store.has_written |= slice.has_written;
	view->mapped[layer] = slice.mapped;
	entry->layers[layer].is_huge = slice.is_huge;
	ksm_shared_add(entry, layer, &slice.mapped);
	ksm_share_unite(&view->copied, &slice.copied);
	pass->shared += newly_shared(pass, &slice);
	ksm_pass_stat_shared(&slice);
	leave_if_copied(pass, index, entry, view, layer, &slice);
	if (slice.is_huge && slice.shared == KSM_SHARE_PAGES && (!pass->is_return || slice.gained > 0))
		pass->files.huge[index] += KSM_SHARE_PAGES;
	ksm_share_drop(&view->anonymous, &slice.mapped);
	pass->gained += slice.gained;
	return error;
}

static void add_to_batch(struct ksm_pass_round *pass, uintptr_t slice)
{
	if (pass->batch_count == 0 || pass->batch[pass->batch_count - 1] != slice)
		pass->batch[pass->batch_count++] = slice;
}

/* Takes what the slice maps of a file as the process's own; false without memory. allowed: pages that may be shared. */
static bool leave(struct ksm_shared_slice *entry, struct ksm_pass_view *view, uint32_t layer,
		  const struct ksm_share_set *allowed)
{
	struct ksm_share_set left = view->mapped[layer];

	ksm_shared_leave_layer(view->address, entry, layer, &view->read_only);
	ksm_share_keep(&view->mapped[layer], &entry->layers[layer].mapped);
	ksm_share_drop(&left, &view->mapped[layer]);
	ksm_share_keep(&left, allowed);
	ksm_share_unite(&view->anonymous, &left);
	return ksm_share_count(&view->mapped[layer]) == 0;
}

static void carry_over(struct ksm_pass_round *pass, struct ksm_pass_view *view, const struct ksm_pass_layer *found)
{
	if (!ksm_store_may_carry_over(&pass->store))
		return;
	ksm_share_unite(&view->going, &found->mapped);
	ksm_share_unite(&view->carried, &found->wanted);
	pass->carries_over = true;
	pass->moved++;
}

/* What becomes of pages of a file that was given up: what is left is shared with newer files, or marked, next. */
static int move(struct ksm_pass_round *pass, struct ksm_shared_slice *entry, struct ksm_pass_view *view, uint32_t layer,
		const struct ksm_share_set *allowed)
{
	struct ksm_pass_layer found = {
		.address = view->address,
		.place = view->place,
		.inode = entry->layers[layer].inode,
		.mapped = view->mapped[layer],
	};
	int error;

	if (ksm_share_count(&found.mapped) == 0 || !is_all_in_view(entry, view, layer) ||
	    (!pass->is_return && pass->moved >= MOST_MOVED))
		return 0;
	error = ksm_pass_files_decide(&pass->files, &pass->store, &pass->work, &found);
	if (error || found.fate == KSM_PASS_STAYS)
		return error;
	if (found.fate == KSM_PASS_IS_CARRIED_OVER && !pass->takes_back) {
		if (!pass->is_return)
			carry_over(pass, view, &found);
		return 0;
	}
	if (!ksm_pass_files_take_room(&pass->store, &found) || !leave(entry, view, layer, allowed))
		return 0;
	pass->moved++;
	if (pass->is_return) {
		ksm_pass_files_count_left(&pass->files, &found);
		pass->shared -= ksm_min(pass->shared, found.seen);
	}
	return 0;
}

/* Too few pages for a mapping are not marked, however many have them. */
static bool may_be_worth_it(struct ksm_pass_round *pass, const struct ksm_share_slice *slice)
{
	struct ksm_share_set pages = slice->alone;

	if (ksm_share_count(&pages) >= KSM_SHARE_LEAST)
		return true;
	ksm_share_keep_worthy(&pass->work, slice, &pages);
	return ksm_share_count(&pages) > 0;
}

/*
 * Marks what the store has not; common: what another member has marked, too. What was copied by writes is marked before its
 * file is given up, so that it can go into the next one with what is carried over.
 */
static int mark(struct ksm_pass_round *pass, const struct ksm_pass_view *view, struct ksm_share_slice *slice,
		struct ksm_share_set *common)
{
	const struct ksm_share_file none = { .descriptor = -1 };
	int error;

	memset(common, 0, sizeof(*common));
	slice->wanted = view->anonymous;
	ksm_share_unite(&slice->wanted, &view->copied);
	error = ksm_share_slice(&none, &pass->work, slice);
	slice->wanted = view->anonymous;
	if (error || !may_be_worth_it(pass, slice))
		return error;
	error = ksm_store_mark(&pass->store, slice, &slice->alone, common);
	/* A full table is no failure of the pass, and neither is one that this process may not write to. */
	return error == -ENOSPC || error == -EFBIG ? 0 : error;
}

/* What was copied and is alike in another member is the reason to give a file up (store/sight.h). */
static void count_alike(struct ksm_pass_round *pass, const struct ksm_pass_view *view, const struct ksm_share_set *common)
{
	const struct ksm_shared_slice *entry = ksm_shared_find(view->address, false);

	for (uint32_t layer = 0; entry && layer < KSM_SHARED_LAYERS; layer++) {
		struct ksm_share_set alike = *common;

		ksm_share_keep(&alike, &view->copied);
		ksm_share_keep(&alike, &view->mapped[layer]);
		ksm_pass_files_count_alike(&pass->files, entry->layers[layer].inode, ksm_share_count(&alike));
	}
}

/*
 * True if the slice can map one file more. If not, what it would share of that is a reason to give up the file of which it maps the
 * fewest pages, and nothing is published that it could not map.
 */
static bool has_room(struct ksm_pass_round *pass, const struct ksm_pass_view *view, uint32_t pages)
{
	const struct ksm_shared_slice *entry = ksm_shared_find(view->address, false);
	uint32_t least = 0, fewest = UINT32_MAX;

	for (uint32_t layer = 0; entry && layer < KSM_SHARED_LAYERS; layer++) {
		struct ksm_share_set stays = view->mapped[layer];

		ksm_share_drop(&stays, &view->going);
		if (ksm_share_count(&stays) == 0)
			return true;
		if (ksm_share_count(&stays) < fewest) {
			fewest = ksm_share_count(&stays);
			least = layer;
		}
	}
	if (entry)
		ksm_pass_files_count_alike(&pass->files, entry->layers[least].inode, pages);
	return !entry;
}

/* Publishes what another member has, too, and what is carried over with what was written between it. */
static int offer(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	struct ksm_share_slice slice = begin_slice(view);
	struct ksm_share_set common, moved, pages;
	int error = mark(pass, view, &slice, &common);

	if (!error)
		count_alike(pass, view, &common);
	moved = common;
	ksm_share_keep(&moved, &view->going);
	ksm_share_unite(&moved, &view->carried);
	pages = common;
	ksm_share_drop(&pages, &view->copied);
	/* What would lie between pages that are moved is mapped with these, and has to be the file's, too. */
	ksm_share_unite(&pages, &moved);
	ksm_share_unite(&slice.wanted, &view->going);
	ksm_share_keep_worthy(&pass->work, &slice, &pages);
	ksm_share_drop(&pages, &moved);
	if (error || (ksm_share_count(&pages) > 0 &&
		      (!has_room(pass, view, ksm_share_count(&pages)) || !ksm_store_may_publish(&pass->store))))
		memset(&pages, 0, sizeof(pages));
	ksm_share_unite(&pages, &moved);
	if (error || ksm_share_count(&pages) == 0)
		return error;
	error = ksm_store_add(&pass->store, &slice, &pages);
	if (!error)
		add_to_batch(pass, view->address);
	return error;
}

/* Its files are needed still. */
static void pass_over(struct ksm_pass_round *pass, const struct ksm_shared_slice *entry,
		      const struct ksm_pass_view *view)
{
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		for (uint32_t layer = 0; pass->store.files[i].inode && layer < KSM_SHARED_LAYERS; layer++) {
			uint32_t pages = ksm_share_count(&view->mapped[layer]);

			if (entry->layers[layer].inode == pass->store.files[i].inode)
				ksm_pass_files_count(&pass->files, &pass->store, i, pages, pages);
		}
	}
}

int ksm_pass_slice_share(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	struct ksm_shared_slice *entry;
	struct ksm_share_set allowed, touched;
	bool has_any;

	/* What has no place in files has never been mapped from one. */
	if (!ksm_pass_memory_place(view->address, &view->place))
		return 0;
	ksm_pass_memory_allow(view->address, &allowed);
	ksm_share_keep(&view->anonymous, &allowed);
	has_any = ksm_share_count(&view->anonymous) > 0;
	entry = ksm_shared_find(view->address, has_any);
	if (!entry)
		return has_any ? -ENOMEM : 0;
	touched = allowed;
	for (uint32_t i = 0; i < KSM_SHARED_LAYERS; i++) {
		ksm_share_keep(&view->mapped[i], &entry->layers[i].mapped);
		/* What is shared already must not be given back or replaced under this thread either. */
		ksm_share_unite(&touched, &entry->layers[i].mapped);
	}
	ksm_pass_stat_looked();
	if (ksm_pass_memory_holds_stack(view->address, &touched)) {
		pass_over(pass, entry, view);
		return 0;
	}
	for (uint32_t layer = 0; layer < KSM_SHARED_LAYERS; layer++) {
		int error = move(pass, entry, view, layer, &allowed);

		if (error)
			return error;
	}
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		int error = pass->store.files[i].inode ? share_with(pass, i, entry, view) : 0;

		if (error)
			return error;
	}
	return pass->is_return ? 0 : offer(pass, view);
}
