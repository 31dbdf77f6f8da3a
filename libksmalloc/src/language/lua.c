/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things lie in 5.3 and 5.4 differs in a few places; the table below has those. All structures begin with a link to the
 * next object and the object's type.
 */
#include "language/lua.h"

#include "layout/span.h"

#include <errno.h>
#include <string.h>

/* jemalloc's: is this an address of its blocks? */
bool ksm_je_owns(const void *block);

#define OBJECT_TYPE 8
#define TYPE_THREAD 8
#define TYPE_PROTO_53 9
#define TYPE_PROTO_54 10
#define TYPE_CLOSURE 6
#define TYPE_SHORT_STRING 4
#define TYPE_LONG_STRING 20
#define VALUE_BYTES 16
#define VALUE_TYPE  8
#define VALUE_IS_CLOSURE 0x46

/* In a state: its top, what is common to all states, and the innermost call. */
#define STATE_TOP    16
#define STATE_COMMON 24
#define STATE_CALL   32
#define STATE_BYTES  64 /* of which something is read, in all versions */

/* In a call: function, and the call that made it. */
#define CALL_FUNCTION 0
#define CALL_PREVIOUS 16
#define CALL_IS_TAIL  (1u << 5) /* of its flags, in all versions: it has taken the place of who made it */

#define CLOSURE_PROTO 24
#define CLOSURE_BYTES 32 /* at least */

/* In a string: length if it is short, if it is long, and characters. */
#define STRING_SHORT 11
#define STRING_LONG  16
#define STRING_DATA  24

#define PROTO_CODE_COUNT     24
#define PROTO_CONSTANT_COUNT 20
#define PROTO_UPVALUE_COUNT  16
#define PROTO_BYTES	     120 /* of which something is read */
#define UPVALUE_BYTES	     16

struct layout {
	uint8_t state_stack;
	uint8_t proto_type;
	/* In a call: the next instruction, and 2 bytes of flags; which of these are set while a hook runs, and of a finalizer. */
	uint8_t next_instruction;
	uint8_t flags;
	uint16_t is_in_hook;
	uint16_t is_finalizer;
	/* In a function: the line where it begins, and the rest. */
	uint8_t begins;
	uint8_t constants;
	uint8_t code;
	uint8_t upvalues;
	uint8_t lines;
	uint8_t file;
	uint8_t locals;
	/* Instructions: bits of the operation, that of a call, and those that get a function for one. */
	uint8_t operation_bits;
	uint8_t op_call;
	uint8_t op_upvalue;
	uint8_t op_global; /* a field of an upvalue, as globals are */
	uint8_t op_field;
	uint8_t op_method;
	/* A jump: where in the word its distance is, and what that is for the next instruction. */
	uint8_t op_jump;
	uint8_t jump_shift;
	uint32_t jump_zero;
};

static const struct layout layouts[] = {
	{ /* 5.3 */
	  .state_stack = 56, .proto_type = TYPE_PROTO_53,
	  .next_instruction = 40, .flags = 66, .is_in_hook = 1u << 2, .is_finalizer = 1u << 8,
	  .begins = 40, .constants = 48, .code = 56, .upvalues = 88, .lines = 72, .file = 104, .locals = 80,
	  .operation_bits = 6, .op_call = 36, .op_upvalue = 5, .op_global = 6, .op_field = 7, .op_method = 12,
	  .op_jump = 30, .jump_shift = 14, .jump_zero = (1u << 17) - 1 },
	{ /* 5.4 */
	  .state_stack = 48, .proto_type = TYPE_PROTO_54,
	  .next_instruction = 32, .flags = 62, .is_in_hook = 1u << 3, .is_finalizer = 1u << 7,
	  .begins = 44, .constants = 56, .code = 64, .upvalues = 80, .lines = 88, .file = 112, .locals = 104,
	  .operation_bits = 7, .op_call = 68, .op_upvalue = 9, .op_global = 11, .op_field = 14, .op_method = 20,
	  .op_jump = 56, .jump_shift = 7, .jump_zero = (1u << 24) - 1 },
};

struct lua {
	struct layout at;
	bool is_53;
};

static_assert(sizeof(struct lua) <= KSM_READER_BYTES, "a reader has room for it");

/*
 * Both have lua_ident, and only 5.4 can close a variable. LuaJIT, which has names of its own, too, has another reader.
 */
static int find(const struct ksm_dynsym *object, void *state)
{
	struct lua *lua = state;

	if (!ksm_reader_symbol(object, "lua_newstate"))
		return -ENOENT;
	if (ksm_reader_symbol(object, "luaJIT_setmode"))
		return -ENOENT;
	if (!ksm_reader_symbol(object, "lua_isyieldable"))
		return -EOPNOTSUPP;
	lua->is_53 = !ksm_reader_symbol(object, "lua_toclose");
	lua->at = layouts[!lua->is_53];
	return 0;
}

/* --- functions ------------------------------------------------------------------------------- */

static bool read_text(const void *string, struct ksm_text *text)
{
	uint8_t type;
	uint64_t length;

	if (!ksm_script_is_whole(string, STRING_DATA))
		return false;
	type = ksm_script_byte_in(string, OBJECT_TYPE);
	if (type != TYPE_SHORT_STRING && type != TYPE_LONG_STRING)
		return false;
	length = type == TYPE_SHORT_STRING ? ksm_script_byte_in(string, STRING_SHORT) :
					     (uint64_t)(uintptr_t)ksm_script_pointer_in(string, STRING_LONG);
	if (length > INT32_MAX)
		return false;
	*text = (struct ksm_text){ .bytes = (const char *)string + STRING_DATA, .length = (uint32_t)length };
	return ksm_script_is_text_in(string, STRING_DATA, text->length);
}

/* The file of the frame that comes next; most have that of the one before, behind a sign. */
static bool read_file(const struct ksm_script *script, const void *string, struct ksm_text *text)
{
	const struct ksm_text *before = ksm_script_file_before(script);

	if (before && before->bytes == (const char *)string + STRING_DATA + 1) {
		*text = *before;
		return true;
	}
	if (!read_text(string, text))
		return false;
	ksm_lua_take_file(text);
	return true;
}

/* What the function at this place of the stack was compiled to; NULL if it is one in C. */
static const void *proto_of(const struct lua *lua, const void *value)
{
	const void *closure, *proto;

	if (!ksm_script_is_whole(value, VALUE_BYTES) || (ksm_script_byte_in(value, VALUE_TYPE) & 0x7f) != VALUE_IS_CLOSURE)
		return NULL;
	closure = ksm_script_pointer_in(value, 0);
	if (!ksm_script_is_whole(closure, CLOSURE_BYTES) || (ksm_script_byte_in(closure, OBJECT_TYPE) & 0x3f) != TYPE_CLOSURE)
		return NULL;
	proto = ksm_script_pointer_in(closure, CLOSURE_PROTO);
	return ksm_script_is_whole(proto, PROTO_BYTES) && ksm_script_byte_in(proto, OBJECT_TYPE) == lua->at.proto_type ? proto :
															 NULL;
}

/* The number of the instruction that a call of a function is at, or -1. Both are there. */
static int32_t instruction_of(const struct lua *lua, const void *call, const void *proto)
{
	uintptr_t next = (uintptr_t)ksm_script_pointer_in(call, lua->at.next_instruction);
	uintptr_t code = (uintptr_t)ksm_script_pointer_in(proto, lua->at.code);
	uint32_t count = ksm_script_number_in(proto, PROTO_CODE_COUNT);

	if (next <= code || (next - code) / 4 > count)
		return -1;
	return (int32_t)((next - code) / 4) - 1;
}

/* Differences in a byte each, and now and then a pair of an instruction and its line, since 5.4. */
static uint32_t line_54(const void *proto, int32_t instruction)
{
	enum { BYTES = 28, PAIR_COUNT = 40, PAIRS = 96 };
	const int8_t *differences = ksm_script_pointer(proto, 88);
	const int32_t *pairs = ksm_script_pointer(proto, PAIRS);
	uint32_t pair_count = ksm_script_number(proto, PAIR_COUNT);
	int64_t line = (int32_t)ksm_script_number(proto, 44);
	int32_t at = -1;
	uint32_t low = 0;

	if (!ksm_script_is_object(differences) || instruction >= (int32_t)ksm_script_number(proto, BYTES) ||
	    !ksm_script_reaches(differences, (size_t)instruction))
		return 0;
	/* The last pair that is not behind the instruction. */
	for (uint32_t high = ksm_script_is_object(pairs) && pair_count < INT32_MAX ? pair_count : 0; low < high;) {
		uint32_t middle = (low + high) / 2;

		if (!ksm_script_reaches(pairs, ((size_t)2 * middle + 2) * sizeof(*pairs) - 1))
			return 0;
		if (pairs[2 * middle] <= instruction)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0) {
		at = pairs[2 * (low - 1)];
		line = pairs[2 * (low - 1) + 1];
	}
	/* The first one may lie pages before the last one, which was looked at. */
	for (; at < instruction; at++) {
		if (!ksm_script_reaches(differences, (size_t)(at + 1)))
			return 0;
		line += differences[at + 1];
	}
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

static uint32_t line(const void *state, const struct ksm_script_frame *frame)
{
	enum { LINE_COUNT = 28 };
	const struct lua *lua = state;
	int32_t instruction = (int32_t)frame->position;
	const void *lines;
	uint32_t result;

	if (instruction < 0)
		return 0;
	if (!lua->is_53)
		return line_54(frame->code, instruction);
	lines = ksm_script_pointer(frame->code, lua->at.lines);
	if (!ksm_script_is_object(lines) || instruction >= (int32_t)ksm_script_number(frame->code, LINE_COUNT))
		return 0;
	/* Their number is what the function says, and no bound of the memory that they lie in. */
	result = ksm_script_number(lines, sizeof(result) * (size_t)instruction);
	return result <= INT32_MAX ? result : 0;
}

/* --- names of functions, by the code that gets them for a call ------------------------------------- */

struct instruction {
	uint8_t operation;
	uint8_t a;
	uint16_t b;
	uint16_t c;
	bool is_constant; /* c is the number of one */
};

static uint8_t operation_of(const struct lua *lua, uint32_t word)
{
	return word & ((1u << lua->at.operation_bits) - 1);
}

/* Its a alone: of most instructions that are looked at it says that they are of no interest. */
static uint8_t register_of(const struct lua *lua, uint32_t word)
{
	return word >> lua->at.operation_bits & 0xff;
}

static struct instruction decode(const struct lua *lua, uint32_t word)
{
	struct instruction result = { .operation = operation_of(lua, word) };

	result.a = register_of(lua, word);
	if (lua->is_53) {
		result.b = word >> 23 & 0x1ff;
		result.c = word >> 14 & 0xff;
		result.is_constant = word >> 22 & 1;
	} else {
		result.b = word >> 16 & 0xff;
		result.c = word >> 24 & 0xff;
		result.is_constant = result.operation != lua->at.op_method || (word >> 15 & 1);
	}
	return result;
}

static bool read_constant(const struct lua *lua, const void *proto, uint32_t index, struct ksm_text *text)
{
	const char *constants = ksm_script_pointer_in(proto, lua->at.constants);

	if (!ksm_script_is_object(constants) || index >= ksm_script_number_in(proto, PROTO_CONSTANT_COUNT))
		return false;
	return read_text(ksm_script_pointer(constants, index * VALUE_BYTES), text);
}

static bool read_upvalue(const struct lua *lua, const void *proto, uint32_t index, struct ksm_text *text)
{
	const char *upvalues = ksm_script_pointer_in(proto, lua->at.upvalues);

	if (!ksm_script_is_object(upvalues) || index >= ksm_script_number_in(proto, PROTO_UPVALUE_COUNT))
		return false;
	return read_text(ksm_script_pointer(upvalues, index * UPVALUE_BYTES), text);
}

/* The variable that is in a register at an instruction: the index-th of those that are there. */
static bool read_local(const struct lua *lua, const void *proto, uint32_t index, int32_t instruction,
		       struct ksm_text *text)
{
	enum { LOCAL_COUNT = 36, LOCAL_BYTES = 16, BEGIN = 8, END = 12, FAR = 250 };
	const char *locals = ksm_script_pointer(proto, lua->at.locals);
	uint32_t count = (uint32_t)ksm_min(ksm_script_number(proto, LOCAL_COUNT), FAR);

	for (uint32_t i = 0; ksm_script_is_object(locals) && i < count; i++, locals += LOCAL_BYTES) {
		if ((int32_t)ksm_script_number(locals, BEGIN) > instruction)
			return false;
		if (instruction < (int32_t)ksm_script_number(locals, END) && index-- == 0)
			return read_text(ksm_script_pointer(locals, 0), text);
	}
	return false;
}

/* May the code have come to the call without this instruction, over which one shortly before it jumps? */
static bool is_jumped_over(const struct lua *lua, const char *code, int32_t at, int32_t call)
{
	enum { NEAR = 5 };
	int32_t from = ksm_max(at - NEAR, 0);
	const char *words = code + 4 * (size_t)from;

	if (!ksm_readable(words) || !ksm_script_reaches(words, 4 * (size_t)(at - from)))
		return false;
	for (; from < at; from++, words += 4) {
		uint32_t word = ksm_script_number_in(words, 0);
		int64_t to;

		if (operation_of(lua, word) != lua->at.op_jump)
			continue;
		to = (int64_t)from + 1 + (word >> lua->at.jump_shift) - lua->at.jump_zero;
		if (to > at && to <= call)
			return true;
	}
	return false;
}

/*
 * The name by which the caller has got what it calls: a few instructions before the call. What an operator, a loop or a collection
 * calls has none.
 */
static bool read_name(const struct lua *lua, const void *caller, int32_t instruction, struct ksm_text *text)
{
	enum { FAR = 64 };
	const char *code = ksm_script_pointer_in(caller, lua->at.code);
	uint32_t call;
	uint8_t called;

	if (instruction < 0 || !ksm_script_is_object(code))
		return false;
	call = ksm_script_number(code, 4 * (size_t)instruction);
	if (operation_of(lua, call) != lua->at.op_call)
		return false;
	called = register_of(lua, call);
	for (int32_t at = instruction - 1; at >= 0 && at >= instruction - FAR; at--) {
		uint32_t word = ksm_script_number(code, 4 * (size_t)at);
		struct instruction get;

		if (register_of(lua, word) != called)
			continue;
		if (is_jumped_over(lua, code, at, instruction))
			return false;
		get = decode(lua, word);
		if (get.operation == lua->at.op_upvalue)
			return read_upvalue(lua, caller, get.b, text);
		if (get.operation == lua->at.op_global || get.operation == lua->at.op_field ||
		    get.operation == lua->at.op_method)
			return get.is_constant && read_constant(lua, caller, get.c, text);
		/* What was in the register before is another function; 0 copies another one, in all versions. */
		return get.operation == 0 && read_local(lua, caller, get.b, at, text);
	}
	return false;
}

/* What a call is of. */
struct active {
	const void *call;  /* NULL: there is none */
	const void *proto; /* NULL: it is of a function in C */
	int32_t instruction;
	uint16_t flags;
};

static struct active active_of(const struct lua *lua, const void *call)
{
	struct active active = { 0 };

	if (!ksm_script_is_whole(call, lua->at.flags + sizeof(active.flags)))
		return active;
	active.call = call;
	memcpy(&active.flags, (const char *)call + lua->at.flags, sizeof(active.flags));
	active.proto = proto_of(lua, ksm_script_pointer_in(call, CALL_FUNCTION));
	if (active.proto)
		active.instruction = instruction_of(lua, call, active.proto);
	return active;
}

/* Was it the caller's own code that has called it? */
static bool is_called_by(const struct lua *lua, const struct active *active, const struct active *caller)
{
	/* Lua marks the call in the midst of which a finalizer runs, as it marks one in whose midst a hook does. */
	return caller->proto && !(active->flags & CALL_IS_TAIL) &&
	       !(caller->flags & (lua->at.is_in_hook | lua->at.is_finalizer));
}

static void name_function(const struct lua *lua, const struct active *active, const struct active *caller, struct ksm_script_frame *result)
{
	uint32_t begins = ksm_script_number_in(active->proto, lua->at.begins);

	if (begins == 0) {
		result->function = (struct ksm_text){ .bytes = "main chunk", .length = 10 };
		return;
	}
	if (is_called_by(lua, active, caller) && read_name(lua, caller->proto, caller->instruction, &result->function))
		return;
	result->made_number = begins;
	result->function = (struct ksm_text){ .bytes = "function:", .length = 9 };
}

/* --- states ---------------------------------------------------------------------------------- */

/* False if the list is full, or the call not what it was taken for. */
static bool add(const struct lua *lua, struct ksm_script *script, const struct active *active, const struct active *caller)
{
	struct ksm_script_frame *result;
	/* With the line where it begins: a function that is made anew in a freed one's place may have all else from it. */
	uint64_t position = (uint32_t)active->instruction | (uint64_t)ksm_script_number_in(active->proto, lua->at.begins) << 32;

	if (ksm_script_has(script, active->proto, position))
		return true;
	result = ksm_script_begin(script, KSMALLOC_LANGUAGE_LUA, active->proto, position);
	if (!read_file(script, ksm_script_pointer_in(active->proto, lua->at.file), &result->file))
		return false;
	name_function(lua, active, caller, result);
	script->count++;
	return !ksm_script_is_full(script);
}

static void walk_state(const struct lua *lua, const char *state, struct ksm_script *script)
{
	struct active active = active_of(lua, ksm_script_pointer(state, STATE_CALL));

	for (uint32_t i = 0; i < KSM_SCRIPT_LOOK_AT && active.call; i++) {
		struct active caller = active_of(lua, ksm_script_pointer_in(active.call, CALL_PREVIOUS));

		if (active.proto && !add(lua, script, &active, &caller))
			return;
		active = caller;
	}
}

/* Does it lie in the span, where blocks that stand for others do, and what a helper takes for Lua's objects? */
static bool is_in_span(const void *p)
{
	return ((uintptr_t)p - ksm_span_map.base) >> ksm_span_map.slot_shift < 2 * (uintptr_t)KSM_SPAN_SLOTS;
}

/*
 * Is it an address of a block? jemalloc's memory stays; elsewhere the kernel is asked each time, since a word that was left on the
 * stack may lead to what was there once.
 */
static bool is_block(const void *p)
{
	return ksm_je_owns(p) || (is_in_span(p) && ksm_readable_ask((uintptr_t)p >> KSM_READABLE_SHIFT));
}

/* Does all that is read of a state lie in blocks? What is none may begin right before memory that is gone. */
static bool is_block_of_state(const char *state)
{
	const char *last = state + STATE_BYTES - 1;

	return is_block(state) && ((uintptr_t)state >> KSM_READABLE_SHIFT == (uintptr_t)last >> KSM_READABLE_SHIFT || is_block(last));
}

/* Is the word on the C stack a state? What it points to is read only if it lies in a block. */
static bool is_state(const struct lua *lua, uintptr_t word)
{
	const char *state = (const char *)word;
	uintptr_t stack, top, function;
	const void *call;

	if (!ksm_script_is_address(state) || !is_block_of_state(state) ||
	    ksm_script_byte(state, OBJECT_TYPE) != TYPE_THREAD)
		return false;
	call = ksm_script_pointer(state, STATE_CALL);
	if (!is_block(ksm_script_pointer(state, STATE_COMMON)) || !ksm_script_is_object(call) || !is_block(call))
		return false;
	stack = (uintptr_t)ksm_script_pointer(state, lua->at.state_stack);
	top = (uintptr_t)ksm_script_pointer(state, STATE_TOP);
	function = (uintptr_t)ksm_script_pointer(call, CALL_FUNCTION);
	return stack <= function && function < top && (top - stack) % VALUE_BYTES == 0 &&
	       (function - stack) % VALUE_BYTES == 0;
}

KSM_READS_FRAMES uintptr_t word_at(const struct ksm_stack *stack, uint32_t index)
{
	return ((const uintptr_t *)stack->frame)[index];
}

static void walk(const void *reader, const struct ksm_stack *stack, struct ksm_script *script)
{
	enum { STATES = 4, WORDS = 768 };
	const struct lua *lua = reader;
	uintptr_t seen[STATES];
	uint32_t states = 0;
	uint32_t end;

	/* All of the words up to the outermost return address are of frames that are still there. */
	if (!stack->recognisable || stack->count < 2)
		return;
	end = (uint32_t)ksm_min(stack->words[stack->count - 1], WORDS);
	for (uint32_t i = 0; i < end && states < STATES && !ksm_script_is_full(script); i++) {
		uintptr_t word = word_at(stack, i);
		uint32_t known = 0;

		/* A state lies one word behind the beginning of its block, and blocks of that size on 16 bytes. */
		if (word % 16 != 8)
			continue;
		while (known < states && seen[known] != word)
			known++;
		if (known < states || !is_state(lua, word))
			continue;
		seen[states++] = word;
		walk_state(lua, (const char *)word, script);
	}
}

const struct ksm_reader ksm_language_lua = {
	.language = KSMALLOC_LANGUAGE_LUA,
	.find = find,
	.walk = walk,
	.line = line,
};
