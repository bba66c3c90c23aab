/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_save.h - a domain into a file, and out of it again. */
#ifndef TOOLS_XL_SAVE_H
#define TOOLS_XL_SAVE_H

#include <stdbool.h>

#include "base/savefile.h"
#include "base/util.h"
#include "tools/xl_build.h"

/** struct xl_save_file - A saved domain's file, its first records read. */
struct xl_save_file {
	struct xl_saved saved;
	char *name, *cwd, *text;    /* *owned* */
	size_t size;		    /* of the configuration's record */
	struct xl_save_item *items; /* *owned*: nodes and watches */
	size_t nitems;
	/* From a peer: */
	struct savefile peer;
	int vmm; /* *owned*: what the VMM reads; -1 else */
};

/**
 * xl_save() - Save a domain.
 * @path:   Written anew; what was there stays if it fails.
 * @config: Text of another configuration to keep with it; NULL: the domain's.
 *
 * The domain is paused then, or runs on if it failed.
 *
 * Return: 0 or -errno; reported.
 */
int xl_save(unsigned int domid, const char *path, const char *config,
	    bool *was_paused) must_check;

/** struct xl_saving - A domain on its way into a stream. */
struct xl_saving {
	unsigned int domid;
	bool was_paused;
	struct dom *dom;     /* *owned* */
	struct xs_handle *h; /* *owned* */
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
 * @config: As of xl_save().
 *
 * Return: 0 or -errno; not reported.
 */
int xl_saving_begin(const struct xl_saving *v, const char *config,
		    struct savefile *s) must_check;

/**
 * xl_saving_stop() - Stop it, and write what it is, but for RAM and end.
 * @config: As of xl_save().
 * @fd:     A regular file, written anew, with xl_saving_begin().
 * @s:      Filled: the stream so far.
 *
 * It is paused then; if it failed it runs on.
 *
 * Return: 0 or -errno; reported.
 */
int xl_saving_stop(const struct xl_saving *v, const char *config, int fd,
		   struct savefile *s) must_check;

/** xl_saving_resume() - Let it run on, if it did. */
void xl_saving_resume(const struct xl_saving *v);

/** xl_saving_close() - Forget it; it stays as it is. */
void xl_saving_close(struct xl_saving *v);

/**
 * xl_save_open() - Read what a file says to the toolstack.
 * @f: To be given to xl_save_close() if this returns 0.
 *
 * Return: 0 or -errno; reported.
 */
int xl_save_open(struct xl_save_file *f, const char *path) must_check;

/**
 * xl_save_open_peer() - Read what a stream says first: the configuration.
 * @fd:   *Borrowed* until xl_save_close(); @stop: as of fd_read_peer().
 *
 * The rest is read by xl_build_saved(), once the VMM is there to take its part.
 *
 * Return: 0 or -errno; reported.
 */
int xl_save_open_peer(struct xl_save_file *f, int fd,
		      bool (*stop)(void)) must_check;

/** xl_save_close() - Forget it. */
void xl_save_close(struct xl_save_file *f);

#endif
