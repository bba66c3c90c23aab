/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/fd.h - file descriptors: closing, whole reads and writes, memfds. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/** fd_close() - Close @fd if it is open and mark it closed (-1). */
void fd_close(int *fd);

/** fd_write_all() - Write all of @buf; Return: 0 or -errno. */
int fd_write_all(int fd, const void *buf, size_t len) must_check;

/**
 * fd_read_all() - Read exactly @len bytes.
 *
 * Return: 0, -EPIPE at end of file before that, or -errno.
 */
int fd_read_all(int fd, void *buf, size_t len) must_check;

/**
 * fd_read_peer(), fd_write_peer() - The same with a peer that may let us wait.
 * @fd:   To be written it must be O_NONBLOCK.
 * @stop: Asked twice a second whether to give up.
 *
 * Return: also -EINTR after @stop, and -ETIMEDOUT if nothing moves for
 * FD_SILENCE_S.
 */
int fd_read_peer(int fd, void *buf, size_t len, bool (*stop)(void)) must_check;
int fd_write_peer(int fd, const void *buf, size_t len,
		  bool (*stop)(void)) must_check;
#define FD_SILENCE_S 300

/**
 * fd_part() - Make PATH.part, a file for its owner alone, to be renamed when whole.
 * @part: PATH_MAX bytes; its name.
 *
 * Return: a descriptor, or -errno; what was there before is gone.
 */
int fd_part(const char *path, char *part) must_check;

/** fd_cloexec() - Set or clear close-on-exec; Return: 0 or -errno. */
int fd_cloexec(int fd, bool on) must_check;

/**
 * fd_memfd() - Make an anonymous memory file that cannot be resized.
 * @name: Shown in /proc/PID/maps.
 * @size: Bytes; sealed against shrinking and growing, so that no process that
 *        maps it can be given SIGBUS by another.
 *
 * Return: the fd (close-on-exec) or -errno.
 */
int fd_memfd(const char *name, uint64_t size) must_check;

/**
 * fd_check_memory() - Whether what another process sent us is safe to map.
 * @size: Bytes that will be touched.
 *
 * Return: 0, or -EPROTO if @fd is not a memory file of at least @size bytes that
 * nobody can shrink any more: touching it could raise SIGBUS.
 */
int fd_check_memory(int fd, uint64_t size) must_check;

/**
 * fd_check_event() - Whether what another process sent us is an eventfd.
 *
 * Wakes whoever waits for it.  Return: 0 or -EPROTO.
 */
int fd_check_event(int fd) must_check;

/**
 * fd_check_view() - Whether what another process sent us is a file to be read.
 *
 * A regular one, which does not let its readers wait, open for reading only.
 * Return: 0 or -EINVAL.
 */
int fd_check_view(int fd) must_check;

/**
 * fd_raise_limit() - Allow as many descriptors as the host does.
 *
 * For the main files of whatever holds some for each domain, device or event
 * channel: the usual 1024 are few.  Where it fails the old limit stays.
 */
void fd_raise_limit(void);

/**
 * fd_ready() - Tell the process that started us that we are serving.
 * @fd: From --ready-fd; written one byte and closed; -1 does nothing.
 */
void fd_ready(int *fd);

#endif
