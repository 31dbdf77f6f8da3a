/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A folder's time of change is that of the last entry that came or went; where
 * that was later than all starts, the times when entries were made may still
 * lie between them.
 */
#define _GNU_SOURCE
#include "pages/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pages/atoms.h"
#include "read/grow.h"

#define SECOND UINT64_C(1000000000)
/* An interpreter lists folders some time after its start; the start itself is known to 10 ms. */
#define SLACK (SECOND / 20)
#define FOLDERS_MOST 8	  /* of one process */
#define ENTRIES_MOST 8192 /* of one folder */
#define PARENTS_MOST 8

const char ksr_folder_advice[] =
	"start the workers in a folder that does not change (WorkingDirectory=/ in a unit), keep "
	"it "
	"off python's path (python3 -P, PYTHONSAFEPATH=1), or write logs and pid files elsewhere";

/* --- python's command line ------------------------------------------------------------------ */

struct python {
	const char *script; /* NULL: -c, -m or the standard input */
	bool safe_path;	    /* neither the working folder nor the script's are on the path */
	bool no_variables;  /* PYTHON* mean nothing */
};

/* Letters of one word such as "-Bc"; true when the options end with it. */
static bool parse_letters(const char *letters, const struct ksr_text *arguments, size_t *position,
			  struct python *python)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'c':
		case 'm':
			return true;
		case 'P':
			python->safe_path = true;
			break;
		case 'I':
			python->safe_path = true;
			python->no_variables = true;
			break;
		case 'E':
			python->no_variables = true;
			break;
		case 'W':
		case 'X':
			if (!letters[1])
				ksr_text_entry(arguments, position);
			return false;
		default:
			break;
		}
	}
	return false;
}

static void parse_arguments(const struct ksr_text *arguments, struct python *python)
{
	size_t position = 0;
	size_t after_loader;
	const char *word;

	*python = (struct python){0};
	ksr_text_entry(arguments, &position);
	/* LOADER --argv0 NAME PROGRAM ARGUMENT..., as 'ksmalloc run --through-loader' starts it. */
	after_loader = position;
	word = ksr_text_entry(arguments, &after_loader);
	if (word && strcmp(word, "--argv0") == 0 && ksr_text_entry(arguments, &after_loader) &&
	    ksr_text_entry(arguments, &after_loader))
		position = after_loader;
	while ((word = ksr_text_entry(arguments, &position))) {
		if (strcmp(word, "--check-hash-based-pycs") == 0) {
			ksr_text_entry(arguments, &position);
		} else if (word[0] != '-') {
			python->script = word;
			return;
		} else if (!word[1] || (word[1] != '-' &&
					parse_letters(word + 1, arguments, &position, python))) {
			return;
		}
	}
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

enum { PYTHON_NOT, PYTHON_PROGRAM, PYTHON_LIBRARY };

/* "python3.11", which is not the program of the process where the loader started it. */
static bool is_interpreter(const char *name)
{
	return strncmp(name, "python", 6) == 0 &&
	       strspn(name + 6, "0123456789.") == strlen(name + 6);
}

/* The interpreter itself, whose arguments are known, or a program that embeds it. */
static int python_of(const struct ksr_space *space)
{
	int kind = PYTHON_NOT;

	for (uint32_t i = 0; i < space->region_count; i++) {
		const struct ksr_region *region = &space->regions[i];
		const char *name = last_component(region->name);

		if (region->kind != KSR_REGION_FILE)
			continue;
		if (is_interpreter(name))
			return PYTHON_PROGRAM;
		if (strncmp(name, "libpython", 9) == 0)
			kind = PYTHON_LIBRARY;
	}
	return kind;
}

bool ksr_folders_matter(const struct ksr_space *const *spaces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (python_of(spaces[i]) != PYTHON_NOT)
			return true;
	}
	return false;
}

/* --- the folders of a process -------------------------------------------------------------- */

struct folder {
	char path[PATH_MAX];
	bool is_working;
};

struct folders {
	struct folder list[FOLDERS_MOST];
	size_t count;
};

static void add_folder(struct folders *folders, const char *path, size_t bytes, bool is_working)
{
	struct folder *folder = &folders->list[folders->count];

	if (folders->count == FOLDERS_MOST || bytes >= sizeof(folder->path))
		return;
	memcpy(folder->path, path, bytes);
	folder->path[bytes] = '\0';
	folder->is_working = is_working;
	folders->count++;
}

static void add_script(struct folders *folders, const char *script)
{
	const char *slash = strrchr(script, '/');

	/* Without a slash it lies in the working folder. */
	if (slash)
		add_folder(folders, script, (size_t)(slash - script) + (slash == script), false);
}

static void add_list(struct folders *folders, const char *list)
{
	while (list && *list) {
		size_t bytes = strcspn(list, ":");

		if (bytes)
			add_folder(folders, list, bytes, false);
		list += bytes + (list[bytes] == ':');
	}
}

/* For programs other than python, and for one that is told to leave it alone, only with all. */
static void list_folders(const struct ksr_fs *fs, const struct ksr_space *space, bool all,
			 struct folders *folders)
{
	struct ksr_text arguments = {0};
	struct ksr_text environment = {0};
	struct python python = {0};
	int kind = python_of(space);
	const char *safe;
	char path[PATH_MAX];
	int length;

	folders->count = 0;
	if (kind == PYTHON_NOT && !all)
		return;
	if (kind == PYTHON_PROGRAM &&
	    ksr_fs_read(fs, &arguments, "proc/%d/cmdline", (int)space->pid) == 0)
		parse_arguments(&arguments, &python);
	if (ksr_fs_read(fs, &environment, "proc/%d/environ", (int)space->pid))
		environment = (struct ksr_text){0};
	safe = python.no_variables ? NULL : ksr_text_variable(&environment, "PYTHONSAFEPATH");
	if (all || !(python.safe_path || (safe && safe[0]))) {
		length = ksr_fs_read_link(fs, path, sizeof(path), "proc/%d/cwd", (int)space->pid);
		if (length > 0)
			add_folder(folders, path, (size_t)length, true);
		if (python.script)
			add_script(folders, python.script);
	}
	if (kind != PYTHON_NOT && !python.no_variables)
		add_list(folders, ksr_text_variable(&environment, "PYTHONPATH"));
	ksr_text_free(&arguments);
	ksr_text_free(&environment);
}

/* visit returns nonzero to stop; it is given the folder's descriptor. */
static void visit_entries(int fd, int (*visit)(int fd, const char *name, void *user), void *user)
{
	DIR *stream = fdopendir(fd);
	const struct dirent *entry;
	size_t count = 0;
	int result = 0;

	if (!stream) {
		close(fd);
		return;
	}
	while (!result && count++ < ENTRIES_MOST && (entry = readdir(stream)))
		result = visit(dirfd(stream), entry->d_name, user);
	closedir(stream);
}

/* --- names ------------------------------------------------------------------------------------ */

static int add_name(int fd, const char *name, void *user)
{
	struct ksr_folder_names *names = user;
	size_t bytes = strlen(name);
	uint64_t *larger;

	(void)fd;
	if (bytes < KSR_ATOM_TEXT_LEAST)
		return 0;
	larger = ksr_grow_by_count(names->hashes, names->count, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	names->hashes = larger;
	names->hashes[names->count++] = ksr_atoms_text_hash(name, bytes);
	return 0;
}

static int compare_hashes(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left;
	uint64_t b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

void ksr_folder_names_read(const struct ksr_fs *fs, const struct ksr_space *const *spaces,
			   size_t count, struct ksr_folder_names *names)
{
	struct folders folders;

	*names = (struct ksr_folder_names){0};
	for (size_t i = 0; i < count; i++) {
		list_folders(fs, spaces[i], true, &folders);
		for (size_t k = 0; k < folders.count; k++) {
			int fd = ksr_fs_open_folder_in_process(fs, spaces[i]->pid,
							       folders.list[k].path);

			if (fd >= 0)
				visit_entries(fd, add_name, names);
		}
	}
	if (names->count)
		qsort(names->hashes, names->count, sizeof(*names->hashes), compare_hashes);
}

bool ksr_folder_names_have(const struct ksr_folder_names *names, uint64_t hash)
{
	return names->count &&
	       bsearch(&hash, names->hashes, names->count, sizeof(hash), compare_hashes) != NULL;
}

void ksr_folder_names_free(struct ksr_folder_names *names)
{
	free(names->hashes);
	*names = (struct ksr_folder_names){0};
}

/* --- changes ---------------------------------------------------------------------------------- */

/* A folder that a process looks into. */
struct seen {
	dev_t device;
	ino_t inode;
	uint64_t changed;
	uint64_t started; /* the process; nanoseconds since 1970, as all times here */
	pid_t pid;
	struct folder folder;
};

struct sight {
	struct seen *list;
	size_t count;
};

static bool has_equal_text(const struct ksr_fs *fs, const char *name, pid_t a, pid_t b)
{
	struct ksr_text first;
	struct ksr_text second;
	bool equal;

	if (ksr_fs_read(fs, &first, "proc/%d/%s", (int)a, name))
		return false;
	equal = ksr_fs_read(fs, &second, "proc/%d/%s", (int)b, name) == 0;
	if (equal) {
		equal = first.size == second.size &&
			memcmp(first.data, second.data, first.size) == 0;
		ksr_text_free(&second);
	}
	ksr_text_free(&first);
	return equal;
}

static bool has_equal_program(const struct ksr_fs *fs, pid_t a, pid_t b)
{
	struct stat first;
	struct stat second;

	return ksr_fs_stat(fs, &first, "proc/%d/exe", (int)a) == 0 &&
	       ksr_fs_stat(fs, &second, "proc/%d/exe", (int)b) == 0 &&
	       first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* When its program began: a forked process has the arguments of its parent, and what that has read.
 */
static uint64_t start_of(const struct ksr_fs *fs, const struct ksr_space *space)
{
	const struct ksr_identity *identity = &space->identity;
	struct ksr_status status = space->status;
	struct ksr_status parent;
	pid_t pid = space->pid;
	uint64_t ticks;
	uint64_t age;

	for (int i = 0; i < PARENTS_MOST; i++) {
		if (status.parent <= 1 || ksr_status_read(fs, status.parent, &parent) ||
		    !has_equal_program(fs, pid, status.parent) ||
		    !has_equal_text(fs, "cmdline", pid, status.parent))
			break;
		pid = status.parent;
		status = parent;
	}
	ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	age = identity->boot_end -
	      ksm_min(identity->boot_end, status.start_time_ticks * (SECOND / ticks));
	return identity->real_end - ksm_min(age, identity->real_end);
}

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * SECOND + (uint64_t)time->tv_nsec;
}

static void see(const struct ksr_fs *fs, const struct ksr_space *space, struct sight *sight)
{
	struct folders folders;
	uint64_t started;

	list_folders(fs, space, false, &folders);
	started = folders.count ? start_of(fs, space) : 0;
	for (size_t i = 0; i < folders.count; i++) {
		int fd = ksr_fs_open_folder_in_process(fs, space->pid, folders.list[i].path);
		struct stat status;

		if (fd < 0)
			continue;
		if (fstat(fd, &status) == 0)
			sight->list[sight->count++] = (struct seen){
				status.st_dev, status.st_ino, nanoseconds(&status.st_mtim),
				started,       space->pid,    folders.list[i]};
		close(fd);
	}
}

struct search {
	const struct sight *sight;
	const struct seen *seen;
	struct ksr_folder_change *change;
};

/* Had one of those who look into the folder started at that time, and another one not? */
static bool lies_between(const struct search *search, uint64_t time)
{
	const struct seen *before = NULL;
	const struct seen *after = NULL;

	for (size_t i = 0; i < search->sight->count; i++) {
		const struct seen *other = &search->sight->list[i];

		if (other->device != search->seen->device || other->inode != search->seen->inode)
			continue;
		if (other->started + SLACK < time && (!before || other->started > before->started))
			before = other;
		if (other->started + SLACK > time && (!after || other->started < after->started))
			after = other;
	}
	if (!before || !after)
		return false;
	memcpy(search->change->path, search->seen->folder.path, sizeof(search->change->path));
	search->change->is_working = search->seen->folder.is_working;
	search->change->before = before->pid;
	search->change->after = after->pid;
	return true;
}

/* Stops at an entry that was made between the starts. */
static int was_made_between(int fd, const char *name, void *user)
{
	const struct search *search = user;
	struct statx status;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BTIME, &status) ||
	    !(status.stx_mask & STATX_BTIME))
		return 0;
	return lies_between(search,
			    (uint64_t)status.stx_btime.tv_sec * SECOND + status.stx_btime.tv_nsec);
}

static bool has_changed(const struct ksr_fs *fs, const struct search *search)
{
	const struct seen *seen = search->seen;
	struct search entries = *search;
	int fd;

	search->change->before = 0;
	if (lies_between(search, seen->changed))
		return true;
	fd = ksr_fs_open_folder_in_process(fs, seen->pid, seen->folder.path);
	if (fd >= 0)
		visit_entries(fd, was_made_between, &entries);
	return search->change->before != 0;
}

static bool is_first_sight(const struct sight *sight, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (sight->list[i].device == sight->list[index].device &&
		    sight->list[i].inode == sight->list[index].inode)
			return false;
	}
	return true;
}

bool ksr_folder_changed(const struct ksr_fs *fs, const struct ksr_space *const *spaces,
			size_t count, struct ksr_folder_change *change)
{
	struct sight sight = {calloc(count * FOLDERS_MOST + 1, sizeof(*sight.list)), 0};
	bool changed = false;

	for (size_t i = 0; sight.list && i < count; i++)
		see(fs, spaces[i], &sight);
	for (size_t i = 0; i < sight.count && !changed; i++) {
		const struct search search = {&sight, &sight.list[i], change};

		changed = is_first_sight(&sight, i) && has_changed(fs, &search);
	}
	free(sight.list);
	return changed;
}

void ksr_folder_change_text(const struct ksr_folder_change *change, char *text, size_t bytes)
{
	snprintf(text, bytes,
		 "the %s %s%s changed after process %d had started and before process %d had: "
		 "python "
		 "keeps a list of its entries, and what it allocates after the first import lies "
		 "elsewhere",
		 change->is_working ? "working folder" : "folder", change->path,
		 change->is_working ? "" : ", which is on python's path,", (int)change->before,
		 (int)change->after);
}
