/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_log.h - the log file of one guest's console. */
#ifndef DOM0_BACKEND_CONSOLE_LOG_H
#define DOM0_BACKEND_CONSOLE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/util.h"
#include "dom0-backend/backlog.h"

/**
 * struct console_log_conf - What all logs have in common.
 * @dir:            Directory, which exists; *borrowed*.
 * @max:            Bytes after which FILE becomes FILE.1 and a new FILE begins.
 * @replace_escape: Write '.' for ESC, for logs that are shown on a terminal.
 */
struct console_log_conf {
	const char *dir;
	uint64_t max;
	bool replace_escape;
};

/**
 * struct console_log - A log file, the slowest reader of a console's backlog.
 *
 * It never holds anybody up: what cannot be written now (disk full, directory
 * gone) stays in the backlog for a later try, or is dropped there with a mark.
 * All members are private.
 */
struct console_log {
	const struct console_log_conf *conf;
	char *path;
	int fd;
	uint64_t size;
	bool at_line; /* the last byte written ended a line */
	struct backlog_cursor cur;
	struct log_limit limit;
};

/**
 * console_log_init() - Open guest-NAME.log for appending.
 * @conf: *Borrowed* for the life of @l.
 * @name: The guest's name; bytes that do not belong in a file name become %XX.
 *
 * A file that cannot be opened is tried again by later writes.
 *
 * Return: 0 or -ENOMEM.
 */
int console_log_init(struct console_log *l, const struct console_log_conf *conf,
		     const char *name) must_check;

/** console_log_fini() - Close; a zeroed or half-built @l is fine. */
void console_log_fini(struct console_log *l);

/**
 * console_log_write() - Write all that is new in @b.
 *
 * Return: true if all is written, false if a later try is worth it.
 */
bool console_log_write(struct console_log *l, const struct backlog *b);

/** console_log_reopen() - After the file was moved away: begin a new one. */
void console_log_reopen(struct console_log *l);

#endif
