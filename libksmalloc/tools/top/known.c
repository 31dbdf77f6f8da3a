/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/known.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "join/aside.h"
#include "join/memory.h"

/* What smaps told is believed for so long, and so is the name of a process, which may give itself another one. */
#define HALF_A_MINUTE 30000
/* A process without a segment may get one by an exec, or by its first large block: soon, or not so soon. */
#define FIRST_PAUSE 500
#define MOST_DOUBLINGS 5

void ksr_top_known_free(struct ksr_top_known *known)
{
	free(known->files);
	known->files = NULL;
}

/* --- who it is ----------------------------------------------------------------------------- */

static int read_stat(const struct ksr_fs *fs, pid_t pid, struct ksr_status *status)
{
	struct ksr_text text;
	int error = ksr_fs_read(fs, &text, "proc/%d/stat", (int)pid);

	if (error)
		return error == -ENOENT ? -ESRCH : error;
	if (!ksr_status_parse_stat(&text, status))
		error = -EINVAL;
	else if (status->state == 'Z' || status->state == 'X')
		error = -ESRCH;
	ksr_text_free(&text);
	return error;
}

/* Another process of that number, or another program in it, has nothing in common with what was known. */
static void identify(struct ksr_top_known *known, const struct ksr_status *status)
{
	if (known->start_ticks == status->start_time_ticks && known->start_stack == status->start_stack)
		return;
	if (known->start_ticks != status->start_time_ticks)
		known->cpu_ticks = status->cpu_ticks;
	known->start_ticks = status->start_time_ticks;
	known->start_stack = status->start_stack;
	known->parent = status->parent;
	known->has_segment = false;
	known->has_work = false;
	known->looks = 0;
	known->next_look_ms = 0;
	known->named_ms = 0;
	memset(&known->offsets, 0, sizeof(known->offsets));
	memset(&known->shown, 0, sizeof(known->shown));
	known->shown.pid = known->pid;
	known->shown.start_ticks = known->start_ticks;
}

/* Between words, and in those of a script that is an argument. */
static bool is_space(char byte)
{
	return byte == '\0' || byte == '\n' || byte == '\t';
}

/* The words of its command line, or what the kernel calls it. */
static void read_name(const struct ksr_fs *fs, struct ksr_top_known *known, const char *command)
{
	char *name = known->shown.name;
	struct ksr_text text;

	snprintf(name, KSR_TOP_NAME_BYTES, "[%s]", command);
	ksr_cgroup_read(fs, known->pid, known->shown.container);
	if (ksr_fs_read(fs, &text, "proc/%d/cmdline", (int)known->pid))
		return;
	if (text.size > 1) {
		/* The folder of the program is of no use to those who look for a worker. */
		const char *slash = strrchr(text.data, '/');
		const char *begin = slash && slash[1] ? slash + 1 : text.data;
		size_t bytes = ksm_min(text.size - (size_t)(begin - text.data), KSR_TOP_NAME_BYTES - 1);

		for (size_t i = 0; i < bytes; i++)
			name[i] = is_space(begin[i]) ? ' ' : begin[i];
		while (bytes && name[bytes - 1] == ' ')
			bytes--;
		name[bytes] = '\0';
	}
	ksr_text_free(&text);
}

/* It runs as `ksmalloc keep`, or as what `ksmalloc run` has started through /proc/self/exe. */
static bool is_keeper(const struct ksr_fs *fs, struct ksr_top_known *known, const char *command)
{
	size_t position = 0;
	struct ksr_text text;
	const char *word;
	bool keeps;

	if (strcmp(command, "ksmalloc") != 0 && strcmp(command, "exe") != 0)
		return false;
	if (ksr_fs_read(fs, &text, "proc/%d/cmdline", (int)known->pid))
		return false;
	word = ksr_text_entry(&text, &position);
	word = word ? ksr_text_entry(&text, &position) : NULL;
	keeps = word && strcmp(word, "keep") == 0;
	while (keeps && word) {
		snprintf(known->shown.group, sizeof(known->shown.group), "%s", word);
		word = ksr_text_entry(&text, &position);
	}
	ksr_text_free(&text);
	return keeps;
}

/* --- its segment ------------------------------------------------------------------------------ */

static int whole_segment(const struct ksr_fs *fs, struct ksr_top_known *known,
			 struct ksmalloc_segment_header *header)
{
	struct ksr_snapshot snapshot;
	char why[KSR_WHY_BYTES];
	int error = ksr_snapshot_create(fs, known->pid, &snapshot, why);

	if (error)
		return error;
	*header = snapshot.header;
	ksr_snapshot_destroy(&snapshot);
	return 0;
}

static int read_header(const struct ksr_fs *fs, struct ksr_top_known *known, struct ksmalloc_segment_header *header)
{
	int error = ksr_head_read(fs, known->pid, &known->place, header);

	/* A fork or an exec has put it elsewhere. */
	if (error == -ESTALE) {
		error = ksr_head_find(fs, known->pid, &known->place);
		if (!error)
			error = ksr_head_read(fs, known->pid, &known->place, header);
	}
	/* Files may be read by those who may not read memory, and in recorded trees. */
	if (error == -EACCES || error == -EPERM || error == -EOPNOTSUPP)
		error = whole_segment(fs, known, header);
	return error;
}

static enum ksr_top_mark mark_of(int error)
{
	switch (error) {
	case 0:
		return KSR_TOP_NONE;
	case -EACCES:
	case -EPERM:
		return KSR_TOP_DENIED;
	case -ENOENT:
		return KSR_TOP_PLAIN;
	case -ESRCH:
		return KSR_TOP_ABSENT;
	default:
		return KSR_TOP_DAMAGED;
	}
}

static uint64_t store_of(const struct ksmalloc_segment_header *header)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (header->keeper.store)
		return header->keeper.store;
	/* Processes of before the keeper: those of one group have one store. */
	for (const char *text = header->group; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash | 1;
}

static void take_header(struct ksr_top_known *known, const struct ksmalloc_segment_header *header)
{
	memcpy(known->shown.group, header->group, sizeof(known->shown.group));
	known->store = 0;
	if (!ksr_store_is_asked(header))
		return;
	if (!known->files)
		known->files = calloc(KSMALLOC_MAX_STORE_FILES, sizeof(*known->files));
	if (!known->files)
		return;
	known->store = store_of(header);
	memcpy(known->files, header->share.files, sizeof(header->share.files));
	if (ksr_store_is_aside(header))
		known->shown.mark = KSR_TOP_ASIDE;
	if (!known->has_work)
		known->work_us = header->share.stats.work_us_total;
	known->new_work_us = header->share.stats.work_us_total;
	known->has_work = true;
}

/* A child of vfork(2) uses its parent's memory, which is counted there, until it executes a program. */
static bool borrows_memory(const struct ksr_fs *fs, const struct ksr_top_known *known)
{
	return fs->live && known->parent > 1 && syscall(SYS_kcmp, known->pid, known->parent, KCMP_VM, 0, 0) == 0;
}

static void wait_for_segment(struct ksr_top_known *known, uint64_t now_ms)
{
	known->next_look_ms = now_ms + ((uint64_t)FIRST_PAUSE << ksm_min(known->looks, MOST_DOUBLINGS));
	known->looks++;
}

int ksr_top_known_look(const struct ksr_fs *fs, struct ksr_top_known *known, uint64_t now_ms)
{
	struct ksmalloc_segment_header header;
	struct ksr_status status;
	int error = read_stat(fs, known->pid, &status);

	if (error)
		return error;
	identify(known, &status);
	wait_for_segment(known, now_ms);
	known->is_ksmd = status.parent == 2 && strcmp(status.command, "ksmd") == 0;
	known->is_keeper = is_keeper(fs, known, status.command);
	if (known->is_ksmd || known->is_keeper)
		return 0;
	error = ksr_head_find(fs, known->pid, &known->place);
	if (!error && borrows_memory(fs, known))
		error = -ENOENT;
	if (!error)
		error = read_header(fs, known, &header);
	if (error == -ESRCH)
		return error;
	known->shown.mark = mark_of(error);
	known->has_segment = known->chosen || (error != -ENOENT && known->place.begin);
	if (!known->has_segment)
		return 0;
	if (!error)
		take_header(known, &header);
	read_name(fs, known, status.command);
	known->named_ms = now_ms;
	return 0;
}

/* --- its figures -------------------------------------------------------------------------------- */

struct sums {
	uint64_t pss;
	uint64_t store_pss;
	uint64_t shared;
	uint64_t saved;
	uint64_t alone;
	uint64_t swap;
};

static int sum_smaps(const struct ksr_fs *fs, pid_t pid, struct ksr_store_files *files, struct sums *sums)
{
	struct ksr_smaps smaps;
	int error = ksr_smaps_read(fs, pid, &smaps);

	memset(sums, 0, sizeof(*sums));
	if (!error)
		ksr_store_files_look(files, fs, pid, &smaps);
	for (size_t i = 0; !error && i < smaps.count; i++) {
		const struct ksr_vma *vma = &smaps.vmas[i];
		struct ksr_memory memory;

		ksr_memory_from_vma(vma, &memory);
		sums->pss += vma->pss;
		sums->store_pss += vma->flags & KSR_VMA_STORE ? ksr_less(vma->pss, vma->anonymous) : 0;
		sums->shared += memory.shared;
		sums->saved += memory.saved;
		sums->alone += vma->private_clean + vma->private_dirty;
		sums->swap += vma->swap;
	}
	if (!error)
		ksr_smaps_free(&smaps);
	return error;
}

static void take_sums(struct ksr_top_known *known, const struct sums *sums)
{
	struct ksr_figures *figures = &known->shown.figures;

	known->pss = sums->pss;
	known->store_pss = known->store ? sums->store_pss : 0;
	known->shared = known->store ? sums->shared : 0;
	figures->ksm = sums->saved;
	figures->alone = sums->alone;
	figures->swap = sums->swap;
}

/* What the cheap counters tell. gauge: what the process counts as mapped of its store. */
struct cheap {
	struct ksr_rollup rollup;
	uint64_t gauge;
	uint64_t zero; /* bytes of pages that KSM has replaced by the zero page */
};

static uint64_t saved_of_anonymous(const struct ksr_rollup *rollup)
{
	return ksr_less(rollup->anonymous, rollup->pss_anonymous);
}

/* What is known to be nothing needs no smaps. */
static bool needs_smaps(struct ksr_top_known *known, const struct cheap *cheap, uint64_t now_ms)
{
	bool shares = known->store && cheap->gauge;

	if (cheap->rollup.ksm == 0)
		known->offsets.not_merged = saved_of_anonymous(&cheap->rollup);
	if (!shares && known->offsets.shared <= 0) {
		known->offsets.other_shmem = cheap->rollup.pss_shmem;
		known->offsets.shared = 0;
	}
	if (cheap->rollup.ksm == 0 && !shares)
		return false;
	return known->offsets.at_ms == 0 || now_ms - known->offsets.at_ms >= HALF_A_MINUTE;
}

static void take_cheap(struct ksr_top_known *known, const struct cheap *cheap)
{
	const struct ksr_rollup *rollup = &cheap->rollup;
	struct ksr_figures *figures = &known->shown.figures;
	int64_t shared = (int64_t)cheap->gauge + known->offsets.shared;

	known->pss = rollup->pss;
	known->shared = known->store && shared > 0 ? (uint64_t)shared : 0;
	known->store_pss = known->shared ? ksr_less(rollup->pss_shmem, known->offsets.other_shmem) : 0;
	figures->ksm = ksm_min(ksr_less(saved_of_anonymous(rollup), known->offsets.not_merged), rollup->ksm);
	figures->alone = rollup->private_clean + rollup->private_dirty;
	figures->swap = rollup->swap_pss == KSR_NONE ? rollup->swap : rollup->swap_pss;
}

static void take_offsets(struct ksr_top_known *known, const struct cheap *cheap, const struct sums *sums,
			 uint64_t now_ms)
{
	known->offsets.at_ms = now_ms;
	known->offsets.not_merged = ksr_less(saved_of_anonymous(&cheap->rollup), sums->saved);
	known->offsets.other_shmem = ksr_less(cheap->rollup.pss_shmem, sums->store_pss);
	known->offsets.shared = known->store ? (int64_t)sums->shared - (int64_t)cheap->gauge : 0;
}

static bool is_whole(const struct ksr_rollup *rollup)
{
	return rollup->ksm != KSR_NONE && rollup->pss_anonymous != KSR_NONE && rollup->pss_shmem != KSR_NONE &&
	       rollup->anonymous != KSR_NONE && rollup->private_clean != KSR_NONE &&
	       rollup->private_dirty != KSR_NONE && rollup->swap != KSR_NONE;
}

static int take_memory(const struct ksr_fs *fs, struct ksr_top_known *known, struct ksr_store_files *files, struct cheap *cheap,
		       uint64_t now_ms)
{
	int error = ksr_rollup_read(fs, known->pid, &cheap->rollup);
	bool has_rollup = !error && is_whole(&cheap->rollup);
	struct sums sums;

	if (error && error != -ENOENT && error != -EINVAL)
		return error;
	if (has_rollup && !needs_smaps(known, cheap, now_ms)) {
		take_cheap(known, cheap);
	} else {
		error = sum_smaps(fs, known->pid, files, &sums);
		if (error)
			return error == -ENOENT ? -ESRCH : error;
		if (has_rollup)
			take_offsets(known, cheap, &sums, now_ms);
		take_sums(known, &sums);
	}
	known->shown.figures.ksm += cheap->zero;
	known->shown.measured = true;
	known->measured_ms = now_ms;
	return 0;
}

static uint64_t zero_bytes(const struct ksr_fs *fs, pid_t pid, uint64_t page_bytes)
{
	struct ksr_ksm_stat stat;

	if (ksr_ksm_stat_read(fs, pid, &stat) || stat.zero_pages == KSR_NONE)
		return 0;
	return ksm_min(stat.zero_pages, UINT64_MAX / 2 / page_bytes) * page_bytes;
}

int ksr_top_known_measure(const struct ksr_fs *fs, struct ksr_top_known *known, struct ksr_store_files *files, uint64_t now_ms,
			  uint64_t page_bytes, bool counts_zero)
{
	struct ksmalloc_segment_header header = {0};
	struct cheap cheap = {.gauge = 0};
	struct ksr_status status;
	int error = read_stat(fs, known->pid, &status);

	if (error)
		return error;
	identify(known, &status);
	known->new_ticks = status.cpu_ticks;
	if (!known->has_segment || now_ms - known->named_ms >= HALF_A_MINUTE)
		error = ksr_top_known_look(fs, known, now_ms);
	if (error || !known->has_segment)
		return error;
	error = known->place.begin ? read_header(fs, known, &header) : -ENOENT;
	if (error == -ESRCH)
		return error;
	known->shown.mark = mark_of(error);
	if (!error) {
		take_header(known, &header);
		cheap.gauge = known->store ? header.share.stats.shared_bytes : 0;
	}
	if (counts_zero)
		cheap.zero = zero_bytes(fs, known->pid, page_bytes);
	error = take_memory(fs, known, files, &cheap, now_ms);
	if (error == -EACCES || error == -EPERM) {
		known->shown.mark = KSR_TOP_DENIED;
		known->shown.measured = false;
		error = 0;
	}
	/* Else what was read before is still the best that is known. */
	return error == -ESRCH ? error : 0;
}
