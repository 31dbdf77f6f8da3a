/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/whole.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "join/aggregate.h"
#include "read/clock.h"
#include "show/draw.h"
#include "show/openmetrics.h"
#include "show/page.h"
#include "show/quote.h"
#include "show/whole.h"

void ksr_whole_init(struct ksr_whole *whole)
{
	memset(whole, 0, sizeof(*whole));
	for (size_t i = 0; i < KSR_WHOLE_COUNT; i++)
		whole->parts[i] = -1;
}

static void close_parts(int parts[KSR_WHOLE_COUNT])
{
	for (size_t i = 0; i < KSR_WHOLE_COUNT; i++) {
		if (parts[i] >= 0)
			close(parts[i]);
		parts[i] = -1;
	}
}

void ksr_whole_fini(struct ksr_whole *whole)
{
	close_parts(whole->parts);
}

/* --- in the child ------------------------------------------------------------------------------- */

static void put_place(const struct ksr_picture *picture, const struct ksr_picture_origin *origin, FILE *output)
{
	static const enum ksr_value values[] = {KSR_VALUE_HELD, KSR_VALUE_PRIVATE, KSR_VALUE_SAVED, KSR_VALUE_SHARED};

	fputs("{\"group\":", output);
	ksr_quote(output, ksr_pool_text(&picture->texts, picture->groups[origin->group].name));
	fputs(",\"program\":", output);
	ksr_quote(output, ksr_pool_text(&picture->texts, origin->program));
	fputs(",\"name\":", output);
	ksr_quote(output, ksr_pool_text(&picture->texts, origin->name));
	for (size_t i = 0; i < KSM_COUNT_OF(values); i++)
		fprintf(output, ",\"%s\":%" PRIu64, ksr_value_key(values[i]), origin->values[values[i]]);
	putc('}', output);
}

static void put_places(const struct ksr_picture *picture, uint64_t top, FILE *output)
{
	putc('[', output);
	for (uint32_t i = 0; i < ksm_min(picture->origin_count, top); i++) {
		fputs(i ? ",\n" : "", output);
		put_place(picture, &picture->origins[i], output);
	}
	putc(']', output);
}

static int write_part(enum ksr_whole_part part, struct ksr_scene *scene, const struct ksr_whole *whole,
		      struct ksr_report *report, struct ksr_symbols *symbols, FILE *output)
{
	struct ksr_exposition to = {.output = output, .openmetrics = part == KSR_WHOLE_OPENMETRICS};

	switch (part) {
	case KSR_WHOLE_REPORT:
		return ksr_whole_write(whole->fs, report, symbols, scene->picture, output);
	case KSR_WHOLE_FLAME:
		return ksr_page_write(scene, output);
	case KSR_WHOLE_PLACES:
		put_places(scene->picture, whole->top, output);
		return 0;
	default:
		ksr_openmetrics_report(&to, scene);
		return 0;
	}
}

static int write_parts(const struct ksr_whole *whole, struct ksr_report *report, struct ksr_symbols *symbols,
		       const int parts[KSR_WHOLE_COUNT])
{
	struct ksr_picture picture;
	struct ksr_scene scene = {.picture = &picture, .report = report, .value = KSR_VALUE_HELD, .top = whole->top};
	int error = ksr_draw(whole->fs, report, symbols, &picture);

	for (int i = 0; i < KSR_WHOLE_COUNT && !error; i++) {
		FILE *stream = ksr_document_stream(parts[i]);

		if (!stream)
			return -ENOMEM;
		error = write_part((enum ksr_whole_part)i, &scene, whole, report, symbols, stream);
		if (fclose(stream) && !error)
			error = -errno;
	}
	ksr_picture_fini(&picture);
	return error;
}

static int make(const struct ksr_whole *whole, const int parts[KSR_WHOLE_COUNT])
{
	struct ksr_symbols *symbols = ksr_symbols_create(whole->fs, whole->resolve);
	struct ksr_report report;
	int error = symbols ? ksr_report_create(whole->fs, whole->selection, &report) : -ENOMEM;

	if (!error) {
		error = write_parts(whole, &report, symbols, parts);
		ksr_report_destroy(&report);
	}
	ksr_symbols_destroy(symbols);
	return error;
}

/* --- its parent ------------------------------------------------------------------------------------ */

static int create_parts(int parts[KSR_WHOLE_COUNT])
{
	for (size_t i = 0; i < KSR_WHOLE_COUNT; i++)
		parts[i] = -1;
	for (size_t i = 0; i < KSR_WHOLE_COUNT; i++) {
		parts[i] = ksr_document_create();
		if (parts[i] < 0) {
			int error = parts[i];

			close_parts(parts);
			return error;
		}
	}
	return 0;
}

/* Its processor time in microseconds, or -errno where it has not ended well. */
static int64_t wait_for(pid_t child)
{
	int fd = (int)syscall(SYS_pidfd_open, child, 0);
	struct pollfd ready = {fd, POLLIN, 0};
	struct rusage used;
	int status = 0;

	/* Where there is no pidfd, the child's own alarm is what ends it. */
	if (fd >= 0 && poll(&ready, 1, KSR_WHOLE_SECONDS * 1000) == 0)
		kill(child, SIGKILL);
	if (fd >= 0)
		close(fd);
	if (wait4(child, &status, 0, &used) != child || !WIFEXITED(status) || WEXITSTATUS(status))
		return -EIO;
	return (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec +
	       used.ru_stime.tv_usec;
}

static void take(struct ksr_whole *whole, int parts[KSR_WHOLE_COUNT], uint64_t taken_ms)
{
	close_parts(whole->parts);
	memcpy(whole->parts, parts, sizeof(whole->parts));
	whole->time = (uint64_t)time(NULL);
	whole->taken_us = taken_ms * 1000;
}

int ksr_whole_make(struct ksr_whole *whole, uint64_t now_ms)
{
	int parts[KSR_WHOLE_COUNT];
	int error = create_parts(parts);
	int64_t used_us;
	pid_t child;

	/* Also after a failure, which may have taken long. */
	whole->next_ms = now_ms + (uint64_t)KSR_WHOLE_SECONDS * 1000;
	if (error)
		return error;
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(2 * KSR_WHOLE_SECONDS);
		_exit(make(whole, parts) ? 1 : 0);
	}
	used_us = child < 0 ? -errno : wait_for(child);
	if (used_us < 0) {
		whole->failed++;
		close_parts(parts);
		return (int)used_us;
	}
	whole->next_ms = now_ms + (uint64_t)used_us * KSR_WHOLE_PAUSE / 1000;
	take(whole, parts, ksr_clock_ms() - now_ms);
	return 0;
}
