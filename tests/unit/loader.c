/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate before the loader's lock: forks wait for who is inside, and who is in haste waits for nobody. */
#include "site/loader.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void setup(void)
{
	ksm_loader_init();
}

TestSuite(loader, .init = setup, .timeout = KSM_CASE_SECONDS);

static atomic_bool is_there, may_go;

static void wait_until(atomic_bool *flag)
{
	while (!atomic_load(flag))
		usleep(100);
}

static void start(pthread_t *thread, void *(*work)(void *))
{
	atomic_store(&is_there, false);
	atomic_store(&may_go, false);
	cr_assert_eq(pthread_create(thread, NULL, work, NULL), 0);
	wait_until(&is_there);
}

static void end(pthread_t thread)
{
	atomic_store(&may_go, true);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static int visit_nothing(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)info;
	(void)size;
	(void)context;
	return 1;
}

static int visit_long(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)info;
	(void)size;
	(void)context;
	atomic_store(&is_there, true);
	wait_until(&may_go);
	return 1;
}

/* A thread of the program, which has the loader's lock and does not come by the gate. */
static void *be_in_the_loader(void *unused)
{
	dl_iterate_phdr(visit_long, NULL);
	return unused;
}

static void *be_inside(void *unused)
{
	cr_assert_eq(ksm_loader_enter(), 0);
	atomic_store(&is_there, true);
	wait_until(&may_go);
	ksm_loader_leave();
	return unused;
}

static void *be_in_haste(void *unused)
{
	cr_assert(ksm_loader_begin_haste());
	cr_assert_eq(ksm_loader_enter(), 0);
	atomic_store(&is_there, true);
	wait_until(&may_go);
	ksm_loader_leave();
	ksm_loader_end_haste();
	return unused;
}

/* Goes in, in haste; the result. */
static int try_in_haste(void)
{
	int result;

	cr_assert(ksm_loader_begin_haste());
	result = ksm_loader_enter();
	if (result == 0)
		ksm_loader_leave();
	cr_assert_eq(ksm_loader_was_refused(), result != 0);
	ksm_loader_end_haste();
	return result;
}

static void *be_in_haste_when_it_can(void *unused)
{
	atomic_store(&is_there, true);
	while (try_in_haste() != 0)
		;
	atomic_store(&may_go, true);
	return unused;
}

Test(loader, haste_goes_in_alone)
{
	pthread_t thread;

	cr_assert_eq(try_in_haste(), 0);
	start(&thread, be_inside);
	cr_assert_eq(try_in_haste(), -EAGAIN);
	end(thread);
	start(&thread, be_in_haste);
	cr_assert_eq(try_in_haste(), -EAGAIN);
	end(thread);
	cr_assert_eq(try_in_haste(), 0);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* A handler that comes a thousand times a second would leave its thread no time, if it waited for that. */
Test(loader, haste_does_not_wait_for_its_own_thread)
{
	uint64_t begin;

	cr_assert_eq(ksm_loader_enter(), 0);
	begin = now_us();
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(try_in_haste(), -EAGAIN);
	cr_assert_lt(now_us() - begin, 1000000);
	ksm_loader_leave();
}

/* It waits for others, who are there for a moment only. */
static void *be_inside_for_a_moment(void *unused)
{
	cr_assert_eq(ksm_loader_enter(), 0);
	atomic_store(&is_there, true);
	usleep(1000);
	ksm_loader_leave();
	return unused;
}

Test(loader, haste_waits_a_moment)
{
	pthread_t thread;
	int reached = 0;

	for (int i = 0; i < 20; i++) {
		start(&thread, be_inside_for_a_moment);
		reached += try_in_haste() == 0;
		end(thread);
	}
	cr_assert_gt(reached, 0);
}

/* As a walk that asks for a frame while it goes through the list. */
Test(loader, who_is_inside_may_go_in_again)
{
	pthread_t thread;

	cr_assert_eq(ksm_loader_enter(), 0);
	cr_assert_eq(ksm_loader_enter(), 0);
	ksm_loader_leave();
	start(&thread, be_in_haste_when_it_can);
	usleep(100000);
	cr_assert_not(atomic_load(&may_go));
	ksm_loader_leave();
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(ksm_loader_begin_haste());
	cr_assert_eq(ksm_loader_enter(), 0);
	cr_assert_eq(ksm_loader_enter(), 0);
	ksm_loader_leave();
	ksm_loader_leave();
	cr_assert_not(ksm_loader_was_refused());
	ksm_loader_end_haste();
	cr_assert_eq(try_in_haste(), 0);
}

Test(loader, haste_does_not_wait_for_the_loaders_lock)
{
	pthread_t thread;

	start(&thread, be_in_the_loader);
	cr_assert_eq(try_in_haste(), -EAGAIN);
	end(thread);
	cr_assert_eq(try_in_haste(), 0);
}

static int visit_in_haste(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)info;
	(void)size;
	*(int *)context = try_in_haste();
	return 1;
}

/* As a signal handler that has interrupted its thread there: the list may be half written. */
Test(loader, haste_does_not_go_in_where_its_own_thread_has_the_lock)
{
	int result = 0;

	dl_iterate_phdr(visit_in_haste, &result);
	cr_assert_eq(result, -EAGAIN);
	cr_assert_eq(try_in_haste(), 0);
}

Test(loader, there_is_no_haste_in_haste)
{
	cr_assert(ksm_loader_begin_haste());
	cr_assert_not(ksm_loader_begin_haste());
	ksm_loader_end_haste();
	cr_assert(ksm_loader_begin_haste());
	ksm_loader_end_haste();
}

static void *go_through(void *unused)
{
	atomic_store(&is_there, true);
	cr_assert_eq(ksm_loader_iterate(visit_nothing, NULL), 1);
	atomic_store(&may_go, true);
	return unused;
}

Test(loader, others_wait_for_who_is_in_haste)
{
	pthread_t thread;

	cr_assert(ksm_loader_begin_haste());
	cr_assert_eq(ksm_loader_enter(), 0);
	start(&thread, go_through);
	usleep(100000);
	cr_assert_not(atomic_load(&may_go));
	ksm_loader_leave();
	ksm_loader_end_haste();
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(atomic_load(&may_go));
}

/* Its handler was left by a jump. */
Test(loader, who_never_leaves_is_not_waited_for_for_ever)
{
	pthread_t thread;

	cr_assert(ksm_loader_begin_haste());
	cr_assert_eq(ksm_loader_enter(), 0);
	start(&thread, go_through);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(atomic_load(&may_go));
}

static void *fork_now(void *unused)
{
	atomic_store(&is_there, true);
	ksm_loader_prefork();
	atomic_store(&may_go, true);
	ksm_loader_postfork_parent();
	return unused;
}

Test(loader, a_fork_waits_for_haste)
{
	pthread_t thread;

	cr_assert(ksm_loader_begin_haste());
	start(&thread, fork_now);
	usleep(100000);
	cr_assert_not(atomic_load(&may_go));
	/* It is not held up by the fork that waits for it. */
	cr_assert_eq(ksm_loader_enter(), 0);
	ksm_loader_leave();
	ksm_loader_end_haste();
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(atomic_load(&may_go));
}

static void *be_left_in_haste(void *unused)
{
	cr_assert(ksm_loader_begin_haste());
	return unused;
}

/* As a handler that was left by a jump: forks that follow do not wait for it again. */
Test(loader, only_one_fork_waits_for_a_haste_that_never_ends)
{
	pthread_t thread;
	uint64_t begin = 0;

	cr_assert_eq(pthread_create(&thread, NULL, be_left_in_haste, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 20; i++) {
		if (i == 1)
			begin = now_us();
		ksm_loader_prefork();
		ksm_loader_postfork_parent();
	}
	cr_assert_lt(now_us() - begin, 900000);
	cr_assert(ksm_loader_begin_haste());
	ksm_loader_end_haste();
	start(&thread, fork_now);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static void *be_forking(void *unused)
{
	ksm_loader_prefork();
	atomic_store(&is_there, true);
	wait_until(&may_go);
	ksm_loader_postfork_parent();
	return unused;
}

Test(loader, there_is_no_haste_while_a_fork_is_under_way)
{
	pthread_t thread;

	start(&thread, be_forking);
	cr_assert_not(ksm_loader_begin_haste());
	end(thread);
	ksm_loader_prefork();
	cr_assert_not(ksm_loader_begin_haste());
	ksm_loader_postfork_parent();
	cr_assert(ksm_loader_begin_haste());
	ksm_loader_end_haste();
}

/* True if a child that is forked now does not ask the loader. */
static bool is_child_stranded(void)
{
	int status;
	pid_t child;

	ksm_loader_prefork();
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		ksm_loader_postfork_child();
		_exit(ksm_loader_is_stranded());
	}
	ksm_loader_postfork_parent();
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

Test(loader, a_child_of_a_locked_loader_is_stranded)
{
	pthread_t thread;

	cr_assert_not(is_child_stranded());
	start(&thread, be_in_the_loader);
	cr_assert(is_child_stranded());
	end(thread);
	start(&thread, be_in_haste);
	cr_assert(is_child_stranded());
	end(thread);
	cr_assert_not(is_child_stranded());
}
