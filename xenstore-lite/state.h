/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/state.h - all that a store has, out of the journal and into it. */
#ifndef XENSTORE_LITE_STATE_H
#define XENSTORE_LITE_STATE_H

#include <stdbool.h>

#include "base/util.h"
#include "xenstore-lite/node.h"

/**
 * state_load() - Begin where another store was killed.
 * @path: The journal.
 * @live: The live tree, with what tree_init() makes; everything else is set up.
 *
 * What the file holds that is not whole is left out, told, and kept beside it.
 *
 * Return: 1; 0 if there was no journal of this boot: nothing has changed; -EPROTO
 * if it has another version or makes no sense; or -errno.
 */
int state_load(const char *path, struct tree *live) must_check;

/** state_keep() - Keep a journal from now on; @path is borrowed for good. */
void state_keep(const char *path);

#endif
