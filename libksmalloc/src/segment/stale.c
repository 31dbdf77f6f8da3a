/* SPDX-License-Identifier: BSD-2-Clause */
#include "segment/stale.h"

#include "os/os.h"

#include <stdlib.h>
#include <string.h>

struct search {
	int folder;
	const struct ksmalloc_segment_header *own;
};

/* The pid in a name that create_file() of stat.c has made in this pid namespace, else 0. */
static pid_t pid_of(const char *name, uint64_t pid_namespace)
{
	const size_t prefix = sizeof(KSMALLOC_SEGMENT_PREFIX) - 1;
	unsigned long pid;
	char *end;

	if (strncmp(name, KSMALLOC_SEGMENT_PREFIX, prefix) != 0)
		return 0;
	pid = strtoul(name + prefix, &end, 10);
	if (pid == 0 || pid > INT32_MAX || *end != '.')
		return 0;
	if (strtoull(end + 1, &end, 16) != pid_namespace || *end != '\0')
		return 0;
	return (pid_t)pid;
}

static bool is_of_this_boot(const struct search *search, const char *name)
{
	/* What comes before the fields that may differ by version. */
	char head[offsetof(struct ksmalloc_segment_header, start_time_ticks)];
	const struct ksmalloc_segment_header *own = search->own;
	const size_t boot_id = offsetof(struct ksmalloc_segment_header, boot_id);

	return ksm_os_read_in(search->folder, name, head, sizeof(head)) == (ssize_t)sizeof(head) &&
	       memcmp(head, KSMALLOC_SEGMENT_MAGIC, sizeof(own->magic)) == 0 &&
	       memcmp(head + boot_id, own->boot_id, sizeof(own->boot_id)) == 0;
}

static void visit(const char *name, void *argument)
{
	const struct search *search = argument;
	pid_t pid = pid_of(name, search->own->pid_namespace);

	if (pid != 0 && !ksm_os_process_exists(pid) && is_of_this_boot(search, name))
		ksm_os_unlink(search->folder, name);
}

void ksm_stale_remove(int folder, const struct ksmalloc_segment_header *own)
{
	struct search search = {.folder = folder, .own = own};

	/* Without them (no /proc) every name would look like one of ours. */
	if (own->pid_namespace && own->boot_id[0])
		ksm_os_each_name(folder, visit, &search);
}
