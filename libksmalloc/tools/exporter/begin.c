/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc exporter` in the command: executes the program beside it. */
#include "commands.h"

#include "beside.h"
#include "exporter/exporter.h"
#include "exporter/options.h"

static int begin(const struct ksr_command *command, int argc, char **argv)
{
	(void)argc;
	return ksr_beside_execute(command, KSR_EXPORTER_PROGRAM, argv);
}

const struct ksr_command ksr_command_exporter = {
	.name = KSR_EXPORTER_NAME,
	.arguments = "",
	.summary = KSR_EXPORTER_SUMMARY,
	.options = ksr_exporter_options,
	.option_count = KSR_EXPORTER_OPTIONS,
	.is_elsewhere = true,
	.main = begin,
};
