/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The questions are asked in the order in which a page passes the conditions:
 * is there memory at all, was it offered, does KSM run, has it had the time,
 * is there a partner, is the content equal and does it keep still. The first
 * that fails explains all that follows, so asking stops there.
 */
#include "explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

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
	say(reasons, "It has not yet held enough memory at once to get a slot of its own.");
	return true;
}

static bool explain_advice(const struct ksr_site *site, struct ksr_reasons *reasons)
{
	if (site->flags & KSMALLOC_SITE_DENIED) {
		say(reasons, "It is not offered to KSM: the filter or the policy denies it.");
		return true;
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
		say(reasons,
		    "KSM has made %" PRIu64 " full scans; a page merges at its second "
		    "visit at the earliest.",
		    kernel->full_scans);
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
		say(reasons,
		    "Never scanned yet: KSM has made %" PRIu64 " full scans, and has not come to "
		    "it since it is there.",
		    kernel->full_scans == KSR_NONE ? 0 : kernel->full_scans);
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

static void explain_content(const struct ksr_report *report, const struct ksr_site *site,
			    struct ksr_reasons *reasons)
{
	const struct ksr_kernel *kernel = &report->kernel;
	uint64_t volatile_pages = kernel->pages_volatile == KSR_NONE ? 0 : kernel->pages_volatile;
	uint64_t unshared_pages = kernel->pages_unshared == KSR_NONE ? 0 : kernel->pages_unshared;

	if (site->processes == 1)
		say(reasons, "Only one process has it: equal pages must then lie in that one.");
	if (explain_counted(site, reasons))
		return;
	if (site->counters.processes == 0 && volatile_pages > unshared_pages &&
	    volatile_pages * report->page_bytes > report->totals.sites.resident / 4)
		say(reasons, "Many pages of this machine change faster than KSM visits them.");
	say(reasons, "Most of its pages have content of their own, such as addresses: "
		     "'ksmalloc estimate' tells what could merge, 'ksmalloc diff' what differs.");
}

void ksr_explain_site(const struct ksr_report *report, const struct ksr_site *site,
		      struct ksr_reasons *reasons)
{
	reasons->count = 0;
	explain_broken(report, site, reasons);
	/* More than half merged: there is nothing to explain. */
	if (site->memory.resident && site->memory.merged >= site->memory.resident / 2)
		return;
	if (explain_placement(site, reasons))
		return;
	if (site->memory.resident == 0) {
		say(reasons, "It holds no resident memory now.");
		return;
	}
	if (explain_advice(site, reasons) || explain_engine(&report->kernel, reasons) ||
	    explain_visits(report, site, reasons))
		return;
	if (site->memory.fork_shared > site->memory.resident / 2)
		say(reasons, "Its pages are still shared by fork: there is nothing left to merge.");
	else
		explain_content(report, site, reasons);
}
