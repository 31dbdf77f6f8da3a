/* SPDX-License-Identifier: BSD-2-Clause */
#include "language/luajit_name.h"

#include "language/lua.h"

#define FUNCTION_KIND 10 /* 0: one in Lua */
#define FUNCTION_CODE 32

/* A prototype; its instructions lie behind it. */
#define PROTO_COUNT 12
#define PROTO_CONSTANTS 32 /* the middle of a list: objects lie before it */
#define PROTO_OBJECTS 48
#define PROTO_UPVALUES 60
#define PROTO_FILE 64
#define PROTO_BEGIN 72
#define PROTO_LINES 76
#define PROTO_LINE_LIST 80
#define PROTO_UPVALUE_NAMES 88
#define PROTO_LOCALS 96
#define PROTO_BYTES 104

#define STRING_DATA 24
#define NAME_MOST 65536u /* bytes of a variable's name that are passed over */
#define INSTRUCTION 4

/* Instructions: of these a few get what is called next, and the others up to these marks write to
 * registers, too. */
enum {
	OP_MOV = 18,
	OP_KNIL = 44,
	OP_UGET = 45,
	OP_USET = 46,
	OP_FNEW = 51,
	OP_GGET = 54,
	OP_GSET = 55,
	OP_TGETV = 56,
	OP_TGETS = 57,
	OP_TSETV = 60,
	OP_CALLM = 65,
	OP_CALLT = 68,
	OP_VARG = 71,
	OP_JMP = 88,
};

struct instruction {
	uint8_t operation;
	uint8_t a;
	uint16_t d;
	uint8_t c;
};

static struct instruction instruction_at(const void *proto, int32_t position)
{
	uint32_t word = ksm_script_number(proto, PROTO_BYTES + INSTRUCTION * (size_t)position);

	return (struct instruction){(uint8_t)word, (uint8_t)(word >> 8), (uint16_t)(word >> 16),
				    (uint8_t)(word >> 16)};
}

const void *ksm_luajit_proto(const void *function)
{
	const char *code;

	if (!ksm_script_is_object(function) || !ksm_luajit_is(function, KSM_LUAJIT_FUNCTION) ||
	    ksm_script_byte(function, FUNCTION_KIND) != 0)
		return NULL;
	code = ksm_script_pointer(function, FUNCTION_CODE);
	if (!ksm_script_is_address(code) || !ksm_script_is_object(code - PROTO_BYTES) ||
	    !ksm_luajit_is(code - PROTO_BYTES, KSM_LUAJIT_PROTO))
		return NULL;
	return code - PROTO_BYTES;
}

int32_t ksm_luajit_position(const void *proto, uintptr_t next)
{
	uintptr_t first = (uintptr_t)proto + PROTO_BYTES;

	if (next <= first || (next - first) / INSTRUCTION > ksm_script_number(proto, PROTO_COUNT))
		return -1;
	return (int32_t)((next - first) / INSTRUCTION) - 1;
}

uint32_t ksm_luajit_begin(const void *proto)
{
	return ksm_script_number(proto, PROTO_BEGIN);
}

uint32_t ksm_luajit_line(const void *proto, int32_t position)
{
	const uint8_t *list = ksm_script_pointer(proto, PROTO_LINE_LIST);
	uint32_t lines = ksm_script_number(proto, PROTO_LINES);
	uint32_t begin = ksm_luajit_begin(proto);
	size_t at = (size_t)position - 1;

	/* The first instruction begins the function, and has no entry. */
	if (position <= 0 || !ksm_readable(list))
		return begin;
	if (lines < 256)
		return begin + ksm_script_byte(list, at);
	if (lines >= 65536)
		return begin + ksm_script_number(list, 4 * at);
	return begin + ksm_script_byte(list, 2 * at) + ((uint32_t)ksm_script_byte(list, 2 * at + 1) << 8);
}

/* Strings end with a NUL; where their length stands is not the same in all versions. */
static bool read_text(const void *string, size_t most, struct ksm_text *text)
{
	const char *bytes = (const char *)string + STRING_DATA;

	if (!ksm_script_is_object(string) || !ksm_luajit_is(string, KSM_LUAJIT_STRING))
		return false;
	*text = (struct ksm_text){.bytes = bytes, .length = (uint32_t)ksm_script_length(bytes, most)};
	return true;
}

bool ksm_luajit_file(const void *proto, struct ksm_text *text)
{
	if (!read_text(ksm_script_pointer(proto, PROTO_FILE), KSM_SCRIPT_FILE_BYTES, text))
		return false;
	ksm_lua_take_file(text);
	return true;
}

static bool read_constant(const void *proto, uint32_t index, struct ksm_text *text)
{
	const char *middle = ksm_script_pointer(proto, PROTO_CONSTANTS);
	const char *place = middle - sizeof(void *) * (index + 1);

	if (!ksm_script_is_address(middle) || index >= ksm_script_number(proto, PROTO_OBJECTS) || !ksm_script_is_object(place))
		return false;
	return read_text(ksm_script_pointer(place, 0), KSM_SCRIPT_FUNCTION_BYTES, text);
}

static bool read_upvalue(const void *proto, uint32_t index, struct ksm_text *text)
{
	const char *name = ksm_script_pointer(proto, PROTO_UPVALUE_NAMES);

	if (!name || index >= ksm_script_byte(proto, PROTO_UPVALUES))
		return false;
	while (index-- > 0)
		name += ksm_script_length(name, NAME_MOST) + 1;
	*text = (struct ksm_text){.bytes = name, .length = (uint32_t)ksm_script_length(name, KSM_SCRIPT_FUNCTION_BYTES)};
	return text->length > 0;
}

static uint8_t read_byte(const uint8_t *at)
{
	return ksm_readable(at) ? *at : 0;
}

static uint32_t read_number(const uint8_t **at)
{
	uint32_t number = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 32; shift += 7) {
		byte = read_byte((*at)++);
		number |= (uint32_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return number;
}

/* The variable that is in a register at an instruction: a name each, or the number of one of
 * LuaJIT's own, and where it lives. */
static bool read_local(const void *proto, uint32_t index, int32_t position, struct ksm_text *text)
{
	enum { OWN = 7, FAR = 250 };
	const uint8_t *at = ksm_script_pointer(proto, PROTO_LOCALS);
	uint32_t begin = 0;

	for (uint32_t i = 0; at && read_byte(at) && i < FAR; i++) {
		const char *name = (const char *)at;
		size_t length = *at < OWN ? 0 : ksm_script_length(name, NAME_MOST);
		uint32_t end;

		at += length + 1;
		begin += read_number(&at);
		if (begin > (uint32_t)position)
			return false;
		end = begin + read_number(&at);
		if ((uint32_t)position < end && index-- == 0) {
			*text = (struct ksm_text){
				.bytes = name,
				.length = (uint32_t)ksm_min(length, KSM_SCRIPT_FUNCTION_BYTES)};
			return length > 0;
		}
	}
	return false;
}

/* Does this instruction write to the register? Calls, and what makes many values, write to all from
 * one on. */
static bool writes(const struct instruction *instruction, uint8_t reg)
{
	uint8_t operation = instruction->operation;

	if (operation >= OP_CALLM && operation <= OP_VARG)
		return reg >= instruction->a;
	if (operation == OP_KNIL)
		return reg >= instruction->a && reg <= instruction->d;
	if ((operation >= OP_MOV && operation <= OP_UGET) ||
	    (operation >= OP_FNEW && operation <= OP_GGET) ||
	    (operation >= OP_TGETV && operation < OP_TSETV))
		return reg == instruction->a;
	return false;
}

/* May the code have come to the call without this instruction, over which one shortly before it jumps? */
static bool is_jumped_over(const void *proto, int32_t at, int32_t call)
{
	enum { NEAR = 8, ZERO = 0x8000 };

	for (int32_t from = ksm_max(at - NEAR, 0); from < at; from++) {
		struct instruction jump = instruction_at(proto, from);
		int32_t to = from + 1 + jump.d - ZERO;

		if (jump.operation == OP_JMP && to > at && to <= call)
			return true;
	}
	return false;
}

bool ksm_luajit_called(const void *proto, int32_t position, struct ksm_text *text)
{
	enum { FAR = 64 };
	struct instruction call;

	if (position <= 0)
		return false;
	call = instruction_at(proto, position);
	if (call.operation < OP_CALLM || call.operation > OP_CALLT)
		return false;
	for (int32_t at = position - 1; at > 0 && at >= position - FAR; at--) {
		struct instruction get = instruction_at(proto, at);

		if (!writes(&get, call.a))
			continue;
		if (is_jumped_over(proto, at, position))
			return false;
		switch (get.operation) {
		case OP_MOV:
			return read_local(proto, get.d, at, text);
		case OP_UGET:
			return read_upvalue(proto, get.d, text);
		case OP_GGET:
			return read_constant(proto, get.d, text);
		case OP_TGETS:
			return read_constant(proto, get.c, text);
		default:
			return false;
		}
	}
	return false;
}
