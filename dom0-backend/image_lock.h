/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/image_lock.h - one image, several users: who may have it. */
#ifndef DOM0_BACKEND_IMAGE_LOCK_H
#define DOM0_BACKEND_IMAGE_LOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

/*
 * How it works
 *
 * Users of an image hold locks of its open file description (fcntl F_OFD_SETLK)
 * on bytes that mean something by their number, whatever data are there.  They
 * are QEMU's bytes, so that neither uses what the other writes:
 *
 *	100 + N		I do N	(0 read, 1 write, 3 resize)
 *	200 + N		nobody else may do N
 *
 * A writer locks all of them exclusively.  A reader shares the lock on 100, 201
 * and 203, and then looks whether anybody writes.  No other byte is touched:
 * other locks on the image may mean other things.
 *
 * A lock lives as long as any process holds the open file, so a worker that is
 * started again after a crash, with the parent's descriptor, has it still.
 */
#define IMAGE_LOCK_FIRST 100
#define IMAGE_LOCK_BYTES 200

/**
 * image_lock() - Lock an image.
 * @fd:    Open for writing if @write.
 * @write: Keep everybody away; else only writers.
 *
 * Return: 0, also on a file system without locks; -EBUSY.
 */
int image_lock(int fd, bool write) must_check;

/** image_unlock() - Give it back, whoever still has the descriptor. */
void image_unlock(int fd);

/**
 * image_lock_holder() - Who has locked the file that @fd is.
 * @who: Receives "process 12 (qemu-img)", or "another program" if that is all
 *       that can be found out.
 *
 * Reads all of /proc: for error messages.  A lock of @fd's own counts, too.
 */
void image_lock_holder(int fd, char *who, size_t size);

#endif
