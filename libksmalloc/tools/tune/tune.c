/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ksmalloc tune`: owns KSM's settings as long as it runs. It looks every few seconds at available memory, at what looking
 * for equal pages has brought and at what that costs, and sets the speed within bounds.
 */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "read/clock.h"
#include "read/kernel.h"
#include "tune/rate.h"
#include "tune/settings.h"

#define SLEEP_MILLISECS 20

struct tune_options {
	uint64_t least;
	uint64_t most;
	uint64_t cpu;
	uint64_t every;
	bool undo;
	bool wait;
	bool quiet;
};

#define AT(member) offsetof(struct tune_options, member)

static const struct ksr_option options[] = {
	{"least", "PAGES", "Visit at least so many pages a batch (100).", KSR_OPTION_NUMBER, AT(least), 1000000},
	{"most", "PAGES", "Visit at most so many pages a batch (5000).", KSR_OPTION_NUMBER, AT(most), 1000000},
	{"cpu", "PERCENT", "Let ksmd take so much of one processor (20).", KSR_OPTION_NUMBER, AT(cpu), 100},
	{"every", "SECONDS", "Look so often (10).", KSR_OPTION_NUMBER, AT(every), 3600},
	{"undo", NULL, "Put back the settings that one left which was killed, and end.", KSR_OPTION_SWITCH, AT(undo), 0},
	{"wait", NULL, "Where there is no KSM, or its settings are somebody else's, say so and wait instead of ending.", KSR_OPTION_SWITCH,
	 AT(wait), 0},
	{"quiet", NULL, "Say nothing of each change.", KSR_OPTION_SWITCH, AT(quiet), 0},
};

/* What was seen at one moment. */
struct moment {
	double available;
	uint64_t scanned;
	uint64_t saved;
	uint64_t ticks; /* of ksmd's processor time; KSR_NONE: not known */
	uint64_t at_ns;
};

/* The number behind a label of /proc/meminfo. */
static double meminfo(const struct ksr_text *text, const char *label)
{
	const char *found = strstr(text->data, label);

	return found ? strtod(found + strlen(label), NULL) : 0;
}

/* Processor time of the thread that scans; in a container it is not seen. */
static uint64_t read_ticks(const struct ksr_fs *fs, pid_t *ksmd)
{
	struct ksr_text text;
	uint64_t user = 0;
	uint64_t system = 0;
	size_t count = 0;
	pid_t *pids = NULL;
	const char *at;
	bool read;

	if (*ksmd == 0 && ksr_fs_list_processes(fs, &pids, &count) == 0) {
		*ksmd = -1;
		for (size_t i = 0; i < count; i++) {
			if (ksr_fs_read(fs, &text, "proc/%d/comm", (int)pids[i]))
				continue;
			if (strcmp(text.data, "ksmd\n") == 0)
				*ksmd = pids[i];
			ksr_text_free(&text);
		}
		free(pids);
	}
	if (*ksmd <= 0 || ksr_fs_read(fs, &text, "proc/%d/stat", (int)*ksmd))
		return KSR_NONE;
	/* Behind the name: state and ten numbers, then both times. */
	at = strrchr(text.data, ')');
	read = at && sscanf(at + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64, &user, &system) == 2;
	ksr_text_free(&text);
	return read ? user + system : KSR_NONE;
}

static int look(const struct ksr_fs *fs, pid_t *ksmd, struct moment *moment)
{
	struct ksr_kernel kernel;
	struct ksr_text text;
	double total;
	int error = ksr_fs_read(fs, &text, "proc/meminfo");

	if (error)
		return error;
	total = meminfo(&text, "MemTotal:");
	moment->available = total > 0 ? meminfo(&text, "MemAvailable:") / total : 1;
	ksr_text_free(&text);
	ksr_kernel_read(fs, &kernel);
	moment->scanned = kernel.pages_scanned == KSR_NONE ? 0 : kernel.pages_scanned;
	moment->saved = kernel.pages_sharing == KSR_NONE ? 0 : kernel.pages_sharing;
	moment->ticks = read_ticks(fs, ksmd);
	moment->at_ns = ksr_clock_ns();
	return 0;
}

static struct ksr_rate_look compare(const struct moment *before, const struct moment *now)
{
	double seconds = (double)(now->at_ns - before->at_ns) / (double)KSR_CLOCK_SECOND;
	struct ksr_rate_look result = {
		.available = now->available,
		.cost = -1,
		.scanned = now->scanned - before->scanned,
		.gained = (int64_t)(now->saved - before->saved),
	};

	if (now->ticks != KSR_NONE && before->ticks != KSR_NONE && seconds > 0)
		result.cost = (double)(now->ticks - before->ticks) / (double)sysconf(_SC_CLK_TCK) / seconds;
	return result;
}

static int set_rate(const struct ksr_settings *settings, const struct tune_options *chosen, uint64_t rate,
		    const struct ksr_rate_look *seen)
{
	if (!chosen->quiet && seen) {
		printf("%" PRIu64 " pages a batch: %.0f %% of memory available, %" PRId64 " pages gained of %" PRIu64 " looked at",
		       rate, seen->available * 100, seen->gained, seen->scanned);
		if (seen->cost >= 0)
			printf(", ksmd takes %.1f %%", seen->cost * 100);
		putchar('\n');
		fflush(stdout);
	}
	return ksr_kernel_set(settings->fs, "pages_to_scan", rate);
}

/* Until a signal asks for the end, or *other begins to set the same, with whom it does not fight. */
static int go_on(const struct tune_options *chosen, const struct ksr_settings *settings, const sigset_t *signals,
		 const char **other)
{
	const struct ksr_rate_bounds bounds = {chosen->least, chosen->most, (double)chosen->cpu / 100};
	const struct timespec pause = {.tv_sec = (time_t)chosen->every};
	struct moment before;
	struct moment now;
	uint64_t rate = chosen->least;
	pid_t ksmd = 0;
	int error = look(settings->fs, &ksmd, &before);

	if (!error)
		error = ksr_kernel_set(settings->fs, "sleep_millisecs", SLEEP_MILLISECS);
	if (!error)
		error = set_rate(settings, chosen, rate, NULL);
	if (!error)
		error = ksr_kernel_set(settings->fs, "run", 1);
	while (!error && sigtimedwait(signals, NULL, &pause) < 0) {
		struct ksr_rate_look seen;
		uint64_t next;

		*other = ksr_settings_other(settings->fs);
		if (*other)
			break;
		error = look(settings->fs, &ksmd, &now);
		if (error)
			break;
		seen = compare(&before, &now);
		next = ksr_rate_next(&bounds, &seen, rate);
		if (next != rate)
			error = set_rate(settings, chosen, next, &seen);
		rate = next;
		before = now;
	}
	return error;
}

/*
 * All signals that would end it, whoever sends them: each is an end with the settings put back. Left out are those that
 * do nothing by themselves, and those of the terminal that stop it. A fault of its own ends it all the same, since the
 * kernel does not heed the mask then; what is kept in /run is for that case, as for SIGKILL.
 */
static void name_ends(sigset_t *signals)
{
	static const int others[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU};

	sigfillset(signals);
	for (size_t i = 0; i < KSM_COUNT_OF(others); i++)
		sigdelset(signals, others[i]);
}

/* With settings that are ours, until the end; the exit status. *other: they are somebody else's from now on, and nothing is put back. */
static int hold(const struct ksr_command *command, const struct tune_options *chosen, struct ksr_settings *settings,
		const sigset_t *signals, const char **other)
{
	size_t restored;
	int error = chosen->undo ? 0 : go_on(chosen, settings, signals, other);
	int back;

	if (*other) {
		ksr_settings_leave(settings);
		return ksr_failure(command, "KSM's settings are somebody else's from now on: %s", *other);
	}
	back = ksr_settings_restore(settings, &restored);
	ksr_settings_release(settings);
	if (error || back)
		return ksr_failure(command, "cannot change KSM's settings: %s", strerror(-(error ? error : back)));
	return ksr_output_end(command, 0);
}

/* Others end, and a kernel's KSM may come to be seen here; what is not allowed stays so. */
static bool may_change(int error)
{
	return error == -ENODEV || error == -EBUSY || error == -EWOULDBLOCK;
}

static int own(const struct ksr_command *command, const struct tune_options *chosen, const struct ksr_fs *fs)
{
	const struct timespec pause = {.tv_sec = (time_t)chosen->every};
	struct ksr_settings settings;
	char said[KSR_SETTINGS_WHY] = "";
	char why[KSR_SETTINGS_WHY];
	sigset_t signals;

	if (chosen->undo && !ksr_settings_kept())
		return 0;
	name_ends(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	do {
		int error = ksr_settings_own(&settings, fs, why);

		if (error && !(chosen->wait && may_change(error)))
			return ksr_failure(command, "%s", why);
		if (!error) {
			const char *other = NULL;
			int status;

			/* It takes back what was said, so that --quiet does not hide it. */
			if (said[0]) {
				puts("KSM's settings are owned by this one from now on");
				fflush(stdout);
			}
			status = hold(command, chosen, &settings, &signals, &other);
			if (!other || !chosen->wait)
				return status;
			said[0] = '\0';
		} else if (strcmp(said, why) != 0) {
			/* Once, and not each time that it is looked at. */
			ksr_failure(command, "%s; until that has changed it waits, and sets nothing", why);
			strcpy(said, why);
		}
	} while (sigtimedwait(&signals, NULL, &pause) < 0);
	return 0;
}

static int tune_main(const struct ksr_command *command, int argc, char **argv)
{
	struct tune_options chosen = {.least = 100, .most = 5000, .cpu = 20, .every = 10};
	struct ksr_fs fs;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);
	int error;

	if (first < 0)
		return status;
	if (first < argc)
		return ksr_usage_error(command, "'%s' is one argument too many; it takes none", argv[first]);
	if (chosen.undo && chosen.wait)
		return ksr_usage_error(command, "--undo ends at once; leave --wait out");
	if (chosen.least > chosen.most)
		return ksr_usage_error(command, "--least is more than --most");
	error = ksr_fs_init(&fs, NULL);
	if (error)
		return ksr_failure(command, "cannot open /: %s", strerror(-error));
	status = own(command, &chosen, &fs);
	ksr_fs_fini(&fs);
	return status;
}

const struct ksr_command ksr_command_tune = {
	.name = "tune",
	.arguments = "",
	.summary = "Run KSM as fast as memory asks for, and put its settings back",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = tune_main,
};
