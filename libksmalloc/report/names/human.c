/* SPDX-License-Identifier: BSD-2-Clause */
#include "names/human.h"

#include <inttypes.h>
#include <stdio.h>

/* Length of the valid UTF-8 sequence at text, 0 if there is none or it is a control character. */
static size_t sequence_bytes(const unsigned char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t point;
	size_t bytes;

	if (text[0] < 0x80)
		return text[0] >= 0x20 && text[0] != 0x7f;
	bytes = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 0;
	if (bytes == 0 || text[0] > 0xf4)
		return 0;
	point = text[0] & (0xffu >> (bytes + 1));
	for (size_t i = 1; i < bytes; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	/* C1 controls, directional marks and overrides, separators and what has no width change what a terminal shows. */
	if (point < least[bytes] || point < 0xa0 || (point >= 0xd800 && point < 0xe000) ||
	    point == 0x61c || point == 0xfeff || (point >= 0x200b && point <= 0x200f) ||
	    (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) ||
	    point > 0x10ffff)
		return 0;
	return bytes;
}

void ksr_clean_text(char *text)
{
	while (*text) {
		size_t bytes = sequence_bytes((const unsigned char *)text);

		if (bytes == 0) {
			*text = '?';
			bytes = 1;
		}
		text += bytes;
	}
}

void ksr_human_bytes(uint64_t bytes, char text[KSR_HUMAN_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	/* 1023.95 and more would be printed as 1024.0 of the smaller unit. */
	while (value >= 1023.95 && unit + 1 < KSM_COUNT_OF(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(text, KSR_HUMAN_BYTES, "%.*f %s", unit ? 1 : 0, value, units[unit]);
}

void ksr_human_seconds(uint64_t seconds, char text[KSR_TIME_BYTES])
{
	if (seconds < 120)
		snprintf(text, KSR_TIME_BYTES, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		snprintf(text, KSR_TIME_BYTES, "%" PRIu64 " min", (seconds + 30) / 60);
	else
		snprintf(text, KSR_TIME_BYTES, "%" PRIu64 " h", ksm_min((seconds + 1800) / 3600, UINT64_C(999999)));
}
