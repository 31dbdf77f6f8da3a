/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/collector.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "exporter/document.h"
#include "exporter/live.h"
#include "read/clock.h"
#include "read/status.h"
#include "top/reader.h"

struct collector {
	const struct ksr_collector_options *options;
	int socket;
	struct ksr_top_reader *reader;
	struct ksr_whole whole;
	struct ksr_history history;
	struct ksr_text parts[KSR_WHOLE_REPORT]; /* of the last whole report, what goes into other documents */
	uint64_t last_ms;
	uint64_t last_cpu_us; /* of the exporter at the snapshot before */
	char host[HOST_NAME_MAX + 1];
};

/* --- what the exporter takes itself ------------------------------------------------------------------ */

static uint64_t used_us(int who)
{
	struct rusage used;

	if (getrusage(who, &used))
		return 0;
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Of the largest child. */
static uint64_t peak_of_children(void)
{
	struct rusage used;

	return getrusage(RUSAGE_CHILDREN, &used) ? 0 : (uint64_t)used.ru_maxrss * 1024;
}

static uint64_t cpu_us_of(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_status status;
	struct ksr_text text;
	uint64_t ticks = 0;

	if (ksr_fs_read(fs, &text, "proc/%d/stat", (int)pid))
		return 0;
	if (ksr_status_parse_stat(&text, &status))
		ticks = status.cpu_ticks;
	ksr_text_free(&text);
	return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t resident_of(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_text text;
	uint64_t pages = 0;
	const char *blank;

	if (ksr_fs_read(fs, &text, "proc/%d/statm", (int)pid))
		return 0;
	blank = strchr(text.data, ' ');
	if (blank)
		pages = strtoull(blank, NULL, 10);
	ksr_text_free(&text);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct ksr_self measure_self(const struct collector *collector, uint64_t begin_us)
{
	const struct ksr_fs *fs = collector->options->fs;
	pid_t others[] = {getppid(), (pid_t)ksr_counter_read(&collector->options->counters->server)};
	uint64_t cpu_us = used_us(RUSAGE_SELF) + used_us(RUSAGE_CHILDREN);
	uint64_t resident = resident_of(fs, getpid());

	for (size_t i = 0; i < KSM_COUNT_OF(others); i++) {
		cpu_us += cpu_us_of(fs, others[i]);
		resident += resident_of(fs, others[i]);
	}
	return (struct ksr_self){
		.cpu_us = cpu_us,
		.resident = resident,
		.report_peak = peak_of_children(),
		.snapshot_us = ksr_clock_us() - begin_us,
	};
}

/* --- documents ------------------------------------------------------------------------------------------ */

static int write_document(const struct ksr_live *live, enum ksr_document which, const struct collector *collector,
			  FILE *output)
{
	const char *texts[KSR_WHOLE_REPORT];

	for (size_t i = 0; i < KSM_COUNT_OF(texts); i++)
		texts[i] = collector->parts[i].data ? collector->parts[i].data : "";
	if (which == KSR_DOCUMENT_NOW)
		ksr_live_json(live, texts[KSR_WHOLE_PLACES], output);
	else if (which == KSR_DOCUMENT_OPENMETRICS)
		ksr_live_metrics(live, true, texts[KSR_WHOLE_OPENMETRICS], output);
	else
		ksr_live_metrics(live, false, texts[KSR_WHOLE_PROMETHEUS], output);
	return ferror(output) ? -EIO : 0;
}

static int send_document(const struct ksr_live *live, enum ksr_document which, const struct collector *collector)
{
	int fd = ksr_document_create();
	FILE *stream = fd < 0 ? NULL : ksr_document_stream(fd);
	int error = fd < 0 ? fd : stream ? 0 : -ENOMEM;

	if (stream) {
		error = write_document(live, which, collector, stream);
		if (fclose(stream) && !error)
			error = -errno;
	}
	if (!error)
		error = ksr_document_send(collector->socket, which, fd);
	if (fd >= 0)
		close(fd);
	return error;
}

/* A whole report that cannot be made is counted, and the one before stands. */
static void renew_whole(struct collector *collector, uint64_t now_ms)
{
	struct ksr_whole *whole = &collector->whole;

	if (ksr_whole_make(whole, now_ms))
		return;
	for (size_t i = 0; i < KSM_COUNT_OF(collector->parts); i++) {
		ksr_text_free(&collector->parts[i]);
		memset(&collector->parts[i], 0, sizeof(collector->parts[i]));
		(void)ksr_document_read(whole->parts[i], &collector->parts[i]);
	}
	(void)ksr_document_send(collector->socket, KSR_DOCUMENT_REPORT, whole->parts[KSR_WHOLE_REPORT]);
	(void)ksr_document_send(collector->socket, KSR_DOCUMENT_FLAME, whole->parts[KSR_WHOLE_FLAME]);
}

/* --- a snapshot ------------------------------------------------------------------------------------------- */

static uint64_t hundredths(double percent)
{
	return percent > 0 ? (uint64_t)(100 * percent + 0.5) : 0;
}

static void remember(struct collector *collector, const struct ksr_top_sample *sample, const struct ksr_rows *rows,
		     uint64_t cpu_us, uint64_t after_ms)
{
	struct ksr_point point = {
		.time = (uint64_t)sample->time,
		.needs = rows->total.figures.needs,
		.ksm = rows->total.figures.ksm,
		.store = rows->total.figures.store,
		.ksmd = hundredths(sample->costs.ksmd),
		.keeper = hundredths(sample->costs.keeper),
		/* Milliseconds a second. */
		.work = hundredths(sample->costs.work / 10),
		.own = after_ms ? ksr_less(cpu_us, collector->last_cpu_us) * 10 / after_ms : 0,
	};

	ksr_history_add(&collector->history, &point);
	collector->last_cpu_us = cpu_us;
}

static void publish(struct collector *collector, const struct ksr_top_sample *sample, uint64_t begin_us,
		    uint64_t after_ms)
{
	struct ksr_rows rows;
	struct ksr_live live = {
		.sample = sample,
		.rows = &rows,
		.whole = &collector->whole,
		.history = &collector->history,
		.counters = collector->options->counters,
		.interval_ms = collector->options->interval_ms,
		.host = collector->host,
	};

	if (ksr_rows_create(sample, &rows))
		return;
	live.self = measure_self(collector, begin_us);
	remember(collector, sample, &rows, live.self.cpu_us, after_ms);
	(void)send_document(&live, KSR_DOCUMENT_OPENMETRICS, collector);
	(void)send_document(&live, KSR_DOCUMENT_PROMETHEUS, collector);
	(void)send_document(&live, KSR_DOCUMENT_NOW, collector);
	ksr_rows_destroy(&rows);
}

static void take_snapshot(struct collector *collector)
{
	uint64_t begin_us = ksr_clock_us();
	uint64_t now_ms = ksr_clock_ms();
	uint64_t after_ms = collector->last_ms ? now_ms - collector->last_ms : 0;
	struct ksr_top_sample *sample = ksr_top_reader_sample(collector->reader, after_ms);

	collector->last_ms = now_ms;
	if (!sample)
		return;
	if (!sample->error)
		publish(collector, sample, begin_us, after_ms);
	ksr_top_sample_free(sample);
	if (now_ms >= collector->whole.next_ms)
		renew_whole(collector, ksr_clock_ms());
	/* What a snapshot has taken for a moment is given back. */
	malloc_trim(0);
}

/* Until it is time; false when the other process has ended. */
static bool wait_for_turn(const struct collector *collector, uint64_t next_ms)
{
	for (;;) {
		struct pollfd other = {collector->socket, POLLIN, 0};
		uint64_t now_ms = ksr_clock_ms();
		int ready;

		if (now_ms >= next_ms)
			return true;
		ready = poll(&other, 1, (int)(next_ms - now_ms));
		if (ready > 0)
			return false;
	}
}

static void watch(struct collector *collector)
{
	uint64_t interval_ms = collector->options->interval_ms;
	uint64_t next_ms = ksr_clock_ms();

	do {
		bool is_first = collector->last_ms == 0;

		take_snapshot(collector);
		/* The first report makes the second snapshot due, so that places are there soon, and so are costs. */
		next_ms = is_first ? ksr_clock_ms() + ksm_min(interval_ms, 1000) : next_ms + interval_ms;
		/* After a report that took long, turns that were missed are left out. */
		if (next_ms < ksr_clock_ms())
			next_ms = ksr_clock_ms();
	} while (wait_for_turn(collector, next_ms));
}

int ksr_collector_run(const struct ksr_collector_options *options, int socket)
{
	struct collector *collector = calloc(1, sizeof(*collector));

	if (!collector)
		return 1;
	collector->options = options;
	collector->socket = socket;
	if (gethostname(collector->host, HOST_NAME_MAX))
		collector->host[0] = '\0';
	ksr_whole_init(&collector->whole);
	collector->whole.fs = options->fs;
	collector->whole.selection = options->selection;
	collector->whole.top = options->top;
	collector->whole.resolve = options->resolve;
	collector->reader = ksr_top_reader_create(options->fs, options->selection, false);
	if (collector->reader)
		watch(collector);
	ksr_top_reader_destroy(collector->reader);
	ksr_whole_fini(&collector->whole);
	for (size_t i = 0; i < KSM_COUNT_OF(collector->parts); i++)
		ksr_text_free(&collector->parts[i]);
	free(collector);
	return 0;
}
