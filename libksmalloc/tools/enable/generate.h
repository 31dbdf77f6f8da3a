/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generate: what systemd asks for whenever it reads unit files: the commands of services that share, as they are then.
 *
 * What it is: a generator of systemd's (systemd.generator(7)): for each service that has a section [X-Ksmalloc], in a drop-in of
 * ours or in any other file, a drop-in with the service's commands is written into a folder in /run. So the commands are those of the unit's files at any time,
 * also after its package was upgraded or somebody has edited it; and where ksmalloc is gone they are started without.
 * What it is not: a change of the unit, or of its files.
 * Locking and owner: systemd runs one at a time. It answers nobody meanwhile, and is not asked.
 * Failure: a sentence for each unit whose commands cannot be started so; it is started without us then.
 */
#ifndef KSR_ENABLE_GENERATE_H
#define KSR_ENABLE_GENERATE_H

#include "command.h"

/* All that is in the file of an instance for which nothing of its template's is. */
#define KSR_GENERATE_HIDING "# Nothing of the template's is for this instance.\n"

/* Where systemd has its generators write, and the path of what there is for a unit. */
#define KSR_GENERATED "/run/systemd/generator"

/* own: the path of ksmalloc. */
int ksr_generate(const struct ksr_command *command, const char *folder, const char *own);
/* Does systemd know our generator? */
bool ksr_generate_is_known(void);

#endif
