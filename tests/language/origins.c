/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * origins [-s] PID: the frames of the interpreter of each origin that has marks in a process, a line for each: bytes that its marks
 * stand for, and the frames, innermost first, as language|file|function|line. What is not a printable letter of ASCII is
 * written as \xNN. With -s all frames, as reports name them, as C or script|function|place.
 */
#include "names/symbols.h"
#include "read/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t weights[16 * KSMALLOC_MAX_ORIGINS];

static void print_text(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c >= ' ' && *c < 0x7f && *c != '|' && *c != '\\')
			putchar(*c);
		else
			printf("\\x%02x", *c);
	}
}

/* With -s: all frames, as reports name them. */
static void print_stack(struct ksr_symbols *symbols, const struct ksr_snapshot *snapshot, uint32_t index)
{
	const struct ksr_stack *stack = ksr_symbols_origin(symbols, snapshot, index);

	printf("%" PRIu64, weights[index]);
	for (size_t i = 0; stack && i < stack->count; i++) {
		printf("\t%s|", stack->lines[i].language == KSMALLOC_LANGUAGE_NATIVE ? "C" : "script");
		print_text(stack->lines[i].function);
		putchar('|');
		print_text(stack->lines[i].place);
	}
	putchar('\n');
}

static void print_origin(const struct ksr_snapshot *snapshot, uint32_t index)
{
	static const char *const languages[] = {
#define LANGUAGE_KEY(name, key, words) key,
		KSMALLOC_LANGUAGES(LANGUAGE_KEY)
	};
	struct ksr_origin_entry origin;

	ksr_snapshot_origin(snapshot, index, &origin);
	printf("%" PRIu64 " %012" PRIx64, weights[index], origin.id);
	for (uint32_t i = 0; i < origin.script_frame_count; i++) {
		const struct ksmalloc_segment_script_frame *frame = &origin.script_frames[i];

		printf("\t%s|", frame->language < KSMALLOC_LANGUAGE_COUNT ? languages[frame->language] : "?");
		print_text(ksr_snapshot_string(snapshot, frame->file_string));
		putchar('|');
		print_text(ksr_snapshot_string(snapshot, frame->function_string));
		printf("|%" PRIu32, frame->line);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct ksr_fs fs;
	struct ksr_snapshot snapshot;
	char why[KSR_WHY_BYTES] = "";
	bool has_stacks = argc == 3 && strcmp(argv[1], "-s") == 0;
	struct ksr_symbols *symbols;

	if (argc != 2 + has_stacks || ksr_fs_init(&fs, "/") != 0 ||
	    ksr_snapshot_create(&fs, (pid_t)atoi(argv[argc - 1]), &snapshot, why) != 0) {
		fprintf(stderr, "origins: %s\n", why);
		return 1;
	}
	for (uint32_t i = 0; i < snapshot.header.marks.count; i++) {
		struct ksmalloc_segment_mark mark;

		if (ksr_snapshot_mark(&snapshot, i, &mark))
			weights[mark.origin] += mark.weight;
	}
	symbols = ksr_symbols_create(&fs, true);
	if (!symbols)
		return 1;
	printf("languages %x, unknown %x\n", snapshot.header.languages, snapshot.header.languages_unknown);
	for (uint32_t i = 1; i < snapshot.header.origins.count; i++)
		if (weights[i] && has_stacks)
			print_stack(symbols, &snapshot, i);
		else if (weights[i])
			print_origin(&snapshot, i);
	ksr_symbols_destroy(symbols);
	ksr_snapshot_destroy(&snapshot);
	ksr_fs_fini(&fs);
	return 0;
}
