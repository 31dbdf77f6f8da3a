/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm PROGRAM: a stack machine for programs of a line for each instruction, with a collector that moves objects. Such a
 * program is functions, which begin with a line of their name, as the places in them do that jumps lead to. It stands
 * for runtimes whose memory says nothing of who allocated it: here it is given to ksmalloc under names of the program's. It
 * works without the library, too.
 *
 * The heap is two semispaces, each a labelled arena. Objects are made by moving a pointer in one of them; a collection
 * copies what is reachable into the other one, and gives the first back whole. The fields of a large object stay where
 * malloc puts them. All decisions follow from what the program has allocated, none from time, addresses or chance: the heaps of
 * two workers that have done the same are equal, page for page.
 */
#include <ksmalloc/embed.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESERVED ((size_t)1 << 30) /* address space of a semispace: it costs nothing */
#define LEAST	 ((size_t)1 << 20) /* bytes of a semispace, at least */
#define LARGE	 2048		   /* fields, 16 KiB: from here on ksmalloc places blocks by their site */
#define MOST	 (1 << 24)	   /* fields of an object */
#define CODE	 4096		   /* lines of a program */
#define STACK	 65536		   /* values of all calls */
#define LOCALS	 4		   /* values that a call has for itself, below those that it works with */

/* The number n is 2n + 1: such values compare as the numbers do. The address of an object is even; 0 is nothing. */
typedef uint64_t value;

struct object {
	value header;	/* the number of fields; where it was moved: its new address */
	value fields[]; /* of a large one: the address of its block alone */
};

static const char *const labels[] = { "vm: semispace 0", "vm: semispace 1" };
static struct ksmalloc_heap spaces[2];
static unsigned int current = 1; /* has the objects; at first there are none: the first collection is to the space 0 */
static size_t used;		 /* bytes of it */
static size_t outside;		 /* bytes of blocks that large objects have got since the last collection */

/* Whatever is not reached from these may be gone or elsewhere after a collection. */
static value stack[STACK];
static size_t top;

/* --- the collector, after Cheney ------------------------------------------------------------ */

static size_t count_of(const struct object *object)
{
	return object->header >> 1;
}

/* In a space: the fields of a large object are elsewhere. */
static size_t bytes_of(size_t count)
{
	return sizeof(struct object) + (count < LARGE ? count : 1) * sizeof(value);
}

static value *fields_of(struct object *object)
{
	return count_of(object) < LARGE ? object->fields : (value *)object->fields[0];
}

/* Moves the object that the place points to into the current space, unless it was, and lets the place point there. */
static void visit(value *place)
{
	struct object *object = (struct object *)*place;

	if (!object || (*place & 1))
		return;
	if (object->header & 1) {
		size_t bytes = bytes_of(count_of(object));

		object->header = (value)memcpy(spaces[current].base + used, object, bytes);
		used += bytes;
	}
	*place = object->header;
}

/* Those of large objects that were not moved out of the space. How many fields a moved one has, its copy knows. */
static void free_blocks(const char *space, size_t bytes)
{
	const struct object *object, *known;

	for (size_t at = 0; at < bytes; at += bytes_of(count_of(known))) {
		object = (const struct object *)(space + at);
		known = object->header & 1 ? object : (const struct object *)object->header;
		if (known == object && count_of(object) >= LARGE)
			free((void *)object->fields[0]);
	}
}

/* Afterwards there is room for more bytes. 0 or -errno. */
static int collect(size_t more)
{
	struct ksmalloc_heap *from = &spaces[current], *to = &spaces[!current];
	size_t before = used;
	struct object *object;

	/* All that there is may live. What is not touched takes no memory. */
	if ((!to->base && ksmalloc_heap_reserve(to, labels[!current], RESERVED, 0) != 0) ||
	    ksmalloc_heap_resize(to, used) != 0)
		return -ENOMEM;
	current = !current;
	used = 0;
	outside = 0;
	for (size_t i = 0; i < top; i++)
		visit(&stack[i]);
	/* What was copied and not yet looked at lies between two places. */
	for (size_t at = 0; at < used; at += bytes_of(count_of(object))) {
		object = (struct object *)(to->base + at);
		for (size_t i = 0; i < count_of(object); i++)
			visit(&fields_of(object)[i]);
	}
	free_blocks(from->base, before);
	ksmalloc_heap_resize(from, 0);
	/* Twice what lives, in whole steps: small differences between workers change nothing. */
	ksmalloc_heap_resize(to, (2 * used + more + LEAST - 1) / LEAST * LEAST);
	ksmalloc_heap_set_live(to, used);
	return to->committed - used < more ? -ENOMEM : 0;
}

/* An object whose fields are nothing, or NULL without memory. */
static struct object *new_object(size_t count)
{
	size_t bytes = bytes_of(count);
	struct object *object;

	if (bytes + outside > spaces[current].committed - used && collect(bytes) != 0)
		return NULL;
	/* Memory of a semispace is zero when it comes, and was not used since. */
	object = (struct object *)(spaces[current].base + used);
	if (count >= LARGE) {
		object->fields[0] = (value)calloc(count, sizeof(value));
		if (!object->fields[0])
			return NULL;
		outside += count * sizeof(value);
	}
	object->header = 2 * count + 1;
	used += bytes;
	return object;
}

/* --- the program ---------------------------------------------------------------------------- */

enum argument { NOTHING, NUMBER, LOCAL, NAME, NEW_NAME };

struct operation {
	const char *name;
	enum argument takes;
	unsigned int pops, pushes;
	void (*run)(value *at); /* where the values lie that it pops, and those that it pushes are to be */
};

/* A line of the program, whose number is its place in code[]. */
struct instruction {
	const struct operation *operation;
	char source[64], name[32]; /* all of it, and its argument, which means: */
	value argument;		   /* a number, one of a local, or the line that has the name */
};

static char *file;
static struct instruction code[CODE];
static struct instruction *now = code; /* what is read or executed: errors are there */
/* Of each call: the next line, and where its locals are. Volatile: tell_frame() looks there in the midst of malloc(). */
static volatile size_t lines[STACK / LOCALS + 1], bases[STACK / LOCALS + 1];
static volatile size_t depth; /* of the innermost call */

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", file, (int)(now - code), what, now->source);
	exit(1);
}

/* For the library, which asks when it wants to know who allocates. The context is the name of the file. */
static int tell_frame(void *context, unsigned int level, struct ksmalloc_frame *frame)
{
	const struct instruction *at = &code[level < depth ? lines[depth - level] - 1 : 0];

	if (level >= depth)
		return -1;
	frame->file = context;
	frame->line = (unsigned int)(at - code);
	while (at > code && strcmp(at->operation->name, "function") != 0)
		at--;
	frame->function = at->name;
	return 0;
}

/* The same as a label, "array in load_rules (program.vm:5)", unless the library is to ask. */
static int begin_label(void)
{
	const char *wanted = getenv("VM_LABELS");
	struct ksmalloc_frame frame;
	char label[96];

	if (wanted && strcmp(wanted, "no") == 0)
		return 0;
	tell_frame(file, 0, &frame);
	snprintf(label, sizeof(label), "array in %s (%s:%u)", frame.function, file, frame.line);
	return ksmalloc_embed_begin_name(label);
}

/* --- the instructions ----------------------------------------------------------------------- */

static void do_call(value *at)
{
	memset(at, 0, LOCALS * sizeof(value));
	lines[depth + 1] = now->argument;
	bases[depth + 1] = top;
	depth++;
}

static void do_return(value *at)
{
	top = bases[depth];
	stack[top] = at[0];
	depth--;
}

static void do_jump_if_less(value *at)
{
	if ((int64_t)at[0] < (int64_t)at[1])
		lines[depth] = now->argument;
}

static void do_number(value *at)
{
	at[0] = 2 * now->argument + 1;
}

static void do_local(value *at)
{
	at[0] = stack[bases[depth] + now->argument];
}

static void do_set(value *at)
{
	stack[bases[depth] + now->argument] = at[0];
}

static void do_add(value *at)
{
	if (!(at[0] & at[1] & 1))
		fail("this is no number");
	at[0] += at[1] - 1; /* 2a + 1 and 2b + 1 make 2(a + b) + 1 */
}

static void do_new(value *at)
{
	size_t count = at[0] >> 1;
	int begun = count >= LARGE ? begin_label() : 0;

	at[0] = count <= MOST ? (value)new_object(count) : 0;
	ksmalloc_embed_end(begun);
	if (!at[0])
		fail("no memory");
}

/* Of the object at[0] the one that at[1] is the number of. A negative number is more than that of any object's fields. */
static value *field(const value *at)
{
	struct object *object = (struct object *)at[0];

	if (!object || (at[0] & 1) || !(at[1] & 1) || at[1] >= object->header)
		fail("no such field");
	return &fields_of(object)[at[1] >> 1];
}

static void do_get(value *at)
{
	at[0] = *field(at);
}

static void do_put(value *at)
{
	*field(at) = at[2];
}

/*
 * Where the program comes to rest: collects once or twice, so that objects lie in the first semispace, in the order in which
 * they are reached, in each worker, however many collections it has had. Then it shares what others have, too.
 */
static void do_wait(value *at)
{
	if (collect(0) == 0 && current != 0)
		collect(0);
	ksmalloc_embed_share();
	printf("%lld is the result\n", (long long)at[0] >> 1);
	fflush(stdout);
	getchar();
}

/* Empty lines and names do nothing. */
static const struct operation operations[] = {
	{ "", NOTHING, 0, 0, NULL },
	{ "function", NEW_NAME, 0, 0, NULL },
	{ "place", NEW_NAME, 0, 0, NULL },
	{ "call", NAME, 0, LOCALS, do_call },
	{ "return", NOTHING, 1, 1, do_return },
	{ "jump_if_less", NAME, 2, 0, do_jump_if_less },
	{ "number", NUMBER, 0, 1, do_number },
	{ "local", LOCAL, 0, 1, do_local },
	{ "set", LOCAL, 1, 0, do_set },
	{ "add", NOTHING, 2, 1, do_add },
	{ "new", NOTHING, 1, 1, do_new },
	{ "get", NOTHING, 2, 1, do_get },
	{ "put", NOTHING, 3, 0, do_put },
	{ "wait", NOTHING, 1, 0, do_wait },
	{ NULL, NOTHING, 0, 0, NULL },
};

/* --- reading and running it ----------------------------------------------------------------- */

/* What the line is, except for the line that it names: that may come later. */
static void parse(void)
{
	char word[32] = "", more, *end;
	int words = sscanf(now->source, "%31s %31s %c", word, now->name, &more);

	if (now == code + CODE - 1)
		fail("the program is too long");
	now->operation = operations;
	while (now->operation->name && strcmp(now->operation->name, word) != 0)
		now->operation++;
	if (!now->operation->name)
		fail("there is no such instruction");
	if (words > 2 || (words == 2) == (now->operation->takes == NOTHING))
		fail("it has too many arguments, or too few");
	now->argument = strtoull(now->name, &end, 10);
	if ((now->operation->takes == NUMBER && *end) ||
	    (now->operation->takes == LOCAL && (*end || now->argument >= LOCALS)))
		fail("it takes no such number");
}

/* The line that has the name. */
static size_t find(const char *name)
{
	size_t line = 1;

	while (code[line].operation && (code[line].operation->takes != NEW_NAME || strcmp(code[line].name, name) != 0))
		line++;
	if (!code[line].operation)
		fail("there is no such function or place");
	return line;
}

static void step(void)
{
	now = &code[lines[depth]];
	if (!now->operation)
		fail("the program ends without a return");
	lines[depth]++;
	if (top < bases[depth] + LOCALS + now->operation->pops)
		fail("the stack is empty");
	top -= now->operation->pops;
	if (top + now->operation->pushes > STACK)
		fail("the stack is full");
	if (now->operation->run)
		now->operation->run(&stack[top]);
	top += now->operation->pushes;
}

int main(int argc, char **argv)
{
	FILE *input = argc == 2 ? fopen(argv[1], "re") : NULL;
	char text[4096];

	if (!input) {
		fprintf(stderr, "usage: vm PROGRAM (a file that can be read)\n");
		return 2;
	}
	file = argv[1];
	for (now++; fgets(text, sizeof(text), input); now++) {
		sscanf(text, " %63[^#\n]", now->source);
		parse();
	}
	fclose(input);
	for (now = code + 1; now->operation; now++) {
		if (now->operation->takes == NAME)
			now->argument = find(now->name);
		if (now->operation->takes == NEW_NAME && find(now->name) != (size_t)(now - code))
			fail("there is another one of this name");
	}
	ksmalloc_embed_frames(tell_frame, file);
	strcpy(now->source, "main");
	now->argument = find(now->source);
	do_call(stack);
	for (top = LOCALS; depth;)
		step();
	return 0;
}
