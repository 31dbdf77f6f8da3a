/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * title: ruby copies the environment before it makes what workers have in common.
 *
 * What it is: to have room for the name that a program gives itself ($0 =) ruby copies all variables by malloc, when it
 * has loaded its own library, and all blocks of those sizes that come later are shifted by a variable more. Here it does so
 * sooner, when it is told to, and not a second time.
 * What it is not: for a ruby that another program has within itself, whose arguments and variables are that program's: only
 * where the file of the process is called ruby, or ruby with a version.
 * Failure: ruby copies it when it always does.
 */
#ifndef KRB_TITLE_H
#define KRB_TITLE_H

/* To be called with ruby's lock, before ruby itself does it. */
void krb_title_begin(void);

#endif
