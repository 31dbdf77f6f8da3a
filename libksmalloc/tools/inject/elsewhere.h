/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elsewhere: variables of containers that come from outside of their definition, where an LD_PRELOAD would be hidden by ours.
 *
 * What it is: looks for them, reads files of variables that lie here, and says what it has found in sentences.
 * What it is not: a reason to refuse anything: such files are common, and nearly none of them has that variable.
 * Invariants: nothing is said of what was read and does not have it.
 * Locking and owner: no state; the texts are the callee's for the time of the call.
 * Failure: what cannot be read may have it, which is said, too.
 */
#ifndef KSR_INJECT_ELSEWHERE_H
#define KSR_INJECT_ELSEWHERE_H

#include "inject/wish.h"
#include "inject/yaml.h"

typedef void ksr_elsewhere_say(void *user, const char *sentence);

/* ConfigMaps and Secrets may be in the same file, as documents of their own. */
void ksr_elsewhere_kube(const struct ksr_yaml *yaml, const struct ksr_inject_wish *wish, ksr_elsewhere_say *say, void *user);
/* folder: where names of files begin. */
void ksr_elsewhere_compose(const struct ksr_yaml *yaml, const struct ksr_inject_wish *wish, const char *folder, ksr_elsewhere_say *say,
			   void *user);
/* The command line from the engine on. */
void ksr_elsewhere_line(const char *const *words, ksr_elsewhere_say *say, void *user);
void ksr_elsewhere_quadlet(const char *text, const char *folder, ksr_elsewhere_say *say, void *user);

#endif
