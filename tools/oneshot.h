/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/oneshot.h - what `xl run` and the first process of its guest say. */
#ifndef TOOLS_ONESHOT_H
#define TOOLS_ONESHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/*
 * How it works
 *
 * Parties: xl, which serves the guest's PV console itself (tools/xl_oneshot.c), and
 * sv-oneshot, first process of the guest (tools/oneshot_init.c).  On the console
 * there is nothing but frames: a head (struct oneshot_head) and its bytes.  What the
 * command prints is the content of frames, so nothing in it can be taken for its
 * end.  The kernel prints elsewhere; what came before ONESHOT_MAGIC is skipped.
 *
 *	guest: ONESHOT_MAGIC             the console is ready
 *	xl:    JOB, then IN ..., IN of no bytes at the end of standard input
 *	guest: OUT and ERR ..., END
 *
 * Each way has the console ring's flow control: nothing is lost, and whoever does
 * not read has the other one wait.
 */
#define ONESHOT_MAGIC	   "\1sv-oneshot/1\r\n\2"
#define ONESHOT_MAGIC_SIZE (sizeof(ONESHOT_MAGIC) - 1)

enum oneshot_type {
	ONESHOT_JOB = 'J', /* struct oneshot_job, encoded */
	ONESHOT_IN = 'I',
	ONESHOT_OUT = 'O',
	ONESHOT_ERR = 'E',
	ONESHOT_END =
		'X', /* a status, and a sentence if it is sv-oneshot's own */
};

/** struct oneshot_head - Before each frame; little endian. */
struct oneshot_head {
	uint32_t type; /* enum oneshot_type */
	uint32_t len;
};

#define ONESHOT_MAX_DATA 65536u	    /* of IN, OUT, ERR */
#define ONESHOT_MAX_JOB	 (2u << 20) /* as much as Linux takes for arguments */
#define ONESHOT_MAX_END	 256u	    /* status and sentence */

/* Exit statuses that are not the command's, as container engines have them. */
#define ONESHOT_FAILED	  125 /* there was no guest, or it ended early */
#define ONESHOT_CANNOT	  126 /* the command cannot be executed */
#define ONESHOT_NOT_FOUND 127

/**
 * struct oneshot_job - A command to be run.
 * @rw:  The root is written to for good; else what is written is kept in memory.
 * @cwd: Its directory, @argv: its arguments, @env: its environment; both
 *       NULL-terminated.  *Borrowed*, but of a decoded one *owned*.
 */
struct oneshot_job {
	uint32_t uid, gid;
	bool rw, net;
	const char *cwd;
	const char *const *argv;
	const char *const *env;
};

/**
 * oneshot_encode() - A job as the content of its frame, with the head before it.
 * @out: *Owned* by the caller.
 *
 * Return: 0, -E2BIG if it exceeds ONESHOT_MAX_JOB, or -ENOMEM.
 */
int oneshot_encode(const struct oneshot_job *job, uint8_t **out,
		   size_t *len) must_check;

/**
 * oneshot_decode() - Read a job.
 * @buf: @len bytes; *given*: @job's strings are there.
 * @job: Filled on success, to be freed by oneshot_job_free().
 *
 * Return: 0, -EPROTO if it is none (@buf is freed then, too), or -ENOMEM.
 */
int oneshot_decode(struct oneshot_job *job, uint8_t *buf,
		   size_t len) must_check;

/** oneshot_job_free() - Free a decoded job. */
void oneshot_job_free(struct oneshot_job *job);

/**
 * struct oneshot_parser - Takes a stream apart.
 * @types: Which types the other side may send: a string of enum oneshot_type.
 * @magic: Whether ONESHOT_MAGIC is still to come.
 * @piece: Gets bytes of a frame: of IN, OUT and ERR as they come, of others all at
 *         once.  Return: 0, or a number that oneshot_feed() ends with.
 *
 * The caller sets these and zeroes the rest, which is private.  @whole is there while a
 * frame comes whose bytes are handed on all at once.
 */
struct oneshot_parser {
	const char *types;
	bool magic;
	int (*piece)(void *arg, enum oneshot_type type, const uint8_t *buf,
		     size_t n);
	void *arg;

	size_t nmagic, nhead, left, have;
	struct oneshot_head head;
	uint8_t *whole;
};

/**
 * oneshot_feed() - Take in what came.
 * @buf: UNTRUSTED on xl's side.
 *
 * Return: 0; what @piece returned if not 0; -EPROTO if a head cannot be; or -ENOMEM.
 * After these there is no more to be fed.
 */
int oneshot_feed(struct oneshot_parser *p, const uint8_t *buf,
		 size_t n) must_check;

/** oneshot_parser_fini() - Free what it holds. */
void oneshot_parser_fini(struct oneshot_parser *p);

/**
 * oneshot_run() - Serve one job: be the guest's half but for its root.
 * @fd:    The console, blocking; *borrowed*.
 * @ready: Called between the job's coming and the command's start.  Return: NULL, or
 *         what is wrong.
 * @done:  Called when the command has ended, before xl hears of it.
 *
 * Other children of this process are reaped, too.  Return: 0 when END is
 * written, or -errno if the console is of no use.
 */
int oneshot_run(int fd, const char *(*ready)(const struct oneshot_job *job),
		void (*done)(const struct oneshot_job *job)) must_check;

#endif
