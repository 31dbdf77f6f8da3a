/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host SCRIPT: a program whose objects are collected by the Boehm collector, which keeps its heap to itself. What it has in
 * large amounts it gives to ksmalloc: tables of objects lie in an arena that the collector knows as a root, and the content
 * of pages in blocks that a finalizer frees, under labels of the script's own. It works without the library, too.
 *
 * A line of a script is one step: "table NAME ENTRIES", "pages NAME COUNT KIB" or "garbage NAME COUNT KIB".
 */
#include <ksmalloc/embed.h>

#include <gc/gc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)1 << 30) /* address space of tables: it costs nothing */

struct page {
	char *content; /* of malloc's: the collector need not look at it */
	size_t bytes;
};

static struct ksmalloc_heap tables;
static size_t used; /* bytes of it */
static void *kept[64];
static unsigned int kept_count;

static void free_content(void *object, void *data)
{
	(void)data;
	free(((struct page *)object)->content);
}

static struct page *new_page(const char *name, unsigned int number, size_t bytes)
{
	struct page *page = GC_MALLOC(sizeof(*page));

	if (page)
		page->content = malloc(bytes);
	if (!page || !page->content) {
		fprintf(stderr, "host: no memory\n");
		exit(1);
	}
	page->bytes = bytes;
	GC_REGISTER_FINALIZER_NO_ORDER(page, free_content, NULL, NULL, NULL);
	for (size_t i = 0; i < bytes; i++)
		page->content[i] = name[(i + number) % strlen(name)];
	return page;
}

/* So many entries more in the arena, each of them an object; the collector is told where they are. */
static void add_table(unsigned int entries)
{
	size_t bytes = entries * sizeof(void *);
	void **table = (void **)(tables.base + used);

	if (ksmalloc_heap_resize(&tables, used + bytes) != 0) {
		fprintf(stderr, "host: no memory for a table of %u entries\n", entries);
		exit(1);
	}
	GC_add_roots(table, table + entries);
	used += bytes;
	for (unsigned int i = 0; i < entries; i++) {
		unsigned int *object = GC_MALLOC_ATOMIC(2 * sizeof(*object));

		object[0] = i;
		object[1] = i * 17;
		table[i] = object;
	}
}

/* An array of pages, which stays if it is to be kept. */
static void add_pages(const char *name, unsigned int count, size_t kib, int keep)
{
	struct page **pages = GC_MALLOC(count * sizeof(struct page *));

	for (unsigned int i = 0; pages && i < count; i++) {
		struct page *page = new_page(name, i, kib << 10);

		if (keep)
			pages[i] = page;
	}
	if (keep && kept_count < 64)
		kept[kept_count++] = pages;
}

static int run_line(const char *file, int line, const char *text)
{
	char what[16] = "", name[32] = "", label[64];
	unsigned int count = 0, kib = 0;
	int begun;

	if (sscanf(text, "%15s %31s %u %u", what, name, &count, &kib) < 1 || what[0] == '#')
		return 0;
	snprintf(label, sizeof(label), "%s (%s:%d)", name, file, line);
	begun = ksmalloc_embed_begin_name(label);
	if (strcmp(what, "table") == 0 && count)
		add_table(count);
	else if ((strcmp(what, "pages") == 0 || strcmp(what, "garbage") == 0) && count && kib)
		add_pages(name, count, kib, what[0] == 'p');
	else
		return -1;
	ksmalloc_embed_end(begun);
	return 0;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	char text[256];

	GC_INIT();
	if (!file || ksmalloc_heap_reserve(&tables, "tables of the host", ROOM, 0) != 0) {
		fprintf(stderr, "usage: host SCRIPT (a file that can be read)\n");
		return 2;
	}
	for (int line = 1; fgets(text, sizeof(text), file); line++) {
		if (run_line(argv[1], line, text) != 0) {
			fprintf(stderr, "%s:%d: no such step\n", argv[1], line);
			return 1;
		}
	}
	fclose(file);
	GC_gcollect();
	GC_invoke_finalizers();
	GC_gcollect();
	GC_invoke_finalizers();
	puts("done");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	return kept_count == 64;
}
