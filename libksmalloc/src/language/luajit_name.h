/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * luajit_name: what a function of LuaJIT's is called, and at which line an instruction stands.
 *
 * What it is: reads what the compiler has left in a function's prototype, of builds with pointers
 * of 64 bits. Who calls has made sure that a function is one (language/luajit.h).
 *
 * Pointers in it may be damaged: none is followed before it is known that there is memory (site/script.h).
 *
 * Locking: none. Failure: there is no name, and line 0.
 */
#ifndef KSM_LUAJIT_NAME_H
#define KSM_LUAJIT_NAME_H

#include "base.h"
#include "site/script.h"

/* Types of objects, as they have them behind the link to the next one. */
enum {
	KSM_LUAJIT_STRING = 4,
	KSM_LUAJIT_THREAD = 6,
	KSM_LUAJIT_PROTO = 7,
	KSM_LUAJIT_FUNCTION = 8,
};

/* The object has been found to be at the address of memory. */
KSM_INLINE bool ksm_luajit_is(const void *object, uint8_t type)
{
	return ksm_script_byte(object, 9) == type;
}

/* The prototype of a function; NULL if it is one in C. */
const void *ksm_luajit_proto(const void *function);

/* The number of the instruction before this one; -1 if it is none of the prototype's. */
int32_t ksm_luajit_position(const void *proto, uintptr_t next);

/* Its line; that where the function begins for -1. */
uint32_t ksm_luajit_line(const void *proto, int32_t position);

/* The line where the function begins; 0 for a main chunk. */
uint32_t ksm_luajit_begin(const void *proto);

/* The name of the file, as Lua shows it. */
bool ksm_luajit_file(const void *proto, struct ksm_text *text);

/* The name by which what this instruction calls was got. */
bool ksm_luajit_called(const void *proto, int32_t position, struct ksm_text *text);

#endif
