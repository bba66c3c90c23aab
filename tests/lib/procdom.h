/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/procdom.h - frontends in a process: a domain that needs no vCPU. */
#ifndef TESTS_LIB_PROCDOM_H
#define TESTS_LIB_PROCDOM_H

#include "tests/lib/fakedom.h"

/*
 * How it works
 *
 * The drivers of guest-frontend/ are built for Linux and stand on a fakedom
 * instead of hypercalls: memory and grant table are its memfds, event channels its
 * eventfds.  Threads of the process play vCPUs; each waits for events of its own.
 * There is one such domain in a process.
 */

/**
 * procdom_use() - From now on the drivers of this process are this domain's.
 *
 * Takes all of its memory, makes its grant table.
 */
void procdom_use(struct fakedom *f);

#endif
