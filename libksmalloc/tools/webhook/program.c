/* SPDX-License-Identifier: BSD-2-Clause */
/* The program ksmalloc-webhook. */
#include "webhook/webhook.h"

int main(int argc, char **argv)
{
	return ksr_webhook_command.main(&ksr_webhook_command, argc, argv);
}
