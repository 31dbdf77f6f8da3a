/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smaps is by far the largest text: it is parsed in one pass, and a label is
 * compared only when its first letters fit.
 */
#define _GNU_SOURCE
#include "read/sources.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct label_rule {
	const char *label;
	size_t label_bytes;
	size_t offset;
};

#define RULE(member, label) {label, sizeof(label) - 1, offsetof(struct ksr_vma, member)},

static const struct label_rule smaps_rules[] = {KSR_SMAPS_FIELDS(RULE)};

/* A number after blanks; false when there is none or it does not fit. */
static bool number_after(const char *text, const char *end, uint64_t *value)
{
	uint64_t sum = 0;

	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	if (text == end || !isdigit((unsigned char)*text))
		return false;
	for (; text < end && isdigit((unsigned char)*text); text++) {
		if (sum > (UINT64_MAX - 9) / 10)
			return false;
		sum = sum * 10 + (uint64_t)(*text - '0');
	}
	*value = sum;
	return true;
}

static void parse_vm_flags(const char *text, const char *end, struct ksr_vma *vma)
{
	while (text < end) {
		while (text < end && *text == ' ')
			text++;
		if (end - text >= 2 && memcmp(text, "mg", 2) == 0)
			vma->flags |= KSR_VMA_MERGEABLE;
		else if (end - text >= 2 && memcmp(text, "nh", 2) == 0)
			vma->flags |= KSR_VMA_NO_HUGE;
		else if (end - text >= 2 && memcmp(text, "hg", 2) == 0)
			vma->flags |= KSR_VMA_ASKED_HUGE;
		while (text < end && *text != ' ')
			text++;
	}
}

static void parse_field(const char *line, size_t bytes, struct ksr_vma *vma)
{
	const char *colon = memchr(line, ':', bytes);
	const char *end = line + bytes;
	size_t label_bytes;

	if (!colon)
		return;
	label_bytes = (size_t)(colon - line);
	for (size_t i = 0; i < KSM_COUNT_OF(smaps_rules); i++) {
		const struct label_rule *rule = &smaps_rules[i];
		uint64_t kib;

		if (rule->label_bytes != label_bytes || memcmp(line, rule->label, label_bytes) != 0)
			continue;
		if (number_after(colon + 1, end, &kib) && kib <= UINT64_MAX / 1024)
			*(uint64_t *)(void *)((char *)vma + rule->offset) = kib * 1024;
		if (rule->offset == offsetof(struct ksr_vma, ksm))
			vma->flags |= KSR_VMA_HAS_KSM;
		return;
	}
	if (label_bytes == 7 && memcmp(line, "VmFlags", 7) == 0)
		parse_vm_flags(colon + 1, end, vma);
}

bool ksr_is_store(const struct ksr_map_line *map)
{
	static const char name[] = "/memfd:" KSMALLOC_STORE_NAME " (deleted)";

	return map->path_bytes == sizeof(name) - 1 && memcmp(map->path, name, sizeof(name) - 1) == 0;
}

/* "[anon:NAME]" and "[anon_shmem:NAME]" are names that a program gave. */
static void parse_name(const struct ksr_map_line *map, struct ksr_vma *vma)
{
	const char *name = map->path;
	size_t bytes = map->path_bytes;

	if (bytes == 0)
		return;
	if (name[0] != '[') {
		vma->flags |= KSR_VMA_FILE | (ksr_is_store(map) ? KSR_VMA_STORE : 0);
		return;
	}
	if (bytes > 7 && memcmp(name, "[anon:", 6) == 0) {
		name += 6;
		bytes -= 7;
	} else if (!(bytes == 6 && memcmp(name, "[heap]", 6) == 0)) {
		vma->flags |= KSR_VMA_SPECIAL;
	}
	if (bytes >= sizeof(vma->name))
		bytes = sizeof(vma->name) - 1;
	memcpy(vma->name, name, bytes);
	vma->name[bytes] = '\0';
}

static struct ksr_vma *append_vma(struct ksr_smaps *smaps, size_t *room)
{
	if (smaps->count == *room) {
		size_t larger = *room ? 2 * *room : 256;
		struct ksr_vma *vmas = reallocarray(smaps->vmas, larger, sizeof(*vmas));

		if (!vmas)
			return NULL;
		smaps->vmas = vmas;
		*room = larger;
	}
	memset(&smaps->vmas[smaps->count], 0, sizeof(smaps->vmas[0]));
	return &smaps->vmas[smaps->count++];
}

int ksr_smaps_parse(const struct ksr_text *text, struct ksr_smaps *smaps)
{
	struct ksr_vma *vma = NULL;
	struct ksr_map_line map;
	size_t position = 0;
	size_t room = 0;
	const char *line;
	size_t bytes;

	smaps->vmas = NULL;
	smaps->count = 0;
	while (ksr_text_line(text, &position, &line, &bytes)) {
		uint64_t last = vma ? vma->end : 0;

		/* Labels begin with a capital, heads of entries with a small hexadecimal digit. */
		if (bytes == 0 || isupper((unsigned char)*line)) {
			if (vma)
				parse_field(line, bytes, vma);
			continue;
		}
		if (!ksr_map_line_parse(line, bytes, &map) || map.begin < last) {
			ksr_smaps_free(smaps);
			return -EINVAL;
		}
		vma = append_vma(smaps, &room);
		if (!vma) {
			ksr_smaps_free(smaps);
			return -ENOMEM;
		}
		vma->begin = map.begin;
		vma->end = map.end;
		if (map.perms[3] == 's')
			vma->flags |= KSR_VMA_SHARED;
		parse_name(&map, vma);
	}
	return 0;
}

static int read_smaps(const struct ksr_fs *fs, pid_t pid, struct ksr_smaps *smaps)
{
	struct ksr_text text;
	int error = ksr_fs_read(fs, &text, "proc/%d/smaps", (int)pid);

	if (error)
		return error;
	error = ksr_smaps_parse(&text, smaps);
	ksr_text_free(&text);
	return error;
}

int ksr_smaps_read(const struct ksr_fs *fs, pid_t pid, struct ksr_smaps *smaps)
{
	int error = -EINVAL;

	for (int i = 0; i < KSR_SMAPS_TRIES && error == -EINVAL; i++)
		error = read_smaps(fs, pid, smaps);
	return error;
}

void ksr_smaps_free(struct ksr_smaps *smaps)
{
	free(smaps->vmas);
	smaps->vmas = NULL;
	smaps->count = 0;
}

int ksr_smaps_rollup_read(const struct ksr_fs *fs, pid_t pid, struct ksr_vma *total)
{
	struct ksr_smaps smaps;
	struct ksr_text text;
	int error = ksr_fs_read(fs, &text, "proc/%d/smaps_rollup", (int)pid);

	if (error)
		return error;
	error = ksr_smaps_parse(&text, &smaps);
	ksr_text_free(&text);
	if (error)
		return error;
	if (smaps.count == 1)
		*total = smaps.vmas[0];
	else
		error = -EINVAL;
	ksr_smaps_free(&smaps);
	return error;
}

/* The value of a line "label number" or "label: number"; KSR_NONE without such a line. */
static uint64_t labelled(const struct ksr_text *text, const char *label)
{
	size_t label_bytes = strlen(label);
	uint64_t value = KSR_NONE;
	size_t position = 0;
	const char *line;
	size_t bytes;

	while (ksr_text_line(text, &position, &line, &bytes)) {
		const char *rest = line + label_bytes;

		if (bytes <= label_bytes || memcmp(line, label, label_bytes) != 0)
			continue;
		if (*rest != ' ' && *rest != ':' && *rest != '\t')
			continue;
		if (number_after(rest + (*rest == ':'), line + bytes, &value))
			break;
	}
	return value;
}

void ksr_ksm_stat_parse(const struct ksr_text *text, struct ksr_ksm_stat *stat)
{
	const char *profit;

	stat->rmap_items = labelled(text, "ksm_rmap_items");
	stat->zero_pages = labelled(text, "ksm_zero_pages");
	stat->merging_pages = labelled(text, "ksm_merging_pages");
	stat->process_profit = 0;
	profit = text->size ? strstr(text->data, "ksm_process_profit ") : NULL;
	if (profit)
		stat->process_profit = strtoll(profit + 19, NULL, 10);
}

int ksr_ksm_stat_read(const struct ksr_fs *fs, pid_t pid, struct ksr_ksm_stat *stat)
{
	struct ksr_text text;
	int error = ksr_fs_read(fs, &text, "proc/%d/ksm_stat", (int)pid);

	memset(stat, 0xff, sizeof(*stat));
	stat->process_profit = 0;
	if (!error) {
		ksr_ksm_stat_parse(&text, stat);
		ksr_text_free(&text);
	}
	if (stat->merging_pages != KSR_NONE)
		return 0;
	return ksr_fs_read_u64(fs, &stat->merging_pages, "proc/%d/ksm_merging_pages", (int)pid);
}

bool ksr_status_parse_stat(const struct ksr_text *text, struct ksr_status *status)
{
	/* The command is in parentheses and may itself hold blanks and parentheses. */
	const char *open = memchr(text->data, '(', text->size);
	const char *close = memrchr(text->data, ')', text->size);
	const char *end = text->data + text->size;
	uint64_t value = 0;
	size_t bytes;

	if (!open || !close || close < open)
		return false;
	bytes = (size_t)(close - open - 1);
	if (bytes >= sizeof(status->command))
		bytes = sizeof(status->command) - 1;
	memcpy(status->command, open + 1, bytes);
	status->command[bytes] = '\0';
	/* Field 3 follows the parenthesis; 4 is the parent and 22 the start time. */
	for (int field = 3; field <= 22; field++) {
		const char *blank = memchr(close, ' ', (size_t)(end - close));

		if (!blank)
			return false;
		close = blank + 1;
		if (field == 4 && number_after(close, end, &value))
			status->parent = (pid_t)value;
	}
	return number_after(close, end, &status->start_time_ticks);
}

/* The last number of the line NSpid: the one that the process itself sees. */
static pid_t inner_pid(const struct ksr_text *text)
{
	const char *line = strstr(text->data, "\nNSpid:");
	const char *end = line ? strchr(line + 1, '\n') : NULL;
	const char *last = end;

	if (!end)
		return 0;
	while (last > line && last[-1] >= '0' && last[-1] <= '9')
		last--;
	return (pid_t)strtol(last, NULL, 10);
}

int ksr_status_read(const struct ksr_fs *fs, pid_t pid, struct ksr_status *status)
{
	struct ksr_text text;
	uint64_t kib;
	int error;

	memset(status, 0, sizeof(*status));
	status->page_tables = KSR_NONE;
	error = ksr_fs_read(fs, &text, "proc/%d/stat", (int)pid);
	if (error)
		return error;
	if (!ksr_status_parse_stat(&text, status))
		error = -EINVAL;
	ksr_text_free(&text);
	if (error)
		return error;
	error = ksr_fs_read(fs, &text, "proc/%d/status", (int)pid);
	if (error)
		return error;
	kib = labelled(&text, "VmPTE");
	if (kib != KSR_NONE)
		status->page_tables = kib * 1024;
	status->uid = labelled(&text, "Uid");
	status->inner_pid = inner_pid(&text);
	ksr_text_free(&text);
	return 0;
}

void ksr_chosen_word(const char *text, char *word, size_t bytes)
{
	const char *open = strchr(text, '[');
	const char *close = open ? strchr(open, ']') : NULL;

	if (open && close)
		snprintf(word, bytes, "%.*s", (int)(close - open - 1), open + 1);
	else
		word[0] = '\0';
}

void ksr_kernel_read(const struct ksr_fs *fs, struct ksr_kernel *kernel)
{
	struct ksr_text text;
	struct stat status;

	memset(kernel, 0, sizeof(*kernel));
	kernel->present = ksr_fs_stat(fs, &status, "sys/kernel/mm/ksm") == 0;
#define READ(name)                                                                                 \
	if (ksr_fs_read_u64(fs, &kernel->name, "sys/kernel/mm/ksm/" #name))                        \
		kernel->name = KSR_NONE;
	KSR_KERNEL_FIELDS(READ)
#undef READ
	if (ksr_fs_read(fs, &text, "sys/kernel/mm/ksm/advisor_mode") == 0) {
		ksr_chosen_word(text.data, kernel->advisor_mode, sizeof(kernel->advisor_mode));
		ksr_text_free(&text);
	}
	if (ksr_fs_read(fs, &text, "sys/kernel/mm/ksm/merge_now_scope") == 0) {
		ksr_chosen_word(text.data, kernel->merge_now_scope,
				sizeof(kernel->merge_now_scope));
		ksr_text_free(&text);
	}
}

/* Bits of /proc/PID/pagemap and /proc/kpageflags, from the kernel's documentation. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_PFN_MASK ((UINT64_C(1) << 55) - 1)
#define KPAGEFLAG_KSM (UINT64_C(1) << 21)
#define SHARING_BATCH 4096

static bool read_kernel_page(int fd, uint64_t pfn, uint64_t *value)
{
	return pread(fd, value, sizeof(*value), (off_t)(pfn * sizeof(*value))) == sizeof(*value);
}

/*
 * Is the flag of KSM set for an anonymous page that is new? Linux 6.12 and others of its time set
 * it for all of them. Without a frame number nobody can tell, and nobody can use flags either.
 */
static bool flags_lie(const struct ksr_fs *fs, int flags_fd)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int map_fd = ksr_fs_open(fs, O_RDONLY, "proc/self/pagemap");
	uint64_t *page =
		mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t flags = 0;
	uint64_t entry = 0;

	if (page != MAP_FAILED) {
		*page = 1;
		if (map_fd >= 0 &&
		    pread(map_fd, &entry, sizeof(entry),
			  (off_t)((uintptr_t)page / page_bytes * sizeof(entry))) != sizeof(entry))
			entry = 0;
		entry = entry & PAGEMAP_PRESENT ? entry & PAGEMAP_PFN_MASK : 0;
		if (!entry || !read_kernel_page(flags_fd, entry, &flags))
			flags = 0;
		munmap(page, page_bytes);
	}
	if (map_fd >= 0)
		close(map_fd);
	return flags & KPAGEFLAG_KSM;
}

int ksr_page_flags_open(const struct ksr_fs *fs)
{
	int fd = ksr_fs_open(fs, O_RDONLY, "proc/kpageflags");

	if (fd < 0 || !flags_lie(fs, fd))
		return fd;
	close(fd);
	return -EOPNOTSUPP;
}

bool ksr_page_flags_tell(const struct ksr_fs *fs)
{
	int fd = ksr_page_flags_open(fs);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int count_batch(const uint64_t *entries, size_t count, int count_fd, int flags_fd,
		       uint64_t page_bytes, struct ksr_sharing *sharing)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t pfn = entries[i] & PAGEMAP_PFN_MASK;
		uint64_t mapped;
		uint64_t flags;

		if (!(entries[i] & PAGEMAP_PRESENT))
			continue;
		if (pfn == 0)
			return -EPERM;
		if (!read_kernel_page(count_fd, pfn, &mapped) ||
		    !read_kernel_page(flags_fd, pfn, &flags))
			return -EIO;
		if (flags & KPAGEFLAG_KSM)
			sharing->ksm_mapped += page_bytes;
		if (mapped < 2)
			continue;
		if (flags & KPAGEFLAG_KSM)
			sharing->ksm_saved += page_bytes - page_bytes / mapped;
		else
			sharing->fork_saved += page_bytes - page_bytes / mapped;
	}
	return 0;
}

int ksr_sharing_read(const struct ksr_fs *fs, pid_t pid, uint64_t begin, uint64_t end,
		     struct ksr_sharing *sharing)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int map_fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/pagemap", (int)pid);
	int count_fd = ksr_fs_open(fs, O_RDONLY, "proc/kpagecount");
	int flags_fd = ksr_fs_open(fs, O_RDONLY, "proc/kpageflags");
	uint64_t *entries = malloc(SHARING_BATCH * sizeof(*entries));
	int error = 0;

	memset(sharing, 0, sizeof(*sharing));
	if (map_fd < 0 || count_fd < 0 || flags_fd < 0)
		error = -EPERM;
	else if (!entries)
		error = -ENOMEM;
	while (!error && begin < end) {
		uint64_t pages = ksm_min((end - begin) / page_bytes, SHARING_BATCH);
		ssize_t got = pread(map_fd, entries, pages * sizeof(*entries),
				    (off_t)(begin / page_bytes * sizeof(*entries)));

		if (got <= 0)
			error = got < 0 ? -errno : -ESRCH;
		else
			error = count_batch(entries, (size_t)got / sizeof(*entries), count_fd,
					    flags_fd, page_bytes, sharing);
		begin += got > 0 ? (uint64_t)got / sizeof(*entries) * page_bytes : 0;
	}
	free(entries);
	if (map_fd >= 0)
		close(map_fd);
	if (count_fd >= 0)
		close(count_fd);
	if (flags_fd >= 0)
		close(flags_fd);
	return error;
}
