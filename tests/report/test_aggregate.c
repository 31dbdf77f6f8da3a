/* SPDX-License-Identifier: BSD-2-Clause */
/* What is saved, and what only fork shares: the arithmetic of one VMA, and the sum over processes.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "aggregate.h"
#include "explain.h"
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
	struct ksr_memory memory = {.resident = 9 * P, .saved = 6 * P, .merged = UINT64_MAX};
	struct ksr_memory third = ksr_memory_share(&memory, 1, 3);

	cr_assert_eq(third.resident, 3 * P);
	cr_assert_eq(third.saved, 2 * P);
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
					     .pages_shared = 10};
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
	cr_assert(strstr(reason(&report, &site), "content of their own"));
	site.memory.fork_shared = site.memory.resident;
	cr_assert(strstr(reason(&report, &site), "shared by fork"));
	site.processes = 1;
	site.memory.fork_shared = 0;
	cr_assert(strstr(reason(&report, &site), "Only one process"));
	report.kernel.full_scans = 1;
	cr_assert(strstr(reason(&report, &site), "1 full scans"));
	report.kernel.run = 0;
	cr_assert(strstr(reason(&report, &site), "does not run"));
	report.kernel.present = false;
	cr_assert(strstr(reason(&report, &site), "has no KSM"));
	site.flags &= ~KSMALLOC_SITE_ADVISED;
	cr_assert(strstr(reason(&report, &site), "advice is off"));
	site.flags |= KSMALLOC_SITE_DENIED;
	cr_assert(strstr(reason(&report, &site), "denies"));
	site.states = 1u << KSMALLOC_SITE_TRACKED;
	cr_assert(strstr(reason(&report, &site), "not yet held"));
	ksr_report_destroy(&report);
}
