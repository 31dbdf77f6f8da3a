/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel-lookup unlike|prefix MIB [KNOB=VALUE...]: what a visit of a page takes that is equal to none, and what
 * of it the search for an equal one is. Run inside a guest as root.
 *
 * One process has so many MiB of mergeable memory, without a hint. Pages differ in all of their words
 * (unlike), or in their last ones only (prefix). KNOBs are files of /sys/kernel/mm/ksm. Nothing is left out
 * by smart_scan, so that each full scan visits all pages once. The first one gets to know them. The others:
 *
 *   searched   finds them unchanged, looks for each in both indexes, and lets it wait in one of them
 *   changed    finds all of them changed, and so looks for none
 *
 * What a search takes is what the second scan takes longer than the third. Prints the CPU time of ksmd in
 * seconds for these two, how many pages there are, by how many bytes the kernel's slabs have grown
 * (which are what it keeps for a page, and the table of an index), and CPU time by stage of the second scan
 * where the kernel knows it:
 *
 *   pages 4096
 *   searched 0.015
 *   changed 0.011
 *   bytes 335872
 *   stages walk,hash,lookup,compare,merge (in microseconds)
 */
#include "guest.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define MIB (1024 * 1024UL)
#define WORDS (PAGE / sizeof(uint64_t))
/* A scan is as many batches: where one ends is known as exactly as that. */
#define BATCHES 64

static void fill(char *at, unsigned long bytes, bool prefix)
{
	unsigned long i, j;

	for (i = 0; i < bytes; i += PAGE) {
		uint64_t *words = (uint64_t *)(at + i);

		for (j = 0; j < WORDS; j++)
			words[j] = prefix ? 0x5a5a5a5a5a5a5a5aULL : (i ^ j) * 0x9e3779b97f4a7c15ULL;
		words[WORDS - 1] = i * 0x9e3779b97f4a7c15ULL;
	}
}

/* All words but the last, which tells pages apart: fewer of them may be all that is hashed. */
static void change(char *at, unsigned long bytes)
{
	unsigned long i, j;

	for (i = 0; i < bytes; i += PAGE)
		for (j = 0; j < WORDS - 1; j++)
			((uint64_t *)(at + i))[j]++;
}

/* Lets KSM run for one full scan. Returns what it took. */
static double scan(int ksmd)
{
	double scans = read_ksm("full_scans"), cpu = thread_seconds(ksmd);

	write_ksm("run", "1");
	while (read_ksm("full_scans") == scans)
		usleep(1000);
	/* This waits for the end of a batch. */
	write_ksm("run", "0");
	return thread_seconds(ksmd) - cpu;
}

static void set_up(unsigned long pages, char **knobs)
{
	char text[32], *value;

	snprintf(text, sizeof(text), "%lu", pages / BATCHES + 1);
	write_ksm("pages_to_scan", text);
	write_ksm("smart_scan", "0");
	for (; *knobs; knobs++) {
		value = split_knob(*knobs);
		write_ksm(*knobs, value);
	}
}

int main(int argc, char **argv)
{
	double slabs, searched, changed, before[STAGES], after[STAGES];
	unsigned long bytes = argc > 2 ? strtoul(argv[2], NULL, 10) * MIB : 0;
	bool prefix = bytes && !strcmp(argv[1], "prefix");
	int ksmd;
	char *at;

	if (!bytes || (!prefix && strcmp(argv[1], "unlike"))) {
		fprintf(stderr, "usage: kernel-lookup unlike|prefix MIB [KNOB=VALUE...]\n");
		return 2;
	}
	ksmd = find_ksmd();
	set_up(bytes / PAGE, argv + 3);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (at == MAP_FAILED)
		die("mmap");
	fill(at, bytes, prefix);
	if (madvise(at, bytes, MADV_MERGEABLE))
		die("madvise");
	slabs = read_line("/proc/meminfo", "Slab:");
	scan(ksmd);
	read_stages(before);
	searched = scan(ksmd);
	read_stages(after);
	slabs = read_line("/proc/meminfo", "Slab:") - slabs;
	change(at, bytes);
	changed = scan(ksmd);
	if (read_ksm("pages_shared")) {
		fprintf(stderr, "kernel-lookup: pages were merged that are all different\n");
		return 1;
	}
	printf("pages %lu\nsearched %.6f\nchanged %.6f\nbytes %.0f\n", bytes / PAGE, searched, changed, slabs * 1024);
	print_stages(before, after);
	return 0;
}
