/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <ksmalloc/store.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keeper/stop.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define SCAN_NS SECOND
#define LOOK_NS SECOND
#define BUDGET_US 1000
/* Between two steps a process runs for so many times as long as it stood, and a busy one for longer. */
#define PAUSE_TIMES 10
#define PAUSE_TIMES_BUSY 40
#define PAUSE_NS (5 * MS)
/* A step that failed may go well at the next moment. */
#define TRIES 40
#define TRY_NS (10 * MS)
/* So long after its time a worker with one thread has not made its pass: it does not wait where the library sees it. */
#define OVERDUE_MS 5000
/* What others gain is news for all. */
#define NEWS_PAGES 64

static struct ksr_worker *find(struct ksr_keep *keep, pid_t pid)
{
	for (size_t i = 0; i < keep->count; i++)
		if (keep->workers[i].member.pid == pid)
			return &keep->workers[i];
	return NULL;
}

static bool is_known(pid_t pid, void *data)
{
	return find(data, pid);
}

static void add(const struct ksr_member *member, void *data)
{
	struct ksr_keep *keep = data;
	struct ksr_worker worker = {.member = *member};

	if (keep->count == keep->capacity) {
		size_t capacity = keep->capacity ? 2 * keep->capacity : 16;
		struct ksr_worker *workers = reallocarray(keep->workers, capacity, sizeof(*workers));

		if (workers) {
			keep->workers = workers;
			keep->capacity = capacity;
		}
	}
	if (keep->count == keep->capacity || ksr_member_look(&worker.member, &worker.look)) {
		ksr_member_close(&worker.member);
		return;
	}
	ksr_pace_begin(&worker.pace, &worker.look);
	worker.gained_seen = worker.member.gained_pages;
	keep->workers[keep->count++] = worker;
}

static void drop(struct ksr_keep *keep, struct ksr_worker *worker)
{
	ksr_member_close(&worker->member);
	*worker = keep->workers[--keep->count];
}

static void say(const struct ksr_keep *keep, const struct ksr_pass_news *news)
{
	if (keep->say)
		keep->say(news);
}

static void forbidden(pid_t pid, void *data)
{
	struct ksr_pass_news news = {.pid = pid, .reason = KSMALLOC_KEEPER_FORBIDDEN};

	say(data, &news);
}

/* --- one worker ----------------------------------------------------------------------------- */

/* Pages that it gained are pages that the store has: others may have them, too. */
static void tell_others(struct ksr_keep *keep, struct ksr_worker *worker)
{
	uint64_t gained = worker->member.gained_pages;

	if (gained - worker->gained_seen < NEWS_PAGES)
		return;
	worker->gained_seen = gained;
	for (size_t i = 0; i < keep->count; i++)
		if (&keep->workers[i] != worker)
			ksr_pace_news(&keep->workers[i].pace);
}

static bool needs_us(const struct ksr_worker *worker)
{
	uint64_t due_ms = worker->member.offer.due_ms;

	return worker->look.usage.threads > 1 || worker->look.now_ns / MS > due_ms + OVERDUE_MS;
}

/* Somebody has asked the group for a pass, when this one was there, and it has neither followed nor failed to. */
static bool is_asked(const struct ksr_keep *keep, const struct ksr_worker *worker)
{
	if (worker->member.answered == keep->requests || worker->given_up == keep->requests ||
	    ksr_image_started_ns(&worker->member.image) > keep->asked_since_boot_ns)
		return false;
	return worker->look.usage.threads > 1 || worker->look.now_ns - keep->asked_ns > OVERDUE_MS * MS;
}

static bool is_busy(const struct ksr_look *before, const struct ksr_look *now)
{
	return now->usage.cpu_ns - before->usage.cpu_ns > (now->now_ns - before->now_ns) / 4;
}

static void begin_pass(const struct ksr_keep *keep, struct ksr_worker *worker)
{
	worker->in_pass = true;
	worker->request = keep->requests;
	worker->failures = 0;
	worker->steps = 0;
	worker->stood_ns = 0;
	worker->longest_ns = 0;
	worker->gained_before = worker->member.gained_pages;
}

/* False where it has gone. */
static bool end_pass(struct ksr_keep *keep, struct ksr_worker *worker, enum ksmalloc_keeper_reason reason)
{
	struct ksr_pass_news news = {
		.pid = worker->member.pid, .reason = reason, .steps = worker->steps,
		.stood_ns = worker->stood_ns, .longest_ns = worker->longest_ns,
	};

	worker->in_pass = false;
	if (ksr_member_look(&worker->member, &worker->look))
		return false;
	news.gained = worker->member.gained_pages - worker->gained_before;
	ksr_pace_passed(&worker->pace, &worker->look, news.gained, worker->stood_ns);
	tell_others(keep, worker);
	ksr_member_tell(&worker->member, reason);
	/* Once: it is tried again and again. */
	if (reason == KSMALLOC_KEEPER_NONE || reason != worker->reason)
		say(keep, &news);
	worker->reason = reason;
	if (reason != KSMALLOC_KEEPER_NONE)
		worker->given_up = worker->request;
	worker->next_ns = worker->look.now_ns + LOOK_NS;
	return true;
}

static bool may_go_well_soon(enum ksmalloc_keeper_reason reason)
{
	return reason == KSMALLOC_KEEPER_BUSY || reason == KSMALLOC_KEEPER_HELD_UP ||
	       reason == KSMALLOC_KEEPER_TRACED;
}

/* False where it has gone. */
static bool make_step(struct ksr_keep *keep, struct ksr_worker *worker)
{
	struct ksr_step step;
	int error = ksr_member_step(&worker->member, BUDGET_US, &step);
	uint64_t pause_ns = step.stood_ns * (worker->busy ? PAUSE_TIMES_BUSY : PAUSE_TIMES);

	if (error == -ESRCH)
		return false;
	worker->stood_ns += step.stood_ns;
	worker->longest_ns = ksm_max(worker->longest_ns, step.stood_ns);
	worker->next_ns = ksr_stop_now() + ksm_max(pause_ns, PAUSE_NS);
	if (error && may_go_well_soon(step.reason) && ++worker->failures < TRIES) {
		worker->next_ns += worker->failures * TRY_NS;
		return true;
	}
	if (error)
		return end_pass(keep, worker, step.reason);
	worker->failures = 0;
	worker->steps++;
	return step.later_ms == 0 || end_pass(keep, worker, KSMALLOC_KEEPER_NONE);
}

/* False where it has gone. */
static bool attend(struct ksr_keep *keep, struct ksr_worker *worker)
{
	struct ksr_look before = worker->look;

	if (worker->in_pass)
		return make_step(keep, worker);
	if (ksr_member_look(&worker->member, &worker->look))
		return false;
	worker->next_ns = worker->look.now_ns + LOOK_NS;
	tell_others(keep, worker);
	if (!(ksr_pace_is_due(&worker->pace, &worker->look) && needs_us(worker)) && !is_asked(keep, worker))
		return true;
	worker->busy = is_busy(&before, &worker->look);
	begin_pass(keep, worker);
	return make_step(keep, worker);
}

/* --- all of them ---------------------------------------------------------------------------- */

/* A seed that was renewed makes another store; workers of the old one go on. */
static void look_at_seed(struct ksr_keep *keep)
{
	struct ksmalloc_seed seed;
	int file = open(keep->seed, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	uint64_t store = 0;

	if (file < 0)
		return;
	if (!fstat(file, &status) && read(file, &seed, sizeof(seed)) == (ssize_t)sizeof(seed) &&
	    !ksmalloc_seed_problem(&seed, sizeof(seed), &status, geteuid()))
		store = ksr_group_store(&seed);
	close(file);
	if (!store || store == keep->group.stores[0])
		return;
	keep->group.stores[1] = keep->group.stores[0];
	keep->group.stores[0] = store;
}

/* In the group's table. Whatever is there: a worker that has followed it says the same. */
static void look_at_requests(struct ksr_keep *keep)
{
	struct ksmalloc_store_head head;
	struct timespec now;
	int file = open(keep->table, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (file < 0)
		return;
	if (pread(file, &head, sizeof(head), 0) == (ssize_t)sizeof(head) && head.magic == KSMALLOC_STORE_MAGIC &&
	    head.requests != keep->requests) {
		keep->requests = head.requests;
		keep->asked_ns = ksr_stop_now();
		clock_gettime(CLOCK_BOOTTIME, &now);
		keep->asked_since_boot_ns = (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
	}
	close(file);
}

static void sleep_until(uint64_t time_ns)
{
	struct timespec time = {(time_t)(time_ns / SECOND), (long)(time_ns % SECOND)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static int scan(struct ksr_keep *keep, struct ksr_watch *watch)
{
	const struct ksr_watcher watcher = {is_known, add, forbidden, keep};

	look_at_seed(keep);
	return ksr_watch_scan(watch, ksr_stop_now(), &watcher);
}

/* Attends to those whose time has come; the time of the next one. */
static uint64_t attend_all(struct ksr_keep *keep, uint64_t latest_ns)
{
	uint64_t next_ns = latest_ns;

	for (size_t i = 0; i < keep->count;) {
		struct ksr_worker *worker = &keep->workers[i];

		if (ksr_stop_now() >= worker->next_ns && !attend(keep, worker)) {
			drop(keep, worker);
			continue;
		}
		next_ns = ksm_min(next_ns, worker->next_ns);
		i++;
	}
	return next_ns;
}

static void drop_all(struct ksr_keep *keep)
{
	while (keep->count)
		drop(keep, &keep->workers[0]);
	free(keep->workers);
	keep->workers = NULL;
	keep->capacity = 0;
}

/* Now: that one has gone is noticed when its next turn has come. */
static bool has_living(const struct ksr_keep *keep)
{
	for (size_t i = 0; i < keep->count; i++) {
		if (!kill(keep->workers[i].member.pid, 0) || errno == EPERM)
			return true;
	}
	return false;
}

static bool is_over(struct ksr_keep *keep, uint64_t now_ns)
{
	if (keep->count)
		keep->worker_seen_ns = now_ns;
	if (now_ns - keep->worker_seen_ns < keep->idle_ns)
		return false;
	if (ksr_post_leave(&keep->post))
		return true;
	keep->worker_seen_ns = now_ns;
	return false;
}

int ksr_keep(struct ksr_keep *keep)
{
	struct ksr_watch watch = {.group = &keep->group};
	uint64_t scan_ns = 0;
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, NULL);

	if (error)
		return error;
	watch.fs = &fs;
	keep->worker_seen_ns = ksr_stop_now();
	while (!is_over(keep, ksr_stop_now())) {
		/* What fails now is tried again a second later. */
		if (ksr_stop_now() >= scan_ns) {
			scan(keep, &watch);
			/* Without workers nobody needs it, and who removes the folder must not find the file again. */
			if (has_living(keep) && ksr_post_hold(&keep->post))
				break;
			look_at_requests(keep);
			scan_ns = ksr_stop_now() + SCAN_NS;
		}
		sleep_until(attend_all(keep, scan_ns));
	}
	ksr_watch_end(&watch);
	drop_all(keep);
	ksr_fs_fini(&fs);
	return 0;
}

/* False where it has gone. */
static bool make_pass(struct ksr_keep *keep, struct ksr_worker *worker)
{
	begin_pass(keep, worker);
	while (worker->in_pass) {
		if (!make_step(keep, worker))
			return false;
		if (worker->in_pass)
			sleep_until(worker->next_ns);
	}
	return true;
}

/* One after the other: what one publishes those after it find in the same round, and those before it in the next one. */
static void make_round(struct ksr_keep *keep)
{
	for (size_t i = 0; i < keep->count;) {
		if (make_pass(keep, &keep->workers[i]))
			i++;
		else
			drop(keep, &keep->workers[i]);
	}
}

int ksr_keep_once(struct ksr_keep *keep, unsigned int rounds)
{
	struct ksr_watch watch = {.group = &keep->group};
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, NULL);

	if (error)
		return error;
	watch.fs = &fs;
	error = scan(keep, &watch);
	for (unsigned int round = 0; !error && round < rounds; round++)
		make_round(keep);
	ksr_watch_end(&watch);
	drop_all(keep);
	ksr_fs_fini(&fs);
	return error;
}
