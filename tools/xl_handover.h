/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_handover.h - who may run a domain that goes from one host to another. */
#ifndef TOOLS_XL_HANDOVER_H
#define TOOLS_XL_HANDOVER_H

#include <stdbool.h>

#include "base/util.h"

/*
 * How it works
 *
 *	sender					receiver
 *				<- banner
 *	the domain ->				builds it, paused
 *				<- ready
 *	renames its own; go ->			starts its own
 *				<- report, status
 *	destroys its own	   or, if that failed, destroys its own
 *				<- go
 *	resumes its own
 *
 * The words are those of Xen's xl; what lies between banner and ready is ours
 * (docs/save-format.md).  INVARIANT: the receiver's copy runs only after it has
 * read all of "go", and the sender's only if it never began to write that or was
 * given it back: never do both.  Where the line is cut between the two, the
 * sender cannot know, and lets a human look.
 */

/** struct xl_wire - The line; both ends *borrowed*; the giver's @out is O_NONBLOCK. */
struct xl_wire {
	int in, out;
	bool (*stop)(void); /* as of fd_read_peer() */
};

/** enum xl_whose - Where the domain is to run. */
enum xl_whose {
	XL_OURS,
	XL_THEIRS,
	XL_NOBODY_KNOWS,
};

/**
 * struct xl_giver - What the sender does; each reports its errors.
 * @send: Writes the domain; @away: the last before its own may never run again.
 * @peer: Who it goes to, for messages.
 */
struct xl_giver {
	int (*send)(void *arg, int out);
	int (*away)(void *arg);
	void *arg;
	const char *peer;
};

/** xl_handover_give() - The sender's half; says on stderr how it goes. */
enum xl_whose xl_handover_give(const struct xl_wire *w,
			       const struct xl_giver *g);

/**
 * struct xl_taker - What the receiver does; each reports its errors.
 * @receive: Builds the domain, paused; leaves nothing behind if it fails.
 * @start:   Lets it run; @destroy: removes it.
 */
struct xl_taker {
	int (*receive)(void *arg, int in);
	int (*start)(void *arg);
	int (*destroy)(void *arg);
	void *arg;
};

/** xl_handover_take() - The receiver's half; Return: 0 if the domain runs here. */
int xl_handover_take(const struct xl_wire *w,
		     const struct xl_taker *t) must_check;

#endif
