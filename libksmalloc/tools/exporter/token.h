/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * token: who may ask.
 *
 * What it is: a secret from a file that its owner alone may read, and the comparison with what a client sends: as a
 * bearer token, or as the password of any user (HTTP Basic), which browsers can send.
 * What it is not: encryption: on other networks than the machine's own a proxy with TLS belongs in front.
 * Invariants: comparing takes a time that does not depend on how much of the token is right.
 * Locking and owner: the token is the caller's.
 * Failure: -errno, with a sentence in why.
 */
#ifndef KSR_EXPORTER_TOKEN_H
#define KSR_EXPORTER_TOKEN_H

#include "base.h"

#define KSR_TOKEN_LEAST 16
#define KSR_TOKEN_MOST 512
#define KSR_TOKEN_WHY_BYTES 160

struct ksr_token {
	char text[KSR_TOKEN_MOST + 1];
	size_t bytes; /* 0: everybody may ask */
};

int ksr_token_read(const char *path, struct ksr_token *token, char why[KSR_TOKEN_WHY_BYTES]);
/* Does the value of a header Authorization have it? NULL: there was none. */
bool ksr_token_allows(const struct ksr_token *token, const char *authorization);

#endif
