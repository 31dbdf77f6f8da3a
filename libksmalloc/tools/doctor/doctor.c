/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc doctor`: says what keeps memory from merging, and repairs on request. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "doctor/group.h"
#include "doctor/kernel.h"
#include "doctor/lasting.h"
#include "doctor/process.h"
#include "doctor/share.h"
#include "doctor/stale.h"
#include "owner.h"
#include "prepare.h"
#include "read/kernel.h"
#include "selected.h"
#include "show/kernel.h"

struct doctor_options {
	struct ksr_output output;
	const char *root;
	const char *group;
	struct ksr_name_options names;
	struct ksr_naming naming; /* what these come to */
	bool fix;
	bool keep;
	bool undo;
	bool everyone;
};

#define AT(member) offsetof(struct doctor_options, member)

static const struct ksr_option options[] = {
	{"fix", NULL, "Start KSM, raise its speed, remove stale files of statistics.", KSR_OPTION_SWITCH,
	 AT(fix), 0},
	{"keep", NULL, "With --fix, have the settings set at each start of the machine.", KSR_OPTION_SWITCH, AT(keep), 0},
	{"undo", NULL, "Take back what --fix --keep has set.", KSR_OPTION_SWITCH, AT(undo), 0},
	{"all", NULL, "Look at the processes of all users.", KSR_OPTION_SWITCH, AT(everyone), 0},
	{"group", "NAME", "Say what makes the heaps of this group differ.", KSR_OPTION_TEXT,
	 AT(group), 0},
	{"json", NULL, "Write JSON.", KSR_OPTION_FORM, AT(output), KSR_FORMAT_JSON},
	KSR_WIDTH_OPTION(AT(output)),
	KSR_NAME_OPTIONS(AT(names)),
	{"root", "DIR", "Read proc and sys below DIR: a recorded tree.", KSR_OPTION_TEXT, AT(root),
	 0},
};

/* --- repair ----------------------------------------------------------------------- */

static void change_setting(const struct ksr_fs *fs, const char *name, uint64_t old, uint64_t wanted,
			   struct ksr_findings *findings)
{
	int error = ksr_kernel_set(fs, name, wanted);

	if (error)
		ksr_find(findings, KSR_LEVEL_BAD, "fix", "run 'ksmalloc doctor --fix' as root",
			 "cannot write /sys/kernel/mm/ksm/%s: %s", name, strerror(-error));
	else
		ksr_find(findings, KSR_LEVEL_OK, "fix", "",
			 "changed %s from %" PRIu64 " to %" PRIu64 "; undo: echo %" PRIu64
			 " > /sys/kernel/mm/ksm/%s",
			 name, old, wanted, old, name);
}

/* Each change is a finding of its own, so that nothing is changed silently. */
static void fix_kernel(const struct ksr_fs *fs, struct ksr_findings *findings)
{
	struct ksr_kernel kernel;
	bool huge_sleep;

	ksr_kernel_read(fs, &kernel);
	if (!kernel.present)
		return;
	huge_sleep = ksr_is_huge_sleep(&kernel);
	if (!ksr_owner_is_advisor(&kernel) && kernel.pages_to_scan < KSR_PAGES_TO_SCAN)
		change_setting(fs, "pages_to_scan", kernel.pages_to_scan, KSR_PAGES_TO_SCAN,
			       findings);
	if (huge_sleep)
		change_setting(fs, "sleep_millisecs", kernel.sleep_millisecs, KSR_SLEEP_MILLISECS,
			       findings);
	if (kernel.run != 1 && kernel.run != KSR_NONE)
		change_setting(fs, "run", kernel.run, 1, findings);
}

/* Nothing is fought: of KSM that somebody owns no setting is changed, now or at the next start of the machine. */
static void repair(const struct doctor_options *chosen, const struct ksr_fs *fs, const struct ksr_owner *owner,
		   struct ksr_findings *findings)
{
	struct ksr_kernel before;

	if (chosen->undo)
		ksr_lasting_undo(fs, owner->name, findings);
	if (chosen->fix && owner->name) {
		ksr_find(findings, KSR_LEVEL_WARN, "fix", owner->advice,
			 "KSM is left alone, %s owns its settings: nothing of it was changed%s", owner->name, chosen->keep ? " or kept" : "");
		return;
	}
	ksr_kernel_read(fs, &before);
	if (chosen->fix)
		fix_kernel(fs, findings);
	/* A kernel without KSM has nothing to be kept; the checks say so. */
	if (chosen->keep && before.present)
		ksr_lasting_keep(fs, &before, findings);
}

/* --- the command -------------------------------------------------------------------- */

static const char *level_word(enum ksr_level level)
{
	static const char *const words[] = {"ok", "warn", "bad"};

	return words[level];
}

static int render(const struct ksr_command *command, const struct ksr_output *output,
		  const struct ksr_fs *fs, const struct ksr_findings *findings)
{
	static const struct ksr_column columns[] = {
		{"level", "LEVEL"},
		{"key", NULL},
		{"finding", "FINDING"},
		{"advice", "ADVICE"},
	};
	struct ksr_emitter *emitter = ksr_emitter_create(output, stdout);
	struct ksr_kernel kernel;
	int status = KSR_EXIT_OK;

	if (!emitter)
		return ksr_failure(command, "out of memory");
	ksr_kernel_read(fs, &kernel);
	ksr_render_kernel(fs, &kernel, emitter);
	ksr_emitter_table_begin(emitter, "findings", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; i < findings->count; i++) {
		const struct ksr_finding *finding = &findings->list[i];
		const char *advice = finding->advice;
		struct ksr_cell cells[] = {
			ksr_cell_text(level_word(finding->level)),
			ksr_cell_text(finding->key),
			ksr_cell_sentence(finding->text),
			ksr_cell_list(&advice, advice[0] ? 1 : 0),
		};

		ksr_emitter_row(emitter, cells);
		if (finding->level != KSR_LEVEL_OK)
			status = KSR_EXIT_FINDINGS;
	}
	ksr_emitter_table_end(emitter);
	if (findings->lost)
		status = KSR_EXIT_FAILED;
	return ksr_output_end(command, ksr_emitter_finish(emitter)) ? KSR_EXIT_FAILED : status;
}

/* Of one machine, or of some processes; the kernel is part of both. */
static int look(const struct ksr_command *command, const struct doctor_options *chosen,
		const struct ksr_fs *fs, const pid_t *pids, size_t count)
{
	struct ksr_owner owner = ksr_owner_find(fs, true);
	struct ksr_findings findings = {0};
	int status;

	repair(chosen, fs, &owner, &findings);
	ksr_check_kernel(fs, &owner, &findings);
	ksr_check_share_machine(fs, &findings);
	if (chosen->group || count) {
		ksr_check_group(fs, chosen->group, pids, count, &chosen->naming, &findings);
		ksr_check_share_of(fs, chosen->group, pids, count, &findings);
	} else {
		ksr_check_processes(fs, chosen->everyone, &chosen->naming, &findings);
		ksr_check_stale(fs, chosen->fix, &findings);
	}
	status = render(command, &chosen->output, fs, &findings);
	ksr_findings_free(&findings);
	return status;
}

static int take_pids(const struct ksr_command *command, char **arguments, int count, struct ksr_selected *selected)
{
	for (int i = 0; i < count; i++) {
		if (!ksr_selected_add_process(selected, arguments[i]))
			return ksr_usage_error(command,
					       "'%s' is not a process id; give numbers, or "
					       "--group NAME",
					       arguments[i]);
	}
	return 0;
}

static int look_below_root(const struct ksr_command *command, const struct doctor_options *chosen,
			   const pid_t *pids, size_t count)
{
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, chosen->root);
	int status;

	if (error)
		return ksr_usage_error(command, "--root '%s': %s; give a folder with proc and sys",
				       chosen->root ? chosen->root : "/", strerror(-error));
	if ((chosen->fix || chosen->undo) && !fs.live)
		status = ksr_usage_error(command, "--fix and --undo change this machine; leave --root away");
	else if (chosen->keep && !chosen->fix)
		status = ksr_usage_error(command, "--keep keeps what --fix sets; add --fix");
	else if (chosen->fix && chosen->undo)
		status = ksr_usage_error(command, "--fix and --undo exclude each other; give one");
	else
		status = look(command, chosen, &fs, pids, count);
	ksr_fs_fini(&fs);
	return status;
}

static int name_and_look(const struct ksr_command *command, struct doctor_options *chosen,
			 const struct ksr_selection *selection)
{
	struct ksr_text text;
	int status = ksr_naming_prepare(command, &chosen->names, &text, &chosen->naming);

	if (status)
		return status;
	status = look_below_root(command, chosen, selection->pids, selection->pid_count);
	ksr_text_free(&text);
	return status;
}

static int doctor_main(const struct ksr_command *command, int argc, char **argv)
{
	struct doctor_options chosen = {0};
	struct ksr_selected selected;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (chosen.group && ksr_group_check(command, chosen.group))
		return KSR_EXIT_USAGE;
	if (first < argc && chosen.group)
		return ksr_usage_error(command,
				       "'%s' is one argument too many; give PIDs or a group",
				       argv[first]);
	if (ksr_selected_create(&selected, argc))
		status = ksr_failure(command, "out of memory");
	else
		status = take_pids(command, argv + first, argc - first, &selected);
	if (!status)
		status = name_and_look(command, &chosen, &selected.selection);
	ksr_selected_destroy(&selected);
	return status;
}

const struct ksr_command ksr_command_doctor = {
	.name = "doctor",
	.arguments = "[PID...]",
	.summary = "Find out what keeps memory from merging",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = doctor_main,
};
