/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secret: the token that the exporter asks for, handed on from a file that the exporter's user may not be able to read.
 *
 * What it is: a cluster gives a secret as a file of root's, which either root alone or everybody in the container can read, and
 * the exporter takes one of its user's alone. So it is opened by who has the right, and copied to memory by who needs it.
 * What it is not: a check of the token's letters, which is the exporter's.
 * Invariants: no file with the token in it comes to be anywhere; the copy is of the process and of what it executes.
 * Locking and owner: no state but the caller's.
 * Failure: -errno, and one sentence in why.
 */
#ifndef KSR_SIDECAR_SECRET_H
#define KSR_SIDECAR_SECRET_H

#include <sys/stat.h>

#include "base.h"

#define KSR_SECRET_WHY	128
#define KSR_SECRET_PATH 32

/* A descriptor, before the change of user. Refused is what others can write to. */
int ksr_secret_open(const char *path, char why[KSR_SECRET_WHY]);
/* After it: made is the path of a copy, for who is executed. It closes fd. */
int ksr_secret_hand_on(int fd, char made[KSR_SECRET_PATH], char why[KSR_SECRET_WHY]);
/* Whether the file is another one than when it was asked last, or has other content; *last is what it was. -errno: there is none. */
int ksr_secret_changed(const char *path, struct stat *last);

#endif
