/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls/start.h"

#include "arena/arena.h"
#include "arena/aside.h"
#include "arena/denied.h"
#include "system/fatal.h"
#include "calls/fork.h"
#include "segment/hint.h"
#include "layout/history.h"
#include "mapping/image.h"
#include "language/language.h"
#include "system/late.h"
#include "layout/layout.h"
#include "site/loader.h"
#include "mapping/mapping.h"
#include "site/module.h"
#include "system/option.h"
#include "origin/origin.h"
#include "os/os.h"
#include "pass/pass.h"
#include "block/placed.h"
#include "site/policy.h"
#include "mapping/region.h"
#include "site/site.h"
#include "layout/span.h"
#include "segment/stat.h"
#include "site/unwind.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <ksmalloc/ksmalloc.h>
#include <unistd.h>

atomic_int ksm_start_of_calls;
atomic_int ksm_start_of_slots;

static bool has_fork_handlers; /* Synchronization: written at load. */

/* Where small blocks of denied sites are kept out of a heap that merges, each call is asked for. */
static void place_from(uintptr_t size)
{
	uintptr_t threshold = ksm_denied_is_on() ? 0 : size;

	__atomic_store_n(&ksm_gate.place_from, size, __ATOMIC_RELAXED);
	__atomic_store_n(&ksm_gate.threshold, threshold, __ATOMIC_RELAXED);
	if (!ksm_late())
		__atomic_store_n(&ksm_gate.entry_threshold, threshold, __ATOMIC_RELAXED);
}

/* Without memory for more the jemalloc part alone is a complete malloc. */
static void close_to_placed(void)
{
	place_from(UINTPTR_MAX);
}

/* From now on what is freed is jemalloc's, until there are slots. */
static void open_to_jemalloc(void)
{
	if (!ksm_late())
		__atomic_store_n(&ksm_gate.entry_end, 0, __ATOMIC_RELAXED);
}

/* Valgrind knows the program's blocks by its own malloc and cannot follow placed ones. */
static bool is_under_valgrind(void)
{
	return !ksm_options.valgrind && ksm_os_is_under_valgrind();
}

static void announce(void)
{
	ksm_warn("version %s, pid %d: blocks from %llu bytes on are placed by site, advise=%s%s",
		 KSMALLOC_VERSION_STRING, (int)getpid(), (unsigned long long)ksm_options.threshold,
		 ksm_options.advise == KSM_ADVISE_NONE ? "none" : ksm_hint_backend(),
		 ksm_aside() || ksm_gate.place_from == UINTPTR_MAX ? " (standing aside: no block is placed)" :
		 ksm_late() ? " (loaded late: malloc stays the process's, and ksmalloc_malloc is this library's)" : "");
}

/* What the segment's header says of addresses. */
static void describe_layout(void)
{
	struct ksmalloc_segment_header *header = &ksm_stat->header;
	struct ksm_region_range heap = ksm_region_all(KSM_REGION_HEAP);
	struct ksm_region_range mappings = ksm_region_all(KSM_REGION_MAPPINGS);

	header->layout = ksm_layout_is_shared() ? KSMALLOC_LAYOUT_SHARED : KSMALLOC_LAYOUT_PRIVATE;
	header->heap_base = heap.begin;
	header->heap_bytes = heap.end - heap.begin;
	header->mapping_base = mappings.begin;
	header->mapping_bytes = mappings.end - mappings.begin;
	header->history_address = (uintptr_t)ksm_history();
	ksm_stat_set(&header->stats.heap_mapped_bytes, ksm_arena_mapped_bytes());
	ksm_stat_set(&header->stats.layout_errno, (uint64_t)ksm_layout_error());
	ksm_mapping_publish();
}

/*
 * What needs more of the kernel than memory: now, since a sandbox that the program puts itself into
 * may forbid it later.
 */
KSM_COLD static void init_process(void)
{
	if (ksm_policy_has_patterns())
		ksm_module_name_program();
	if (ksm_stat_init() != 0)
		return;
	ksm_span_init(ksm_stat);
	describe_layout();
	ksm_pass_init();
}

/* Where jemalloc's memory and the program's lie, and what of it merges. jemalloc follows. */
KSM_COLD static void init_addresses(void)
{
	if (ksm_layout_is_shared())
		ksm_span_init(&ksm_je_malloc_conf);
	ksm_history_init();
	ksm_region_init();
	ksm_mapping_init();
	ksm_arena_init();
	ksm_denied_init();
	ksm_image_init();
}

void ksm_start_init(char *const *environment)
{
	int none = KSM_START_NONE;

	if (!environment || !atomic_compare_exchange_strong(&ksm_start_of_calls, &none, KSM_START_RUNNING))
		return;
	ksm_option_init(environment);
	ksm_policy_init();
	if (ksm_late_is_at_start())
		ksm_layout_init(environment);
	ksm_hint_init();
	ksm_unwind_own_main_stack();
	ksm_language_init();
	if (!ksm_aside()) {
		init_addresses();
		init_process();
		/* jemalloc registers its fork handlers at its first call, and must come before ours. */
		ksm_je_free(ksm_je_malloc(1));
		has_fork_handlers = ksm_fork_register() == 0;
	}
	if (!ksm_aside()) {
		bool is_placing = ksm_os_page_size() == KSM_PAGE && !is_under_valgrind();

		open_to_jemalloc();
		place_from(is_placing ? ksm_options.threshold : UINTPTR_MAX);
	}
	if (ksm_options.verbose)
		announce();
	atomic_store(&ksm_start_of_calls, KSM_START_DONE);
}

void ksm_start_publish(void)
{
	/* Once blocks are placed, the next one that is does it, with all writers kept out. */
	if (!ksm_stat || !ksm_stat_must_publish() || atomic_load(&ksm_start_of_slots) != KSM_START_NONE)
		return;
	if (has_fork_handlers)
		ksm_stat_publish();
}

void ksm_start_fini(void)
{
	ksm_stat_unlink();
}

static int start_parts(void)
{
	int error;

	if (!ksm_stat || !has_fork_handlers)
		return -ENOMEM;
	error = ksm_site_init();
	if (error)
		return error;
	error = ksm_placed_init();
	if (error)
		return error;
	ksm_loader_init();
	/* Without it nobody is told who asks for memory, and all else goes on. */
	ksm_origin_init();
	ksm_arena_mark_memory();
	ksm_unwind_warm_up();
	error = ksm_fork_init();
	if (error)
		return error;
	ksm_span_open();
	ksm_stat->header.span_base = ksm_gate.low;
	ksm_stat->header.span_bytes = ksm_gate.end - ksm_gate.low;
	return 0;
}

bool ksm_start_slots(void)
{
	int none = KSM_START_NONE;

	ksm_start_init(environ);
	if (ksm_aside() || atomic_load(&ksm_start_of_calls) != KSM_START_DONE)
		return false;
	if (!atomic_compare_exchange_strong(&ksm_start_of_slots, &none, KSM_START_RUNNING))
		return none == KSM_START_DONE;
	ksm_fork_begin_setup();
	if (start_parts() == 0) {
		atomic_store(&ksm_start_of_slots, KSM_START_DONE);
	} else {
		atomic_store(&ksm_start_of_slots, KSM_START_FAILED);
		close_to_placed();
	}
	ksm_fork_end_setup();
	return atomic_load(&ksm_start_of_slots) == KSM_START_DONE;
}

bool ksm_start_slots_wait(void)
{
	enum { TURNS = 1000 };

	/* It has an end: in a forked child the thread that was at it does not exist. */
	for (int i = 0; i < TURNS; i++) {
		if (ksm_start_slots())
			return true;
		if (atomic_load(&ksm_start_of_slots) != KSM_START_RUNNING &&
		    atomic_load(&ksm_start_of_calls) != KSM_START_RUNNING)
			return false;
		ksm_os_pause();
	}
	return false;
}
