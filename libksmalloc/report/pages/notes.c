/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "pages/notes.h"

#include <stdlib.h>
#include <string.h>

#include "read/grow.h"

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

	if (notes->count == KSR_NOTES_MOST)
		thin(notes);
	larger = ksr_grow(notes->list, notes->count, &notes->room, sizeof(*larger));
	if (larger)
		notes->list = larger;
	return larger;
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
