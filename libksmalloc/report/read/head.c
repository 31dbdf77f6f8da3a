/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/head.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int ksr_head_find(const struct ksr_fs *fs, pid_t pid, struct ksr_head_place *place)
{
	struct ksr_map_line map;
	struct ksr_text maps;
	int error = ksr_fs_read(fs, &maps, "proc/%d/maps", (int)pid);

	if (error)
		return error;
	if (ksr_snapshot_is_mapped(&maps, &map))
		*place = (struct ksr_head_place){.begin = map.begin, .bytes = map.end - map.begin};
	else
		error = -ENOENT;
	ksr_text_free(&maps);
	return error;
}

int ksr_head_read(const struct ksr_fs *fs, pid_t pid, const struct ksr_head_place *place,
		  struct ksmalloc_segment_header *header)
{
	struct ksmalloc_segment_header copy;
	char why[KSR_WHY_BYTES];
	ssize_t got;
	int fd;

	if (!fs->live)
		return -EOPNOTSUPP;
	fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)pid);
	if (fd < 0)
		return fd;
	got = pread(fd, &copy, ksm_min(sizeof(copy), place->bytes), (off_t)place->begin);
	close(fd);
	/* Nothing is mapped there, or the process has no memory any more. */
	if (got <= 0)
		return -ESTALE;
	return ksr_snapshot_validate_header(&copy, (size_t)got, place->bytes, header, why) ? -ESTALE : 0;
}
