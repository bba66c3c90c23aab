/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/backends.h - the parent's devices: found, started, ended. */
#ifndef DOM0_BACKEND_BACKENDS_H
#define DOM0_BACKEND_BACKENDS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/util.h"

struct event_base;
struct store;
struct backends;

/*
 * How it works
 *
 * A directory /local/domain/0/backend/TYPE/DOMID/DEVID with state 1
 * (Initialising) and a frontend is a new device.  Its host end is prepared (an
 * image opened, an interface made), the domain's socket connected, the
 * toolstack told by hotplug-status, and one worker started, which then owns the
 * state.  A worker that crashes is replaced at once, and ever later if that goes
 * on; one of a type with a journal goes on with its predecessor's connection, and
 * also outlives us: the next parent replaces it.  When the directory goes, or the worker ends because the device was detached, the host
 * end is undone, and hotplug-status is "disconnected".
 *
 * What we write into a directory is written in a transaction that sees that it
 * is still there.  Single-threaded; everything happens in the loop.
 */

/**
 * backends_new() - Watch the store for devices; *borrows* @base and @store.
 * @free: Workers keep all but their capabilities.
 */
int backends_new(struct backends **out, struct event_base *base,
		 struct store *store, bool free) must_check;

/**
 * backends_reaped() - A child process has ended.
 *
 * Return: whether it was one of the workers.
 */
bool backends_reaped(struct backends *b, pid_t pid, int status);

/** backends_reload() - Replace the workers that leave a journal, one by one. */
void backends_reload(struct backends *b);

/**
 * backends_stop() - End all workers; start no more.
 * @sig: SIGTERM or, when they take too long, SIGKILL.
 *
 * Connections with a journal wait for the next parent.
 *
 * Return: how many are still to be reaped.
 */
unsigned int backends_stop(struct backends *b, int sig);

/** backends_free() - Undo every host end; workers must have been reaped. */
void backends_free(struct backends *b);

#endif
