/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "doctor/made.h"

#include <stdio.h>
#include <string.h>

#include "names/perf_map.h"

/* An engine is known by its library, or by the program that has it within itself. */
static const struct engine {
	const char *file; /* its name begins so */
	const char *what;
	const char *remedy; /* %d: the process */
} engines[] = {
	{"libjvm.so", "methods of Java", "jcmd %d Compiler.perfmap (JDK 17 and newer) writes it; start java with -XX:+PreserveFramePointer "
					 "to see who calls compiled methods"},
	{"node", "functions of JavaScript", "start it with 'ksmalloc run --profile=node', or with NODE_OPTIONS="
					    "'--perf-basic-prof --interpreted-frames-native-stack' (process %d)"},
	{"libcoreclr.so", "methods of .NET", "start it with DOTNET_PerfMapEnabled=1 (process %d)"},
};

static bool has_made_code(const struct ksr_snapshot *snapshot)
{
	for (uint32_t i = 1; i < snapshot->header.origins.count; i++) {
		struct ksr_origin_entry origin;

		ksr_snapshot_origin(snapshot, i, &origin);
		for (uint32_t j = 0; j < origin.frame_count; j++)
			if (origin.frames[j] >> KSMALLOC_FRAME_MODULE_SHIFT == KSMALLOC_FRAME_NO_MODULE)
				return true;
	}
	return false;
}

static const struct engine *engine_of(const struct ksr_snapshot *snapshot)
{
	struct ksmalloc_segment_module module;

	for (uint32_t i = 0; ksr_snapshot_module(snapshot, i, &module); i++) {
		const char *path = ksr_snapshot_string(snapshot, module.path_string);
		const char *slash = strrchr(path, '/');

		for (size_t j = 0; j < KSM_COUNT_OF(engines); j++)
			if (strcmp(slash ? slash + 1 : path, engines[j].file) == 0)
				return &engines[j];
	}
	return NULL;
}

void ksr_check_made_code(const struct ksr_fs *fs, const struct ksr_process *process, struct ksr_findings *findings)
{
	const struct ksr_snapshot *snapshot = &process->snapshot;
	const struct engine *engine = engine_of(snapshot);
	struct ksr_perf_map *map;
	char remedy[256];

	if (!engine || !has_made_code(snapshot))
		return;
	map = ksr_perf_map_create(fs, snapshot->pid);
	if (map) {
		ksr_perf_map_destroy(map);
		return;
	}
	snprintf(remedy, sizeof(remedy), engine->remedy, (int)snapshot->pid);
	ksr_find(findings, KSR_LEVEL_OK, "names_of_made_code", remedy,
		 "process %d (%s) has no map of the code that it makes: memory of %s has no names",
		 (int)snapshot->pid, process->status.command, engine->what);
}
