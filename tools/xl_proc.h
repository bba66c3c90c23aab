/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_proc.h - programs that the toolstack leaves running. */
#ifndef TOOLS_XL_PROC_H
#define TOOLS_XL_PROC_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

/**
 * struct xl_proc - A process that cannot be mistaken for a later one.
 * @pid:   Its number, which may be used again after its death.
 * @start: When it was started, in clock ticks since boot: tells them apart.
 *
 * Kept in a file, "PID START\n", which the process itself writes before it
 * executes the program: there is no moment without a record.
 */
struct xl_proc {
	pid_t pid;
	uint64_t start;
};

/**
 * struct xl_start - How to start a program in the background.
 * @argv:     NULL-terminated, argv[0] the path; at most 60 strings.
 * @log:      File that takes its standard output and error.
 * @pidfile:  Where its struct xl_proc is kept.
 * @keep_err: Its standard error stays the caller's, for its first sentences;
 *            it leaves it by itself.
 * @keep_fd:  A descriptor that it inherits; 0 for none.
 */
struct xl_start {
	const char *const *argv;
	const char *log;
	const char *pidfile;
	bool keep_err;
	int keep_fd;
};

/**
 * xl_proc_start() - Start a program; it gets "--ready-fd N" appended.
 * @ready: *Owned* by the caller: for xl_proc_wait_ready().
 *
 * It has a session and no signal handlers of the caller.
 *
 * Return: 0 or -errno; not reported.
 */
int xl_proc_start(const struct xl_start *s, int *ready) must_check;

/**
 * xl_proc_wait_ready() - Wait until a program serves.
 * @ready: From xl_proc_start(); closed and set to -1.
 *
 * Return: 0, -EPIPE if it ended before, -ETIMEDOUT, or -EINTR after
 * xl_interrupted().
 */
int xl_proc_wait_ready(int *ready, int timeout_ms) must_check;

/** xl_proc_load() - Read a record; Return: 0 or -errno. */
int xl_proc_load(struct xl_proc *p, const char *pidfile) must_check;

/** xl_proc_alive() - Whether the very process still runs (is no zombie). */
bool xl_proc_alive(const struct xl_proc *p);

/** struct xl_thread - What proc(5) says of a thread. */
struct xl_thread {
	char state;	  /* R, S, ... */
	unsigned int cpu; /* it was on last */
	uint64_t cpu_ns;
};

/** xl_proc_thread() - Read it; Return: 0 or -errno. */
int xl_proc_thread(pid_t pid, pid_t tid, struct xl_thread *t) must_check;

/**
 * xl_proc_fatal() - The signal that ended a child of ours, or 0.
 *
 * To be asked once, after its end.
 */
int xl_proc_fatal(const struct xl_proc *p);

/**
 * xl_proc_end() - Make sure that a process has ended.
 * @patience_ms: How long it may take to end by itself before it is killed.
 *
 * Return: 0, or -ETIMEDOUT if not even SIGKILL ends it (stuck in the kernel).
 */
int xl_proc_end(const struct xl_proc *p, int patience_ms) must_check;

/**
 * xl_catch_interrupts() - From now on SIGINT, SIGTERM and SIGHUP only set a
 * mark, so that what was begun can be undone.
 */
void xl_catch_interrupts(void);

/** xl_interrupted() - Whether such a signal has come. */
bool xl_interrupted(void);

/**
 * xl_poll() - poll(), also interrupted by such a signal that came before it.
 *
 * Who looks at xl_interrupted() and then sleeps in poll() would miss one that comes
 * in between.
 *
 * Return: as poll(); -1 with EINTR if xl_interrupted().
 */
int xl_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

/**
 * xl_shield() - Have xl_interrupted() deny it while something is undone.
 *
 * Return: what it was before, to be set again.
 */
bool xl_shield(bool on);

#endif
