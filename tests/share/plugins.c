/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugins: a program that loads and unloads files with data segments (plugin.h). For each line on its standard input: "open FILE"
 * loads one and writes to its variables, "share" makes a pass and says what it gained, "kinds" says how many of its pages are mapped
 * from the store and which rights they have, "check" how many bytes are wrong, "write" changes all, "close" unloads it and says how
 * many pages of the place where it was are the store's still, "map" has anonymous memory come to lie there and says whether it
 * reads as zeros after it was given back, and "storm FILE FILE" loads and unloads both by turns, and says what was wrong.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ksmalloc/ksmalloc.h"
#include "of_store.h"
#include "plugin.h"

#define TURNS 200

static struct {
	void *handle;
	void (*fill)(int version);
	unsigned int (*count_wrong)(int version);
	struct plugin_range variables;
	struct plugin_range pointers;
} plugin;
static int version;

/* Files are seen with the next large block. */
static void allocate(void)
{
	void *volatile block = malloc(300 * 1024);

	memset(block, 0, 300 * 1024);
	free(block);
}

static int load(const char *path)
{
	void (*describe)(struct plugin_range *, struct plugin_range *);

	plugin.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin.handle)
		return 1;
	*(void **)&plugin.fill = dlsym(plugin.handle, "plugin_fill");
	*(void **)&plugin.count_wrong = dlsym(plugin.handle, "plugin_count_wrong");
	*(void **)&describe = dlsym(plugin.handle, "plugin_describe");
	if (!plugin.fill || !plugin.count_wrong || !describe)
		return 2;
	describe(&plugin.variables, &plugin.pointers);
	plugin.fill(version);
	allocate();
	return 0;
}

static void show_kinds(void)
{
	char rights[8];
	unsigned long pages = count_of_store(plugin.variables.begin, plugin.variables.bytes, rights);

	printf("%lu %s ", pages, rights);
	pages = count_of_store(plugin.pointers.begin, plugin.pointers.bytes, rights);
	printf("%lu %s", pages, rights);
}

static unsigned long unload(void)
{
	char rights[8];

	if (dlclose(plugin.handle))
		return UINT32_MAX;
	return count_of_store(plugin.variables.begin, plugin.variables.bytes, rights) +
	       count_of_store(plugin.pointers.begin, plugin.pointers.bytes, rights);
}

/* Memory in the place of the variables is the program's own, as if none had been shared there. */
static unsigned int map_there(void)
{
	unsigned char *there = mmap((void *)(uintptr_t)plugin.variables.begin, plugin.variables.bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	unsigned int wrong = 0;

	if (there != plugin.variables.begin)
		return UINT32_MAX;
	memset(there, 7, plugin.variables.bytes);
	ksmalloc_share();
	for (size_t i = 0; i < plugin.variables.bytes; i++)
		wrong += there[i] != 7;
	wrong += madvise(there, plugin.variables.bytes, MADV_DONTNEED) != 0;
	for (size_t i = 0; i < plugin.variables.bytes; i++)
		wrong += there[i] != 0;
	munmap(there, plugin.variables.bytes);
	return wrong;
}

static unsigned int storm(const char *first, const char *second)
{
	unsigned int wrong = 0;

	for (int turn = 0; turn < TURNS; turn++) {
		version = turn / 4;
		if (load(turn % 2 ? second : first))
			return UINT32_MAX;
		ksmalloc_share();
		wrong += plugin.count_wrong(version);
		version++;
		plugin.fill(version);
		ksmalloc_share();
		wrong += plugin.count_wrong(version);
		wrong += unload() > 0;
	}
	return wrong;
}

static void answer(char *line)
{
	char *word = strtok(line, " \n");
	char *first = strtok(NULL, " \n"), *second = strtok(NULL, " \n");

	if (strcmp(word, "open") == 0) {
		printf("%d", load(first));
	} else if (strcmp(word, "share") == 0) {
		printf("%ld", ksmalloc_share());
	} else if (strcmp(word, "kinds") == 0) {
		show_kinds();
	} else if (strcmp(word, "check") == 0) {
		printf("%u", plugin.count_wrong(version));
	} else if (strcmp(word, "write") == 0) {
		plugin.fill(++version);
		printf("0");
	} else if (strcmp(word, "close") == 0) {
		printf("%lu", unload());
	} else if (strcmp(word, "map") == 0) {
		printf("%u", map_there());
	} else {
		printf("%u", storm(first, second));
	}
	printf("\n");
	fflush(stdout);
}

int main(void)
{
	char line[2 * 4096];

	while (fgets(line, sizeof(line), stdin))
		answer(line);
	return 0;
}
