/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/savefile.h - the stream that holds a saved domain: records, checked. */
#ifndef BASE_SAVEFILE_H
#define BASE_SAVEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/util.h"

/*
 * How it works
 *
 * A stream is a header and records, the last of which is SAVE_END.  Each record has
 * a number, a length and a checksum of all of it, so that one that is missing,
 * moved, cut or changed is noticed before anything of it is used.  What the records
 * hold is in docs/save-format.md.  The checksum finds accidents; against malice
 * every value is judged by whoever uses it.
 */
#define SAVEFILE_VERSION 1u

/** SAVEFILE_MAX - Bytes of the longest record's body. */
#define SAVEFILE_MAX ((1u << 20) + 4096)

/** SAVEFILE_CHUNK - Bytes of memory that are put into one record, at most. */
#define SAVEFILE_CHUNK (1u << 20)

/** struct savefile_range - Begins SAVE_MEMORY, SAVE_PACKED and SAVE_BALLOON. */
struct savefile_range {
	uint64_t first; /* page of RAM, or word of the bitmap */
	uint64_t n;
};

/** SAVE_OPTIONAL - Bit of a type: who does not know it may leave it out. */
#define SAVE_OPTIONAL (1u << 31)

/** enum save_type - What a record holds; numbers are for ever. */
enum save_type {
	SAVE_END = 1,
	/* The toolstack's, first: */
	SAVE_CONFIG = 16, /* name, directory, configuration; NUL-terminated */
	SAVE_NODES,	  /* of the store: path, permissions, size, value */
	SAVE_WATCHES,	  /* the guest's own: path and token, in hex */
	/* The hypervisor's: */
	SAVE_VM = 64,
	SAVE_PORTS,
	SAVE_BALLOON,
	SAVE_PAGE,
	SAVE_MEMORY,
	SAVE_VCPU,
	SAVE_HOST = 70 | SAVE_OPTIONAL, /* what it needs where it goes on */
	SAVE_PACKED = 71,		/* SAVE_MEMORY, its pages packed */
};

/**
 * struct savefile - A stream being written or read.
 * @fd:   Borrowed.
 * @seq:  Of the last record; 0: only the header.
 * @stop: NULL for a file; else @fd leads to a peer, as of fd_read_peer().
 */
struct savefile {
	int fd;
	uint32_t seq;
	bool (*stop)(void);
};

/** savefile_begin() - Write the header; Return: 0 or -errno. */
int savefile_begin(struct savefile *s, int fd) must_check;

/**
 * savefile_put() - Write a record.
 * @v: Parts of its body, @n of them, at most SAVEFILE_MAX together.
 *
 * Return: 0, -EMSGSIZE, or -errno.
 */
int savefile_put(struct savefile *s, uint32_t type, const struct iovec *v,
		 size_t n) must_check;

/**
 * savefile_open() - Read the header.
 *
 * Return: 0; -EPROTO if it is no saved domain, -EPROTONOSUPPORT if it is of a later
 * version, or as savefile_get().
 */
int savefile_open(struct savefile *s, int fd) must_check;

/** savefile_open_peer() - The same with @s->stop. */
int savefile_open_peer(struct savefile *s, int fd,
		       bool (*stop)(void)) must_check;

/**
 * savefile_get() - Read the next record.
 * @type: Of enum save_type; one that is optional and not known is left out.
 * @buf:  SAVEFILE_MAX bytes.
 * @len:  Bytes in it.
 *
 * Return: 0; -EPIPE if the stream is cut short, -EBADMSG if it was changed,
 * -EILSEQ if a record is missing or out of place, -ENOTSUP for a record that this
 * version must know and does not, or -errno.
 */
int savefile_get(struct savefile *s, uint32_t *type, void *buf,
		 size_t *len) must_check;

/** savefile_crc() - CRC-32 of @data after what gave @crc; 0 to begin. */
uint32_t savefile_crc(uint32_t crc, const void *data, size_t len);

/** savefile_error() - What is wrong with a stream, for people. */
const char *savefile_error(int err);

#endif
