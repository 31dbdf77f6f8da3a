/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua: which functions of a script Lua is executing; PUC-Lua 5.3 and 5.4, as a library or within a program that
 * exports its calls.
 *
 * What it is: the functions of the state that runs in this thread, and of those that have resumed it. Lua keeps no pointer
 * to that state; but each of its C functions has it as its first argument, so that it stands on the C stack, where it
 * is looked for: only between the frames of a call that comes out of Lua, and only what is a block of jemalloc's,
 * which can be read whatever it is, or lies in the span and can be read.
 * What it is not: for LuaJIT (language/luajit.h), for states that come from an allocator which maps memory itself, or
 * on a stack whose end is not known (unwind.h).
 *
 * A function's name is that by which its caller has got it, as in Lua's own messages. It is called by the line where it begins
 * where nobody got it by a name: of a tail call, an operator, a loop, a collection, or one of two names.
 */
#ifndef KSM_LANGUAGE_LUA_H
#define KSM_LANGUAGE_LUA_H

#include "language/reader.h"

extern const struct ksm_reader ksm_language_lua __attribute__((visibility("hidden")));

/*
 * Of what Lua and LuaJIT say a chunk comes from, the file's name, which stands behind a sign; what has none of the two is not
 * a name, but the script itself.
 */
KSM_INLINE void ksm_lua_take_file(struct ksm_text *text)
{
	static const char unnamed[] = "[string]";
	const char *bytes = text->bytes;

	if (text->length && (bytes[0] == '@' || bytes[0] == '=')) {
		text->bytes = bytes + 1;
		text->length--;
	} else {
		*text = (struct ksm_text){ .bytes = unnamed, .length = sizeof(unnamed) - 1 };
	}
}

#endif
