/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An origin of a report is that of all of its processes together. Which of them has how much of it only the sums of these
 * processes tell, so each group and program becomes a report of its own, which borrows what was read.
 */
#define _GNU_SOURCE
#include "show/draw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "join/aggregate.h"
#include "join/files.h"
#include "join/group.h"
#include "join/origin.h"

struct drawing {
	const struct ksr_fs *fs;
	struct ksr_symbols *symbols;
	struct ksr_picture *picture;
	const struct ksr_report *report; /* of one group and program */
	uint32_t group;
	uint32_t program;
};

static const char *layout_name(uint32_t layout)
{
	return layout == KSMALLOC_LAYOUT_SHARED ? "shared" : "private";
}

static void set_memory(struct ksr_picture_origin *origin, const struct ksr_memory *memory)
{
	origin->values[KSR_VALUE_HELD] = memory->held;
	origin->values[KSR_VALUE_RESIDENT] = memory->resident;
	origin->values[KSR_VALUE_PRIVATE] =
		ksr_less(memory->anonymous, memory->merged + memory->fork_shared);
	origin->values[KSR_VALUE_MERGED] = memory->merged;
	origin->values[KSR_VALUE_SAVED] = memory->saved;
	origin->values[KSR_VALUE_SHARED] = memory->shared;
	origin->values[KSR_VALUE_FORK_SHARED] = memory->fork_shared;
}

/* --- stacks ------------------------------------------------------------------- */

/* The functions in which interpreters execute scripts: behind them nothing is known that the script does not say better. */
static bool is_loop(const char *function)
{
	static const char *const loops[] = {
		"_PyEval_EvalFrameDefault", "_PyEval_EvalFrame", "PyEval_EvalFrameEx", "execute_ex",
		"vm_exec_core", "vm_exec", "rb_vm_exec", "Perl_runops_standard", "luaV_execute",
	};

	for (size_t i = 0; i < KSM_COUNT_OF(loops); i++) {
		if (strcmp(loops[i], function) == 0)
			return true;
	}
	return false;
}

/* "file.c:12" is two things; a name without a number is a file. */
static void set_place(struct ksr_picture *picture, struct ksr_picture_frame *frame, const char *place)
{
	const char *colon = strrchr(place, ':');
	char *end = NULL;
	unsigned long line = colon && colon[1] ? strtoul(colon + 1, &end, 10) : 0;
	char *file;

	if (!end || *end) {
		frame->file = ksr_picture_text(picture, place);
		return;
	}
	frame->line = (uint32_t)ksm_min(line, UINT32_MAX);
	file = strndup(place, (size_t)(colon - place));
	frame->file = file ? ksr_picture_text(picture, file) : 0;
	free(file);
}

static uint32_t draw_frame(struct ksr_picture *picture, const struct ksr_line *line)
{
	static const char *const languages[] = {
#define LANGUAGE(name, key, words) key,
		KSMALLOC_LANGUAGES(LANGUAGE)
#undef LANGUAGE
	};
	struct ksr_picture_frame frame = {
		.function = ksr_picture_text(picture, line->function),
		.module = ksr_picture_text(picture, line->module),
		.build_id = ksr_picture_text(picture, line->build_id),
		.language = ksr_picture_text(picture, languages[line->language]),
	};

	set_place(picture, &frame, line->place);
	return ksr_picture_frame(picture, &frame);
}

/* How memory is taken within the library and its allocators for runtimes is nobody's question. */
static bool is_ours(const struct ksr_line *line)
{
	return strncmp(line->module, "libksmalloc", strlen("libksmalloc")) == 0;
}

/*
 * The lines of an origin are those of scripts and then all of the call stack. In a picture they stand in the order of
 * calls as far as it is known: what the interpreter called, the script, the interpreter. Returns how many are shown;
 * *count becomes that of all, without the library's own.
 */
static uint32_t order_lines(const struct ksr_stack *stack, const struct ksr_line **lines, size_t *count)
{
	size_t scripts = 0;
	size_t inner = 0;
	size_t ours = 0;
	size_t next = 0;

	while (scripts < *count && stack->lines[scripts].language != KSMALLOC_LANGUAGE_NATIVE)
		scripts++;
	while (scripts + ours + 1 < *count && is_ours(&stack->lines[scripts + ours]))
		ours++;
	while (scripts + ours + inner < *count && !is_loop(stack->lines[scripts + ours + inner].function))
		inner++;
	/* Without a loop nobody knows where the script was called from. */
	if (scripts && scripts + ours + inner == *count)
		inner = 0;
	for (size_t i = 0; i < inner; i++)
		lines[next++] = &stack->lines[scripts + ours + i];
	for (size_t i = 0; i < scripts; i++)
		lines[next++] = &stack->lines[i];
	for (size_t i = scripts + ours + inner; i < *count; i++)
		lines[next++] = &stack->lines[i];
	*count = next;
	return (uint32_t)(scripts ? scripts + inner : next);
}

/* Functions that nobody has called: a stack that ends there is whole. */
static bool is_beginning(const char *function)
{
	static const char *const beginnings[] = {"_start", "__clone3", "clone3", "__clone", "clone"};

	for (size_t i = 0; i < KSM_COUNT_OF(beginnings); i++) {
		if (strcmp(beginnings[i], function) == 0)
			return true;
	}
	return false;
}

/* A segment has the innermost frames only: then callers that are not known stand between the program and what is shown. */
static bool is_cut(const struct ksr_snapshot *snapshot, const struct ksr_origin *from, const struct ksr_stack *stack)
{
	struct ksr_origin_entry origin;
	struct ksmalloc_segment_site site;

	if (stack->count && is_beginning(stack->lines[stack->count - 1].function))
		return false;
	if (from->is_site) {
		ksr_snapshot_site(snapshot, from->sample_index, &site);
		return site.frame_count >= KSMALLOC_MAX_FRAMES;
	}
	ksr_snapshot_origin(snapshot, from->sample_index, &origin);
	if (origin.script_frame_count)
		return origin.script_frame_count >= KSMALLOC_MAX_SCRIPT_FRAMES;
	return origin.frame_count >= KSMALLOC_MAX_FRAMES;
}

static uint32_t draw_name(struct ksr_picture *picture, uint32_t name)
{
	return ksr_picture_frame(picture, &(struct ksr_picture_frame){.function = name});
}

/* The stack of an origin, innermost first; sets how many of its frames are shown, and returns how many there are. */
static size_t draw_stack(struct drawing *drawing, const struct ksr_stack *stack, bool is_cut,
			 struct ksr_picture_origin *origin, uint32_t frames[KSR_STACK_MOST + 1])
{
	struct ksr_picture *picture = drawing->picture;
	const struct ksr_line *lines[KSR_STACK_MOST];
	size_t count = (size_t)ksm_min(stack->count, KSR_STACK_MOST - 1);
	size_t drawn = 0;

	origin->shown = order_lines(stack, lines, &count);
	for (size_t i = 0; i < count; i++) {
		if (i == origin->shown && is_cut)
			frames[drawn++] = draw_name(picture, ksr_picture_text(picture, "(more callers)"));
		frames[drawn++] = draw_frame(picture, lines[i]);
	}
	if (is_cut && count == origin->shown && count)
		frames[drawn++] = draw_name(picture, ksr_picture_text(picture, "(more callers)"));
	if (is_cut && count)
		origin->shown++;
	/* A label, and what has no frames, is shown by its name. */
	if (count == 0) {
		frames[drawn++] = draw_name(picture, origin->name);
		origin->shown = 1;
	}
	return drawn;
}

static void draw_origin(struct drawing *drawing, const struct ksr_origin *from)
{
	const struct ksr_process *process = &drawing->report->processes[from->sample_process];
	const struct ksr_snapshot *snapshot = &process->snapshot;
	const struct ksr_stack *stack =
		from->is_site ? ksr_symbols_stack(drawing->symbols, snapshot, from->sample_index)
			      : ksr_symbols_origin(drawing->symbols, snapshot, from->sample_index);
	uint32_t frames[KSR_STACK_MOST + 1];
	struct ksr_picture_origin origin = {.id = from->id,
					    .group = drawing->group,
					    .program = drawing->program,
					    .processes = from->processes,
					    .error = from->held_error};
	size_t count;

	if (!stack) {
		drawing->picture->error = -ENOMEM;
		return;
	}
	origin.name = ksr_picture_text(drawing->picture, stack->name);
	count = draw_stack(drawing, stack, is_cut(snapshot, from, stack), &origin, frames);
	origin.values[KSR_VALUE_LIVE] = from->held;
	set_memory(&origin, &from->memory);
	ksr_picture_add(drawing->picture, &origin, frames, count);
}

/* Memory of which it is not known who has asked for it. */
static void draw_rest(struct drawing *drawing, const char *name, const struct ksr_memory *memory)
{
	struct ksr_picture_origin origin = {.group = drawing->group, .program = drawing->program, .shown = 1};
	uint32_t index;

	if (memory->resident == 0 && memory->shared == 0)
		return;
	origin.name = ksr_picture_text(drawing->picture, name);
	index = draw_name(drawing->picture, origin.name);
	origin.processes = (uint32_t)drawing->report->process_count;
	set_memory(&origin, memory);
	ksr_picture_add(drawing->picture, &origin, &index, 1);
}

static void draw_files(struct drawing *drawing)
{
	const struct ksr_report *report = drawing->report;

	for (size_t i = 0; i < report->file_count; i++) {
		char name[128];

		ksr_file_words(&report->files[i], name, sizeof(name));
		draw_rest(drawing, name, &report->files[i].memory);
	}
}

static void draw_report(struct drawing *drawing)
{
	const struct ksr_report *report = drawing->report;

	for (size_t i = 0; i < report->origin_count; i++)
		draw_origin(drawing, &report->origins[i]);
	draw_rest(drawing, "(blocks of small places)", &report->totals.nursery_unmarked);
	draw_rest(drawing, "(" KSR_KEPT_NAME ")", &report->totals.kept);
	for (size_t i = 0; i < KSR_PART_COUNT; i++) {
		char name[128];

		/* These are shown file by file. */
		if (i == KSR_PART_FILES)
			continue;
		snprintf(name, sizeof(name), "(%s)", ksr_part_name((enum ksr_part_id)i));
		draw_rest(drawing, name, &report->parts[i].unmarked);
	}
	draw_files(drawing);
}

/* --- groups and programs --------------------------------------------------------- */

static bool is_same_kind(const struct ksr_process *a, const struct ksr_process *b)
{
	return a->snapshot.header.layout == b->snapshot.header.layout &&
	       strcmp(a->snapshot.header.group, b->snapshot.header.group) == 0 &&
	       strcmp(a->status.command, b->status.command) == 0;
}

/* The processes of one kind, added up by themselves; what was read of them stays the report's. */
static int draw_kind(struct drawing *drawing, const struct ksr_report *report, size_t first, bool *drawn)
{
	struct ksr_report part = {.page_bytes = report->page_bytes, .exact = report->exact, .kernel = report->kernel};
	size_t count = 0;
	int error = 0;

	part.processes = calloc(report->process_count, sizeof(*part.processes));
	if (!part.processes)
		return -ENOMEM;
	for (size_t i = first; i < report->process_count; i++) {
		if (drawn[i] || !is_same_kind(&report->processes[first], &report->processes[i]))
			continue;
		drawn[i] = true;
		part.processes[count++] = report->processes[i];
	}
	part.process_count = count;
	drawing->report = &part;
	if (count == report->process_count)
		drawing->report = report;
	else
		error = ksr_report_aggregate(drawing->fs, &part);
	if (!error)
		draw_report(drawing);
	part.process_count = 0;
	ksr_report_destroy(&part);
	return error;
}

static void draw_stores(struct ksr_picture *picture, const struct ksr_report *report)
{
	for (size_t i = 0; i < report->group_count; i++) {
		const struct ksr_group *group = &report->groups[i];
		uint32_t index = ksr_picture_group(picture, group->name, layout_name(group->layout));

		if (picture->error)
			return;
		picture->groups[index].processes += group->processes;
		picture->groups[index].store += group->store;
	}
}

int ksr_draw(const struct ksr_fs *fs, const struct ksr_report *report, struct ksr_symbols *symbols,
	     struct ksr_picture *picture)
{
	struct drawing drawing = {.fs = fs, .symbols = symbols, .picture = picture};
	bool *drawn = calloc(report->process_count + 1, sizeof(*drawn));
	int error = ksr_picture_init(picture);

	picture->time = (uint64_t)time(NULL);
	if (!drawn)
		error = -ENOMEM;
	if (!error)
		draw_stores(picture, report);
	for (size_t i = 0; i < report->process_count && !error; i++) {
		const struct ksr_process *process = &report->processes[i];

		if (drawn[i])
			continue;
		drawing.group = ksr_picture_group(picture, process->snapshot.header.group,
						  layout_name(process->snapshot.header.layout));
		drawing.program = ksr_picture_text(picture, process->status.command);
		error = draw_kind(&drawing, report, i, drawn);
	}
	free(drawn);
	return error ? error : ksr_picture_finish(picture);
}
