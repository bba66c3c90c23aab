/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_keeper.h - clears up after a domain that lives as long as its xl. */
#ifndef TOOLS_XL_KEEPER_H
#define TOOLS_XL_KEEPER_H

#include <sys/types.h>

#include "base/util.h"

/*
 * How it works
 *
 * A process of its own, in a session of its own, holds the reading end of a pipe.  When
 * the pipe ends, whatever ended xl, SIGKILL included, it destroys the domain if it is
 * there, and removes the directory and the VMM's log.  That is the only way in which
 * these are removed.
 */
struct xl_keeper {
	pid_t pid;
	int pipe; /* *owned* */
};

/**
 * xl_keeper_start() - Before any of it is made.
 * @name: The domain's.
 * @dir:  A directory; what is in it goes, too.
 *
 * Return: 0 or -errno; not reported.
 */
int xl_keeper_start(struct xl_keeper *k, const char *name,
		    const char *dir) must_check;

/**
 * xl_keeper_end() - Have it clear up now, and wait until it has.
 *
 * Return: 0, or -EIO if something could not be removed; reported.
 */
int xl_keeper_end(struct xl_keeper *k) must_check;

#endif
