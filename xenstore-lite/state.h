/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/state.h - all that a store has, out of the journal and into it. */
#ifndef XENSTORE_LITE_STATE_H
#define XENSTORE_LITE_STATE_H

#include <stdbool.h>

#include "base/util.h"

/**
 * state_load() - Begin where another store was killed.
 * @path: The journal.
 *
 * The live tree has what tree_init() makes; everything else is set up.
 * What the file holds that is not whole is left out, told, and kept beside it.
 * Domains are served after state_join().
 *
 * Return: 1; 0 if there was no journal of this boot: nothing has changed; -EPROTO
 * if it has another version or makes no sense; or -errno.
 */
int state_load(const char *path) must_check;

/**
 * state_try() - Whether state_load() could use a journal.
 *
 * Nobody notices: no domain is joined.  Return: as state_load().
 */
int state_try(const char *path) must_check;

/**
 * state_take() - Have the socket connections that another store hands over.
 * @fd:    What it wrote, by ledger_copy(); borrowed.
 * @first: The first one's descriptor, the others' follow; -1: they are not here.
 *
 * Return: 0, -EPROTO, or -errno.
 */
int state_take(int fd, int first) must_check;

/** state_join() - Go on with the domains of the journal at @path. */
void state_join(const char *path);

/** state_keep() - Keep a journal from now on; @path is borrowed for good. */
void state_keep(const char *path);

#endif
