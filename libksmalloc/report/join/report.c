/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/report.h"

#include <stdlib.h>
#include <string.h>

void ksr_report_destroy(struct ksr_report *report)
{
	for (size_t i = 0; i < report->process_count; i++)
		ksr_process_free(&report->processes[i]);
	free(report->processes);
	free(report->sites);
	free(report->origins);
	free(report->files);
	free(report->groups);
	free(report->rejected);
	memset(report, 0, sizeof(*report));
}
