/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-perl.so: a library of its own, which `ksmalloc run --profile=perl` loads.
 *
 * Perl puts values where the last ones were freed, or behind them: a string more in one of two equal workers shifts
 * all that come later. Here both begin new arenas at the same value, now and then (lists.h): whenever the process has
 * a 32nd more values than the last time, at the next moment that both will come by (moment.h), when a file is opened
 * that was not open before, and in the child of a fork.
 * Arenas then begin at an even place (gap.h), and at some of these boundaries an anchor is passed.
 *
 * How it gets between two ops: Perl looks at PL_sig_pending there, and calls PL_signalhook if it is set, which is
 * ours, and goes on to Perl's own. It is set where libksmalloc takes memory for small blocks (ksmalloc/stream.h) and
 * finds that Perl has so many values by now, and stays set until the moment has come. All other time nothing of this
 * runs. Nothing is seen by the script: no module is loaded.
 *
 * Which Perl: the one that the headers were made for (interpreter.h), found when the process starts. Of its
 * interpreters the first one, in the thread that the process began with; those that it clones for threads are left
 * alone, as is a Perl that is loaded later.
 */
#include "environment.h"
#include "gap.h"
#include "interpreter.h"
#include "lists.h"
#include "moment.h"

#include "../source.h"

#include <dlfcn.h>
#include <errno.h>
#include <ksmalloc/ksmalloc.h>
#include <ksmalloc/stream.h>

#include "base.h"

#pragma weak ksmalloc_anchor
#pragma weak ksmalloc_stream_leave_start
#pragma weak ksmalloc_stream_watch

/* Values that are made between two boundaries: a part of all, and the least. */
#define STEP_PART 32
#define STEP_LEAST 4096
/* What lists have left over comes back after so many. */
#define BOUNDARIES_A_LOT 8
/* A boundary is an anchor when there are so many times the values of the last one: each takes memory. */
#define ANCHOR_GROWTH 2
/* An anchor that the program passes is a boundary if so many were made since the last one. */
#define STEP_OF_ANCHOR 1024

/*
 * How rare the moment is to be: one value in 2^9 at first, twice as many each time that a 64th of a step was made since
 * or that so many looks were in vain. Programs come by very different numbers of ops for a value.
 */
#define MOST_BITS 9u
#define PARTS_OF_STEP 64
#define LOOKS_A_BIT 64u
#define MOST_LOOKS 1024u

/*
 * The count of values is looked at between all ops when it is this part of a step below the level, so that equal
 * workers begin to look for a moment at the same one; and so often only, until there is new memory again.
 */
#define PART_THAT_IS_NEAR 8
#define MOST_COUNTS 1024u

/* So many are counted as what Perl itself has made when the script begins. */
#define VALUES_OF_PERL 1500

#define EXPORT __attribute__((visibility("default")))

typedef char *getenv_function(const char *name);

static __thread char self __attribute__((tls_model("initial-exec")));
static const char *owner; /* the thread that the process began with; it has the same address in a child */
static struct ksp_perl perl;
static struct ksh_source source;

/* Of the owner, which may be in a signal handler, or inside malloc, when it writes counts or is_moved. */
static struct {
	PerlInterpreter *interpreter; /* NULL: none was found yet */
	IV base;		      /* so many there were when it began: they are not counted */
	IV level;		      /* so many values call for a boundary */
	unsigned int ordinal;	      /* of the level */
	unsigned int lot;	      /* what lists have left over came back at so many */
	IV next_anchor;		      /* the boundary of this level is one */
	IV last;		      /* so many there were at the last one */
	unsigned int depth;	      /* of forks: a number that is equal at equal ones */
	unsigned int looks;	      /* since it was armed */
	unsigned int counts;	      /* since there was new memory */
	bool has_begun;		      /* the program, or what it uses: %ENV and @ARGV are made */
	volatile sig_atomic_t is_armed;
	volatile sig_atomic_t is_moved; /* an anchor was passed, or a fork */
} now = { .level = STEP_LEAST };

static void between_ops(pTHX);

/* --- when it gets in ------------------------------------------------------------------------- */

static bool runs(const PerlInterpreter *interpreter)
{
	return interpreter->Iphase == PERL_PHASE_START || interpreter->Iphase == PERL_PHASE_RUN;
}

/* The interpreter, if it is ours, and neither half made nor ending: one that is freed has another hook. */
static PerlInterpreter *ours(void)
{
	PerlInterpreter *found = now.interpreter;

	if (owner != &self || !found || found->Isignalhook != between_ops || !runs(found))
		return NULL;
	return found;
}

/* An interpreter whose hook lies where the headers say, and is Perl's own. */
static void adopt(void)
{
	PerlInterpreter *found = *perl.current;

	if (!found || pthread_getspecific(*perl.key) != found || !runs(found) || found->Isignalhook != perl.despatch)
		return;
	found->Isignalhook = between_ops;
	now.interpreter = found;
}

static IV step_at(IV level)
{
	return level / STEP_PART > STEP_LEAST ? level / STEP_PART : STEP_LEAST;
}

/* Of values: what arguments and environment have made is a worker's own, and is left out. */
static IV count_of(const PerlInterpreter *interpreter)
{
	return interpreter->Isv_count - now.base;
}

static bool is_near(const PerlInterpreter *interpreter)
{
	return count_of(interpreter) >= now.level - step_at(now.level) / PART_THAT_IS_NEAR;
}

/* The same; one that was not found yet is looked for. */
static PerlInterpreter *find_ours(void)
{
	if (!now.interpreter)
		adopt();
	return ours();
}

/* Inside malloc: variables are written, and nothing is called that allocates. */
static void grown(void)
{
	PerlInterpreter *found;

	if (owner != &self)
		return;
	found = find_ours();
	now.counts = 0;
	if (found && (now.is_armed || now.is_moved || is_near(found)))
		found->Isig_pending = 1;
}

/* Perhaps in a signal handler, or in a child that goes on to exec. */
static void moved(void)
{
	PerlInterpreter *found = ours();

	now.is_moved = true;
	if (found)
		found->Isig_pending = 1;
}

/* --- boundaries ------------------------------------------------------------------------------ */

/*
 * Levels follow from one another, so that equal workers have the same ones whatever they count. One that was reached
 * is passed, though there may be fewer values again.
 */
static void pass_level(IV count)
{
	if (now.is_armed && count < now.level)
		count = now.level;
	while (now.level <= count) {
		now.level += step_at(now.level);
		now.ordinal++;
	}
	now.is_armed = false;
	ksp_moment_passed();
}

/* So that blocks of malloc's that a difference has shifted do not stay so, either. */
static void pass_anchor(void)
{
	char name[40];

	snprintf(name, sizeof(name), "perl: %ld values", (long)now.level);
	now.next_anchor = ANCHOR_GROWTH * now.level;
	ksmalloc_anchor(name, strlen(name));
	now.is_moved = false;
	ksp_gap_moved();
}

static void set_boundary(PerlInterpreter *interpreter)
{
	unsigned int lot = now.ordinal / BOUNDARIES_A_LOT;

	ksp_lists_renew(interpreter, lot != now.lot);
	now.lot = lot;
	if (now.level >= now.next_anchor)
		pass_anchor();
	ksp_gap_take(now.ordinal);
	now.last = count_of(interpreter);
	pass_level(count_of(interpreter));
}

/*
 * Perl has made %ENV and @ARGV, and nothing of the script yet: what lies before this is what arguments and environment are
 * made of.
 */
static void begin(PerlInterpreter *interpreter)
{
	now.has_begun = true;
	now.base = interpreter->Isv_count - VALUES_OF_PERL;
	/* What this takes and frees is as much as there are variables, and is left behind as well. */
	ksp_environment_own(interpreter);
	ksp_lists_leave(interpreter);
	if (ksmalloc_stream_leave_start)
		ksmalloc_stream_leave_start();
	set_boundary(interpreter);
}

static void follow_move(PerlInterpreter *interpreter)
{
	unsigned int depth = source.among(source.stream(), 1);

	now.is_moved = false;
	ksp_gap_moved();
	/* A script that has opened no file is first moved in a child: what that inherited is left all the same. */
	if (depth != now.depth) {
		now.depth = depth;
		ksp_lists_leave(interpreter);
		set_boundary(interpreter);
	} else if (count_of(interpreter) - now.last >= STEP_OF_ANCHOR) {
		set_boundary(interpreter);
	}
}

static unsigned int bits_now(IV count)
{
	IV part = step_at(now.level) / PARTS_OF_STEP;
	IV passed = count > now.level ? (count - now.level) / part : 0;
	IV turns = now.looks / LOOKS_A_BIT > passed ? now.looks / LOOKS_A_BIT : passed;

	return turns < MOST_BITS ? MOST_BITS - (unsigned int)turns : 0;
}

static void look(PerlInterpreter *interpreter)
{
	if (!now.is_armed) {
		now.looks = 0;
		now.is_armed = true;
	}
	if (ksp_moment_is(interpreter, bits_now(count_of(interpreter))))
		set_boundary(interpreter);
	else if (++now.looks == MOST_LOOKS)
		pass_level(count_of(interpreter));
}

/* --- between two ops ------------------------------------------------------------------------- */

/* A Perl that has handled no signal yet has no table of those that are pending. */
static bool has_signal(const PerlInterpreter *interpreter)
{
	int any = 0;

	for (int i = 0; interpreter->Ipsig_pend && i < SIG_SIZE; i++)
		any |= interpreter->Ipsig_pend[i];
	return any;
}

/*
 * Perl's own hook comes last: the program's handlers, which it calls, may not return. A signal that comes after the
 * table was read sets PL_sig_pending again.
 */
static void between_ops(pTHX)
{
	bool again = false;
	int saved_errno = errno;

	if (my_perl == ours()) {
		if (now.is_moved)
			follow_move(my_perl);
		if (now.is_armed || count_of(my_perl) >= now.level)
			look(my_perl);
		again = now.is_armed || (is_near(my_perl) && ++now.counts < MOST_COUNTS);
	}
	errno = saved_errno;
	my_perl->Isig_pending = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (has_signal(my_perl))
		perl.despatch(aTHX);
	if (again)
		my_perl->Isig_pending = 1;
}

/* --- start ------------------------------------------------------------------------------------ */

static getenv_function *next_getenv;

__attribute__((constructor)) static void start(void)
{
	next_getenv = (getenv_function *)dlsym(RTLD_NEXT, "getenv");
	if (owner || !ksp_perl_find(&perl) || !ksmalloc_stream_watch || !ksh_source_follow(&source, moved))
		return;
	owner = &self;
	ksp_environment_start();
	now.depth = source.among(source.stream(), 1);
	ksmalloc_stream_watch(grown);
}

/* What Perl asks for right behind making %ENV, before it reads the script. A program may ask for it, too: it has begun by then. */
static bool is_asked_at_begin(const char *name)
{
	return strcmp(name, "PERL_SIGNALS") == 0;
}

EXPORT char *getenv(const char *name)
{
	PerlInterpreter *found;

	if (!next_getenv)
		start();
	if (owner == &self && !now.has_begun && is_asked_at_begin(name)) {
		found = find_ours();
		if (found)
			begin(found);
	}
	return next_getenv(name);
}
