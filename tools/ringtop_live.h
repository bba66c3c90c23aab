/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/ringtop_live.h - rings on a terminal. */
#ifndef TOOLS_RINGTOP_LIVE_H
#define TOOLS_RINGTOP_LIVE_H

#include "tools/ringtop_find.h"

/** live_begin() - Take the terminal; Return: 0 or -ENOTTY. */
int live_begin(void) must_check;

/** live_end() - Give it back; fine without live_begin(). */
void live_end(void);

/** live_draw() - Show a list of domains: each ring in a row, one in full. */
void live_draw(const struct ringtop_dom *dom);

/**
 * live_keys() - Take in what was typed, without waiting.
 * @redraw: Set if something else is to be shown now.
 *
 * Return: false if the user wants to leave.
 */
bool live_keys(bool *redraw);

#endif
