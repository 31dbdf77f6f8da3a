/* SPDX-License-Identifier: BSD-2-Clause */
/* A family is all of its series, so each is one walk over the groups or the origins. */
#define _GNU_SOURCE
#include "show/openmetrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "join/group.h"
#include "judge/outlook.h"

static uint64_t bytes_of(uint64_t pages, uint64_t page_bytes)
{
	return pages == KSR_NONE ? KSR_NONE : pages * page_bytes;
}

void ksr_openmetrics_kernel(struct ksr_exposition *to, const struct ksr_kernel *kernel, uint64_t page_bytes)
{
	ksr_exposition_one(to, KSR_METRIC_KSM_RUNNING, kernel->run == 1);
	ksr_exposition_one(to, KSR_METRIC_KSM_SHARED, bytes_of(kernel->pages_shared, page_bytes));
	ksr_exposition_one(to, KSR_METRIC_KSM_SAVED, bytes_of(kernel->pages_sharing, page_bytes));
	ksr_exposition_one(to, KSR_METRIC_KSM_UNSHARED, bytes_of(kernel->pages_unshared, page_bytes));
	ksr_exposition_one(to, KSR_METRIC_KSM_VOLATILE, bytes_of(kernel->pages_volatile, page_bytes));
	ksr_exposition_one(to, KSR_METRIC_KSM_SCANNED, kernel->pages_scanned);
	ksr_exposition_one(to, KSR_METRIC_KSM_FULL_SCANS, kernel->full_scans);
}

/* Proposals reach the same memory in part, so that they do not add up: the best of them is what can be had at most. */
static uint64_t could_be_saved(const struct ksr_report *report)
{
	struct ksr_outlook *outlook = calloc(1, sizeof(*outlook));
	struct ksr_balances balances;
	uint64_t most = KSR_NONE;

	if (outlook && ksr_balances_create(report, &balances) == 0) {
		ksr_outlook_make(report, &balances, false, outlook);
		most = 0;
		for (size_t i = 0; i < outlook->proposal_count; i++)
			most = ksm_max(most, outlook->proposals[i].bytes);
		ksr_balances_destroy(&balances);
	}
	free(outlook);
	return most;
}

static void put_processes(struct ksr_exposition *to, const struct ksr_report *report)
{
	ksr_exposition_one(to, KSR_METRIC_PAGE_TABLES, report->totals.page_tables);
	ksr_exposition_one(to, KSR_METRIC_UNREADABLE, report->rejected_count + report->unreadable);
	ksr_exposition_one(to, KSR_METRIC_COULD_SAVE, could_be_saved(report));
}

/* --- groups ------------------------------------------------------------------------ */

static void begin_group(struct ksr_exposition *to, const char *group, const char *layout)
{
	ksr_exposition_begin(to);
	ksr_exposition_label(to, "group", group);
	ksr_exposition_label(to, "layout", layout);
}

/* The family was begun. */
static void put_group_values(const struct ksr_picture *picture, struct ksr_exposition *to,
			     uint64_t (*figure)(const struct ksr_picture_group *group, int value), int value)
{
	for (uint32_t i = 0; i < ksm_min(picture->group_count, KSR_METRICS_GROUPS); i++) {
		const struct ksr_picture_group *group = &picture->groups[i];

		begin_group(to, ksr_pool_text(&picture->texts, group->name), ksr_pool_text(&picture->texts, group->layout));
		ksr_exposition_end(to, figure(group, value));
	}
}

static uint64_t group_processes(const struct ksr_picture_group *group, int value)
{
	(void)value;
	return group->processes;
}

static uint64_t group_store(const struct ksr_picture_group *group, int value)
{
	(void)value;
	return group->store;
}

static uint64_t group_value(const struct ksr_picture_group *group, int value)
{
	return group->values[value];
}

static void put_groups(const struct ksr_picture *picture, struct ksr_exposition *to)
{
	ksr_exposition_family(to, KSR_METRIC_PROCESSES);
	put_group_values(picture, to, group_processes, 0);
	for (int value = 0; value < KSR_VALUE_COUNT; value++) {
		ksr_exposition_value(to, (enum ksr_value)value, false);
		put_group_values(picture, to, group_value, value);
	}
	ksr_exposition_family(to, KSR_METRIC_STORE);
	put_group_values(picture, to, group_store, 0);
}

static void put_sharing(const struct ksr_report *report, struct ksr_exposition *to)
{
	bool is_microseconds;
	size_t offset;

	if (!report->totals.sharing_asked)
		return;
	for (unsigned int n = 0; ksr_exposition_sharing(to, n, &offset, &is_microseconds); n++) {
		for (size_t i = 0; i < ksm_min(report->group_count, KSR_METRICS_GROUPS); i++) {
			const struct ksr_group *group = &report->groups[i];
			uint64_t value;

			if (!group->asked)
				continue;
			memcpy(&value, (const char *)&group->share + offset, sizeof(value));
			begin_group(to, group->name, group->layout == KSMALLOC_LAYOUT_SHARED ? "shared" : "private");
			if (is_microseconds)
				ksr_exposition_end_micro(to, value);
			else
				ksr_exposition_end(to, value);
		}
	}
}

/* --- origins ------------------------------------------------------------------------ */

static void put_origin(const struct ksr_picture *picture, struct ksr_exposition *to,
		       const struct ksr_picture_origin *origin, bool is_rest, uint64_t value)
{
	const struct ksr_pool *texts = &picture->texts;
	const struct ksr_picture_group *group = &picture->groups[origin->group];
	char id[24];

	snprintf(id, sizeof(id), "%012" PRIx64, origin->id);
	begin_group(to, ksr_pool_text(texts, group->name), ksr_pool_text(texts, group->layout));
	ksr_exposition_label(to, "program", is_rest ? "" : ksr_pool_text(texts, origin->program));
	ksr_exposition_label(to, "origin", is_rest ? "(rest)" : ksr_pool_text(texts, origin->name));
	ksr_exposition_label(to, "id", is_rest ? "" : id);
	ksr_exposition_end(to, value);
}

/*
 * A site of C frames and an origin of the same frames have one id, and are two origins where some blocks of the site
 * are marked. A series stands in a text once.
 */
static bool is_one_series(const struct ksr_picture_origin *a, const struct ksr_picture_origin *b)
{
	return a->id == b->id && a->group == b->group && a->program == b->program && a->name == b->name;
}

/* Of this origin and those after it that are one series with it; false if that was one before. */
static bool sum_series(const struct ksr_picture *picture, uint32_t which, uint32_t own, enum ksr_value value,
		       uint64_t *sum)
{
	const struct ksr_picture_origin *origins = picture->origins;

	for (uint32_t i = 0; i < which; i++) {
		if (is_one_series(&origins[i], &origins[which]))
			return false;
	}
	*sum = 0;
	for (uint32_t i = which; i < own; i++)
		*sum += is_one_series(&origins[i], &origins[which]) ? origins[i].values[value] : 0;
	return true;
}

/* The first origins are the largest; those behind them are one series of each group. */
static void put_origin_family(const struct ksr_picture *picture, struct ksr_exposition *to, enum ksr_value value,
			      uint32_t own, uint64_t *rests)
{
	uint32_t groups = (uint32_t)ksm_min(picture->group_count, KSR_METRICS_GROUPS);

	ksr_exposition_value(to, value, true);
	memset(rests, 0, groups * sizeof(*rests));
	for (uint32_t i = 0; i < picture->origin_count; i++) {
		const struct ksr_picture_origin *origin = &picture->origins[i];
		uint64_t sum;

		if (i >= own && origin->group < groups)
			rests[origin->group] += origin->values[value];
		else if (i < own && sum_series(picture, i, own, value, &sum))
			put_origin(picture, to, origin, false, sum);
	}
	for (uint32_t i = 0; i < groups && own < picture->origin_count; i++) {
		const struct ksr_picture_origin rest = {.group = i};

		put_origin(picture, to, &rest, true, rests[i]);
	}
}

static void put_origins(const struct ksr_scene *scene, struct ksr_exposition *to)
{
	uint64_t own = scene->top ? scene->top : KSR_METRICS_ORIGINS;
	uint64_t rests[KSR_METRICS_GROUPS];

	for (int i = 0; i < KSR_VALUE_COUNT; i++) {
		if (ksr_metrics_has_origins((enum ksr_value)i))
			put_origin_family(scene->picture, to, (enum ksr_value)i,
					  (uint32_t)ksm_min(own, scene->picture->origin_count), rests);
	}
}

/* --- all of it ------------------------------------------------------------------------- */

void ksr_openmetrics_report(struct ksr_exposition *to, const struct ksr_scene *scene)
{
	put_processes(to, scene->report);
	put_groups(scene->picture, to);
	put_origins(scene, to);
}

int ksr_openmetrics_write(const struct ksr_scene *scene, FILE *output)
{
	struct ksr_exposition to = {.output = output, .openmetrics = true};

	ksr_openmetrics_kernel(&to, &scene->report->kernel, scene->report->page_bytes);
	put_processes(&to, scene->report);
	put_groups(scene->picture, &to);
	put_sharing(scene->report, &to);
	put_origins(scene, &to);
	fputs("# EOF\n", output);
	return 0;
}
