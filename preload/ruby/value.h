/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value: what all parts of ruby's helper use of ruby's headers, which need not be there when this is built.
 */
#ifndef KRB_VALUE_H
#define KRB_VALUE_H

#include <stdint.h>

/* A pointer to an object, or something small itself. */
typedef uintptr_t value;

#define TRUE_VALUE 20 /* Qtrue */

/* Of an object's first word. */
#define TYPES 0x1f /* RUBY_T_MASK */
#define WRITES_ARE_TOLD (1 << 5) /* RUBY_FL_WB_PROTECTED, and RUBY_TYPED_WB_PROTECTED of a type */

#endif
