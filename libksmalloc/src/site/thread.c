/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/thread.h"

#include "system/meta.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

__thread uint32_t ksm_thread_picked_kib __attribute__((tls_model("initial-exec")));
__thread struct ksm_thread *ksm_thread_self __attribute__((tls_model("initial-exec")));
static __thread bool has_ended __attribute__((tls_model("initial-exec")));

static struct {
	pthread_mutex_t lock; /* Protects free. */
	struct ksm_thread *free; /* LIFO */
	pthread_key_t key;
	void (*at_exit)(struct ksm_thread *thread);
} threads = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void thread_exit(void *argument)
{
	struct ksm_thread *thread = argument;

	threads.at_exit(thread);
	ksm_thread_self = NULL;
	has_ended = true;
	pthread_mutex_lock(&threads.lock);
	thread->next_free = threads.free;
	threads.free = thread;
	pthread_mutex_unlock(&threads.lock);
}

int ksm_thread_init(void (*at_exit)(struct ksm_thread *thread))
{
	threads.at_exit = at_exit;
	return pthread_key_create(&threads.key, thread_exit) == 0 ? 0 : -ENOMEM;
}

static struct ksm_thread *make(void)
{
	struct ksm_thread *thread = ksm_meta_alloc(sizeof(*thread));

	if (!thread)
		return NULL;
	/* Only the part that is used takes memory. */
	thread->magazines = ksm_meta_alloc(KSMALLOC_MAX_SITES * sizeof(thread->magazines[0]));
	return thread->magazines ? thread : NULL;
}

/* The lock is held. */
static struct ksm_thread *take_free_locked(void)
{
	struct ksm_thread *thread = threads.free;

	if (thread)
		threads.free = thread->next_free;
	return thread;
}

/* Makes the current thread's record of a free one, or a new one if that is NULL. */
static struct ksm_thread *begin(struct ksm_thread *thread)
{
	if (!thread)
		thread = make();
	else
		ksm_recall_clear(&thread->recall);
	if (thread && thread->asked)
		ksm_recall_clear(thread->asked);
	if (!thread)
		return NULL;
	thread->capturing = false;
	/* For whom the one before has mapped memory is nothing of this one's. */
	thread->capture.behalf = (struct ksm_behalf){ 0 };
	thread->labels = 0;
	thread->mark_in = 0;
	thread->regrets = 0;
	ksm_thread_settle(thread);
	ksm_thread_self = thread;
	/* May allocate; the record is in place by then, and large blocks are rare there. */
	pthread_setspecific(threads.key, thread);
	return thread;
}

struct ksm_thread *ksm_thread_create(void)
{
	struct ksm_thread *thread;

	pthread_mutex_lock(&threads.lock);
	thread = take_free_locked();
	pthread_mutex_unlock(&threads.lock);
	return begin(thread);
}

struct ksm_thread *ksm_thread_obtain_at_once(void)
{
	struct ksm_thread *thread;

	if (ksm_thread_self || has_ended || pthread_mutex_trylock(&threads.lock) != 0)
		return ksm_thread_self;
	thread = take_free_locked();
	pthread_mutex_unlock(&threads.lock);
	return begin(thread);
}

struct ksm_thread *ksm_thread_obtain_to_free(void)
{
	return ksm_thread_self || has_ended ? ksm_thread_self : ksm_thread_create();
}

enum ksm_lock_holder ksm_thread_lock_holder(void)
{
	return ksm_lock_holder(&threads.lock);
}

void ksm_thread_prefork(void)
{
	pthread_mutex_lock(&threads.lock);
}

void ksm_thread_postfork_parent(void)
{
	pthread_mutex_unlock(&threads.lock);
}

/*
 * Records of threads that are not in the child are left alone: what their magazines hold is
 * lost there, since a block that such a thread was just taking may be in use by now.
 */
void ksm_thread_postfork_child(void)
{
	pthread_mutex_init(&threads.lock, NULL);
}
