/* SPDX-License-Identifier: BSD-2-Clause */
/* Saved reports: whatever is in the file, a picture that was read can be sorted, walked and forgotten. */
#include <stdint.h>
#include <stdlib.h>

#include "show/saved.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ksr_picture picture;
	char why[KSR_SAVED_WHY];
	int error = ksr_saved_parse((const char *)data, size, &picture, why);

	for (uint32_t i = 0; !error && i < picture.origin_count; i++) {
		const struct ksr_picture_origin *origin = &picture.origins[i];

		if (origin->group >= picture.group_count || origin->shown > origin->frames)
			abort();
		for (uint32_t depth = 0; depth < origin->frames; depth++) {
			const struct ksr_picture_frame *frame = ksr_picture_frame_at(&picture, origin, depth);

			if (frame->function >= picture.texts.count || frame->language >= picture.texts.count)
				abort();
		}
	}
	ksr_picture_fini(&picture);
	return 0;
}
