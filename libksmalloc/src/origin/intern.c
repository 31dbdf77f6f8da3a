/* SPDX-License-Identifier: BSD-2-Clause */
#include "origin/intern.h"

#include "site/lookup.h"
#include "system/meta.h"
#include "segment/stat.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <errno.h>
#include <string.h>

/* Names that may be told apart. */
#define MOST 12288u

#define MOST_BYTES (KSMALLOC_STRINGS_BYTES / 2)

/* In order of time, so that few names take little memory. */
struct name {
	uint64_t hash;
	uint32_t offset;
};

static struct {
	struct name *names;
	uint32_t bytes; /* of all of them */
	struct ksm_lookup name_numbers;
	struct ksm_lookup frames; /* numbers are indices in the segment */
	struct ksm_lookup script_frames;
} table;

int ksm_intern_init(void)
{
	table.names = ksm_meta_alloc(MOST * sizeof(table.names[0]));
	if (!table.names || ksm_lookup_init(&table.name_numbers, MOST) != 0 ||
	    ksm_lookup_init(&table.frames, KSMALLOC_MAX_ORIGIN_FRAMES - 1) != 0 ||
	    ksm_lookup_init(&table.script_frames, KSMALLOC_MAX_SCRIPT_ENTRIES - 1) != 0)
		return -ENOMEM;
	return 0;
}

static uint64_t hash_of_name(uint32_t number)
{
	return table.names[number - 1].hash;
}

static bool is_name(uint32_t number, const void *hash)
{
	return hash_of_name(number) == *(const uint64_t *)hash;
}

uint32_t ksm_intern(const char *text, size_t length)
{
	uint64_t hash = XXH3_64bits(text, length);
	uint32_t number = ksm_lookup_find(&table.name_numbers, hash, is_name, &hash);
	uint32_t offset;

	if (number)
		return table.names[number - 1].offset;
	if (!length || table.name_numbers.count == MOST || length + 1 > MOST_BYTES - table.bytes)
		return 0;
	offset = ksm_stat_add_string(text, length);
	if (!offset)
		return 0;
	table.names[table.name_numbers.count] = (struct name){ .hash = hash, .offset = offset };
	ksm_lookup_add(&table.name_numbers, hash_of_name);
	table.bytes += (uint32_t)length + 1;
	return offset;
}

/* --- frames ---------------------------------------------------------------------------------- */

static uint64_t hash_of_frame(uint32_t number)
{
	return XXH3_64bits(&ksm_stat->frames[number], sizeof(ksm_stat->frames[0]));
}

static bool is_frame(uint32_t number, const void *frame)
{
	return ksm_stat->frames[number] == *(const uint64_t *)frame;
}

uint16_t ksm_intern_frame(uint64_t frame)
{
	uint32_t number = ksm_lookup_find(&table.frames, XXH3_64bits(&frame, sizeof(frame)), is_frame, &frame);

	if (!number && ksm_stat_add_frame(frame) >= 0) {
		ksm_lookup_add(&table.frames, hash_of_frame);
		number = table.frames.count;
	}
	return (uint16_t)number;
}

static uint64_t hash_of_script_frame(uint32_t number)
{
	return XXH3_64bits(&ksm_stat->script_frames[number], sizeof(ksm_stat->script_frames[0]));
}

static bool is_script_frame(uint32_t number, const void *frame)
{
	return memcmp(&ksm_stat->script_frames[number], frame, sizeof(ksm_stat->script_frames[0])) == 0;
}

uint16_t ksm_intern_script_frame(const struct ksmalloc_segment_script_frame *frame)
{
	uint32_t number = ksm_lookup_find(&table.script_frames, XXH3_64bits(frame, sizeof(*frame)), is_script_frame,
					  frame);

	if (!number && ksm_stat_add_script_frame(frame) >= 0) {
		ksm_lookup_add(&table.script_frames, hash_of_script_frame);
		number = table.script_frames.count;
	}
	return (uint16_t)number;
}

/* --- UTF-8 ----------------------------------------------------------------------------------- */

/* Bytes of one character; what is no character is left to who shows it. */
static size_t encode(uint32_t c, char to[4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | (c >> 18 & 7));
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* As many bytes as fit, less those of a character that does not fit as a whole. A name ends with a NUL in it. */
static size_t copy(const struct ksm_text *text, char *to, size_t room)
{
	size_t length = strnlen(text->bytes, ksm_min(text->length, room));
	const uint8_t *bytes = text->bytes;

	if (length == room && length < text->length)
		while (length > 0 && room - length < 4 && (bytes[length] & 0xc0) == 0x80)
			length--;
	memcpy(to, bytes, length);
	return length;
}

static uint32_t character(const struct ksm_text *text, uint32_t index)
{
	uint32_t c = 0;

	switch (text->form) {
	case KSM_TEXT_UCS2:
		memcpy(&c, (const char *)text->bytes + 2 * (size_t)index, 2);
		return c;
	case KSM_TEXT_UCS4:
		memcpy(&c, (const char *)text->bytes + 4 * (size_t)index, 4);
		return c;
	default:
		return ((const uint8_t *)text->bytes)[index];
	}
}

size_t ksm_intern_utf8(const struct ksm_text *text, char *to, size_t room)
{
	static const uint8_t widths[] = { [KSM_TEXT_UTF8] = 1, [KSM_TEXT_LATIN1] = 1, [KSM_TEXT_UCS2] = 2, [KSM_TEXT_UCS4] = 4 };
	uint32_t count = text->length / widths[text->form];
	size_t length = 0;

	if (text->form == KSM_TEXT_UTF8)
		return text->length ? copy(text, to, room) : 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t c = character(text, i);
		char bytes[4];
		size_t more = encode(c, bytes);

		if (!c || more > room - length)
			break;
		memcpy(to + length, bytes, more);
		length += more;
	}
	return length;
}
