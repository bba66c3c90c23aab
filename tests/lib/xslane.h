/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/xslane.h - a client of a store with several requests under way. */
#ifndef TESTS_LIB_XSLANE_H
#define TESTS_LIB_XSLANE_H

#include "tests/lib/xsguest.h"

#define XSLANE_IN  (64u << 10)
#define XSLANE_OUT (16u << 10)

/**
 * struct xslane - A client of dom0 by the store's socket, or a guest by its ring.
 * @g:     The guest, *borrowed*; NULL for a socket.
 * @under: Requests without an answer yet.
 * @fails: Answers that were errors.
 * @events: Watch events that came.
 * @reply: The last answer, NUL-terminated.
 *
 * Mistakes, also of the store, end the program.
 */
struct xslane {
	struct xsguest *g;
	int fd;
	unsigned int under;
	uint64_t fails, events;
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	char in[XSLANE_IN], out[XSLANE_OUT];
	size_t in_len, out_len;
};

/** xslane_open() - Connect to paths_store(). */
void xslane_open(struct xslane *l);

/** xslane_guest() - The same for a guest that was introduced. */
void xslane_guest(struct xslane *l, struct xsguest *g);

void xslane_close(struct xslane *l);

/**
 * xslane_put() - Add a request.
 *
 * Those for a socket leave with xslane_flush().  Return: false if there is no room.
 */
bool xslane_put(struct xslane *l, uint32_t type, uint32_t tx, const void *data,
		size_t len);
void xslane_flush(struct xslane *l);

/** xslane_take() - Wait for something; Return: answers that came. */
unsigned int xslane_take(struct xslane *l);

/** xslane_ask() - One request and its answer, when no other is under way. */
void xslane_ask(struct xslane *l, uint32_t type, uint32_t tx, const void *data,
		size_t len);

#endif
