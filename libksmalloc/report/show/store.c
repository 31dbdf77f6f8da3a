/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What groups share without KSM, and why processes do not. Neither table has a row where no process was asked to
 * share.
 */
#define _GNU_SOURCE
#include "show/store.h"

#include "join/aside.h"
#include "join/group.h"

#define STAT_COLUMN(name, kind, help) {#name, NULL},

static const struct ksr_column store_columns[] = {
	{"group", "GROUP"},
	{"asked", "PROCESSES"},
	{"aside", "ASIDE"},
	{"shared", "SHARED"},
	{"store", "STORE"},
	{"store_huge", "HUGE"},
	{"saved_by_sharing", "SAVED"},
	{"store_files", "FILES"},
	{"passes", "PASSES"},
	{"milliseconds", "MS"},
	KSMALLOC_SHARE_STATS(STAT_COLUMN)
	KSMALLOC_HUGE_STATS(STAT_COLUMN)};

static const struct ksr_column aside_columns[] = {
	{"group", "GROUP"}, {"processes", "PROCESSES"}, {"reason", NULL}, {"remedy", NULL}, {"words", "WHY ASIDE"},
};

static void render_group(const struct ksr_group *group, struct ksr_emitter *emitter)
{
#define STAT_CELL(name, kind, help) ksr_cell_count(group->share.name),
#define HUGE_CELL(name, kind, help) ksr_cell_count(group->huge.name),
	struct ksr_cell cells[] = {
		ksr_cell_text(group->name[0] ? group->name : NULL),
		ksr_cell_count(group->asked),
		ksr_cell_count(group->aside),
		ksr_cell_bytes(group->shared),
		ksr_cell_bytes(group->store),
		ksr_cell_bytes(group->store_huge),
		ksr_cell_bytes(ksr_less(group->shared, group->store)),
		ksr_cell_count(group->store_files),
		ksr_cell_count(group->share.passes_total),
		ksr_cell_count(group->share.work_us_total / 1000),
		KSMALLOC_SHARE_STATS(STAT_CELL)
		KSMALLOC_HUGE_STATS(HUGE_CELL)
	};

	static_assert(KSM_COUNT_OF(cells) == KSM_COUNT_OF(store_columns), "each column has its cell");
	ksr_emitter_row(emitter, cells);
}

static void render_reasons(const struct ksr_group *group, struct ksr_emitter *emitter)
{
	for (uint32_t reason = 0; reason < KSMALLOC_ASIDE_COUNT; reason++) {
		const char *remedy = ksr_aside_remedy(reason);
		struct ksr_cell cells[] = {
			ksr_cell_text(group->name[0] ? group->name : NULL),
			ksr_cell_count(group->reasons[reason]),
			ksr_cell_text(ksr_aside_key(reason)),
			ksr_cell_text(remedy[0] ? remedy : NULL),
			ksr_cell_sentence(ksr_aside_words(reason)),
		};

		if (group->reasons[reason])
			ksr_emitter_row(emitter, cells);
	}
}

void ksr_render_stores(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	ksr_emitter_table_begin(emitter, "stores", store_columns, KSM_COUNT_OF(store_columns));
	for (size_t i = 0; i < report->group_count; i++) {
		if (report->groups[i].asked)
			render_group(&report->groups[i], emitter);
	}
	ksr_emitter_table_end(emitter);
	ksr_emitter_table_begin(emitter, "aside", aside_columns, KSM_COUNT_OF(aside_columns));
	for (size_t i = 0; i < report->group_count; i++)
		render_reasons(&report->groups[i], emitter);
	ksr_emitter_table_end(emitter);
}

void ksr_render_store_totals(const struct ksr_totals *totals, struct ksr_emitter *emitter)
{
	/* Of a store's pages those that nobody has touched yet are in nobody's Pss. */
	uint64_t used = ksr_less(totals->pss, totals->store_pss) + ksm_max(totals->store, totals->store_pss);
	struct {
		const char *key;
		const char *title;
		uint64_t bytes;
	} const lines[] = {
		{"shared_in_sites", "shared in sites", totals->sites.shared},
		{"shared_in_nursery", "shared, blocks of small places", totals->nursery.shared},
		{"shared", "shared by the groups' stores", totals->shared},
		{"store", "what the stores take", totals->store},
		{"store_huge", "of that, on huge pages", totals->store_huge},
		{"pss", "Pss of these processes", totals->pss},
		{"store_pss", "of that, pages of the stores", totals->store_pss},
		{"used", "used by these processes and the stores", used},
	};

	for (size_t i = 0; totals->sharing_asked && i < KSM_COUNT_OF(lines); i++)
		ksr_emitter_value(emitter, lines[i].key, lines[i].title, ksr_cell_bytes(lines[i].bytes));
}
