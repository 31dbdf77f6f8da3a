/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc version`: the release, and the version of the segment that it reads. */
#include "commands.h"

static int version_main(const struct ksr_command *command, int argc, char **argv)
{
	struct ksr_output output = {0};
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &output, &status);

	if (first < 0)
		return status;
	if (first < argc)
		return ksr_usage_error(command, "'%s' is one argument too many; it takes none",
				       argv[first]);
	return ksr_version_show(command, &output);
}

static const struct ksr_option options[] = {
	{"json", NULL, "Write JSON.", KSR_OPTION_FORM, 0, KSR_FORMAT_JSON},
};

const struct ksr_command ksr_command_version = {
	.name = "version",
	.arguments = "",
	.summary = "Show the versions of the command and of the segments that it reads",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = version_main,
};
