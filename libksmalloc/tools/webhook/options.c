/* SPDX-License-Identifier: BSD-2-Clause */
#include "webhook/options.h"

#define AT(member) offsetof(struct ksr_webhook_choice, member)

const struct ksr_option ksr_webhook_options[KSR_WEBHOOK_OPTIONS] = {
	{"listen", "ADDRESS", "Listen on ADDRESS:PORT or PORT (default " KSR_WEBHOOK_LISTEN ").", KSR_OPTION_TEXT, AT(listen), 0},
	{"cert", "FILE", "Show this certificate (PEM), which is read again when it changes.", KSR_OPTION_TEXT, AT(certificate), 0},
	{"key", "FILE", "The key of the certificate (PEM).", KSR_OPTION_TEXT, AT(key), 0},
	{"init-image", "IMAGE", "The image that brings the library.", KSR_OPTION_TEXT, AT(init_image), 0},
	{"sidecar-image", "IMAGE", "The image that measures and has workers share.", KSR_OPTION_TEXT, AT(sidecar_image), 0},
	{"from", "WAY", "Where the library comes from: volume (copied into one), image (mounted itself) or /FOLDER of the nodes.", KSR_OPTION_TEXT, AT(from), 0},
	{"seccomp", "PROFILE", "Name this profile, which is on all nodes, for containers that have none.", KSR_OPTION_TEXT,
	 AT(seccomp), 0},
	{"token-secret", "NAME", "Sidecars answer only who sends the token in this secret of their namespace.", KSR_OPTION_TEXT,
	 AT(token_secret), 0},
};
