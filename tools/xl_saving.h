/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_saving.h - a domain that is stopped, to go on from a file or elsewhere. */
#ifndef TOOLS_XL_SAVING_H
#define TOOLS_XL_SAVING_H

#include <stdbool.h>

#include "base/domsock.h"
#include "base/savefile.h"
#include "tools/xl_store.h"

/** struct xl_saving - A domain on its way into a stream. */
struct xl_saving {
	unsigned int domid;
	bool was_paused;
	struct dom *dom;     /* *owned* */
	struct xs_handle *h; /* *owned* */
	int spool; /* *owned*: what it is, without RAM; -1: it was not stopped */
	int lock;  /* *owned*: one process at a time saves it */
	bool disks, cards; /* that it had are let go of */
};

/**
 * xl_saving_open() - Look whether a domain can be saved.
 * @v: To be given to xl_saving_close() if this returns 0.
 *
 * Return: 0 or -errno; reported.
 */
int xl_saving_open(struct xl_saving *v, unsigned int domid) must_check;

/**
 * xl_saving_begin() - Write its configuration, which comes first.
 * @config: As of struct xl_save_how.
 *
 * Return: 0 or -errno; not reported.
 */
int xl_saving_begin(const struct xl_saving *v, const char *config,
		    struct savefile *s) must_check;

/**
 * xl_saving_host() - Write what the host that it goes to must have, before its memory.
 *
 * Return: 0 or -errno; not reported.
 */
int xl_saving_host(const struct xl_saving *v, struct savefile *to) must_check;

/**
 * xl_saving_stop() - Stop it, and keep what it is, but for RAM.
 * @config: As of struct xl_save_how.
 *
 * It is paused then and its cards are let go of: nobody writes to its RAM any more.
 * If it failed it runs on.
 *
 * Return: 0 or -errno; reported.
 */
int xl_saving_stop(struct xl_saving *v, const char *config) must_check;

/** xl_saving_pass() - Write what is kept; Return: 0 or -errno, not reported. */
int xl_saving_pass(const struct xl_saving *v, struct savefile *to) must_check;

/** xl_saving_let_go() - Let its disks go, too; Return: 0 or -errno, reported. */
int xl_saving_let_go(struct xl_saving *v) must_check;

/**
 * xl_saving_back() - Give it the devices again that were let go of.
 *
 * Return: 0 or -errno, reported: it has none then, but can be saved.
 */
int xl_saving_back(struct xl_saving *v) must_check;

/** xl_saving_nodes() - Only the nodes of its frontends, so that it can be saved. */
int xl_saving_nodes(const struct xl_saving *v) must_check;

/**
 * xl_saving_resume() - Give it its devices again, and let it run on, if it did.
 *
 * Return: as xl_saving_back().
 */
int xl_saving_resume(struct xl_saving *v);

/** xl_saving_close() - Forget it; it stays as it is. */
void xl_saving_close(struct xl_saving *v);

#endif
