/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * luajit: which functions of a script LuaJIT is executing; LuaJIT 2.1 on x86-64 with
 * pointers of 64 bits (GC64, as Debian 12 and its own default since 2022 have it), as a library or
 * within a program that exports its calls.
 *
 * What it is: the functions of the state that runs in this thread, and of those that have resumed
 * it, while the interpreter executes them and while the code does that was compiled from them. The
 * interpreter is one piece of code, which is found by its unwinding information; its frames on the
 * C stack have the state at a fixed place. Compiled code keeps what is common to all states in a
 * register, which is taken for that only if it was met in the interpreter before. What it is not:
 * for builds with pointers of 32 bits, and for functions in C. What compiled code has called
 * itself, it has no frames for: memory belongs to the function in which it was entered then, and to
 * the line at which the interpreter left for it.
 *
 * Where LuaJIT calls something its own collector may walk the same frames, so that all is in order;
 * where a signal has interrupted it or what it calls there are no frames. lua_getinfo(3) is no way:
 * it writes to the state.
 */
#ifndef KSM_LANGUAGE_LUAJIT_H
#define KSM_LANGUAGE_LUAJIT_H

#include "language/reader.h"

extern const struct ksm_reader ksm_language_luajit __attribute__((visibility("hidden")));

#endif
