/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alias: one function under two names.
 *
 * What it is: the second name has the first one's address. Valgrind takes over malloc and others by
 * their addresses, so what it does with one name it does with the other.
 * What it is not: the alias attribute, which does not find a function that the assembler defines.
 */
#ifndef KSM_ALIAS_H
#define KSM_ALIAS_H

/* Exports name for what this file defines as target. */
#define KSM_ALIAS(name, target) __asm__(".globl " #name "\n.set " #name ", " #target)

#endif
