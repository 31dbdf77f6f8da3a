/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "read/clock.h"
#include "top/screen.h"

/* Without a sample the screen is drawn anew so often, to say that there is none. */
#define IDLE_MS 2000

static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

struct loop {
	struct ksr_top_state *state;
	struct ksr_top_watch *watch;
	struct ksr_top_frame frame;
	sigset_t signals;
	int signal_fd;
	int ended_by; /* a signal */
};

static void fill_signals(sigset_t *signals)
{
	sigemptyset(signals);
	for (size_t i = 0; i < KSM_COUNT_OF(handled); i++)
		sigaddset(signals, handled[i]);
}

/* The kernel stops it, unless nobody could let it go on: a shell decides that. */
static void stop(void)
{
	sigset_t stopping;

	sigemptyset(&stopping);
	sigaddset(&stopping, SIGTSTP);
	ksr_top_screen_leave();
	raise(SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &stopping, NULL);
	pthread_sigmask(SIG_BLOCK, &stopping, NULL);
	ksr_top_screen_return();
}

static void take_signals(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch ((int)info.ssi_signo) {
		case SIGWINCH:
			ksr_top_screen_resize();
			break;
		case SIGTSTP:
			stop();
			break;
		case SIGCONT:
			/* Who stopped it from outside may have changed the terminal meanwhile. */
			ksr_top_screen_return();
			break;
		default:
			loop->ended_by = (int)info.ssi_signo;
			return;
		}
	}
}

static void take_keys(struct loop *loop)
{
	struct ksr_top_wishes before = loop->state->wishes;
	uint32_t code;

	while (!loop->state->quit && (code = ksr_top_screen_key()) != KSR_TOP_CODE_NONE)
		ksr_top_act(loop->state, code);
	if (before.interval_ms != loop->state->wishes.interval_ms || before.paused != loop->state->wishes.paused ||
	    before.places != loop->state->wishes.places)
		ksr_top_watch_wish(loop->watch, &loop->state->wishes);
	if (loop->state->redraw)
		ksr_top_screen_resize();
	loop->state->redraw = false;
}

static void take_sample(struct loop *loop)
{
	struct ksr_top_sample *sample = ksr_top_watch_take(loop->watch);
	int error = sample ? ksr_top_model_take(&loop->state->model, sample) : 0;

	if (error)
		loop->state->error = error;
}

static int draw(struct loop *loop)
{
	uint32_t width;
	size_t height;
	int error;

	ksr_top_screen_size(&width, &height);
	error = ksr_top_frame_make(&loop->frame, loop->state, width, height);
	if (!error)
		ksr_top_screen_draw(&loop->frame);
	return error;
}

static int run(struct loop *loop)
{
	struct pollfd files[] = {
		{.fd = loop->signal_fd, .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = ksr_top_watch_fd(loop->watch), .events = POLLIN},
	};
	int error = 0;

	while (!loop->state->quit && !loop->ended_by && !error) {
		loop->state->now_ms = ksr_clock_ms();
		error = draw(loop);
		if (poll(files, KSM_COUNT_OF(files), loop->state->wishes.paused ? -1 : IDLE_MS) < 0 && errno != EINTR)
			error = -errno;
		if (error)
			break;
		if (files[0].revents)
			take_signals(loop);
		/* The terminal is gone. */
		if (files[1].revents & (POLLHUP | POLLERR | POLLNVAL))
			break;
		if (files[1].revents)
			take_keys(loop);
		if (files[2].revents)
			take_sample(loop);
		error = loop->state->error;
	}
	return error;
}

static int run_on_screen(const struct ksr_top_live *live, struct loop *loop)
{
	int error = ksr_top_screen_open(live->colour);

	if (error)
		return error;
	error = ksr_top_watch_begin(live->fs, live->selection, live->naming, &loop->state->wishes, &loop->watch);
	if (!error) {
		error = run(loop);
		/* The terminal first: a reader may take a moment to end. */
		ksr_top_screen_close();
		ksr_top_watch_end(loop->watch);
	}
	ksr_top_screen_close();
	return error;
}

int ksr_top_live_run(const struct ksr_top_live *live, struct ksr_top_state *state)
{
	struct loop loop = {.state = state};
	sigset_t before;
	int error;

	fill_signals(&loop.signals);
	pthread_sigmask(SIG_BLOCK, &loop.signals, &before);
	loop.signal_fd = signalfd(-1, &loop.signals, SFD_CLOEXEC | SFD_NONBLOCK);
	ksr_top_frame_init(&loop.frame, live->utf8);
	error = loop.signal_fd < 0 ? -errno : run_on_screen(live, &loop);
	ksr_top_frame_fini(&loop.frame);
	if (loop.signal_fd >= 0)
		close(loop.signal_fd);
	if (loop.ended_by) {
		signal(loop.ended_by, SIG_DFL);
		raise(loop.ended_by);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}
