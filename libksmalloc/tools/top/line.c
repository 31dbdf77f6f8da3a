/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "names/human.h"

void ksr_top_bytes(uint64_t bytes, char text[KSR_TOP_BYTES_TEXT])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(text, KSR_TOP_BYTES_TEXT, "%u", (unsigned int)bytes);
		return;
	}
	/* 1023.5 would be printed as 1024 of the smaller unit. */
	while (value >= 1023.5 && unit + 2 < sizeof(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(text, KSR_TOP_BYTES_TEXT, "%.*f%c", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
}

/* --- characters ------------------------------------------------------------------------------------- */

/* One character as it is shown. */
struct glyph {
	const char *bytes;
	uint32_t count;
	uint32_t columns;
};

static const struct glyph unknown = {"?", 1, 1};

/* The text was cleaned: a sequence is whole. */
static uint32_t sequence_bytes(unsigned char first)
{
	return first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}

static wchar_t code_point(const char *text, uint32_t bytes)
{
	wchar_t point = (unsigned char)text[0] & (0xff >> (bytes + 1));

	for (uint32_t i = 1; i < bytes; i++)
		point = (wchar_t)(point << 6 | (text[i] & 0x3f));
	return point;
}

/* The next character of a clean text; moves behind it. */
static struct glyph next_glyph(const char **text, bool utf8)
{
	uint32_t bytes = sequence_bytes((unsigned char)**text);
	struct glyph glyph = {*text, bytes, 1};
	int columns;

	*text += bytes;
	if (bytes == 1)
		return glyph;
	if (!utf8)
		return unknown;
	columns = wcwidth(code_point(glyph.bytes, bytes));
	if (columns < 0)
		return unknown;
	glyph.columns = (uint32_t)columns;
	/* What joins its neighbour may be piled up without an end. */
	if (columns == 0)
		glyph.count = 0;
	return glyph;
}

static uint32_t columns_of(const char *clean, bool utf8)
{
	uint32_t columns = 0;

	while (*clean)
		columns += next_glyph(&clean, utf8).columns;
	return columns;
}

uint32_t ksr_top_text_columns(const char *text, bool utf8)
{
	char clean[KSR_TOP_LINE_BYTES];

	snprintf(clean, sizeof(clean), "%s", text);
	ksr_clean_text(clean);
	return columns_of(clean, utf8);
}

/* --- lines -------------------------------------------------------------------------------------------- */

void ksr_top_line_begin(struct ksr_top_line *line, uint32_t width, bool utf8)
{
	line->utf8 = utf8;
	line->chosen = false;
	line->width = (uint32_t)ksm_min(width, KSR_TOP_MOST_WIDTH);
	line->columns = 0;
	line->bytes = 0;
	line->piece_count = 0;
	line->text[0] = '\0';
}

static void put(struct ksr_top_line *line, enum ksr_top_style style, const struct glyph *glyph)
{
	struct ksr_top_piece *piece = line->piece_count ? &line->pieces[line->piece_count - 1] : NULL;

	if (line->columns + glyph->columns > line->width || line->bytes + glyph->count >= KSR_TOP_LINE_BYTES)
		return;
	if (!piece || (piece->style != style && line->piece_count < KSR_TOP_LINE_PIECES)) {
		piece = &line->pieces[line->piece_count++];
		*piece = (struct ksr_top_piece){style, 0};
	}
	memcpy(line->text + line->bytes, glyph->bytes, glyph->count);
	line->bytes += glyph->count;
	line->text[line->bytes] = '\0';
	line->columns += glyph->columns;
	piece->bytes += glyph->count;
}

static void put_blanks(struct ksr_top_line *line, enum ksr_top_style style, uint32_t count)
{
	static const struct glyph blank = {" ", 1, 1};

	while (count--)
		put(line, style, &blank);
}

void ksr_top_line_to(struct ksr_top_line *line, uint32_t column, enum ksr_top_style style)
{
	if (line->columns < column)
		put_blanks(line, style, column - line->columns);
}

/* As much of it as has room; the last column of what was cut says so. */
static void put_text(struct ksr_top_line *line, enum ksr_top_style style, const char *clean, uint32_t columns,
		     uint32_t width)
{
	static const struct glyph dots = {"\u2026", 3, 1};
	static const struct glyph plain_dots = {"~", 1, 1};
	uint32_t room = columns > width ? width - 1 : width;

	while (*clean) {
		struct glyph glyph = next_glyph(&clean, line->utf8);

		if (glyph.columns > room)
			break;
		room -= glyph.columns;
		put(line, style, &glyph);
	}
	if (columns <= width)
		return;
	put(line, style, line->utf8 ? &dots : &plain_dots);
	put_blanks(line, style, room);
}

void ksr_top_line_cell(struct ksr_top_line *line, enum ksr_top_style style, enum ksr_top_align align, uint32_t width,
		       const char *text)
{
	char clean[KSR_TOP_LINE_BYTES];
	uint32_t columns;
	uint32_t rest;

	if (width == 0)
		return;
	snprintf(clean, sizeof(clean), "%s", text);
	ksr_clean_text(clean);
	columns = columns_of(clean, line->utf8);
	rest = columns < width ? width - columns : 0;
	if (align == KSR_TOP_RIGHT)
		put_blanks(line, style, rest);
	put_text(line, style, clean, columns, width);
	if (align == KSR_TOP_LEFT)
		put_blanks(line, style, rest);
}

void ksr_top_line_print(struct ksr_top_line *line, enum ksr_top_style style, const char *format, ...)
{
	char text[KSR_TOP_LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ksr_top_line_cell(line, style, KSR_TOP_NATURAL, line->width - line->columns, text);
}

/* --- history -------------------------------------------------------------------------------------------- */

#define LEVELS 8u

void ksr_top_line_history(struct ksr_top_line *line, enum ksr_top_style style, uint32_t width,
			  const struct ksr_top_history *history)
{
	static const char *const bars[LEVELS] = {
		"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588",
	};
	static const char plain_bars[LEVELS + 1] = "_.-~=+*#";
	uint64_t most = 0;
	uint64_t value;

	for (uint32_t i = 0; i < width; i++) {
		if (ksr_top_history_get(history, i, &value))
			most = ksm_max(most, value);
	}
	for (uint32_t i = width; i-- > 0;) {
		struct glyph glyph = {" ", 1, 1};
		size_t level;

		if (ksr_top_history_get(history, i, &value)) {
			/* The lowest is for nothing alone. */
			level = value ? 1 + (size_t)((double)value / (double)most * (LEVELS - 2) + 0.5) : 0;
			level = ksm_min(level, LEVELS - 1);
			glyph = line->utf8 ? (struct glyph){bars[level], 3, 1} : (struct glyph){&plain_bars[level], 1, 1};
		}
		put(line, style, &glyph);
	}
}
