/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/slowfile.h - a disk image whose writes take as long as a test says. */
#ifndef TESTS_LIB_SLOWFILE_H
#define TESTS_LIB_SLOWFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/forgetful.h"

/*
 * How it works
 *
 * A FUSE file system with one file, served by a thread of the test.  Writes past
 * the page cache are on their way in the kernel until that thread answers, whatever
 * becomes of the process that made them, as on a slow disk.
 *
 * Above a disk that forgets (slowfile_above()), every write and every flush is on its
 * way until the test says which one is done next.
 */
struct slowfile;

/**
 * slowfile_new() - Mount it in a mount namespace of this process's own.
 * @size:   Bytes.
 * @cached: The host's page cache stands before it and writes back when it likes.
 *
 * Programs that are started afterwards see it.  Mistakes abort.
 *
 * Return: NULL where the host has no FUSE for us.
 */
struct slowfile *slowfile_new(size_t size, bool cached);

/**
 * slowfile_above() - The same, with what @medium holds; past the page cache.
 * @medium:  *Borrowed*.  Nobody else may use it while something may be under way.
 * @sectors: Its size.
 */
struct slowfile *slowfile_above(struct forgetful *medium, size_t sectors);

/** slowfile_do_one() - Do any write or flush; Return: whether there was one. */
bool slowfile_do_one(struct slowfile *f);

/**
 * slowfile_end_all() - Those who asked are dead.
 *
 * Of the writes that wait any sectors are written, and nothing is flushed.
 */
void slowfile_end_all(struct slowfile *f);

/** slowfile_bell() - An eventfd that is readable when there is more; *borrowed*. */
int slowfile_bell(const struct slowfile *f);

/** slowfile_free() - Unmount; nobody may use the file any more. */
void slowfile_free(struct slowfile *f);

/** slowfile_path() - The file's name; *borrowed*. */
const char *slowfile_path(const struct slowfile *f);

/** slowfile_bytes() - What the file holds. */
const uint8_t *slowfile_bytes(const struct slowfile *f);

/** slowfile_hold() - The next write is done only after slowfile_release(). */
void slowfile_hold(struct slowfile *f);

/** slowfile_release() - Do it now, and wait until it is done. */
void slowfile_release(struct slowfile *f);

/** slowfile_fail() - The write that is held fails with EIO, now. */
void slowfile_fail(struct slowfile *f);

/** slowfile_held() - Whether there is a write that is held. */
bool slowfile_held(const struct slowfile *f);

#endif
