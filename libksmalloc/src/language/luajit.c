/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All places are those of builds with pointers of 64 bits, in which a slot of a state's stack has 8
 * bytes, and a frame begins with two of them: the function, and how the frame before is found. What
 * is common to all states of a program differs from version to version; of that only compiled code
 * needs something.
 */
#include "language/luajit.h"

#include "language/luajit_name.h"
#include "site/module.h"

#include <errno.h>
#include <string.h>

/* In a state. */
#define STATE_COMMON 16
#define STATE_BASE 32
#define STATE_STACK 56
#define STATE_CFRAME 80
#define STATE_SLOTS 88

/* The interpreter's frame on the C stack, from the stack pointer on while it calls something. */
#define CFRAME_SLOTS                                                                               \
	8 /* results wanted; or, negative, how much of the stack belongs to who began it */
#define CFRAME_STATE 16
#define CFRAME_NEXT 24 /* the next instruction */
#define CFRAME_PREVIOUS 32
#define CFRAME_RETURN 72
#define CFRAME_BYTES 80
#define CFRAME_FLAGS 3u

/* Kinds of frames on a state's stack, in the low bits of a frame's second slot. */
#define FRAME_KIND 7u
#define FRAME_WITHOUT 3u /* of these bits some calls have another one beside */
#define FRAME_LUA 0u
#define FRAME_C 1u
#define FRAME_CONTINUE 2u
#define FRAME_VARARG 3u

#define SLOT 8u
#define TAG_SHIFT 47
#define TAG_FUNCTION 0x1fff7u

/*
 * What is common to all states, and lies behind the main one: which trace runs, the main state, the
 * one that runs, and where its frame is if a trace runs. As in the version of 2022; where it is not
 * so there are no frames of compiled code.
 */
#define COMMON_TRACE 184
#define COMMON_MAIN 192
#define COMMON_STATE 368
#define COMMON_BASE 376

struct luajit {
	uintptr_t begin; /* the interpreter's code */
	uintptr_t end;
};

static_assert(sizeof(struct luajit) <= KSM_READER_BYTES, "a reader has room for it");

/* --- finding the interpreter ------------------------------------------------------------------ */

static int32_t number_at(const uint8_t *bytes)
{
	int32_t number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

/*
 * Is this what describes the interpreter? It is code in assembler that has a handler of exceptions,
 * and no table for it; compilers make none of the kind. The size of its frames says which build it
 * is.
 */
static bool is_interpreter(const uint8_t *entry)
{
	enum { LEAST = 8192, SIZE_IS = 0x0e };
	const uint8_t *common = entry + 4 - number_at(entry + 4);

	return memcmp(common + 9, "zPR", 4) == 0 && number_at(entry + 12) >= LEAST &&
	       entry[16] == 0 && entry[17] == SIZE_IS && entry[18] == CFRAME_BYTES;
}

/* Looks through the table of functions with unwinding information: an address and an entry each,
 * from its own begin on. */
static bool find_interpreter(const uint8_t *index, struct luajit *luajit)
{
	static const uint8_t form[] = {1, 0x1b, 0x03, 0x3b};
	int32_t count;

	if (!index || memcmp(index, form, sizeof(form)) != 0)
		return false;
	count = number_at(index + 8);
	for (int32_t i = 0; i < count; i++) {
		const uint8_t *entry = index + number_at(index + 16 + 8 * (ptrdiff_t)i);

		if (!is_interpreter(entry))
			continue;
		luajit->begin = (uintptr_t)(index + number_at(index + 12 + 8 * (ptrdiff_t)i));
		luajit->end = luajit->begin + (uintptr_t)number_at(entry + 12);
		return true;
	}
	return false;
}

/* Does the function begin with these instructions? One that marks the target of a jump may stand
 * before. */
static bool begins_with(const struct ksm_dynsym *object, const char *name, const uint8_t *code,
			size_t bytes)
{
	static const uint8_t target[] = {0xf3, 0x0f, 0x1e, 0xfa};
	const ElfW(Sym) *symbol = ksm_dynsym_next(object, name, NULL);
	const uint8_t *found;

	if (!symbol || symbol->st_size < bytes + sizeof(target) - 4)
		return false;
	found = (const uint8_t *)(object->bias + symbol->st_value);
	if (memcmp(found, target, sizeof(target)) == 0)
		found += sizeof(target);
	return memcmp(found, code, bytes) == 0;
}

/* What is looked for is code of this machine. */
#ifdef __x86_64__
#define MACHINE_IS_KNOWN true
#else
#define MACHINE_IS_KNOWN false
#endif

static int find(const struct ksm_dynsym *object, void *state)
{
	/* movzbl 11(%rdi),%eax; mov 40(%rdi),%rax and sub 32(%rdi),%rax: where a state has its
	 * fields in these builds. */
	static const uint8_t status[] = {0x0f, 0xb6, 0x47, 0x0b};
	static const uint8_t top[] = {0x48, 0x8b, 0x47, 0x28, 0x48, 0x2b, 0x47, 0x20};

	if (!ksm_reader_symbol(object, "luaJIT_setmode") ||
	    !ksm_reader_symbol(object, "lua_newstate"))
		return -ENOENT;
	if (MACHINE_IS_KNOWN && begins_with(object, "lua_status", status, sizeof(status)) &&
	    begins_with(object, "lua_gettop", top, sizeof(top)) &&
	    find_interpreter(object->unwind_index, state))
		return 0;
	return -EOPNOTSUPP;
}

/* --- frames of a state -------------------------------------------------------------------------
 */

/* What lies at an address, 0 where there is no memory: a pointer that led there may be damaged. */
static uintptr_t word_at(uintptr_t address)
{
	return ksm_readable((const void *)address) ? (uintptr_t)ksm_script_pointer((const void *)address, 0) : 0;
}

static uint32_t half_at(uintptr_t address)
{
	return ksm_readable((const void *)address) ? ksm_script_number((const void *)address, 0) : 0;
}

static bool is_state(uintptr_t state)
{
	return ksm_script_is_object((const void *)state) &&
	       ksm_luajit_is((const void *)state, KSM_LUAJIT_THREAD);
}

/* The interpreter's innermost frame on the C stack that is this state's. */
static uintptr_t cframe_of(uintptr_t state)
{
	return word_at(state + STATE_CFRAME) & ~(uintptr_t)CFRAME_FLAGS;
}

/* Is this a place on the C stack above the other one? */
static bool is_above(uintptr_t place, uintptr_t other)
{
	enum { FAR = 64 << 20 };

	return place > other && place - other < FAR && place % sizeof(uintptr_t) == 0;
}

/* The one before it, 0 if it is the state's outermost. */
static uintptr_t cframe_before(uintptr_t cframe)
{
	uintptr_t before = word_at(cframe + CFRAME_PREVIOUS) & ~(uintptr_t)CFRAME_FLAGS;

	return is_above(before, cframe) ? before : 0;
}

/* How far the frames of a state have been walked. */
struct walk {
	uintptr_t bottom; /* of the state's stack */
	uintptr_t frame;  /* the second slot of one */
	uintptr_t next;	  /* the frame that this one has called; 0: there is none */
	uintptr_t cframe;
};

static uintptr_t kind_of(uintptr_t frame)
{
	return word_at(frame) & FRAME_KIND;
}

/* How it was called: by an instruction of a function in Lua. */
static bool is_called_by_lua(uintptr_t frame)
{
	return (kind_of(frame) & FRAME_WITHOUT) == FRAME_LUA;
}

/*
 * The instruction behind the one that a function in Lua is at, 0 if that is not known. It is in the
 * frame of what it has called; else the interpreter has left it in its own one on the C stack.
 */
static uintptr_t next_instruction(struct walk *walk)
{
	if (walk->next && is_called_by_lua(walk->next))
		return word_at(walk->next);
	if (walk->next && kind_of(walk->next) == FRAME_CONTINUE)
		return word_at(walk->next - 2 * SLOT);
	/* Calls that C has made meanwhile without a frame on the state's stack. */
	while (walk->cframe) {
		int64_t own = (int32_t)half_at(walk->cframe + CFRAME_SLOTS);

		if (own >= 0 || !walk->next || walk->next >= walk->bottom + (uintptr_t)-own)
			break;
		walk->cframe = cframe_before(walk->cframe);
	}
	return walk->cframe ? word_at(walk->cframe + CFRAME_NEXT) : 0;
}

/* Goes on to the frame before; false at the end, and where it would not be one. */
static bool step(struct walk *walk)
{
	uintptr_t how = word_at(walk->frame);
	uintptr_t bytes = how & ~(uintptr_t)FRAME_KIND;

	if (is_called_by_lua(walk->frame)) {
		if (!ksm_script_is_object((const void *)bytes))
			return false;
		/* The call before that instruction says in which register the function was. */
		bytes = SLOT * (2 + (uintptr_t)(half_at(how - 4) >> 8 & 0xff));
	} else if ((how & FRAME_WITHOUT) == FRAME_C && walk->cframe) {
		walk->cframe = cframe_before(walk->cframe);
	}
	if (bytes < 2 * SLOT || bytes > walk->frame - walk->bottom)
		return false;
	walk->next = walk->frame;
	walk->frame -= bytes;
	return walk->frame > walk->bottom + SLOT;
}

/* The prototype of a frame's function; NULL for one in C, and for frames without a function. */
static const void *proto_of(uintptr_t frame)
{
	uintptr_t slot = word_at(frame - SLOT);

	if (slot >> TAG_SHIFT != TAG_FUNCTION)
		return NULL;
	return ksm_luajit_proto((const void *)(slot & (((uintptr_t)1 << TAG_SHIFT) - 1)));
}

/* The new frame of the list, NULL if it is none: it is there, or has no file. */
static struct ksm_script_frame *add(struct ksm_script *script, const void *proto, int32_t position)
{
	struct ksm_script_frame *result;
	uint32_t begin = ksm_luajit_begin(proto);
	/* A function that is made anew in a freed one's place may have all but its line from it. */
	uint64_t place = (uint32_t)position | (uint64_t)begin << 32;

	if (ksm_script_has(script, proto, place))
		return NULL;
	result = ksm_script_begin(script, KSMALLOC_LANGUAGE_LUA, proto, place);
	if (!ksm_luajit_file(proto, &result->file))
		return NULL;
	if (begin == 0) {
		result->function = (struct ksm_text){.bytes = "main chunk", .length = 10};
	} else {
		result->made_number = begin;
		result->function = (struct ksm_text){.bytes = "function:", .length = 9};
	}
	script->count++;
	return result;
}

static void walk_frames(struct walk *walk, struct ksm_script *script)
{
	struct ksm_script_frame *unnamed = NULL;
	bool is_second = false;

	for (uint32_t i = 0; i < KSM_SCRIPT_LOOK_AT; i++) {
		const void *proto = is_second ? NULL : proto_of(walk->frame);

		if (proto) {
			int32_t position = ksm_luajit_position(proto, next_instruction(walk));
			struct ksm_text name;

			/* What this function has called has the name by which it got it. */
			if (unnamed && unnamed->made_number && is_called_by_lua(walk->next) &&
			    ksm_luajit_called(proto, position, &name)) {
				unnamed->function = name;
				unnamed->made_number = 0;
			}
			if (ksm_script_is_full(script))
				return;
			unnamed = add(script, proto, position);
		} else if (!is_second) {
			unnamed = NULL;
		}
		/* A function with more arguments than it names has two frames. */
		is_second = kind_of(walk->frame) == FRAME_VARARG;
		if (!step(walk))
			return;
	}
}

/* Walks a state whose innermost frame begins at base. */
static void walk_state(uintptr_t state, uintptr_t base, struct ksm_script *script)
{
	uintptr_t bottom = word_at(state + STATE_STACK);
	uintptr_t slots = half_at(state + STATE_SLOTS);
	struct walk walk = {.bottom = bottom, .frame = base - SLOT, .cframe = cframe_of(state)};

	if (!ksm_script_is_object((const void *)bottom) || base % SLOT ||
	    base < bottom + 3 * SLOT || base > bottom + slots * SLOT)
		return;
	walk_frames(&walk, script);
}

/* --- the state that runs ------------------------------------------------------------------------
 */

/*
 * What is common to the states of programs that were met in the interpreter, and the register that compiled code and the
 * interpreter have for it. Only what is equal to it leads there: of states that were closed the memory may be gone, and others
 * may lie close by. Synchronization: one capture at a time.
 */
static struct met {
	uintptr_t common;
	uintptr_t kept;
} met[16];
static uint32_t met_count;

static void meet(uintptr_t common, uintptr_t kept)
{
	enum { BYTES = 16 << 10 };

	if (kept <= common || kept - common >= BYTES)
		return;
	for (uint32_t i = 0; i < KSM_COUNT_OF(met); i++) {
		if (met[i].kept == kept) {
			met[i].common = common;
			return;
		}
	}
	met[met_count++ % KSM_COUNT_OF(met)] = (struct met){ common, kept };
}

/* The one that has this register; 0 if none was met. */
static uintptr_t find_met(uintptr_t kept)
{
	for (uint32_t i = 0; i < KSM_COUNT_OF(met); i++) {
		if (met[i].common && met[i].kept == kept)
			return met[i].common;
	}
	return 0;
}

struct search {
	const struct luajit *luajit;
	uintptr_t state; /* 0: none runs, or not in a way that can be read */
	uintptr_t base;
};

static bool is_code_of_file(uintptr_t address)
{
	struct ksm_module_address found;

	return ksm_module_resolve(address, &found) == 0;
}

static bool is_interpreter_code(const struct luajit *luajit, uintptr_t address)
{
	return address >= luajit->begin && address < luajit->end;
}

/*
 * The state of a frame of the interpreter, 0 if it is not laid out as those are: where compiled
 * code is left, registers lie in it first. Its state is read only if all else is as it has to be.
 */
static uintptr_t state_at(uintptr_t cframe)
{
	uintptr_t before = word_at(cframe + CFRAME_PREVIOUS) & ~(uintptr_t)CFRAME_FLAGS;
	uintptr_t state = word_at(cframe + CFRAME_STATE);

	if ((before && !is_above(before, cframe)) ||
	    !is_code_of_file(word_at(cframe + CFRAME_RETURN)) || !is_state(state))
		return 0;
	return cframe_of(state) == cframe ? state : 0;
}

/* Finds the state by what is common to all; its frame on the C stack is above this place. */
static void find_by_common(struct search *search, uintptr_t common, uintptr_t place)
{
	enum { STATE_LEAST = 88, STATE_MOST = 128 };
	uintptr_t main_state = common ? word_at(common + COMMON_MAIN) : 0;
	uintptr_t state;

	if (!common || common - main_state < STATE_LEAST || common - main_state > STATE_MOST)
		return;
	state = word_at(common + COMMON_STATE);
	if (!is_state(state) || word_at(state + STATE_COMMON) != common ||
	    !is_above(cframe_of(state), place - 1))
		return;
	search->state = state;
	search->base = word_at((int32_t)half_at(common + COMMON_TRACE) > 0
				       ? common + COMMON_BASE
				       : state + STATE_BASE);
}

/*
 * Compiled code that runs before anything was met: it has the interpreter's frame above its own. If
 * its state there is the main one, what is common lies close behind, and the register of compiled
 * code points there, too.
 */
static uintptr_t find_first(uintptr_t place, uintptr_t kept)
{
	enum { REACH = 1152, LEAST = 1024, MOST = 16 << 10 };
	uintptr_t end = ksm_unwind_own_stack_end(place);

	for (uintptr_t at = place; at < place + REACH && at + CFRAME_BYTES < end;
	     at += sizeof(uintptr_t)) {
		uintptr_t state = word_at(at + CFRAME_STATE);

		if (kept > state && kept - state > LEAST && kept - state < MOST &&
		    state_at(at) == state) {
			meet(word_at(state + STATE_COMMON), kept);
			return find_met(kept);
		}
	}
	return 0;
}

/* The innermost frame that is LuaJIT's own or that of compiled code tells. */
static bool visit(void *context, const struct ksm_unwind_frame *frame)
{
	struct search *search = context;
	bool is_interpreter = is_interpreter_code(search->luajit, frame->code);

	if (frame->was_interrupted)
		return false;
	if (!is_interpreter && is_code_of_file(frame->code))
		return true;
	search->state = is_interpreter ? state_at(frame->stack) : 0;
	if (search->state) {
		search->base = word_at(search->state + STATE_BASE);
		meet(word_at(search->state + STATE_COMMON), frame->kept);
	} else {
		uintptr_t common = find_met(frame->kept);

		if (!common && !is_interpreter)
			common = find_first(frame->stack, frame->kept);
		find_by_common(search, common, frame->stack);
	}
	return false;
}

/* The state that has resumed this one: its frame on the C stack lies behind this one's outermost. 0
 * if that is not Lua. */
static uintptr_t resumed_by(const struct luajit *luajit, uintptr_t state)
{
	enum { DEEPEST = 200 };
	uintptr_t cframe = cframe_of(state);
	uintptr_t before;

	for (int i = 0; i < DEEPEST && (before = cframe_before(cframe)) != 0; i++)
		cframe = before;
	return is_interpreter_code(luajit, word_at(cframe + CFRAME_RETURN))
		       ? state_at(cframe + CFRAME_BYTES)
		       : 0;
}

/* Is LuaJIT at work anywhere on this stack? Compiled code is of no file. */
static bool may_run(const struct luajit *luajit, const struct ksm_stack *stack)
{
	for (uint32_t i = 0; i < stack->count; i++)
		if (is_interpreter_code(luajit, stack->frames[i]) ||
		    !is_code_of_file(stack->frames[i]))
			return true;
	return false;
}

static void walk(const void *reader, const struct ksm_stack *stack, struct ksm_script *script)
{
	enum { STATES = 4 };
	struct search search = {.luajit = reader};

	if (!may_run(reader, stack))
		return;
	ksm_unwind_climb(stack, visit, &search);
	for (int i = 0; i < STATES && search.state && !ksm_script_is_full(script); i++) {
		walk_state(search.state, search.base, script);
		search.state = resumed_by(reader, search.state);
		search.base = search.state ? word_at(search.state + STATE_BASE) : 0;
	}
}

static uint32_t line(const void *state, const struct ksm_script_frame *frame)
{
	(void)state;
	return ksm_luajit_line(frame->code, (int32_t)frame->position);
}

const struct ksm_reader ksm_language_luajit = {
	.language = KSMALLOC_LANGUAGE_LUA,
	.find = find,
	.walk = walk,
	.line = line,
};
