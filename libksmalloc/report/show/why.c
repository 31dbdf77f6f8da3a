/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "show/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/outlook.h"
#include "names/human.h"

/* Words of a sentence are joined here; they are bounded, and cut rather than lost. */
#define TEXT_BYTES 512
/* A place is small whose part of the worth, and of the memory, of all is less than this one. */
#define SMALL 25

struct words {
	char why[TEXT_BYTES];
	char command[TEXT_BYTES];
};

struct context {
	const struct ksr_why *why;
	const char *row;
	const char *group;
};

static void append(char *text, const char *format, ...) KSM_PRINTF(2, 3);

static void append(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, TEXT_BYTES - used, format, args);
	va_end(args);
}

static void say_diff(const struct context *context, struct words *words)
{
	const struct ksr_worker *list = context->why->members.list;

	append(words->command, "ksmalloc diff %d %d", (int)list[0].pid, (int)list[1].pid);
}

static void say_shifted(const struct context *context, const struct ksr_why_finding *finding, struct words *words)
{
	append(words->why, "equal, and shifted");
	if (finding->shift)
		append(words->why, " by %" PRIu64 " bytes", (uint64_t)(finding->shift < 0 ? -finding->shift : finding->shift));
	append(words->why, ": something of another length lies before it; put what differs at the end, or make it equally "
			   "long");
	say_diff(context, words);
}

static void say_pointers(const struct context *context, struct words *words)
{
	append(words->why, "equal but for pointers");
	if (context->why->is_shared) {
		append(words->why, ", though addresses are those of the group: something was allocated before in one only");
		say_diff(context, words);
	} else {
		append(words->why, ": each process has addresses of its own");
		append(words->command, "ksmalloc run --layout=shared --group=%s -- PROGRAM", context->group);
	}
}

static void say_few_words(const struct context *context, const struct ksr_why_finding *finding, struct words *words)
{
	append(words->why, "equal but for a few words a page");
	for (size_t i = 0; i < finding->offset_count; i++)
		append(words->why, "%s%" PRIu32, i ? ", " : finding->offset_count > 1 ? ", at offsets " : ", at offset ",
		       finding->offsets[i]);
	for (size_t i = 0; i < finding->cause_count; i++)
		append(words->why, "%s%s", i ? "; " : ": ", ksr_cause_text(finding->causes[i]));
	append(words->why, ". What differs belongs in a block of its own");
	say_diff(context, words);
}

static void say_not_reached(const struct context *context, const struct ksr_why_finding *finding, struct words *words)
{
	char time[KSR_TIME_BYTES];

	if (finding->by_store) {
		append(words->why, "equal, and not shared yet: a process looks for it when it rests");
		if (finding->seconds != KSR_NONE) {
			ksr_human_seconds(finding->seconds, time);
			append(words->why, ", the next time in %s at most if it does", time);
		}
		append(words->command, "ksmalloc share %s (they look at once)", context->group);
		return;
	}
	append(words->why, "equal, and not reached yet");
	if (finding->seconds != KSR_NONE) {
		ksr_human_seconds(finding->seconds, time);
		append(words->why, ": KSM needs about %s at its present pace", time);
	}
	append(words->command, "ksmalloc doctor --fix (as root; it sets a pace)");
}

static const char *program_name(const struct context *context)
{
	const char *path = context->why->members.list[0].program;
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void say_not_offered(const struct context *context, const struct ksr_why_finding *finding, struct words *words)
{
	if (finding->is_mapping) {
		append(words->why, "equal, and sharing leaves mappings that the program made itself alone");
		append(words->command, "ksmalloc run --share --set share_mappings=%s --group=%s -- PROGRAM (if all that it "
		       "does with them is done by libc, as profiles say of python, lua, php, node, java and ruby)",
		       program_name(context), context->group);
		return;
	}
	append(words->why, "equal, and not mergeable: ");
	if (finding->is_denied) {
		append(words->why, "it was denied");
		append(words->command, "take it out of KSMALLOC_DENY (ksmalloc run --deny)");
	} else if (context->why->is_shared) {
		append(words->why, "nobody has offered it to KSM");
		append(words->command, "ksmalloc run --layout=shared --advise=process --group=%s -- PROGRAM", context->group);
	} else {
		append(words->why, "only large blocks are offered to KSM");
		append(words->command, "ksmalloc run --layout=shared --group=%s -- PROGRAM (or with --advise=process, which offers "
		       "all of the program)", context->group);
	}
}

static void say_huge(const struct ksr_why_finding *finding, struct words *words)
{
	append(words->why, "equal, and on huge pages, which KSM has to split before it merges%s",
	       finding->is_asked ? "; the program asks for them" : "");
	append(words->command, finding->is_asked ? "let the program not call madvise(MADV_HUGEPAGE) (numpy: "
						   "NUMPY_MADVISE_HUGEPAGE=0)" :
						   "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled (as root)");
}

static void say_limit(const struct context *context, struct words *words)
{
	append(words->why, "merged, but one page may be shared by fewer than these %" PRIu64 " processes",
	       context->why->workers);
	append(words->command, "as root: cd /sys/kernel/mm/ksm; echo 2 >run; echo %" PRIu64 " >max_page_sharing; echo 1 >run",
	       ksm_max(2 * context->why->workers, UINT64_C(256)));
}

static void say_short_lived(const struct context *context, const struct ksr_why_finding *finding, struct words *words)
{
	append(words->why, "too short-lived");
	if (finding->lifetime_ms && finding->lifetime_ms != KSR_NONE)
		append(words->why, ": blocks are freed after %" PRIu64 " ms", finding->lifetime_ms);
	append(words->why, "; what is kept can merge");
	say_diff(context, words);
}

static void say_rewritten(const struct context *context, struct words *words)
{
	append(words->why, "rewritten too often: pages have changed within %.1f s; data that is written belongs in a block of "
			   "its own", (double)context->why->interval_ms / 1000);
	append(words->command, "ksmalloc run --deny=PATTERN --group=%s -- PROGRAM (keeps KSM from it)", context->group);
}

static void say_stopped(const struct context *context, const struct ksr_why_finding *finding, struct words *words)
{
	if (finding->is_sharing) {
		append(words->why, "equal, and the store does not take it: only KSM would, which does not run");
		append(words->command, "ksmalloc doctor --fix (as root)");
		return;
	}
	append(words->why, "equal, and nothing merges or shares it: KSM does not run");
	append(words->command, "ksmalloc doctor --fix (as root), or ksmalloc run --share --group=%s -- PROGRAM",
	       context->group);
}

static void say_unique(const struct context *context, struct words *words)
{
	append(words->why, "content that only one process has: nothing can be saved");
	say_diff(context, words);
	append(words->command, " (shows where)");
}

static void say(const struct context *context, const struct ksr_why_finding *finding, struct words *words)
{
	switch (finding->reason) {
	case KSR_WHY_SHIFTED:
		say_shifted(context, finding, words);
		break;
	case KSR_WHY_POINTERS:
		say_pointers(context, words);
		break;
	case KSR_WHY_WORDS:
		say_few_words(context, finding, words);
		break;
	case KSR_WHY_SHORT_LIVED:
		say_short_lived(context, finding, words);
		break;
	case KSR_WHY_REWRITTEN:
		say_rewritten(context, words);
		break;
	case KSR_WHY_NOT_OFFERED:
		say_not_offered(context, finding, words);
		break;
	case KSR_WHY_HUGE:
		say_huge(finding, words);
		break;
	case KSR_WHY_NOT_REACHED:
		say_not_reached(context, finding, words);
		break;
	case KSR_WHY_LIMIT:
		say_limit(context, words);
		break;
	case KSR_WHY_STOPPED:
		say_stopped(context, finding, words);
		break;
	default:
		say_unique(context, words);
	}
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct ksr_column columns[] = {
	{"group", NULL}, {"worth", "WORTH"}, {"holds", "OF"}, {"where", "WHERE"}, {"reason", NULL}, {"shift", NULL},
	{"offsets", NULL}, {"causes", NULL}, {"seconds", NULL}, {"why", NULL}, {"command", NULL}, {"text", "WHY"},
};

/* Offsets and causes of one finding, as lists. */
struct lists {
	char offsets[KSR_WHY_OFFSETS][16];
	const char *offset_items[KSR_WHY_OFFSETS];
	const char *cause_items[KSR_WHY_CAUSES];
};

static void fill_lists(const struct ksr_why_finding *finding, struct lists *lists)
{
	for (size_t i = 0; i < finding->offset_count; i++) {
		snprintf(lists->offsets[i], sizeof(lists->offsets[i]), "%" PRIu32, finding->offsets[i]);
		lists->offset_items[i] = lists->offsets[i];
	}
	for (size_t i = 0; i < finding->cause_count; i++)
		lists->cause_items[i] = ksr_cause_key(finding->causes[i]);
}

static void emit(const struct context *context, const struct ksr_why_finding *finding, struct ksr_emitter *emitter)
{
	struct ksr_cell none = {.kind = KSR_CELL_NONE};
	struct words words = {0};
	struct lists lists = {0};
	char text[2 * TEXT_BYTES + 16];
	char shift[32] = "";

	say(context, finding, &words);
	fill_lists(finding, &lists);
	snprintf(text, sizeof(text), "%s. To do: %s.", words.why, words.command);
	if (finding->shift)
		snprintf(shift, sizeof(shift), "%" PRId64, finding->shift);
	ksr_emitter_row(emitter, (const struct ksr_cell[]){
		ksr_cell_text(context->group),
		ksr_cell_bytes(finding->worth),
		ksr_cell_bytes(finding->holds),
		ksr_cell_text(context->row),
		ksr_cell_text(ksr_why_key(finding->reason)),
		ksr_cell_text(shift[0] ? shift : NULL),
		ksr_cell_list(lists.offset_items, finding->offset_count),
		ksr_cell_list(lists.cause_items, finding->cause_count),
		finding->seconds == KSR_NONE ? none : ksr_cell_count(finding->seconds),
		ksr_cell_text(words.why),
		ksr_cell_text(words.command),
		ksr_cell_sentence(text),
	});
}

void ksr_why_say(const struct ksr_why *why, const char *group, struct ksr_emitter *emitter)
{
	const struct ksr_worker *list = why->members.list;
	uint64_t worth = 0;
	char text[KSR_HUMAN_BYTES];

	for (size_t i = 0; i < why->count; i++)
		worth += why->list[i].worth;
	ksr_human_bytes(worth, text);
	ksr_emitter_say(emitter, "%s: %s could be saved at most besides; %" PRIu64 " processes of a kind, of which %d and %d "
			"were compared%s.", group[0] ? group : "These processes", text, why->workers, (int)list[0].pid,
			(int)list[1].pid, why->every > 1 ? " in part" : "");
}

void ksr_why_begin(struct ksr_emitter *emitter)
{
	ksr_emitter_table_begin(emitter, "findings", columns, KSM_COUNT_OF(columns));
}

/*
 * Who asked for the memory, where that is known, else the site, else what the row is called: without callers, as rows of
 * reports are.
 */
static const char *where(const struct ksr_why *why, const struct ksr_diff_names *names,
			 const struct ksr_why_finding *finding)
{
	const struct ksr_diff_row *row = &why->diff.rows[finding->row];
	const struct ksr_space *space = why->diff.spaces[0];
	const struct ksr_stack *stack = NULL;

	if (finding->origin)
		stack = ksr_symbols_origin(names->symbols, &space->snapshot, finding->origin);
	else if (row->kind == KSR_REGION_SITE && row->regions[0] != KSR_REGION_NONE)
		stack = ksr_symbols_stack(names->symbols, &space->snapshot, space->regions[row->regions[0]].site);
	return stack ? stack->where : names->rows[finding->row];
}

/* A row: findings of one reason and one name. */
struct row {
	struct ksr_why_finding finding;
	const char *name;
	uint32_t places; /* that were joined because they are small; 0: it is one */
	bool is_small;
};

static int compare_rows(const void *left, const void *right)
{
	const struct ksr_why_finding *a = &((const struct row *)left)->finding;
	const struct ksr_why_finding *b = &((const struct row *)right)->finding;

	if (a->worth != b->worth)
		return a->worth > b->worth ? -1 : 1;
	return a->holds > b->holds ? -1 : a->holds < b->holds;
}

/* Several stacks, and several mappings, may have one name. */
static size_t join_names(const struct ksr_why *why, const struct ksr_diff_names *names, const char *text, struct row *rows)
{
	size_t count = 0;

	for (size_t i = 0; i < why->count; i++) {
		const struct ksr_why_finding *finding = &why->list[i];
		const char *name = where(why, names, finding);
		size_t k = 0;

		if (text && !strstr(name, text))
			continue;
		while (k < count && (rows[k].finding.reason != finding->reason || strcmp(rows[k].name, name) != 0))
			k++;
		if (k == count) {
			rows[count++] = (struct row){.finding = *finding, .name = name};
			continue;
		}
		rows[k].finding.worth += finding->worth;
		rows[k].finding.holds += finding->holds;
	}
	qsort(rows, count, sizeof(*rows), compare_rows);
	return count;
}

/* Is that what is said of a finding, word by word? */
static bool says(const struct context *context, const struct ksr_why_finding *finding, const struct words *words)
{
	struct words own = {0};

	say(context, finding, &own);
	return strcmp(own.why, words->why) == 0 && strcmp(own.command, words->command) == 0;
}

/* Without what is said of one place alone. */
static struct ksr_why_finding general(const struct ksr_why_finding *finding)
{
	struct ksr_why_finding result = *finding;

	result.shift = 0;
	result.cause_count = 0;
	result.offset_count = 0;
	result.lifetime_ms = 0;
	return result;
}

/* Has a row the same reason, and the same to be done? */
static bool is_same_advice(const struct context *context, const struct row *a, const struct row *b)
{
	struct ksr_why_finding first = general(&a->finding);
	struct ksr_why_finding second = general(&b->finding);
	struct words words = {0};

	if (first.reason != second.reason)
		return false;
	say(context, &first, &words);
	return says(context, &second, &words);
}

static void join_into(struct row *sum, const struct row *row)
{
	if (sum->places == 0)
		sum->finding = general(&sum->finding);
	sum->places = ksm_max(sum->places, 1) + 1;
	sum->finding.worth += row->finding.worth;
	sum->finding.holds += row->finding.holds;
	/* It is reached when the last one is. */
	if (sum->finding.seconds != KSR_NONE && row->finding.seconds != KSR_NONE)
		sum->finding.seconds = ksm_max(sum->finding.seconds, row->finding.seconds);
}

/* Small places that have one reason, and of which the same is to be done, are one row. Large ones keep their names. */
static size_t join_small(const struct context *context, struct row *rows, size_t count)
{
	uint64_t worth = 0;
	uint64_t holds = 0;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		worth += rows[i].finding.worth;
		holds += rows[i].finding.holds;
	}
	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		rows[i].is_small = rows[i].finding.worth < worth / SMALL + 1 && rows[i].finding.holds < holds / SMALL;
		while (k < kept && !(rows[i].is_small && rows[k].is_small && is_same_advice(context, &rows[k], &rows[i])))
			k++;
		if (k < kept)
			join_into(&rows[k], &rows[i]);
		else
			rows[kept++] = rows[i];
	}
	qsort(rows, kept, sizeof(*rows), compare_rows);
	return kept;
}

/* Puts rows that say the same below the first of them, so that text needs to say it once. */
static void put_together(const struct context *context, struct row *rows, size_t count)
{
	for (size_t first = 0; first < count; first++) {
		struct words words = {0};

		say(context, &rows[first].finding, &words);
		for (size_t i = first + 1; i < count; i++) {
			struct row row = rows[i];

			if (!says(context, &row.finding, &words))
				continue;
			memmove(&rows[first + 2], &rows[first + 1], (i - first - 1) * sizeof(*rows));
			rows[++first] = row;
		}
	}
}

size_t ksr_why_rows(const struct ksr_why *why, const struct ksr_diff_names *names, const char *group, const char *text,
		    size_t most, struct ksr_emitter *emitter, size_t *left)
{
	struct context context = {.why = why, .group = group[0] ? group : "NAME"};
	struct row *rows = calloc(why->count + 1, sizeof(*rows));
	size_t count = rows ? join_names(why, names, text, rows) : 0;

	if (!rows)
		ksr_emitter_note(emitter, "There was no memory for the reasons.");
	/* Who asks for places wants to see each. */
	if (!text)
		count = join_small(&context, rows, count);
	put_together(&context, rows, ksm_min(count, most));
	for (size_t i = 0; i < count && i < most; i++) {
		char name[64];

		snprintf(name, sizeof(name), "(%" PRIu32 " smaller places)", rows[i].places);
		context.row = rows[i].places ? name : rows[i].name;
		emit(&context, &rows[i].finding, emitter);
	}
	*left += count > most ? count - most : 0;
	free(rows);
	return ksm_min(count, most);
}
