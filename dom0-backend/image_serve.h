/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/image_serve.h - qemu-nbd, locked up with an image. */
#ifndef DOM0_BACKEND_IMAGE_SERVE_H
#define DOM0_BACKEND_IMAGE_SERVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "dom0-backend/image_format.h"

/*
 * How it works
 *
 * The image has a format that QEMU reads, and its makers have found many ways to
 * be wrong about images.  So the process moves, for good, into a root directory
 * that holds the programs of the host, read-only, the one image, and, read-only,
 * the files below it that the configuration names; into a network without
 * interfaces; becomes the image's owner; and has no capability left.  Then it
 * starts qemu-nbd, which inherits all of that and a listening socket that lies in
 * that root, where nobody else can reach it.  qemu-nbd is told of each file what
 * it is and what is below it, so names in images do not count.
 *
 * Two servers would spoil an image, for each keeps parts of it to itself.  So
 * qemu-nbd inherits, and keeps open without knowing it, the files that are locked
 * (image_lock.h) and the one that says that a server lives (custody.h); whoever has
 * these locks after it knows that it has ended, whatever became of this process.
 */

#define IMAGE_SERVE_STOP_MS 30000u

/**
 * struct image_file - An image, or a file that it builds upon.
 * @format: NULL for plain bytes, which build upon nothing.
 * @name:   For messages; *borrowed*.
 * @fd:     *Borrowed*.
 * @device: It is a block device.
 */
struct image_file {
	const struct image_format *format;
	const char *name;
	int fd;
	bool device;
};

/**
 * struct image_serve - A locked-up process and its server.
 * @file:   The image and what it builds upon, nearest first; all but @device set
 *          by the caller, as the next four.
 * @nfiles: At least 1.
 * @readonly, @direct: Of the image.
 * @custody: Locked while there is a server; *borrowed*.
 * @listen: *Owned*.
 * @errors: What the server writes to standard error, non-blocking; *owned*.
 * @pid:    0 while it does not run.
 */
struct image_serve {
	struct image_file file[1 + IMAGE_MAX_BACKING];
	unsigned int nfiles;
	bool readonly, direct;
	int custody;
	int listen;
	int errors;
	pid_t pid;
};

/**
 * image_serve_enter() - Lock this process up with its files and judge them.
 * @why: On failure receives one line.
 *
 * Return: 0 or -errno.
 */
int image_serve_enter(struct image_serve *s, char *why, size_t size) must_check;

/**
 * image_serve_start() - Start the server, unless it runs.
 *
 * Return: 0; -EAGAIN while another lives; -ECANCELED if a SIGTERM waits for us; or
 * -errno.
 */
int image_serve_start(struct image_serve *s) must_check;

/**
 * image_serve_connect() - Connect to the server, which answers when it is ready.
 *
 * Return: a stream socket or -errno.
 */
int image_serve_connect(void) must_check;

/**
 * image_serve_ended() - Whether the server has ended.
 * @why: Receives the last that it had to say, if so.
 */
bool image_serve_ended(struct image_serve *s, char *why, size_t size);

/**
 * image_serve_stop() - End the server and wait: all is written then.
 *
 * One that does not end in IMAGE_SERVE_STOP_MS is killed, which is told in the log.
 */
void image_serve_stop(struct image_serve *s);

#endif
