/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sharing without KSM: whether it works here, how it goes in each group, and why processes that were asked to share
 * stand aside. What is tried is tried with a file of the command's own.
 */
#define _GNU_SOURCE
#include "doctor/share.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "join/aggregate.h"
#include "join/aside.h"
#include "join/group.h"
#include "keeper/member.h"
#include "names/human.h"
#include "read/number.h"

/* 0, or why there can be no sealed memory file here. */
static int try_file(void)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int file = memfd_create("ksmalloc-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error = 0;

	if (file < 0)
		return -errno;
	if (ftruncate(file, 4096) || fcntl(file, F_ADD_SEALS, seals))
		error = -errno;
	close(file);
	return error;
}

/* Does the kernel give huge pages to memory files, if only to who asks for them? */
static bool allows_huge(const char *word)
{
	return strcmp(word, "advise") == 0 || strcmp(word, "always") == 0 || strcmp(word, "within_size") == 0 ||
	       strcmp(word, "force") == 0;
}

/* The chosen word of a setting of huge pages; false if there is none. */
static bool huge_setting(const struct ksr_fs *fs, const char *path, char word[static 32])
{
	struct ksr_text text;

	if (ksr_fs_read(fs, &text, path))
		return false;
	ksr_chosen_word(text.data, word, 32);
	ksr_text_free(&text);
	return true;
}

/* Small pages are no fault: what huge ones would take is said where there is nothing to warn of. */
static void check_huge(const struct ksr_fs *fs, struct ksr_findings *findings)
{
	const char *all = "sys/kernel/mm/transparent_hugepage/shmem_enabled";
	const char *size = "sys/kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled";
	const char *decides = all;
	char word[32], own[32];

	if (!huge_setting(fs, all, word) || !huge_setting(fs, size, own)) {
		ksr_find(findings, KSR_LEVEL_OK, "share_huge", "",
			 "what processes share lies on small pages: for huge ones this kernel is too old (Linux 6.11), or has none");
		return;
	}
	if (strcmp(own, "inherit") != 0 && strcmp(word, "deny") != 0 && strcmp(word, "force") != 0) {
		memcpy(word, own, sizeof(word));
		decides = size;
	}
	if (allows_huge(word))
		ksr_find(findings, KSR_LEVEL_OK, "share_huge", "",
			 "what processes share lies on huge pages where whole 2 MiB are equal (/%s is '%s')", decides, word);
	else
		ksr_find(findings, KSR_LEVEL_OK, "share_huge", "",
			 "what processes share lies on small pages (/%s is '%s'); huge ones are faster to read: "
			 "echo advise >/%s", decides, word, decides);
}

void ksr_check_share_machine(const struct ksr_fs *fs, struct ksr_findings *findings)
{
	int error = fs->live ? try_file() : 0;

	if (!fs->live)
		return;
	if (error) {
		ksr_find(findings, KSR_LEVEL_WARN, "share_here", "allow memfd_create(2) and F_ADD_SEALS in the sandbox",
			 "processes cannot share without KSM here: sealed memory files are refused (%s)",
			 strerror(-error));
	} else {
		ksr_find(findings, KSR_LEVEL_OK, "share_here", "",
			 "processes can share without KSM and without root here ('ksmalloc run --share')");
		check_huge(fs, findings);
	}
}

/* Does the errno say what the reason does not? */
static bool tells_more(const struct ksmalloc_segment_share *share)
{
	bool is_open = share->aside == KSMALLOC_ASIDE_PROC || share->aside == KSMALLOC_ASIDE_TABLE ||
		       share->aside == KSMALLOC_ASIDE_NO_MEMFD || share->aside == KSMALLOC_ASIDE_FAILED ||
		       share->aside >= KSMALLOC_ASIDE_COUNT;

	return is_open && share->aside_errno > 0 && share->aside_errno < 4096;
}

static void check_process(const struct ksr_process *process, struct ksr_findings *findings)
{
	const struct ksmalloc_segment_header *header = &process->snapshot.header;
	const struct ksmalloc_segment_share *share = &header->share;
	const char *remedy = ksr_aside_remedy(share->aside);
	const char *error = tells_more(share) ? strerrorname_np((int)share->aside_errno) : NULL;

	if (!ksr_store_is_asked(header) || share->aside == KSMALLOC_ASIDE_NOT)
		return;
	ksr_find(findings, KSR_LEVEL_WARN, ksr_store_is_aside(header) ? "share_aside" : "share_in_part",
		 remedy[0] ? remedy : "look for what it is in its system calls (strace)",
		 "process %d (%s) was asked to share with its group '%s' and %s%s%s%s%s", (int)process->snapshot.pid,
		 process->status.command, header->group, ksr_store_is_aside(header) ? "stands aside: it " : "does so in part: it ",
		 ksr_aside_words(share->aside), error ? " (" : "", error ? error : "", error ? ")" : "");
}

/* What the keeper has found in the way, when it last tried. */
static void check_keeper(const struct ksr_process *process, struct ksr_findings *findings)
{
	const struct ksmalloc_segment_header *header = &process->snapshot.header;

	if (!ksr_store_is_asked(header) || header->keeper.reason == KSMALLOC_KEEPER_NONE)
		return;
	ksr_find(findings, KSR_LEVEL_WARN, "share_keeper", "see ksmalloc-keep(1)",
		 "process %d (%s) has not been stopped for sharing with its group '%s': %s", (int)process->snapshot.pid,
		 process->status.command, header->group, ksr_member_words((enum ksmalloc_keeper_reason)header->keeper.reason));
}

/* Not one of its processes has looked at its memory: nothing in it waits in a call of libc, or grows. */
static bool never_looked(const struct ksr_group *group)
{
	return group->asked > group->aside && group->share.passes_total == 0;
}

static void check_group(const struct ksr_group *group, struct ksr_findings *findings)
{
	char shared[KSR_HUMAN_BYTES];
	char store[KSR_HUMAN_BYTES];

	if (!group->asked)
		return;
	ksr_human_bytes(group->shared, shared);
	ksr_human_bytes(group->store, store);
	if (group->asked == group->aside)
		ksr_find(findings, KSR_LEVEL_WARN, "share", "see below why they stand aside",
			 "group '%s': %u processes are to share, and none of them takes part", group->name, group->asked);
	else if (never_looked(group))
		ksr_find(findings, KSR_LEVEL_WARN, "share",
			 "it begins when a process has grown or waits in poll(2) and its like; 'ksmalloc share' asks for it",
			 "group '%s': %u processes are to share, and none has looked at its memory yet", group->name,
			 group->asked);
	else if (group->asked - group->aside == 1)
		ksr_find(findings, KSR_LEVEL_WARN, "share",
			 "start more processes with the same group, or find out below why the others stand aside",
			 "group '%s': one process alone takes part in sharing", group->name);
	else
		ksr_find(findings, KSR_LEVEL_OK, "share", "",
			 "group '%s': of %u processes %u stand aside, the others map %s of a store that takes %s", group->name,
			 group->asked, group->aside, shared, store);
	/* They save without KSM, which might find more. */
	if (group->asked > group->aside + 1 && group->shared > 0)
		ksr_findings_lower(findings, "ksm_run", KSR_LEVEL_WARN);
}

void ksr_check_share(const struct ksr_report *report, struct ksr_findings *findings)
{
	for (size_t i = 0; i < report->group_count; i++)
		check_group(&report->groups[i], findings);
	for (size_t i = 0; i < report->process_count; i++)
		check_process(&report->processes[i], findings);
	for (size_t i = 0; i < report->process_count; i++)
		check_keeper(&report->processes[i], findings);
}

void ksr_check_share_of(const struct ksr_fs *fs, const char *group, const pid_t *pids, size_t count,
			struct ksr_findings *findings)
{
	struct ksr_selection selection = {
		.pids = pids, .pid_count = count, .groups = &group, .group_count = group ? 1 : 0};
	struct ksr_report report;

	if (ksr_report_create(fs, &selection, &report))
		return;
	ksr_check_share(&report, findings);
	ksr_report_destroy(&report);
}
