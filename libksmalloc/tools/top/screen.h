/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen: the terminal.
 *
 * What it is: frames drawn by curses, which sends only what has changed, and keys as the table of keys calls them.
 * What it is not: a state: all that is drawn comes with the frame. Signals are the caller's: curses must not handle them.
 * Invariants: after ksr_top_screen_close() the terminal is as it was.
 * Locking and owner: there is one screen, of one thread.
 * Failure: a terminal that is not known, or that cannot move its cursor, is -ENOTTY.
 */
#ifndef KSR_TOP_SCREEN_H
#define KSR_TOP_SCREEN_H

#include "top/frame.h"

int ksr_top_screen_open(bool colour);
void ksr_top_screen_close(void);
void ksr_top_screen_size(uint32_t *width, size_t *height);
void ksr_top_screen_draw(const struct ksr_top_frame *frame);
/* The next key, KSR_TOP_CODE_NONE when none was pressed. */
uint32_t ksr_top_screen_key(void);
/* Asks the terminal for its size, which may be another one. */
void ksr_top_screen_resize(void);
/* The next frame is drawn whole. */
void ksr_top_screen_redraw(void);
/* Gives the terminal back, and takes it again: while the command is stopped. */
void ksr_top_screen_leave(void);
void ksr_top_screen_return(void);

#endif
