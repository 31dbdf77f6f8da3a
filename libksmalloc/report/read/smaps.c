/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smaps is by far the largest text: it is parsed in one pass, and a label is
 * compared only when its first letters fit.
 */
#define _GNU_SOURCE
#include "read/smaps.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ksmalloc/segment.h"
#include "read/grow.h"

struct label_rule {
	const char *label;
	size_t label_bytes;
	size_t offset;
};

#define RULE(member, label) {label, sizeof(label) - 1, offsetof(struct ksr_vma, member)},

static const struct label_rule smaps_rules[] = {KSR_SMAPS_FIELDS(RULE)};

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
		if (ksr_number_after(colon + 1, end, &kib) && kib <= UINT64_MAX / 1024)
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

static void set_name(const char *name, size_t bytes, struct ksr_vma *vma)
{
	bytes = ksm_min(bytes, sizeof(vma->name) - 1);
	memcpy(vma->name, name, bytes);
	vma->name[bytes] = '\0';
}

/* The last component, without what the kernel says of a file that was deleted. */
static void set_file_name(const char *path, size_t bytes, struct ksr_vma *vma)
{
	static const char deleted[] = " (deleted)";
	const char *slash;

	if (bytes > sizeof(deleted) - 1 &&
	    memcmp(path + bytes - (sizeof(deleted) - 1), deleted, sizeof(deleted) - 1) == 0)
		bytes -= sizeof(deleted) - 1;
	slash = memrchr(path, '/', bytes);
	set_name(slash ? slash + 1 : path, slash ? bytes - (size_t)(slash + 1 - path) : bytes, vma);
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
		set_file_name(name, bytes, vma);
		return;
	}
	if (bytes > 7 && memcmp(name, "[anon:", 6) == 0) {
		name += 6;
		bytes -= 7;
	} else if (!(bytes == 6 && memcmp(name, "[heap]", 6) == 0)) {
		vma->flags |= KSR_VMA_SPECIAL;
	}
	set_name(name, bytes, vma);
}

static struct ksr_vma *append_vma(struct ksr_smaps *smaps, size_t *room)
{
	struct ksr_vma *larger = ksr_grow(smaps->vmas, smaps->count, room, sizeof(*larger));

	if (!larger)
		return NULL;
	smaps->vmas = larger;
	memset(&smaps->vmas[smaps->count], 0, sizeof(smaps->vmas[0]));
	return &smaps->vmas[smaps->count++];
}

/* Whoever reads hundreds of processes keeps what was read of each: without the room that is left. */
static void give_back_room(struct ksr_smaps *smaps)
{
	struct ksr_vma *vmas = reallocarray(smaps->vmas, smaps->count, sizeof(*vmas));

	if (vmas)
		smaps->vmas = vmas;
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
		if (vma->flags & KSR_VMA_STORE) {
			vma->inode = map.inode;
			vma->offset = map.offset;
		}
	}
	if (smaps->count)
		give_back_room(smaps);
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
