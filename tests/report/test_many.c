/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A report of hundreds of processes takes memory for what their segments use, not for what these could hold, and not the
 * more for each process the more there are. The allocator is told to take all of it from one heap, as it does by itself
 * after a large block was freed: there memory that was cleared or copied stays.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "join/aggregate.h"
#include "join/balance.h"
#include "recorded_tree.h"
#include "segment_builder.h"

#define PROCESSES 400
#define MASTERS 4 /* the first ones, each with as many workers as the others */
#define SEGMENT_BYTES (2 * KSM_MIB)
#define FIRST_PID 1000

static void put_segment(int index)
{
	static unsigned char bytes[BUILDER_SEGMENT_BYTES];
	static const unsigned char id[20] = {1};
	const struct builder builder = {.module_path = "/usr/bin/program", .group = "web", .build_id = id,
					.build_id_bytes = sizeof(id), .sites = 1, .slot_base = {0x10000000},
					.slot_bytes = {8192}, .frames = {0x1234, 0x2345}, .start_time_ticks = 7};
	char path[128];
	int fd;

	builder_write(&builder, bytes);
	snprintf(path, sizeof(path), "%s/proc/%d/%s/ksmalloc-segment.1", root, FIRST_PID + index, "root");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert(fd >= 0 && ftruncate(fd, (off_t)SEGMENT_BYTES) == 0);
	cr_assert_eq(pwrite(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
	close(fd);
}

static void put_process(int index)
{
	int pid = FIRST_PID + index;
	int parent = index < MASTERS ? 1 : FIRST_PID + index % MASTERS;
	char text[256];

	snprintf(text, sizeof(text), "%s/proc/%d", root, pid);
	cr_assert_eq(mkdir(text, 0700), 0);
	strcat(text, "/root");
	cr_assert_eq(mkdir(text, 0700), 0);
	put_segment(index);
	snprintf(text, sizeof(text), "7f0000000000-7f0000200000 rw-s 00000000 00:01 %d    /ksmalloc-segment.1\n", pid);
	put("maps", pid, text);
	strcat(text, "Rss:                   4 kB\nPss:                   4 kB\nVmFlags: rd wr sh\n");
	put("smaps", pid, text);
	snprintf(text, sizeof(text), "%d (worker) S %d 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 10768384 2336 0 0 0 0 0\n",
		 pid, parent);
	put("stat", pid, text);
	snprintf(text, sizeof(text), "Name:\tworker\nPid:\t%d\nPPid:\t%d\nNSpid:\t%d\nVmPTE:\t56 kB\n", pid, parent, pid);
	put("status", pid, text);
}

static void make_tree(void)
{
	char path[128];

	make_root();
	snprintf(path, sizeof(path), "%s/sys", root);
	cr_assert_eq(mkdir(path, 0700), 0);
	for (int i = 0; i < PROCESSES; i++)
		put_process(i);
}

/* The most that was resident so far. */
static uint64_t peak_bytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmHWM: %lu", &kib) == 1)
			break;
	}
	if (file)
		fclose(file);
	return (uint64_t)kib * KSM_KIB;
}

Test(many, test_memory_is_of_what_segments_use, .init = make_tree, .fini = remove_root)
{
	const struct ksr_selection selection = {.everyone = true};
	uint64_t before = peak_bytes();
	struct ksr_report report;
	struct ksr_fs fs;

	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	cr_assert_eq(ksr_fs_init(&fs, root), 0);
	cr_assert_eq(ksr_report_create(&fs, &selection, &report), 0);
	cr_assert_eq(report.process_count, PROCESSES);
	cr_assert_lt(peak_bytes() - before, PROCESSES * 128 * KSM_KIB, "it took %lu MiB",
		     (unsigned long)((peak_bytes() - before) / KSM_MIB));
	ksr_report_destroy(&report);
	ksr_fs_fini(&fs);
}

Test(many, test_masters_workers_and_owners, .init = make_tree, .fini = remove_root)
{
	const struct ksr_selection selection = {.everyone = true};
	struct ksr_balances balances;
	struct ksr_report report;
	struct ksr_fs fs;

	cr_assert_eq(ksr_fs_init(&fs, root), 0);
	cr_assert_eq(ksr_report_create(&fs, &selection, &report), 0);
	for (size_t i = 0; i < report.process_count; i++)
		cr_assert(report.processes[i].owner, "process %d", (int)report.processes[i].snapshot.pid);
	cr_assert_eq(ksr_balances_create(&report, &balances), 0);
	cr_assert_eq(balances.count, 2);
	for (size_t i = 0; i < balances.count; i++) {
		const struct ksr_kind *kind = &balances.kinds[i];

		cr_assert_eq(kind->balance.processes, kind->role == KSR_ROLE_MASTER ? MASTERS : PROCESSES - MASTERS);
		cr_assert_neq(kind->role, KSR_ROLE_PROCESS);
	}
	ksr_balances_destroy(&balances);
	ksr_report_destroy(&report);
	ksr_fs_fini(&fs);
}
