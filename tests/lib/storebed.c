// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/storebed.c - a whole store inside a test, with its clients.
#include "tests/lib/storebed.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/quota.h"

struct tree bed_tree;
static struct event_base *base;
static struct bed_client *checker;

void bed_init(void)
{
	base = event_base_new();
	assert(base);
	assert(!tree_init(&bed_tree));
	conn_setup(base);
	dispatch_setup(&bed_tree);
	domain_setup(base, &bed_tree);
	checker = bed_dom0();
}

/* The accounts outlive the tree: empty it, so that another bed can follow. */
static void remove_all(void)
{
	char names[XENSTORE_PAYLOAD_MAX + 1], path[XENSTORE_PAYLOAD_MAX + 2];
	int len = bed_str(checker, XS_DIRECTORY, 0, "/", NULL);

	assert(len >= 0);
	memcpy(names, checker->reply, (size_t)len);
	for (char *s = names; s < names + len; s += strlen(s) + 1) {
		snprintf(path, sizeof(path), "/%s", s);
		assert(bed_str(checker, XS_RM, 0, path, NULL) == 3);
	}
	assert(bed_str(checker, XS_SET_PERMS, 0, "/", "n0", NULL) == 3);
}

void bed_fini(void)
{
	remove_all();
	bed_close(checker);
	domain_free_all();
	tree_fini(&bed_tree);
	event_base_free(base);
}

void bed_step(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	conn_run();
}

void bed_pump(void)
{
	do {
		bed_step();
		if (!conn_pending())
			event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	} while (conn_pending());
}

static struct bed_client *client_new(unsigned int domid)
{
	struct bed_client *c = calloc(1, sizeof(*c));

	assert(c);
	c->domid = domid;
	c->fd = c->call = -1;
	return c;
}

struct bed_client *bed_dom0(void)
{
	struct bed_client *c = client_new(0);
	int pair[2];

	assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	assert(!conn_new_socket(pair[0]));
	c->fd = pair[1];
	return c;
}

void bed_attach(struct bed_client *c)
{
	struct stream_map req = STREAM_MAP(c->page, req);
	struct stream_map rsp = STREAM_MAP(c->page, rsp);

	assert(!stream_writer_attach(&c->req, &req, STREAM_WAKE_ALWAYS));
	assert(!stream_reader_attach(&c->rsp, &rsp, STREAM_WAKE_ALWAYS));
	c->in_len = 0;
}

struct bed_client *bed_domain(unsigned int domid, void *page)
{
	struct bed_client *c = client_new(domid);

	c->page = page;
	c->conn = domain_conn(domid);
	assert(c->conn);
	bed_attach(c);
	return c;
}

struct bed_client *bed_guest(unsigned int domid)
{
	struct bed_client *c = client_new(domid);

	c->page = aligned_alloc(4096, 4096);
	c->dummy = malloc(1); /* only asked for being there */
	c->call = eventfd(0, EFD_NONBLOCK);
	assert(c->page && c->dummy && c->call >= 0);
	memset(c->page, 0, 4096);
	bed_attach(c);
	assert(!conn_new_ring(c->dummy, domid, c->page, c->call, &c->conn));
	bed_pump();
	return c;
}

void bed_close(struct bed_client *c)
{
	if (c->dummy)
		conn_free(c->conn);
	fd_close(&c->fd);
	bed_pump();
	fd_close(&c->call);
	for (size_t i = 0; i < c->nevents; i++)
		free(c->events[i]);
	if (c->dummy)
		free(c->page);
	free(c->dummy);
	free(c);
}

void bed_kill(struct bed_client *c)
{
	unsigned int domid = c->domid;

	bed_close(c);
	/* Not introduced, but what it had ends all the same. */
	if (domain_release(domid) != -ENOENT)
		abort();
	bed_pump();
}

size_t bed_send(struct bed_client *c, const void *data, size_t len)
{
	bool notify;
	ssize_t n;

	if (c->fd >= 0) {
		n = send(c->fd, data, len, MSG_NOSIGNAL);
		return n < 0 ? 0 : (size_t)n;
	}
	n = stream_write(&c->req, data, len, &notify);
	c->conn->readable = true;
	conn_kick(c->conn);
	return n < 0 ? 0 : (size_t)n;
}

static void take_one(struct bed_client *c, const struct xsd_sockmsg *h)
{
	const char *body = c->in + sizeof(*h);

	if (h->type == XS_WATCH_EVENT) {
		char *text;

		assert(c->nevents < BED_EVENTS);
		assert(asprintf(&text, "%s|%s", body, body + strlen(body) + 1) >
		       0);
		c->events[c->nevents++] = text;
		return;
	}
	c->reply_type = h->type;
	c->reply_len = (int)h->len;
	memcpy(c->reply, body, h->len);
	c->reply[h->len] = '\0';
}

void bed_drain(struct bed_client *c)
{
	char buf[XENSTORE_RING_SIZE];
	bool notify;

	if (stream_read(&c->rsp, buf, sizeof(buf), &notify) > 0)
		conn_kick(c->conn);
}

unsigned int bed_take(struct bed_client *c)
{
	unsigned int replies = 0;
	bool notify;

	for (;;) {
		size_t room = sizeof(c->in) - c->in_len;
		ssize_t n;
		struct xsd_sockmsg h;

		if (c->fd >= 0)
			n = recv(c->fd, c->in + c->in_len, room, 0);
		else
			n = stream_read(&c->rsp, c->in + c->in_len, room,
					&notify);
		if (n <= 0)
			return replies;
		c->in_len += (size_t)n;
		while (c->in_len >= sizeof(h)) {
			memcpy(&h, c->in, sizeof(h));
			assert(h.len <= XENSTORE_PAYLOAD_MAX);
			if (c->in_len < sizeof(h) + h.len)
				break;
			replies += h.type != XS_WATCH_EVENT;
			take_one(c, &h);
			c->in_len -= sizeof(h) + h.len;
			memmove(c->in, c->in + sizeof(h) + h.len, c->in_len);
		}
		if (c->conn) {
			conn_kick(c->conn);
			bed_pump();
		}
	}
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (!strcmp(xsd_errors[i].errstring, name))
			return -xsd_errors[i].errnum;
	return -EBADMSG;
}

int bed_op(struct bed_client *c, uint32_t type, uint32_t tx, const void *data,
	   size_t len)
{
	struct xsd_sockmsg h = { .type = type,
				 .req_id = ++c->last_id,
				 .tx_id = tx,
				 .len = (uint32_t)len };
	char msg[sizeof(h) + XENSTORE_PAYLOAD_MAX];
	size_t at = 0;

	memcpy(msg, &h, sizeof(h));
	if (len)
		memcpy(msg + sizeof(h), data, len);
	c->reply_len = -1;
	while (at < sizeof(h) + len) {
		size_t n = bed_send(c, msg + at, sizeof(h) + len - at);

		bed_pump();
		bed_take(c);
		if (!n)
			return -EPIPE;
		at += n;
	}
	bed_pump();
	bed_take(c);
	if (c->reply_len < 0)
		return -ETIMEDOUT;
	if (c->reply_type == XS_ERROR)
		return error_number(c->reply);
	return c->reply_type == type ? c->reply_len : -EBADMSG;
}

int bed_str(struct bed_client *c, uint32_t type, uint32_t tx, ...)
{
	char buf[XENSTORE_PAYLOAD_MAX];
	size_t len = 0;
	const char *s;
	va_list ap;

	va_start(ap, tx);
	while ((s = va_arg(ap, const char *))) {
		assert(len + strlen(s) + 1 <= sizeof(buf));
		memcpy(buf + len, s, strlen(s) + 1);
		len += strlen(s) + 1;
	}
	va_end(ap);
	return bed_op(c, type, tx, buf, len);
}

int bed_write(struct bed_client *c, uint32_t tx, const char *path,
	      const char *value)
{
	char buf[XENSTORE_PAYLOAD_MAX];
	size_t n = strlen(path) + 1;
	size_t len = strlen(value);

	assert(n + len <= sizeof(buf));
	memcpy(buf, path, n);
	memcpy(buf + n, value, len);
	return bed_op(c, XS_WRITE, tx, buf, n + len);
}

static const char *error_text(struct bed_client *c, int ret)
{
	snprintf(c->reply, sizeof(c->reply), "<%s>", strerrorname_np(-ret));
	return c->reply;
}

const char *bed_read(struct bed_client *c, uint32_t tx, const char *path)
{
	int ret = bed_str(c, XS_READ, tx, path, NULL);

	return ret < 0 ? error_text(c, ret) : c->reply;
}

const char *bed_list(struct bed_client *c, uint32_t tx, const char *path)
{
	int ret = bed_str(c, XS_DIRECTORY, tx, path, NULL);

	if (ret < 0)
		return error_text(c, ret);
	for (int i = 0; i + 1 < ret; i++)
		if (!c->reply[i])
			c->reply[i] = ' ';
	return c->reply;
}

int bed_watch(struct bed_client *c, const char *path, const char *token)
{
	int ret = bed_str(c, XS_WATCH, 0, path, token, NULL);

	return ret < 0 ? ret : 0;
}

uint32_t bed_start(struct bed_client *c)
{
	int ret = bed_str(c, XS_TRANSACTION_START, 0, "", NULL);

	assert(ret > 0);
	return (uint32_t)strtoul(c->reply, NULL, 10);
}

int bed_end(struct bed_client *c, uint32_t tx, bool commit)
{
	int ret = bed_str(c, XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL);

	return ret < 0 ? ret : 0;
}

const char *bed_event(struct bed_client *c)
{
	bed_pump();
	bed_take(c);
	return c->next_event < c->nevents ? c->events[c->next_event++] : "";
}

void bed_home(unsigned int domid)
{
	char path[64], owner[16], reader[16];

	snprintf(owner, sizeof(owner), "n%u", domid);
	snprintf(reader, sizeof(reader), "r%u", domid);
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	assert(bed_write(checker, 0, path, "") == 3);
	assert(bed_str(checker, XS_SET_PERMS, 0, path, "n0", reader, NULL) ==
	       3);
	snprintf(path, sizeof(path), "/local/domain/%u/data", domid);
	assert(bed_write(checker, 0, path, "") == 3);
	assert(bed_str(checker, XS_SET_PERMS, 0, path, owner, NULL) == 3);
}

unsigned int bed_nodes(unsigned int domid)
{
	struct account *a = account_find(domid);

	return a ? (unsigned int)a->owned.n : 0;
}

bool bed_consistent(void)
{
	return bed_str(checker, XS_CONTROL, 0, "check", NULL) > 0 &&
	       !strcmp(checker->reply, "OK");
}
