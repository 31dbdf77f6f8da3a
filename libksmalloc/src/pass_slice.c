/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass_slice.h"

#include "pass_memory.h"
#include "pass_stat.h"
#include "store_mark.h"

#include <errno.h>
#include <string.h>

#define COPIED 16u /* of the pages of a mapping one in so many is to be shared still */

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

static bool has_data(const struct ksm_share_file *file, uint64_t place)
{
	int64_t data = ksm_os_next_data(file->descriptor, place);

	return data >= 0 && (uint64_t)data < place + KSM_SHARE_SLICE;
}

/*
 * Where nearly all pages were written to since, the mapping only keeps the file: it is left. What the program has
 * given rights of its own to is not in view, and stays.
 */
static void leave_if_copied(struct ksm_pass_round *pass, uint32_t index, struct ksm_shared_slice *entry,
			    const struct ksm_pass_view *view, uint32_t layer, uint32_t shared)
{
	uint32_t mapped = ksm_share_count(&view->mapped[layer]);

	if (mapped > 0 && shared * COPIED < mapped &&
	    memcmp(&view->mapped[layer], &entry->layers[layer].mapped, sizeof(view->mapped[layer])) == 0)
		ksm_shared_leave_layer(view->address, entry, layer);
	else
		pass->files.mapped[index] += mapped;
}

/* Shares the slice with one file of the store. anonymous: what may still be shared, of which that is taken off. */
static int share_with(struct ksm_pass_round *pass, uint32_t index, struct ksm_shared_slice *entry,
		      struct ksm_pass_view *view)
{
	struct ksm_share_file file = ksm_store_file(&pass->store, index);
	uint32_t layer = layer_of(entry, view, pass->store.files[index].inode);
	struct ksm_share_slice slice = { .address = view->address, .place = view->place,
					 .introduce = ksm_pass_memory_introduce_shared };
	int error;

	if (layer == KSM_SHARED_LAYERS || !has_data(&file, view->place))
		return 0;
	slice.wanted = view->anonymous;
	slice.mapped = view->mapped[layer];
	slice.may_be_huge = pass->store.huge.is_wanted && !ksm_shared_is_kept_small((void *)view->address, KSM_SHARE_SLICE);
	slice.is_huge = ksm_shared_is_huge(&entry->layers[layer], &view->mapped[layer]);
	entry->layers[layer].inode = pass->store.files[index].inode;
	error = ksm_share_slice(&file, &pass->work, &slice);
	view->mapped[layer] = slice.mapped;
	entry->layers[layer].is_huge = slice.is_huge;
	ksm_shared_add(entry, layer, &slice.mapped);
	/* A slice to which the pass returns was counted before. */
	pass->shared += pass->is_return ? slice.gained : slice.shared;
	if (slice.is_huge && slice.shared == KSM_SHARE_PAGES && (!pass->is_return || slice.gained > 0))
		pass->files.huge[index] += KSM_SHARE_PAGES;
	ksm_pass_stat_shared(&slice);
	leave_if_copied(pass, index, entry, view, layer, slice.shared);
	ksm_share_drop(&view->anonymous, &slice.mapped);
	pass->gained += slice.gained;
	return error;
}

/* Marks what the store has not, and publishes of it what another member has marked, too. */
static int offer(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	struct ksm_share_slice slice = { .address = view->address, .place = view->place, .wanted = view->anonymous };
	const struct ksm_share_file none = { .descriptor = -1 };
	struct ksm_share_set common;
	int error = ksm_share_slice(&none, &pass->work, &slice);

	if (error || ksm_share_count(&slice.alone) < KSM_SHARE_LEAST)
		return error;
	error = ksm_store_mark(&pass->store, &slice, &slice.alone, &common);
	ksm_share_keep_worthy(&pass->work, &slice, &common);
	/* A full table is no failure of the pass, and neither is one that this process may not write to. */
	if (error || ksm_share_count(&common) == 0 || !ksm_store_may_publish(&pass->store))
		return error == -ENOSPC || error == -EFBIG ? 0 : error;
	error = ksm_store_add(&pass->store, &slice, &common);
	if (!error)
		pass->batch[pass->batch_count++] = view->address;
	return error;
}

/* Its files are needed still. */
static void pass_over(struct ksm_pass_round *pass, const struct ksm_shared_slice *entry,
		      const struct ksm_pass_view *view)
{
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		for (uint32_t layer = 0; pass->store.files[i].inode && layer < KSM_SHARED_LAYERS; layer++) {
			if (entry->layers[layer].inode == pass->store.files[i].inode)
				pass->files.mapped[i] += ksm_share_count(&view->mapped[layer]);
		}
	}
}

int ksm_pass_slice_share(struct ksm_pass_round *pass, struct ksm_pass_view *view)
{
	struct ksm_shared_slice *entry;
	struct ksm_share_set allowed;

	/* What has no place in files has never been mapped from one. */
	if (!ksm_pass_memory_place(view->address, &view->place))
		return 0;
	entry = ksm_shared_find(view->address, true);
	ksm_pass_memory_allow(view->address, &allowed);
	ksm_share_keep(&view->anonymous, &allowed);
	if (!entry)
		return -ENOMEM;
	for (uint32_t i = 0; i < KSM_SHARED_LAYERS; i++)
		ksm_share_keep(&view->mapped[i], &entry->layers[i].mapped);
	ksm_pass_stat_looked();
	/* What is shared already must not be given back or replaced under this thread either. */
	if (ksm_pass_memory_holds_stack(view->address)) {
		pass_over(pass, entry, view);
		return 0;
	}
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		int error = pass->store.files[i].inode ? share_with(pass, i, entry, view) : 0;

		if (error)
			return error;
	}
	return pass->is_return ? 0 : offer(pass, view);
}
