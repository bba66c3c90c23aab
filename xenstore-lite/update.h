/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/update.h - live update: another program goes on. */
#ifndef XENSTORE_LITE_UPDATE_H
#define XENSTORE_LITE_UPDATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/util.h"
#include "xenstore-lite/record.h"

struct event_base;
struct req;

/*
 * How it works
 *
 * CONTROL live-update comes in steps, as Xen's: -f names the program, -c what its
 * arguments are to be, -s starts, -a gives up.  Whoever named the program starts it.
 *
 * Then the program is tried: run beside this one with --check, it reads the journal
 * and the connections, touches nothing, and says UPDATE_READY.  Whatever else it says
 * or does, or if it takes longer than 10 s, the store goes on as it is.
 *
 * Next comes a moment without transactions.  Until then, in the first fifth of each
 * second, connections that have none begin none.  If there is no such moment in time, the
 * update is off, or with -F it goes on: open transactions then fail with EAGAIN at
 * their end.
 *
 * At last, between two turns, the connections of dom0's programs are written to a
 * memory file in the journal's form, and the keeper goes on as that program
 * (keeper.h), with the file, the listening socket, and those of the connections.  It
 * reads the journal, as after a death, and that file; when it has, this process
 * ends.  If it does not come to that, this one serves on, having lost nothing.
 */
#define UPDATE_READY "sv-xenstored can go on\n"

/**
 * update_setup() - Once: how this process goes on.
 * @argv:     Its name and arguments; NULL ends; borrowed for good.
 * @socket:   Where it listens; borrowed for good.
 * @listener: By which descriptor.
 */
void update_setup(struct event_base *base, char *const *argv,
		  const char *socket, int listener);

/** update_control() - CONTROL live-update; Return: 0 or -errno. */
int update_control(struct req *r) must_check;

/**
 * update_poll() - Between two turns: go on with one, if it is time.
 *
 * Return: whether another program is the store now, and this process is to end.
 */
bool update_poll(void) must_check;

/**
 * update_open() - Begin as the next program: what there is besides connections.
 * @fd: What the one before wrote; borrowed.
 * @u:  Filled; u->socket is *owned*.
 *
 * Return: 0, -EPROTO if it makes no sense or has another version, or -errno.
 */
int update_open(int fd, struct record_update *u) must_check;

/** update_finish() - Have the connections, and answer who asked for the update. */
int update_finish(int fd, const struct record_update *u) must_check;

#endif
