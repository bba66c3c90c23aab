// SPDX-License-Identifier: GPL-2.0-or-later
// tools/screen.c - a terminal's screen, in lines; there is one.
#include "tools/screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <ncurses.h>

#include "base/log.h"

static SCREEN *screen;

int screen_begin(const char *instead)
{
	const char *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		log_err("terminal '%s': not known (set TERM, or use %s)",
			term ? term : "", instead);
		return -ENOTTY;
	}
	cbreak();
	noecho();
	keypad(stdscr, true);
	nodelay(stdscr, true);
	/* What a key does is shown, also if another has been typed already. */
	typeahead(-1);
	curs_set(0);
	return 0;
}

void screen_end(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

int screen_rows(void)
{
	return LINES;
}

void screen_clear(void)
{
	erase();
}

void screen_line(int y, const char *text, enum screen_look look)
{
	attrset(look == SCREEN_HEAD   ? A_REVERSE
		: look == SCREEN_BOLD ? A_BOLD
				      : A_NORMAL);
	mvaddnstr(y, 0, text, COLS);
	clrtoeol();
	attrset(A_NORMAL);
}

void screen_show(void)
{
	refresh();
}

int screen_key(void)
{
	int c = getch();

	return c == ERR	       ? SCREEN_NONE
	       : c == KEY_UP   ? SCREEN_UP
	       : c == KEY_DOWN ? SCREEN_DOWN
			       : c;
}

bool screen_is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}
