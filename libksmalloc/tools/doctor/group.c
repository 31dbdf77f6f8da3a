/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members are compared with the first one: what differs from it differs. Where
 * a group has several programs, those of the most frequent one are looked at, and
 * where some have forked others, siblings (judge/siblings.h).
 */
#define _GNU_SOURCE
#include "doctor/group.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/bounds.h"
#include "doctor/environment.h"
#include "doctor/folders.h"
#include "doctor/huge.h"
#include "doctor/language.h"
#include "doctor/sample.h"
#include "join/aggregate.h"
#include "judge/siblings.h"
#include "judge/worker.h"
#include "read/space.h"

/* Findings about files after which no further process is looked at. */
#define MOST_FILES 4

/* --- layouts ----------------------------------------------------------------------------- */

static const struct ksmalloc_segment_header *header_of(const struct ksr_worker *member)
{
	return member->space.has_segment ? &member->space.snapshot.header : NULL;
}

static bool is_shared(const struct ksr_worker *member)
{
	const struct ksmalloc_segment_header *header = header_of(member);

	return header && header->layout == KSMALLOC_LAYOUT_SHARED;
}

static void check_layout(const struct ksr_workers *members, struct ksr_findings *findings)
{
	size_t shared = 0;
	size_t with_segment = 0;

	for (size_t i = 0; i < members->count; i++) {
		const struct ksmalloc_segment_header *header = header_of(&members->list[i]);

		shared += is_shared(&members->list[i]);
		with_segment += header != NULL;
		if (header && header->stats.layout_errno)
			ksr_find(findings, KSR_LEVEL_BAD, "layout_errno",
				 "EPERM: let the seccomp profile of the container allow "
				 "personality; ENOMEM: leave ulimit -v and -d away; others: see what 'ksmalloc run' says at the start",
				 "process %d has not the layout of its group: %s",
				 (int)members->list[i].pid,
				 strerror((int)ksm_min(header->stats.layout_errno, 4095)));
	}
	if (with_segment < members->count)
		ksr_find(findings, KSR_LEVEL_BAD, "segment",
			 "start all of them with 'ksmalloc run --layout=shared --group=NAME'",
			 "%zu of %zu processes have no statistics: they do not run under ksmalloc, or "
			 "KSMALLOC_STATS is 0",
			 members->count - with_segment, members->count);
	if (shared < with_segment)
		ksr_find(findings, KSR_LEVEL_BAD, "layout",
			 "start all of them with 'ksmalloc run --layout=shared --group=NAME'; else "
			 "pages with pointers do not merge",
			 "%zu of %zu processes have not the shared layout", with_segment - shared,
			 members->count);
	else if (with_segment)
		ksr_find(findings, KSR_LEVEL_OK, "layout", "",
			 "all %zu processes with statistics have the shared layout", shared);
}

/* Regions of the member that lie elsewhere than in the first, and one of their names. */
static size_t count_moved(const struct ksr_space *first, const struct ksr_space *other,
			  const uint32_t *match, const char **name)
{
	size_t moved = 0;

	for (uint32_t i = 0; i < first->region_count; i++) {
		const struct ksr_region *region = &first->regions[i];

		if (region->kind != KSR_REGION_FILE || match[i] == KSR_REGION_NONE ||
		    other->regions[match[i]].base == region->base)
			continue;
		if (moved++ == 0)
			*name = region->name;
	}
	return moved;
}

/* Files of code that only one of the two has mapped. */
static size_t count_unmatched(const struct ksr_space *first, const struct ksr_space *other,
			      const uint32_t *match, const char **name)
{
	size_t count = 0;

	for (uint32_t i = 0; i < first->region_count; i++) {
		const struct ksr_region *region = &first->regions[i];

		if (region->kind == KSR_REGION_FILE && match[i] == KSR_REGION_NONE &&
		    strstr(region->name, ".so") && count++ == 0)
			*name = region->name;
	}
	(void)other;
	return count;
}

static void compare_files(const struct ksr_worker *first, const struct ksr_worker *other,
			  struct ksr_findings *findings)
{
	uint32_t *match = ksr_space_match(&first->space, &other->space);
	uint32_t *back = ksr_space_match(&other->space, &first->space);
	const char *name = "";
	size_t count;

	if (match && back) {
		count = count_unmatched(&first->space, &other->space, match, &name) +
			count_unmatched(&other->space, &first->space, back, &name);
		if (count)
			ksr_find(findings, KSR_LEVEL_WARN, "libraries",
				 "load the same libraries in all workers, in the same order",
				 "processes %d and %d: %zu librar%s mapped in one of them only, "
				 "such as %s",
				 (int)first->pid, (int)other->pid, count, count == 1 ? "y" : "ies",
				 name);
		count = count_moved(&first->space, &other->space, match, &name);
		/* Randomised addresses are one finding, of the layout. */
		if (count && is_shared(first) && is_shared(other))
			ksr_find(findings, KSR_LEVEL_BAD, "library_address",
				 "load the same libraries in the same order, and map nothing "
				 "between that differs",
				 "processes %d and %d: %zu file(s) lie at other addresses, such as "
				 "%s",
				 (int)first->pid, (int)other->pid, count, name);
	}
	free(match);
	free(back);
}

static bool find_module(const struct ksr_snapshot *snapshot, const char *path,
			struct ksmalloc_segment_module *module)
{
	for (uint32_t i = 0; i < snapshot->header.modules.count; i++) {
		if (ksr_snapshot_module(snapshot, i, module) &&
		    strcmp(ksr_snapshot_string(snapshot, module->path_string), path) == 0)
			return true;
	}
	return false;
}

/* Sites are told by build-ids: another build of a file has other sites and other code. */
static void compare_builds(const struct ksr_worker *first, const struct ksr_worker *other,
			   struct ksr_findings *findings)
{
	const struct ksr_snapshot *snapshot = &first->space.snapshot;

	if (!header_of(first) || !header_of(other))
		return;
	for (uint32_t i = 0; i < snapshot->header.modules.count; i++) {
		struct ksmalloc_segment_module mine;
		struct ksmalloc_segment_module theirs;
		const char *path;

		if (!ksr_snapshot_module(snapshot, i, &mine))
			continue;
		path = ksr_snapshot_string(snapshot, mine.path_string);
		if (!find_module(&other->space.snapshot, path, &theirs) ||
		    (mine.build_id_bytes == theirs.build_id_bytes &&
		     memcmp(mine.build_id, theirs.build_id, mine.build_id_bytes) == 0))
			continue;
		ksr_find(findings, KSR_LEVEL_BAD, "build_id",
			 "start the workers anew, all with the same files",
			 "processes %d and %d run different builds of %s", (int)first->pid,
			 (int)other->pid, path);
	}
}

static void check_files(const struct ksr_workers *members, struct ksr_findings *findings)
{
	size_t before = findings->count;

	/* Of many workers that differ from the first in the same way, some are enough to say so. */
	for (size_t i = 1; i < members->count && findings->count - before < MOST_FILES; i++) {
		compare_files(&members->list[0], &members->list[i], findings);
		compare_builds(&members->list[0], &members->list[i], findings);
	}
	if (findings->count == before)
		ksr_find(findings, KSR_LEVEL_OK, "libraries", "",
			 "all processes have mapped the same files");
}

/* --- the group ------------------------------------------------------------------------------ */

static void check_members(const struct ksr_fs *fs, const char *group, struct ksr_workers *members,
			  const struct ksr_naming *naming, struct ksr_findings *findings)
{
	ksr_check_huge_pages(fs, members, findings);
	if (members->count < 2) {
		ksr_find(findings, KSR_LEVEL_BAD, "members",
			 "name a group with two running workers or more, or their PIDs",
			 "%s%s%s %zu process%s to look at: there is nothing to compare",
			 group ? "group '" : "there", group ? group : "",
			 group ? "' has" : (members->count == 1 ? " is" : " are"), members->count,
			 members->count == 1 ? "" : "es");
		return;
	}
	ksr_keep_siblings(members, findings);
	check_layout(members, findings);
	ksr_check_bounds(members, findings);
	check_files(members, findings);
	ksr_check_languages(members, findings);
	ksr_check_environments(members, findings);
	ksr_check_folders(fs, members, findings);
	ksr_check_sample(fs, members, naming, findings);
}

/* The processes of a group, by their segments. The caller frees; NULL without memory or any. */
static pid_t *group_pids(const struct ksr_fs *fs, const char *group, size_t *count,
			 struct ksr_findings *findings)
{
	struct ksr_selection selection = {.groups = &group, .group_count = 1};
	struct ksr_report report;
	pid_t *pids;

	*count = 0;
	if (ksr_report_create(fs, &selection, &report))
		return NULL;
	pids = calloc(report.process_count + 1, sizeof(*pids));
	for (size_t i = 0; pids && i < report.process_count; i++)
		pids[(*count)++] = report.processes[i].snapshot.pid;
	if (report.unreadable)
		ksr_find(findings, KSR_LEVEL_WARN, "unreadable",
			 "'ksmalloc doctor' without a group says why",
			 "statistics of %zu processes could not be read; nobody can tell their groups",
			 report.unreadable);
	ksr_report_destroy(&report);
	return pids;
}

void ksr_check_group(const struct ksr_fs *fs, const char *group, const pid_t *pids, size_t count,
		     const struct ksr_naming *naming, struct ksr_findings *findings)
{
	struct ksr_workers members;
	pid_t *found = NULL;

	if (group) {
		found = group_pids(fs, group, &count, findings);
		pids = found;
	}
	ksr_workers_read(fs, pids, pids ? count : 0, &members, findings);
	check_members(fs, group, &members, naming, findings);
	ksr_workers_free(&members);
	free(found);
}
