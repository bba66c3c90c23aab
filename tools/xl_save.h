/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_save.h - a domain into a file, and out of it again. */
#ifndef TOOLS_XL_SAVE_H
#define TOOLS_XL_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/savefile.h"
#include "base/util.h"
#include "tools/xl_build.h"
#include "tools/xl_saving.h"

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

/** struct xl_save_node - Begins SAVE_NODES; path with its NUL, permissions, value follow. */
struct xl_save_node {
	uint32_t path, perms, value; /* bytes, entries of 8, bytes */
};

/**
 * struct xl_save_how - How a domain is saved.
 * @config: Text of another configuration to keep with it; NULL: the domain's.
 * @keep:   It is to go on here: it gets back what had to be let go of.
 * @pack:   Its memory is packed.
 */
struct xl_save_how {
	const char *config;
	bool keep, pack;
};

/**
 * xl_save() - Save a domain.
 * @path: Written anew; what was there stays if it fails.
 *
 * The domain is paused then, or runs on if it failed.
 *
 * Return: 0 or -errno; reported.
 */
int xl_save(unsigned int domid, const char *path, const struct xl_save_how *how,
	    bool *was_paused) must_check;

/**
 * xl_save_stopped() - Save a domain that xl_saving_stop() has stopped; it stays so.
 * @path: As of xl_save().
 *
 * It may have let go of all its devices since: nothing but its VMM is needed.
 *
 * Return: 0 or -errno; reported.
 */
int xl_save_stopped(struct xl_saving *v, const char *path,
		    const struct xl_save_how *how) must_check;

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
