/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ksmalloc enable` and `ksmalloc disable`: a service is started with the library from now on, or not any more. What
 * would change is shown first, and a unit whose settings do not allow it is refused with what to do.
 */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enable/commands.h"
#include "enable/dropin.h"
#include "enable/generate.h"
#include "enable/section.h"
#include "enable/unit_text.h"
#include "library.h"
#include "obstacle.h"
#include "profile_name.h"

#define VALUE_BYTES 16384

struct enable_options {
	const char *group;
	const char *profile;
	bool share;
	bool dry_run;
	bool yes;
	const char *generate;
};

/* What is to be there in the end. */
struct enable_end {
	char *dropin;
	char *commands; /* NULL: the service does not share */
	const char *own; /* path of ksmalloc */
};

#define AT(member) offsetof(struct enable_options, member)

static const struct ksr_option enable_options[] = {
	{"group", "NAME", "Name the group of processes; by default the unit's name.", KSR_OPTION_TEXT, AT(group), 0},
	{"share", NULL, "Share memory with the group, without KSM.", KSR_OPTION_SWITCH, AT(share), 0},
	{"profile", "NAME", "With --share, the interpreter; found by itself by default.", KSR_OPTION_TEXT, AT(profile), 0},
	{"dry-run", NULL, "Only show what would change.", KSR_OPTION_SWITCH, AT(dry_run), 0},
	{"yes", NULL, "Do not ask.", KSR_OPTION_SWITCH, AT(yes), 0},
	{"generate", "DIR", "Write what systemd asks its generators for; takes no UNIT.", KSR_OPTION_TEXT, AT(generate), 0},
};

static const struct ksr_option disable_options[] = {
	{"dry-run", NULL, "Only show what would change.", KSR_OPTION_SWITCH, AT(dry_run), 0},
	{"yes", NULL, "Do not ask.", KSR_OPTION_SWITCH, AT(yes), 0},
};

/* --- the unit --------------------------------------------------------------------- */

/* Of a generator, or of systemd-run: our generator reads files that people and packages have written, and none of these. */
static bool is_made_meanwhile(const char *path)
{
	static const char *const begins[] = {"/run/systemd/generator", "/run/systemd/transient/"};

	return strncmp(path, begins[0], strlen(begins[0])) == 0 || strncmp(path, begins[1], strlen(begins[1])) == 0;
}

/* Settings that are in the way; returns 0, or the exit code where one of them refuses. */
static int check_settings(const struct ksr_command *command, const char *unit, const struct ksr_text *shown,
			  const char *library, bool shares)
{
	char *value = malloc(VALUE_BYTES);
	const struct ksr_obstacle *obstacle;
	size_t position = 0;
	int status = 0;

	if (!value)
		return ksr_failure(command, "out of memory");
	while ((obstacle = ksr_obstacle_next(shown, shares, library, &position, value, VALUE_BYTES))) {
		ksr_failure(command, "%s has %s=%.40s%s: %s; %s", unit, obstacle->key, value, strlen(value) > 40 ? "..." : "",
			    obstacle->what, obstacle->advice);
		if (obstacle->refuses)
			status = KSR_EXIT_FINDINGS;
	}
	ksr_service_value(shown, "FragmentPath", value, VALUE_BYTES);
	if (shares && is_made_meanwhile(value))
		status = (ksr_failure(command, "%s is made by another program while the machine runs (%s), so that ksmalloc's generator does not "
				      "see its commands; write it into /etc/systemd/system, or leave --share away", unit, value),
			  KSR_EXIT_FINDINGS);
	/* systemd guesses the main process then, among which there is the keeper. */
	if (shares && strcmp(ksr_service_value(shown, "Type", value, VALUE_BYTES), "forking") == 0 &&
	    !ksr_service_value(shown, "PIDFile", value, VALUE_BYTES)[0])
		status = (ksr_failure(command, "%s has Type=forking without PIDFile=: systemd cannot tell which process is the "
				      "service; add PIDFile=, or have it start in the foreground", unit), KSR_EXIT_FINDINGS);
	free(value);
	return status;
}

/* What the unit itself preloads, of the words of its environment. */
static void find_preloaded(const struct ksr_text *shown, const char *library, char *preloaded, size_t bytes)
{
	char value[VALUE_BYTES];
	const char *found;
	const char *end;

	ksr_service_value(shown, "Environment", value, sizeof(value));
	found = strstr(value, "LD_PRELOAD=");
	/* Not the end of another name: words are apart by blanks, and in quotes where they have some in them. */
	while (found && found > value && found[-1] != ' ' && found[-1] != '"')
		found = strstr(found + 1, "LD_PRELOAD=");
	preloaded[0] = '\0';
	if (!found)
		return;
	end = found > value && found[-1] == '"' ? "\"" : " ";
	found += strlen("LD_PRELOAD=");
	/* Our own, of the drop-in that is there, is in front of the others. */
	if (strncmp(found, library, strlen(library)) == 0)
		found += strlen(library) + (found[strlen(library)] == ':');
	snprintf(preloaded, bytes, "%.*s", (int)strcspn(found, end), found);
}

static int find_command(const struct ksr_command *command, char path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (length <= 0)
		return ksr_failure(command, "cannot find out where this command lies: %s", strerror(errno));
	path[length] = '\0';
	if (strpbrk(path, " \t\"'\\%$"))
		return ksr_failure(command, "the path '%s' cannot stand in a unit; install ksmalloc elsewhere", path);
	return 0;
}

/* --- changing ----------------------------------------------------------------------- */

static bool ask(void)
{
	char answer[16];

	fputs("Write this? [y/N] ", stdout);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* NULL if there is nothing, or it cannot be read. */
static char *read_generated(const char *unit, char path[PATH_MAX])
{
	struct ksr_text text;
	int error;
	int fd;

	snprintf(path, PATH_MAX, KSR_GENERATED "/%s.d/" KSR_ENABLE_RUN_NAME, unit);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	error = ksr_fs_read_fd(fd, KSM_MIB, &text);
	close(fd);
	return error ? NULL : text.data;
}

/* What the generator has written for the unit, or for the template that it is an instance of; NULL: nothing, or it cannot be read. */
static char *generated(const struct ksr_dropin *dropin, char path[PATH_MAX])
{
	const char *at = strchr(dropin->unit, '@');
	char *text = read_generated(dropin->unit, path);
	char template[PATH_MAX];

	if (!text && at && strcmp(at, "@.service") != 0) {
		snprintf(template, sizeof(template), "%.*s@.service", (int)(at - dropin->unit), dropin->unit);
		text = read_generated(template, path);
		if (!text)
			snprintf(path, PATH_MAX, KSR_GENERATED "/%s.d/" KSR_ENABLE_RUN_NAME, dropin->unit);
	}
	if (text && strcmp(text, KSR_GENERATE_HIDING) == 0) {
		free(text);
		text = NULL;
	}
	return text;
}

/* Both files; the second one is shown where there is something to it, or was. */
static bool show(const struct ksr_dropin *dropin, const struct enable_end *end)
{
	char path[PATH_MAX];
	char *now = generated(dropin, path);
	bool same = dropin->now && end->dropin && strcmp(dropin->now, end->dropin) == 0 &&
		    (!now == !end->commands) && (!now || strcmp(now, end->commands) == 0);

	if (!same) {
		ksr_dropin_show(dropin->path, dropin->now, end->dropin);
		if (now || end->commands)
			ksr_dropin_show(path, now, end->commands);
	}
	free(now);
	return !same;
}

/* systemd has its generators write anew, and reads what they have written. */
static int reload(const struct ksr_command *command, const struct ksr_dropin *dropin, const struct enable_end *end)
{
	char path[PATH_MAX];
	char *now;
	bool taken;

	if (ksr_service_reload())
		return ksr_failure(command, "systemd was not told; run: systemctl daemon-reload");
	now = generated(dropin, path);
	taken = end->commands ? now && strcmp(now, end->commands) == 0 : !now;
	free(now);
	if (!taken && !end->commands)
		return ksr_failure(command, "%s shares all the same: another file of it has [" KSR_SECTION "]; 'systemctl cat %s' shows "
				   "which, and Share=no in 'systemctl edit %s' ends it", dropin->unit, dropin->unit, dropin->unit);
	if (!taken)
		return ksr_failure(command, "%s is not what it should be after a reload: 'journalctl -t ksmalloc-generator -b' may say "
				   "why; its file may be made by another generator", path);
	return 0;
}

/* Shows the change, asks, makes it; both texts are NULL for a removal. */
static int change(const struct ksr_command *command, const struct enable_options *chosen, const struct ksr_dropin *dropin,
		  const struct enable_end *end)
{
	int status;
	int error;

	if (!show(dropin, end)) {
		printf("%s has this already\n", dropin->unit);
		return ksr_output_end(command, 0);
	}
	if (chosen->dry_run)
		return ksr_output_end(command, 0);
	if (end->commands && !ksr_generate_is_known())
		return ksr_failure(command, "systemd does not know ksmalloc's generator; as root: ln -s %.*s/../lib/systemd/"
				   "system-generators/ksmalloc-generator /etc/systemd/system-generators/",
				   (int)(strrchr(end->own, '/') - end->own), end->own);
	if (!chosen->yes && !isatty(STDIN_FILENO))
		return ksr_usage_error(command, "there is nobody to ask; give --yes, or --dry-run");
	if (!chosen->yes && !ask())
		return KSR_EXIT_FINDINGS;
	error = ksr_dropin_write(dropin, end->dropin);
	if (error)
		return ksr_failure(command, "%s: %s%s", dropin->path, strerror(-error), error == -EACCES ? "; run it as root" : "");
	status = reload(command, dropin, end);
	if (status)
		return status;
	printf("The service has it when it is started again: systemctl restart %s\n", dropin->unit);
	return ksr_output_end(command, 0);
}

static int write_wish(const struct ksr_command *command, const struct enable_options *chosen, const struct ksr_dropin *dropin,
		      const struct ksr_dropin_wish *wish, const struct ksr_text *files)
{
	struct ksr_enable_run run = {.group = wish->group, .profile = wish->profile};
	struct enable_end end = {0};
	char why[512] = "out of memory";
	char own[PATH_MAX];
	int status = find_command(command, own);

	if (status)
		return status;
	run.command = own;
	end.own = own;
	end.dropin = ksr_dropin_text(wish);
	if (end.dropin && wish->shares)
		end.commands = ksr_enable_commands(files, &run, why, sizeof(why));
	if (!end.dropin || (wish->shares && !end.commands))
		status = ksr_failure(command, "%s: %s", dropin->unit, why);
	else
		status = change(command, chosen, dropin, &end);
	free(end.dropin);
	free(end.commands);
	return status;
}

/* With all that systemd says of the unit. */
static int enable(const struct ksr_command *command, const struct enable_options *chosen, const struct ksr_dropin *dropin,
		  const struct ksr_text *shown, const struct ksr_text *files)
{
	struct ksr_dropin_wish wish = {.group = chosen->group, .shares = chosen->share,
				       .profile = chosen->profile ? chosen->profile : "auto"};
	char *library = ksr_library_find();
	char preloaded[1024];
	char group[64];
	int status;

	if (!library)
		return ksr_failure(command, "libksmalloc.so was not found beside the command");
	ksr_section_name_group(dropin->unit, group);
	find_preloaded(shown, library, preloaded, sizeof(preloaded));
	wish.library = library;
	wish.preloaded = preloaded;
	if (!wish.group)
		wish.group = group;
	status = ksr_group_check(command, wish.group);
	if (!status)
		status = check_settings(command, dropin->unit, shown, library, chosen->share);
	if (!status)
		status = write_wish(command, chosen, dropin, &wish, files);
	free(library);
	return status;
}

static int ask_systemd(const struct ksr_command *command, const struct enable_options *chosen, const struct ksr_dropin *dropin)
{
	struct ksr_text shown;
	struct ksr_text files;
	char state[KSR_UNIT_BYTES];
	int error = ksr_service_show(dropin->unit, &shown);
	int status;

	if (error)
		return ksr_failure(command, "cannot ask systemd (systemctl): %s", strerror(-error));
	ksr_service_value(&shown, "LoadState", state, sizeof(state));
	if (strcmp(state, "loaded") != 0)
		status = ksr_failure(command, "there is no service %s (%s); 'systemctl list-unit-files' lists them", dropin->unit, state);
	else if (strcmp(ksr_service_value(&shown, "Id", state, sizeof(state)), dropin->unit) != 0 && state[0])
		status = ksr_failure(command, "%s is another name of %s; give that one", dropin->unit, state);
	else if (ksr_service_files(dropin->unit, &files))
		status = ksr_failure(command, "cannot read the files of %s", dropin->unit);
	else {
		status = enable(command, chosen, dropin, &shown, &files);
		ksr_text_free(&files);
	}
	ksr_text_free(&shown);
	return status;
}

/* The unit of the command line, and what is there of it; 0 or the exit code. */
static int open_unit(const struct ksr_command *command, int argc, char **argv, struct enable_options *chosen,
		     struct ksr_dropin *dropin)
{
	char unit[KSR_UNIT_BYTES];
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, chosen, &status);
	int error;

	*dropin = (struct ksr_dropin){0};
	if (first < 0)
		return status ? status : -1;
	if (chosen->generate && first == argc)
		return 0;
	if (chosen->generate || argc - first != 1)
		return ksr_usage_error(command, "give one unit, such as web.service");
	if (!ksr_service_name(argv[first], unit))
		return ksr_usage_error(command, "'%s' cannot name a service", argv[first]);
	if (strstr(unit, "@.service"))
		return ksr_usage_error(command, "'%s' is a template; give one of its instances, such as %.*s1.service", unit,
				       (int)(strlen(unit) - strlen(".service")), unit);
	error = ksr_dropin_open(dropin, unit);
	if (error == -EEXIST)
		return ksr_failure(command, "%s was not written by this command; move it away first", dropin->path);
	return error ? ksr_failure(command, "%s: %s", dropin->path, strerror(-error)) : 0;
}

/* For systemd: nobody is asked, and nothing is shown. */
static int generate(const struct ksr_command *command, const char *folder)
{
	char own[PATH_MAX];
	int status = find_command(command, own);

	return status ? status : ksr_generate(command, folder, own);
}

static int enable_main(const struct ksr_command *command, int argc, char **argv)
{
	struct enable_options chosen = {0};
	struct ksr_dropin dropin;
	int status = open_unit(command, argc, argv, &chosen, &dropin);

	if (!status && chosen.generate)
		return generate(command, chosen.generate);
	if (!status && chosen.profile && !chosen.share)
		status = ksr_usage_error(command, "--profile is for --share; add it");
	if (!status && chosen.profile && !ksr_profile_name_is_known(chosen.profile))
		status = ksr_usage_error(command, "--profile '%s' is not known; give %s", chosen.profile, ksr_profile_names());
	if (!status && !chosen.dry_run && geteuid() != 0)
		status = ksr_failure(command, "only root may change services; --dry-run shows what would be done");
	if (!status)
		status = ask_systemd(command, &chosen, &dropin);
	ksr_dropin_close(&dropin);
	return status < 0 ? 0 : status;
}

/* Without a file of ours; somebody may have written the section into one. */
static int refuse_disable(const struct ksr_command *command, const struct ksr_dropin *dropin)
{
	char path[PATH_MAX];
	char *now = generated(dropin, path);

	free(now);
	if (now)
		return ksr_failure(command, "%s shares by [" KSR_SECTION "] in a file that 'ksmalloc enable' has not written; "
				   "'systemctl cat %s' shows which: take it out there", dropin->unit, dropin->unit);
	return ksr_failure(command, "%s is not enabled: there is no %s", dropin->unit, dropin->path);
}

static int disable_main(const struct ksr_command *command, int argc, char **argv)
{
	struct enable_options chosen = {0};
	struct ksr_dropin dropin;
	int status = open_unit(command, argc, argv, &chosen, &dropin);

	if (!status && !dropin.now)
		status = refuse_disable(command, &dropin);
	if (!status)
		status = change(command, &chosen, &dropin, &(struct enable_end){0});
	ksr_dropin_close(&dropin);
	return status < 0 ? 0 : status;
}

const struct ksr_command ksr_command_enable = {
	.name = "enable",
	.arguments = "UNIT",
	.summary = "Have a service of systemd's start with libksmalloc",
	.options = enable_options,
	.option_count = KSM_COUNT_OF(enable_options),
	.main = enable_main,
};

const struct ksr_command ksr_command_disable = {
	.name = "disable",
	.arguments = "UNIT",
	.summary = "Have a service start without libksmalloc again",
	.options = disable_options,
	.option_count = KSM_COUNT_OF(disable_options),
	.main = disable_main,
};
