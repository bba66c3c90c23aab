/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/xsguest.h - guests of a real sv-xenstored, and a neighbour. */
#ifndef TESTS_LIB_XSGUEST_H
#define TESTS_LIB_XSGUEST_H

#include <errno.h> /* before xs_wire.h: it lists only known errors */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xenstore.h>
#include <xen/io/xs_wire.h>

#include "ring/stream.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/latency.h"
#include "tests/lib/stack.h"

/*
 * How it works
 *
 * A guest is a fakedom that was introduced to the store: the test plays its half
 * of the ring, as it should or not.  A neighbour is a thread with a guest and a
 * dom0 client of its own which do ordinary work, check every answer, and note
 * how long each round took: what it notes is what others notice of an attack.
 * Mistakes of the test abort.
 */

/**
 * struct xsguest - One guest.
 * @reply:  The last answer, NUL-terminated.
 * @events: Watch events that came.
 * @event:  Called for each of them, if set: path and token, each with its NUL.
 */
struct xsguest {
	unsigned int domid;
	struct fakedom *dom;
	struct xenstore_domain_interface *page;
	struct stream_writer req;
	struct stream_reader rsp;
	uint32_t last_id;
	char in[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	size_t in_len;
	struct xsd_sockmsg head; /* of the last answer */
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	unsigned int events;
	void (*event)(const struct xsguest *g, const char *body, size_t len);
};

/**
 * xsguest_new() - Make a domain with a home, and introduce it.
 * @h: dom0's.
 *
 * The guest may read /local/domain/N and owns /local/domain/N/data.
 */
struct xsguest *xsguest_new(struct xs_handle *h, unsigned int domid);

/**
 * xsguest_create() - A domain that nobody knows yet; its ring is not attached.
 *
 * xsguest_attach() attaches to the ring as it is; xsguest_begin() empties it before.
 */
struct xsguest *xsguest_create(unsigned int domid);
void xsguest_attach(struct xsguest *g);
void xsguest_begin(struct xsguest *g);

/** xsguest_introduce() - INTRODUCE, also once more; a ring begins anew. */
bool xsguest_introduce(struct xs_handle *h, struct xsguest *g);

/** xsguest_free() - Its VMM ends. */
void xsguest_free(struct xsguest *g);

/** xsguest_kick() - Signal the store, whatever the ring holds. */
void xsguest_kick(struct xsguest *g);

/**
 * xsguest_put() - Put a request into the ring and signal.
 *
 * Return: false if the whole of it does not fit now.
 */
bool xsguest_put(struct xsguest *g, uint32_t type, uint32_t tx,
		 const void *data, size_t len);

/** xsguest_take() - Take what is in the ring; Return: answers among it. */
unsigned int xsguest_take(struct xsguest *g);

/**
 * xsguest_op() - A request, and its answer within 10 s.
 *
 * Return: length of the answer in @g->reply, -errno by the name in an ERROR,
 * -ETIMEDOUT if there was none.
 */
int xsguest_op(struct xsguest *g, uint32_t type, uint32_t tx, const void *data,
	       size_t len);

/** xsguest_str() - xsguest_op() with one string, sent with its NUL. */
int xsguest_str(struct xsguest *g, uint32_t type, uint32_t tx, const char *s);

/** xsguest_write() - WRITE; Return: as xsguest_op(). */
int xsguest_write(struct xsguest *g, uint32_t tx, const char *path,
		  const char *value);

#define NEIGHBOUR_BASELINE 50u

/**
 * struct neighbour - Somebody who has nothing to do with it.
 * @rounds:   Rounds of checked work so far.
 * @errors:   Answers that were missing or wrong.
 * @worst_ms: The longest round.
 * @before:   How long rounds took until neighbour_start() returned,
 * @during:   and since.
 */
struct neighbour {
	pthread_t thread;
	unsigned int domid;
	atomic_bool stop;
	atomic_uint rounds, errors, worst_ms;
	struct latency before, during;
};

/** neighbour_start() - Move in; returns after NEIGHBOUR_BASELINE rounds. */
void neighbour_start(struct neighbour *n, unsigned int domid);

/** neighbour_stop() - Move out; the counts stay. */
void neighbour_stop(struct neighbour *n);

/**
 * struct xsbed - A real store with a neighbour, to be attacked.
 * @h:     dom0's client, for the test.
 * @store: Process id of sv-xenstored.
 */
struct xsbed {
	struct stack s;
	struct xs_handle *h;
	struct neighbour n;
	pid_t store;
	char log[32];
};

/** xsbed_start() - Start the store; the neighbour becomes domain 2. */
void xsbed_start(struct xsbed *b);

/**
 * xsbed_stop() - The attack is over: look at what others have noticed.
 * @worst_ms: Longest round that the neighbour may have had.
 *
 * Return: whether the neighbour got only right answers in time, the store's
 * accounts agree with its tree, and it is still the same process and ends in
 * order.  What is wrong is told on standard error.
 */
bool xsbed_stop(struct xsbed *b, unsigned int worst_ms);

/** xsbed_idle() - Whether the store sleeps when nobody asks; takes a second. */
bool xsbed_idle(struct xsbed *b);

/** xsbed_rss_kib() - The store's memory now. */
unsigned long long xsbed_rss_kib(const struct xsbed *b);

/** xsbed_logged() - Lines in the store's log that hold @text. */
unsigned int xsbed_logged(const struct xsbed *b, const char *text);

/** xsbed_uses() - What a domain has of a quota ("nodes", "memory", ...). */
long xsbed_uses(struct xsbed *b, unsigned int domid, const char *quota);

/** xsbed_count() - A line of CONTROL memreport ("nodes", "connections", ...). */
long xsbed_count(struct xsbed *b, const char *what);

#endif
