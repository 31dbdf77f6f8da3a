/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc webhook`: answers a cluster that asks before it makes a pod. */
#define _GNU_SOURCE
#include "webhook/webhook.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "inject/wish.h"
#include "serve/listener.h"
#include "webhook/desk.h"
#include "webhook/options.h"

static int start(const struct ksr_command *command, const struct ksr_webhook_choice *chosen,
		 const struct ksr_inject_wish *defaults)
{
	struct ksr_desk_options options = {.defaults = defaults, .certificate = chosen->certificate, .key = chosen->key};
	const struct ksr_socket_access access = {0};
	const char *listen = chosen->listen ? chosen->listen : KSR_WEBHOOK_LISTEN;
	char why[KSR_LISTENER_WHY_BYTES];
	int status;

	options.listener = ksr_listener_is_path(listen) ? -EINVAL : ksr_listener_open(listen, &access, why);
	if (options.listener == -EINVAL)
		return ksr_usage_error(command, "--listen '%s' is no address; give ADDRESS:PORT or PORT", listen);
	if (options.listener < 0)
		return ksr_failure(command, "cannot listen on '%s': %s", listen, why);
	status = ksr_desk_run(command, &options);
	close(options.listener);
	return status;
}

static int webhook_main(const struct ksr_command *command, int argc, char **argv)
{
	struct ksr_webhook_choice chosen = {0};
	struct ksr_inject_wish defaults;
	const char *problem;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (first < argc)
		return ksr_usage_error(command, "'%s' is one argument too many", argv[first]);
	if (!chosen.certificate || !chosen.key)
		return ksr_usage_error(command, "clusters ask by TLS only; give --cert FILE and --key FILE");
	defaults = (struct ksr_inject_wish){
		.init_image = chosen.init_image, .sidecar_image = chosen.sidecar_image, .seccomp = chosen.seccomp, .from = chosen.from,
		.token_secret = chosen.token_secret};
	problem = ksr_inject_wish_problem(&defaults);
	/* A pod whose claim is not there waits for it, and no pod is to wait for our sake. */
	if (!problem && ksr_inject_wish_way(&defaults) == KSR_INJECT_BY_PREPARED)
		problem = "a prepared volume is one of an engine's; in a cluster the library comes by a volume, an image or a folder of the nodes";
	if (problem)
		return ksr_usage_error(command, "%s", problem);
	return start(command, &chosen, &defaults);
}

const struct ksr_command ksr_webhook_command = {
	.name = KSR_WEBHOOK_NAME,
	.arguments = "",
	.summary = KSR_WEBHOOK_SUMMARY,
	.options = ksr_webhook_options,
	.option_count = KSR_WEBHOOK_OPTIONS,
	.main = webhook_main,
};
