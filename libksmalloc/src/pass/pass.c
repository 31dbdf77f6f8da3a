/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/self/maps is the truth about what lies where: what the program has mapped, protected or unmapped by itself is
 * seen there, and the table of shared pages is put right by it.
 */
#include "pass/pass.h"

#include "system/alone.h"
#include "arena/arena.h"
#include "mapping/image.h"
#include "layout/layout.h"
#include "store/offer.h"
#include "system/option.h"
#include "os/os.h"
#include "pass/memory.h"
#include "pass/slice.h"
#include "pass/stat.h"
#include "pass/time.h"
#include "store/shared.h"
#include "layout/span.h"
#include "segment/stat.h"
#include "store/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define BATCH_PAGES   16384u /* so many pages are enough to be published */
#define PLACES	      512u   /* mappings that are remembered from the check to the work */
#define LEAST_PAGES   64u    /* fewer are not worth a file, */
#define FEW_PAGES     16u    /* and even fewer where there are places for many */
#define TRIES	      8u     /* of a pass that is wanted now, while others have the table */
#define KEPT_MS	      128000 /* a keeper that comes by as seldom as that is there */

enum phase {
	NOTHING,
	LOOK,	/* at all slices from next on */
	RETURN, /* to those of which pages were published */
};

/*
 * Of what a step may share: what the maps said at its beginning, of memory from an address on. In the first step of a pass, and where
 * the kernel cannot be asked for single mappings, in each.
 */
struct places {
	bool is_valid; /* they were read, and nothing was changed since */
	bool is_cut;   /* there was no room for the rest */
	uintptr_t from;
	uint32_t count;
	struct place {
		uintptr_t begin;
		uintptr_t end;
		uint64_t inode;
		int rights;
	} all[PLACES];
};

static struct {
	bool is_on;
	atomic_int busy; /* the process that makes a pass: not its child, which another thread may have forked meanwhile */
	enum phase phase;
	uintptr_t next;
	uintptr_t after_return; /* where to look on when it is over */
	struct ksm_pass_round round;
	bool has_published;
	bool has_given_up; /* a file, with what it has seen */
	struct ksm_pass_time time;
	uint64_t kept_ms; /* until when a keeper counts as there, after its last step */
	uint64_t objects; /* bytes that runtimes have of streams */
	struct places places;
} pass KSM_SPARSE;

/* --- all slices ------------------------------------------------------------------------------ */

struct walk {
	struct ksm_pass_view view;
	uint64_t begun_us; /* with the slice before */
	uint64_t until_us;
	int error;
	bool is_long;	 /* the step: what is known of memory at its beginning is too old before its end */
	bool is_stopped; /* before the end of memory */
};

static bool is_full(void)
{
	return pass.round.batch_count == KSM_PASS_BATCH ||
	       (pass.round.batch_count > 0 &&
		(pass.round.store.built_pages >= BATCH_PAGES || ksm_store_is_full(&pass.round.store)));
}

static bool is_of_batch(uintptr_t slice)
{
	for (uint32_t i = 0; i < pass.round.batch_count; i++) {
		if (pass.round.batch[i] == slice)
			return true;
	}
	return false;
}

/* Ends with the slice that the maps were read of; false if the walk is to stop. */
static bool finish_slice(struct walk *walk)
{
	uintptr_t slice = walk->view.address;
	uint64_t now_us;

	if (!slice || slice < pass.next || (pass.phase == RETURN && !is_of_batch(slice)))
		return true;
	if (walk->is_long)
		ksm_store_look_at_room(&pass.round.store);
	walk->error = ksm_pass_slice_share(&pass.round, &walk->view);
	pass.time.slices++;
	pass.next = slice + KSM_SHARE_SLICE;
	now_us = ksm_os_now_us();
	/* Where the next one would take as long as this one did, it would end too late. */
	walk->is_stopped = walk->error || now_us >= walk->until_us || now_us - walk->begun_us > walk->until_us - now_us ||
			   (pass.phase == LOOK && is_full());
	walk->begun_us = now_us;
	return !walk->is_stopped;
}

/* What the store's files are not mapped from is anonymous, or a data segment: nothing else of a file may be shared. */
static void note_mapping(struct walk *walk, const struct ksm_os_mapping *mapping)
{
	const struct ksm_shared_slice *entry = ksm_shared_find(walk->view.address, false);
	struct ksm_pass_view *view = &walk->view;
	bool is_of_store = false;

	for (uint32_t i = 0; entry && i < KSM_SHARED_LAYERS; i++) {
		if (!mapping->inode || entry->layers[i].inode != mapping->inode)
			continue;
		ksm_share_add_range(&view->mapped[i], view->address, mapping->begin, mapping->end);
		is_of_store = true;
	}
	if (!is_of_store && (!mapping->inode || ksm_image_may_share(mapping->begin, mapping->end)))
		ksm_share_add_range(&view->anonymous, view->address, mapping->begin, mapping->end);
	if (!is_of_store && mapping->inode)
		ksm_share_add_range(&view->of_file, view->address, mapping->begin, mapping->end);
	if (mapping->rights == PROT_READ)
		ksm_share_add_range(&view->read_only, view->address, mapping->begin, mapping->end);
	ksm_share_add_range(&view->begins, view->address, mapping->begin, mapping->begin + KSM_PAGE);
	ksm_share_add_range(&view->ends, view->address, mapping->end - KSM_PAGE, mapping->end);
}

static bool visit_mapping(const struct ksm_os_mapping *mapping, void *argument)
{
	struct walk *walk = argument;
	struct ksm_region_range part;

	if (!ksm_pass_memory_find_part(mapping, &part))
		return true;
	part.begin = ksm_max(part.begin, pass.next);
	for (uintptr_t slice = ksm_align_down(part.begin, KSM_SHARE_SLICE); part.begin < part.end && slice < part.end;
	     slice += KSM_SHARE_SLICE) {
		if (walk->view.address != slice) {
			if (!finish_slice(walk))
				return false;
			memset(&walk->view, 0, sizeof(walk->view));
			walk->view.address = slice;
		}
		note_mapping(walk, mapping);
	}
	return true;
}

/* For the check whether this thread is alone, which reads the maps, too. */
static void remember_place(const struct ksm_os_mapping *mapping, void *nothing)
{
	struct places *places = &pass.places;
	struct ksm_region_range part;

	(void)nothing;
	if (!ksm_pass_memory_find_part(mapping, &part) || part.end <= places->from)
		return;
	places->is_cut = places->count == PLACES;
	if (!places->is_cut) {
		places->all[places->count++] =
			(struct place){ mapping->begin, mapping->end, mapping->inode, mapping->rights };
	}
}

/* By what was remembered. Where that ends too early, the slice that it ends in is looked at the next time. */
static void visit_places(struct walk *walk)
{
	struct places *places = &pass.places;

	places->is_valid = false;
	for (uint32_t i = 0; i < places->count; i++) {
		const struct ksm_os_mapping mapping = {
			.begin = places->all[i].begin, .end = places->all[i].end, .inode = places->all[i].inode,
			.rights = places->all[i].rights, .is_private = true,
		};

		if (!visit_mapping(&mapping, walk))
			return;
	}
	walk->is_stopped = places->is_cut;
}

/* Looks at slices until the time is over; 0 with is_stopped, or without it at the end, or -errno. */
static int look_at_slices(struct walk *walk)
{
	int error = 0;

	if (pass.places.is_valid && pass.next >= pass.places.from)
		visit_places(walk);
	else
		error = ksm_os_each_mapping_from(pass.next, visit_mapping, walk);
	if (!error && !walk->is_stopped)
		finish_slice(walk);
	return error ? error : walk->error;
}

/* --- phases ---------------------------------------------------------------------------------- */

/* Bytes that may be shared, roughly. */
static uint64_t size_now(void)
{
	return pass.objects + ksm_pass_memory_bytes();
}

static void begin_pass(void)
{
	bool has_grown, has_to_leave;

	pass.phase = LOOK;
	pass.round.is_return = false;
	pass.next = 0;
	pass.round.batch_count = 0;
	pass.round.gained = 0;
	pass.round.shared = 0;
	pass.round.moved = 0;
	pass.has_published = pass.has_given_up = false;
	pass.round.carries_over = pass.round.takes_back = false;
	ksm_store_begin_pass(&pass.round.store);
	has_to_leave = ksm_pass_files_begin(&pass.round.files, &pass.round.store);
	ksm_huge_look(&pass.round.store.huge);
	has_grown = ksm_pass_time_begin(&pass.time, &pass.round.store, size_now());
	/* It may want what it did not before; and so may one that has to leave a file for another one. */
	if (has_grown || has_to_leave)
		ksm_store_want_all(&pass.round.store);
	/* All slices are looked at for what was opened by that. */
	ksm_pass_files_follow(&pass.round.files, &pass.round.store);
}

static void end_pass(int error)
{
	uint64_t bytes = (uint64_t)pass.round.gained << KSM_PAGE_SHIFT;

	if (error)
		ksm_store_give_up(&pass.round.store);
	pass.phase = NOTHING;
	/* That another member has the table for a moment says nothing of what there is to gain. */
	if (error == -EWOULDBLOCK)
		ksm_pass_time_wait_again(&pass.time);
	else
		ksm_pass_time_wait(&pass.time, error ? 0 : bytes,
				   !error && (pass.has_published || pass.has_given_up || pass.round.moved > 0),
				   !error && pass.round.files.late);
}

static bool is_worth_a_file(uint32_t pages)
{
	return pages >= LEAST_PAGES || (pages >= FEW_PAGES && ksm_store_has_places(&pass.round.store));
}

/* Publishes what was found, if it is worth it, and goes back to its slices. */
static int publish(void)
{
	uint32_t pages = pass.round.store.built_pages;
	int index;

	if (!is_worth_a_file(pages)) {
		ksm_store_give_up(&pass.round.store);
		pass.round.takes_back = pass.round.carries_over;
		if (!pass.round.takes_back) {
			pass.round.batch_count = 0;
			return 0;
		}
	} else {
		index = ksm_store_publish(&pass.round.store);
		if (index < 0)
			return index;
		/* Of this one all slices are looked at that it has. */
		ksm_pass_files_follow_one(&pass.round.files, &pass.round.store, (uint32_t)index);
		ksm_pass_stat_published(pages, pass.round.store.built_huge_bytes);
		pass.has_published = true;
	}
	pass.phase = RETURN;
	pass.round.is_return = true;
	pass.after_return = pass.next;
	pass.next = pass.round.batch[0];
	return 0;
}

/* The batch is full, or all slices were looked at. */
static int turn(const struct walk *walk)
{
	bool is_at_end = !walk->is_stopped;

	if (pass.phase == LOOK && pass.round.batch_count > 0 && (is_at_end || is_full()))
		return publish();
	if (pass.phase == LOOK && is_at_end) {
		pass.has_given_up = ksm_pass_files_end(&pass.round.files, &pass.round.store,
							ksm_pass_time_is_resting(&pass.time));
		ksm_pass_time_put_in_order(&pass.time, pass.has_given_up);
		ksm_pass_stat_ended(&pass.round.store, &pass.round.files, pass.round.shared, pass.time.requests);
		end_pass(0);
	}
	if (pass.phase == RETURN && is_at_end) {
		pass.phase = LOOK;
		pass.round.is_return = false;
		/* What was looked at before is not counted again. */
		pass.next = pass.after_return;
		pass.round.batch_count = 0;
		pass.round.carries_over = pass.round.takes_back = false;
		/* What was published took memory twice until now. */
		ksm_store_look_at_room_anew(&pass.round.store);
	}
	return 0;
}

/* A slice at least. */
static int work_until(uint64_t until_us)
{
	/* As a pass that is made at once is: it is one step. */
	bool is_long = until_us > ksm_os_now_us() + KSM_STORE_ROOM_MS * 1000u;
	int error;

	do {
		struct walk walk = { .begun_us = ksm_os_now_us(), .until_us = until_us, .is_long = is_long };

		error = look_at_slices(&walk);
		if (!error)
			error = turn(&walk);
	} while (!error && pass.phase != NOTHING && ksm_os_now_us() < until_us);
	return error;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* why: what it was about if it fails. */
static int work(uint64_t budget_us, enum ksmalloc_aside *why)
{
	pid_t before = pass.round.store.pid;
	uint64_t now_us;
	int error = ksm_share_open(&pass.round.work);

	*why = KSMALLOC_ASIDE_PROC;
	if (error)
		return error;
	*why = KSMALLOC_ASIDE_TABLE;
	error = ksm_store_enter(&pass.round.store);
	if (!error) {
		*why = KSMALLOC_ASIDE_FAILED;
		/* A child has what its parent was about to publish in no file. */
		if (pass.phase == NOTHING || before != pass.round.store.pid)
			begin_pass();
		/* From now on: with many descriptors or mappings all that was done so far takes longer than the budget. */
		now_us = ksm_os_now_us();
		error = work_until(budget_us > UINT64_MAX - now_us ? UINT64_MAX : now_us + budget_us);
		/* While the table is open: others may publish then. */
		if (error)
			ksm_store_give_up(&pass.round.store);
		ksm_store_leave(&pass.round.store);
	}
	ksm_share_close(&pass.round.work);
	return error;
}

/*
 * Is a step that failed for this reason nothing to tell of? A child that has its parent's memory goes on in that, and who has
 * threads was stopped by a keeper lately. One that traces the process has come at this moment, and may have gone meanwhile.
 */
static bool is_for_now(enum ksmalloc_aside why)
{
	pid_t tracer = why == KSMALLOC_ASIDE_TRACED ? ksm_alone_tracer() : 0;

	if (why == KSMALLOC_ASIDE_TRACED)
		return tracer == 0 || ksm_offer_is_keeper(tracer);
	return why == KSMALLOC_ASIDE_BORROWED || (why == KSMALLOC_ASIDE_THREADS && ksm_os_now_ms() < pass.kept_ms);
}

/* Of a process that makes passes. */
static enum ksmalloc_aside why_nothing_is_published(void)
{
	if (!ksm_os_may_write_to(pass.round.store.bytes))
		return KSMALLOC_ASIDE_FILE_SIZE;
	return !pass.has_published && ksm_store_lacks_room(&pass.round.store) ? KSMALLOC_ASIDE_NO_ROOM : KSMALLOC_ASIDE_NOT;
}

/* The step itself, with signals blocked. */
static int work_alone(uint64_t budget_us, bool anew, bool stopped)
{
	const struct ksm_alone_visitor visitor = { remember_place, NULL };
	bool is_first = pass.phase == NOTHING || anew;
	bool sees_all = is_first || !ksm_os_can_ask_for_mappings();
	uint64_t begin_us = ksm_os_now_us();
	enum ksmalloc_aside why;
	int error;

	pass.places.is_cut = false;
	pass.places.count = 0;
	pass.places.from = is_first ? 0 : pass.next;
	error = ksm_alone_check(stopped, &why, sees_all ? &visitor : NULL);
	pass.places.is_valid = !error && sees_all;
	/* What a child closes that has its parent's memory would be taken for closed by the parent. */
	if (!error || why != KSMALLOC_ASIDE_BORROWED)
		ksm_store_heed_user(&pass.round.store);

	if (error) {
		/* What is under way stays so: this may be a child that has its parent's memory. */
		ksm_pass_time_wait(&pass.time, 0, false, false);
		if (!is_for_now(why))
			ksm_pass_stat_aside(why, error);
		/* A keeper could do it, and may be another one than before. */
		if (!stopped)
			ksm_offer_let_trace();
		return error;
	}
	if (stopped)
		pass.kept_ms = ksm_os_now_ms() + KEPT_MS;
	if (anew)
		pass.phase = NOTHING;
	error = work(budget_us, &why);
	if (error) {
		end_pass(error);
		ksm_pass_stat_failed(why, error);
	} else {
		ksm_pass_stat_aside(why_nothing_is_published(), 0);
	}
	pass.places.is_valid = false;
	ksm_pass_stat_worked(ksm_os_now_us() - begin_us);
	return error;
}

/* anew: all of a pass, from its beginning. stopped: by a tracer, which has seen to signals. */
static int work_undisturbed(uint64_t budget_us, bool anew, bool stopped)
{
	pid_t pid = ksm_os_pid();
	int busy = atomic_load(&pass.busy);
	uint64_t signals;
	bool interrupted;
	int error;

	if (!pass.is_on)
		return -EOPNOTSUPP;
	/* A signal handler may have interrupted what it would disturb, and another thread be here at the same time. */
	if (ksm_shared_is_held() || busy == pid || !atomic_compare_exchange_strong(&pass.busy, &busy, pid))
		return -EBUSY;
	ksm_os_block_signals(&signals);
	error = work_alone(budget_us, anew, stopped);
	interrupted = !stopped && !anew && ksm_os_is_interrupted(signals);
	ksm_os_restore_signals(signals);
	atomic_store(&pass.busy, 0);
	return interrupted ? -EINTR : error;
}

static long step(uint64_t budget_us, bool stopped)
{
	int error = work_undisturbed(budget_us, false, stopped);

	if (error)
		return error;
	return pass.phase == NOTHING ? (long)ksm_pass_time_until_look(&pass.time) : 0;
}

long ksm_pass_step(uint64_t budget_us)
{
	uint64_t now;

	if (!pass.is_on)
		return -EOPNOTSUPP;
	now = ksm_os_now_ms();
	if (pass.phase == NOTHING && !ksm_pass_time_is_due(&pass.time, &pass.round.store, now, size_now()))
		return (long)(ksm_min(pass.time.due_ms, pass.time.look_ms) - now);
	return step(budget_us, false);
}

long ksm_pass_now(void)
{
	int error = -EWOULDBLOCK;

	/* Who asks for it wants to have it, though another member that waits for a processor may have the table's lock. */
	for (uint32_t i = 0; i < TRIES && error == -EWOULDBLOCK; i++)
		error = work_undisturbed(UINT64_MAX, true, false);
	return error ? error : pass.round.gained;
}

long ksm_pass_step_stopped(uint64_t budget_us)
{
	return step(budget_us, true);
}

/* Between two growths of the heap, in the time of a call that allocates. */
#define BUDGET_IN_CALL_US 1000

static void step_while_growing(void)
{
	if (pass.is_on && (pass.phase != NOTHING || ksm_pass_time_is_due_growing(&pass.time, ksm_os_now_ms(), size_now())))
		step(BUDGET_IN_CALL_US, false);
}

void ksm_pass_by_slowly(void)
{
	int saved_errno = errno;

	if (!ksm_arena_has_grown())
		return;
	/* What another thread has closed it for waits for that thread's next slow call. */
	__atomic_store_n(&ksm_gate.entry_threshold, __atomic_load_n(&ksm_gate.threshold, __ATOMIC_RELAXED),
			 __ATOMIC_RELAXED);
	step_while_growing();
	errno = saved_errno;
}

void ksm_pass_by_grown(size_t bytes)
{
	if (!pass.is_on)
		return;
	__atomic_fetch_add(&pass.objects, bytes, __ATOMIC_RELAXED);
	step_while_growing();
}

/* What is needed for all passes. False if it is not to be had. */
static bool prepare(void)
{
	if (!ksm_store_name(&pass.round.store, ksm_options.seed))
		return false;
	pass.round.store.id = ksm_layout_group_word(KSMALLOC_SEED_SPAN) ^ ksm_layout_group_word(KSMALLOC_SEED_SLOTS);
	pass.round.store.bytes = ksm_pass_memory_places();
	pass.round.store.huge.window = ksm_shared_window();
	return ksm_store_init(&pass.round.store) == 0 && ksm_share_begin(&pass.round.work) == 0 && ksm_alone_init() == 0;
}

static enum ksmalloc_aside begin(void)
{
	if (!ksm_options.share)
		return KSMALLOC_ASIDE_OFF;
	if (!ksm_layout_has_seed())
		return KSMALLOC_ASIDE_LAYOUT;
	if (ksm_os_is_secure())
		return KSMALLOC_ASIDE_SECURE;
	return prepare() ? KSMALLOC_ASIDE_NOT : KSMALLOC_ASIDE_BEGINNING;
}

void ksm_pass_init(void)
{
	enum ksmalloc_aside why = begin();

	if (ksm_stat)
		ksm_pass_stat_aside(why, 0);
	if (!ksm_stat || why != KSMALLOC_ASIDE_NOT)
		return;
	ksm_shared_init(ksm_pass_memory_introduce, ksm_pass_memory_may_replace);
	ksm_pass_time_init(&pass.time);
	pass.is_on = true;
	ksm_arena_watch_growth();
	ksm_offer_init(pass.round.store.id, ksm_options.seed, ksm_pass_step_stopped);
}
