/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service: what systemd says of a unit.
 *
 * What it is: calls systemctl, which says what the unit's files and drop-ins add up to, and reads its answers.
 * What it is not: a judge of settings (obstacle.h), or a reader of unit files of its own.
 * Locking and owner: one thread; the answers are the caller's, to be freed with ksr_text_free().
 * Failure: -errno: -ENOENT without systemctl, -EIO where it ended with an error. It says itself what is wrong.
 */
#ifndef KSR_SERVICE_H
#define KSR_SERVICE_H

#include "read/fs.h"

#define KSR_UNIT_BYTES 256

/* The name of a service, with its suffix; false if it cannot be one. */
bool ksr_service_name(const char *text, char unit[KSR_UNIT_BYTES]);
/* Lines NAME=VALUE of all properties. */
int ksr_service_show(const char *unit, struct ksr_text *text);
/* The value, copied, cut at its end if it must be; "" where there is none. */
const char *ksr_service_value(const struct ksr_text *text, const char *name, char *value, size_t bytes);
/* The unit's files, each behind a line "# PATH". */
int ksr_service_files(const char *unit, struct ksr_text *text);
/* systemd reads all files anew. */
int ksr_service_reload(void);
/* The service that a process belongs to; false if to none. */
bool ksr_service_of(const struct ksr_fs *fs, pid_t pid, char unit[KSR_UNIT_BYTES]);

#endif
