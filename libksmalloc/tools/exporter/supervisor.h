/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervisor: the process that has the exporter's two others.
 *
 * What it is: starts the one that reads and the one that serves, and waits for signals. SIGTERM and SIGINT end all three;
 * SIGHUP reads the token again, or ends them where there is none. It keeps the rights it was started with, which
 * opening the token's file and removing the socket need, and looks at nothing that comes from elsewhere.
 * What it is not: a restart: where one of the two has ended, so does the other.
 * Invariants: however it ends, by SIGKILL, too, the others end with it. A token that cannot be read leaves the one before.
 * Locking and owner: one thread; what it is given stays the caller's.
 * Failure: a sentence on the error output, and an exit code.
 */
#ifndef KSR_EXPORTER_SUPERVISOR_H
#define KSR_EXPORTER_SUPERVISOR_H

#include "command.h"
#include "exporter/collector.h"
#include "exporter/host.h"
#include "serve/rights.h"
#include "exporter/token.h"

struct ksr_supervisor {
	const struct ksr_command *command;
	const struct ksr_collector_options *reading;
	const struct ksr_hosts *hosts;
	const struct ksr_person *person; /* of the one that serves; NULL: the same */
	bool must_become;
	const char *token_file; /* NULL: everybody may ask */
	struct ksr_token token;
	struct ksr_exporter_counters *counters; /* memory of all three */
	int listener;
};

int ksr_supervisor_run(struct ksr_supervisor *supervisor);

#endif
