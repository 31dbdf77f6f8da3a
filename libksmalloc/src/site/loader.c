/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/loader.h"

#include "system/dynsym.h"
#include "system/lock.h"
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* In the count of those inside: it is one in haste, and nobody else is or may go in. */
#define ALONE (1 << 24)

/* Synchronization: atomic. */
static atomic_int inside;
static atomic_int hasty; /* threads in haste, which forks wait for */
static atomic_int forks; /* that are under way; several threads may be at it */
static atomic_bool stranded;
static atomic_bool inherited;

/* The loader's lock, recursive; NULL where it is not known. Synchronization: written once. */
static pthread_mutex_t *its_lock;

/* Small, since static TLS is. */
static __thread struct {
	uint16_t forks : 7;  /* that this thread has under way */
	uint16_t again : 4;  /* times that it went in where it was already */
	uint16_t is_hasty : 1;
	uint16_t is_inside : 1; /* and not in haste */
	uint16_t is_alone : 1;
	uint16_t was_refused : 1; /* since it is hasty */
	uint16_t is_refused : 1;  /* at its last try to enter */
} own __attribute__((tls_model("initial-exec")));

/*
 * Nobody waits for ever: a fork, since who is inside may itself wait for the forking thread, and others, since who is alone may
 * have been left by a jump. On a loaded machine one that comes back can be off the processor for long.
 */
#define WAIT_MS 1000

/* Pauses of one in haste: some ten milliseconds, which is a turn on the processor of whoever is inside. */
#define HASTY_TRIES 150

/* --- the loader's own lock ----------------------------------------------------------------------- */

#ifdef __GLIBC__
#define MOST_LOCKS 8

struct locks {
	pthread_mutex_t *found[MOST_LOCKS];
	size_t count;
};

/*
 * Notes those of the loader's variables that look like locks which this thread has, and are only read. Inside of the lock
 * that is looked for.
 */
static int note_own_locks(struct dl_phdr_info *info, size_t size, void *context)
{
	struct locks *locks = context;
	const ElfW(Sym) *symbol;
	struct ksm_dynsym object;
	uintptr_t at, end;

	(void)size;
	symbol = ksm_dynsym_of(info, &object) ? ksm_dynsym_next(&object, "_rtld_global", NULL) : NULL;
	if (!symbol || symbol->st_size < sizeof(pthread_mutex_t))
		return 0;
	at = ksm_align_up(object.bias + symbol->st_value, _Alignof(pthread_mutex_t));
	end = object.bias + symbol->st_value + symbol->st_size - sizeof(pthread_mutex_t);
	for (; at <= end && locks->count < MOST_LOCKS; at += _Alignof(pthread_mutex_t)) {
		pthread_mutex_t *lock = (pthread_mutex_t *)at;

		if (ksm_lock_is_held_recursively(lock) && ksm_lock_holder(lock) == KSM_LOCK_OWN)
			locks->found[locks->count++] = lock;
	}
	return 1;
}

/* It is the one that this thread has in dl_iterate_phdr(3), and not outside of it. */
static pthread_mutex_t *find_lock(void)
{
	struct locks locks = { .count = 0 };
	pthread_mutex_t *lock = NULL;

	if (ksm_loader_iterate(note_own_locks, &locks) <= 0)
		return NULL;
	for (size_t i = 0; i < locks.count; i++) {
		if (ksm_lock_holder(locks.found[i]) == KSM_LOCK_OWN)
			continue;
		if (lock)
			return NULL;
		lock = locks.found[i];
	}
	return lock;
}
#else
static pthread_mutex_t *find_lock(void)
{
	return NULL;
}
#endif

/* A handler that forks in between would have a child whose lock is not known yet. */
void ksm_loader_init(void)
{
	uint64_t before;

	ksm_os_block_signals(&before);
	its_lock = find_lock();
	ksm_os_restore_signals(before);
}

static enum ksm_lock_holder its_holder(void)
{
	return its_lock ? ksm_lock_holder(its_lock) : KSM_LOCK_FREE;
}

/* --- the gate ------------------------------------------------------------------------------------ */

static int refuse(void)
{
	own.is_refused = true;
	own.was_refused = true;
	return -EAGAIN;
}

/* The unwinder's locks are taken by those inside only. The loader's is looked at once nobody else goes in. */
static bool try_alone(void)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&inside, &none, ALONE))
		return false;
	if (its_holder() == KSM_LOCK_FREE)
		return true;
	atomic_fetch_and(&inside, ~ALONE);
	return false;
}

/* A fork that has begun waits for the end of this haste. */
static int enter_in_haste(void)
{
	/* What this thread has itself, as its handler has interrupted it there, does not become free while it waits. */
	if (own.is_inside || its_holder() == KSM_LOCK_OWN)
		return refuse();
	for (int i = 0; i < HASTY_TRIES; i++) {
		if (try_alone()) {
			own.is_alone = true;
			return 0;
		}
		ksm_os_pause();
	}
	return refuse();
}

int ksm_loader_enter(void)
{
	own.is_refused = false;
	if (atomic_load(&stranded) || own.forks)
		return -EDEADLK;
	if (own.is_hasty ? own.is_alone : own.is_inside) {
		own.again++;
		return 0;
	}
	if (own.is_hasty)
		return enter_in_haste();
	/* In a callback of the program's: who is inside may wait for the loader's lock, and has the unwinder's. */
	if (its_lock && ksm_lock_is_own(its_lock))
		return -EDEADLK;
	/* Asked first, so that who is refused again and again is not taken for one inside. */
	if (atomic_load(&forks) > 0 || atomic_load(&inside) >= ALONE)
		return refuse();
	/* Said first, so that no handler waits for its own thread. */
	own.is_inside = true;
	if (atomic_fetch_add(&inside, 1) < ALONE && atomic_load(&forks) == 0)
		return 0;
	atomic_fetch_sub(&inside, 1);
	own.is_inside = false;
	return refuse();
}

void ksm_loader_leave(void)
{
	if (own.again) {
		own.again--;
	} else if (own.is_alone) {
		own.is_alone = false;
		atomic_fetch_and(&inside, ~ALONE);
	} else {
		atomic_fetch_sub(&inside, 1);
		own.is_inside = false;
	}
}

bool ksm_loader_wait(uint64_t *deadline)
{
	uint64_t now;

	if (!own.is_refused || own.is_hasty)
		return false;
	own.is_refused = false;
	now = ksm_os_now_ms();
	if (!*deadline)
		*deadline = now + WAIT_MS;
	else if (now >= *deadline)
		atomic_fetch_and(&inside, ~ALONE);
	ksm_os_pause();
	return true;
}

int ksm_loader_iterate(int (*visit)(struct dl_phdr_info *, size_t, void *), void *context)
{
	uint64_t deadline = 0;
	int result = ksm_loader_enter();

	while (result == -EAGAIN && ksm_loader_wait(&deadline))
		result = ksm_loader_enter();
	if (result != 0)
		return result;
	result = dl_iterate_phdr(visit, context);
	ksm_loader_leave();
	return result;
}

bool ksm_loader_begin_haste(void)
{
	if (own.is_hasty || own.forks)
		return false;
	atomic_fetch_add(&hasty, 1);
	if (atomic_load(&forks) > 0) {
		atomic_fetch_sub(&hasty, 1);
		return false;
	}
	own.was_refused = false;
	own.is_hasty = true;
	return true;
}

void ksm_loader_end_haste(void)
{
	int count = atomic_load(&hasty);

	own.is_hasty = false;
	/* A fork that has waited long enough has counted it out. */
	while (count > 0 && !atomic_compare_exchange_weak(&hasty, &count, count - 1))
		;
}

bool ksm_loader_was_refused(void)
{
	return own.was_refused;
}

bool ksm_loader_is_stranded(void)
{
	return atomic_load_explicit(&stranded, memory_order_relaxed);
}

bool ksm_loader_is_inherited(void)
{
	return atomic_load_explicit(&inherited, memory_order_relaxed);
}

/* --- fork ---------------------------------------------------------------------------------------- */

/* What this thread itself is, where its handler forks, which goes on afterwards. */
static int own_share(void)
{
	return own.is_alone ? ALONE : own.is_inside;
}

static bool is_occupied(void)
{
	return !atomic_load(&stranded) && (atomic_load(&inside) > own_share() || atomic_load(&hasty) > own.is_hasty);
}

void ksm_loader_prefork(void)
{
	uint64_t deadline = ksm_os_now_ms() + WAIT_MS;

	own.forks++;
	atomic_fetch_add(&forks, 1);
	/* Who has the loader's lock, in a callback of the program's, would wait for those who wait for that. */
	while (is_occupied() && !(its_lock && ksm_lock_is_own(its_lock)) && ksm_os_now_ms() < deadline)
		ksm_os_pause();
	/* Who was left by a jump out of a handler holds up this fork, and none of those that follow. */
	if (atomic_load(&hasty) > own.is_hasty)
		atomic_store(&hasty, own.is_hasty);
}

void ksm_loader_postfork_parent(void)
{
	atomic_fetch_sub(&forks, 1);
	own.forks--;
}

/* The loader tells debuggers when it changes its list: a thread of the program was in dlopen(3) or dlclose(3). */
static bool is_changing(void)
{
	extern struct r_debug _r_debug __attribute__((weak));

	return &_r_debug && _r_debug.r_state != RT_CONSISTENT;
}

void ksm_loader_postfork_child(void)
{
	/* Whichever thread has the lock: the child's own has another id by now, which the lock does not know. */
	if (atomic_load(&inside) > 0 || own_share() || is_changing() || its_holder() != KSM_LOCK_FREE)
		atomic_store(&stranded, true);
	atomic_store(&inherited, true);
	atomic_store(&inside, own_share());
	atomic_store(&hasty, own.is_hasty);
	atomic_store(&forks, 0);
	own.forks--;
}

void ksm_loader_postfork_only_child(void)
{
	if (its_lock)
		ksm_lock_follow_fork(its_lock);
}
