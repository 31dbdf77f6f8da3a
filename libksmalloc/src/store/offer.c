/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/offer.h"

#include "os/os.h"
#include "segment/stat.h"

#include <ksmalloc/keeper.h>
#include <ksmalloc/room.h>
#include <ksmalloc/seed.h>
#include <stdlib.h>
#include <string.h>

/* Of the kinds of memory that a call needs the stack is the largest. */
#define ROOM_BYTES ksm_align_up(KSR_ROOM_LEAST_BYTES - KSR_ROOM_STACK_BYTES + KSMALLOC_KEEPER_STACK + KSM_PAGE, KSM_PAGE)

static struct {
	char path[256];	 /* of the keeper's file, empty if nothing is offered */
	pid_t tracer;	 /* that was let trace this process */
	pid_t pid;	 /* of the process that has let it */
} offer KSM_SPARSE;

/* 0 if there is none. */
static pid_t keeper_of_group(void)
{
	struct ksm_os_file space = { 0 };

	ksm_os_describe_path("/proc/self/ns/pid", &space);
	return ksm_os_lock_owner(offer.path, space.inode);
}

/* Later ones may be the end of a process that makes system calls from outside. */
static uint32_t count_filters(void)
{
	static const char name[] = "\nSeccomp_filters:";
	char status[4096];
	ssize_t length = ksm_os_read_file("/proc/self/status", status, sizeof(status));
	const char *found = length > 0 ? strstr(status, name) : NULL;

	return found ? (uint32_t)strtoul(found + sizeof(name) - 1, NULL, 10) : 0;
}

/* Beside the seed; false if that is too long. */
static bool name_file(const char *seed)
{
	if (ksmalloc_seed_beside(seed, KSMALLOC_KEEPER_PREFIX, offer.path, sizeof(offer.path)))
		return true;
	offer.path[0] = '\0';
	return false;
}

void ksm_offer_init(uint64_t store, const char *seed, long (*share)(uint64_t budget_us))
{
	struct ksmalloc_segment_keeper *keeper = &ksm_stat->header.keeper;
	void *room;

	/* Other machines have no code to begin a call with. */
	if ((uintptr_t)ksr_entry_park == (uintptr_t)ksr_entry_begin || !name_file(seed))
		return;
	if (ksm_os_map(&room, ROOM_BYTES, true) != 0) {
		offer.path[0] = '\0';
		return;
	}
	keeper->room_address = (uintptr_t)room;
	keeper->room_bytes = ROOM_BYTES;
	keeper->entry_begin = (uintptr_t)ksr_entry_begin;
	keeper->entry_failed = (uintptr_t)ksr_entry_failed;
	keeper->entry_end = (uintptr_t)ksr_entry_end;
	keeper->entry_park = (uintptr_t)ksr_entry_park;
	ksm_stat->header.keeper_entry_rest = (uintptr_t)ksr_entry_rest;
	keeper->filters = count_filters();
	keeper->share = (uintptr_t)share;
	/* Last: who sees it sees the rest. */
	__atomic_store_n(&keeper->store, store, __ATOMIC_RELEASE);
	ksm_offer_let_trace();
}

void ksm_offer_let_trace(void)
{
	pid_t tracer = offer.path[0] ? keeper_of_group() : 0;
	pid_t pid = ksm_os_pid();

	if (tracer <= 0 || (tracer == offer.tracer && pid == offer.pid))
		return;
	offer.tracer = tracer;
	offer.pid = pid;
	/* Fails where there is no Yama. */
	ksm_os_let_trace(tracer);
}

bool ksm_offer_is_keeper(pid_t pid)
{
	return pid > 0 && offer.path[0] && keeper_of_group() == pid;
}

void ksm_offer_note_due(uint64_t due_ms)
{
	ksm_stat_set(&ksm_stat->header.keeper.due_ms, due_ms);
}
