/* SPDX-License-Identifier: BSD-2-Clause */
/* What KSM and the stores do now, how long, and what is proposed. */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "judge/outlook.h"
#include "names/human.h"

#define PAGE 4096
#define MIB (UINT64_C(1) << 20)

static struct ksr_process process;
static struct ksr_kind kind;
static struct ksr_report report;
static struct ksr_balances balances;
static struct ksr_outlook outlook;

static void make(void)
{
	memset(&process, 0, sizeof(process));
	memset(&report, 0, sizeof(report));
	kind = (struct ksr_kind){.group = "web", .command = "app", .layout = KSMALLOC_LAYOUT_SHARED};
	kind.balance = (struct ksr_balance){.processes = 2, .needs = 100 * MIB, .pss = 100 * MIB, .mergeable = 80 * MIB,
					    .own = 60 * MIB, .for_ksm = 50 * MIB, .visited = 80 * MIB, .has_visited = true};
	balances = (struct ksr_balances){.total = kind.balance, .kinds = &kind, .count = 1};
	report.processes = &process;
	report.process_count = 1;
	report.page_bytes = PAGE;
	report.kernel = (struct ksr_kernel){.present = true, .run = 1, .pages_to_scan = 100, .sleep_millisecs = 20,
					    .pages_shared = 100, .pages_sharing = 100, .pages_unshared = 800,
					    .pages_volatile = 0, .full_scans = 9};
	process.snapshot.header.version = KSMALLOC_SEGMENT_VERSION;
	process.snapshot.header.share.aside = KSMALLOC_ASIDE_OFF;
}

static void look(void)
{
	ksr_outlook_make(&report, &balances, true, &outlook);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

Test(outlook, test_time_of_a_round, .init = make)
{
	/* 1000 pages, 100 each 20 ms. */
	cr_assert_leq(ksr_round_seconds(&report.kernel, PAGE, 0), 1);
	cr_assert_eq(ksr_round_seconds(&report.kernel, PAGE, UINT64_C(99000) * PAGE), 21);
	report.kernel.sleep_millisecs = KSR_NONE;
	cr_assert_eq(ksr_round_seconds(&report.kernel, PAGE, 0), KSR_NONE);
	report.kernel.sleep_millisecs = 20;
	report.kernel.pages_to_scan = 0;
	cr_assert_eq(ksr_round_seconds(&report.kernel, PAGE, 0), KSR_NONE);
}

Test(outlook, test_ksm, .init = make)
{
	look();
	cr_assert_eq(outlook.merging.state, KSR_ENGINE_DONE);
	report.kernel.pages_volatile = 500;
	look();
	cr_assert_eq(outlook.merging.state, KSR_ENGINE_WORKING);
	report.kernel.pages_volatile = 0;
	report.kernel.full_scans = 1;
	look();
	cr_assert_eq(outlook.merging.state, KSR_ENGINE_WORKING);
	report.kernel.full_scans = 9;
	balances.total.visited = 40 * MIB;
	look();
	cr_assert_eq(outlook.merging.state, KSR_ENGINE_WORKING);
	/* 11240 pages, twice. */
	cr_assert(outlook.merging.seconds >= 4 && outlook.merging.seconds <= 6);
	cr_assert(strstr(outlook.merging.text, "has not met 40.0 MiB"), "%s", outlook.merging.text);
	balances.total.mergeable = 0;
	look();
	cr_assert_eq(outlook.merging.state, KSR_ENGINE_UNUSED);
	cr_assert(outlook.is_hopeless);
	report.kernel.run = 0;
	look();
	cr_assert_eq(outlook.merging.state, KSR_ENGINE_STOPPED);
	report.kernel.present = false;
	look();
	cr_assert_eq(outlook.merging.state, KSR_ENGINE_MISSING);
	cr_assert(strstr(outlook.why_hopeless, "no KSM"), "%s", outlook.why_hopeless);
}

Test(outlook, test_sharing, .init = make)
{
	struct ksmalloc_segment_header *header = &process.snapshot.header;

	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_MISSING);
	header->share.aside = KSMALLOC_ASIDE_NOT;
	header->layout = KSMALLOC_LAYOUT_SHARED;
	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_WORKING, "it has made no pass");
	header->share.stats.passes_total = 3;
	header->keeper.due_ms = now_ms() + 60000;
	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_DONE);
	header->keeper.due_ms = now_ms() + 100;
	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_WORKING);
	header->share.aside = KSMALLOC_ASIDE_THREADS;
	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_UNUSED);
	/* A reason of a later version. */
	header->share.aside = 9999;
	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_UNUSED);
}

Test(outlook, test_how_long_sharing_takes, .init = make)
{
	struct ksmalloc_segment_header *header = &process.snapshot.header;

	header->share.aside = KSMALLOC_ASIDE_NOT;
	header->layout = KSMALLOC_LAYOUT_SHARED;
	header->keeper.due_ms = now_ms() + 100;
	look();
	cr_assert_eq(outlook.sharing.seconds, KSR_NONE, "nobody knows how long a pass takes");
	cr_assert_eq(ksr_sharing_seconds(&report), KSR_NONE);
	/* A pass takes 3 s, and looks at 1000 slices, after which it waits for 2 s; two are to come. */
	header->share.stats.passes_total = 4;
	header->share.stats.work_us_total = 12000000;
	header->share.stats.slices_total = 4000;
	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_WORKING);
	cr_assert(outlook.sharing.seconds >= 10 && outlook.sharing.seconds <= 11, "%lu",
		  (unsigned long)outlook.sharing.seconds);
	cr_assert(strstr(outlook.sharing.text, "done in about 1"), "%s", outlook.sharing.text);
	/* One look more, which is far. */
	header->keeper.due_ms = now_ms() + 40000;
	cr_assert(ksr_sharing_seconds(&report) >= 45 && ksr_sharing_seconds(&report) <= 46);
	look();
	cr_assert_eq(outlook.sharing.seconds, 0);
	/* It should have looked long ago: it does not rest, and nobody knows when it will. */
	header->keeper.due_ms = now_ms() - 60000;
	look();
	cr_assert_eq(outlook.sharing.state, KSR_ENGINE_WORKING);
	cr_assert_eq(outlook.sharing.seconds, KSR_NONE);
	cr_assert_eq(ksr_sharing_seconds(&report), KSR_NONE);
	header->keeper.due_ms = now_ms() + 40000;
	header->share.aside = KSMALLOC_ASIDE_THREADS;
	cr_assert_eq(ksr_sharing_seconds(&report), KSR_NONE, "nobody shares");
}

Test(outlook, test_proposals, .init = make)
{
	report.kernel.run = 0;
	kind.layout = KSMALLOC_LAYOUT_PRIVATE;
	look();
	cr_assert_eq(outlook.proposal_count, 3);
	/* Of two that are alike one copy is left. */
	cr_assert_eq(outlook.proposals[0].bytes, 25 * MIB);
	cr_assert(strstr(outlook.proposals[0].command, "doctor --fix"));
	cr_assert_eq(outlook.proposals[1].bytes, 30 * MIB);
	cr_assert(strstr(outlook.proposals[1].command, "--share --group=web"));
	cr_assert_eq(outlook.proposals[2].bytes, 30 * MIB);
	cr_assert(strstr(outlook.proposals[2].command, "ksmalloc why web"));
	/* Of one process there is nothing to say. */
	balances.total.processes = kind.balance.processes = 1;
	report.kernel.run = 1;
	look();
	cr_assert_eq(outlook.proposal_count, 0);
}

/* Who has its group for itself has nobody to share with: no keeper would change that. */
Test(outlook, test_a_process_alone, .init = make)
{
	struct ksr_vma vma = {.anonymous = 5 * MIB};

	process.smaps = (struct ksr_smaps){.vmas = &vma, .count = 1};
	process.snapshot.header.layout = KSMALLOC_LAYOUT_SHARED;
	strcpy(process.snapshot.header.group, "web");
	process.snapshot.header.share.aside = KSMALLOC_ASIDE_THREADS;
	report.kernel.run = 0;
	look();
	cr_assert(strstr(outlook.proposals[1].command, "keeper"), "%s", outlook.proposals[1].command);
	balances.total.processes = kind.balance.processes = 1;
	look();
	cr_assert_eq(outlook.proposal_count, 0);
	cr_assert(outlook.is_hopeless);
	cr_assert(strstr(outlook.why_hopeless, "no second process"), "%s", outlook.why_hopeless);
	cr_assert_str_eq(outlook.sharing.text, "The process that is to share does not.");
}

Test(outlook, test_keeper_is_late, .init = make)
{
	struct ksmalloc_segment_header *header = &process.snapshot.header;
	struct ksr_vma vma = {.anonymous = 5 * MIB};

	process.smaps = (struct ksr_smaps){.vmas = &vma, .count = 1};
	header->share.aside = KSMALLOC_ASIDE_THREADS;
	look();
	cr_assert(strstr(outlook.proposals[0].command, "keeper"), "%s", outlook.proposals[0].command);
	/* One has been there: it is not said that it has to be started. */
	header->share.stats.passes_total = 3;
	look();
	cr_assert(strstr(outlook.proposals[0].text, "no keeper has looked at 1 process with"), "%s", outlook.proposals[0].text);
	cr_assert_eq(strncmp(outlook.proposals[0].command, "ksmalloc share web", 18), 0);
}

Test(outlook, test_what_the_store_forgot, .init = make)
{
	struct ksr_group group = {.name = "web", .store = 40 * MIB, .shared = 30 * MIB};

	report.groups = &group;
	report.group_count = 1;
	look();
	cr_assert_eq(outlook.proposals[0].bytes, 10 * MIB);
	cr_assert_str_eq(outlook.proposals[0].command, "ksmalloc share web");
	/* Others of the group may have them. */
	report.is_part = true;
	look();
	cr_assert(strstr(outlook.proposals[0].command, "ksmalloc why"));
	/* What is next to nothing is no line. */
	report.is_part = false;
	group.shared = 39 * MIB;
	look();
	cr_assert(strstr(outlook.proposals[0].command, "ksmalloc why"));
}

Test(outlook, test_times)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {{0, "0 s"}, {119, "119 s"}, {120, "2 min"}, {7199, "120 min"}, {7200, "2 h"}, {UINT64_MAX - 5000, "999999 h"}};
	char text[KSR_TIME_BYTES];

	for (size_t i = 0; i < KSM_COUNT_OF(cases); i++) {
		ksr_human_seconds(cases[i].seconds, text);
		cr_expect_str_eq(text, cases[i].text);
	}
}
