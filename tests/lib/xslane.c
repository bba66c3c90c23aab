// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/xslane.c - a client of a store with several requests under way.
#include "tests/lib/xslane.h"

#include <err.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/sock.h"
#include "tests/lib/patience.h"

#define HDR sizeof(struct xsd_sockmsg)

void xslane_open(struct xslane *l)
{
	memset(l, 0, sizeof(*l));
	l->fd = sock_connect(paths_store(), SOCK_STREAM);
	if (l->fd < 0)
		errx(1, "%s: %s", paths_store(), strerror(-l->fd));
}

void xslane_guest(struct xslane *l, struct xsguest *g)
{
	memset(l, 0, sizeof(*l));
	l->fd = -1;
	l->g = g;
}

void xslane_close(struct xslane *l)
{
	fd_close(&l->fd);
}

bool xslane_put(struct xslane *l, uint32_t type, uint32_t tx, const void *data,
		size_t len)
{
	const struct xsd_sockmsg h = { .type = type,
				       .tx_id = tx,
				       .len = (uint32_t)len };

	if (l->g) {
		if (!xsguest_put(l->g, type, tx, data, len))
			return false;
		l->under++;
		return true;
	}
	if (l->out_len + HDR + len > sizeof(l->out))
		return false;
	memcpy(l->out + l->out_len, &h, HDR);
	memcpy(l->out + l->out_len + HDR, data, len);
	l->out_len += HDR + len;
	l->under++;
	return true;
}

void xslane_flush(struct xslane *l)
{
	int ret = l->g || !l->out_len ? 0
				      : fd_write_all(l->fd, l->out, l->out_len);

	if (ret)
		errx(1, "the store takes no request: %s", strerror(-ret));
	l->out_len = 0;
}

/* Whole messages in @l->in; what is left of one stays. */
static unsigned int parse(struct xslane *l)
{
	unsigned int answers = 0;
	struct xsd_sockmsg h;
	size_t at = 0;

	while (l->in_len - at >= HDR) {
		memcpy(&h, l->in + at, HDR);
		if (h.len > XENSTORE_PAYLOAD_MAX)
			errx(1, "an answer of %u bytes", h.len);
		if (l->in_len - at < HDR + h.len)
			break;
		if (h.type == XS_WATCH_EVENT) {
			l->events++;
		} else {
			memcpy(l->reply, l->in + at + HDR, h.len);
			l->reply[h.len] = '\0';
			l->fails += h.type == XS_ERROR;
			answers++;
		}
		at += HDR + h.len;
	}
	l->in_len -= at;
	memmove(l->in, l->in + at, l->in_len);
	return answers;
}

static unsigned int take_ring(struct xslane *l)
{
	unsigned int before = l->g->events, answers = xsguest_take(l->g);

	if (!answers && before == l->g->events) {
		if (!fakedom_wait(l->g->dom, FAKEDOM_STORE_PORT,
				  (int)(PATIENCE_NS / 1000000)))
			errx(1, "the store does not answer a guest");
		answers = xsguest_take(l->g);
	}
	l->events += l->g->events - before;
	l->fails += answers && l->g->head.type == XS_ERROR;
	if (answers)
		memcpy(l->reply, l->g->reply, l->g->head.len + 1);
	return answers;
}

static unsigned int take_socket(struct xslane *l)
{
	ssize_t n = read(l->fd, l->in + l->in_len, sizeof(l->in) - l->in_len);

	if (n <= 0)
		err(1, "the store has closed the connection");
	l->in_len += (size_t)n;
	return parse(l);
}

unsigned int xslane_take(struct xslane *l)
{
	unsigned int answers = l->g ? take_ring(l) : take_socket(l);

	l->under -= answers;
	return answers;
}

void xslane_ask(struct xslane *l, uint32_t type, uint32_t tx, const void *data,
		size_t len)
{
	if (!xslane_put(l, type, tx, data, len))
		errx(1, "a request of %zu bytes does not fit", len);
	xslane_flush(l);
	while (l->under)
		(void)xslane_take(l);
}
