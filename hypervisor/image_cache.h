/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/image_cache.h - unpacked kernels, kept on disk by content. */
#ifndef HYPERVISOR_IMAGE_CACHE_H
#define HYPERVISOR_IMAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/util.h"
#include "hypervisor/image.h"

/*
 * How it works
 *
 * <cache>/images/<hash>.elf is the unpacked kernel of the file with that
 * BLAKE2b-256 hash, followed by a trailer: what it belongs to, its size and the
 * checksum of the bytes that get loaded.  It is written under another name and
 * renamed when it is complete.  Loading checks the sum on the way, so an entry
 * that a crash or a bad disk has spoiled is noticed, removed and made again.
 *
 * <cache>/images/<device>-<inode>-<size>-<times> is a symbolic link to an entry,
 * so that a file that has not changed need not be hashed again.  It is made
 * only for files that have not changed for a while: what is written twice
 * within one tick of the file system's clock would look unchanged.
 *
 * Only entries that belong to us or root, and that nobody else can write, are
 * used.  The newest IMAGE_CACHE_ENTRIES are kept.  The cache may be absent or
 * read-only: kernels are then unpacked each time, into memory.
 */

/** IMAGE_CACHE_ENTRIES - Unpacked kernels to keep, about 60 MiB each. */
#define IMAGE_CACHE_ENTRIES 8

/** struct image_cache - The cache's directory and the file looked for. */
struct image_cache {
	int file;	/* *borrowed*: the kernel file */
	int dir;	/* -1: there is none */
	struct stat st; /* of the file when it was opened */
	char stat[128]; /* name of the link; "" if it may not be made */
	char hash[72];	/* name of the entry; "" until it is known */
	char temp[32];	/* name of the file being written, or "" */
};

/**
 * image_cache_open() - Get ready to look for a kernel file.
 * @c:    Filled; for image_cache_close().
 * @file: *Borrowed* until then.
 * @st:   Of the file.
 *
 * Never fails: without a directory nothing is found or kept.
 */
void image_cache_open(struct image_cache *c, int file, const struct stat *st);

/** image_cache_close() - Drop what was not kept. */
void image_cache_close(struct image_cache *c);

/**
 * image_cache_find() - Look for the unpacked form of a kernel file.
 * @src: The packed file; read to the end unless its link is known.
 * @out: Filled if found; out->fd is *owned* by the caller.
 * @sum: That image_place() must find; else call image_cache_spoilt().
 *
 * Return: 0, -ENOENT, or -errno of reading @src.
 */
int image_cache_find(struct image_cache *c, const struct image_src *src,
		     struct image_src *out, struct image_sum *sum) must_check;

/** image_cache_spoilt() - Remove the entry found. */
void image_cache_spoilt(struct image_cache *c);

/**
 * image_cache_temp() - A file to unpack into.
 *
 * In the cache if it can be written, else in memory.
 *
 * Return: fd, *owned* by the caller, or -errno.
 */
int image_cache_temp(struct image_cache *c) must_check;

/** image_cache_to_memory() - The same, but certainly in memory. */
int image_cache_to_memory(struct image_cache *c) must_check;

/**
 * image_cache_keep() - Keep what image_cache_temp() has taken.
 * @fd:   From image_cache_temp().
 * @size: Bytes unpacked into it.
 * @sum:  From image_place().
 *
 * Nothing is kept when the kernel file has changed since it was opened, or when
 * anything goes wrong: it is only a cache.
 */
void image_cache_keep(struct image_cache *c, int fd, uint64_t size,
		      const struct image_sum *sum);

#endif
