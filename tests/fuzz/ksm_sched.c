/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as what happens to the scheduler of hinted memory (mm/ksm_sched.c): processes that come, grow,
 * go and wake, batches, epochs, and the turns that ksm.c takes in them. Beside it runs a model, which knows
 * of each page when it was visited, and says that
 *
 *   - who is chosen has work and credit, and the credit is never more than one quantum;
 *   - nobody is chosen only if nobody has work;
 *   - a lane that has work waits for no more than two quanta of each other lane, and a class for no more
 *     than its part of the lane;
 *   - no page is visited twice in a batch;
 *   - who rests has no work, and what the epoch waits for is counted right;
 *   - each process is asked once in a batch whether it has grown;
 *   - when an epoch is done, each page that was there at its start was visited in it.
 */
#include "ksm_sched.h"

#define TARGET "ksm_sched"
#include "input.h"

#define LANES 4
#define CLASSES 3
/* More than a lane may have before the others. */
#define PAGES 160
#define ROW_MAX 4
#define PAGE_SHIFT 12

static const unsigned int priorities[CLASSES] = { 1, 8, KSM_SCHED_PRIORITIES };

struct page {
	bool here, old;		/* there is one; since before the epoch began */
	bool visited;		/* in this epoch */
	u32 batch;		/* when it was visited last */
};

struct memory {
	struct page pages[PAGES];
	bool owed;		/* the epoch waits for a pass of it */
	unsigned int waited;	/* pages of other classes since it was served, while it had work */
};

struct process {
	struct ksm_lane lane;
	struct memory memory[CLASSES];
	unsigned int waited;	/* pages of other lanes since it was served, while it had work */
	bool joined;
};

static struct ksm_sched sched;
static struct process processes[LANES];

static unsigned long address_of(unsigned int page)
{
	return (page + 1UL) << PAGE_SHIFT;
}

static struct ksm_sched_class *class_of(struct process *process, unsigned int which)
{
	return &process->lane.class[priorities[which] - 1];
}

/* Could this class be served in this batch? What lane_pick() asks, said once more. */
static bool has_work(struct process *process, unsigned int which)
{
	struct ksm_sched_class *class = class_of(process, which);

	/* Whoever has not seen yet that all were woken has one pass more. */
	return process->joined && class->present &&
		(class->idle < KSM_SCHED_IDLE_PASSES || process->lane.woken != sched.woken) &&
		class->address < ksm_sched_limit(&sched, &process->lane, priorities[which]);
}

static bool lane_has_work(struct process *process)
{
	unsigned int which;

	for (which = 0; which < CLASSES; which++)
		if (has_work(process, which))
			return true;
	return false;
}

/* The first page from this address on, or PAGES. */
static unsigned int first_page(const struct memory *memory, unsigned long address)
{
	unsigned int page;

	for (page = 0; page < PAGES; page++)
		if (memory->pages[page].here && address_of(page) >= address)
			return page;
	return PAGES;
}

static void visit_page(struct page *page)
{
	need(page->batch != sched.batch, "a page was visited twice in a batch");
	page->batch = sched.batch;
	page->visited = true;
}

/* Who has no work does not wait. */
static void forget_waiting(void)
{
	unsigned int i, which;

	for (i = 0; i < LANES; i++) {
		if (!lane_has_work(&processes[i]))
			processes[i].waited = 0;
		for (which = 0; which < CLASSES; which++)
			if (!has_work(&processes[i], which))
				processes[i].memory[which].waited = 0;
	}
}

/* So many pages of this class were visited: who waited for them? */
static void count_waiting(struct process *served, unsigned int served_class, unsigned int pages)
{
	unsigned int i, which, most;
	struct process *other;

	for (i = 0; i < LANES; i++) {
		other = &processes[i];
		other->waited = other == served ? 0 : other->waited + pages;
		need(other->waited <= 2 * KSM_SCHED_QUANTUM * (LANES - 1), "a lane starves");
	}
	for (which = 0; which < CLASSES; which++) {
		struct memory *memory = &served->memory[which];

		memory->waited = which == served_class ? 0 : memory->waited + pages;
		for (most = 0, i = 0; i < CLASSES; i++)
			if (i != which)
				most += (priorities[i] / priorities[which] + 2) * (ROW_MAX + 1);
		need(memory->waited <= most, "a class starves");
	}
}

/* The end of the memory of a class, as scan_end_pass() has it. */
static void end_pass(struct process *process, unsigned int which)
{
	struct ksm_sched_class *class = class_of(process, which);
	struct memory *memory = &process->memory[which];

	if (first_page(memory, 0) == PAGES && !class->seen) {
		ksm_lane_drop(&process->lane, priorities[which]);
		memory->owed = false;
	} else {
		ksm_sched_pass_end(&sched, &process->lane, priorities[which]);
	}
}

/* One turn, as scan_hinted() takes it. Returns false if there is no work in this batch. */
static bool take_turn(unsigned int *left)
{
	unsigned int priority, which, page, pages = 0, most, i;
	unsigned long limit, next = 0;
	struct process *process;
	struct ksm_lane *lane;

	forget_waiting();
	lane = ksm_sched_pick(&sched, &priority);
	if (!lane) {
		for (i = 0; i < LANES; i++)
			need(!lane_has_work(&processes[i]) && processes[i].lane.deficit <= 0,
			     "nobody is chosen, but there is work, or credit is kept");
		return false;
	}
	process = lane->owner;
	for (which = 0; which < CLASSES && priorities[which] != priority; which++)
		;
	need(which < CLASSES && has_work(process, which), "who is chosen has no work");
	need(lane->deficit > 0 && lane->deficit <= KSM_SCHED_QUANTUM, "the credit is out of bounds");
	limit = ksm_sched_limit(&sched, lane, priority);
	page = first_page(&process->memory[which], class_of(process, which)->address);
	if (page == PAGES) {
		end_pass(process, which);
		return true;
	}
	/* A page behind the limit: those before it, which were visited, are gone. */
	if (address_of(page) >= limit) {
		pages = 1;
		next = address_of(page);
	}
	most = min(1 + next_byte() % ROW_MAX, min(*left, (unsigned int)lane->deficit));
	while (page < PAGES && pages < most && address_of(page) < limit) {
		visit_page(&process->memory[which].pages[page]);
		pages++;
		next = address_of(page) + (1UL << PAGE_SHIFT);
		page = first_page(&process->memory[which], next);
	}
	*left -= pages;
	if (next_byte() % 4 == 0)
		ksm_lane_earned(lane, priority, pages, next_byte() % 2 * pages);
	ksm_sched_visited(&sched, lane, priority, next, pages);
	ksm_lane_seen(lane, priority);
	count_waiting(process, which, pages);
	return true;
}

/* What the scheduler keeps of all lanes is what a look at each of them says. */
static void check_counts(void)
{
	unsigned long present = 0, pending = 0;
	unsigned int i, which, lanes = 0;

	for (i = 0; i < LANES; i++) {
		lanes += processes[i].joined;
		need(!processes[i].joined || !processes[i].lane.rests || !lane_has_work(&processes[i]),
		     "a lane rests that has work");
		for (which = 0; processes[i].joined && which < CLASSES; which++) {
			const struct ksm_sched_class *class = class_of(&processes[i], which);

			present += class->present;
			pending += class->present && !class->done && !class->late &&
				class->idle < KSM_SCHED_IDLE_PASSES;
		}
	}
	need(sched.lanes == lanes && sched.present == present && sched.pending == pending,
	     "the lanes or their classes are counted wrong");
	need(list_count_nodes(&sched.all) == lanes &&
	     list_count_nodes(&sched.queue) + list_count_nodes(&sched.resting) == lanes, "a lane is lost");
}

/* What was there when the epoch began is what is visited in it. */
static void begin_epoch(bool term)
{
	unsigned int i, which, page;

	ksm_sched_epoch_begin(&sched, term);
	for (i = 0; i < LANES; i++) {
		for (which = 0; which < CLASSES; which++) {
			struct memory *memory = &processes[i].memory[which];

			memory->owed = processes[i].joined && class_of(&processes[i], which)->present;
			for (page = 0; page < PAGES; page++) {
				memory->pages[page].visited = false;
				memory->pages[page].old = memory->pages[page].here;
			}
		}
	}
}

/* Returns false if the epoch is not done. */
static bool end_epoch(void)
{
	unsigned int i, which, page;

	if (!ksm_sched_epoch_done(&sched))
		return false;
	for (i = 0; i < LANES; i++) {
		for (which = 0; which < CLASSES; which++) {
			const struct memory *memory = &processes[i].memory[which];

			for (page = 0; memory->owed && page < PAGES; page++)
				need(!memory->pages[page].here || !memory->pages[page].old ||
				     memory->pages[page].visited, "the epoch is done, but not all was visited");
		}
	}
	begin_epoch(next_byte() % 2);
	return true;
}

/* Who has grown, as scan_begin_batch() asks: all, since they are few, and each once. */
static void ask_all(void)
{
	unsigned int asked = 0, i;
	struct ksm_lane *lane;

	while ((lane = ksm_sched_ask(&sched))) {
		i = (struct process *)lane->owner - processes;
		need(!(asked & (1u << i)), "a lane was asked twice in a batch");
		asked |= 1u << i;
	}
	for (i = 0; i < LANES; i++)
		need(!(asked & (1u << i)) == !processes[i].joined, "a lane was not asked");
}

/* A batch, as ksm_do_scan() has it: it ends with the epoch, which may end after any turn. */
static void take_batch(void)
{
	unsigned int pages = 1 + 4 * next_byte(), share = next_byte() % 101, turns = 0;
	unsigned int left = ksm_sched_batch(&sched, pages, share);

	need(left <= pages, "hinted memory has more than the batch");
	ask_all();
	while (left && turns++ < 2000 && take_turn(&left)) {
		if (next_byte() % 16 == 0 && end_epoch())
			break;
	}
}

static void owe_nothing(void)
{
	unsigned int i, which;

	for (i = 0; i < LANES; i++)
		for (which = 0; which < CLASSES; which++)
			processes[i].memory[which].owed = false;
}

/* A hint is set, as ksm_hint_note() has it, or memory comes and goes below one. */
static void change_memory(struct process *process)
{
	unsigned int which = next_byte() % CLASSES, from = next_byte() % PAGES, count = next_byte() % PAGES, i;
	struct memory *memory = &process->memory[which];
	bool late = next_byte() % 2, here = next_byte() % 4;
	bool present = class_of(process, which)->present;

	if (!process->joined) {
		ksm_lane_init(&process->lane, process);
		ksm_lane_join(&sched, &process->lane);
		process->joined = true;
		present = false;
	}
	for (i = from; i < PAGES && i < from + count; i++)
		if (memory->pages[i].here != here)
			memory->pages[i] = (struct page){ .here = here };
	ksm_lane_add(&process->lane, priorities[which], late);
	if (!present) {
		memory->owed = false;
		memory->waited = 0;
	}
	ksm_lane_wake(&process->lane);
}

static void leave(struct process *process)
{
	if (process->joined)
		ksm_lane_leave(&process->lane);
	memset(process, 0, sizeof(*process));
}

static void step(void)
{
	unsigned int what = next_byte();
	struct process *process = &processes[what / 16 % LANES];

	switch (what % 16) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		take_batch();
		break;
	case 6: case 7:
		end_epoch();
		break;
	case 8: case 9: case 10:
		change_memory(process);
		break;
	case 11:
		leave(process);
		break;
	case 12:
		if (process->joined && ksm_lane_size(&process->lane, next_byte() * 8))
			ksm_sched_wake_others(&sched, &process->lane);
		break;
	case 13:
		ksm_sched_wake_others(&sched, NULL);
		break;
	case 14:
		ksm_sched_all_late(&sched);
		owe_nothing();
		break;
	default:
		ksm_sched_reset(&sched);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	input_end = data + size;
	memset(processes, 0, sizeof(processes));
	ksm_sched_init(&sched);
	while (input < input_end) {
		step();
		check_counts();
	}
	return 0;
}
