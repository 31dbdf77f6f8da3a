/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's mappings. The kernel writes all of them as text, names first of all, which of some thousand takes it milliseconds;
 * since 6.11 it can be asked for single ones (ioctl(2), PROCMAP_QUERY).
 */
#include "os/os.h"
#include "os/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* As in linux/fs.h of 6.11, which is newer than what this may be built with. */
struct query {
	uint64_t size;
	uint64_t which;
	uint64_t address;
	uint64_t begin;
	uint64_t end;
	uint64_t flags;
	uint64_t page_bytes;
	uint64_t offset;
	uint64_t inode;
	uint32_t device[2];
	uint32_t name_bytes;
	uint32_t build_id_bytes;
	uint64_t name;
	uint64_t build_id;
};
static_assert(sizeof(struct query) == 104, "what the kernel reads");

#define QUERY	_IOWR('f', 17, struct query)
#define READ	UINT64_C(0x01)
#define WRITE	UINT64_C(0x02)
#define EXECUTE UINT64_C(0x04)
#define SHARED	UINT64_C(0x08)
#define OR_NEXT UINT64_C(0x10) /* of which: the next one, if none covers the address */

#define NAME_BYTES 128 /* longer names are of no interest */

/* Without the calls, or where they are forbidden. Synchronization: atomic. */
static atomic_bool cannot_ask;

static int open_maps(void)
{
	return ksm_os_open_at(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
}

/* --- as text --------------------------------------------------------------------------------- */

/* Reads a line of /proc/PID/maps: "begin-end rwxp offset device inode". False if it is something else. */
static bool parse_mapping(const char *line, struct ksm_os_mapping *mapping)
{
	char *rest;

	mapping->begin = strtoul(line, &rest, 16);
	if (*rest != '-')
		return false;
	mapping->end = strtoul(rest + 1, &rest, 16);
	if (*rest != ' ' || strlen(rest) < sizeof(" rwxp ") - 1)
		return false;
	mapping->rights = (rest[1] == 'r' ? PROT_READ : 0) | (rest[2] == 'w' ? PROT_WRITE : 0) |
			  (rest[3] == 'x' ? PROT_EXEC : 0);
	mapping->is_private = rest[4] == 'p';
	mapping->offset = strtoull(rest + 6, &rest, 16);
	rest += strcspn(rest, ":");
	if (*rest != ':')
		return false;
	strtoul(rest + 1, &rest, 16);
	mapping->inode = strtoull(rest, &rest, 10);
	mapping->name = rest + strspn(rest, " ");
	return true;
}

int ksm_os_each_mapping(ksm_os_visit_mapping *visit, void *argument)
{
	struct ksm_os_mapping mapping;
	char head[NAME_BYTES]; /* of the line: the end of a name is not wanted */
	size_t kept = 0;
	char buffer[1024];
	ssize_t got;
	bool go_on = true;
	int file = open_maps();

	if (file < 0)
		return file;
	while (go_on && (got = ksm_os_read_some(file, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; go_on && i < got; i++) {
			if (buffer[i] != '\n') {
				if (kept < sizeof(head) - 1)
					head[kept++] = buffer[i];
				continue;
			}
			head[kept] = '\0';
			kept = 0;
			if (parse_mapping(head, &mapping))
				go_on = visit(&mapping, argument);
		}
	}
	ksm_os_close(file);
	return 0;
}

/* --- one by one ------------------------------------------------------------------------------ */

/* 0, -ENOENT if there is none from this address on, or -errno. name: NULL, or NAME_BYTES for it. */
static int ask(int file, uintptr_t address, uint64_t which, struct ksm_os_mapping *mapping, char *name)
{
	struct query query = { .size = sizeof(query), .which = which | OR_NEXT, .address = address };
	int error;

	if (name) {
		*name = '\0';
		query.name = (uintptr_t)name;
		query.name_bytes = NAME_BYTES;
	}
	error = (int)KSM_OS_CALL(SYS_ioctl, file, QUERY, &query);
	if (error == -ENAMETOOLONG)
		return ask(file, address, which, mapping, NULL);
	if (error)
		return error;
	*mapping = (struct ksm_os_mapping){
		.begin = query.begin,
		.end = query.end,
		.offset = query.offset,
		.inode = query.inode,
		.name = name ? name : "",
		.rights = (query.flags & READ ? PROT_READ : 0) | (query.flags & WRITE ? PROT_WRITE : 0) |
			  (query.flags & EXECUTE ? PROT_EXEC : 0),
		.is_private = !(query.flags & SHARED),
	};
	return 0;
}

void ksm_os_stop_asking_for_mappings(void)
{
	atomic_store_explicit(&cannot_ask, true, memory_order_relaxed);
}

/* 0 or -errno; -EOPNOTSUPP if the kernel cannot be asked, and nothing was visited. */
static int ask_each(uintptr_t from, uint64_t which, char *name, ksm_os_visit_mapping *visit, void *argument)
{
	struct ksm_os_mapping mapping = { .end = from };
	bool go_on = true;
	int error = 0;
	int file;

	if (atomic_load_explicit(&cannot_ask, memory_order_relaxed))
		return -EOPNOTSUPP;
	file = open_maps();
	if (file < 0)
		return file;
	while (go_on && !error) {
		error = ask(file, mapping.end, which, &mapping, name);
		if (!error)
			go_on = visit(&mapping, argument);
	}
	ksm_os_close(file);
	/* An address that the kernel has nothing at is the only reason why it would not tell what it told before. */
	if (error == -ENOENT)
		return 0;
	if (error && mapping.end == from) {
		ksm_os_stop_asking_for_mappings();
		return -EOPNOTSUPP;
	}
	return error;
}

bool ksm_os_can_ask_for_mappings(void)
{
	return !atomic_load_explicit(&cannot_ask, memory_order_relaxed);
}

struct part {
	uintptr_t from;
	ksm_os_visit_mapping *visit;
	void *argument;
};

static bool visit_behind(const struct ksm_os_mapping *mapping, void *argument)
{
	const struct part *part = argument;

	return mapping->end <= part->from || part->visit(mapping, part->argument);
}

int ksm_os_each_mapping_from(uintptr_t from, ksm_os_visit_mapping *visit, void *argument)
{
	struct part part = { from, visit, argument };
	int error = ask_each(from, 0, NULL, visit, argument);

	return error == -EOPNOTSUPP ? ksm_os_each_mapping(visit_behind, &part) : error;
}

static bool visit_shared(const struct ksm_os_mapping *mapping, void *argument)
{
	const struct part *part = argument;

	return mapping->is_private || part->visit(mapping, part->argument);
}

int ksm_os_each_shared_mapping(ksm_os_visit_mapping *visit, void *argument)
{
	struct part part = { 0, visit, argument };
	char name[NAME_BYTES];
	int error = ask_each(0, SHARED, name, visit, argument);

	return error == -EOPNOTSUPP ? ksm_os_each_mapping(visit_shared, &part) : error;
}
