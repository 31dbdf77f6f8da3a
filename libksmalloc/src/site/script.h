/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * script: what an interpreter is executing, as it lies in the interpreter's own memory.
 *
 * What it is: a list of frames, innermost first, with pointers to names that are not copied, and the calls by which who
 * reads an interpreter (language/python.h and its like) fills it. Header only.
 * What it is not: anything that outlives the capture that it was filled for.
 *
 * Invariants: a frame that repeats one before it is left out, so that recursion does not make a list for each depth.
 * No name is longer than its limit; which end of a longer one is cut depends on its bytes alone.
 */
#ifndef KSM_SCRIPT_H
#define KSM_SCRIPT_H

#include "base.h"
#include "system/readable.h"

#include <ksmalloc/segment.h>
#include <string.h>

#define KSM_SCRIPT_FILE_BYTES	  1000u
#define KSM_SCRIPT_FUNCTION_BYTES 250u

/* How the characters of a text are stored: its unit's width, in bytes. */
enum ksm_text_form {
	KSM_TEXT_UTF8,
	KSM_TEXT_LATIN1,
	KSM_TEXT_UCS2,
	KSM_TEXT_UCS4,
};

struct ksm_text {
	const void *bytes;
	uint32_t length; /* in bytes */
	enum ksm_text_form form;
};

struct ksm_script_frame {
	struct ksm_text file;
	struct ksm_text owner; /* what the function belongs to, may be empty */
	struct ksm_text function;
	uint32_t made_number;  /* what stands behind it in the name of what has none; 0: nothing */
	const char *separator; /* between the two */
	enum ksmalloc_language language;
	uint32_t line;
	/*
	 * Tells frames of one function apart while the line is not known; an address in the interpreter's memory, too. Where the
	 * reader finds the line later the upper half of position is the one where the code begins.
	 */
	const void *code;
	uint64_t position;
	bool has_line; /* else the reader finds it from code and position when it is needed */
};

struct ksm_script {
	uint32_t count;
	uint64_t asked; /* a bit for each frame that ksm_script_has() was asked for; of two frames it may be the same one */
	/*
	 * Where the code of the outermost frame lies that was looked at, for an interpreter that puts it into the memory
	 * that it goes on to cut up; NULL: not known.
	 */
	const void *code_at;
	uint32_t reader; /* whose frames they are: language.c's number */
	struct ksm_script_frame frames[KSMALLOC_MAX_SCRIPT_FRAMES];
};

/* Frames that a reader looks at in all, so that a deep recursion costs no more. */
#define KSM_SCRIPT_LOOK_AT 64u

KSM_INLINE bool ksm_script_is_full(const struct ksm_script *script)
{
	return script->count == KSMALLOC_MAX_SCRIPT_FRAMES;
}

KSM_INLINE void ksm_script_no_text(struct ksm_text *text)
{
	text->bytes = NULL;
	text->length = 0;
	text->form = KSM_TEXT_UTF8;
}

/* The file of the frame that was added last; NULL: there is none. Most have the file of the frame before. */
KSM_INLINE const struct ksm_text *ksm_script_file_before(const struct ksm_script *script)
{
	return script->count ? &script->frames[script->count - 1].file : NULL;
}

/* An empty list. */
KSM_INLINE void ksm_script_clear(struct ksm_script *script)
{
	script->count = 0;
	script->asked = 0;
	script->code_at = NULL;
	script->reader = 0;
}

/* True if the list has a frame of this code and position. Each frame is asked for before it is added. */
KSM_INLINE bool ksm_script_has(struct ksm_script *script, const void *code, uint64_t position)
{
	uint64_t bit = UINT64_C(1) << ((((uintptr_t)code + position) * UINT64_C(0x9e3779b97f4a7c15)) >> 58);
	bool was_asked = script->asked & bit;

	script->asked |= bit;
	for (uint32_t i = 0; was_asked && i < script->count; i++)
		if (script->frames[i].code == code && script->frames[i].position == position)
			return true;
	return false;
}

/*
 * The next frame of the list, with nothing in it but these; it is one of the list when the list counts it. Field by field, as
 * compilers fill a structure of this size by an instruction that is slow to begin.
 */
KSM_INLINE struct ksm_script_frame *ksm_script_begin(struct ksm_script *script, enum ksmalloc_language language, const void *code,
						     uint64_t position)
{
	struct ksm_script_frame *frame = &script->frames[script->count];

	ksm_script_no_text(&frame->file);
	ksm_script_no_text(&frame->owner);
	ksm_script_no_text(&frame->function);
	frame->made_number = 0;
	frame->separator = NULL;
	frame->language = language;
	frame->line = 0;
	frame->code = code;
	frame->position = position;
	frame->has_line = false;
	return frame;
}

#define KSM_SCRIPT_LOWEST (64 * KSM_KIB) /* address that anything is at */
static_assert(sizeof(void *) == 8, "objects lie on eight bytes");

/* Could this be the address of an object? It says nothing of what lies there. */
KSM_INLINE bool ksm_script_is_address(const void *pointer)
{
	/* Bits that no aligned address has are the highest ones here: one comparison tells them and both bounds. */
	uint64_t above = (uintptr_t)pointer - KSM_SCRIPT_LOWEST;

	return (above >> 3 | above << 61) < ((UINT64_C(1) << KSM_ADDRESS_BITS) - KSM_SCRIPT_LOWEST) >> 3;
}

/* The same, and there is memory. */
KSM_INLINE bool ksm_script_is_object(const void *pointer)
{
	return ksm_script_is_address(pointer) && ksm_readable_beyond(pointer);
}

/* Is there memory so many bytes behind the beginning of an object, which was found to be one? */
KSM_INLINE bool ksm_script_reaches(const void *object, size_t offset)
{
	const char *end = (const char *)object + offset;

	return ksm_likely((uintptr_t)object >> KSM_READABLE_SHIFT == (uintptr_t)end >> KSM_READABLE_SHIFT) || ksm_readable(end);
}

/*
 * The same, and there is memory for all of so many bytes, no more than a page: who reads many parts of an object asks once for all
 * of them.
 */
KSM_INLINE bool ksm_script_is_whole(const void *pointer, size_t bytes)
{
	return ksm_script_is_object(pointer) && ksm_script_reaches(pointer, bytes - 1);
}

/* The same of any number of bytes. */
KSM_INLINE bool ksm_script_is_whole_array(const char *pointer, size_t bytes)
{
	const size_t page = (size_t)1 << KSM_READABLE_SHIFT;

	for (; bytes > page; pointer += page, bytes -= page)
		if (!ksm_script_is_object(pointer))
			return false;
	return ksm_script_is_whole(pointer, bytes);
}

/* Parts of an object that was found to be there so far. */
KSM_INLINE const void *ksm_script_pointer_in(const void *object, size_t offset)
{
	const void *pointer;

	__builtin_memcpy(&pointer, (const char *)object + offset, sizeof(pointer));
	return pointer;
}

KSM_INLINE uint32_t ksm_script_number_in(const void *object, size_t offset)
{
	uint32_t number;

	__builtin_memcpy(&number, (const char *)object + offset, sizeof(number));
	return number;
}

KSM_INLINE uint8_t ksm_script_byte_in(const void *object, size_t offset)
{
	return ((const uint8_t *)object)[offset];
}

/* Can a text be read that lies in an object from an offset on, as much of it as is ever used? The object was found to be there up to it. */
KSM_INLINE bool ksm_script_is_text_in(const void *object, size_t offset, uint32_t length)
{
	return ksm_script_reaches(object, offset + ksm_min(length, KSM_SCRIPT_FILE_BYTES) - (length > 0));
}

/* Can a text be read, as much of it as is ever used? */
KSM_INLINE bool ksm_script_is_text(const struct ksm_text *text)
{
	return !text->length || (ksm_readable(text->bytes) &&
				 ksm_script_reaches(text->bytes, ksm_min(text->length, KSM_SCRIPT_FILE_BYTES) - 1));
}

/* The length of a text that ends in a zero, of which no more than so much is ever used: as far as there is memory. */
KSM_INLINE size_t ksm_script_length(const char *bytes, size_t most)
{
	const size_t page = (size_t)1 << KSM_READABLE_SHIFT;
	size_t length = 0;

	while (length < most && ksm_readable(bytes + length)) {
		size_t room = ksm_min(most - length, page - ((uintptr_t)(bytes + length) & (page - 1)));
		size_t found = strnlen(bytes + length, room);

		length += found;
		if (found < room)
			break;
	}
	return length;
}

/* The pointer, or the number, so many bytes behind the beginning of an object; 0 if there is no memory. */
KSM_INLINE const void *ksm_script_pointer(const void *object, size_t offset)
{
	return ksm_script_reaches(object, offset + sizeof(void *) - 1) ? ksm_script_pointer_in(object, offset) : NULL;
}

KSM_INLINE uint32_t ksm_script_number(const void *object, size_t offset)
{
	return ksm_script_reaches(object, offset + sizeof(uint32_t) - 1) ? ksm_script_number_in(object, offset) : 0;
}

KSM_INLINE uint8_t ksm_script_byte(const void *object, size_t offset)
{
	return ksm_script_reaches(object, offset) ? ksm_script_byte_in(object, offset) : 0;
}

#endif
