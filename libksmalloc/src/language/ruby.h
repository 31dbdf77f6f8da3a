/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ruby: which methods of a script Ruby is executing; version 3.1.
 *
 * What it is: the frames of the thread's context as they lie in Ruby's memory, with path, label and line. A block in a method has
 * the method's label, others have their own ("block in <main>"). It gives what Ruby's interface for profilers would, which
 * believes what it reads, but for code that eval() has made: that has the file that its lines are of; and for a block that
 * define_method() made a method of inside of another one, which has that one's label.
 * What it is not: for methods in C; nor the class of a method, whose name Ruby would make.
 *
 * A thread that Ruby does not run, or not yet, has no context; that is looked at first. While objects are collected they
 * may move, and there are no frames: that is asked of Ruby, which follows two pointers for it that each of its own
 * allocations follows, too; and before that whether the thread is one of its own, for which it reads a word of the thread's. Any other pointer may be damaged: none is followed before it is known that there is memory, and the
 * list ends where something is not what it should be.
 */
#ifndef KSM_LANGUAGE_RUBY_H
#define KSM_LANGUAGE_RUBY_H

#include "language/reader.h"

extern const struct ksm_reader ksm_language_ruby __attribute__((visibility("hidden")));

#endif
