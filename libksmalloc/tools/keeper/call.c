/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of the steps is what makes the tracer's death harmless at any of them:
 * - Registers are set before the mask, and the mask is put back before the registers: a thread
 *   that goes on with only one of both sets its mask itself on its way back.
 * - The thread that is called is prepared first and put back last, since it is the one that lets
 *   the others go. Until `go` is set it only does that.
 */
#define _GNU_SOURCE
#include "keeper/call.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "base.h"
#include "keeper/registers.h"

#define BIT(number) (UINT64_C(1) << ((number)-1))
#define XSAVE_HEADER 512 /* 64 bytes of zeros, but for what the instruction writes itself */
#define HIGHEST_SIGNAL 64
#define MOST_AT_ONCE 256 /* the kernel takes 1024 */

/* A thread, as it was and as it is to be. */
struct place {
	struct ksr_thread *thread;
	struct ksr_registers was;
	struct ksr_registers led;
	struct ksr_record record; /* its way back */
	struct ksr_record below; /* what lay in the record's place: nothing, by the rules of the stack */
	uint64_t address; /* of the record */
	bool registers_set;
	bool mask_set;
};

struct call {
	struct ksr_stop *stop;
	const struct ksr_room *room;
	struct place *places;
	size_t count;
	struct place *called;
	int mark;
};

static int read_places(struct call *call)
{
	for (size_t i = 0; i < call->stop->count; i++) {
		struct ksr_thread *thread = &call->stop->threads[i];
		struct place *place = &call->places[call->count];
		int error;

		if (!thread->stands)
			continue;
		place->thread = thread;
		error = ksr_registers_read(thread->tid, &place->was);
		if (!error)
			error = ksr_registers_leave_sequence(call->stop->image, thread->tid, &place->was);
		if (error)
			return error;
		/* It would be led to the fault's handler from a wrong place. */
		if (ksr_registers_has_fault(thread->tid) || ksr_registers_in_room(&place->was, call->room))
			return -EAGAIN;
		ksr_registers_call_again(&place->was);
		place->address = ksr_registers_way_back(&place->was, &place->record);
		call->count++;
	}
	return call->count ? 0 : -ESRCH;
}

/* A signal of which a thread with this mask would notice nothing, or 0. */
static int ignorable(const struct ksr_image_status *status, uint64_t mask)
{
	const uint64_t never = ksr_registers_faults() | BIT(SIGKILL) | BIT(SIGSTOP) | BIT(SIGTSTP) |
			       BIT(SIGTTIN) | BIT(SIGTTOU) | BIT(SIGCONT) | BIT(SIGCHLD);
	uint64_t ignored = status->ignored | ((BIT(SIGURG) | BIT(SIGWINCH)) & ~status->caught);

	ignored &= ~(never | mask | status->pending);
	for (int number = 1; number <= HIGHEST_SIGNAL; number++)
		if (ignored & BIT(number))
			return number;
	return 0;
}

/* Whoever is not called makes system calls of its own where the tracer dies: all are asked. */
static int choose(struct call *call, pid_t wanted)
{
	for (size_t i = 0; i < call->count; i++) {
		struct place *place = &call->places[i];
		struct ksr_image_status status;
		int error = ksr_image_status(call->stop->image, place->thread->tid, &status);
		int mark;

		if (error)
			return error;
		if (status.filters != call->room->filters || status.strict)
			return -EACCES;
		if (status.shadow_stack)
			return -EOPNOTSUPP;
		mark = ignorable(&status, place->was.mask);
		if (mark && (!call->called || place->thread->tid == wanted)) {
			call->called = place;
			call->mark = mark;
		}
	}
	return call->called ? 0 : -EAGAIN;
}

enum records { READ_BELOW, WRITE_RECORDS, WRITE_BELOW };

/* The records of some threads, in one step. -EAGAIN where a stack has no room for one. */
static int move_some(const struct call *call, struct place *places, size_t count, enum records what)
{
	struct iovec here[MOST_AT_ONCE], there[MOST_AT_ONCE];
	/* One that lives: the main thread need not. */
	pid_t pid = call->called->thread->tid;
	ssize_t moved;

	for (size_t i = 0; i < count; i++) {
		struct ksr_record *record = what == WRITE_RECORDS ? &places[i].record : &places[i].below;

		here[i] = (struct iovec){record, sizeof(*record)};
		there[i] = (struct iovec){(void *)(uintptr_t)places[i].address, sizeof(*record)};
	}
	if (what == READ_BELOW)
		moved = process_vm_readv(pid, here, count, there, count, 0);
	else
		moved = process_vm_writev(pid, here, count, there, count, 0);
	if (moved < 0 && errno != EFAULT)
		return -errno;
	return moved == (ssize_t)(count * sizeof(struct ksr_record)) ? 0 : -EAGAIN;
}

static int move_records(const struct call *call, enum records what)
{
	int error = 0;

	for (size_t i = 0; i < call->count && !error; i += MOST_AT_ONCE) {
		size_t left = call->count - i;

		error = move_some(call, &call->places[i], left < MOST_AT_ONCE ? left : MOST_AT_ONCE, what);
	}
	return error;
}

static int furnish(struct call *call, const struct ksr_request *request)
{
	const struct ksr_image *image = call->stop->image;
	const char header[64] = {0};
	struct ksr_room_head head = {.function = request->function, .mark = (uint64_t)call->mark};
	int error;

	for (size_t i = 0; i < KSR_ROOM_ARGUMENTS; i++)
		head.arguments[i] = request->arguments[i];
	/* By the image's own descriptor first: it says whether this is still the program that offered the room. */
	error = ksr_image_write(image, call->room->address, &head, sizeof(head));
	if (!error)
		error = ksr_image_write(image, call->room->address + KSR_ROOM_VECTORS + XSAVE_HEADER, header,
					sizeof(header));
	if (!error)
		error = move_records(call, READ_BELOW);
	return error ? error : move_records(call, WRITE_RECORDS);
}

static int lead(struct place *place, uint64_t mask)
{
	int error = ksr_registers_write(place->thread->tid, &place->led);

	if (error)
		return error;
	place->registers_set = true;
	error = ksr_registers_write_mask(place->thread->tid, mask);
	place->mask_set = !error;
	return error;
}

static void put_back(struct place *place)
{
	if (place->mask_set)
		ksr_registers_write_mask(place->thread->tid, place->was.mask);
	if (place->registers_set)
		ksr_registers_write(place->thread->tid, &place->was);
	place->mask_set = false;
	place->registers_set = false;
}

/* For whoever comes late from a call whose tracer died, and for those who wait since then and have not been woken yet. */
static void release(const struct call *call)
{
	const uint32_t words[] = {0, 1}; /* go and released, which lie at the beginning */

	ksr_image_write(call->stop->image, call->room->address, words, sizeof(words));
}

static void put_all_back(struct call *call)
{
	release(call);
	for (size_t i = 0; i < call->count; i++)
		if (&call->places[i] != call->called)
			put_back(&call->places[i]);
	put_back(call->called);
	move_records(call, WRITE_BELOW);
}

/* All but faults, whose handlers the kernel would reset if they came while they are kept away. */
static int lead_all(struct call *call)
{
	const uint64_t mask = ~ksr_registers_faults();
	int error;

	ksr_registers_begin(&call->called->was, call->room, call->called->address, &call->called->led);
	error = lead(call->called, mask & ~BIT(call->mark));
	for (size_t i = 0; i < call->count && !error; i++) {
		struct place *place = &call->places[i];

		if (place == call->called)
			continue;
		ksr_registers_park(&place->was, call->room, place->address, &place->led);
		error = lead(place, mask);
		/* One that was killed meanwhile takes the process with it, which the call will see. */
		if (error == -ESRCH)
			error = 0;
	}
	return error;
}

/* The function ended by a fault: it goes on where it would have returned. */
static int end_function(struct call *call)
{
	struct ksr_registers registers;

	ksr_registers_failed(&call->called->was, call->room, -EFAULT, &registers);
	return ksr_registers_write(call->called->thread->tid, &registers);
}

/* 1 at the end, 0 where the thread has to go on, with the signal. */
static int on_signal(struct call *call, int *number, bool *failed)
{
	pid_t tid = call->called->thread->tid;
	struct ksr_registers registers;
	siginfo_t info;
	int error;

	if (*number == call->mark) {
		*number = 0;
		error = ksr_registers_read(tid, &registers);
		return error ? error : ksr_registers_at_end(&registers, call->room);
	}
	if (!(ksr_registers_faults() & BIT(*number)))
		return 0;
	if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info))
		return -errno;
	if (info.si_code <= 0)
		return 0; /* sent by somebody */
	*number = 0;
	if (*failed)
		return -EFAULT;
	*failed = true;
	return end_function(call);
}

static int run(struct call *call)
{
	struct ksr_thread *called = call->called->thread;
	bool failed = false;
	int error = ksr_stop_continue(called, 0);

	while (!error) {
		struct ksr_thread *thread;
		enum ksr_news news;
		int number;

		error = ksr_stop_wait(call->stop, &thread, &news, &number);
		if (error == -EAGAIN) {
			error = 0;
			continue;
		}
		if (error || thread != called)
			continue;
		if (news == KSR_NEWS_ENDED)
			return -ESRCH;
		if (news == KSR_NEWS_SIGNAL)
			error = on_signal(call, &number, &failed);
		if (!error)
			error = ksr_stop_continue(called, number);
	}
	if (error != 1)
		return error;
	return failed ? -EFAULT : 0;
}

static int make_call(struct call *call, const struct ksr_request *request, int64_t *result)
{
	const uint32_t go = 1;
	int error = furnish(call, request);

	if (error) {
		release(call);
		return error;
	}
	error = lead_all(call);
	if (!error)
		error = ksr_image_write(call->stop->image, call->room->address, &go, sizeof(go));
	if (!error)
		error = run(call);
	/* Who has not returned lets the others go by itself. */
	if (error == -ETIMEDOUT)
		return error;
	if (!error)
		error = ksr_image_read(call->stop->image,
				       call->room->address + offsetof(struct ksr_room_head, result), result,
				       sizeof(*result));
	put_all_back(call);
	ksr_stop_take(call->called->thread);
	return error;
}

static int prepare(struct call *call, pid_t wanted)
{
	int error = ksr_registers_supported();

	if (error)
		return error;
	if (ksr_stop_in_group_stop(call->stop))
		return -EAGAIN;
	if (call->room->bytes < KSR_ROOM_LEAST_BYTES)
		return -ENOSPC;
	call->places = calloc(call->stop->count, sizeof(*call->places));
	if (!call->places)
		return -ENOMEM;
	error = read_places(call);
	return error ? error : choose(call, wanted);
}

int ksr_call(struct ksr_stop *stop, const struct ksr_room *room, const struct ksr_request *request,
	     int64_t *result)
{
	struct call call = {.stop = stop, .room = room};
	int error;

	ksr_stop_limit(stop, request->limit_ns);
	error = prepare(&call, request->thread);
	if (!error)
		error = make_call(&call, request, result);
	free(call.places);
	return error;
}
