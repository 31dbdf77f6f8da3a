/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that looks to the report side as if it ran under libksmalloc: it
 * publishes a segment in a folder, maps it, and owns one slot for each of its
 * sites. It knows nothing of the library, so that the reader is tested against
 * the layout and not against one writer.
 *
 * Usage: fake_process DIR PAGES CONTENT [fork N] [advise] [hint] [group NAME] [share PID REASON] [scripts]
 * With scripts its blocks were asked for by functions of scripts, some of which have names that are meant to do harm.
 * CONTENT is equal, unique, half (of each) or zero. Prints "ready PID..." and waits for the end of
 * its input. With share it maps half of its first slot from a file of a store, that of the process PID or, if that is 0,
 * one that it makes; of these pages it has written to a quarter since, and has looked at another one. What is advised is hinted as well where that is asked for and the kernel takes hints.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "segment_builder.h"

#define SITES 2
#define MARKS 2
#define STORE 700 /* descriptor of the store's file */

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define PR_SET_VMA_KSM_HINT 0x4b53 /* of kernel/, not yet of Linux */

struct settings {
	const char *folder;
	size_t pages;
	const char *content;
	const char *group;
	int forks;
	bool advise;
	bool hint;
	bool share;
	bool scripts;
	int publisher; /* its pid, 0: this one */
	uint32_t reason;
};

static void die(const char *what)
{
	fprintf(stderr, "fake_process: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Functions whose addresses become frames: the first is the deciding one. */
__attribute__((noinline)) static void fill_table(void)
{
	__asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop");
}

__attribute__((noinline)) static void load_data(void)
{
	fill_table();
	__asm__ volatile("nop; nop; nop; nop");
}

static int take_build_id(struct dl_phdr_info *info, size_t size, void *user)
{
	struct builder *builder = user;

	(void)size;
	builder->bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		const char *at = (const char *)(info->dlpi_addr + header->p_vaddr);
		const char *end = at + header->p_memsz;

		while (header->p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) < end) {
			ElfW(Nhdr) note;

			memcpy(&note, at, sizeof(note));
			if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4) {
				builder->build_id = (const unsigned char *)at + sizeof(note) + 4;
				builder->build_id_bytes = note.n_descsz;
				return 1;
			}
			at += sizeof(note) + ((note.n_namesz + 3) & ~3u) +
			      ((note.n_descsz + 3) & ~3u);
		}
	}
	return 1; /* The program itself comes first; no other module is wanted. */
}

static void fill_pages(char *pages, const struct settings *settings, int site)
{
	for (size_t i = 0; i < settings->pages; i++) {
		uint64_t *words = (uint64_t *)(void *)(pages + i * 4096);

		if (strcmp(settings->content, "zero") == 0) {
			*(volatile char *)words = 0;
			continue;
		}
		for (size_t k = 0; k < 512; k++)
			words[k] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) + k;
		/* Of half of the pages no other process has an equal one. */
		if (strcmp(settings->content, "unique") == 0 ||
		    (strcmp(settings->content, "half") == 0 && i % 2))
			words[3] = (uint64_t)getpid() << 32 | (uint64_t)site << 24 | i;
	}
}

static void make_slots(struct builder *builder, const struct settings *settings)
{
	for (int i = 0; i < SITES; i++) {
		size_t bytes = settings->pages * 4096;
		char *pages = mmap(NULL, bytes + 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (pages == MAP_FAILED)
			die("mmap");
		/* A hole keeps neighbouring slots apart, as the library does. */
		munmap(pages + bytes, 4096);
		if (settings->advise && i == 0 && madvise(pages, bytes, MADV_MERGEABLE))
			die("madvise");
		if (settings->hint && i == 0)
			(void)prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, pages, bytes,
				    BUILDER_FIRST_SITE | UINT64_C(8)
							 << KSMALLOC_HINT_PRIORITY_SHIFT);
		fill_pages(pages, settings, i);
		builder->slot_base[i] = (uint64_t)(uintptr_t)pages;
		builder->slot_bytes[i] = bytes;
		builder->advised[i] = settings->advise && i == 0;
	}
	builder->frames[0] = (uint64_t)(uintptr_t)fill_table + 5 - builder->bias;
	builder->frames[1] = (uint64_t)(uintptr_t)load_data + 10 - builder->bias;
}

/* A file of the store with the content of the pages at this address. */
static int open_store(const struct settings *settings, const char *pages, size_t bytes)
{
	char path[64];
	int fd;

	if (settings->publisher) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", settings->publisher, STORE);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	} else {
		fd = memfd_create(KSMALLOC_STORE_NAME, MFD_CLOEXEC);
		if (fd >= 0 && write(fd, pages, bytes) != (ssize_t)bytes)
			die("write to the store");
	}
	if (fd < 0 || dup2(fd, STORE) < 0)
		die("the store");
	close(fd);
	return STORE;
}

static void share(struct builder *builder, const struct settings *settings)
{
	char *pages = (char *)builder->slot_base[0];
	size_t count = settings->pages / 2;
	int fd = open_store(settings, pages, count * 4096);
	struct stat status;

	if (fstat(fd, &status) || mmap(pages, count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) ==
					  MAP_FAILED)
		die("mapping the store");
	for (size_t i = 0; i < count / 2; i++) {
		volatile char *byte = pages + i * 4096;

		if (i < count / 4)
			*byte = *byte;
		else
			(void)*byte;
	}
	builder->is_sharing = true;
	builder->share.aside = settings->reason;
	builder->share.stats = (struct ksmalloc_share_stats){
		.shared_bytes = (count - count / 4) * 4096,
		.gained_bytes_total = count * 4096,
		.published_bytes_total = settings->publisher ? 0 : count * 4096,
		.files = 1,
		.slices_total = 40,
		.mappings_total = 1,
		.passes_total = 3,
		.work_us_total = 12345,
	};
	builder->share.files[0] =
		(struct ksmalloc_segment_store_file){status.st_ino, (uint64_t)status.st_blocks * 512};
}

static const struct builder_script load_frames[] = {
	{"/srv/shop/catalogue.py", "Catalogue.load", 55, KSMALLOC_LANGUAGE_PYTHON},
	{"/srv/shop/main.py", "<module>", 12, KSMALLOC_LANGUAGE_PYTHON},
};
static const struct builder_script harm_frames[] = {
	{"/srv/shop/</script>.py", "<b>\033[31m\342\200\256", 3, KSMALLOC_LANGUAGE_PYTHON},
	{"/srv/shop/main.py", "<module>", 14, KSMALLOC_LANGUAGE_PYTHON},
};
static const struct builder_origin script_origins[] = {
	{.id = 0xb00000000001, .scripts = load_frames, .script_count = 2, .frame_count = 2},
	{.id = 0xb00000000002, .scripts = harm_frames, .script_count = 2, .frame_count = 1},
};

/* Of the first slot three quarters are a block of the first function, the rest one of the second; the other has no marks. */
static void mark_blocks(struct builder *builder)
{
	static struct ksmalloc_segment_mark marks[MARKS];
	uint64_t quarter = builder->slot_bytes[0] / 4;

	for (uint32_t i = 0; i < MARKS; i++) {
		marks[i].address = builder->slot_base[0] + i * 3 * quarter;
		marks[i].bytes = i ? quarter : 3 * quarter;
		marks[i].weight = marks[i].bytes;
		marks[i].origin = 1 + i;
		marks[i].kind = KSMALLOC_MARK_LARGE;
	}
	builder->origins = script_origins;
	builder->origin_count = 2;
	builder->marks = marks;
	builder->mark_count = MARKS;
}

static void publish(const struct builder *builder, const struct settings *settings)
{
	static unsigned char bytes[BUILDER_SEGMENT_BYTES];
	char path[4096];
	int fd;

	builder_write(builder, bytes);
	snprintf(path, sizeof(path), "%s/" KSMALLOC_SEGMENT_PREFIX "%d", settings->folder,
		 (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
		die(path);
	if (mmap(NULL, sizeof(bytes), PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		die("mmap of the segment");
	close(fd);
}

static void parse(int argc, char **argv, struct settings *settings)
{
	if (argc < 4)
		die("usage: fake_process DIR PAGES CONTENT [fork N] [advise] [hint] [group NAME] [share PID REASON] [scripts]");
	settings->folder = argv[1];
	settings->pages = strtoul(argv[2], NULL, 10);
	settings->content = argv[3];
	settings->group = "";
	for (int i = 4; i < argc; i++) {
		if (strcmp(argv[i], "advise") == 0)
			settings->advise = true;
		else if (strcmp(argv[i], "hint") == 0)
			settings->hint = true;
		else if (strcmp(argv[i], "scripts") == 0)
			settings->scripts = true;
		else if (strcmp(argv[i], "fork") == 0 && i + 1 < argc)
			settings->forks = atoi(argv[++i]);
		else if (strcmp(argv[i], "group") == 0 && i + 1 < argc)
			settings->group = argv[++i];
		else if (strcmp(argv[i], "share") == 0 && i + 2 < argc) {
			settings->share = true;
			settings->publisher = atoi(argv[++i]);
			settings->reason = (uint32_t)strtoul(argv[++i], NULL, 10);
		} else
			die(argv[i]);
	}
}

static uint64_t start_time(void)
{
	char text[4096];
	FILE *file = fopen("/proc/self/stat", "re");
	size_t bytes = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	char *at;

	if (file)
		fclose(file);
	text[bytes] = '\0';
	at = strrchr(text, ')');
	for (int field = 3; at && field <= 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	struct builder builder = {0};
	static char self[4096];
	char byte;

	parse(argc, argv, &settings);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		die("readlink");
	load_data();
	dl_iterate_phdr(take_build_id, &builder);
	builder.module_path = self;
	builder.group = settings.group;
	builder.start_time_ticks = start_time();
	builder.sites = SITES;
	make_slots(&builder, &settings);
	if (settings.share)
		share(&builder, &settings);
	if (settings.scripts)
		mark_blocks(&builder);
	publish(&builder, &settings);
	printf("ready %d", (int)getpid());
	fflush(stdout);
	for (int i = 0; i < settings.forks; i++) {
		pid_t child = fork();

		if (child == 0) {
			while (read(0, &byte, 1) > 0)
				;
			_exit(0);
		}
		printf(" %d", (int)child);
		fflush(stdout);
	}
	printf("\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	while (wait(NULL) > 0)
		;
	return 0;
}
