/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_oneshot.h - a domain for one command: xl's half. */
#ifndef TOOLS_XL_ONESHOT_H
#define TOOLS_XL_ONESHOT_H

#include <stdint.h>

#include "tools/oneshot.h"
#include "tools/xl_build.h"

/**
 * struct xl_oneshot - What `xl run` is told.
 * @root:   A directory, a disk with an ext4 file system, or the name of an image.
 * @bundle: Whether @root is the one of an OCI bundle (a directory, no name).
 * @kernel: NULL: the root's own, else the host's.
 * @net:    "nat", "user", or NULL for no card.
 */
struct xl_oneshot {
	const char *root, *kernel, *net;
	bool bundle;
	uint64_t memory_mib;
	unsigned int vcpus;
	struct oneshot_job job;
};

/** xl_oneshot_images() - Where images are: SPLITVISOR_IMAGE_DIR or its default. */
const char *xl_oneshot_images(void);

/**
 * xl_oneshot_run() - Make the domain, run the command, clear up.
 *
 * Return: the exit status, the command's or one of oneshot.h; 130 after a signal.
 */
int xl_oneshot_run(const struct xl_oneshot *o) must_check;

/**
 * xl_oneshot_relay() - Serve the console of a paused domain, let it run, and be the
 * command's standard input, output and error.
 * @name: The domain's, for messages.
 *
 * Return: as xl_oneshot_run().
 */
int xl_oneshot_relay(struct xl_built *b, const char *name,
		     const struct oneshot_job *job) must_check;

#endif
