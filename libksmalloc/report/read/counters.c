/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of numbers whose first row names the columns. More columns may come at
 * the end, and what stands in them is not looked at.
 */
#define _GNU_SOURCE
#include "read/counters.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/grow.h"

/* Fields of a row that are looked at; kernels may add many before this is too few. */
#define MOST_FIELDS 64
#define NO_COLUMN SIZE_MAX

/*
 * The kernel subtracts counters that it reads while they change: what is less than zero for that
 * moment reads as a huge number.
 */
#define MOST_PAGES (UINT64_C(1) << 51)

struct column_rule {
	const char *name;
	size_t offset;
};

#define RULE(member, name) {name, offsetof(struct ksr_counters, member)},

static const struct column_rule rules[] = {KSR_COUNTER_COLUMNS(RULE)};

#define RULE_COUNT KSM_COUNT_OF(rules)

static uint64_t *member_of(struct ksr_counters *row, size_t rule)
{
	return (uint64_t *)(void *)((char *)row + rules[rule].offset);
}

/* The next word of a line; false at its end. */
static bool next_word(const char **at, const char *end, const char **word, size_t *bytes)
{
	while (*at < end && isspace((unsigned char)**at))
		(*at)++;
	*word = *at;
	while (*at < end && !isspace((unsigned char)**at))
		(*at)++;
	*bytes = (size_t)(*at - *word);
	return *bytes != 0;
}

static bool parse_number(const char *word, size_t bytes, uint64_t *value)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < bytes; i++) {
		unsigned int digit = (unsigned int)(word[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	*value = sum;
	return true;
}

static size_t rule_of(const char *word, size_t bytes)
{
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (strlen(rules[i].name) == bytes && memcmp(rules[i].name, word, bytes) == 0)
			return i;
	}
	return NO_COLUMN;
}

/* What stands in each field; the three columns that everything is built on must be there. */
static bool parse_head(const char *line, size_t bytes, size_t fields[MOST_FIELDS])
{
	const char *end = line + bytes;
	uint64_t seen = 0;
	const char *word;
	size_t length;

	for (size_t i = 0; i < MOST_FIELDS; i++) {
		fields[i] = NO_COLUMN;
		if (!next_word(&line, end, &word, &length))
			continue;
		fields[i] = rule_of(word, length);
		if (fields[i] == NO_COLUMN)
			continue;
		if (seen >> fields[i] & 1)
			return false;
		seen |= UINT64_C(1) << fields[i];
	}
	for (size_t i = 0; i < RULE_COUNT; i++) {
		bool needed = i == rule_of("site", 4) || i == rule_of("merged", 6) ||
			      i == rule_of("saved_pages", 11);

		if (needed && !(seen >> i & 1))
			return false;
	}
	return true;
}

static bool parse_row(const char *line, size_t bytes, const size_t fields[MOST_FIELDS],
		      struct ksr_counters *row)
{
	const char *end = line + bytes;
	uint64_t *value;
	const char *word;
	size_t length;

	memset(row, 0xff, sizeof(*row));
	for (size_t i = 0; i < MOST_FIELDS; i++) {
		bool some = next_word(&line, end, &word, &length);

		if (fields[i] == NO_COLUMN)
			continue;
		value = member_of(row, fields[i]);
		if (!some || !parse_number(word, length, value))
			return false;
		if (value != &row->site && *value > MOST_PAGES)
			*value = 0;
	}
	row->saved = ksm_min(row->saved, row->merged);
	return row->site <= KSMALLOC_HINT_SITE_MASK;
}

static int compare_rows(const void *left, const void *right)
{
	const struct ksr_counters *a = left;
	const struct ksr_counters *b = right;

	return a->site < b->site ? -1 : a->site > b->site;
}

static bool has_twice(const struct ksr_counter_table *table)
{
	for (size_t i = 1; i < table->count; i++) {
		if (table->rows[i].site == table->rows[i - 1].site)
			return true;
	}
	return false;
}

static struct ksr_counters *append(struct ksr_counter_table *table, size_t *room)
{
	struct ksr_counters *larger = ksr_grow(table->rows, table->count, room, sizeof(*larger));

	if (!larger)
		return NULL;
	table->rows = larger;
	return &table->rows[table->count++];
}

int ksr_counters_parse(const struct ksr_text *text, struct ksr_counter_table *table)
{
	size_t fields[MOST_FIELDS];
	size_t position = 0;
	size_t room = 0;
	int error = 0;
	const char *line;
	size_t bytes;

	*table = (struct ksr_counter_table){0};
	if (!ksr_text_line(text, &position, &line, &bytes))
		return -ENODATA;
	if (!parse_head(line, bytes, fields))
		return -EINVAL;
	while (!error && ksr_text_line(text, &position, &line, &bytes)) {
		struct ksr_counters *row = append(table, &room);

		if (!row)
			error = -ENOMEM;
		else if (!parse_row(line, bytes, fields, row))
			error = -EINVAL;
	}
	if (!error && table->count == 0)
		error = -EINVAL;
	if (!error) {
		qsort(table->rows, table->count, sizeof(*table->rows), compare_rows);
		error = has_twice(table) ? -EINVAL : 0;
	}
	if (error)
		ksr_counters_free(table);
	return error;
}

int ksr_counters_read(const struct ksr_fs *fs, pid_t pid, struct ksr_counter_table *table)
{
	struct ksr_text text;
	int error = ksr_fs_read(fs, &text, "proc/%d/ksm_sites", (int)pid);

	*table = (struct ksr_counter_table){0};
	if (error)
		return error;
	error = ksr_counters_parse(&text, table);
	ksr_text_free(&text);
	return error;
}

void ksr_counters_free(struct ksr_counter_table *table)
{
	free(table->rows);
	*table = (struct ksr_counter_table){0};
}

const struct ksr_counters *ksr_counters_find(const struct ksr_counter_table *table, uint64_t site)
{
	const struct ksr_counters key = {.site = site};

	if (table->count == 0)
		return NULL;
	return bsearch(&key, table->rows, table->count, sizeof(key), compare_rows);
}
