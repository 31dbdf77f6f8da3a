/* SPDX-License-Identifier: BSD-2-Clause */
/* What is saved, and what only fork shares: the arithmetic of one VMA, and the sum over processes.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "join/aggregate.h"
#include "join/balance.h"
#include "join/group.h"
#include "judge/explain.h"
#include "read/kernel.h"
#include "segment_builder.h"

#define P UINT64_C(4096)

static struct ksr_memory measure(struct ksr_vma vma)
{
	struct ksr_memory memory;

	(void)ksr_memory_from_vma(&vma, &memory);
	return memory;
}

Test(aggregate, test_memory_without_sharing)
{
	struct ksr_memory memory =
		measure((struct ksr_vma){.rss = 10 * P, .pss = 10 * P, .private_dirty = 10 * P});

	cr_assert_eq(memory.resident, 10 * P);
	cr_assert_eq(memory.saved, 0);
	cr_assert_eq(memory.fork_shared, 0);
}

Test(aggregate, test_memory_shared_by_fork_is_not_saved)
{
	struct ksr_memory memory =
		measure((struct ksr_vma){.rss = 10 * P, .pss = 5 * P, .shared_dirty = 10 * P});

	cr_assert_eq(memory.saved, 0);
	cr_assert_eq(memory.fork_shared, 5 * P);
}

Test(aggregate, test_memory_merged_only)
{
	/* 8 KSM pages mapped by 4 processes each: 2 pages remain here. */
	struct ksr_memory memory = measure((struct ksr_vma){.rss = 10 * P,
							    .pss = 4 * P,
							    .shared_clean = 8 * P,
							    .private_dirty = 2 * P,
							    .ksm = 8 * P});

	cr_assert_eq(memory.merged, 8 * P);
	cr_assert_eq(memory.saved, 6 * P);
	cr_assert_eq(memory.saved_error, 0);
	cr_assert_eq(memory.fork_shared, 0);
}

/* Six of ten pages are the store's, two of which were looked at, and two are own copies. */
Test(aggregate, test_memory_of_a_store)
{
	struct ksr_vma vma = {.begin = 0,
			      .end = 10 * P,
			      .rss = 5 * P,
			      .pss = 4 * P,
			      .shared_clean = 2 * P,
			      .private_dirty = 3 * P,
			      .anonymous = 3 * P,
			      .swap = P,
			      .flags = KSR_VMA_FILE | KSR_VMA_STORE};
	struct ksr_memory memory = measure(vma);

	cr_assert_eq(memory.shared, 6 * P);
	cr_assert_eq(memory.fork_shared, 0, "what the store saves is not fork's");
	cr_assert_eq(memory.saved, 0, "nor KSM's");
	vma.flags = KSR_VMA_FILE;
	memory = measure(vma);
	cr_assert_eq(memory.shared, 0);
	cr_assert_eq(memory.fork_shared, P);
}

/* The truth must lie within the error that is stated, whatever the mix. */
Test(aggregate, test_memory_mixed_is_within_its_error)
{
	for (uint64_t merged = 1; merged <= 50; merged += 7) {
		for (uint64_t forked = 1; forked <= 50; forked += 7) {
			for (uint64_t m = 2; m <= 9; m++) {
				for (uint64_t f = 2; f <= 9; f++) {
					uint64_t private = 3;
					uint64_t truth = merged * (P - P / m);
					uint64_t gain = truth + forked * (P - P / f);
					uint64_t rss = (merged + forked + private) * P;
					struct ksr_memory memory = measure((struct ksr_vma){
						.rss = rss,
						.pss = rss - gain,
						.shared_clean = (merged + forked) * P,
						.private_dirty = private * P,
						.ksm = merged * P});
					uint64_t low = memory.saved - memory.saved_error;
					uint64_t high = memory.saved + memory.saved_error;

					cr_assert(low <= truth + P && truth <= high + P,
						  "%lu not in %lu..%lu", truth, low, high);
					cr_assert_eq(memory.saved + memory.fork_shared, gain);
				}
			}
		}
	}
}

Test(aggregate, test_memory_ksm_above_rss_is_cut)
{
	struct ksr_memory memory =
		measure((struct ksr_vma){.rss = 2 * P, .pss = 3 * P, .ksm = 100 * P});

	cr_assert_eq(memory.merged, 2 * P);
	cr_assert_eq(memory.saved, 0, "Pss above Rss must not wrap around");
}

Test(aggregate, test_memory_share_is_proportional)
{
	struct ksr_memory memory = {.resident = 9 * P, .saved = 6 * P, .merged = UINT64_MAX, .shared = 3 * P};
	struct ksr_memory third = ksr_memory_share(&memory, 1, 3);

	cr_assert_eq(third.resident, 3 * P);
	cr_assert_eq(third.saved, 2 * P);
	cr_assert_eq(third.shared, P);
	cr_assert_eq(third.merged, UINT64_MAX / 3);
	cr_assert_eq(ksr_memory_share(&memory, 0, 0).resident, 0);
}

static void add_process(struct ksr_report *report, uint64_t ksm, bool owner)
{
	const struct builder builder = {
		.module_path = "/bin/p",
		.sites = 2,
		.slot_base = {0x10000000, 0x20000000},
		.slot_bytes = {16 * P, 16 * P},
		.advised = {true, false},
		.frames = {0x10, 0x20},
	};
	struct ksr_process *process = &report->processes[report->process_count++];
	unsigned char *bytes = malloc(BUILDER_SEGMENT_BYTES);
	char why[KSR_WHY_BYTES];
	struct ksr_vma *vmas = calloc(3, sizeof(*vmas));

	memset(process, 0, sizeof(*process));
	builder_write(&builder, bytes);
	process->snapshot.data = bytes;
	process->snapshot.size = BUILDER_SEGMENT_BYTES;
	cr_assert_eq(
		ksr_snapshot_validate(bytes, BUILDER_SEGMENT_BYTES, &process->snapshot.header, why),
		0, "%s", why);
	process->owner = owner;
	process->ksm = (struct ksr_ksm_stat){.merging_pages = ksm / P, .zero_pages = 1};
	process->status.page_tables = P;
	vmas[0] = (struct ksr_vma){.begin = 0x10000000,
				   .end = 0x10000000 + 16 * P,
				   .rss = 16 * P,
				   .pss = 16 * P - ksm / 2,
				   .shared_clean = ksm,
				   .ksm = ksm,
				   .flags = KSR_VMA_MERGEABLE};
	/* Half of this VMA lies past the end of the slot. */
	vmas[1] = (struct ksr_vma){
		.begin = 0x20000000, .end = 0x20000000 + 32 * P, .rss = 8 * P, .pss = 8 * P};
	vmas[2] = (struct ksr_vma){.begin = 0x30000000,
				   .end = 0x30000000 + 4 * P,
				   .rss = 4 * P,
				   .pss = 2 * P,
				   .shared_clean = 4 * P,
				   .ksm = 4 * P};
	process->smaps = (struct ksr_smaps){vmas, 3};
}

static void make_report(struct ksr_report *report)
{
	memset(report, 0, sizeof(*report));
	report->page_bytes = P;
	report->processes = calloc(2, sizeof(*report->processes));
	report->kernel = (struct ksr_kernel){.present = true,
					     .run = 1,
					     .full_scans = 9,
					     .pages_sharing = 20,
					     .pages_shared = 10,
					     .hints = KSR_NONE};
	add_process(report, 12 * P, true);
	add_process(report, 8 * P, false);
	cr_assert_eq(ksr_report_aggregate(NULL, report), 0);
}

Test(aggregate, test_report_sums_sites_over_processes)
{
	struct ksr_report report;
	const struct ksr_site *site;

	make_report(&report);
	cr_assert_eq(report.site_count, 2, "the unused site `other` is no row");
	site = &report.sites[0];
	cr_assert_eq(site->processes, 2);
	cr_assert_eq(site->slots, 2);
	cr_assert_eq(site->memory.resident, 32 * P);
	cr_assert_eq(site->memory.merged, 20 * P);
	cr_assert_eq(site->memory.saved, 10 * P);
	/* The second process only inherited the counters of the first. */
	cr_assert_eq(site->stats.calls_total, 10);
	cr_assert_eq(site->stats.live_bytes, 16 * P - 100);
	/* Half of the second VMA belongs to the slot. */
	cr_assert_eq(report.sites[1].memory.resident, 2 * 4 * P);
	ksr_report_destroy(&report);
}

Test(aggregate, test_report_reconciles_with_the_kernel)
{
	struct ksr_report report;

	make_report(&report);
	cr_assert_eq(report.totals.sites.saved, 10 * P);
	cr_assert_eq(report.totals.outside.merged, 2 * 4 * P);
	cr_assert_eq(report.totals.outside.saved, 2 * 2 * P);
	cr_assert_eq(report.totals.merging, 20 * P);
	cr_assert_eq(report.totals.zero, 2 * P);
	cr_assert_eq(report.totals.kernel_saved, 20 * P);
	cr_assert_eq(report.totals.kernel_merging, 30 * P);
	cr_assert_eq(report.totals.other_merging, 10 * P);
	cr_assert_eq(report.totals.page_tables, 2 * P);
	ksr_report_destroy(&report);
}

/* The processes remain, to be added up again. */
static void forget_sums(struct ksr_report *report)
{
	free(report->sites);
	free(report->origins);
	free(report->groups);
	report->sites = NULL;
	report->origins = NULL;
	report->groups = NULL;
	report->site_count = report->origin_count = report->group_count = 0;
	memset(&report->totals, 0, sizeof(report->totals));
	memset(report->parts, 0, sizeof(report->parts));
}

/*
 * Two processes as above, of a kernel that counts: a site with a hint, one without, and memory
 * outside. The first process pays for what both share.
 */
static void make_exact(struct ksr_report *report, struct ksr_counters first,
		       struct ksr_counters second)
{
	const struct ksr_counters rest = {.merged = 4, .saved = 3};

	make_report(report);
	forget_sums(report);
	for (size_t i = 0; i < 2; i++) {
		struct ksr_counter_table *table = &report->processes[i].counters;

		table->rows = calloc(2, sizeof(*table->rows));
		table->count = 2;
		table->rows[0] = rest;
		table->rows[1] = i ? second : first;
		table->rows[1].site = UINT64_C(0xa000000000);
		/* As the kernel gives it in smaps, since 6.6. */
		for (size_t k = 0; k < report->processes[i].smaps.count; k++)
			report->processes[i].smaps.vmas[k].flags |= KSR_VMA_HAS_KSM;
	}
	cr_assert_eq(ksr_report_aggregate(NULL, report), 0);
}

/* What every report of such a kernel must fulfil. */
static void check_sums(const struct ksr_report *report, uint64_t merged, uint64_t saved)
{
	const struct ksr_totals *totals = &report->totals;
	uint64_t parts = 0;

	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		parts += report->parts[i].memory.saved;
	cr_assert_eq(totals->exact.merged, merged * P);
	cr_assert_eq(totals->exact.saved, saved * P);
	cr_assert_eq(totals->sites.merged + totals->nursery.merged + totals->outside.merged +
			     totals->exact.stale_merged,
		     merged * P);
	cr_assert_eq(totals->sites.saved + totals->sites.saved_freed + totals->nursery.saved +
			     totals->outside.saved + totals->exact.stale_saved,
		     saved * P);
	cr_assert_leq(parts, totals->outside.saved);
}

Test(aggregate, test_exact_counters_replace_estimates)
{
	struct ksr_report report;
	const struct ksr_site *site;

	make_exact(&report,
		   (struct ksr_counters){.merged = 12, .saved = 1, .scanned = 50, .priority = 3},
		   (struct ksr_counters){.merged = 8, .saved = 8, .broken = 2, .stability = 2});
	site = &report.sites[0];
	cr_assert_eq(site->memory.merged, 20 * P);
	cr_assert_eq(site->memory.saved, 9 * P);
	cr_assert_eq(site->memory.saved_error, 0);
	cr_assert_eq(site->counters.processes, 2);
	cr_assert_eq(site->counters.scanned, 50);
	cr_assert_eq(site->counters.broken, 2);
	cr_assert_eq(site->counters.priority, 3);
	cr_assert_eq(site->counters.stabilities, 1u << 0 | 1u << 2);
	cr_assert_eq(report.sites[1].counters.processes, 0, "it has no row");
	cr_assert_eq(report.totals.outside.merged, 2 * 4 * P);
	cr_assert_eq(report.totals.outside.saved, 2 * 3 * P);
	cr_assert_eq(report.totals.other_saved, (20 - 15) * P);
	check_sums(&report, 28, 15);
	ksr_report_destroy(&report);
}

/* Pages that were freed since ksmd came are in the row, and not in memory. */
Test(aggregate, test_exact_counters_of_freed_pages_are_not_saved)
{
	struct ksr_report report;
	const struct ksr_memory *memory;

	make_exact(&report, (struct ksr_counters){.merged = 24, .saved = 20},
		   (struct ksr_counters){.merged = 8, .saved = 8});
	memory = &report.sites[0].memory;
	cr_assert_eq(memory->merged, 20 * P);
	cr_assert_eq(memory->saved, 35 * P / 2, "20 of 32 pages are there of 28 that are saved");
	cr_assert_eq(memory->saved_error, 5 * P / 2, "16 to 20");
	cr_assert_eq(report.totals.exact.stale_merged, 12 * P);
	check_sums(&report, 40, 34);
	ksr_report_destroy(&report);
}

/* Hints that the program gave by itself, and those of regions where smaps shows nothing merged. */
Test(aggregate, test_exact_counters_of_other_sites_are_outside)
{
	static const uint64_t sites[] = {0xbad, KSMALLOC_HINT_HEAP, KSMALLOC_HINT_MAPPINGS,
					 KSMALLOC_HINT_DATA, KSMALLOC_HINT_NURSERIES};
	struct ksr_report report;

	make_exact(&report, (struct ksr_counters){.merged = 3, .saved = 2},
		   (struct ksr_counters){.merged = 8, .saved = 8});
	for (size_t i = 0; i < KSM_COUNT_OF(sites); i++) {
		report.processes[0].counters.rows[1].site = sites[i];
		forget_sums(&report);
		cr_assert_eq(ksr_report_aggregate(NULL, &report), 0);
		cr_assert_eq(report.sites[0].counters.processes, 1);
		check_sums(&report, 19, 16);
	}
	ksr_report_destroy(&report);
}

/* In the shared layout the heap has a row of its own: it is not divided. */
Test(aggregate, test_exact_counters_of_regions)
{
	struct ksr_report report;

	make_exact(&report, (struct ksr_counters){.merged = 3, .saved = 2},
		   (struct ksr_counters){.merged = 8, .saved = 8});
	for (size_t i = 0; i < 2; i++) {
		struct ksmalloc_segment_header *header = &report.processes[i].snapshot.header;

		header->layout = KSMALLOC_LAYOUT_SHARED;
		header->heap_base = 0x30000000;
		header->heap_bytes = 4 * P;
		report.processes[i].counters.rows[0].site = KSMALLOC_HINT_HEAP;
	}
	forget_sums(&report);
	cr_assert_eq(ksr_report_aggregate(NULL, &report), 0);
	cr_assert_eq(report.parts[KSR_PART_HEAP].memory.merged, 8 * P);
	cr_assert_eq(report.parts[KSR_PART_HEAP].memory.saved, 6 * P);
	cr_assert_eq(report.sites[0].memory.saved, 10 * P);
	check_sums(&report, 19, 16);
	ksr_report_destroy(&report);
}

static const char *reason(const struct ksr_report *report, const struct ksr_site *site)
{
	static struct ksr_reasons reasons;

	ksr_explain_site(report, site, &reasons);
	return reasons.count ? reasons.text[0] : "";
}

Test(explain, test_reasons_in_order)
{
	struct ksr_report report;
	struct ksr_site site;

	make_report(&report);
	site = report.sites[0];
	cr_assert_str_eq(reason(&report, &site), "", "more than half is merged");
	site.memory.merged = 0;
	cr_assert(strstr(reason(&report, &site),
			 "content of its own, such as addresses, or changes"));
	site.stabilities = 1u << KSMALLOC_STABILITY_VOLATILE;
	cr_assert(strstr(reason(&report, &site), "written again and again"));
	site.memory.fork_shared = site.memory.resident;
	cr_assert(strstr(reason(&report, &site), "shared by fork"));
	site.processes = 1;
	site.memory.fork_shared = 0;
	cr_assert(strstr(reason(&report, &site), "Only one process"));
	report.kernel.full_scans = 1;
	cr_assert(strstr(reason(&report, &site), "has not visited everything twice"));
	report.kernel.run = 0;
	cr_assert(strstr(reason(&report, &site), "does not run"));
	report.kernel.present = false;
	cr_assert(strstr(reason(&report, &site), "has no KSM"));
	site.flags &= ~KSMALLOC_SITE_ADVISED;
	cr_assert(strstr(reason(&report, &site), "advice is off"));
	site.flags |= KSMALLOC_SITE_DENIED;
	cr_assert(strstr(reason(&report, &site), "marked as mergeable all the same"));
	site.memory.mergeable = 0;
	cr_assert(strstr(reason(&report, &site), "denies"));
	site.states = 1u << KSMALLOC_SITE_TRACKED;
	cr_assert(strstr(reason(&report, &site), "not yet held"));
	ksr_report_destroy(&report);
}

/* What the program has freed is no content; and of what it holds the usual is said. */
Test(explain, test_freed_memory)
{
	struct ksr_report report;
	struct ksr_reasons reasons;
	struct ksr_site site;

	make_report(&report);
	site = report.sites[0];
	site.memory = (struct ksr_memory){.resident = 256 * P, .mergeable = 256 * P};
	site.stats.placed_bytes = 16 * P;
	site.stats.kept_bytes = 1000 * P; /* most of it was never written */
	ksr_explain_site(&report, &site, &reasons);
	cr_assert_eq(reasons.count, 1);
	cr_assert(strstr(reasons.text[0], "960.0 KiB of it is freed memory"), "%s",
		  reasons.text[0]);
	/* Kept more than resident, and less. */
	site.stats.kept_bytes = 96 * P;
	ksr_explain_site(&report, &site, &reasons);
	cr_assert_eq(reasons.count, 2);
	cr_assert(strstr(reasons.text[0], "384.0 KiB of it is freed memory"));
	cr_assert(strstr(reasons.text[1], "content of its own"));
	site.stats.kept_bytes = 16 * P;
	cr_assert(strstr(reason(&report, &site), "content of its own"));
	/* Much is merged, and what is not is freed: nothing is left to be content of its own. */
	site.memory.merged = 120 * P;
	site.stats.placed_bytes = 120 * P;
	site.stats.kept_bytes = 136 * P;
	ksr_explain_site(&report, &site, &reasons);
	cr_assert_eq(reasons.count, 1);
	cr_assert(strstr(reasons.text[0], "544.0 KiB of it is freed memory"), "%s",
		  reasons.text[0]);
	ksr_report_destroy(&report);
}

/* Counters of the whole machine are said of the machine, once, and of no site. */
Test(explain, test_the_machine)
{
	struct ksr_report report;
	struct ksr_reasons reasons;
	struct ksr_site site;
	char before[KSR_REASON_BYTES];

	make_report(&report);
	site = report.sites[0];
	site.memory.merged = 0;
	report.kernel.pages_unshared = 10;
	report.kernel.pages_volatile = 5;
	ksr_explain_machine(&report, &reasons);
	cr_assert_eq(reasons.count, 0);
	snprintf(before, sizeof(before), "%s", reason(&report, &site));
	report.kernel.pages_volatile = 1 << 20;
	ksr_explain_machine(&report, &reasons);
	cr_assert_eq(reasons.count, 1);
	cr_assert(strstr(reasons.text[0], "4.0 GiB change between two visits"), "%s",
		  reasons.text[0]);
	cr_assert_str_eq(reason(&report, &site), before);
	/* A kernel that counts by site has told it of each. */
	report.totals.exact.processes = 1;
	ksr_explain_machine(&report, &reasons);
	cr_assert_eq(reasons.count, 0);
	report.kernel.full_scans = 1;
	ksr_explain_machine(&report, &reasons);
	cr_assert(strstr(reasons.text[0], "1 full scan."));
	report.kernel.run = 0;
	ksr_explain_machine(&report, &reasons);
	cr_assert_eq(reasons.count, 0);
	ksr_report_destroy(&report);
}

/* What hostile processes say of their files is no more than memory has, and a reason that there is not is a failure. */
Test(aggregate, test_store_of_hostile_processes)
{
	struct builder builder = {
		.module_path = "/bin/p", .group = "web", .is_sharing = true, .share = {.aside = UINT32_MAX}};
	struct ksr_report report = {.page_bytes = P, .processes = calloc(4, sizeof(*report.processes))};
	char why[KSR_WHY_BYTES];

	for (uint64_t i = 0; i < 4; i++) {
		struct ksr_process *process = &report.processes[report.process_count++];
		unsigned char *bytes = malloc(BUILDER_SEGMENT_BYTES);

		for (uint64_t k = 0; k < KSMALLOC_MAX_STORE_FILES; k++)
			builder.share.files[k] = (struct ksmalloc_segment_store_file){1 + 100 * i + k, UINT64_MAX};
		builder_write(&builder, bytes);
		process->snapshot.data = bytes;
		process->snapshot.size = BUILDER_SEGMENT_BYTES;
		cr_assert_eq(ksr_snapshot_validate(bytes, BUILDER_SEGMENT_BYTES, &process->snapshot.header, why), 0, "%s",
			     why);
	}
	cr_assert_eq(ksr_report_aggregate(NULL, &report), 0);
	cr_assert_eq(report.group_count, 1);
	cr_assert_eq(report.groups[0].store, UINT64_C(1) << 56);
	cr_assert_eq(report.groups[0].store_files, 4 * KSMALLOC_MAX_STORE_FILES);
	cr_assert_eq(report.groups[0].asked, 4);
	cr_assert_eq(report.groups[0].aside, 4);
	cr_assert_eq(report.groups[0].reasons[KSMALLOC_ASIDE_FAILED], 4);
	ksr_report_destroy(&report);
}

/* A process that maps 16 pages of its group's store; in its second site if that is wanted. */
static void add_sharer(struct ksr_report *report, const char *group, uint64_t inode, bool second)
{
	struct builder builder = {.module_path = "/bin/p", .group = group, .is_sharing = true, .sites = 2,
				  .slot_base = {0x10000000, 0x20000000}, .slot_bytes = {16 * P, 16 * P},
				  .frames = {0x10, 0x20}};
	struct ksr_process *process = &report->processes[report->process_count++];
	unsigned char *bytes = malloc(BUILDER_SEGMENT_BYTES);
	struct ksr_vma *vma = calloc(1, sizeof(*vma));
	char why[KSR_WHY_BYTES];

	builder.share.files[0] = (struct ksmalloc_segment_store_file){inode, 16 * P};
	builder_write(&builder, bytes);
	process->snapshot.data = bytes;
	process->snapshot.size = BUILDER_SEGMENT_BYTES;
	cr_assert_eq(ksr_snapshot_validate(bytes, BUILDER_SEGMENT_BYTES, &process->snapshot.header, why), 0, "%s", why);
	process->owner = true;
	vma->begin = builder.slot_base[second];
	vma->end = vma->begin + 16 * P;
	vma->flags = KSR_VMA_FILE | KSR_VMA_STORE;
	process->smaps = (struct ksr_smaps){vma, 1};
}

/* What one group's store saves is not another's, whose files take as much as they are mapped. */
Test(aggregate, test_stores_save_for_their_own_group)
{
	struct ksr_report report = {.page_bytes = P, .processes = calloc(4, sizeof(*report.processes))};
	struct ksr_balances balances;

	add_sharer(&report, "web", 7, false);
	add_sharer(&report, "web", 7, false);
	add_sharer(&report, "batch", 8, true);
	add_sharer(&report, "batch", 9, true);
	cr_assert_eq(ksr_report_aggregate(NULL, &report), 0);
	cr_assert_eq(report.site_count, 2);
	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(report.sites[i].memory.shared, 32 * P);
	cr_assert_eq(report.sites[0].memory.stored, 16 * P);
	cr_assert_eq(report.sites[1].memory.stored, 32 * P);
	/* So the places add up to what each group's processes save. */
	cr_assert_eq(ksr_balances_create(&report, &balances), 0);
	cr_assert_eq(balances.total.shared, 16 * P);
	ksr_balances_destroy(&balances);
	ksr_report_destroy(&report);
}

/* What the kernel counts by site says more than what it counts for the machine. */
Test(explain, test_reasons_of_a_kernel_that_counts)
{
	struct ksr_report report;
	struct ksr_reasons reasons;
	struct ksr_site site;

	make_report(&report);
	site = report.sites[0];
	site.counters = (struct ksr_site_counters){.processes = 2, .priority = 8};
	site.memory.merged = 4 * P;
	cr_assert(strstr(reason(&report, &site), "Never scanned yet: KSM has not come"));
	site.counters.scanned = 100;
	site.counters.changing = 20 * P;
	cr_assert(strstr(reason(&report, &site), "change between two visits"));
	site.counters.stabilities = 1u << KSMALLOC_STABILITY_VOLATILE;
	cr_assert(strstr(reason(&report, &site), "hinted as volatile"));
	site.counters.changing = 0;
	cr_assert(strstr(reason(&report, &site), "content of their own, such as addresses:"));
	site.counters.skipped = 300;
	cr_assert(strstr(reason(&report, &site), "smart_scan skipped 300 of 400 visits"));
	report.kernel.hints = 0;
	cr_assert(strstr(reason(&report, &site), "told not to heed hints"));
	site.memory.merged = 20 * P;
	site.counters.broken = 5;
	ksr_explain_site(&report, &site, &reasons);
	cr_assert_eq(reasons.count, 1, "it merges, and is written to nevertheless");
	cr_assert(strstr(reasons.text[0], "Written again after merging: 5 pages were broken"));
	site.counters.broken = 4;
	cr_assert_str_eq(reason(&report, &site), "");
	ksr_report_destroy(&report);
}
