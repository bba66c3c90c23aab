/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/screen.h - a terminal's screen, in lines; there is one. */
#ifndef TOOLS_SCREEN_H
#define TOOLS_SCREEN_H

#include <stdbool.h>

#include "base/util.h"

/** enum screen_look - How a line looks. */
enum screen_look {
	SCREEN_PLAIN,
	SCREEN_BOLD,
	SCREEN_HEAD, /* reversed */
};

/** Keys that are no characters. */
#define SCREEN_NONE (-1)
#define SCREEN_UP   (-2)
#define SCREEN_DOWN (-3)

/**
 * screen_begin() - Take the terminal.
 * @instead: What can be done without one, to be told.
 *
 * Return: 0, or -ENOTTY if it is not known; reported.
 */
int screen_begin(const char *instead) must_check;

/** screen_end() - Give it back; fine without screen_begin(). */
void screen_end(void);

/** screen_rows() - How many lines it has now. */
int screen_rows(void);

/** screen_clear() - Empty it; shown by screen_show(). */
void screen_clear(void);

/** screen_line() - Write line @y, from 0; what does not fit is left out. */
void screen_line(int y, const char *text, enum screen_look look);

/** screen_show() - Show what was written. */
void screen_show(void);

/** screen_key() - The next key, without waiting, or SCREEN_NONE. */
int screen_key(void);

/** screen_is_utf8() - Whether more than ASCII can be shown. */
bool screen_is_utf8(void);

#endif
