/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console.h - one guest's console: ring, pty and log file. */
#ifndef DOM0_BACKEND_CONSOLE_H
#define DOM0_BACKEND_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/console_log.h"

struct event;
struct event_base;

/*
 * How it works
 *
 * Parties: the guest (two byte streams in one page, ring/stream.h), at most a few
 * readers one after another (pty), a log file. Guest output goes into a backlog of
 * 64 KiB, which pty and log read at their own pace (backlog.h), so neither a
 * missing or slow reader nor a full disk ever holds the guest up. What is typed
 * goes the other way through a small buffer; when the guest does not read, the
 * pty stops taking keys.
 *
 * Guest bytes are passed on, never parsed. An impossible ring index ends the
 * ring, and nothing else: pty and log stay until the domain is gone.
 *
 * Fairness: a console takes at most 4 KiB from its ring in one turn and then
 * queues behind all others; and it has a budget of turns (CONSOLE_BURST at once,
 * CONSOLE_RATE a second), after which its events are not looked at until the
 * budget has grown again. A guest that floods its console or the event channel
 * costs that much and no more.
 *
 * The end: when the domain is gone, what is left in the ring (its page outlives
 * the domain) goes to the log and the reader, then the pty is closed.
 */
#define CONSOLE_BURST 128u
#define CONSOLE_RATE  1000u

struct console;

/**
 * struct console_hub - What all consoles of a process share.
 * @base: Loop.
 * @conf: For their logs.
 * @ptmx: What ptmx_open() opens terminals by; *borrowed*.
 * @gone: A domain is gone; called once. Its pty may still be read for a moment,
 *        then the console is freed. Not called by console_stop().
 */
struct console_hub {
	struct event_base *base;
	struct console_log_conf conf;
	int ptmx;
	void (*gone)(void *arg, struct console *c);
	void *arg;

	/* private */
	int inotify;
	struct event *inotify_ev;
	struct console *first;
};

/**
 * console_hub_init() - Prepare for consoles.
 * @h: @base, @conf, @ptmx and the calls are set by the caller.
 *
 * Return: 0 or -errno.
 */
int console_hub_init(struct console_hub *h) must_check;

/** console_hub_fini() - Stop all consoles as console_stop() does. */
void console_hub_fini(struct console_hub *h);

/** console_hub_reopen() - Reopen all log files. */
void console_hub_reopen(struct console_hub *h);

/** console_hub_next() - Walk: the first console after @c; NULL begins. */
struct console *console_hub_next(struct console_hub *h, struct console *c);

/**
 * console_new() - Serve a domain's console.
 * @out: Owned by @h; written only on success.
 *
 * Return: 0, -ENOENT or -ECONNREFUSED if there is no such domain, or -errno.
 */
int console_new(struct console **out, struct console_hub *h,
		unsigned int domid) must_check;

/**
 * console_follow() - Serve the new ring of a guest that was resumed anew.
 *
 * Does nothing for others.  A domain that turns out to be gone is ended.
 *
 * Return: 0 or -errno; then the console is silent, and a later call may help.
 */
int console_follow(struct console *c) must_check;

/**
 * console_stop() - Leave a domain alone: log what is there, close, free.
 *
 * The guest does not notice; another process may go on.
 */
void console_stop(struct console *c);

/** console_domid(), console_tty() - Whose it is; the pty's slave. */
unsigned int console_domid(const struct console *c);
const char *console_tty(const struct console *c);

/** console_ending() - Whether its domain is gone and only a reader is left. */
bool console_ending(const struct console *c);

#endif
