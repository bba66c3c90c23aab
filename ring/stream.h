/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring/stream.h - byte streams in shared memory: console and xenstore rings. */
#ifndef RING_STREAM_H
#define RING_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/shm.h"

/*
 * How it works
 *
 * A stream carries bytes one way through a data area whose size is a power of
 * two, with two free-running index words. A console or a xenstore connection is
 * two streams, one each way: each party is the writer of one and the reader of
 * the other. The layouts are Xen's (xen/io/console.h, xen/io/xs_wire.h); see
 * ring/WIRE.md and the macros at the end.
 *
 * Our own index is private; the peer's is judged at each look, and an impossible
 * one ends the stream (-EPROTO, sticky).
 *
 * Sleeping: a call that moved fewer bytes than asked found the stream empty (or
 * full) after it had published its own index, so that the peer's next step makes
 * the peer notify. After a short count it is safe to wait for a notification
 * without looking again.
 *
 * One thread at a time. Nothing allocates, blocks or logs. Builds freestanding.
 */

/**
 * enum stream_wake - When the peer has to be notified.
 * @STREAM_WAKE_ALWAYS: After every call that moved bytes. For peers of unknown
 *                      make: some wait for room for a whole message, or for the
 *                      rest of one, not for the edge.
 * @STREAM_WAKE_EDGE:   Only when the peer may sleep: it had found the stream
 *                      empty (we write) or full (we read). For peers that sleep
 *                      only then, as this library's and Linux's xenbus do.
 */
enum stream_wake { STREAM_WAKE_ALWAYS, STREAM_WAKE_EDGE };

/**
 * struct stream_map - Where one stream lies in shared memory.
 * @data: UNTRUSTED: data area; borrowed for as long as the stream is used.
 * @size: Bytes of it, a power of two, at most 2^30.
 * @prod: UNTRUSTED: index word of the writer; 4-byte aligned.
 * @cons: UNTRUSTED: index word of the reader; 4-byte aligned.
 */
struct stream_map {
	void SHM *data;
	uint32_t size;
	uint32_t SHM *prod, *cons;
};

/**
 * struct stream - One end of a stream. All members are private.
 * @map:  Shared memory.
 * @wake: Notification rule.
 * @at:   Our own index.
 * @seen: The peer's index as last judged.
 * @dead: The peer lied: final.
 *
 * INVARIANT: the writer's index is 0 to size bytes ahead of the reader's, modulo
 * 2^32, and neither moves backwards.
 */
struct stream {
	struct stream_map map;
	enum stream_wake wake;
	uint32_t at, seen;
	bool dead;
};

/**
 * struct stream_reader - The end that takes bytes out; private.
 * @told: Our index as the peer knows it; behind s.at between stream_take() and
 *        stream_release().
 */
struct stream_reader {
	struct stream s;
	uint32_t told;
};

/** struct stream_writer - The end that puts bytes in; private. */
struct stream_writer {
	struct stream s;
};

#define STREAM_CHECKED __attribute__((warn_unused_result))

/**
 * stream_reader_attach() - Begin to read where the reader's index word stands.
 * @r:    Filled in; usable only on success.
 * @map:  The stream; copied.
 * @wake: Notification rule.
 *
 * This is the one time that our own index is read from shared memory: a reader
 * that replaces a dead one must go on there. A peer that forged it harms only
 * its own stream, since every distance is judged afterwards.
 *
 * Return: 0, or -EINVAL for a size or pointer that cannot be.
 */
STREAM_CHECKED int stream_reader_attach(struct stream_reader *r,
					const struct stream_map *map,
					enum stream_wake wake);

/**
 * stream_reader_resume() - Begin to read at a place of our own choice.
 * @at: What stream_reader_at() said to a reader that has died since.
 *
 * All before @at is released, as if that reader had.  Return: as
 * stream_reader_attach().
 */
STREAM_CHECKED int stream_reader_resume(struct stream_reader *r,
					const struct stream_map *map,
					enum stream_wake wake, uint32_t at);

/** stream_reader_at(), stream_writer_at() - Our own index. */
uint32_t stream_reader_at(const struct stream_reader *r);
uint32_t stream_writer_at(const struct stream_writer *w);

/**
 * stream_writer_attach() - Begin to write where the writer's index word stands.
 * @w:    Filled in; usable only on success.
 * @map:  The stream; copied.
 * @wake: Notification rule.
 *
 * Return: as stream_reader_attach().
 */
STREAM_CHECKED int stream_writer_attach(struct stream_writer *w,
					const struct stream_map *map,
					enum stream_wake wake);

/**
 * stream_writer_resume() - Begin to write at a place of our own choice.
 * @at: Where the reader stands: what it has not taken is taken back.
 *
 * For a stream whose reader waits meanwhile, and attaches anew.  Return: as
 * stream_reader_attach().
 */
STREAM_CHECKED int stream_writer_resume(struct stream_writer *w,
					const struct stream_map *map,
					enum stream_wake wake, uint32_t at);

/**
 * stream_read() - Take bytes out.
 * @r:      Attached reader.
 * @buf:    Filled.
 * @n:      Bytes wanted; more than INT32_MAX count as INT32_MAX.
 * @notify: Set to true if the peer must be notified, else left alone: one
 *          variable can gather the answers of several calls.
 *
 * Ordering: acquires prod; publishes cons, then looks at prod again. Pairs with
 * stream_write().
 *
 * Return: bytes taken, fewer than @n only if the stream is now empty and the peer
 * will notify; -EPROTO if the peer's index is impossible, for ever.
 */
STREAM_CHECKED int stream_read(struct stream_reader *r, void *buf, size_t n,
			       bool *notify);

/**
 * stream_take() - As stream_read(), but the peer does not learn of it.
 *
 * For readers that may die at any time and shall have lost nothing then: what was
 * taken stays in shared memory until stream_release(), and whoever attaches to
 * the stream before that finds it there.
 *
 * Return: bytes taken, fewer than @n only if no more are there now; -EPROTO as
 * stream_read().
 */
STREAM_CHECKED int stream_take(struct stream_reader *r, void *buf, size_t n);

/**
 * stream_release() - Let the peer have the room of all that was taken.
 * @notify: As for stream_read().
 *
 * Ordering: as stream_read().
 *
 * Return: 1 if there are bytes to be taken, of which the peer may not notify us; 0
 * if it will when there are; -EPROTO as stream_read().
 */
STREAM_CHECKED int stream_release(struct stream_reader *r, bool *notify);

/**
 * stream_write() - Put bytes in.
 * @w:      Attached writer.
 * @buf:    Bytes to send.
 * @n:      How many; more than INT32_MAX count as INT32_MAX.
 * @notify: As for stream_read().
 *
 * Ordering: acquires cons; publishes prod, then looks at cons again. Pairs with
 * stream_read().
 *
 * Return: bytes sent, fewer than @n only if the stream is now full and the peer
 * will notify when there is room; -EPROTO if the peer's index is impossible.
 */
STREAM_CHECKED int stream_write(struct stream_writer *w, const void *buf,
				size_t n, bool *notify);

/**
 * stream_look() - Read a stream's indices without being one of its ends.
 * @map:  The stream; only read.
 * @prod: UNTRUSTED: bytes written and
 * @cons: UNTRUSTED: bytes read, at one moment; filled on success.
 *
 * Return: false if cons moved all the time; look again later.
 */
STREAM_CHECKED bool stream_look(const struct stream_map *map, uint32_t *prod,
				uint32_t *cons);

/**
 * STREAM_MAP() - A stream inside one of Xen's ring pages.
 * @page: Pointer to struct xencons_interface or xenstore_domain_interface.
 * @area: Member that holds the bytes: in, out; req, rsp. The index words are
 *        <area>_prod and <area>_cons.
 *
 * Guest to dom0: xencons out, xenstore req. Dom0 to guest: in, rsp.
 */
#define STREAM_MAP(page, area)                              \
	((struct stream_map){ .data = &(page)->area,        \
			      .size = sizeof((page)->area), \
			      .prod = &(page)->area##_prod, \
			      .cons = &(page)->area##_cons })

#endif
