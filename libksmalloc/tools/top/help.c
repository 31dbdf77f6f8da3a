/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/help.h"

#include "top/columns.h"
#include "top/keys.h"
#include "top/sample.h"

#define NAME_WIDTH 11

/* Two heads, with a blank line before the second. */
static size_t line_count(void)
{
	return 1 + ksr_top_key_count + 3 + KSR_TOP_COLUMN_COUNT;
}

static void print_pair(struct ksr_top_line *line, const char *name, const char *text)
{
	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "  ");
	ksr_top_line_cell(line, KSR_TOP_BOLD, KSR_TOP_LEFT, NAME_WIDTH, name);
	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "%s", text);
}

static void print_column(struct ksr_top_line *line, const struct ksr_top_column_rule *column)
{
	char letter[2] = {column->letter, '\0'};

	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "  ");
	ksr_top_line_cell(line, KSR_TOP_BOLD, KSR_TOP_LEFT, 3, letter);
	ksr_top_line_cell(line, KSR_TOP_PLAIN_TEXT, KSR_TOP_LEFT, NAME_WIDTH - 3 + 1, column->head);
	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "%s", column->help);
}

static void print_line(size_t number, struct ksr_top_line *line)
{
	if (number == 0) {
		ksr_top_line_print(line, KSR_TOP_HEAD, "Keys");
		return;
	}
	number -= 1;
	if (number < ksr_top_key_count) {
		print_pair(line, ksr_top_keys[number].name, ksr_top_keys[number].help);
		return;
	}
	number -= ksr_top_key_count;
	if (number == 1)
		ksr_top_line_print(line, KSR_TOP_HEAD, "Columns, with the key that sorts by them; again, it reverses the order");
	if (number >= 2 && number - 2 < KSR_TOP_COLUMN_COUNT)
		print_column(line, &ksr_top_columns[number - 2]);
}

void ksr_top_help_line(size_t *first, size_t number, size_t height, struct ksr_top_line *line)
{
	size_t shown = height - 1;

	*first = ksm_min(*first, line_count() > shown ? line_count() - shown : 0);
	if (number < shown)
		print_line(*first + number, line);
	else if (*first + shown < line_count())
		ksr_top_line_print(line, KSR_TOP_DIM, "Down, Page-Down: more; any other key goes back");
	else
		ksr_top_line_print(line, KSR_TOP_DIM, "any other key goes back");
}

/* --- the manual ------------------------------------------------------------------------------------------ */

static void put_escaped(const char *text, FILE *output)
{
	/* At the start some characters are requests, and others punctuation; a minus would be a hyphen. */
	fputs("\\&", output);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", output);
		else
			fputc(*text, output);
	}
}

static void put_item(const char *name, const char *text, FILE *output)
{
	fputs(".It Ic \"", output);
	put_escaped(name, output);
	fputs("\"\n", output);
	put_escaped(text, output);
	fputc('\n', output);
}

void ksr_top_help_manual(FILE *output)
{
	fputs(".Sh KEYS\n.Bl -tag -width Page-Down\n", output);
	for (size_t i = 0; i < ksr_top_key_count; i++)
		put_item(ksr_top_keys[i].name, ksr_top_keys[i].help, output);
	fputs(".El\n.Pp\nThe letters in the list of columns sort by them; again, they reverse the order.\n", output);
	fputs(".Sh COLUMNS\n.Bl -tag -width PROCESSES\n", output);
	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		const struct ksr_top_column_rule *column = &ksr_top_columns[i];

		fprintf(output, ".It Sy %s", column->head);
		if (column->letter)
			fprintf(output, " Pq Ic %c , Fl -sort Cm %s", column->letter, column->key);
		fprintf(output, "\n%s.\n", column->help);
	}
	fputs(".El\n.Sh MARKS\nOf a group a mark says that one of its processes has it.\n.Bl -tag -width damaged\n", output);
	for (int i = KSR_TOP_NONE + 1; i < KSR_TOP_MARK_COUNT; i++) {
		fprintf(output, ".It Sy %s\nThe process ", ksr_top_mark_word((enum ksr_top_mark)i));
		fprintf(output, "%s.\n", ksr_top_mark_sentence((enum ksr_top_mark)i));
	}
	fputs(".El\n", output);
}
