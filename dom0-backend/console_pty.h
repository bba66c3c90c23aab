/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_pty.h - a console's pseudo terminal and who holds it. */
#ifndef DOM0_BACKEND_CONSOLE_PTY_H
#define DOM0_BACKEND_CONSOLE_PTY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/*
 * How it works
 *
 * The reader (`xl console`) opens the slave side. While nobody has it open,
 * nothing may be written: it would stay in the kernel and come again, stale, to
 * the next reader. The kernel tells the master of the last close (hang-up) but
 * of no open, so the slave's device node is watched by inotify, one instance
 * for all consoles, which belongs to the caller. After each reader the slave's
 * queue is emptied and its line discipline made raw again.
 */

/** struct console_pty - One pty; fds start at -1. */
struct console_pty {
	int inotify;   /* borrowed; private */
	int master;    /* non-blocking; private */
	int drain;     /* the slave, while waiting for it to be read; private */
	int watch;     /* inotify watch descriptor */
	bool held;     /* a reader has the slave open */
	bool left;     /* one has closed it since the last open; private */
	char name[64]; /* of the slave: "/dev/pts/7" */
};

/**
 * console_pty_open() - Make a pty.
 * @p:       Filled in; usable only on success.
 * @master:  From ptmx_open(); *given*.
 * @inotify: *Borrowed* for the life of @p. Its events with this watch descriptor
 *           are to be given to console_pty_event().
 *
 * Return: 0 or -errno.
 */
int console_pty_open(struct console_pty *p, int master, int inotify) must_check;

/**
 * console_pty_close() - Close; the reader sees the end. A pty that was never
 * opened (master -1) is fine.
 */
void console_pty_close(struct console_pty *p);

/** enum console_pty_news - What an event meant. */
enum console_pty_news {
	CONSOLE_PTY_SAME,
	CONSOLE_PTY_CAME, /* a reader is there that has seen nothing yet */
	CONSOLE_PTY_LEFT, /* nobody is there any more */
};

/**
 * console_pty_event() - An inotify event came for this pty, or a read failed.
 * @mask: As in struct inotify_event; IN_Q_OVERFLOW if events were lost; IN_CLOSE
 *        after a read failed.
 *
 * @p->watch may have changed afterwards. Keys that were typed are still there.
 */
enum console_pty_news console_pty_event(struct console_pty *p,
					unsigned int mask) must_check;

/**
 * console_pty_write() - Write to the reader.
 *
 * Return: bytes written, 0 if it does not take any now, -EIO.
 */
int console_pty_write(struct console_pty *p, const void *buf,
		      size_t n) must_check;

/**
 * console_pty_read() - Read what was typed.
 *
 * Return: bytes read, 0 if there are none, -EIO if the reader is gone.
 */
int console_pty_read(struct console_pty *p, void *buf, size_t n) must_check;

/**
 * console_pty_drained() - Whether the reader has read all that was written.
 *
 * For the end: closing the master throws away what it has not. From the first
 * call on a reader that leaves is not noticed any more.
 */
bool console_pty_drained(struct console_pty *p);

#endif
