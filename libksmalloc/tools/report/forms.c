/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "report/forms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show/draw.h"
#include "show/form.h"
#include "show/origins.h"
#include "show/whole.h"

static int check_value(const struct ksr_command *command, const struct ksr_form_choice *choice)
{
	enum ksr_value value;
	char keys[160] = "";

	if (choice->format != KSR_FORMAT_FOLDED)
		return ksr_usage_error(command, "--value chooses what --folded writes; add --folded");
	if (ksr_value_find(choice->value, &value))
		return 0;
	for (int i = 0; i < KSR_VALUE_COUNT; i++) {
		size_t used = strlen(keys);

		snprintf(keys + used, sizeof(keys) - used, "%s%s", used ? ", " : "", ksr_value_key((enum ksr_value)i));
	}
	return ksr_usage_error(command, "--value '%s' is no value; give one of %s", choice->value, keys);
}

int ksr_forms_check(const struct ksr_command *command, const struct ksr_output *output, uint64_t top,
		    struct ksr_form_choice *choice)
{
	struct stat status;
	int error;

	choice->format = output->format;
	choice->top = top;
	error = choice->value ? check_value(command, choice) : 0;
	if (error)
		return error;
	/* What is replaced must not be a device, say the output. */
	if (choice->save && stat(choice->save, &status) == 0 && !S_ISREG(status.st_mode))
		return ksr_usage_error(command, "--save '%s' is no file; give the name of a file to write", choice->save);
	if (ksr_form_is_binary(choice->format) && isatty(STDOUT_FILENO))
		return ksr_usage_error(command, "--pprof writes a file, not text; add '> FILE'");
	return 0;
}

/* Programs that read the output have no place for notes. */
static void say_rejected(const struct ksr_command *command, const struct ksr_report *report)
{
	for (size_t i = 0; i < report->rejected_count; i++)
		(void)ksr_failure(command, "process %d: %s", (int)report->rejected[i].pid, report->rejected[i].why);
}

static int write_picture(const struct ksr_command *command, const struct ksr_fs *fs, const struct ksr_report *report,
			 struct ksr_symbols *symbols, const struct ksr_form_choice *choice)
{
	struct ksr_picture picture;
	struct ksr_scene scene = {.picture = &picture, .report = report, .value = KSR_VALUE_HELD, .top = choice->top};
	int error = ksr_draw(fs, report, symbols, &picture);
	int status;

	say_rejected(command, report);
	if (choice->value)
		(void)ksr_value_find(choice->value, &scene.value);
	if (error)
		status = ksr_failure(command, "cannot add up the processes: %s", strerror(-error));
	else
		status = ksr_output_end(command, ksr_form_write(choice->format, &scene, stdout));
	ksr_picture_fini(&picture);
	return status;
}

static int add_tables(const struct ksr_command *command, const struct ksr_fs *fs, const struct ksr_report *report,
		      struct ksr_symbols *symbols, struct ksr_emitter *emitter)
{
	struct ksr_picture picture;
	int error = ksr_draw(fs, report, symbols, &picture);

	if (!error)
		ksr_render_origins(&picture, emitter);
	ksr_picture_fini(&picture);
	return error ? ksr_failure(command, "cannot add up the processes: %s", strerror(-error)) : KSR_EXIT_OK;
}

/* The whole report as JSON; NULL with -errno in *error. */
static char *whole_report(const struct ksr_fs *fs, struct ksr_report *report, struct ksr_symbols *symbols,
			  size_t *bytes, int *error)
{
	struct ksr_picture picture;
	char *text = NULL;
	FILE *stream = open_memstream(&text, bytes);

	if (!stream) {
		*error = -ENOMEM;
		return NULL;
	}
	*error = ksr_draw(fs, report, symbols, &picture);
	if (!*error)
		*error = ksr_whole_write(fs, report, symbols, &picture, stream);
	ksr_picture_fini(&picture);
	if (fclose(stream) && !*error)
		*error = -ENOMEM;
	if (!*error)
		return text;
	free(text);
	return NULL;
}

static int save(const struct ksr_command *command, const struct ksr_fs *fs, struct ksr_report *report,
		struct ksr_symbols *symbols, const char *path)
{
	size_t bytes = 0;
	int error;
	char *text = whole_report(fs, report, symbols, &bytes, &error);

	if (text)
		error = ksr_fs_replace(path, text, bytes);
	free(text);
	return error ? ksr_failure(command, "cannot save to '%s': %s", path, strerror(-error)) : KSR_EXIT_OK;
}

int ksr_forms_write(const struct ksr_command *command, const struct ksr_fs *fs, struct ksr_report *report,
		    struct ksr_symbols *symbols, const struct ksr_form_choice *choice, struct ksr_emitter *emitter)
{
	int status = choice->save ? save(command, fs, report, symbols, choice->save) : KSR_EXIT_OK;

	if (status != KSR_EXIT_OK || choice->format == KSR_FORMAT_TEXT)
		return status;
	if (ksr_form_is_picture(choice->format))
		return write_picture(command, fs, report, symbols, choice);
	return add_tables(command, fs, report, symbols, emitter);
}
