/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/backlog.h - the last 64 KiB of a byte stream, and its readers. */
#ifndef DOM0_BACKEND_BACKLOG_H
#define DOM0_BACKEND_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

/*
 * How it works
 *
 * One writer adds bytes and is never held up. Each reader is a cursor, the
 * number of bytes that it has read since the beginning of the stream. A reader
 * that falls behind by more than the backlog holds loses the oldest bytes: it
 * then reads a mark, "[N bytes dropped]" on a line of its own, and goes on with
 * the next whole line. Memory is bounded whatever the writer and the readers do.
 */
#define BACKLOG_SIZE (64u << 10)

/** struct backlog - The bytes; zero-initialised is empty. */
struct backlog {
	uint64_t end; /* bytes ever added */
	uint8_t buf[BACKLOG_SIZE];
};

/** struct backlog_cursor - One reader; zero-initialised is at the beginning. */
struct backlog_cursor {
	uint64_t at;
	uint64_t lost; /* bytes that the mark tells of */
	char mark[48]; /* read before the byte at @at */
	uint8_t mark_len, mark_at;
};

/** backlog_add() - Append @n bytes; the oldest give way. */
void backlog_add(struct backlog *b, const void *data, size_t n);

/** backlog_replay() - Go back to the oldest whole line. */
void backlog_replay(const struct backlog *b, struct backlog_cursor *c);

/**
 * backlog_peek() - What the reader is to read next.
 * @data: Points to it; *borrowed* until the next call that takes @b or @c.
 *
 * Return: bytes at @data, not always all there are; 0 when it has read all.
 */
size_t backlog_peek(const struct backlog *b, struct backlog_cursor *c,
		    const uint8_t **data);

/** backlog_skip() - The first @n bytes of the last backlog_peek() are read. */
void backlog_skip(struct backlog_cursor *c, size_t n);

#endif
