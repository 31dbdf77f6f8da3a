/* SPDX-License-Identifier: BSD-2-Clause */
#include "pages/place.h"

#include <stdio.h>

int ksr_place_telling(const struct ksr_diff_place *place)
{
	return place->is_entry ? 3 : place->is_text ? 2 : place->is_time;
}

/* Where it is: in one process, or another one in each. */
static const char *whose(const struct ksr_diff_place *place)
{
	if (place->only[0] && place->only[1])
		return "each in its process only";
	return place->only[0] ? "in the first only" : "in the second only";
}

void ksr_place_text(const struct ksr_diff_place *place, char *text, size_t bytes)
{
	bool both = place->only[0] && place->only[1];
	int which = place->only[0] ? 0 : 1;

	if (!place->is_text)
		snprintf(text, bytes, "%s%s, %s", place->is_time ? "time" : "number",
			 both ? "s" : "", whose(place));
	else if (both)
		snprintf(text, bytes, "texts of %u and %u bytes, %s", place->bytes[0],
			 place->bytes[1], whose(place));
	else if (place->bytes[!which])
		snprintf(text, bytes, "text of %u bytes, %s, against one of %u",
			 place->bytes[which], whose(place), place->bytes[!which]);
	else
		snprintf(text, bytes, "text of %u bytes, %s", place->bytes[which], whose(place));
}
