/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/domctl.h - the domain socket's server half. */
#ifndef HYPERVISOR_DOMCTL_H
#define HYPERVISOR_DOMCTL_H

#include <poll.h>
#include <stdbool.h>

#include "base/util.h"

struct vm;

/** DOMCTL_MAX_CLIENTS - Connections at a time; more are closed at once. */
#define DOMCTL_MAX_CLIENTS 256

/** DOMCTL_MAX_POLL - Most entries that domctl_pollfds() fills. */
#define DOMCTL_MAX_POLL (DOMCTL_MAX_CLIENTS + 1)

/** struct domctl - The socket and its clients; used by the main thread only. */
struct domctl;

/**
 * domctl_new() - Listen on @path.
 * @out: *Owned* by the caller; written only on success.
 * @vm:  Borrowed until domctl_free().
 *
 * Return: 0 or -errno, -EADDRINUSE if another process answers there.
 */
int domctl_new(struct domctl **out, struct vm *vm, const char *path) must_check;

/** domctl_free() - Close everything, remove the socket; NULL is fine. */
void domctl_free(struct domctl *d);

/** domctl_pollfds() - What to wait for; Return: entries filled. */
unsigned int domctl_pollfds(struct domctl *d,
			    struct pollfd fds[DOMCTL_MAX_POLL]);

/**
 * domctl_serve() - Answer what has arrived.
 * @fds: From domctl_pollfds(), after poll(), with nothing in between.
 *
 * Return: false when the domain is to be destroyed.
 */
bool domctl_serve(struct domctl *d, const struct pollfd *fds, unsigned int n);

/** domctl_announce() - Send DOM_EV_SHUTDOWN once each time it is down. */
void domctl_announce(struct domctl *d);

/**
 * domctl_timer() - When domctl_pollfds() has to be asked again at the latest.
 *
 * Return: CLOCK_MONOTONIC in nanoseconds; UINT64_MAX for no such time.
 */
uint64_t domctl_timer(const struct domctl *d);

#endif
