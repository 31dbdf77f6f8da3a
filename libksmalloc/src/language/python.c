/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things lie follows from the version, by the table below; since 3.13 the interpreter tells it itself. Objects are known
 * by their types, which the interpreter exports.
 */
#include "language/python.h"

#include "language/python_line.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define NONE UINT16_MAX

#define LINES_BYTES KSM_MIB /* of a table of lines; what says that it has more is taken for damaged */

/* Of an object and its variable-sized part, the same in all versions. */
#define OBJECT_TYPE  8
#define OBJECT_SIZE  16
#define BYTES_DATA   32
#define TYPE_FLAGS   168
#define TYPE_IS_READY (1u << 12)
#define TEXT_LENGTH  16
#define TEXT_STATE   32

/* Bits of a text's state. */
#define TEXT_KIND(state) ((state) >> 2 & 7)
#define TEXT_IS_COMPACT	 (1u << 5)
#define TEXT_IS_ASCII	 (1u << 6)

/* Who made a frame; later versions have more that are no functions of a script. */
#define OWNED_BY_GENERATOR 1
#define OWNED_BY_C	   3

struct layout {
	uint16_t thread_id;	/* in a thread's state */
	uint16_t first;		/* there, too: the innermost frame, or what leads to it */
	uint16_t through;	/* in what leads to it */
	uint16_t code;		/* in a frame */
	uint16_t previous;
	uint16_t instruction;	/* the last one: its number (up to 3.10) or its address */
	uint16_t owner;
	uint16_t file;		/* in a function's code */
	uint16_t name;
	uint16_t first_line;
	uint16_t lines;
	uint16_t first_traceable; /* a frame that is not so far is being set up */
	uint16_t instructions;
	uint16_t ascii;		/* bytes before a text's characters */
	uint16_t compact;
};

static const struct layout layouts[] = {
	/* 3.9 */
	{ 176, 24, NONE, 32, 24, 104, NONE, 104, 112, 40, 120, NONE, NONE, 48, 72 },
	/* 3.10 */
	{ 176, 24, NONE, 32, 24, 96, NONE, 104, 112, 40, 120, NONE, NONE, 48, 72 },
	/* 3.11 */
	{ 152, 56, 8, 32, 48, 56, 69, 112, 128, 72, 136, 168, 184, 48, 72 },
	/* 3.12 */
	{ 136, 56, 0, 0, 8, 56, 70, 112, 128, 68, 136, 176, 192, 40, 56 },
	/* 3.13: what it does not tell itself */
	{ 152, 72, NONE, 0, 8, 56, 70, 112, 128, 68, 136, 184, 200, 40, 56 },
};

#define OLDEST 9 /* minor versions */
#define NEWEST (OLDEST + (uint32_t)KSM_COUNT_OF(layouts) - 1)

struct python {
	struct layout at;
	uint32_t minor;
	uint16_t frame_bytes; /* of which something is read */
	uint16_t code_bytes;
	void *(*this_state)(void);    /* of this thread, as first seen */
	void *(*current_state)(void); /* up to 3.11: of who has the lock */
	int (*is_finalizing)(void);
	const void *code_type;
	const void *text_type;
	const void *bytes_type;
};

static_assert(sizeof(struct python) <= KSM_READER_BYTES, "a reader has room for it");

/* --- finding it ------------------------------------------------------------------------------ */

/* What 3.13 says of itself at the beginning of _PyRuntime; numbers of 8 bytes behind a word of as many letters. */
struct told {
	char cookie[8];
	uint64_t version;
	uint64_t is_free_threaded;
	uint64_t runtime[3];
	uint64_t interpreter[13];
	struct {
		uint64_t size, prev, next, interp, current_frame, thread_id, native_thread_id, chunk, status;
	} thread;
	struct {
		uint64_t size, previous, executable, instruction, locals, owner;
	} frame;
	struct {
		uint64_t size, filename, name, qualname, linetable, first_line, arguments, names, kinds, instructions;
	} code;
	struct {
		uint64_t size, type;
	} object;
};

/* False if it is not what 3.13.x says. */
static bool ask(const struct ksm_dynsym *object, struct layout *at)
{
	const struct told *told = ksm_reader_symbol(object, "_PyRuntime");

	if (!told || memcmp(told->cookie, "xdebugpy", 8) != 0 || told->is_free_threaded ||
	    told->version >> 16 != 0x030d || told->object.type != OBJECT_TYPE || told->thread.size > UINT16_MAX ||
	    told->frame.size > UINT16_MAX || told->code.size > UINT16_MAX)
		return false;
	at->thread_id = (uint16_t)told->thread.thread_id;
	at->first = (uint16_t)told->thread.current_frame;
	at->code = (uint16_t)told->frame.executable;
	at->previous = (uint16_t)told->frame.previous;
	at->instruction = (uint16_t)told->frame.instruction;
	at->owner = (uint16_t)told->frame.owner;
	at->file = (uint16_t)told->code.filename;
	at->name = (uint16_t)told->code.qualname;
	at->first_line = (uint16_t)told->code.first_line;
	at->lines = (uint16_t)told->code.linetable;
	at->instructions = (uint16_t)told->code.instructions;
	return true;
}

/* The minor version; before 3.11 it is told by what was new in each. 0 for older ones. */
static uint32_t find_version(const struct ksm_dynsym *object)
{
	const uint32_t *version = ksm_reader_symbol(object, "Py_Version");

	if (version)
		return *version >> 24 == 3 ? *version >> 16 & 0xff : UINT32_MAX;
	if (ksm_reader_symbol(object, "PyModule_AddObjectRef"))
		return 10;
	return ksm_reader_symbol(object, "PyModule_AddType") ? 9 : 0;
}

/* How much of a frame is read, and of a code. */
static void find_ends(struct python *python)
{
	const struct layout *at = &python->at;
	uint32_t frame = ksm_max(ksm_max(at->code, at->previous), at->instruction);
	uint32_t code = ksm_max(ksm_max(at->file, at->name), ksm_max(at->first_line, at->lines));

	if (at->owner != NONE)
		frame = ksm_max(frame, at->owner);
	if (at->first_traceable != NONE)
		code = ksm_max(code, at->first_traceable);
	python->frame_bytes = (uint16_t)(frame + sizeof(void *));
	python->code_bytes = (uint16_t)(code + sizeof(void *));
}

static int find(const struct ksm_dynsym *object, void *state)
{
	struct python *python = state;

	python->this_state = (void *(*)(void))ksm_reader_symbol(object, "PyGILState_GetThisThreadState");
	if (!python->this_state)
		return -ENOENT;
	python->minor = find_version(object);
	if (python->minor < OLDEST || python->minor > NEWEST)
		return -EOPNOTSUPP;
	python->at = layouts[python->minor - OLDEST];
	if (python->minor == 13 && !ask(object, &python->at))
		return -EOPNOTSUPP;
	find_ends(python);
	python->current_state = (void *(*)(void))ksm_reader_symbol(object, "_PyThreadState_UncheckedGet");
	python->is_finalizing = (int (*)(void))ksm_reader_symbol(
		object, python->minor >= 13 ? "Py_IsFinalizing" : "_Py_IsFinalizing");
	python->code_type = ksm_reader_symbol(object, "PyCode_Type");
	python->text_type = ksm_reader_symbol(object, "PyUnicode_Type");
	python->bytes_type = ksm_reader_symbol(object, "PyBytes_Type");
	return python->code_type && python->text_type && python->bytes_type && python->is_finalizing &&
			       (python->current_state || python->minor >= 12) ?
		       0 :
		       -EOPNOTSUPP;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Is this an object of the type, which has so many bytes at least? */
KSM_INLINE bool is_a(const void *object, const void *type, size_t bytes)
{
	return ksm_script_is_whole(object, bytes) && ksm_script_pointer_in(object, OBJECT_TYPE) == type;
}

static bool read_text(const struct python *python, const void *object, struct ksm_text *text)
{
	static const enum ksm_text_form forms[] = { [1] = KSM_TEXT_LATIN1, [2] = KSM_TEXT_UCS2, [4] = KSM_TEXT_UCS4 };
	uint32_t state, kind;
	uint64_t length;
	size_t begin;

	if (!is_a(object, python->text_type, TEXT_STATE + sizeof(state)))
		return false;
	state = ksm_script_number_in(object, TEXT_STATE);
	kind = TEXT_KIND(state);
	length = (uint64_t)(uintptr_t)ksm_script_pointer_in(object, TEXT_LENGTH);
	if (!(state & TEXT_IS_COMPACT) || (kind != 1 && kind != 2 && kind != 4) || length > INT32_MAX / 4)
		return false;
	begin = state & TEXT_IS_ASCII ? python->at.ascii : python->at.compact;
	text->bytes = (const char *)object + begin;
	text->form = state & TEXT_IS_ASCII ? KSM_TEXT_UTF8 : forms[kind];
	text->length = (uint32_t)length * kind;
	return ksm_script_is_text_in(object, begin, text->length);
}

/*
 * This thread's state, NULL if it has none. Up to 3.11 a thread that has entered a subinterpreter goes by the first
 * one that it had; the other one is current then, and names it.
 */
static const void *find_state(const struct python *python)
{
	const void *own = (void *)pthread_self();
	const void *state;

	/* Another thread may be about to load the interpreter: nothing of it can be called before it has begun. */
	if (!(ksm_script_number(python->text_type, TYPE_FLAGS) & TYPE_IS_READY))
		return NULL;
	state = python->this_state();
	if (!ksm_script_is_object(state))
		return NULL;
	if (python->minor < 12) {
		const void *current = python->current_state();

		if (current != state && ksm_script_is_object(current) &&
		    ksm_script_pointer(current, python->at.thread_id) == own)
			return current;
		/* At the end of the interpreter others' states go while their threads are in C. */
		if (current != state && python->is_finalizing())
			return NULL;
	} else if (python->is_finalizing()) {
		return NULL;
	}
	return ksm_script_pointer(state, python->at.thread_id) == own ? state : NULL;
}

static const void *innermost(const struct python *python)
{
	const void *state = find_state(python);
	const void *first = state ? ksm_script_pointer(state, python->at.first) : NULL;

	if (python->at.through == NONE || !ksm_script_is_object(first))
		return first;
	return ksm_script_pointer(first, python->at.through);
}

/*
 * Where in the code the frame is, in bytes, and in the upper half the line where the code begins: code that is made anew in a freed
 * one's place may have all else from it. Both are there. False if it is no function of a script, or one that has not begun.
 */
static bool find_position(const struct python *python, const void *frame, const void *code, uint64_t *position)
{
	const struct layout *at = &python->at;
	uint64_t first_line = (uint64_t)ksm_script_number_in(code, at->first_line) << 32;
	int64_t units;
	uint8_t owner;

	if (python->minor <= 10) {
		int32_t number = (int32_t)ksm_script_number_in(frame, at->instruction);

		*position = first_line | (number < 0 ? 0 : (uint64_t)number * (python->minor == 10 ? 2 : 1));
		return true;
	}
	owner = ksm_script_byte_in(frame, at->owner);
	units = ((intptr_t)ksm_script_pointer_in(frame, at->instruction) - (intptr_t)code - at->instructions) / 2;
	if (owner >= OWNED_BY_C || units < -1 || units > INT32_MAX)
		return false;
	if (owner != OWNED_BY_GENERATOR && units < (int32_t)ksm_script_number_in(code, at->first_traceable))
		return false;
	*position = first_line | (units < 0 ? 0 : (uint64_t)units * 2);
	return true;
}

static void walk(const void *state, const struct ksm_stack *stack, struct ksm_script *script)
{
	const struct python *python = state;
	const void *frame = innermost(python);
	const void *file = NULL; /* of the frame before, as most have the same one */
	struct ksm_text file_text = { 0 };

	(void)stack;
	for (uint32_t i = 0; i < KSM_SCRIPT_LOOK_AT && ksm_script_is_whole(frame, python->frame_bytes); i++) {
		const void *code = ksm_script_pointer_in(frame, python->at.code);
		uint64_t position;

		if (is_a(code, python->code_type, python->code_bytes) && find_position(python, frame, code, &position) &&
		    !ksm_script_has(script, code, position)) {
			struct ksm_script_frame *result =
				ksm_script_begin(script, KSMALLOC_LANGUAGE_PYTHON, code, position);

			if (!file || ksm_script_pointer_in(code, python->at.file) != file) {
				file = ksm_script_pointer_in(code, python->at.file);
				if (!read_text(python, file, &file_text))
					return;
			}
			result->file = file_text;
			if (!read_text(python, ksm_script_pointer_in(code, python->at.name), &result->function))
				return;
			script->count++;
			if (ksm_script_is_full(script))
				return;
		}
		frame = ksm_script_pointer_in(frame, python->at.previous);
	}
}

static uint32_t line(const void *state, const struct ksm_script_frame *frame)
{
	const struct python *python = state;
	const void *table = ksm_script_pointer(frame->code, python->at.lines);
	uint32_t first = ksm_script_number(frame->code, python->at.first_line);
	const uint8_t *bytes = (const uint8_t *)table + BYTES_DATA;
	uint64_t length;

	if (!is_a(table, python->bytes_type, BYTES_DATA))
		return 0;
	length = (uint64_t)(uintptr_t)ksm_script_pointer_in(table, OBJECT_SIZE);
	if (length > LINES_BYTES || (length && !ksm_script_is_whole_array((const char *)bytes, length)))
		return 0;
	if (python->minor == 9)
		return ksm_python_line_39(bytes, length, first, (uint32_t)frame->position);
	if (python->minor == 10)
		return ksm_python_line_310(bytes, length, first, (uint32_t)frame->position);
	return ksm_python_line_311(bytes, length, first, (uint32_t)frame->position);
}

const struct ksm_reader ksm_language_python = {
	.language = KSMALLOC_LANGUAGE_PYTHON,
	.find = find,
	.walk = walk,
	.line = line,
};
