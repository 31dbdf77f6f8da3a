/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys: the certificate that the webhook shows, and its key.
 *
 * What it is: both files as text, and whether they are others by now: a cluster replaces them long before they expire.
 * What it is not: a check of what is in them: that does who uses them.
 * Locking and owner: the texts belong to the struct, and are wiped when they go.
 * Failure: -errno, with a sentence in why.
 */
#ifndef KSR_WEBHOOK_KEYS_H
#define KSR_WEBHOOK_KEYS_H

#include <sys/stat.h>

#include "base.h"

#define KSR_KEYS_WHY 512

struct ksr_keys {
	char *certificate;
	char *key;
	struct stat seen[2];
};

int ksr_keys_read(const char *certificate, const char *key, struct ksr_keys *keys, char why[KSR_KEYS_WHY]);
bool ksr_keys_are_old(const struct ksr_keys *keys, const char *certificate, const char *key);
void ksr_keys_destroy(struct ksr_keys *keys);

#endif
