/* SPDX-License-Identifier: BSD-2-Clause */
/* How: everything is read anew at each call, since the tests change what they ask about. */
#include "test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void say(const char *kind, const char *format, va_list arguments)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "%s: ", kind);

	vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
	dprintf(STDERR_FILENO, "%s\n", text);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	char where[256];
	va_list arguments;

	snprintf(where, sizeof(where), "%s:%d", file, line);
	va_start(arguments, format);
	say(where, format, arguments);
	va_end(arguments);
	/* _exit: a failed test may be in a thread or hold a lock that exit() wants. */
	_exit(1);
}

void test_skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("skipped", format, arguments);
	va_end(arguments);
	_exit(TEST_SKIP);
}

/* Calls visit for each mapping until it answers true. */
static bool each_vma(bool (*visit)(const struct test_vma *vma, void *data), void *data)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[1024];
	struct test_vma vma = { 0 };
	bool found = false;

	CHECK(file != NULL);
	while (!found && fgets(line, sizeof(line), file)) {
		uintptr_t begin, end;
		char perms[8] = "", name[256] = "";
		size_t kib;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %255[^\n]", &begin, &end,
			   perms, name) >= 3) {
			vma = (struct test_vma){ .begin = begin, .end = end };
			memcpy(vma.perms, perms, sizeof(perms));
			memcpy(vma.name, name, sizeof(name));
		} else if (sscanf(line, "Rss: %zu kB", &kib) == 1) {
			vma.rss_bytes = kib * TEST_KIB;
		} else if (sscanf(line, "KSM: %zu kB", &kib) == 1) {
			vma.merged_bytes = kib * TEST_KIB;
		} else if (sscanf(line, "KsmHint: %" SCNx64, &vma.hint) == 1) {
			continue;
		} else if (strncmp(line, "VmFlags:", 8) == 0) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(vma.flags, sizeof(vma.flags), "%.140s ", line + 8);
			found = visit(&vma, data);
		}
	}
	fclose(file);
	return found;
}

static bool count_one(const struct test_vma *vma, void *data)
{
	(void)vma;
	*(size_t *)data += 1;
	return false;
}

unsigned int test_slower(void)
{
	const char *text = getenv("KSM_TEST_SLOWER");
	int times = text ? atoi(text) : 1;

	return times > 1 ? (unsigned int)times : 1;
}

long test_field(const char *path, const char *format)
{
	char line[256];
	long value = -1;
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, format, &value) == 1)
			break;
	}
	if (file)
		fclose(file);
	return value;
}

size_t test_vma_count(void)
{
	size_t count = 0;

	each_vma(count_one, &count);
	return count;
}

struct flag_count {
	const char *flag;
	size_t count;
};

static bool has_flag(const struct test_vma *vma, const char *flag)
{
	char wanted[16];

	snprintf(wanted, sizeof(wanted), " %s ", flag);
	return strstr(vma->flags, wanted) != NULL;
}

static bool count_flag(const struct test_vma *vma, void *data)
{
	struct flag_count *wanted = data;

	wanted->count += has_flag(vma, wanted->flag);
	return false;
}

size_t test_vma_count_flag(const char *flag)
{
	struct flag_count wanted = { .flag = flag };

	each_vma(count_flag, &wanted);
	return wanted.count;
}

struct vma_search {
	uintptr_t address;
	struct test_vma vma;
};

static bool holds_address(const struct test_vma *vma, void *data)
{
	struct vma_search *search = data;

	if (search->address < vma->begin || search->address >= vma->end)
		return false;
	search->vma = *vma;
	return true;
}

struct test_vma test_vma_of(const void *address)
{
	struct vma_search search = { .address = (uintptr_t)address };

	CHECK_MSG(each_vma(holds_address, &search), "no mapping holds %p", address);
	return search.vma;
}

bool test_takes_hints(void)
{
	/* PR_SET_VMA and PR_SET_VMA_KSM_HINT, of no memory. */
	return prctl(0x53564d41, 0x4b53UL, 0UL, 0UL, 0UL) == 0;
}

bool test_has_flag(const void *address, const char *flag)
{
	struct test_vma vma = test_vma_of(address);

	return has_flag(&vma, flag);
}

size_t test_rss_bytes(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	size_t kib = 0;

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Rss: %zu kB", &kib) == 1)
			break;
	fclose(file);
	return kib * TEST_KIB;
}

/* The segment begins where its marker ends, whether it is memory or a file. */
static bool is_marker(const struct test_vma *vma, void *data)
{
	if (!strstr(vma->name, "/memfd:" KSMALLOC_SEGMENT_MARKER " "))
		return false;
	*(uintptr_t *)data = vma->end;
	return true;
}

const struct ksmalloc_segment_header *test_segment(void)
{
	uintptr_t begin;

	if (!each_vma(is_marker, &begin))
		return NULL;
	const struct ksmalloc_segment_header *header = (const void *)begin;

	CHECK(memcmp(header->magic, KSMALLOC_SEGMENT_MAGIC, sizeof(header->magic)) == 0);
	CHECK(header->version == KSMALLOC_SEGMENT_VERSION);
	return header;
}

static const void *record(const struct ksmalloc_segment_header *header,
			  const struct ksmalloc_segment_table *table, uint32_t index)
{
	return (const char *)header + table->offset + (size_t)index * table->stride;
}

const struct ksmalloc_segment_slot *test_slot_of(const void *block)
{
	const struct ksmalloc_segment_header *header = test_segment();
	uintptr_t address = (uintptr_t)block;

	if (!header)
		return NULL;
	uint32_t count = __atomic_load_n(&header->slots.count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		const struct ksmalloc_segment_slot *slot = record(header, &header->slots, i);
		uint64_t mapped = __atomic_load_n(&slot->mapped_bytes, __ATOMIC_RELAXED);

		if (address - slot->base < mapped)
			return slot->flags & KSMALLOC_SLOT_NURSERY ? NULL : slot;
	}
	return NULL;
}

const struct ksmalloc_segment_site *test_site_of(const void *block)
{
	const struct ksmalloc_segment_slot *slot = test_slot_of(block);
	const struct ksmalloc_segment_header *header = test_segment();

	if (!slot)
		return NULL;
	CHECK(slot->site < header->sites.count);
	return record(header, &header->sites, slot->site);
}

struct ksmalloc_site_stats test_stats_of(const struct ksmalloc_segment_site *site)
{
	const struct ksmalloc_segment_header *header = test_segment();
	struct ksmalloc_site_stats stats = site->stats;

	for (uint32_t i = 0; i < header->tallies.count; i++) {
		const struct ksmalloc_segment_tally *tally = record(header, &header->tallies, i);

		if (record(header, &header->sites, tally->site) != site)
			continue;
		stats.calls_total += tally->calls_total;
		stats.frees_total += tally->frees_total;
		stats.allocated_bytes_total += tally->allocated_bytes_total;
		stats.live_bytes += tally->allocated_bytes_total - tally->freed_bytes_total;
		stats.placed_bytes -= tally->cached_bytes;
		stats.kept_bytes += tally->cached_bytes;
	}
	return stats;
}

bool test_is_placed(const void *block)
{
	return test_slot_of(block) != NULL;
}

/*
 * The word that belongs at this place. Each place differs from every other one,
 * so that shifted copies are noticed; cheap, since tests fill gigabytes with it.
 */
static uint64_t pattern(uint64_t seed, size_t word)
{
	return (seed * UINT64_C(0xff51afd7ed558ccd) + word + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

void test_fill(void *block, size_t size, uint64_t seed)
{
	size_t words = size / sizeof(uint64_t);
	char *bytes = block;

	for (size_t i = 0; i < words; i++) {
		uint64_t word = pattern(seed, i);

		memcpy(bytes + i * sizeof(word), &word, sizeof(word));
	}
	uint64_t last = pattern(seed, words);

	memcpy(bytes + words * sizeof(last), &last, size % sizeof(last));
}

bool test_matches(const void *block, size_t size, uint64_t seed)
{
	size_t words = size / sizeof(uint64_t);
	const char *bytes = block;
	uint64_t difference = 0, word;

	for (size_t i = 0; i < words; i++) {
		memcpy(&word, bytes + i * sizeof(word), sizeof(word));
		difference |= word ^ pattern(seed, i);
	}
	word = pattern(seed, words);
	return difference == 0 && memcmp(bytes + words * sizeof(word), &word, size % sizeof(word)) == 0;
}

bool test_is_zero(const void *block, size_t size)
{
	const unsigned char *bytes = block;

	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

bool test_tail_is_zero(const void *block, size_t size)
{
	uintptr_t end = (uintptr_t)block + size;
	size_t tail = (TEST_PAGE - end % TEST_PAGE) % TEST_PAGE;

	return test_is_zero((const void *)end, tail);
}

uint64_t test_random(uint64_t *state)
{
	uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

TEST_NOINLINE size_t test_opaque(size_t value)
{
	__asm__ volatile("" : "+r"(value));
	return value;
}

void test_limit_memory(size_t bytes)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	struct rlimit limit;

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = strtoul(text, NULL, 10) * TEST_PAGE + bytes;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

int test_run_self(const char *const argv[], char *buffer, size_t size)
{
	int ends[2], status;
	size_t length = 0;
	ssize_t got;

	CHECK(pipe(ends) == 0);
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		/* execv takes char *const[] for historical reasons and changes nothing. */
		execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
		_exit(126);
	}
	close(ends[1]);
	while (length + 1 < size && (got = read(ends[0], buffer + length, size - 1 - length)) > 0)
		length += (size_t)got;
	buffer[length] = '\0';
	close(ends[0]);
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
