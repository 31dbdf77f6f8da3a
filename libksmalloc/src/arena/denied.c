/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena/denied.h"

#include "arena/arena.h"
#include "system/meta.h"
#include "site/policy.h"
#include "site/site.h"
#include "site/thread.h"

/* Without a constructor, in static programs, other threads may allocate while it is written. */
bool ksm_denied_on; /* Synchronization: relaxed atomic. */

/* What is recalled of a stack is one of two addresses. */
static char is_denied, is_not_denied;

void ksm_denied_init(void)
{
	__atomic_store_n(&ksm_denied_on, ksm_arena_merges() && ksm_policy_has_denials(),
			 __ATOMIC_RELAXED);
}

enum answer { NO, YES, IN_DOUBT };

/* Is a frame of the stack denied? It ends where files end, as a site does. */
static enum answer judge(struct ksm_capture *capture)
{
	const struct ksm_stack *stack = &capture->stack;
	uint32_t resolved = 0;

	while (resolved < stack->count &&
	       ksm_module_resolve(stack->frames[resolved], &capture->frames[resolved]) == 0)
		resolved++;
	if (ksm_policy_of_frames(capture->frames, resolved).denied)
		return YES;
	/* A stack of one frame could not be walked, and files may have found no room in the table. */
	return stack->count < 2 || resolved == 0 ||
			       (resolved < stack->count && !ksm_module_has_room()) ?
		       IN_DOUBT : NO;
}

KSM_COLD static bool walk(struct ksm_thread *thread, uintptr_t caller, uintptr_t frame)
{
	struct ksm_capture *capture = &thread->capture;
	uint32_t generation = ksm_module_generation();
	enum answer answer;

	thread->capturing = true;
	ksm_thread_settle(thread);
	if (!thread->asked)
		thread->asked = ksm_meta_alloc(sizeof(*thread->asked));
	if (thread->asked && thread->asked_generation != generation)
		ksm_recall_clear(thread->asked);
	thread->asked_generation = generation;
	ksm_unwind_capture(&capture->stack, &capture->room, caller, frame);
	answer = judge(capture);
	if (thread->asked && answer != IN_DOUBT)
		ksm_recall_add(thread->asked, &capture->stack,
			       answer == YES ? &is_denied : &is_not_denied);
	thread->capturing = false;
	ksm_thread_settle(thread);
	return answer != NO;
}

bool ksm_denied_call(uintptr_t caller, uintptr_t frame)
{
	struct ksm_thread *thread = ksm_thread_self ? ksm_thread_self : ksm_thread_create();
	const void *known = NULL;

	if (ksm_unlikely(!thread) || ksm_unlikely(thread->capturing))
		return true;
	if (thread->labels)
		return thread->label_sites[ksm_min(thread->labels, KSM_LABEL_DEPTH) - 1]->denied;
	if (ksm_likely(thread->asked) && thread->asked_generation == ksm_module_generation())
		known = ksm_recall_find(thread->asked, caller, frame);
	return known ? known == &is_denied : walk(thread, caller, frame);
}
