/* SPDX-License-Identifier: BSD-2-Clause */
/* The only file that knows curses; its macros would be in everybody's way. */
#define _GNU_SOURCE
#include "top/screen.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NCURSES_NOMACROS
#include <curses.h>

/* So long an escape may be the start of another key's sequence, on a slow line, too; unless ESCDELAY says so. */
#define ESCAPE_MS 50

static struct {
	SCREEN *screen;
	attr_t styles[KSR_TOP_STYLE_COUNT];
	short pairs[KSR_TOP_STYLE_COUNT];
} terminal;

static void choose_styles(bool colour)
{
	terminal.styles[KSR_TOP_PLAIN_TEXT] = A_NORMAL;
	terminal.styles[KSR_TOP_DIM] = colour ? A_DIM : A_NORMAL;
	terminal.styles[KSR_TOP_BOLD] = A_BOLD;
	terminal.styles[KSR_TOP_HEAD] = A_REVERSE;
	terminal.styles[KSR_TOP_SORTED] = A_REVERSE | A_BOLD;
	terminal.styles[KSR_TOP_GOOD] = A_NORMAL;
	terminal.styles[KSR_TOP_WARNING] = colour ? A_NORMAL : A_BOLD;
	if (!colour || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	init_pair(1, COLOR_GREEN, -1);
	init_pair(2, COLOR_YELLOW, -1);
	terminal.pairs[KSR_TOP_GOOD] = 1;
	terminal.pairs[KSR_TOP_WARNING] = 2;
}

/* What terminals need for a picture: that the cursor goes where it should, and that the screen can be cleared. */
static bool can_draw(void)
{
	const char *move = tigetstr("cup");
	const char *clear = tigetstr("clear");

	return move && move != (const char *)-1 && clear && clear != (const char *)-1;
}

int ksr_top_screen_open(bool colour)
{
	terminal.screen = newterm(NULL, stdout, stdin);
	if (!terminal.screen)
		return -ENOTTY;
	/* Curses has handlers of its own, but signals are read by the caller. */
	signal(SIGTSTP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
	if (!can_draw()) {
		ksr_top_screen_close();
		return -ENOTTY;
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	if (!getenv("ESCDELAY"))
		set_escdelay(ESCAPE_MS);
	curs_set(0);
	choose_styles(colour);
	return 0;
}

void ksr_top_screen_close(void)
{
	if (!terminal.screen)
		return;
	curs_set(1);
	endwin();
	delscreen(terminal.screen);
	terminal.screen = NULL;
}

void ksr_top_screen_size(uint32_t *width, size_t *height)
{
	*width = (uint32_t)ksm_max((uint64_t)getmaxx(stdscr), 1);
	*height = (size_t)ksm_max((uint64_t)getmaxy(stdscr), 1);
}

static void draw_line(const struct ksr_top_line *line, int y)
{
	const char *text = line->text;

	move(y, 0);
	for (uint32_t i = 0; i < line->piece_count; i++) {
		const struct ksr_top_piece *piece = &line->pieces[i];
		attr_t attributes = terminal.styles[piece->style] | (line->chosen ? A_REVERSE : 0);

		attr_set(attributes, line->chosen ? 0 : terminal.pairs[piece->style], NULL);
		addnstr(text, (int)piece->bytes);
		text += piece->bytes;
	}
	attr_set(A_NORMAL, 0, NULL);
}

void ksr_top_screen_draw(const struct ksr_top_frame *frame)
{
	int rows = getmaxy(stdscr);

	erase();
	for (size_t i = 0; i < frame->count && (int)i < rows; i++)
		draw_line(&frame->lines[i], (int)i);
	curs_set(frame->cursor ? 1 : 0);
	if (frame->cursor && frame->count)
		move(rows - 1, (int)ksm_min(frame->lines[frame->count - 1].columns, (uint64_t)getmaxx(stdscr) - 1));
	refresh();
}

static uint32_t code_of(wint_t key)
{
	switch (key) {
	case KEY_UP:
		return KSR_TOP_CODE_UP;
	case KEY_DOWN:
		return KSR_TOP_CODE_DOWN;
	case KEY_PPAGE:
		return KSR_TOP_CODE_PAGE_UP;
	case KEY_NPAGE:
		return KSR_TOP_CODE_PAGE_DOWN;
	case KEY_HOME:
		return KSR_TOP_CODE_HOME;
	case KEY_END:
		return KSR_TOP_CODE_END;
	case KEY_BTAB:
		return KSR_TOP_CODE_BACK_TAB;
	case KEY_ENTER:
		return KSR_TOP_CODE_ENTER;
	case KEY_BACKSPACE:
		return KSR_TOP_CODE_BACKSPACE;
	case KEY_F(1):
		return KSR_TOP_CODE_F1;
	default:
		/* A key without a meaning is a key all the same. */
		return KSR_TOP_CODE_NONE + 1;
	}
}

uint32_t ksr_top_screen_key(void)
{
	wint_t key;
	int kind = get_wch(&key);

	if (kind == ERR)
		return KSR_TOP_CODE_NONE;
	return kind == KEY_CODE_YES ? code_of(key) : (uint32_t)key;
}

void ksr_top_screen_resize(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	ksr_top_screen_redraw();
}

void ksr_top_screen_redraw(void)
{
	clearok(curscr, TRUE);
}

void ksr_top_screen_leave(void)
{
	def_prog_mode();
	curs_set(1);
	endwin();
}

void ksr_top_screen_return(void)
{
	reset_prog_mode();
	ksr_top_screen_resize();
}
