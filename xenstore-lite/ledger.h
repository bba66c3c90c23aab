/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/ledger.h - the journal: a file of what has changed. */
#ifndef XENSTORE_LITE_LEDGER_H
#define XENSTORE_LITE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/*
 * How it works
 *
 * Records gather in memory until ledger_commit() writes them, by one write(2), as
 * one frame: its length, a checksum, then the records.  A frame counts whole or not
 * at all.  Whoever wants to show others what follows from a change commits first:
 * so all that anybody was ever told is in the file.
 *
 * The file lives as long as the host does: its head names the boot, and one of
 * another boot is not for us, since no domain has outlived that.  What a process
 * has written outlives it without fsync(2), also kill -9; so there is none.
 *
 * The file begins with all there is, and is replaced by a new such file, made
 * beside it and renamed, when it has grown to LEDGER_GROWTH times that, but not
 * before LEDGER_MIN.  So its size is bounded by what there is, and its making
 * costs each record a constant share.  Nobody waits for all of it: each commit
 * makes LEDGER_SLICE more of it, and four times what was committed.  What there was
 * in the beginning goes into it first; then, from the old file, what has changed
 * since.
 *
 * A file that cannot be written (the disk is full) is said to be so, once, and
 * removed; a new one is tried every ledger_retry_ms, and the store goes on
 * meanwhile.
 */
#define LEDGER_MIN    (1ul << 20)
#define LEDGER_GROWTH 4
#define LEDGER_SLICE  (1ul << 10)

/** ledger_setup() - Before the sandbox: learn which boot this is. */
void ledger_setup(void);

/**
 * struct ledger_found - What a journal held.
 * @frames:  Whole ones.
 * @bytes:   Of the file that are whole.
 * @dropped: Bytes behind them, which are not.
 * @torn:    They are one frame that was never written to its end, so that nobody
 *           was told of it; otherwise they were damaged.
 */
struct ledger_found {
	uint64_t frames, bytes, dropped;
	bool torn;
};

/**
 * ledger_load() - Read a journal.
 * @apply: Called for each record, in order; its -errno ends the reading there.
 * @found: Filled on success.
 *
 * Return: 0; -ENOENT if there is none of this boot; -EPROTO if it has another
 * version; or -errno, that of @apply included.
 */
int ledger_load(const char *path, int (*apply)(const void *record, size_t len),
		struct ledger_found *found) must_check;

/** ledger_read() - As ledger_load(), from a file that is open. */
int ledger_read(int fd, int (*apply)(const void *record, size_t len),
		struct ledger_found *found) must_check;

/**
 * ledger_copy() - Write a file of the same form that is not the journal.
 * @fd:  Borrowed; empty.
 * @add: Adds records.
 *
 * Return: 0 or -errno.
 */
int ledger_copy(int fd, void (*add)(void)) must_check;

/**
 * struct ledger_dump - How to have records of all there is.
 * @begin: Add some of them, and keep what the others are made of as it is.
 * @more:  Add about LEDGER_SLICE bytes of the others; Return: whether there are more.
 * @end:   Forget what was kept; also before all was added.
 */
struct ledger_dump {
	void (*begin)(void);
	bool (*more)(void);
	void (*end)(void);
};

/**
 * ledger_start() - Begin a new file in place of what is at @path.
 * @path: Borrowed for good.
 * @dump: Borrowed for good; also called later, within ledger_commit().
 */
void ledger_start(const char *path, const struct ledger_dump *dump);

/** ledger_on() - Whether records are noted; otherwise adding them does nothing. */
bool ledger_on(void);

/** ledger_whole() - Whether there is a file, and it has all that was committed. */
bool ledger_whole(void);

/** ledger_begin(), ledger_end() - Around the parts of a record. */
void ledger_begin(uint8_t type);
void ledger_end(void);

/** ledger_put() - A part: @n bytes as they are. */
void ledger_put(const void *p, size_t n);

/** ledger_fail() - Not all that had to be added could be. */
void ledger_fail(int err);

/**
 * ledger_commit() - Write what was added since.
 *
 * Nothing to write costs nothing, but that a new file in the making comes to its end.
 */
void ledger_commit(void);

/** ledger_stop() - Note nothing any more; what was not committed is forgotten. */
void ledger_stop(void);

/** ledger_size() - Bytes of the file now. */
uint64_t ledger_size(void);

/** ledger_retry_ms - How long after a failure another file is tried. */
extern unsigned int ledger_retry_ms;

#endif
