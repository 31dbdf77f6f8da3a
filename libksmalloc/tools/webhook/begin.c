/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc webhook` in the command: executes the program beside it. */
#include "commands.h"

#include "beside.h"
#include "webhook/options.h"
#include "webhook/webhook.h"

static int begin(const struct ksr_command *command, int argc, char **argv)
{
	(void)argc;
	return ksr_beside_execute(command, KSR_WEBHOOK_PROGRAM, argv);
}

const struct ksr_command ksr_command_webhook = {
	.name = KSR_WEBHOOK_NAME,
	.arguments = "",
	.summary = KSR_WEBHOOK_SUMMARY,
	.options = ksr_webhook_options,
	.option_count = KSR_WEBHOOK_OPTIONS,
	.is_elsewhere = true,
	.main = begin,
};
