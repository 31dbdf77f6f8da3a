/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * naming: what a stack is called.
 *
 * What it is: names of functions without what nobody reads in them, and the choice of the frame that names a stack: of
 * scripts the innermost that is the program's own, else the innermost function that is no machinery.
 *
 * What it is not: a search for names (symbols.h).
 *
 * Invariants: equal input gives equal names. No name is longer than KSR_NAME_BYTES, whatever a process or a file says.
 *
 * Locking and owner: pure; stacks and their lines are the caller's.
 *
 * Failure: NULL without memory.
 */
#ifndef KSR_NAMES_NAMING_H
#define KSR_NAMES_NAMING_H

#include "ksmalloc/segment.h"
#include "names/machinery.h"

/* Of a function, a file or a label, as it is shown. */
#define KSR_NAME_BYTES 256

/* One function: inlined ones are entries of their own. */
struct ksr_line {
	const char *function; /* or module+0xoffset; never NULL */
	const char *place;    /* "file.c:12", empty when unknown */
	const char *module;   /* last component of the module's path, or of the script's */
	const char *build_id; /* of the module, empty when there is none */
	enum ksmalloc_language language;
};

struct ksr_stack {
	struct ksr_line *lines; /* innermost first */
	size_t count;
	size_t deciding;  /* index of the line that names the stack */
	const char *name; /* "function (file.c:12) < caller", "load (app.py:3) > json.loads", or the label */
	const char *where; /* the same without the caller */
	const char *what;  /* what the memory is: "list", "hash table"; NULL: not known */
};

/*
 * "std::vector::push_back" of "std::vector<int, A<B> >::push_back(int const&)", "app::load" of
 * "app::load::h0123456789abcdef". The caller frees; NULL without memory.
 */
char *ksr_name_shorten(const char *function);
/* "python", for programs, and "Python". */
const char *ksr_language_key(enum ksmalloc_language language);
const char *ksr_language_words(enum ksmalloc_language language);
/* Chooses the deciding line and what the memory is. */
void ksr_naming_decide(const struct ksr_machinery *machinery, struct ksr_stack *stack);
/* The names of a stack that was decided, without its caller and with it; the caller frees. NULL without memory. */
char *ksr_naming_where(const struct ksr_machinery *machinery, const struct ksr_stack *stack);
char *ksr_naming_name(const struct ksr_stack *stack, const char *where);

#endif
