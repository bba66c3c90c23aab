/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/ringtop_show.h - what was seen of rings, as text and as JSON. */
#ifndef TOOLS_RINGTOP_SHOW_H
#define TOOLS_RINGTOP_SHOW_H

#include <stdio.h>

#include "tools/ringtop_find.h"

/** ringtop_lines() - All of one ring, in a few lines; for people and grep. */
void ringtop_lines(FILE *f, const struct ringtop_dom *d,
		   const struct ringtop_ring *r);

/** ringtop_bars() - A ring's histogram, a line for each bucket in use. */
void ringtop_bars(FILE *f, const struct track_sum *s, unsigned int width);

/** ringtop_heading - Titles for ringtop_row(). */
extern const char ringtop_heading[];

/** ringtop_row() - A ring in one line of 80 columns; Return: @buf. */
char *ringtop_row(char *buf, size_t size, const struct ringtop_dom *d,
		  const struct ringtop_ring *r);

/**
 * ringtop_json() - All rings as one JSON object on one line.
 * @dom: The first of a list of domains, or NULL.
 *
 * Return: 0, -ENOMEM, or -EIO if it cannot be written.
 */
int ringtop_json(FILE *f, const struct ringtop_dom *dom,
		 unsigned int interval_us) must_check;

#endif
