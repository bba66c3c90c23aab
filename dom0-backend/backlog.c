/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/backlog.c - the last 64 KiB of a byte stream, and its readers. */
#include "dom0-backend/backlog.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

static size_t place(uint64_t at)
{
	return at % BACKLOG_SIZE;
}

/* Bytes from @at that lie together. */
static size_t piece(const struct backlog *b, uint64_t at)
{
	return MIN(b->end - at, BACKLOG_SIZE - place(at));
}

void backlog_add(struct backlog *b, const void *data, size_t n)
{
	const uint8_t *from = data;
	size_t len;

	if (n > BACKLOG_SIZE) {
		from += n - BACKLOG_SIZE;
		b->end += n - BACKLOG_SIZE;
		n = BACKLOG_SIZE;
	}
	for (; n; n -= len) {
		len = MIN(n, BACKLOG_SIZE - place(b->end));
		memcpy(b->buf + place(b->end), from, len);
		b->end += len;
		from += len;
	}
}

/* The first beginning of a line at or after @at; @at if there is none. */
static uint64_t next_line(const struct backlog *b, uint64_t at)
{
	const uint8_t *nl, *from;
	uint64_t pos;

	for (pos = at; pos < b->end; pos += piece(b, pos)) {
		from = b->buf + place(pos);
		nl = memchr(from, '\n', piece(b, pos));
		if (nl)
			return pos + (uint64_t)(nl - from) + 1;
	}
	return at;
}

void backlog_replay(const struct backlog *b, struct backlog_cursor *c)
{
	*c = (struct backlog_cursor){ 0 };
	if (b->end > BACKLOG_SIZE)
		c->at = next_line(b, b->end - BACKLOG_SIZE);
}

/*
 * Half of the backlog is given up at once, so that a slow reader sees one mark
 * for many lines and not one for each. A mark that is not read yet grows.
 */
static void fall_behind(const struct backlog *b, struct backlog_cursor *c)
{
	uint64_t to = next_line(b, b->end - BACKLOG_SIZE / 2);

	if (c->mark_at == c->mark_len)
		c->lost = 0;
	c->lost += to - c->at;
	c->mark_len = (uint8_t)snprintf(c->mark, sizeof(c->mark),
					"\r\n[%" PRIu64 " bytes dropped]\r\n",
					c->lost);
	c->mark_at = 0;
	c->at = to;
}

size_t backlog_peek(const struct backlog *b, struct backlog_cursor *c,
		    const uint8_t **data)
{
	bool in_mark = c->mark_at > 0 && c->mark_at < c->mark_len;

	if (!in_mark && b->end - c->at > BACKLOG_SIZE)
		fall_behind(b, c);
	if (c->mark_at < c->mark_len) {
		*data = (const uint8_t *)c->mark + c->mark_at;
		return (size_t)(c->mark_len - c->mark_at);
	}
	*data = b->buf + place(c->at);
	return piece(b, c->at);
}

void backlog_skip(struct backlog_cursor *c, size_t n)
{
	if (c->mark_at < c->mark_len)
		c->mark_at += (uint8_t)n;
	else
		c->at += n;
}
