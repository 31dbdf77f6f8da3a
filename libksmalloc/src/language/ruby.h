/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ruby: which methods of a script Ruby is executing; version 3.1.
 *
 * What it is: the frames that Ruby's own interface for profilers gives, which reads and does nothing else, with path,
 * label ("block in fill") and line.
 * What it is not: for methods in C; nor the class of a method, whose name Ruby would make.
 *
 * A thread that Ruby does not run, or not yet, has no context; that is looked at first. While objects are collected they
 * may move, and there are no frames.
 */
#ifndef KSM_LANGUAGE_RUBY_H
#define KSM_LANGUAGE_RUBY_H

#include "language/reader.h"

extern const struct ksm_reader ksm_language_ruby __attribute__((visibility("hidden")));

#endif
