/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The questions are asked in the order in which a page passes the conditions:
 * is there memory at all, does the program use it, was it offered, does KSM run,
 * has it had the time, is there a partner, is the content equal and does it keep
 * still. The first that fails explains all that follows, so asking stops there.
 *
 * What the kernel counts for the whole machine is said once, in a note: of one
 * site it tells nothing.
 */
#include "judge/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "names/human.h"
#include "read/kernel.h"

static void say(struct ksr_reasons *reasons, const char *format, ...) KSM_PRINTF(2, 3);

static void say(struct ksr_reasons *reasons, const char *format, ...)
{
	va_list args;

	if (reasons->count == KSR_REASONS_MOST)
		return;
	va_start(args, format);
	vsnprintf(reasons->text[reasons->count++], KSR_REASON_BYTES, format, args);
	va_end(args);
}

/* true when the blocks never come into memory that could be offered. */
static bool explain_placement(const struct ksr_site *site, struct ksr_reasons *reasons)
{
	uint32_t placed = 1u << KSMALLOC_SITE_PLACED;

	if (site->states & placed)
		return false;
	say(reasons, "It has not yet held enough memory at once to get memory of its own.");
	return true;
}

/* Freed memory that the allocator keeps: nothing is in it that could be like anything. */
static uint64_t freed_bytes(const struct ksr_site *site)
{
	return ksm_min(site->stats.kept_bytes,
		       ksr_less(site->memory.resident, site->stats.placed_bytes));
}

/* true when most of what is not merged is no memory of the program. */
static bool explain_freed(const struct ksr_site *site, struct ksr_reasons *reasons)
{
	uint64_t unmerged = ksr_less(site->memory.resident, site->memory.merged);
	uint64_t freed = ksm_min(freed_bytes(site), unmerged);
	char text[KSR_HUMAN_BYTES];

	if (freed == 0 || freed < unmerged / 4)
		return false;
	ksr_human_bytes(freed, text);
	say(reasons,
	    "%s of it is freed memory that the allocator keeps: nothing is there to merge; "
	    "malloc_trim(3) gives it back.",
	    text);
	return freed > unmerged / 2;
}

static bool explain_advice(const struct ksr_site *site, struct ksr_reasons *reasons)
{
	if (site->flags & KSMALLOC_SITE_DENIED) {
		say(reasons, site->memory.mergeable ?
				     "It is denied to KSM, and marked as mergeable all the same (see doctor)." :
				     "It is not offered to KSM: the filter or the policy denies it.");
		return site->memory.mergeable == 0;
	}
	if (!(site->flags & KSMALLOC_SITE_ADVISED)) {
		say(reasons, "It is not offered to KSM: advice is off, or it failed (see doctor).");
		return true;
	}
	if (site->memory.mergeable < site->memory.not_asked)
		say(reasons, "The kernel did not mark most of it as mergeable (see doctor).");
	return site->memory.mergeable == 0 && site->memory.not_asked != 0;
}

static bool explain_engine(const struct ksr_kernel *kernel, struct ksr_reasons *reasons)
{
	if (!kernel->present) {
		say(reasons, "The kernel has no KSM (CONFIG_KSM).");
		return true;
	}
	if (kernel->run != 1) {
		say(reasons, "KSM does not run: as root, 'ksmalloc doctor --fix' starts it.");
		return true;
	}
	if (kernel->full_scans != KSR_NONE && kernel->full_scans < 2) {
		say(reasons, "KSM has not visited everything twice yet; a page merges at its "
			     "second visit at the earliest.");
		return true;
	}
	return false;
}

/* true when it is the kernel's own scanner that has not come to it. */
static bool explain_visits(const struct ksr_report *report, const struct ksr_site *site,
			   struct ksr_reasons *reasons)
{
	const struct ksr_site_counters *counters = &site->counters;
	const struct ksr_kernel *kernel = &report->kernel;

	if (counters->processes == 0)
		return false;
	if (kernel->hints == 0 && counters->priority)
		say(reasons, "The kernel is told not to heed hints (hints is 0; see doctor).");
	if (counters->scanned == 0) {
		say(reasons, "Never scanned yet: KSM has not come to it since it is there.");
		return true;
	}
	return false;
}

/* Writes after merging are worth a word for a site that merges well, too. */
static void explain_broken(const struct ksr_report *report, const struct ksr_site *site,
			   struct ksr_reasons *reasons)
{
	const struct ksr_site_counters *counters = &site->counters;

	if (counters->broken == 0 ||
	    counters->broken * report->page_bytes < site->memory.merged / 4)
		return;
	say(reasons,
	    "Written again after merging: %" PRIu64 " pages were broken, of %" PRIu64
	    " visits; data that is written belongs in a block of its own.",
	    counters->broken, counters->scanned);
}

/* What the kernel counts instead of merges; true if that is all there is to say. */
static bool explain_counted(const struct ksr_site *site, struct ksr_reasons *reasons)
{
	const struct ksr_site_counters *counters = &site->counters;
	uint64_t tried = counters->unshared + site->memory.merged;
	bool waits = counters->changing > tried;
	double mib = (double)counters->changing / (double)KSM_MIB;

	if (counters->processes == 0)
		return false;
	if (waits && counters->stabilities & 1u << KSMALLOC_STABILITY_VOLATILE)
		say(reasons,
		    "%.1f MiB change between two visits, or were not tried yet; it is hinted as "
		    "volatile: pages must be found unchanged five times.",
		    mib);
	else if (waits)
		say(reasons,
		    "%.1f MiB change between two visits, or were not tried yet: a page is tried "
		    "when it was found unchanged.",
		    mib);
	if (counters->skipped > counters->scanned)
		say(reasons,
		    "smart_scan skipped %" PRIu64 " of %" PRIu64 " visits, since nothing merged "
		    "before; that passes when something changes.",
		    counters->skipped, counters->skipped + counters->scanned);
	return waits;
}

static void explain_content(const struct ksr_site *site, struct ksr_reasons *reasons)
{
	const struct ksr_site_counters *counters = &site->counters;
	bool is_volatile = site->stabilities == 1u << KSMALLOC_STABILITY_VOLATILE;

	if (site->processes == 1)
		say(reasons, "Only one process has it: equal pages must then lie in that one.");
	if (explain_counted(site, reasons))
		return;
	if (counters->processes)
		say(reasons,
		    "Most of its pages have content of their own, such as addresses: "
		    "'ksmalloc estimate' tells what could merge, 'ksmalloc diff' what differs.");
	else if (is_volatile)
		say(reasons, "Its content is written again and again, as the library found: what "
			     "changes between two visits of KSM does not merge.");
	else
		/* A stock kernel does not tell one from the other. */
		say(reasons, "What is not merged is content of its own, such as addresses, or "
			     "changes between two visits: 'ksmalloc estimate' and 'ksmalloc diff' "
			     "tell.");
}

void ksr_explain_site(const struct ksr_report *report, const struct ksr_site *site,
		      struct ksr_reasons *reasons)
{
	reasons->count = 0;
	explain_broken(report, site, reasons);
	/* More than half merged, or shared before KSM came: there is nothing to explain. */
	if (site->memory.resident && site->memory.merged >= site->memory.resident / 2)
		return;
	if (site->memory.shared > site->memory.resident / 2)
		return;
	if (explain_placement(site, reasons))
		return;
	if (site->memory.resident == 0) {
		say(reasons, "It holds no resident memory now.");
		return;
	}
	if (explain_freed(site, reasons) || explain_advice(site, reasons) ||
	    explain_engine(&report->kernel, reasons) || explain_visits(report, site, reasons))
		return;
	if (site->memory.fork_shared > site->memory.resident / 2)
		say(reasons, "Its pages are still shared by fork: there is nothing left to merge.");
	else
		explain_content(site, reasons);
}

/* Nobody can tell whose pages these are: the machine may be full of other programs. */
static void explain_changing(const struct ksr_report *report, struct ksr_reasons *reasons)
{
	const struct ksr_kernel *kernel = &report->kernel;
	uint64_t changing = kernel->pages_volatile;
	char text[KSR_HUMAN_BYTES];

	if (changing == KSR_NONE || kernel->pages_unshared == KSR_NONE ||
	    changing <= kernel->pages_unshared || report->totals.exact.processes ||
	    changing * report->page_bytes <= report->totals.sites.resident / 4)
		return;
	ksr_human_bytes(changing * report->page_bytes, text);
	say(reasons,
	    "On the whole machine %s change between two visits of KSM, or were not tried yet; of "
	    "which sites, this kernel does not tell.",
	    text);
}

void ksr_explain_machine(const struct ksr_report *report, struct ksr_reasons *reasons)
{
	const struct ksr_kernel *kernel = &report->kernel;

	reasons->count = 0;
	if (!kernel->present || kernel->run != 1)
		return;
	if (kernel->full_scans != KSR_NONE && kernel->full_scans < 2)
		say(reasons, "KSM has made %" PRIu64 " full scan%s.", kernel->full_scans,
		    kernel->full_scans == 1 ? "" : "s");
	else
		explain_changing(report, reasons);
}
