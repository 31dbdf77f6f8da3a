/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "doctor/unit.h"

#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "obstacle.h"

#define MOST_UNITS 64
#define VALUE_BYTES 16384

/* Was sharing asked for? The environment says so also where nothing came of it. */
static bool was_to_share(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_text environment;
	const char *value;
	bool shares;

	if (ksr_fs_read(fs, &environment, "proc/%d/environ", (int)pid))
		return false;
	value = ksr_text_variable(&environment, "KSMALLOC_SHARE");
	shares = value && strcmp(value, "0") != 0;
	ksr_text_free(&environment);
	return shares;
}

static void check_unit(const struct ksr_fs *fs, const char *unit, pid_t pid, struct ksr_findings *findings)
{
	bool shares = was_to_share(fs, pid);
	char *library = ksr_library_find();
	char *value = malloc(VALUE_BYTES);
	const struct ksr_obstacle *obstacle;
	struct ksr_text shown;
	size_t position = 0;

	if (!value || ksr_service_show(unit, &shown)) {
		free(library);
		free(value);
		return;
	}
	while ((obstacle = ksr_obstacle_next(&shown, shares, library, &position, value, VALUE_BYTES)))
		ksr_find(findings, KSR_LEVEL_WARN, "unit_setting", obstacle->advice, "%s has %s=%.40s%s: %s", unit, obstacle->key,
			 value, strlen(value) > 40 ? "..." : "", obstacle->what);
	ksr_text_free(&shown);
	free(library);
	free(value);
}

void ksr_check_units(const struct ksr_fs *fs, const struct ksr_report *report, struct ksr_findings *findings)
{
	char (*units)[KSR_UNIT_BYTES] = calloc(MOST_UNITS, sizeof(*units));
	size_t count = 0;

	/* A recorded tree has nobody who could be asked. */
	for (size_t i = 0; units && fs->live && i < report->process_count && count < MOST_UNITS; i++) {
		size_t k = 0;

		if (!ksr_service_of(fs, report->processes[i].snapshot.pid, units[count]))
			continue;
		while (strcmp(units[k], units[count]) != 0)
			k++;
		if (k == count)
			check_unit(fs, units[count++], report->processes[i].snapshot.pid, findings);
	}
	free(units);
}
