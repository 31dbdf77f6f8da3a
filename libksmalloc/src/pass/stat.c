/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass/stat.h"

#include "os/os.h"
#include "segment/stat.h"

#include <errno.h>

static struct ksmalloc_segment_share *seen(void)
{
	return &ksm_stat->header.share;
}

static uint64_t bytes_of(uint64_t pages)
{
	return pages << KSM_PAGE_SHIFT;
}

static void set_reason(enum ksmalloc_aside why, int error)
{
	__atomic_store_n(&seen()->aside, (uint32_t)why, __ATOMIC_RELAXED);
	__atomic_store_n(&seen()->aside_errno, (uint32_t)-error, __ATOMIC_RELAXED);
}

void ksm_pass_stat_aside(enum ksmalloc_aside why, int error)
{
	set_reason(why, error);
	if (error)
		ksm_stat_add(&seen()->stats.refused_total, 1);
}

void ksm_pass_stat_failed(enum ksmalloc_aside why, int error)
{
	/* Another member has the table for a moment. */
	if (error == -EWOULDBLOCK)
		return;
	if (error == -EMFILE || error == -ENFILE)
		why = KSMALLOC_ASIDE_DESCRIPTORS;
	else if (error == -ENOMEM)
		why = KSMALLOC_ASIDE_MEMORY;
	else if (error == -ESTALE && why == KSMALLOC_ASIDE_TABLE)
		why = KSMALLOC_ASIDE_RENEWED;
	else if (why == KSMALLOC_ASIDE_FAILED && (error == -ENOSYS || error == -EPERM || error == -EACCES))
		why = KSMALLOC_ASIDE_NO_MEMFD;
	set_reason(why, error);
	ksm_stat_add(&seen()->stats.failed_total, 1);
}

void ksm_pass_stat_worked(uint64_t us)
{
	ksm_stat_add(&seen()->stats.work_us_total, us);
}

void ksm_pass_stat_looked(void)
{
	ksm_stat_add(&seen()->stats.slices_total, 1);
}

void ksm_pass_stat_shared(const struct ksm_share_slice *slice)
{
	struct ksmalloc_share_stats *stats = &seen()->stats;

	ksm_stat_add(&stats->gained_bytes_total, bytes_of(slice->gained));
	ksm_stat_add(&stats->carried_bytes_total, bytes_of(slice->carried));
	ksm_stat_add(&stats->mappings_total, slice->mappings);
}

void ksm_pass_stat_published(uint32_t pages, uint64_t huge_bytes)
{
	ksm_stat_add(&ksm_stat->header.huge.stats.published_huge_bytes_total, huge_bytes);
	ksm_stat_add(&seen()->stats.published_bytes_total, bytes_of(pages));
}

void ksm_pass_stat_ended(const struct ksm_store *store, const struct ksm_pass_files *files, uint64_t shared_pages,
			 uint64_t requests)
{
	uint64_t open_files = 0;
	uint64_t huge = 0;

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		struct ksmalloc_segment_store_file *file = &seen()->files[i];
		struct ksm_os_file facts;
		bool is_open = store->files[i].inode &&
			       ksm_os_describe_file(store->files[i].descriptor, &facts) == 0 &&
			       facts.inode == store->files[i].inode;

		ksm_stat_set(&file->inode, is_open ? facts.inode : 0);
		ksm_stat_set(&file->bytes, is_open ? facts.memory : 0);
		ksm_stat_set(&ksm_stat->header.huge.files[i], is_open ? bytes_of(files->huge[i]) : 0);
		huge += is_open ? bytes_of(files->huge[i]) : 0;
		open_files += is_open;
	}
	ksm_stat_set(&seen()->stats.files, open_files);
	ksm_stat_set(&seen()->stats.shared_bytes, bytes_of(shared_pages));
	ksm_stat_set(&ksm_stat->header.huge.stats.huge_bytes, huge);
	ksm_stat_add(&seen()->stats.passes_total, 1);
	/* Last: who reads it finds the rest. */
	__atomic_store_n(&seen()->answered, requests, __ATOMIC_RELEASE);
}
