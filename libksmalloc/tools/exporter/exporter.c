/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ksmalloc exporter`: metrics for Prometheus and a page with charts. What it was asked for, before there are processes.
 */
#define _GNU_SOURCE
#include "exporter/exporter.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "serve/listener.h"
#include "exporter/options.h"
#include "exporter/supervisor.h"
#include "selected.h"
#include "show/metrics.h"
#include "show/openmetrics.h"

#define DEFAULT_INTERVAL_MS 10000
#define LEAST_INTERVAL 1.0
#define MOST_INTERVAL 3600.0

static int add_host(const struct ksr_command *command, struct ksr_exporter_choice *chosen, const char *name)
{
	int error = ksr_hosts_add(&chosen->hosts, name);

	if (error == -ENOSPC)
		return ksr_usage_error(command, "--host '%s' is one too many; there may be %d", name, KSR_HOSTS_MOST);
	return error ? ksr_usage_error(command, "--host '%s' is no name of a machine", name) : 0;
}

static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	struct ksr_exporter_choice *chosen = user;
	double seconds;
	char *end;

	if (option == KSR_EXPORTER_GROUP)
		return ksr_selected_add_group(command, &chosen->selected, value);
	if (option == KSR_EXPORTER_HOST)
		return add_host(command, chosen, value);
	seconds = strtod(value, &end);
	if (end == value || *end || !isfinite(seconds) || seconds < LEAST_INTERVAL || seconds > MOST_INTERVAL)
		return ksr_usage_error(command, "--interval '%s' is no time; give seconds from %.0f to %.0f", value,
				       LEAST_INTERVAL, MOST_INTERVAL);
	chosen->interval_ms = (uint64_t)lround(seconds * 1000);
	return 0;
}

/* --- what it needs, before there are processes ----------------------------------------------------- */

struct parts {
	struct ksr_supervisor supervisor;
	struct ksr_collector_options reading;
	struct ksr_person person;
	struct ksr_fs fs;
};

/* Root serves as somebody else, unless root was asked for; nobody else has a choice. */
static int choose_person(const struct ksr_exporter_choice *chosen, struct parts *parts)
{
	const struct ksr_command *command = parts->supervisor.command;
	const char *user = chosen->user ? chosen->user : KSR_RIGHTS_NOBODY;
	char why[KSR_RIGHTS_WHY_BYTES];

	if (geteuid() != 0)
		return chosen->user ? ksr_usage_error(command, "--user '%s' is for root, who can become another user", user) : 0;
	if (ksr_rights_find(user, &parts->person, why))
		return ksr_usage_error(command, "--user '%s' %s", user, why);
	parts->supervisor.person = parts->person.user ? &parts->person : NULL;
	parts->supervisor.must_become = chosen->user != NULL;
	return 0;
}

static int choose_access(const struct ksr_command *command, const struct ksr_exporter_choice *chosen,
			 struct ksr_socket_access *access)
{
	char why[KSR_RIGHTS_WHY_BYTES];
	char *end = NULL;

	if ((chosen->socket_group || chosen->socket_mode) && !ksr_listener_is_path(chosen->listen))
		return ksr_usage_error(command, "--socket-%s is for --listen unix:PATH",
				       chosen->socket_group ? "group" : "mode");
	if (chosen->socket_group && ksr_rights_find_group(chosen->socket_group, &access->group, why))
		return ksr_usage_error(command, "--socket-group '%s' %s", chosen->socket_group, why);
	access->has_group = chosen->socket_group != NULL;
	if (!chosen->socket_mode)
		return 0;
	access->mode = (mode_t)strtoul(chosen->socket_mode, &end, 8);
	if (end == chosen->socket_mode || *end || strlen(chosen->socket_mode) > 4 || (access->mode & ~0666u) ||
	    (access->mode & 0600) != 0600)
		return ksr_usage_error(command, "--socket-mode '%s' is none; give 600, 660 or 666", chosen->socket_mode);
	return 0;
}

static int open_parts(struct ksr_exporter_choice *chosen, struct parts *parts)
{
	const struct ksr_command *command = parts->supervisor.command;
	struct ksr_socket_access access = {0};
	char why[KSR_TOKEN_WHY_BYTES] = "";
	int status = choose_person(chosen, parts);
	void *memory;

	if (!status)
		status = choose_access(command, chosen, &access);
	if (status)
		return status;
	if (chosen->token_file && ksr_token_read(chosen->token_file, &parts->supervisor.token, why))
		return ksr_usage_error(command, "--token-file '%s': %s", chosen->token_file, why);
	parts->supervisor.listener = ksr_listener_open(chosen->listen, &access, why);
	if (parts->supervisor.listener == -EINVAL)
		return ksr_usage_error(command, "--listen '%s' %s", chosen->listen, why);
	if (parts->supervisor.listener < 0)
		return ksr_failure(command, "cannot listen on '%s': %s", chosen->listen, why);
	memory = mmap(NULL, sizeof(*parts->supervisor.counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || ksr_fs_init(&parts->fs, NULL))
		return ksr_failure(command, "cannot start: %s", strerror(errno));
	parts->supervisor.counters = memory;
	return 0;
}

static void choose_hosts(struct ksr_exporter_choice *chosen)
{
	chosen->hosts.any = ksr_listener_is_path(chosen->listen);
	if (gethostname(chosen->hosts.own, sizeof(chosen->hosts.own) - 1))
		chosen->hosts.own[0] = '\0';
}

static int start(const struct ksr_command *command, struct ksr_exporter_choice *chosen)
{
	struct parts parts = {.supervisor = {.command = command,
					     .reading = &parts.reading,
					     .hosts = &chosen->hosts,
					     .token_file = chosen->token_file,
					     .listener = -1}};
	int status;

	chosen->listen = chosen->listen ? chosen->listen : KSR_LISTENER_DEFAULT;
	choose_hosts(chosen);
	status = open_parts(chosen, &parts);
	if (!status) {
		parts.reading = (struct ksr_collector_options){
			.fs = &parts.fs,
			.selection = &chosen->selected.selection,
			.counters = parts.supervisor.counters,
			.interval_ms = chosen->interval_ms ? chosen->interval_ms : DEFAULT_INTERVAL_MS,
			.top = chosen->top ? chosen->top : KSR_METRICS_ORIGINS,
			.resolve = !chosen->no_symbols,
		};
		status = ksr_supervisor_run(&parts.supervisor);
	}
	if (parts.supervisor.listener >= 0 && ksr_listener_is_path(chosen->listen))
		unlink(chosen->listen + 5);
	/* What else there is ends with the process. */
	return status;
}

static int parse_and_start(const struct ksr_command *command, int argc, char **argv, struct ksr_exporter_choice *chosen)
{
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, set, chosen, &status);

	if (first < 0)
		return status;
	if (chosen->list_metrics) {
		ksr_metrics_list(stdout);
		return ksr_output_end(command, 0);
	}
	if (first < argc)
		return ksr_usage_error(command, "'%s' is one argument too many; groups are chosen by --group", argv[first]);
	return start(command, chosen);
}

static int exporter_main(const struct ksr_command *command, int argc, char **argv)
{
	struct ksr_exporter_choice chosen = {0};
	int status = ksr_selected_create(&chosen.selected, argc) ? ksr_failure(command, "out of memory") :
								     parse_and_start(command, argc, argv, &chosen);

	ksr_selected_destroy(&chosen.selected);
	return status;
}

const struct ksr_command ksr_exporter_command = {
	.name = KSR_EXPORTER_NAME,
	.arguments = "",
	.summary = KSR_EXPORTER_SUMMARY,
	.options = ksr_exporter_options,
	.option_count = KSR_EXPORTER_OPTIONS,
	.main = exporter_main,
};
