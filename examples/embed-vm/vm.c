/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm PROGRAM: a stack machine for programs of a line for each instruction, with a collector that moves objects (heap.c). It
 * stands for runtimes whose memory says nothing of who allocated it: here it is given to ksmalloc under names of the
 * program's. It works without the library, too.
 */
#include "heap.h"

#include <ksmalloc/embed.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CODE	 4096
#define FUNCTIONS 64
#define STACK	 65536
#define LOCALS	 4

enum operation { NUMBER, LOCAL, SET, NEW, GET, PUT, ADD, LESS, JUMP_IF, CALL, RETURN, PRINT, DROP, WAIT, OPERATIONS };

static const char *const names[OPERATIONS] = { "number", "local", "set", "new", "get", "put", "add", "less", "jump_if",
					       "call", "return", "print", "drop", "wait" };

struct instruction {
	enum operation operation;
	int line;
	int64_t argument;
	char target[32]; /* of jumps and calls, until it is found */
};

struct name {
	char text[32];
	unsigned int at;
	unsigned int function; /* that a place to jump to belongs to */
};

struct frame {
	unsigned int at; /* the instruction */
	size_t base;	 /* of its locals on the stack */
};

static const char *file;
static struct instruction code[CODE];
static struct name functions[FUNCTIONS], places[CODE];
static unsigned int code_count, function_count, place_count;
static value stack[STACK];
static size_t top;
/* Volatile: tell_frame() looks at them in the midst of malloc(), which compilers do not expect. */
static volatile struct frame frames[STACK / LOCALS + 1];
static volatile size_t depth; /* of the innermost call */

static _Noreturn void fail(int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	exit(1);
}

/* --- the program ---------------------------------------------------------------------------- */

static void add_instruction(int line, const char *word, const char *argument)
{
	struct instruction *added = &code[code_count];
	unsigned int operation = 0;

	while (operation < OPERATIONS && strcmp(names[operation], word) != 0)
		operation++;
	if (operation == OPERATIONS)
		fail(line, "no such instruction");
	if (++code_count == CODE)
		fail(line, "the program is too long");
	added->operation = operation;
	added->line = line;
	added->argument = atoll(argument);
	if ((operation == LOCAL || operation == SET) && (added->argument < 0 || added->argument >= LOCALS))
		fail(line, "no such local");
	snprintf(added->target, sizeof(added->target), "%s", argument);
}

static void add_name(struct name *list, unsigned int *count, const char *text)
{
	snprintf(list[*count].text, sizeof(list[*count].text), "%s", text);
	list[*count].at = code_count;
	list[*count].function = function_count;
	(*count)++;
}

static void read_line(int line, char *text)
{
	char word[32] = "", argument[32] = "";

	text[strcspn(text, "#\n")] = '\0';
	if (sscanf(text, "%31s %31s", word, argument) < 1)
		return;
	if (function_count == FUNCTIONS - 1 || place_count == CODE - 1)
		fail(line, "the program is too long");
	if (strcmp(word, "function") == 0) {
		add_name(functions, &function_count, argument);
	} else if (word[strlen(word) - 1] == ':') {
		word[strlen(word) - 1] = '\0';
		add_name(places, &place_count, word);
	} else {
		add_instruction(line, word, argument);
	}
}

/* The function that the instruction is one of: they are in order. */
static const struct name *function_at(unsigned int at)
{
	unsigned int i = function_count;

	while (i > 1 && functions[i - 1].at > at)
		i--;
	return &functions[i - 1];
}

static void find_targets(void)
{
	for (unsigned int i = 0; i < code_count; i++) {
		struct instruction *one = &code[i];
		const struct name *list = one->operation == CALL ? functions : places;
		unsigned int count = one->operation == CALL ? function_count : place_count, k = 0;
		unsigned int function = (unsigned int)(function_at(i) - functions) + 1;

		if (one->operation != CALL && one->operation != JUMP_IF)
			continue;
		while (k < count && (strcmp(list[k].text, one->target) != 0 || (list == places && list[k].function != function)))
			k++;
		if (k == count)
			fail(one->line, "it leads nowhere");
		one->argument = list[k].at;
	}
}

/* --- running it ----------------------------------------------------------------------------- */

/* VM_LABELS=no, and the library asks tell_frame() who allocates: a label would say the same. */
static bool is_asked;

/* For whom memory is: "array in load_rules (program.vm:5)". */
static const char *describe(void)
{
	static char text[96];
	unsigned int at = frames[depth].at;

	if (is_asked)
		return NULL;
	snprintf(text, sizeof(text), "array in %s (%s:%d)", function_at(at)->text, file, code[at].line);
	return text;
}

/* The same of any call, for the library, which asks when it wants to know. */
static int tell_frame(void *context, unsigned int level, struct ksmalloc_frame *frame)
{
	size_t now = depth;
	unsigned int at = level < now ? frames[now - level].at : 0;

	(void)context;
	if (level >= now)
		return -1;
	frame->file = file;
	frame->function = function_at(at)->text;
	frame->line = (unsigned int)code[at].line;
	return 0;
}

static void roots(void (*visit)(value *place))
{
	for (size_t i = 0; i < top; i++)
		visit(&stack[i]);
}

static value pop(void)
{
	if (top == frames[depth].base + LOCALS)
		fail(code[frames[depth].at].line, "the stack is empty");
	return stack[--top];
}

static void push(value pushed)
{
	if (top == STACK)
		fail(code[frames[depth].at].line, "the stack is full");
	stack[top++] = pushed;
}

static void enter(unsigned int at)
{
	if (top + LOCALS > STACK)
		fail(code[at].line, "the calls are too deep");
	frames[depth + 1].at = at;
	frames[depth + 1].base = top;
	depth++;
	memset(&stack[top], 0, LOCALS * sizeof(value));
	top += LOCALS;
}

static value *field(int line, value array, int64_t index)
{
	struct object *object = (struct object *)(uintptr_t)array;

	if (!array || (array & 1) || index < 0 || (uint64_t)index >= object->header >> 1)
		fail(line, "no such field");
	return &object->fields[index];
}

static void wait_for_end(void)
{
	char byte;

	heap_rest();
	printf("after %u collections it waits\n", heap_collections());
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

static void make(int line)
{
	int64_t count = number_of_value(pop());
	struct object *object = count < 0 || count > 1 << 24 ? NULL : heap_new((size_t)count, describe);

	if (!object)
		fail(line, "no memory");
	push((uintptr_t)object);
}

/* What works on objects. */
static void operate(const struct instruction *one)
{
	int64_t index;
	value moved;

	switch (one->operation) {
	case NEW:
		make(one->line);
		break;
	case GET:
		index = number_of_value(pop());
		push(*field(one->line, pop(), index));
		break;
	case PUT:
		moved = pop();
		index = number_of_value(pop());
		*field(one->line, pop(), index) = moved;
		break;
	case PRINT:
		printf("%lld\n", (long long)number_of_value(pop()));
		break;
	default:
		wait_for_end();
	}
}

/* One instruction. */
static void step(const struct instruction *one)
{
	volatile struct frame *frame = &frames[depth];
	value result;

	switch (one->operation) {
	case NUMBER:
		push(value_of_number(one->argument));
		break;
	case LOCAL:
		push(stack[frame->base + (size_t)one->argument]);
		break;
	case SET:
		stack[frame->base + (size_t)one->argument] = pop();
		break;
	case ADD:
		result = pop();
		push(value_of_number(number_of_value(pop()) + number_of_value(result)));
		break;
	case LESS:
		result = pop();
		push(value_of_number(number_of_value(pop()) < number_of_value(result)));
		break;
	case DROP:
		pop();
		break;
	case JUMP_IF:
		if (number_of_value(pop()))
			frame->at = (unsigned int)one->argument - 1;
		break;
	case CALL:
		enter((unsigned int)one->argument - 1);
		break;
	case RETURN:
		result = pop();
		top = frame->base;
		depth--;
		if (depth)
			push(result);
		break;
	default:
		operate(one);
	}
}

int main(int argc, char **argv)
{
	FILE *input = argc == 2 ? fopen(argv[1], "re") : NULL;
	const char *labels = getenv("VM_LABELS");
	char text[256];

	file = argc == 2 ? argv[1] : "vm";
	if (!input) {
		fprintf(stderr, "usage: vm PROGRAM (a file that can be read)\n");
		return 2;
	}
	for (int line = 1; fgets(text, sizeof(text), input); line++)
		read_line(line, text);
	fclose(input);
	snprintf(code[code_count].target, sizeof(code[0].target), "main");
	code[code_count++].operation = CALL;
	if (!function_count)
		fail(1, "there is no function");
	find_targets();
	is_asked = ksmalloc_embed_frames(tell_frame, NULL) == 0 && labels && strcmp(labels, "no") == 0;
	heap_init(roots);
	for (enter((unsigned int)code[code_count - 1].argument); depth; frames[depth].at++)
		step(&code[frames[depth].at]);
	return 0;
}
