/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "join/memory.h"
#include "read/clock.h"
#include "top/divide.h"
#include "top/known.h"

/* Of the time between samples, in which processes may be read: what else a sample takes is beside it. */
#define MOST_PERCENT 1
/* An account that was not used up is not saved for later, and a reading that took long is paid for by those after it. */
#define MOST_DEBT_NS INT64_C(2000000000)

/* Processor time of others is told in hundredths of a second: less time between samples says nothing. */
#define LEAST_MS 200

struct ksr_top_reader {
	const struct ksr_fs *fs;
	const struct ksr_selection *selection;
	struct ksr_top_known *known; /* by ascending pid */
	size_t count;
	bool whole;
	bool began;
	int64_t account_ns;
	uint64_t page_bytes;
	struct ksr_store_files files; /* of one sample */
	struct ksr_kernel kernel;
	uint64_t pages_scanned; /* of the sample before */
	double ticks_per_ms;
	uint64_t own_ns;
	uint64_t costs_ms; /* since the costs were measured */
	struct ksr_top_costs costs;
};

struct ksr_top_reader *ksr_top_reader_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
					     bool whole)
{
	struct ksr_top_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->fs = fs;
	reader->selection = selection;
	reader->whole = whole;
	reader->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	reader->ticks_per_ms = (double)sysconf(_SC_CLK_TCK) / 1000;
	return reader;
}

void ksr_top_reader_destroy(struct ksr_top_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->count; i++)
		ksr_top_known_free(&reader->known[i]);
	free(reader->known);
	free(reader);
}

/* --- which processes ------------------------------------------------------------------------- */

static bool is_chosen(const struct ksr_selection *selection, pid_t pid)
{
	for (size_t i = 0; i < selection->pid_count; i++) {
		if (selection->pids[i] == pid)
			return true;
	}
	return false;
}

static bool is_group_wanted(const struct ksr_selection *selection, const char *group)
{
	for (size_t i = 0; i < selection->group_count; i++) {
		if (strcmp(selection->groups[i], group) == 0)
			return true;
	}
	return selection->group_count == 0 && selection->pid_count == 0;
}

/* As for a report: root that names groups means those of all users. */
static bool may_look_at(const struct ksr_top_reader *reader, pid_t pid)
{
	const struct ksr_selection *selection = reader->selection;
	struct stat status;

	if (selection->everyone || !reader->fs->live || (selection->group_count && geteuid() == 0))
		return true;
	return ksr_fs_stat(reader->fs, &status, "proc/%d", (int)pid) == 0 && status.st_uid == getuid();
}

/* A process of which nothing is known, and whose turn comes after those that wait already. */
static void forget(struct ksr_top_known *known, uint64_t now_ms)
{
	ksr_top_known_free(known);
	*known = (struct ksr_top_known){
		.pid = known->pid,
		.shown.pid = known->pid,
		.chosen = known->chosen,
		.next_look_ms = now_ms,
	};
}

/* Both lists ascend. Those that are gone leave the table. */
static int follow(struct ksr_top_reader *reader, const pid_t *pids, size_t count, uint64_t now_ms)
{
	struct ksr_top_known *table = calloc(count + 1, sizeof(*table));
	size_t old = 0;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		while (old < reader->count && reader->known[old].pid < pids[i])
			ksr_top_known_free(&reader->known[old++]);
		if (old < reader->count && reader->known[old].pid == pids[i]) {
			table[i] = reader->known[old++];
			continue;
		}
		table[i].pid = pids[i];
		table[i].chosen = is_chosen(reader->selection, pids[i]);
		forget(&table[i], now_ms);
	}
	while (old < reader->count)
		ksr_top_known_free(&reader->known[old++]);
	free(reader->known);
	reader->known = table;
	reader->count = count;
	return 0;
}

static int list(struct ksr_top_reader *reader, uint64_t now_ms)
{
	pid_t *pids = NULL;
	size_t count = 0;
	int error = ksr_fs_list_processes(reader->fs, &pids, &count);

	if (!error)
		error = follow(reader, pids, count, now_ms);
	free(pids);
	return error;
}

/* --- measuring in turn ------------------------------------------------------------------------ */

static bool counts_zero(const struct ksr_kernel *kernel)
{
	return (kernel->use_zero_pages != KSR_NONE && kernel->use_zero_pages) ||
	       (kernel->ksm_zero_pages != KSR_NONE && kernel->ksm_zero_pages);
}

static bool is_member(const struct ksr_top_known *known)
{
	return known->is_ksmd || known->is_keeper || (known->has_segment && known->wanted);
}

static void look(struct ksr_top_reader *reader, struct ksr_top_known *known, uint64_t now_ms)
{
	bool mine = known->chosen || may_look_at(reader, known->pid);

	if (ksr_top_known_look(reader->fs, known, now_ms) == -ESRCH) {
		forget(known, now_ms + 1);
		return;
	}
	/* ksmd is root's; all else of others is none of ours. */
	if (!mine) {
		known->has_segment = false;
		known->is_keeper = false;
	}
	known->wanted = known->chosen || is_group_wanted(reader->selection, known->shown.group);
}

static void visit(struct ksr_top_reader *reader, struct ksr_top_known *known, uint64_t now_ms)
{
	struct ksr_text text;
	struct ksr_status status;

	if (!is_member(known))
		look(reader, known, now_ms);
	if (known->is_ksmd || known->is_keeper) {
		if (ksr_fs_read(reader->fs, &text, "proc/%d/stat", (int)known->pid))
			return;
		if (ksr_status_parse_stat(&text, &status) && status.start_time_ticks == known->start_ticks)
			known->new_ticks = status.cpu_ticks;
		else
			forget(known, now_ms);
		ksr_text_free(&text);
		return;
	}
	if (known->has_segment && known->wanted &&
	    ksr_top_known_measure(reader->fs, known, &reader->files, now_ms, reader->page_bytes,
				  counts_zero(&reader->kernel)) == -ESRCH)
		forget(known, now_ms);
}

/* Since when it waits for its turn. */
static uint64_t waits_since(const struct ksr_top_known *known)
{
	return is_member(known) ? known->measured_ms : known->next_look_ms;
}

static int compare_turns(const void *left, const void *right)
{
	const struct ksr_top_known *a = *(struct ksr_top_known *const *)left;
	const struct ksr_top_known *b = *(struct ksr_top_known *const *)right;

	if (is_member(a) != is_member(b))
		return is_member(a) ? -1 : 1;
	if (waits_since(a) != waits_since(b))
		return waits_since(a) < waits_since(b) ? -1 : 1;
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

/* Puts those that are due into the list: members first, each part in its order. Returns how many are members. */
static size_t find_due(struct ksr_top_reader *reader, uint64_t now_ms, struct ksr_top_known **due, size_t *count)
{
	size_t members = 0;

	*count = 0;
	for (size_t i = 0; i < reader->count; i++) {
		struct ksr_top_known *known = &reader->known[i];

		if (!is_member(known) && known->next_look_ms > now_ms)
			continue;
		members += is_member(known);
		due[(*count)++] = known;
	}
	qsort(due, *count, sizeof(*due), compare_turns);
	return members;
}

/* Members and others in turn, so that neither has to wait for the other ones, however many come and go. */
static void visit_in_turn(struct ksr_top_reader *reader, uint64_t now_ms, struct ksr_top_known **due, size_t members,
			  size_t count)
{
	int64_t begin = (int64_t)ksr_clock_of(CLOCK_THREAD_CPUTIME_ID);
	size_t member = 0;
	size_t other = members;

	for (size_t i = 0; i < count; i++) {
		bool is_members_turn = other == count || (member < members && i % 2 == 0);
		int64_t end;

		if (reader->began && !reader->whole && reader->account_ns <= 0 && i > 1)
			break;
		visit(reader, is_members_turn ? due[member++] : due[other++], now_ms);
		end = (int64_t)ksr_clock_of(CLOCK_THREAD_CPUTIME_ID);
		reader->account_ns -= end - begin;
		begin = end;
	}
}

static int visit_all(struct ksr_top_reader *reader, uint64_t now_ms, uint64_t after_ms)
{
	struct ksr_top_known **due = calloc(reader->count + 1, sizeof(struct ksr_top_known *));
	size_t members;
	size_t count;

	if (!due)
		return -ENOMEM;
	members = find_due(reader, now_ms, due, &count);
	reader->account_ns = (reader->account_ns < 0 ? reader->account_ns : 0) +
			     (int64_t)after_ms * 10000 * MOST_PERCENT;
	visit_in_turn(reader, now_ms, due, members, count);
	/* What a store's files have is another thing at the next sample. */
	ksr_store_files_free(&reader->files);
	if (!reader->began)
		reader->account_ns = 0;
	if (reader->account_ns < -MOST_DEBT_NS)
		reader->account_ns = -MOST_DEBT_NS;
	reader->began = true;
	free(due);
	return 0;
}

/* --- the sample --------------------------------------------------------------------------------- */

static int divide(struct ksr_top_reader *reader)
{
	struct ksr_top_sharer *sharers = calloc(reader->count + 1, sizeof(*sharers));
	size_t count = 0;
	int error;

	if (!sharers)
		return -ENOMEM;
	for (size_t i = 0; i < reader->count; i++) {
		struct ksr_top_known *known = &reader->known[i];

		if (!known->has_segment || !known->wanted || !known->shown.measured)
			continue;
		sharers[count++] = (struct ksr_top_sharer){
			.store = known->files ? known->store : 0,
			.pss = known->pss,
			.store_pss = known->store_pss,
			.shared = known->shared,
			.files = known->files,
			.figures = &known->shown.figures,
		};
	}
	error = ksr_top_divide(sharers, count);
	free(sharers);
	return error;
}

/* after_ms: since they were measured, 0 if they never were. */
static void take_costs(struct ksr_top_reader *reader, struct ksr_top_costs *costs, uint64_t after_ms)
{
	uint64_t own = ksr_clock_of(CLOCK_PROCESS_CPUTIME_ID);
	double ms = after_ms ? (double)after_ms : 1;
	uint64_t keepers = 0;
	uint64_t work = 0;

	*costs = (struct ksr_top_costs){
		.ksmd = -1,
		.pages = -1,
		.work = -1,
		.keeper = -1,
		.own = -1,
		.ksmd_us_total = KSR_NONE,
		.keeper_us_total = costs->keeper_us_total,
		.work_us_total = costs->work_us_total,
	};
	for (size_t i = 0; i < reader->count; i++) {
		struct ksr_top_known *known = &reader->known[i];
		uint64_t ticks = known->cpu_ticks ? ksr_less(known->new_ticks, known->cpu_ticks) : 0;

		if (known->is_ksmd)
			costs->ksmd_us_total = (uint64_t)((double)known->new_ticks * 1000 / reader->ticks_per_ms);
		if (known->is_ksmd && after_ms)
			costs->ksmd = 100 * (double)ticks / reader->ticks_per_ms / ms;
		if (known->is_keeper && is_group_wanted(reader->selection, known->shown.group)) {
			costs->keepers++;
			keepers += ticks;
		}
		if (known->has_segment && known->has_work)
			work += ksr_less(known->new_work_us, known->work_us);
		known->cpu_ticks = known->new_ticks;
		known->work_us = known->new_work_us;
	}
	costs->keeper_us_total += (uint64_t)((double)keepers * 1000 / reader->ticks_per_ms);
	costs->work_us_total += work;
	if (after_ms) {
		costs->keeper = 100 * (double)keepers / reader->ticks_per_ms / ms;
		costs->work = (double)work / ms;
		costs->own = (double)(own - reader->own_ns) / 10000 / ms;
	}
	reader->own_ns = own;
	if (reader->kernel.pages_scanned != KSR_NONE) {
		if (after_ms)
			costs->pages = 1000 * (double)ksr_less(reader->kernel.pages_scanned, reader->pages_scanned) / ms;
		reader->pages_scanned = reader->kernel.pages_scanned;
	}
}

static bool is_shown(const struct ksr_top_known *known)
{
	return known->has_segment && known->wanted;
}

static void add_absent(pid_t pid, struct ksr_top_sample *sample)
{
	for (size_t i = 0; i < sample->process_count; i++) {
		if (sample->processes[i].pid == pid)
			return;
	}
	sample->processes[sample->process_count++] = (struct ksr_top_process){.pid = pid, .mark = KSR_TOP_ABSENT};
}

static int fill(struct ksr_top_reader *reader, struct ksr_top_sample *sample)
{
	size_t room = reader->count + reader->selection->pid_count + 1;

	sample->processes = calloc(room, sizeof(*sample->processes));
	if (!sample->processes)
		return -ENOMEM;
	sample->oldest_ms = sample->at_ms;
	for (size_t i = 0; i < reader->count; i++) {
		struct ksr_top_known *known = &reader->known[i];

		if (!is_shown(known))
			continue;
		known->shown.figures.alone = ksm_min(known->shown.figures.alone, known->shown.figures.needs);
		sample->processes[sample->process_count++] = known->shown;
		if (known->shown.measured)
			sample->oldest_ms = ksm_min(sample->oldest_ms, known->measured_ms);
	}
	for (size_t i = 0; i < reader->selection->pid_count; i++)
		add_absent(reader->selection->pids[i], sample);
	return 0;
}

struct ksr_top_sample *ksr_top_reader_sample(struct ksr_top_reader *reader, uint64_t after_ms)
{
	struct ksr_top_sample *sample = calloc(1, sizeof(*sample));

	if (!sample)
		return NULL;
	sample->at_ms = ksr_clock_ms();
	sample->time = reader->fs->live ? (int64_t)time(NULL) : 0;
	sample->page_bytes = reader->page_bytes;
	ksr_kernel_read(reader->fs, &reader->kernel);
	sample->kernel = reader->kernel;
	sample->error = list(reader, sample->at_ms);
	if (!sample->error)
		sample->error = visit_all(reader, sample->at_ms, after_ms);
	if (!sample->error)
		sample->error = divide(reader);
	reader->costs_ms += after_ms;
	if (!after_ms || reader->costs_ms >= LEAST_MS) {
		take_costs(reader, &reader->costs, reader->costs_ms);
		reader->costs_ms = 0;
	}
	sample->costs = reader->costs;
	if (!sample->error)
		sample->error = fill(reader, sample);
	return sample;
}
