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
#include "read/clock.h"

/* Between two looks, where something has changed, and where nothing has for long; for so many workers. */
#define TICK_NS (50 * KSR_CLOCK_MS)
#define LONGEST_TICK_NS KSR_CLOCK_SECOND
#define TICK_WORKERS 8
#define BUDGET_US 1500
/* The same of one that rests: all that a stop takes besides its step is the same for a longer one. */
#define RESTING_BUDGET_US 5000
/* So many passes at once, each of which fills the pauses of the others. Those of busy workers do not count. */
#define MOST_PASSES 2
#define PAUSE_NS (5 * KSR_CLOCK_MS)
/* A step that failed may go well at the next moment. */
#define TRIES 40
#define TRY_NS (10 * KSR_CLOCK_MS)
/* So long after its time a worker with one thread has not made its pass: it does not wait where the library sees it. */
#define OVERDUE_MS 5000
/* One that has not run for so long will not make the pass by itself that is due: those that it wakes for run at once. */
#define STILL_NS (100 * KSR_CLOCK_MS)

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

/* Something has changed: the next looks come soon. */
static void stir(struct ksr_keep *keep)
{
	uint64_t tick_ns = TICK_NS * (1 + keep->count / TICK_WORKERS);
	uint64_t next_ns = ksr_clock_ns() + tick_ns;

	keep->is_stirred = true;
	keep->tick_ns = tick_ns;
	keep->look_ns = ksm_min(keep->look_ns, next_ns);
	keep->scan_ns = ksm_min(keep->scan_ns, next_ns + tick_ns);
	for (size_t i = 0; i < keep->count; i++) {
		if (!keep->workers[i].in_pass)
			keep->workers[i].next_ns = ksm_min(keep->workers[i].next_ns, next_ns);
	}
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
	worker.pace.has_shared = worker.member.gained_pages > 0;
	worker.gained_seen = worker.member.gained_pages;
	worker.passes_seen = worker.member.passes;
	worker.next_ns = worker.look.now_ns + TICK_NS;
	keep->workers[keep->count++] = worker;
	stir(keep);
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

/* A worker of one thread that waits for nothing that the library sees, or has not come by for long. */
static bool is_left_alone(const struct ksr_worker *worker)
{
	uint64_t now_ms = worker->look.now_ns / KSR_CLOCK_MS;
	uint64_t due_ms = worker->member.offer.due_ms;

	if (now_ms > due_ms + OVERDUE_MS)
		return true;
	return ksr_pace_still_ns(&worker->pace) >= STILL_NS && (now_ms > due_ms || worker->pace.has_news);
}

/* Somebody has asked the group for a pass, when this one was there, and it has neither followed nor failed to. */
static bool is_asked(const struct ksr_keep *keep, const struct ksr_worker *worker)
{
	uint64_t ago_ns = worker->look.now_ns - keep->asked_ns;

	if (worker->member.answered == keep->requests || worker->given_up == keep->requests ||
	    ksr_image_started_ns(&worker->member.image) > keep->asked_since_boot_ns)
		return false;
	return worker->look.usage.threads > 1 || ago_ns > OVERDUE_MS * KSR_CLOCK_MS ||
	       (ago_ns > STILL_NS && ksr_pace_still_ns(&worker->pace) >= STILL_NS);
}

static void begin_pass(const struct ksr_keep *keep, struct ksr_worker *worker)
{
	worker->in_pass = true;
	worker->postponed = false;
	worker->generation = keep->generation;
	worker->request = keep->requests;
	worker->failures = 0;
	worker->steps = 0;
	worker->stood_ns = 0;
	worker->longest_ns = 0;
	worker->gained_before = worker->member.gained_pages;
	worker->changed_before = worker->member.changed_pages;
	worker->last_stood_ns = 0;
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
	worker->gained_seen = worker->member.gained_pages;
	worker->passes_seen = worker->member.passes;
	if (reason == KSMALLOC_KEEPER_NONE)
		ksr_pace_passed(&worker->pace, &worker->look, worker->member.changed_pages - worker->changed_before,
				worker->stood_ns);
	else
		ksr_pace_refused(&worker->pace, &worker->look, worker->stood_ns);
	ksr_member_tell(&worker->member, reason);
	/* Once: it is tried again and again. */
	if (reason == KSMALLOC_KEEPER_NONE || reason != worker->reason)
		say(keep, &news);
	worker->reason = reason;
	if (reason != KSMALLOC_KEEPER_NONE)
		worker->given_up = worker->request;
	worker->next_ns = worker->look.now_ns + TICK_NS;
	for (size_t i = 0; i < keep->count; i++) {
		if (keep->workers[i].postponed)
			keep->workers[i].next_ns = worker->look.now_ns;
	}
	if (news.gained)
		stir(keep);
	return true;
}

static bool may_go_well_soon(enum ksmalloc_keeper_reason reason)
{
	return reason == KSMALLOC_KEEPER_BUSY || reason == KSMALLOC_KEEPER_HELD_UP ||
	       reason == KSMALLOC_KEEPER_TRACED;
}

/* It has not run since the last step of this pass, or for a while before the first one. */
static bool rests(const struct ksr_worker *worker)
{
	if (worker->steps == 0)
		return ksr_pace_still_ns(&worker->pace) >= STILL_NS;
	return ksr_image_cpu_ns(&worker->member.image) == worker->last_cpu_ns;
}

/* False where it has gone. */
static bool make_step(struct ksr_keep *keep, struct ksr_worker *worker)
{
	struct ksr_step step;
	int error = ksr_member_step(&worker->member, rests(worker) ? RESTING_BUDGET_US : BUDGET_US, &step);

	if (error == -ESRCH)
		return false;
	worker->stood_ns += step.stood_ns;
	worker->longest_ns = ksm_max(worker->longest_ns, step.stood_ns);
	worker->last_stood_ns = step.stood_ns;
	worker->last_ended_ns = ksr_clock_ns();
	worker->last_cpu_ns = ksr_image_cpu_ns(&worker->member.image);
	worker->next_ns = worker->last_ended_ns + ksr_pace_pause(step.stood_ns, 0);
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

/* Has it had its pause? What it runs meanwhile makes that longer. */
static bool has_run(const struct ksr_keep *keep, struct ksr_worker *worker)
{
	uint64_t ran_ns = keep->every_ns ? 0 : ksr_image_cpu_ns(&worker->member.image) - worker->last_cpu_ns;

	if (worker->last_stood_ns == 0)
		return true;
	worker->next_ns = ksm_max(worker->next_ns,
				  worker->last_ended_ns + ksr_pace_pause(worker->last_stood_ns, ran_ns));
	return ksr_clock_ns() >= worker->next_ns;
}

/* A pass of its own, and what others have published. */
static void take_note_of_news(struct ksr_keep *keep, struct ksr_worker *worker)
{
	if (worker->member.passes != worker->passes_seen) {
		ksr_pace_passed(&worker->pace, &worker->look, worker->member.gained_pages - worker->gained_seen, 0);
		worker->generation = worker->generation_looked;
		worker->passes_seen = worker->member.passes;
		worker->gained_seen = worker->member.gained_pages;
		stir(keep);
	}
	worker->generation_looked = keep->generation;
	if (worker->generation != keep->generation)
		ksr_pace_news(&worker->pace);
}

/* So many passes are under way that another one would come too early. */
static bool is_full(const struct ksr_keep *keep)
{
	uint64_t soon_ns = ksr_clock_ns() + PAUSE_NS;
	unsigned int passes = 0;

	for (size_t i = 0; i < keep->count; i++)
		passes += keep->workers[i].in_pass && keep->workers[i].next_ns < soon_ns;
	return passes >= MOST_PASSES;
}

/* Is a pass to be made in it? After a look. */
static bool is_to_pass(struct ksr_keep *keep, struct ksr_worker *worker)
{
	bool is_due = ksr_pace_is_due(&worker->pace, &worker->look);

	if (worker->pace.quiet_since_ns == worker->look.now_ns)
		stir(keep);
	if (is_due && worker->look.usage.threads == 1 && !is_left_alone(worker)) {
		/* It may turn out soon that it is. */
		if (worker->pace.has_news || worker->look.now_ns / KSR_CLOCK_MS > worker->member.offer.due_ms)
			stir(keep);
		is_due = false;
	}
	return is_due || is_asked(keep, worker);
}

/* Since its last pass, or since it was found, as much time as passes are to be apart. */
static bool has_gone_by(const struct ksr_keep *keep, const struct ksr_worker *worker)
{
	return worker->look.now_ns - worker->pace.passed_ns >= keep->every_ns;
}

/* Until the next look at a worker. */
static uint64_t tick_of(const struct ksr_keep *keep)
{
	return keep->every_ns ? ksm_min(keep->tick_ns, keep->every_ns) : keep->tick_ns;
}

/* False where it has gone. */
static bool attend(struct ksr_keep *keep, struct ksr_worker *worker)
{
	if (worker->in_pass)
		return !has_run(keep, worker) || make_step(keep, worker);
	worker->postponed = is_full(keep);
	worker->next_ns = ksr_clock_ns() + tick_of(keep);
	if (worker->postponed)
		return true;
	if (ksr_member_look(&worker->member, &worker->look))
		return false;
	take_note_of_news(keep, worker);
	if (!(keep->every_ns ? has_gone_by(keep, worker) : is_to_pass(keep, worker)))
		return true;
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

/* In the group's table. Whatever is there: a worker that has followed a request says the same. */
static void look_at_table(struct ksr_keep *keep)
{
	struct ksmalloc_store_head head;
	int file = open(keep->table, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (file < 0)
		return;
	if (pread(file, &head, sizeof(head), 0) != (ssize_t)sizeof(head) || head.magic != KSMALLOC_STORE_MAGIC)
		head = (struct ksmalloc_store_head){.requests = keep->requests, .generation = keep->generation};
	if (head.requests != keep->requests) {
		keep->requests = head.requests;
		keep->asked_ns = ksr_clock_ns();
		keep->asked_since_boot_ns = ksr_clock_of(CLOCK_BOOTTIME);
		stir(keep);
	}
	if (head.generation != keep->generation) {
		keep->generation = head.generation;
		stir(keep);
	}
	close(file);
}

static void sleep_until(uint64_t time_ns)
{
	struct timespec time = ksr_clock_time(time_ns);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static int scan(struct ksr_keep *keep, struct ksr_watch *watch)
{
	const struct ksr_watcher watcher = {is_known, add, forbidden, keep};

	look_at_seed(keep);
	return ksr_watch_scan(watch, ksr_clock_ns(), &watcher);
}

/* Attends to those whose time has come; the time of the next one. */
static uint64_t attend_all(struct ksr_keep *keep, uint64_t latest_ns)
{
	uint64_t next_ns = latest_ns;

	for (size_t i = 0; i < keep->count;) {
		struct ksr_worker *worker = &keep->workers[i];

		if (ksr_clock_ns() >= worker->next_ns && !attend(keep, worker)) {
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

/* What fails now is tried again at the next look. False where there is another keeper by now. */
static bool look_around(struct ksr_keep *keep, struct ksr_watch *watch)
{
	uint64_t now_ns = ksr_clock_ns();

	if (now_ns >= keep->scan_ns) {
		keep->scan_ns = UINT64_MAX;
		scan(keep, watch);
		/* Without workers nobody needs it, and who removes the folder must not find the file again. */
		if (has_living(keep) && ksr_post_hold(&keep->post))
			return false;
		keep->scan_ns = ksm_min(keep->scan_ns, ksr_clock_ns() + ksm_min(2 * tick_of(keep), LONGEST_TICK_NS));
	}
	if (now_ns >= keep->look_ns) {
		keep->tick_ns = keep->is_stirred ? keep->tick_ns : ksm_min(2 * keep->tick_ns, LONGEST_TICK_NS);
		keep->is_stirred = false;
		keep->look_ns = now_ns + keep->tick_ns;
		look_at_table(keep);
	}
	return true;
}

int ksr_keep(struct ksr_keep *keep)
{
	struct ksr_watch watch = {.group = &keep->group};
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, NULL);

	if (error)
		return error;
	watch.fs = &fs;
	keep->worker_seen_ns = ksr_clock_ns();
	keep->tick_ns = TICK_NS;
	while (!is_over(keep, ksr_clock_ns()) && look_around(keep, &watch))
		sleep_until(attend_all(keep, ksm_min(keep->scan_ns, keep->look_ns)));
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
		sleep_until(worker->next_ns);
		if (has_run(keep, worker) && !make_step(keep, worker))
			return false;
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
