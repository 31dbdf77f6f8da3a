/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "pages/notes.h"

#include <stdlib.h>
#include <string.h>

/* Keeps every second one. */
static void thin(struct ksr_notes *notes)
{
	size_t kept = 0;

	for (size_t i = 0; i < notes->count; i += 2)
		notes->list[kept++] = notes->list[i];
	notes->count = kept;
	notes->every = ksm_max(notes->every, UINT64_C(1)) * 2;
}

static bool has_room(struct ksr_notes *notes)
{
	struct ksr_note *larger;
	size_t room = notes->room ? 2 * notes->room : 4096;

	if (notes->count < notes->room)
		return true;
	if (notes->count == KSR_NOTES_MOST) {
		thin(notes);
		return true;
	}
	larger = reallocarray(notes->list, room, sizeof(*larger));
	if (!larger)
		return false;
	notes->list = larger;
	notes->room = room;
	return true;
}

void ksr_notes_add(struct ksr_notes *notes, uint32_t row, uint64_t address, enum ksr_page_class class)
{
	if (!notes || (notes->every > 1 && notes->seen++ % notes->every) || !has_room(notes))
		return;
	notes->list[notes->count++] = (struct ksr_note){address, row, class};
}

void ksr_notes_free(struct ksr_notes *notes)
{
	free(notes->list);
	memset(notes, 0, sizeof(*notes));
}
