/* SPDX-License-Identifier: BSD-2-Clause */
#include "exporter/options.h"

#include "serve/listener.h"

#define AT(member) offsetof(struct ksr_exporter_choice, member)

const struct ksr_option ksr_exporter_options[KSR_EXPORTER_OPTIONS] = {
	[KSR_EXPORTER_GROUP] = {"group", "NAME", "Read the processes of this group; may be given several times.",
			  KSR_OPTION_OWN, 0, 0},
	[KSR_EXPORTER_INTERVAL] = {"interval", "SECONDS", "Measure so often, whoever asks; 10 by default.", KSR_OPTION_OWN, 0, 0},
	[KSR_EXPORTER_HOST] = {"host", "NAME", "Answer those who call this machine so, too; may be given several times.",
			       KSR_OPTION_OWN, 0, 0},
	{"all", NULL, "Read the processes of all users, not only the caller's.", KSR_OPTION_SWITCH,
	 AT(selected.selection.everyone), 0},
	{"listen", "ADDRESS", "Listen on ADDRESS:PORT, PORT or unix:PATH (default " KSR_LISTENER_DEFAULT ").",
	 KSR_OPTION_TEXT, AT(listen), 0},
	{"token-file", "FILE", "Answer only who sends the token in this file.", KSR_OPTION_TEXT, AT(token_file), 0},
	{"user", "USER", "Serve as this user, if started as root (default nobody).", KSR_OPTION_TEXT, AT(user), 0},
	{"socket-group", "GROUP", "Let this group connect to unix:PATH, too.", KSR_OPTION_TEXT, AT(socket_group), 0},
	{"socket-mode", "MODE", "Give unix:PATH this mode, in octal (default 600; 660 with a group).", KSR_OPTION_TEXT,
	 AT(socket_mode), 0},
	{"top", "N", "Give N places series of their own (default 20).", KSR_OPTION_NUMBER, AT(top), 1000},
	{"no-symbols", NULL, "Open no program files; name places module+0xoffset.", KSR_OPTION_SWITCH, AT(no_symbols), 0},
	{"list-metrics", NULL, "Print all metrics as a table, and end.", KSR_OPTION_SWITCH, AT(list_metrics), 0},
};
