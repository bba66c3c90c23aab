/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/xs_watch.h - the store: typed access, watches as events. */
#ifndef DOM0_BACKEND_XS_WATCH_H
#define DOM0_BACKEND_XS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct event_base;

/*
 * How it works
 *
 * The only file that knows libxenstore.  Calls are synchronous.  Watches come
 * out of the event loop; they say that something may have changed, never what:
 * read it again.  When the store goes away, the connection is made again every
 * second and all watches are set again (each fires once then), so a restart of
 * the store looks like one more change of everything.  Calls in between fail
 * with -EIO.  Single-threaded.
 *
 * Paths are printf formats.  What a guest wrote is text to be parsed: use the
 * typed reads.
 */

struct store;
struct store_watch;

/**
 * store_new() - Connect to the store.
 * @out:  *Owned*; written only on success.
 * @base: Loop for watches; *borrowed* until store_free().
 *
 * Return: 0, -ENOENT or -ECONNREFUSED if no store answers, or -errno.
 */
int store_new(struct store **out, struct event_base *base) must_check;

/** store_free() - Forget all watches and disconnect; NULL is fine. */
void store_free(struct store *s);

/**
 * store_watch() - Call @fn once soon, and whenever @path or what is below
 * it may have changed.
 * @out: *Owned*; give to store_unwatch().  @fn may do so itself.
 * @fn:  @path is the watched one.  Called once for any number of changes.
 *
 * Return: 0 or -errno.
 */
int store_watch(struct store *s, const char *path,
		void (*fn)(void *arg, const char *path), void *arg,
		struct store_watch **out) must_check;

/**
 * store_watch_each() - As store_watch(), but with what has changed.
 * @fn: @path is what changed: the watched path or one below it.  When many have
 *      changed at once, or the store is new, it is the watched path, for
 *      anything that may be below it.
 */
int store_watch_each(struct store *s, const char *path,
		     void (*fn)(void *arg, const char *path), void *arg,
		     struct store_watch **out) must_check;

/** store_unwatch() - @fn is not called any more; NULL is fine. */
void store_unwatch(struct store_watch *w);

/**
 * store_read() - Read a node as text.
 * @out: NUL-terminated, *owned*: free(); written only on success.
 *
 * Return: 0, -ENOENT, -EINVAL if it holds a NUL byte, or -errno.
 */
int store_read(struct store *s, char **out, const char *fmt, ...) must_check
	printf_like(3, 4);

/**
 * store_read_u64() - Read a node that must be a decimal number.
 * @max: Largest value allowed.
 * @out: Written only on success.
 *
 * Return: 0, -ENOENT, -EINVAL if it is not a number, -ERANGE if it exceeds @max,
 * or -errno.
 */
int store_read_u64(struct store *s, uint64_t max, uint64_t *out,
		   const char *fmt, ...) must_check printf_like(4, 5);

/**
 * store_read_opt() - As store_read_u64(), but a missing node means @absent.
 */
int store_read_opt(struct store *s, uint64_t absent, uint64_t max,
		   uint64_t *out, const char *fmt, ...) must_check
	printf_like(5, 6);

/** store_exists() - Whether there is such a node. */
bool store_exists(struct store *s, const char *fmt, ...) printf_like(2, 3);

/**
 * store_list() - Names below a node.
 * @names: Array of @n strings, *owned*: free() it, which frees the strings too.
 *
 * Return: 0 or -errno.
 */
int store_list(struct store *s, char ***names, unsigned int *n, const char *fmt,
	       ...) must_check printf_like(4, 5);

/** store_write() - Write @value; Return: 0 or -errno. */
int store_write(struct store *s, const char *value, const char *fmt,
		...) must_check printf_like(3, 4);

/** store_write_u64() - Write a decimal number; Return: 0 or -errno. */
int store_write_u64(struct store *s, uint64_t value, const char *fmt,
		    ...) must_check printf_like(3, 4);

/**
 * store_make_own() - Make an empty node, in place of what was there and below it.
 *
 * Only dom0 may read it, and what is made below it.  It is for this process to
 * write, so its watches do not tell of changes there; one such node at a time.
 *
 * Return: 0 or -errno.
 */
int store_make_own(struct store *s, const char *fmt, ...) must_check
	printf_like(2, 3);

/**
 * store_transact() - Run @fn so that all of it happens at once or not at all.
 * @fn: Makes the calls above on the same store; may be run several times, when
 *      others were faster.  A non-zero return abandons everything.
 *
 * Return: what @fn returned, -EAGAIN if others were faster 100 times, or -errno.
 */
int store_transact(struct store *s, int (*fn)(struct store *s, void *arg),
		   void *arg) must_check;

#endif
