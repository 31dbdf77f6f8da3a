/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Damages what an interpreter keeps of its frames, has whoever is listening asked whose memory is (by mapping some), and puts
 * everything back before the interpreter looks at it again. Scripts call it as an extension; tests/language/damaged says which
 * frames are to be found then. It knows the releases that Debian 12 has: Python 3.11, Lua 5.3 and 5.4, LuaJIT 2.1 beta 3, PHP 8.2,
 * Perl 5.36, Ruby 3.1.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE  ((size_t)4096)
#define BYTES ((size_t)256 << 10)
#define ROOM  1024 /* of a copy of an object */

/* What a pointer is made to lead to. */
enum damage {
	NONE,
	ITSELF,	   /* a circle */
	UNALIGNED, /* into the middle of what it led to */
	NEAR_ZERO, /* a small number that was taken for a pointer */
	UNMAPPED,  /* where there is no memory */
	FORBIDDEN, /* where there is, and nobody may read it */
	LAST_WORD, /* so near the end of memory that what is looked for would lie behind it */
	GARBAGE,   /* where there is anything */
	HIGH,	   /* no address at all */
	DAMAGES,
};

static const char *const names[DAMAGES] = {"none",	"itself",    "unaligned", "near_zero", "unmapped",
					   "forbidden", "last_word", "garbage",	  "high"};

/* Asks, by mappings from here, so many that some have marks. */
static __attribute__((noinline)) void ask(void)
{
	for (int i = 0; i < 20; i++) {
		void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			abort();
		memset(memory, 1, PAGE);
		/* The last one stays, so that it is known what was found. */
		if (i < 19)
			munmap(memory, BYTES);
	}
}

static enum damage number_of(const char *name)
{
	for (int i = 0; i < DAMAGES; i++) {
		if (strcmp(names[i], name) == 0)
			return (enum damage)i;
	}
	fprintf(stderr, "damage: %s is none\n", name);
	abort();
}

/* A readable page, behind it one that is not, and far below them one that is unmapped, and that nobody else gets. */
static char *pages;
static char *nothing;

/* Before there are scripts, so that these have none. */
__attribute__((constructor)) static void map_pages(void)
{
	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE))
		abort();
	memset(pages, 0xa5, PAGE);
	nothing = pages - ((size_t)1 << 42);
}

static uint64_t damaged(enum damage damage, uint64_t object, uint64_t was)
{
	switch (damage) {
	case ITSELF:
		return object;
	case UNALIGNED:
		return was + 3;
	case NEAR_ZERO:
		return 0x10008;
	case UNMAPPED:
		return (uintptr_t)nothing + 64;
	case FORBIDDEN:
		return (uintptr_t)pages + PAGE + 64;
	case LAST_WORD:
		return (uintptr_t)pages + PAGE - 8;
	case GARBAGE:
		return (uintptr_t)pages + 64;
	case HIGH:
		return UINT64_C(0xa5a5a5a5a5a5a5a0);
	default:
		return was;
	}
}

static void *pointer(const void *object, size_t offset)
{
	void *value;

	memcpy(&value, (const char *)object + offset, sizeof(value));
	return value;
}

/* Asks while a field has this value, and puts back what it had. */
static void ask_with(void *field, uint64_t value)
{
	uint64_t was;

	memcpy(&was, field, sizeof(was));
	memcpy(field, &value, sizeof(value));
	ask();
	memcpy(field, &was, sizeof(was));
}

/* Damages one pointer of an object, asks, and repairs it. */
static void damage_field(void *object, size_t offset, enum damage damage)
{
	uint64_t was = (uintptr_t)pointer(object, offset);

	ask_with((char *)object + offset, damaged(damage, (uintptr_t)object, was));
}

/*
 * The same of an object that others share: what leads to it leads to a copy of it, one field of which is damaged. Each damage has a copy
 * of its own: a frame's line is looked for only if its code was not seen before.
 */
static void damage_copy(void *object, size_t offset, size_t field, enum damage damage)
{
	static _Alignas(64) char copies[DAMAGES][ROOM];
	char *copy = copies[damage];
	void *was = pointer(object, offset);
	uint64_t value = damaged(damage, (uintptr_t)copy, (uintptr_t)pointer(was, field));

	memcpy(copy, was, 256);
	memcpy(copy + field, &value, sizeof(value));
	ask_with((char *)object + offset, (uintptr_t)copy);
}

static void *must_find(const char *symbol)
{
	void *address = dlsym(RTLD_DEFAULT, symbol);

	if (!address) {
		fprintf(stderr, "damage: the interpreter has no %s\n", symbol);
		abort();
	}
	return address;
}

struct field {
	const char *name;
	size_t offset;
};

/* The offset of the field with this name; the list ends with one that has none. */
static size_t offset_of(const struct field *fields, const char *name)
{
	for (; fields->name; fields++) {
		if (strcmp(fields->name, name) == 0)
			return fields->offset;
	}
	return SIZE_MAX;
}

/* --- Python 3.11 ------------------------------------------------------------------------------- */

void damage_python(const char *what, const char *name);

/* The table of lines lies at the end of memory, and says that it is longer than that; the first entry has no end. */
static void damage_python_table(char *code)
{
	enum { HEAD = 32, DATA = 8 };
	char *table = pages + PAGE - HEAD - DATA;
	void *was = pointer(code, 136);
	uint64_t length = 1000;

	memcpy(table, was, HEAD);
	memcpy(table + 16, &length, sizeof(length));
	memset(table + HEAD, 0, DATA);
	ask_with(code + 136, (uintptr_t)table);
}

void damage_python(const char *what, const char *name)
{
	void *(*this_state)(void) = (void *(*)(void))must_find("PyGILState_GetThisThreadState");
	enum damage damage = number_of(name);
	void *entry = pointer(this_state(), 56);
	void *frame = pointer(entry, 8);

	if (strcmp(what, "innermost") == 0)
		damage_field(entry, 8, damage);
	else if (strcmp(what, "previous") == 0)
		damage_field(frame, 48, damage);
	else if (strcmp(what, "code") == 0)
		damage_field(frame, 32, damage);
	else if (strcmp(what, "table") == 0)
		damage_python_table(pointer(frame, 32));
	else if (strcmp(what, "name") == 0)
		damage_copy(frame, 32, 128, damage);
	else if (strcmp(what, "file") == 0)
		damage_copy(frame, 32, 112, damage);
	else
		damage_copy(frame, 32, 136, damage); /* lines */
}

/* --- Lua 5.3 and 5.4 --------------------------------------------------------------------------- */

int damage_lua(void *state);

int damage_lua(void *state)
{
	const char *(*text)(void *, int, size_t *) = (const char *(*)(void *, int, size_t *))must_find("luaL_checklstring");
	const char *what = text(state, 1, NULL);
	enum damage damage = number_of(text(state, 2, NULL));
	void *call = pointer(state, 32);      /* of this function */
	void *caller = pointer(call, 16);     /* of the script's, which called it */
	void *closure = pointer(pointer(caller, 0), 0);
	bool is_53 = !dlsym(RTLD_DEFAULT, "lua_toclose");

	if (strcmp(what, "innermost") == 0)
		damage_field(state, 32, damage);
	else if (strcmp(what, "previous") == 0)
		damage_field(caller, 16, damage);
	else if (strcmp(what, "code") == 0)
		damage_field(closure, 24, damage);
	else if (strcmp(what, "file") == 0)
		damage_copy(closure, 24, is_53 ? 104 : 112, damage);
	else
		damage_copy(closure, 24, is_53 ? 72 : 88, damage); /* lines */
	return 0;
}

/* --- LuaJIT 2.1 beta 3 -------------------------------------------------------------------------- */

int damage_luajit(void *state);
int damage_luajit_compiled(const char *what, const char *name);

#define JIT_ADDRESS ((UINT64_C(1) << 47) - 1) /* of a slot of the stack; the rest of it says of which kind it is */

/* A slot of the stack keeps its kind. */
static void damage_slot(char *slot, enum damage damage)
{
	uint64_t was = (uintptr_t)pointer(slot, 0);
	uint64_t value = (was & ~JIT_ADDRESS) | (damaged(damage, was & JIT_ADDRESS, was & JIT_ADDRESS) & JIT_ADDRESS);

	ask_with(slot, value);
}

/* The base of the frame that has called the one with this base: the call before where that goes on names the register. */
static char *jit_caller(char *base)
{
	const unsigned char *call = (const unsigned char *)pointer(base - 8, 0) - 4;

	return base - 8 * (2 + (size_t)call[1]);
}

static void damage_jit(char *state, const char *what, enum damage damage)
{
	static const struct field states[] = {{"common", 16}, {"base", 32}, {"stack", 56}, {"cframe", 80}, {NULL, 0}};
	static const struct field frames[] = {{"c_state", 16}, {"c_next", 24}, {"c_previous", 32}, {NULL, 0}};
	static const struct field protos[] = {
		{"constants", 32}, {"file", 64}, {"lines", 80}, {"upvalues", 88}, {"locals", 96}, {NULL, 0}};
	char *base = pointer(state, 32);
	char *caller = jit_caller(base);
	char *closure = (char *)((uintptr_t)pointer(caller - 16, 0) & JIT_ADDRESS);
	char *cframe = (char *)((uintptr_t)pointer(state, 80) & ~(uintptr_t)3);

	if (offset_of(states, what) != SIZE_MAX)
		damage_field(state, offset_of(states, what), damage);
	else if (offset_of(frames, what) != SIZE_MAX)
		damage_field(cframe, offset_of(frames, what), damage);
	else if (offset_of(protos, what) != SIZE_MAX)
		damage_field((char *)pointer(closure, 32) - 104, offset_of(protos, what), damage);
	else if (strcmp(what, "link") == 0)
		damage_field(base - 8, 0, damage);
	else if (strcmp(what, "previous") == 0)
		damage_field(caller - 8, 0, damage);
	else if (strcmp(what, "function") == 0)
		damage_slot(caller - 16, damage);
	else
		damage_field(closure, 32, damage); /* code */
}

static char *jit_state;

int damage_luajit(void *state)
{
	const char *(*text)(void *, int, size_t *) = (const char *(*)(void *, int, size_t *))must_find("luaL_checklstring");
	const char *what = text(state, 1, NULL);

	jit_state = state;
	if (strcmp(what, "nothing") != 0)
		damage_jit(state, what, number_of(text(state, 2, NULL)));
	return 0;
}

/* What is common to all states, while compiled code has called this; 0 if it was the interpreter. */
int damage_luajit_compiled(const char *what, const char *name)
{
	static const struct field fields[] = {{"main", 192}, {"state", 368}, {"base", 376}, {NULL, 0}};
	char *common = pointer(jit_state, 16);
	int trace;

	memcpy(&trace, common + 184, sizeof(trace));
	if (trace <= 0)
		return 0;
	damage_field(common, offset_of(fields, what), number_of(name));
	return 1;
}

/* --- PHP 8.2 ----------------------------------------------------------------------------------- */

void damage_php(const char *what, const char *name);

/* The function's code and the instruction that the frame is at lead to the same place. */
static void damage_php_code(void *frame, enum damage damage)
{
	void *was = pointer(frame, 0);
	uint64_t value = damaged(damage, (uintptr_t)frame, (uintptr_t)was);

	memcpy(frame, &value, sizeof(value));
	damage_copy(frame, 24, 88, damage);
	memcpy(frame, &was, sizeof(was));
}

void damage_php(const char *what, const char *name)
{
	char *globals = must_find("executor_globals");
	enum damage damage = number_of(name);
	void *frame = pointer(globals, 488);  /* of FFI's function */
	void *caller = pointer(frame, 48);    /* of the script's, which called it */

	if (strcmp(what, "previous") == 0)
		damage_field(caller, 48, damage);
	else if (strcmp(what, "innermost") == 0)
		damage_field(frame, 24, damage); /* its function */
	else if (strcmp(what, "instructions") == 0)
		damage_php_code(caller, damage);
	else if (strcmp(what, "code") == 0)
		damage_field(pointer(caller, 48), 24, damage); /* of who called that */
	else
		damage_copy(caller, 24, 8, damage); /* name */
}

/* --- Perl 5.36 --------------------------------------------------------------------------------- */

void damage_perl(void *interpreter, void *sub);

/* What it is to do, since it does not know Perl's stack. */
void damage_perl(void *interpreter, void *sub)
{
	const char *what = getenv("DAMAGE_WHAT");
	enum damage damage = number_of(getenv("DAMAGE_NAME"));
	size_t statement = (size_t)atol(getenv("DAMAGE_STATEMENT"));
	size_t stack = (size_t)atol(getenv("DAMAGE_STACK"));

	(void)sub;
	if (strcmp(what, "innermost") == 0)
		damage_field(interpreter, statement, damage);
	else
		damage_field(interpreter, stack, damage);
}

/* --- Ruby 3.1 ---------------------------------------------------------------------------------- */

void damage_ruby(const char *what, const char *name);

/* The first frame from this one on that is at code of a script. */
static char *ruby_frame(char *frame)
{
	while (!pointer(frame, 16))
		frame += 64;
	return frame;
}

/* A name's or a file's: a string, or an array with one that lies elsewhere. */
static void damage_ruby_text(char *object, const char *what, enum damage damage)
{
	if (strcmp(what, "names") == 0)
		damage_field(object, 32, damage);
	else if (strcmp(what, "characters") == 0)
		damage_field(object, 24, damage);
	else
		damage_field(object, 0, damage); /* what it is */
}

void damage_ruby(const char *what, const char *name)
{
	static const struct field contexts[] = {{"stack", 0}, {"words", 8}, {"innermost", 16}, {NULL, 0}};
	static const struct field frames[] = {{"next", 0}, {"code", 16}, {"values", 32}, {NULL, 0}};
	static const struct field bodies[] = {{"instructions", 8}, {"file", 64}, {"label", 80}, {"lines", 120},
					      {"count", 136},	   {"index", 144}, {"outermost", 176}, {NULL, 0}};
	enum damage damage = number_of(name);
	char *context = *(char **)must_find("ruby_current_ec"); /* this thread's */
	char *inner = ruby_frame(pointer(context, 16));
	char *caller = ruby_frame(inner + 64);
	char *code = pointer(caller, 16);
	char *body = pointer(code, 16);

	if (offset_of(contexts, what) != SIZE_MAX)
		damage_field(context, offset_of(contexts, what), damage);
	else if (offset_of(frames, what) != SIZE_MAX)
		damage_field(caller, offset_of(frames, what), damage);
	else if (offset_of(bodies, what) != SIZE_MAX)
		damage_field(body, offset_of(bodies, what), damage);
	else if (strcmp(what, "kind") == 0)
		damage_field(code, 0, damage);
	else if (strcmp(what, "body") == 0)
		damage_field(code, 16, damage);
	else
		damage_ruby_text(pointer(body, 64), what, damage);
}
