/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/custody.h - the files of journals, and who may write one. */
#ifndef DOM0_BACKEND_CUSTODY_H
#define DOM0_BACKEND_CUSTODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/*
 * How it works
 *
 * A device's journal (journal.h, net_journal.h) is a file below <run>/journal, so that it outlives
 * worker and parent.  A parent opens it, locks it (flock(2)), gives the open file
 * to a worker and closes its own descriptor.  From then on the lock lives as long
 * as anything of that worker does: its process, and the kernel's remains of its
 * io_urings, in each of which the file is registered (disk_queue_new()) and which
 * go only after their last operation.  Whoever can lock the file knows that no
 * operation of an earlier worker can reach the disk or the guest's memory any more.
 *
 * So there is one worker at a time, whatever dies when, and a parent needs to
 * remember nothing.  One that finds a worker of its predecessor tells it to end:
 * the kernel says who that is, for workers also hold a record lock (fcntl(2)) that
 * belongs to their process.
 *
 * The server of a formatted image (image_serve.h) has a file of its own for this,
 * empty, of the type CUSTODY_SERVED.  sv-blksource locks it while there is a server,
 * which inherits the open file; so it is locked as long as either lives.  Both have
 * signed, each in its role.
 */
#define CUSTODY_SERVED "served"

/** enum custody_role - As what a process signs: a worker, or its server. */
enum custody_role { CUSTODY_WORKER, CUSTODY_SERVER, CUSTODY_NROLES };

/**
 * custody_take() - Lock a device's journal for a worker to be started.
 * @type:  "vbd" or "vif"; with @domid and @devid the file's name.
 * @fresh: Nobody served this device before: begin with an empty journal.
 * @fd:    *Given*, close-on-exec; written only on success.
 *
 * Return: 0; -EAGAIN while there is another worker, or something left of one; or
 * -errno.
 */
int custody_take(const char *type, unsigned int domid, unsigned int devid,
		 size_t size, bool fresh, int *fd) must_check;

/**
 * custody_view() - Open a device's journal for reading only.
 *
 * The lock is no business of this one.
 *
 * Return: a descriptor, close-on-exec, or -errno.
 */
int custody_view(const char *type, unsigned int domid,
		 unsigned int devid) must_check;

/**
 * custody_open() - Open a file for a process that will lock it by itself.
 *
 * Made if it is not there; nothing can be written to it by this descriptor.
 *
 * Return: a descriptor, close-on-exec, or -errno.
 */
int custody_open(const char *type, unsigned int domid,
		 unsigned int devid) must_check;

/**
 * custody_lock() - Lock what custody_open() gave.
 *
 * Return: 0; -EAGAIN while another open file of it is locked; or -errno.
 */
int custody_lock(int fd) must_check;

/** custody_unlock() - The reverse, for all who have inherited @fd. */
void custody_unlock(int fd);

/** custody_free() - Whether nothing is left of a device's workers. */
bool custody_free(const char *type, unsigned int domid, unsigned int devid);

/** custody_signal() - Send a signal to those who have signed, if any. */
void custody_signal(const char *type, unsigned int domid, unsigned int devid,
		    int sig);

/** custody_signal_others() - The same, but for the caller itself. */
void custody_signal_others(int fd, int sig);

/** custody_drop() - Remove a journal; not while something of a worker is left. */
void custody_drop(const char *type, unsigned int domid, unsigned int devid);

/**
 * custody_sweep() - custody_drop() for all journals that nobody keeps.
 * @keeps: Whether a device still is there.
 *
 * Return: how many of them stay, for something of a worker is left.
 */
unsigned int custody_sweep(bool (*keeps)(void *arg, const char *type,
					 unsigned int domid,
					 unsigned int devid),
			   void *arg);

/**
 * custody_sign() - Be known as the one that has @fd, in a role.
 *
 * Till the end of the process, also when it becomes another program.
 *
 * Return: 0 or -errno.
 */
int custody_sign(int fd, enum custody_role role) must_check;

/**
 * custody_map() - For a worker: be known as the one that has a journal; map it.
 * @fd:  The journal; -1: nobody will succeed us, and it is this process's alone.
 * @out: @size bytes, for munmap(); written only on success.
 *
 * Return: 0 or -errno.
 */
int custody_map(int fd, size_t size, void **out) must_check;

/**
 * custody_reserve() - Have memory for what will be written to a journal.
 * @fd: As for custody_map().
 *
 * A full disk would be a SIGBUS later.
 *
 * Return: 0 or -errno.
 */
int custody_reserve(int fd, size_t at, size_t size) must_check;

#endif
