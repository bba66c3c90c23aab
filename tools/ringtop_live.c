// SPDX-License-Identifier: GPL-2.0-or-later
// tools/ringtop_live.c - rings on a terminal.
#include "tools/ringtop_live.h"

#include <stdlib.h>
#include <string.h>

#include "tools/ringtop_show.h"
#include "tools/screen.h"

#define DETAIL_LINES 18 /* as far as there is room for them */
#define BAR_WIDTH    40

static size_t selected, total, top; /* counted over all rings */
int live_begin(void)
{
	return screen_begin("--once");
}

void live_end(void)
{
	screen_end();
}

/* The selected ring in full, below the rows. */
static void draw_detail(int y, const struct ringtop_dom *d,
			const struct ringtop_ring *r)
{
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	ringtop_lines(f, d, r);
	ringtop_bars(f, &r->track.sum, BAR_WIDTH);
	fclose(f);
	for (rest = text; y < screen_rows() && (line = strsep(&rest, "\n"));
	     y++)
		screen_line(y, line, SCREEN_PLAIN);
	free(text);
}

/* Keep what is selected among what is there, and in sight. */
static void scroll_to(int rows)
{
	if (selected >= total)
		selected = total ? total - 1 : 0;
	if (selected < top)
		top = selected;
	if (selected >= top + (size_t)rows)
		top = selected - (size_t)rows + 1;
}

void live_draw(const struct ringtop_dom *dom)
{
	int lines = screen_rows();
	int rows = MAX(lines - 2 - DETAIL_LINES, MAX(lines / 3, 1));
	const struct ringtop_dom *d;
	char row[256];
	size_t at = 0;

	total = 0;
	for (d = dom; d; d = d->next)
		total += d->n;
	scroll_to(rows);
	screen_clear();
	screen_line(0, ringtop_heading, SCREEN_HEAD);
	for (d = dom; d; d = d->next) {
		for (size_t i = 0; i < d->n; i++, at++) {
			if (at < top || at >= top + (size_t)rows)
				continue;
			screen_line(
				1 + (int)(at - top),
				ringtop_row(row, sizeof(row), d, &d->ring[i]),
				at == selected ? SCREEN_BOLD : SCREEN_PLAIN);
			if (at == selected)
				draw_detail(2 + MIN(rows, (int)total), d,
					    &d->ring[i]);
		}
	}
	screen_show();
}

bool live_keys(bool *redraw)
{
	int c;

	while ((c = screen_key()) != SCREEN_NONE) {
		*redraw = true;
		if (c == 'q')
			return false;
		if ((c == SCREEN_DOWN || c == 'j') && selected + 1 < total)
			selected++;
		if ((c == SCREEN_UP || c == 'k') && selected)
			selected--;
	}
	return true;
}
