/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options: what can be asked of the exporter.
 *
 * What it is: its table of options, in a file of its own, since the command has it, too, which only executes
 * the exporter's program: for its help, and for what writes of all commands.
 * What it is not: what is done with them.
 * Locking and owner: constants.
 * Failure: none.
 */
#ifndef KSR_EXPORTER_OPTIONS_H
#define KSR_EXPORTER_OPTIONS_H

#include "exporter/host.h"
#include "selected.h"

struct ksr_exporter_choice {
	struct ksr_selected selected;
	const char *listen;
	const char *token_file;
	const char *user;
	const char *socket_group;
	const char *socket_mode;
	struct ksr_hosts hosts;
	uint64_t interval_ms;
	uint64_t top;
	bool no_symbols;
	bool list_metrics;
};

/* Those that have no place in the struct. */
enum { KSR_EXPORTER_GROUP, KSR_EXPORTER_INTERVAL, KSR_EXPORTER_HOST };

#define KSR_EXPORTER_OPTIONS 12
extern const struct ksr_option ksr_exporter_options[KSR_EXPORTER_OPTIONS];

#endif
