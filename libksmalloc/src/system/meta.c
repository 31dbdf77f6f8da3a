/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first piece is small, since most processes have few sites; later ones
 * are larger so that many sites do not cost a mapping each.
 */
#include "system/meta.h"

#include "os/os.h"

#include <pthread.h>

#define FIRST_PIECE (32 * KSM_KIB)
#define LATER_PIECE (256 * KSM_KIB)

static struct {
	pthread_mutex_t lock; /* Protects the other members. */
	char *next;	      /* first unused byte of the newest piece */
	char *end;
} pieces = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Starts a new piece with room for length bytes; the rest of the old one is given up. */
static bool add_piece_locked(size_t length)
{
	size_t size = ksm_align_up(length, pieces.next ? LATER_PIECE : FIRST_PIECE);
	void *memory;

	if (ksm_os_map(&memory, size, true) != 0)
		return false;
	pieces.next = memory;
	pieces.end = pieces.next + size;
	return true;
}

void *ksm_meta_alloc(size_t length)
{
	void *memory = NULL;

	length = ksm_align_up(length, 64);
	pthread_mutex_lock(&pieces.lock);
	if ((size_t)(pieces.end - pieces.next) >= length || add_piece_locked(length)) {
		memory = pieces.next;
		pieces.next += length;
	}
	pthread_mutex_unlock(&pieces.lock);
	return memory;
}

enum ksm_lock_holder ksm_meta_lock_holder(void)
{
	return ksm_lock_holder(&pieces.lock);
}

void ksm_meta_prefork(void)
{
	pthread_mutex_lock(&pieces.lock);
}

void ksm_meta_postfork_parent(void)
{
	pthread_mutex_unlock(&pieces.lock);
}

void ksm_meta_postfork_child(void)
{
	pthread_mutex_init(&pieces.lock, NULL);
}
