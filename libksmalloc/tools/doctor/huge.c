/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Huge pages come from the machine's setting, or from a program that asks for
 * them by madvise(MADV_HUGEPAGE): then no setting but 'never' helps, but what
 * the program itself can be told. The kernel shows who asked (hg in smaps).
 */
#define _GNU_SOURCE
#include "doctor/huge.h"

#include <stdlib.h>
#include <string.h>

static bool maps_numpy(const struct ksr_worker *member)
{
	for (uint32_t i = 0; i < member->space.region_count; i++) {
		const struct ksr_region *region = &member->space.regions[i];

		if (region->kind == KSR_REGION_FILE && strstr(region->name, "/numpy/"))
			return true;
	}
	return false;
}

/* numpy asks for huge pages for its arrays, unless its environment forbids it. */
static bool numpy_asks(const struct ksr_worker *member)
{
	const char *value = ksr_worker_variable(member, "NUMPY_MADVISE_HUGEPAGE");

	return maps_numpy(member) && !(value && strcmp(value, "0") == 0);
}

static void find_given(const struct ksr_workers *members, const char *setting,
		       struct ksr_findings *findings)
{
	uint64_t given = 0;

	for (size_t i = 0; i < members->count; i++)
		given += members->list[i].huge - members->list[i].asked_huge;
	if (given)
		ksr_find(findings, KSR_LEVEL_WARN, "huge_pages",
			 strcmp(setting, "always") == 0
				 ? "set /sys/kernel/mm/transparent_hugepage/enabled to madvise"
				 : "start the processes anew: nobody would get them unasked now",
			 "%.1f MiB of these processes are huge pages: KSM has to split them before "
			 "it "
			 "merges, and they are filled up with zeros",
			 (double)given / (double)KSM_MIB);
}

static void find_asked(const struct ksr_workers *members, const char *setting,
		       struct ksr_findings *findings)
{
	const struct ksr_worker *most = &members->list[0];
	uint64_t asked = 0;
	uint64_t huge = 0;
	size_t count = 0;

	for (size_t i = 0; i < members->count; i++) {
		const struct ksr_worker *member = &members->list[i];

		asked += member->asked;
		huge += member->asked_huge;
		count += member->asked != 0;
		if (member->asked > most->asked)
			most = member;
	}
	/* Where nobody gets any, nothing is lost by asking. */
	if (!asked || (!huge && strcmp(setting, "never") == 0))
		return;
	ksr_find(findings, KSR_LEVEL_WARN, "huge_pages_asked",
		 numpy_asks(most) ? "set NUMPY_MADVISE_HUGEPAGE=0 in its environment: numpy asks "
				    "for them for "
				    "large arrays"
				  : "let the program not call madvise(MADV_HUGEPAGE), as for "
				    "memory that is not "
				    "to merge",
		 "transparent huge pages are at '%s', and process %d%s asked for them itself, for "
		 "%.1f MiB, of which %.1f MiB are huge pages: KSM has to split them before it "
		 "merges",
		 setting, (int)most->pid, count > 1 ? " (as others)" : "",
		 (double)asked / (double)KSM_MIB, (double)huge / (double)KSM_MIB);
}

void ksr_check_huge_pages(const struct ksr_fs *fs, const struct ksr_workers *members,
			  struct ksr_findings *findings)
{
	struct ksr_text text;
	char setting[32];

	if (members->count == 0 ||
	    ksr_fs_read(fs, &text, "sys/kernel/mm/transparent_hugepage/enabled"))
		return;
	ksr_chosen_word(text.data, setting, sizeof(setting));
	ksr_text_free(&text);
	find_given(members, setting, findings);
	find_asked(members, setting, findings);
}
