/* SPDX-License-Identifier: BSD-2-Clause */
#include "language/python_line.h"

/* A line that was summed up from hostile differences may be none. */
static uint32_t as_line(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

/* Pairs: bytes of code up to where the line changes, and by how much. */
uint32_t ksm_python_line_39(const uint8_t *table, size_t length, uint32_t first, uint32_t offset)
{
	int64_t line = first;
	uint64_t at = 0;

	for (size_t i = 0; i + 1 < length; i += 2) {
		at += table[i];
		if (at > offset)
			break;
		line += (int8_t)table[i + 1];
	}
	return as_line(line);
}

/* Pairs: bytes of code that have a line, and its difference to the one before; -128: they have none. */
uint32_t ksm_python_line_310(const uint8_t *table, size_t length, uint32_t first, uint32_t offset)
{
	int64_t line = first;
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < length; i += 2) {
		bool has_line = table[i + 1] != 0x80;

		end += table[i];
		if (has_line)
			line += (int8_t)table[i + 1];
		if (offset < end)
			return has_line ? as_line(line) : 0;
	}
	return 0;
}

/* A number in groups of 6 bits, the lowest first; bit 6 says that another one follows. The lowest bit is its sign. */
static int64_t read_signed(const uint8_t *table, size_t length, size_t at)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; at < length && shift < 36; shift += 6, at++) {
		value |= (uint64_t)(table[at] & 0x3f) << shift;
		if (!(table[at] & 0x40))
			break;
	}
	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/*
 * Entries that begin with a byte whose highest bit is set: kind in bits 3 to 6, and units of code less one in bits 0 to
 * 2. What follows are columns, but for kinds with a number that says how the line changes.
 */
uint32_t ksm_python_line_311(const uint8_t *table, size_t length, uint32_t first, uint32_t offset)
{
	enum { ONE_LINE = 10, NO_COLUMNS = 13, LONG = 14, NONE = 15 };
	int64_t line = first;
	uint64_t end = 0;

	for (size_t at = 0; at < length;) {
		unsigned int kind = table[at] >> 3 & 15;

		end += 2 * ((table[at] & 7u) + 1);
		if (kind == LONG || kind == NO_COLUMNS)
			line += read_signed(table, length, at + 1);
		else if (kind >= ONE_LINE && kind < NO_COLUMNS)
			line += kind - ONE_LINE;
		if (offset < end)
			return kind == NONE ? 0 : as_line(line);
		for (at++; at < length && !(table[at] & 0x80);)
			at++;
	}
	return 0;
}
