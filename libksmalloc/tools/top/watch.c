/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "read/clock.h"
#include "top/places.h"
#include "top/reader.h"

#define END_MS 300

struct ksr_top_watch {
	pthread_t thread;
	int fd;
	struct ksr_top_reader *reader;
	struct ksr_top_places *places;
	pthread_mutex_t mutex; /* protects what follows */
	pthread_cond_t changed;
	struct ksr_top_wishes wishes;
	bool hurry; /* the next sample shall not wait */
	bool end;
	struct ksr_top_sample *sample;
};

/* Waits until it is time for a sample, and says what is wished; false when the thread is to end. */
static bool wait_for_turn(struct ksr_top_watch *watch, uint64_t last_ns, struct ksr_top_wishes *wishes)
{
	bool end;

	pthread_mutex_lock(&watch->mutex);
	while (!watch->end && !watch->hurry) {
		struct timespec due = ksr_clock_time(last_ns + watch->wishes.interval_ms * KSR_CLOCK_MS);

		if (watch->wishes.paused)
			pthread_cond_wait(&watch->changed, &watch->mutex);
		else if (pthread_cond_timedwait(&watch->changed, &watch->mutex, &due) == ETIMEDOUT)
			break;
	}
	watch->hurry = false;
	*wishes = watch->wishes;
	end = watch->end;
	pthread_mutex_unlock(&watch->mutex);
	return !end;
}

static void hand_over(struct ksr_top_watch *watch, struct ksr_top_sample *sample)
{
	struct ksr_top_sample *old;

	pthread_mutex_lock(&watch->mutex);
	old = watch->sample;
	watch->sample = sample;
	pthread_mutex_unlock(&watch->mutex);
	ksr_top_sample_free(old);
	eventfd_write(watch->fd, 1);
}

static void *work(void *argument)
{
	struct ksr_top_watch *watch = argument;
	struct ksr_top_wishes wishes;
	uint64_t last_ns = 0;
	uint64_t last_ms = 0;

	while (wait_for_turn(watch, last_ns, &wishes)) {
		uint64_t now_ms = ksr_clock_ms();
		struct ksr_top_sample *sample = ksr_top_reader_sample(watch->reader, last_ms ? now_ms - last_ms : 0);

		last_ns = ksr_clock_ns();
		last_ms = now_ms;
		/* Without memory there is another turn. */
		if (!sample)
			continue;
		if (wishes.places)
			(void)ksr_top_places_add(watch->places, sample);
		hand_over(watch, sample);
	}
	return NULL;
}

static void destroy(struct ksr_top_watch *watch)
{
	ksr_top_reader_destroy(watch->reader);
	ksr_top_places_destroy(watch->places);
	ksr_top_sample_free(watch->sample);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch);
}

static int start(struct ksr_top_watch *watch)
{
	pthread_condattr_t attributes;
	int error;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&watch->mutex, NULL);
	pthread_cond_init(&watch->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	error = pthread_create(&watch->thread, NULL, work, watch);
	return -error;
}

int ksr_top_watch_begin(const struct ksr_fs *fs, const struct ksr_selection *selection,
			const struct ksr_naming *naming, const struct ksr_top_wishes *wishes, struct ksr_top_watch **result)
{
	struct ksr_top_watch *watch = calloc(1, sizeof(*watch));
	int error = -ENOMEM;

	if (!watch)
		return error;
	watch->wishes = *wishes;
	watch->hurry = true;
	watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch->reader = ksr_top_reader_create(fs, selection, false);
	watch->places = ksr_top_places_create(fs, selection, naming);
	if (watch->fd < 0)
		error = -errno;
	else if (watch->reader && watch->places)
		error = start(watch);
	if (error) {
		destroy(watch);
		return error;
	}
	*result = watch;
	return 0;
}

void ksr_top_watch_end(struct ksr_top_watch *watch)
{
	struct timespec due;

	pthread_mutex_lock(&watch->mutex);
	watch->end = true;
	pthread_cond_signal(&watch->changed);
	pthread_mutex_unlock(&watch->mutex);
	due = ksr_clock_time(ksr_clock_of(CLOCK_REALTIME) + END_MS * KSR_CLOCK_MS);
	if (pthread_timedjoin_np(watch->thread, NULL, &due) == 0)
		destroy(watch);
}

int ksr_top_watch_fd(const struct ksr_top_watch *watch)
{
	return watch->fd;
}

struct ksr_top_sample *ksr_top_watch_take(struct ksr_top_watch *watch)
{
	struct ksr_top_sample *sample;
	eventfd_t count;

	(void)eventfd_read(watch->fd, &count);
	pthread_mutex_lock(&watch->mutex);
	sample = watch->sample;
	watch->sample = NULL;
	pthread_mutex_unlock(&watch->mutex);
	return sample;
}

void ksr_top_watch_wish(struct ksr_top_watch *watch, const struct ksr_top_wishes *wishes)
{
	pthread_mutex_lock(&watch->mutex);
	watch->hurry |= !wishes->paused && (watch->wishes.paused || (wishes->places && !watch->wishes.places));
	watch->wishes = *wishes;
	pthread_cond_signal(&watch->changed);
	pthread_mutex_unlock(&watch->mutex);
}
