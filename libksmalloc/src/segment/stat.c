/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole segment is mapped at once, a few MiB of address space of which
 * only used pages cost memory. Where a file is asked for, what is in use is copied
 * through the file, which is then mapped over the same addresses, so pointers into
 * the segment stay good.
 */
#include "segment/stat.h"

#include "system/fatal.h"
#include "system/option.h"
#include "os/os.h"
#include "segment/stale.h"

#include <errno.h>
#include <ksmalloc/ksmalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static_assert(sizeof(KSMALLOC_SEGMENT_MAGIC) - 1 == sizeof(((struct ksmalloc_segment_header *)0)->magic),
	      "the magic fills its field");
static_assert(KSMALLOC_MAX_SITES <= UINT16_MAX, "an owner of a block is kept in 16 bits");
static_assert(KSMALLOC_MAX_MODULES <= UINT16_MAX, "a frame has 16 bits for its module");
static_assert(KSMALLOC_MAX_ORIGIN_FRAMES <= UINT16_MAX && KSMALLOC_MAX_SCRIPT_ENTRIES <= UINT16_MAX,
	      "an origin has 16 bits for each frame");
static_assert(sizeof(KSMALLOC_VERSION_STRING) <= 16, "the version fits its field");

#define SEGMENT_BYTES ksm_align_up(sizeof(struct ksm_stat_segment), KSM_PAGE)

struct ksm_stat_segment *ksm_stat;

static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER; /* Protects counts of tables. */

/* Synchronization: atomic; changes under the publisher's exclusion. */
static atomic_bool must_publish;

static bool is_file; /* the mapping is shared with a file. Synchronization: as must_publish. */

static char file_path[4200] KSM_SPARSE; /* of the published file, empty if there is none */

static void read_identity(struct ksmalloc_segment_header *header)
{
	char text[1024];
	const char *field;
	char *end;

	header->pid = getpid();
	if (ksm_os_read_file("/proc/sys/kernel/random/boot_id", text, sizeof(header->boot_id)) > 0) {
		text[strcspn(text, "\n")] = '\0';
		memcpy(header->boot_id, text, strlen(text) + 1);
	}
	if (ksm_os_read_link("/proc/self/ns/pid", text, sizeof(text)) > 0) {
		field = strchr(text, '[');
		header->pid_namespace = field ? strtoull(field + 1, NULL, 10) : 0;
	}
	/* The command's name may hold spaces and parentheses: count from the last one. */
	if (ksm_os_read_file("/proc/self/stat", text, sizeof(text)) <= 0)
		return;
	field = strrchr(text, ')');
	for (int i = 3; field && i <= 22; i++)
		field = strchr(field + 1, ' ');
	if (field)
		header->start_time_ticks = strtoull(field, &end, 10);
}

static void set_table(struct ksmalloc_segment_table *table, size_t offset, size_t stride,
		      size_t capacity)
{
	table->offset = offset;
	table->stride = (uint32_t)stride;
	table->capacity = (uint32_t)capacity;
}

static void fill_header(struct ksmalloc_segment_header *header)
{
	header->version = KSMALLOC_SEGMENT_VERSION;
	header->header_bytes = sizeof(*header);
	header->size_bytes = SEGMENT_BYTES;
	header->page_bytes = KSM_PAGE;
	header->layout = KSMALLOC_LAYOUT_PRIVATE;
	header->threshold_bytes = (uint32_t)ksm_options.threshold;
	strncpy(header->group, ksm_options.group, sizeof(header->group) - 1);
	memcpy(header->library_version, KSMALLOC_VERSION_STRING, sizeof(KSMALLOC_VERSION_STRING));
	set_table(&header->sites, offsetof(struct ksm_stat_segment, sites),
		  sizeof(struct ksmalloc_segment_site), KSMALLOC_MAX_SITES);
	set_table(&header->slots, offsetof(struct ksm_stat_segment, slots),
		  sizeof(struct ksmalloc_segment_slot), KSMALLOC_MAX_SLOTS);
	set_table(&header->modules, offsetof(struct ksm_stat_segment, modules),
		  sizeof(struct ksmalloc_segment_module), KSMALLOC_MAX_MODULES);
	set_table(&header->tallies, offsetof(struct ksm_stat_segment, tallies),
		  sizeof(struct ksmalloc_segment_tally), KSMALLOC_MAX_TALLIES);
	set_table(&header->origins, offsetof(struct ksm_stat_segment, origins),
		  sizeof(struct ksmalloc_segment_origin), KSMALLOC_MAX_ORIGINS);
	set_table(&header->script_frames, offsetof(struct ksm_stat_segment, script_frames),
		  sizeof(struct ksmalloc_segment_script_frame), KSMALLOC_MAX_SCRIPT_ENTRIES);
	set_table(&header->frames, offsetof(struct ksm_stat_segment, frames), sizeof(uint64_t),
		  KSMALLOC_MAX_ORIGIN_FRAMES);
	set_table(&header->marks, offsetof(struct ksm_stat_segment, marks),
		  sizeof(struct ksmalloc_segment_mark), KSMALLOC_MAX_MARKS);
	set_table(&header->strings, offsetof(struct ksm_stat_segment, strings), 1,
		  KSMALLOC_STRINGS_BYTES);
	header->strings.count = 1; /* the empty string at offset 0 */
	header->origins.count = 1; /* origin 0, which is not known */
	header->script_frames.count = 1; /* and frame 0, which is none */
	header->frames.count = 1;
	memcpy(header->magic, KSMALLOC_SEGMENT_MAGIC, sizeof(header->magic));
}

/* Where in the header the tables are. */
static const size_t all_tables[] = {
#define TABLE(name) offsetof(struct ksmalloc_segment_header, name)
	TABLE(sites),	TABLE(slots),	      TABLE(modules), TABLE(tallies), TABLE(origins),
	TABLE(strings), TABLE(script_frames), TABLE(frames),  TABLE(marks),
#undef TABLE
};

static const struct ksmalloc_segment_table *table_at(const struct ksmalloc_segment_header *header, size_t i)
{
	return (const void *)((const char *)header + all_tables[i]);
}

static void count_failure(int error)
{
	struct ksmalloc_process_stats *stats = &ksm_stat->header.stats;

	ksm_stat_add(&stats->segment_failed_total, 1);
	ksm_stat_set(&stats->segment_errno, (uint64_t)-error);
}

/*
 * Makes the page before the segment its marker: a mapping of a file without content, whose name is
 * all that is wanted of it. Nobody can touch the page, and a forked child has both.
 */
static void mark(void *page)
{
	int file = ksm_os_create_memfd(KSMALLOC_SEGMENT_MARKER);
	int error = file;

	if (file >= 0) {
		error = ksm_os_map_file_over(page, KSM_PAGE, PROT_NONE, MAP_PRIVATE, file);
		ksm_os_close(file);
	}
	if (error)
		count_failure(error);
}

/* Does the user want what a segment in memory cannot give? */
static bool is_file_wanted(void)
{
	return ksm_options.stats &&
	       (ksm_options.stats_dir[0] || ksm_options.stats_group != UINT32_MAX);
}

int ksm_stat_init(void)
{
	void *memory;
	int error = ksm_os_map(&memory, KSM_PAGE + SEGMENT_BYTES, true);

	if (error)
		return error;
	ksm_stat = (struct ksm_stat_segment *)((char *)memory + KSM_PAGE);
	fill_header(&ksm_stat->header);
	if (ksm_options.stats)
		mark(memory);
	must_publish = is_file_wanted();
	return 0;
}

bool ksm_stat_must_publish(void)
{
	return atomic_load_explicit(&must_publish, memory_order_relaxed);
}

/* Opens one folder for the file and remembers its path for the removal at exit. */
static int create_in(const char *folder_path, const char *name)
{
	bool shared = ksm_options.stats_group != UINT32_MAX;
	int folder = ksm_os_open_private_folder(folder_path);
	int file;

	if (folder < 0)
		return folder;
	/* A folder that the user named is the user's to open to others. */
	if (shared && !ksm_options.stats_dir[0])
		ksm_os_share_folder(folder, (gid_t)ksm_options.stats_group);
	file = ksm_os_create_file(folder, name, shared ? 0640 : 0600,
				  shared ? (gid_t)ksm_options.stats_group : (gid_t)-1,
				  SEGMENT_BYTES);
	if (file >= 0) {
		snprintf(file_path, sizeof(file_path), "%s/%s", folder_path, name);
		ksm_stale_remove(folder, &ksm_stat->header);
	}
	ksm_os_close(folder);
	return file;
}

/*
 * The folders are tried in the order in which a reader would look: the one that
 * was asked for, else the user's run-time folder as the session manager made
 * it, else one in shared memory. All of them are memory file systems.
 */
static int create_file(void)
{
	const char *runtime = ksm_os_is_secure() ? NULL : getenv("XDG_RUNTIME_DIR");
	unsigned int user = (unsigned int)geteuid();
	char name[64];
	char path[4096];
	int file;

	snprintf(name, sizeof(name), KSMALLOC_SEGMENT_PREFIX "%d.%llx", (int)getpid(),
		 (unsigned long long)ksm_stat->header.pid_namespace);
	if (ksm_options.stats_dir[0])
		return create_in(ksm_options.stats_dir, name);
	if (runtime && runtime[0] == '/') {
		snprintf(path, sizeof(path), "%s/ksmalloc", runtime);
		file = create_in(path, name);
		if (file >= 0)
			return file;
	}
	snprintf(path, sizeof(path), "/run/user/%u/ksmalloc", user);
	file = create_in(path, name);
	if (file >= 0)
		return file;
	snprintf(path, sizeof(path), "/dev/shm/ksmalloc-%u", user);
	return create_in(path, name);
}

/* Writes a region of the segment to the same place of the file. */
static int write_region(int file, const void *from, size_t length)
{
	return ksm_os_write(file, from, length, (const char *)from - (const char *)ksm_stat);
}

/*
 * Process counters go on counting meanwhile, without a lock: what is added
 * between the copy and the switch is lost to those that are not set anew.
 */
static void copy_counters(struct ksmalloc_process_stats *to)
{
	uint64_t *from = (uint64_t *)&ksm_stat->header.stats;
	uint64_t *words = (uint64_t *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(words[0]); i++)
		words[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/*
 * Writes what is in use of a table, and its first record in any case: so the page exists in which
 * it begins, and has_room() has to see to later ones only.
 */
static int write_table(int file, const struct ksmalloc_segment_table *table)
{
	return write_region(file, (const char *)ksm_stat + table->offset,
			    (size_t)ksm_max(table->count, 1) * table->stride);
}

static int copy_to(int file)
{
	const struct ksmalloc_segment_header *header = &ksm_stat->header;
	struct ksmalloc_process_stats counters;
	int error = write_region(file, header, offsetof(struct ksmalloc_segment_header, stats));

	copy_counters(&counters);
	if (!error)
		error = ksm_os_write(file, &counters, sizeof(counters),
				    offsetof(struct ksmalloc_segment_header, stats));
	if (!error)
		error = write_region(file, &header->tallies,
				     sizeof(*header) - offsetof(struct ksmalloc_segment_header, tallies));
	for (size_t i = 0; i < KSM_COUNT_OF(all_tables) && !error; i++)
		error = write_table(file, table_at(&ksm_stat->header, i));
	return error;
}

/* Puts the contents into file and the file in the place of the private memory. */
static int switch_to(int file)
{
	int error = copy_to(file);

	if (!error)
		error = ksm_os_map_file_over(ksm_stat, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
					     file);
	if (!error)
		is_file = true;
	ksm_os_close(file);
	if (error && file_path[0]) {
		ksm_os_unlink_path(file_path);
		file_path[0] = '\0';
	}
	return error;
}

void ksm_stat_publish(void)
{
	int error;
	int file;

	pthread_mutex_lock(&tables_lock);
	must_publish = false;
	read_identity(&ksm_stat->header);
	file = create_file();
	error = file >= 0 ? switch_to(file) : file;
	if (error)
		count_failure(error);
	pthread_mutex_unlock(&tables_lock);
}

void ksm_stat_unlink(void)
{
	if (file_path[0])
		ksm_os_unlink_path(file_path);
	file_path[0] = '\0';
}

/*
 * Makes sure that a record can be written: a file system that has filled up
 * would else answer the first touch of a new page with SIGBUS. Only a record
 * that begins or crosses a page needs the system call.
 */
static bool has_room(const void *record, size_t length)
{
	uintptr_t first = (uintptr_t)record;
	uintptr_t new_page = ksm_align_up(first, KSM_PAGE);

	if (!is_file || new_page >= first + length)
		return true;
	return ksm_os_populate((void *)new_page, KSM_PAGE) == 0;
}

/* Appends a record, which is complete; its index, or -ENOSPC. */
static int append(struct ksmalloc_segment_table *table, const void *record)
{
	uint32_t index;
	char *to;

	pthread_mutex_lock(&tables_lock);
	index = table->count;
	to = (char *)ksm_stat + table->offset + (size_t)index * table->stride;
	if (index == table->capacity || !has_room(to, table->stride)) {
		pthread_mutex_unlock(&tables_lock);
		return -ENOSPC;
	}
	memcpy(to, record, table->stride);
	__atomic_store_n(&table->count, index + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&tables_lock);
	return (int)index;
}

int ksm_stat_add_slot(uint64_t base, uint32_t site, uint32_t flags)
{
	const struct ksmalloc_segment_slot slot = { .base = base, .site = site, .flags = flags };

	return append(&ksm_stat->header.slots, &slot);
}

void ksm_stat_reuse_slot(int index, uint32_t site, uint32_t flags)
{
	__atomic_store_n(&ksm_stat->slots[index].site, site, __ATOMIC_RELAXED);
	__atomic_store_n(&ksm_stat->slots[index].flags, flags, __ATOMIC_RELAXED);
}

/* Appends a string; the tables' lock is held. */
static uint32_t add_string_locked(const char *text, size_t length)
{
	struct ksmalloc_segment_table *table = &ksm_stat->header.strings;
	uint32_t offset = table->count;

	if (length + 1 > table->capacity - offset || length + 1 > KSM_PAGE ||
	    !has_room(ksm_stat->strings + offset, length + 1))
		return 0;
	memcpy(ksm_stat->strings + offset, text, length);
	ksm_stat->strings[offset + length] = '\0';
	__atomic_store_n(&table->count, offset + (uint32_t)length + 1, __ATOMIC_RELEASE);
	return offset;
}

uint32_t ksm_stat_add_string(const char *text, size_t length)
{
	uint32_t offset;

	pthread_mutex_lock(&tables_lock);
	offset = add_string_locked(text, length);
	pthread_mutex_unlock(&tables_lock);
	return offset;
}

int ksm_stat_add_module(const struct ksmalloc_segment_module *module, const char *path)
{
	struct ksmalloc_segment_table *table = &ksm_stat->header.modules;
	uint32_t index;

	pthread_mutex_lock(&tables_lock);
	index = table->count;
	if (index == table->capacity ||
	    !has_room(&ksm_stat->modules[index], sizeof(ksm_stat->modules[0]))) {
		pthread_mutex_unlock(&tables_lock);
		return -ENOSPC;
	}
	ksm_stat->modules[index] = *module;
	ksm_stat->modules[index].path_string = add_string_locked(path, strlen(path));
	__atomic_store_n(&table->count, index + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&tables_lock);
	return (int)index;
}

int ksm_stat_add_origin(const struct ksmalloc_segment_origin *origin)
{
	return append(&ksm_stat->header.origins, origin);
}

int ksm_stat_add_frame(uint64_t frame)
{
	return append(&ksm_stat->header.frames, &frame);
}

int ksm_stat_add_script_frame(const struct ksmalloc_segment_script_frame *frame)
{
	return append(&ksm_stat->header.script_frames, frame);
}

struct ksmalloc_segment_mark *ksm_stat_add_mark(void)
{
	struct ksmalloc_segment_table *table = &ksm_stat->header.marks;
	struct ksmalloc_segment_mark *mark = NULL;

	if (!ksm_lock_try(&tables_lock))
		return NULL;
	if (table->count < table->capacity &&
	    has_room(&ksm_stat->marks[table->count], sizeof(*mark))) {
		mark = &ksm_stat->marks[table->count];
		__atomic_store_n(&table->count, table->count + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&tables_lock);
	return mark;
}

struct ksmalloc_segment_tally *ksm_stat_add_tally(void)
{
	struct ksmalloc_segment_table *table = &ksm_stat->header.tallies;
	struct ksmalloc_segment_tally *tally = NULL;

	pthread_mutex_lock(&tables_lock);
	if (table->count < table->capacity &&
	    has_room(&ksm_stat->tallies[table->count], sizeof(*tally))) {
		tally = &ksm_stat->tallies[table->count];
		__atomic_store_n(&table->count, table->count + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&tables_lock);
	return tally;
}

struct ksmalloc_segment_site *ksm_stat_prepare_site(uint32_t index)
{
	if (index >= KSMALLOC_MAX_SITES ||
	    !has_room(&ksm_stat->sites[index], sizeof(ksm_stat->sites[0])))
		return NULL;
	return &ksm_stat->sites[index];
}

void ksm_stat_commit_site(uint32_t index)
{
	__atomic_store_n(&ksm_stat->header.sites.count, index + 1, __ATOMIC_RELEASE);
}

enum ksm_lock_holder ksm_stat_lock_holder(void)
{
	return ksm_lock_holder(&tables_lock);
}

void ksm_stat_prefork(void)
{
	pthread_mutex_lock(&tables_lock);
}

void ksm_stat_postfork_parent(void)
{
	pthread_mutex_unlock(&tables_lock);
}

/*
 * The child still maps its parent's file. A copy is made elsewhere and moved
 * over it, so that at no time a write of the child reaches the parent's file.
 */
static void leave_parents_file(void)
{
	struct ksm_stat_segment *copy;
	const struct ksmalloc_segment_header *header = &ksm_stat->header;
	void *memory;

	if (ksm_os_map(&memory, SEGMENT_BYTES, true) != 0) {
		/* Without memory for a copy the child counts from zero. */
		ksm_os_map_over(ksm_stat, SEGMENT_BYTES);
		fill_header(&ksm_stat->header);
		return;
	}
	copy = memory;
	copy->header = *header;
	for (size_t i = 0; i < KSM_COUNT_OF(all_tables); i++) {
		const struct ksmalloc_segment_table *table = table_at(header, i);

		memcpy((char *)copy + table->offset, (const char *)ksm_stat + table->offset,
		       (size_t)table->count * table->stride);
	}
	ksm_os_move_over(copy, SEGMENT_BYTES, ksm_stat);
}

/* What its parent has shared is the child's, too; what the parent has done for it is not. */
static void count_from_zero(struct ksmalloc_share_stats *stats)
{
#define RESET_COUNTER(name, kind, help)                                                             \
	if (KSMALLOC_STAT_##kind == KSMALLOC_STAT_COUNTER)                                           \
		ksm_stat_set(&stats->name, 0);
	KSMALLOC_SHARE_STATS(RESET_COUNTER)
#undef RESET_COUNTER
	ksm_stat_set(&ksm_stat->header.huge.stats.published_huge_bytes_total, 0);
}

void ksm_stat_renew_lock(void)
{
	pthread_mutex_init(&tables_lock, NULL);
}

void ksm_stat_postfork_child(void)
{
	if (!ksm_stat)
		return;
	if (is_file)
		leave_parents_file();
	is_file = false;
	file_path[0] = '\0';
	must_publish = is_file_wanted();
	if (ksm_options.share)
		count_from_zero(&ksm_stat->header.share.stats);
	ksm_stat_add(&ksm_stat->header.stats.forks_total, 1);
}
