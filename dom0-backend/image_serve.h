/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/image_serve.h - qemu-nbd, locked up with one image. */
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
 * that holds the programs of the host, read-only, and the one image; into a
 * network without interfaces; becomes the image's owner; and has no capability
 * left.  Then it starts qemu-nbd, which inherits all of that and a listening
 * socket that lies in that root, where nobody else can reach it.
 */

/**
 * struct image_serve - A locked-up process and its server.
 * @format, @readonly, @direct: Of the image; set by the caller.
 * @device: It is a block device.
 * @listen: *Owned*.
 * @errors: What the server writes to standard error, non-blocking; *owned*.
 * @pid:    0 while it does not run.
 */
struct image_serve {
	const struct image_format *format;
	bool readonly, direct, device;
	int listen;
	int errors;
	pid_t pid;
};

/**
 * image_serve_enter() - Lock this process up with an image and judge it.
 * @fd:  The image; *borrowed*.
 * @why: On failure receives one line.
 *
 * Return: 0 or -errno.
 */
int image_serve_enter(struct image_serve *s, int fd, char *why,
		      size_t size) must_check;

/** image_serve_start() - Start the server, unless it runs; Return: 0 or -errno. */
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

/** image_serve_stop() - End the server and wait: all is written then. */
void image_serve_stop(struct image_serve *s);

#endif
