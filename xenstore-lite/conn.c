// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/conn.c - one client, by socket or by ring: framing, queues.
#include "xenstore-lite/conn.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "ring/shm.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/ledger.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/trace.h"

#define IN_SIZE (2 * WIRE_MAX)
#define SOCKET_OUT \
	(256ul * 1024) /* unread bytes after which we stop to listen */
#define SOCKET_MAX  (16ul * 1024 * 1024) /* and after which we hang up */
#define EVENTS_MAX  1024		 /* unread events of one guest */
#define REPLIES_MAX 1024 /* unread replies, whatever its quota */
#define IOVS	    64

/* One message on its way out. */
struct out {
	STAILQ_ENTRY(out) next;
	struct hlink same; /* in conn->pending, if @event */
	uint32_t len;
	bool event;
	char data[];
};

struct conn_stats conn_stats;
unsigned int conn_stall_ms = 20000;

static struct event_base *loop;
static uint64_t last_serial;
struct conn_list conn_all = TAILQ_HEAD_INITIALIZER(conn_all);
static struct conn_list ready = TAILQ_HEAD_INITIALIZER(ready);

static void on_stall(evutil_socket_t fd, short what, void *arg);

void conn_setup(struct event_base *base)
{
	loop = base;
}

/* Guests wait while @by makes another try; see conn_lost(). */
#define HOLD_MS 50l
static struct {
	struct conn *by;
	struct event *end;
	uint64_t not_before; /* ns: the guests' turn lasts until then */
	struct conn_list waiting;
} hold = { .waiting = TAILQ_HEAD_INITIALIZER(hold.waiting) };

/* ---- Life -------------------------------------------------------------- */

static struct conn *conn_alloc(unsigned int domid)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->account = account_pin(domid);
	c->stall = evtimer_new(loop, on_stall, c);
	if (!c->account || !c->stall) {
		if (c->account)
			account_unpin(c->account);
		if (c->stall)
			event_free(c->stall);
		free(c);
		return NULL;
	}
	c->fd = -1;
	c->features = WIRE_FEATURES;
	c->noted = domid;
	c->serial = ++last_serial;
	c->who = (struct perm_who){ .domid = domid,
				    .target = -1,
				    .privileged = domid == 0 };
	STAILQ_INIT(&c->out);
	TAILQ_INIT(&c->txns);
	TAILQ_INIT(&c->watches);
	TAILQ_INSERT_TAIL(&conn_all, c, all);
	conn_stats.conns++;
	return c;
}

struct conn *conn_next(const struct conn *c)
{
	return c ? TAILQ_NEXT(c, all) : TAILQ_FIRST(&conn_all);
}

char *conn_name(const struct conn *c, char buf[CONN_NAME])
{
	unsigned long long serial = c->serial;

	if (c->domain)
		snprintf(buf, CONN_NAME, "D%u.%llu", c->who.domid, serial);
	else
		snprintf(buf, CONN_NAME, "A%llu", serial);
	return buf;
}

static void out_drop(struct conn *c, struct out *o)
{
	if (o->event) {
		htab_del(&c->pending, &o->same);
		c->nevents--;
	} else {
		c->nreplies--;
	}
	c->out_bytes -= o->len;
	c->account->memory -= o->len;
	conn_stats.out_bytes -= o->len;
	free(o);
}

static void out_free(struct conn *c)
{
	struct out *o;

	while ((o = STAILQ_FIRST(&c->out))) {
		STAILQ_REMOVE_HEAD(&c->out, next);
		out_drop(c, o);
	}
	c->out_at = 0;
}

static void in_free(struct conn *c)
{
	free(c->in);
	c->in = NULL;
	c->in_at = c->in_len = 0;
}

static void ready_remove(struct conn *c)
{
	if (!c->queued)
		return;
	TAILQ_REMOVE(c->held ? &hold.waiting : &ready, c, ready);
	c->queued = c->held = false;
}

void conn_free(struct conn *c)
{
	conn_ends(c);
	watch_del_all(c);
	txn_free_all(c);
	out_free(c);
	in_free(c);
	htab_fini(&c->pending);
	ready_remove(c);
	if (c->rd)
		event_free(c->rd);
	if (c->wr)
		event_free(c->wr);
	event_free(c->stall);
	fd_close(&c->fd);
	account_unpin(c->account);
	TAILQ_REMOVE(&conn_all, c, all);
	conn_stats.conns--;
	free(c);
}

void conn_kick(struct conn *c)
{
	if (c->queued)
		return;
	TAILQ_INSERT_TAIL(&ready, c, ready);
	c->queued = true;
}

/* A socket's client has gone or misbehaved: conn_run() frees it. */
static void hang_up(struct conn *c)
{
	c->dead = true;
	conn_kick(c);
}

/*
 * A guest broke its ring.  It is told, and ignored from then on; the domain
 * stays known, so that its end is still announced (XSA-325).
 */
static void park(struct conn *c, uint32_t error, const char *what)
{
	log_limited(&c->limit, LOG_LVL_WARN,
		    "dom%u: %s; its store connection is stopped", c->who.domid,
		    what);
	conn_restore_parked(c);
	record_parked(c->who.domid);
	if (c->features & XENSTORE_SERVER_FEATURE_ERROR)
		shm_release((shm_word SHM *)&c->ring.page->error, error);
	c->ring.notify = true;
}

/* ---- Transports -------------------------------------------------------- */

/* SYSCALLS: read */
static int socket_read(struct conn *c, void *buf, size_t n)
{
	ssize_t got;

	do
		got = read(c->fd, buf, n);
	while (got < 0 && errno == EINTR);
	/* A short read has emptied the socket: wait to be called again. */
	if (got < 0 || (size_t)got < n)
		c->readable = false;
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	return got == 0 ? -EPIPE : (int)got;
}

/* SYSCALLS: sendmsg */
static int socket_writev(struct conn *c, const struct iovec *v, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v,
			    .msg_iovlen = (size_t)n };
	ssize_t put;

	do
		put = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (put < 0 && errno == EINTR);
	if (put < 0)
		return errno == EAGAIN ? 0 : -errno;
	return (int)put;
}

static int ring_read(struct conn *c, void *buf, size_t n)
{
	int got = stream_take(&c->ring.req, buf, n);

	if (got >= 0 && (size_t)got < n)
		c->readable = false;
	return got;
}

static int ring_writev(struct conn *c, const struct iovec *v, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++) {
		int put = stream_write(&c->ring.rsp, v[i].iov_base,
				       v[i].iov_len, &c->ring.notify);

		if (put < 0)
			return put;
		sum += (size_t)put;
		if ((size_t)put < v[i].iov_len)
			break;
	}
	return (int)sum;
}

/* ---- Out --------------------------------------------------------------- */

static void arm_stall(struct conn *c)
{
	struct timeval tv = { .tv_sec = conn_stall_ms / 1000,
			      .tv_usec = (suseconds_t)(conn_stall_ms % 1000) *
					 1000 };

	evtimer_add(c->stall, &tv);
}

/*
 * Drop the events that wait in @c, except one that is half sent.  What it
 * misses is its own doing: it had the time to read.
 */
static void on_stall(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct out_list keep = STAILQ_HEAD_INITIALIZER(keep);
	struct out *o;

	(void)fd;
	(void)what;
	while ((o = STAILQ_FIRST(&c->out))) {
		bool half = c->out_at && STAILQ_EMPTY(&keep);

		STAILQ_REMOVE_HEAD(&c->out, next);
		if (o->event && !half) {
			conn_event_lost(c);
			out_drop(c, o);
		} else {
			STAILQ_INSERT_TAIL(&keep, o, next);
		}
	}
	STAILQ_CONCAT(&c->out, &keep);
	conn_record(c);
	conn_kick(c);
}

static struct out *out_new(const struct xsd_sockmsg *hdr)
{
	struct out *o = malloc(sizeof(*o) + WIRE_HDR + hdr->len);

	if (!o)
		return NULL;
	o->event = false;
	o->len = (uint32_t)(WIRE_HDR + hdr->len);
	memcpy(o->data, hdr, WIRE_HDR);
	return o;
}

static void out_add(struct conn *c, struct out *o)
{
	if (c->domain && !evtimer_pending(c->stall, NULL))
		arm_stall(c);
	STAILQ_INSERT_TAIL(&c->out, o, next);
	if (o->event)
		c->nevents++;
	else
		c->nreplies++;
	c->out_bytes += o->len;
	c->account->memory += o->len;
	conn_stats.out_bytes += o->len;
	if (c->noted)
		record_out(c->noted, o->event, o->data, o->len);
	conn_kick(c);
}

void conn_reply(struct conn *c, const struct xsd_sockmsg *to, uint32_t type,
		const void *data, size_t len)
{
	struct xsd_sockmsg hdr = { .type = type,
				   .req_id = to->req_id,
				   .tx_id = to->tx_id,
				   .len = (uint32_t)len };
	struct out *o = out_new(&hdr);

	if (!o) {
		/*
		 * Without its answer the client would wait for ever.  Its
		 * handler is still at work: serve() ends the connection.
		 */
		c->mute = true;
		conn_kick(c);
		return;
	}
	if (len)
		memcpy(o->data + WIRE_HDR, data, len);
	c->n.errors += type == XS_ERROR;
	trace_out(c, &hdr, data);
	out_add(c, o);
}

void conn_event_lost(struct conn *c)
{
	conn_stats.events_lost++;
	c->n.lost++;
	log_limited(&c->limit, LOG_LVL_WARN,
		    "dom%u: a watch event was dropped; %u wait unread",
		    c->who.domid, c->nevents);
}

static uint64_t payload_hash(const struct conn *c, const char *payload,
			     size_t len)
{
	return hash_bytes(payload, len, c->serial);
}

/* The same event is waiting already: one will do. */
static bool is_pending(const struct conn *c, uint64_t hash, const char *payload,
		       size_t len)
{
	struct hlink *l = htab_first(&c->pending, hash);

	for (; l; l = htab_next(l)) {
		struct out *o = container_of(l, struct out, same);

		if (o->len == WIRE_HDR + len &&
		    !memcmp(o->data + WIRE_HDR, payload, len))
			return true;
	}
	return false;
}

/* Whether @c may have one more event waiting. */
static bool room_for_event(struct conn *c, size_t len)
{
	if (!c->domain) {
		if (c->out_bytes + len <= SOCKET_MAX)
			return true;
		log_warn("a client left %zu bytes unread; it is disconnected",
			 c->out_bytes);
		hang_up(c);
		return false;
	}
	return c->nevents < EVENTS_MAX &&
	       !account_over(c->account, QUOTA_MEMORY, c->account->memory, len);
}

void conn_event(struct conn *c, const char *path, const char *token)
{
	size_t path_size = strlen(path) + 1;
	size_t token_size = strlen(token) + 1;
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT,
				   .len = (uint32_t)(path_size + token_size) };
	char payload[XENSTORE_PAYLOAD_MAX];
	struct out *o;
	uint64_t hash;

	if (c->parked || c->dead || c->mute)
		return;
	if (path_size + token_size > sizeof(payload)) {
		conn_event_lost(c);
		return;
	}
	memcpy(payload, path, path_size);
	memcpy(payload + path_size, token, token_size);
	hash = payload_hash(c, payload, hdr.len);
	if (*path != '@' && is_pending(c, hash, payload, hdr.len)) {
		conn_stats.events_collapsed++;
		return;
	}
	o = room_for_event(c, hdr.len) && !htab_reserve(&c->pending)
		    ? out_new(&hdr)
		    : NULL;
	if (!o) {
		conn_event_lost(c);
		return;
	}
	memcpy(o->data + WIRE_HDR, payload, hdr.len);
	o->event = true;
	htab_add(&c->pending, &o->same, hash);
	conn_stats.events++;
	c->n.events++;
	trace_out(c, &hdr, payload);
	out_add(c, o);
}

/* Take @n sent bytes off the queue. */
static void sent(struct conn *c, size_t n)
{
	struct out *o;

	c->n.out += n;
	while ((o = STAILQ_FIRST(&c->out)) && n) {
		size_t part = MIN(n, o->len - c->out_at);

		n -= part;
		c->out_at += part;
		if (c->out_at < o->len)
			break;
		c->out_at = 0;
		STAILQ_REMOVE_HEAD(&c->out, next);
		out_drop(c, o);
	}
	if (!c->domain)
		return;
	if (STAILQ_EMPTY(&c->out))
		evtimer_del(c->stall);
	else
		arm_stall(c);
}

static int send_some(struct conn *c, bool *all)
{
	struct iovec v[IOVS];
	size_t want = 0;
	struct out *o;
	int n = 0;
	int put;

	for (o = STAILQ_FIRST(&c->out); o; o = STAILQ_NEXT(o, next)) {
		size_t skip = n ? 0 : c->out_at;

		if (n == IOVS)
			break;
		v[n].iov_base = o->data + skip;
		v[n].iov_len = o->len - skip;
		want += v[n++].iov_len;
	}
	put = c->domain ? ring_writev(c, v, n) : socket_writev(c, v, n);
	if (put < 0)
		return put;
	if (put)
		sent(c, (size_t)put);
	*all = (size_t)put == want;
	return 0;
}

static void arm_write(struct conn *c, bool on)
{
	if (!c->wr || on == c->wr_armed)
		return;
	if (on)
		event_add(c->wr, NULL);
	else
		event_del(c->wr);
	c->wr_armed = on;
}

static void flush(struct conn *c)
{
	bool all = true;
	int ret = 0;

	while (!ret && all && !STAILQ_EMPTY(&c->out))
		ret = send_some(c, &all);
	if (!ret)
		arm_write(c, !STAILQ_EMPTY(&c->out));
	else if (c->domain)
		park(c, XENSTORE_ERROR_RINGIDX, "impossible reply ring index");
	else
		hang_up(c);
}

/* ---- In ---------------------------------------------------------------- */

static bool intake_full(const struct conn *c)
{
	if (c->domain)
		return c->nreplies >= REPLIES_MAX ||
		       account_over(c->account, QUOTA_OUTSTANDING, c->nreplies,
				    1);
	return c->waiting || c->out_bytes > SOCKET_OUT;
}

/* Bytes to ask for: a socket gives what it has, a ring one message. */
static size_t fill_want(const struct conn *c, int size)
{
	size_t target = size ? (size_t)size : WIRE_HDR;

	if (c->domain)
		return target - (c->in_len - c->in_at);
	return IN_SIZE - c->in_len;
}

/*
 * Have a whole message at c->in + c->in_at.
 *
 * Return: its size, 0 if there is none yet, or -errno.
 */
static int next_message(struct conn *c)
{
	int size, got;

	for (;;) {
		size_t have = c->in_len - c->in_at;

		size = 0;
		if (have)
			size = wire_size(c->in + c->in_at, have);
		if (size < 0 || (size && (size_t)size <= have))
			return size;
		if (!c->readable)
			return 0;
		if (!c->in)
			c->in = malloc(IN_SIZE + 1);
		if (!c->in)
			return -ENOMEM;
		if (c->in_at) {
			memmove(c->in, c->in + c->in_at, have);
			c->in_len = have;
			c->in_at = 0;
		}
		got = c->domain ? ring_read(c, c->in + have, fill_want(c, size))
				: socket_read(c, c->in + have,
					      fill_want(c, size));
		if (got < 0)
			return got == -EPROTO ? -ERANGE : got;
		c->in_len += (size_t)got;
		if (!got)
			return 0;
	}
}

static void intake_failed(struct conn *c, int err)
{
	if (!c->domain) {
		if (err == -EPROTO)
			log_limited(&c->limit, LOG_LVL_WARN,
				    "a client sent a payload above %u bytes; "
				    "it is disconnected",
				    XENSTORE_PAYLOAD_MAX);
		hang_up(c);
	} else if (err == -ERANGE) {
		park(c, XENSTORE_ERROR_RINGIDX,
		     "impossible request ring index");
	} else if (err == -EPROTO) {
		park(c, XENSTORE_ERROR_PROTO, "payload above 4096 bytes");
	} else {
		park(c, XENSTORE_ERROR_COMM, "out of memory");
	}
}

static void handle(struct conn *c, size_t size)
{
	struct wire_msg m;
	char *at = c->in + c->in_at;
	char saved = at[size];

	/* The payload shall end in NUL whatever follows it. */
	at[size] = '\0';
	memcpy(&m.hdr, at, WIRE_HDR);
	m.body = at + WIRE_HDR;
	conn_stats.requests++;
	c->n.requests++;
	c->n.in += size;
	dispatch(c, &m);
	at[size] = saved;
	c->in_at += size;
	if (c->in_at == c->in_len)
		in_free(c);
}

/* Listen to a socket only while its client reads what we say. */
static void set_blocked(struct conn *c, bool on)
{
	if (c->blocked == on)
		return;
	c->blocked = on;
	if (!c->rd)
		return;
	if (on)
		event_del(c->rd);
	else
		event_add(c->rd, NULL);
}

/* SYSCALLS: write */
static void signal_guest(struct conn *c)
{
	uint64_t one = 1;

	if (!c->ring.notify)
		return;
	c->ring.notify = false;
	/* EAGAIN: the counter is full, so the guest has been signalled. */
	if (write(c->ring.call, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_limited(&c->limit, LOG_LVL_WARN,
			    "dom%u: cannot signal its store ring",
			    c->who.domid);
}

/* Where it stands between two requests. */
static struct record_ring standing(const struct conn *c)
{
	struct record_ring r = { .parked = c->parked,
				 .last_txn = c->last_txn,
				 .req_at = c->ring.req_at,
				 .rsp_at = c->ring.rsp_at };

	if (!c->domain)
		r.rsp_at = (uint32_t)c->out_at;
	if (c->ring.page) {
		r.req_at = stream_reader_at(&c->ring.req);
		r.rsp_at = stream_writer_at(&c->ring.rsp) - (uint32_t)c->out_at;
	}
	if (c->in) {
		r.in = c->in + c->in_at;
		r.in_len = c->in_len - c->in_at;
	}
	return r;
}

static void note_progress(const struct conn *c)
{
	struct record_ring r = standing(c);

	record_progress(c->noted, &r);
}

void conn_record(const struct conn *c)
{
	struct record_ring r = standing(c);
	uint32_t noted = c->noted;
	const struct out *o;
	const struct watch *w;
	const struct txn *t;

	r.in_len = 0;
	if (c->domain)
		record_ring(noted, &r);
	else
		record_socket(noted);
	for (o = STAILQ_FIRST(&c->out); o; o = STAILQ_NEXT(o, next))
		record_out(noted, o->event, o->data, o->len);
	for (w = TAILQ_FIRST(&c->watches); w; w = TAILQ_NEXT(w, entry))
		watch_record(w);
	for (t = TAILQ_FIRST(&c->txns); t; t = TAILQ_NEXT(t, entry))
		record_txn(noted, t->id);
	if (c->who.target >= 0)
		record_target(noted, c->who.target, c->who.target_life);
	if (!c->parked)
		note_progress(c);
}

/* From here on the guest sees that its requests were taken. */
static void release(struct conn *c)
{
	int more = stream_release(&c->ring.req, &c->ring.notify);

	if (more < 0)
		park(c, XENSTORE_ERROR_RINGIDX,
		     "impossible request ring index");
	if (more <= 0)
		return;
	c->readable = true;
	conn_kick(c);
}

static bool is_stub(const struct conn *c)
{
	return c->domain && !c->ring.page;
}

static bool starts_held;

void conn_hold_starts(bool on)
{
	struct conn *c;

	if (starts_held == on)
		return;
	starts_held = on;
	for (c = TAILQ_FIRST(&conn_all); c; c = TAILQ_NEXT(c, all))
		conn_kick(c);
}

/* The message at hand is not for now. */
static bool must_hold(const struct conn *c)
{
	struct xsd_sockmsg hdr;

	if (!starts_held || !TAILQ_EMPTY(&c->txns))
		return false;
	memcpy(&hdr, c->in + c->in_at, WIRE_HDR);
	return hdr.type == XS_TRANSACTION_START;
}

/* Carry out requests; nobody hears of it yet. */
static int take_requests(struct conn *c)
{
	int done = 0;
	int size = 1;

	while (done < CONN_QUANTUM && !c->parked && !c->dead && !c->mute &&
	       !intake_full(c)) {
		size = next_message(c);
		if (size > 0 && must_hold(c))
			size = 0;
		if (size <= 0)
			break;
		handle(c, (size_t)size);
		done++;
	}
	if (size < 0)
		intake_failed(c, size);
	else if (c->mute && !c->parked)
		intake_failed(c, -ENOMEM);
	return size;
}

/* One turn. */
static void serve(struct conn *c)
{
	uint32_t from = standing(c).req_at;
	int size = take_requests(c);

	if (standing(c).req_at != from && !c->parked)
		note_progress(c);
	ledger_commit();
	if (!c->parked && !c->dead)
		flush(c);
	set_blocked(c, intake_full(c));
	/* Its own replies put it on the queue again; they are sent by now. */
	if (!c->dead)
		ready_remove(c);
	/* Stopped by a limit, not for want of messages. */
	if (size > 0 && !c->blocked && !c->parked)
		conn_kick(c);
	if (c->domain && !c->parked)
		release(c);
	if (c->parked)
		in_free(c);
	signal_guest(c);
}

/* ---- Beginning anew ---------------------------------------------------- */

static void drop_all(struct conn *c)
{
	conn_ends(c);
	watch_del_all(c);
	txn_free_all(c);
	out_free(c);
	in_free(c);
	event_del(c->stall);
}

static bool wants_anew(const struct conn *c)
{
	return c->ring.page &&
	       c->features & XENSTORE_SERVER_FEATURE_RECONNECTION &&
	       shm_acquire((shm_word SHM *)&c->ring.page->connection) ==
		       XENSTORE_RECONNECT;
}

/*
 * Both streams are empty where the guest's own words stand, which it leaves alone
 * till it is told; if it does not, it breaks its ring again.
 */
static int empty_ring(struct conn *c)
{
	struct stream_map req = STREAM_MAP(c->ring.page, req);
	struct stream_map rsp = STREAM_MAP(c->ring.page, rsp);
	int ret = stream_reader_resume(&c->ring.req, &req, STREAM_WAKE_ALWAYS,
				       shm_acquire((shm_word SHM *)req.prod));

	if (ret)
		return ret;
	return stream_writer_resume(&c->ring.rsp, &rsp, STREAM_WAKE_ALWAYS,
				    shm_acquire((shm_word SHM *)rsp.cons));
}

static void begin_anew(struct conn *c)
{
	struct xenstore_domain_interface SHM *page = c->ring.page;

	log_limited(&c->limit, LOG_LVL_INFO,
		    "dom%u: its store connection begins anew, as it asks",
		    c->who.domid);
	drop_all(c);
	if (empty_ring(c))
		return;
	c->parked = c->mute = c->blocked = false;
	c->readable = true;
	conn_record(c);
	ledger_commit();
	shm_release((shm_word SHM *)&page->error, XENSTORE_ERROR_NONE);
	shm_release((shm_word SHM *)&page->connection, XENSTORE_CONNECTED);
	c->ring.notify = true;
	signal_guest(c);
	conn_kick(c);
}

/* ---- Turns ------------------------------------------------------------- */

static void end_hold(void)
{
	struct conn *c;

	hold.by = NULL;
	event_free(hold.end);
	hold.end = NULL;
	hold.not_before = util_clock_ns() + HOLD_MS * 1000000ul;
	for (c = TAILQ_FIRST(&hold.waiting); c; c = TAILQ_NEXT(c, ready))
		c->held = false;
	TAILQ_CONCAT(&ready, &hold.waiting, ready);
}

static void on_hold_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	end_hold();
}

void conn_lost(struct conn *c)
{
	c->lost = c->who.privileged;
}

void conn_begins(struct conn *c)
{
	struct timeval tv = { .tv_usec = HOLD_MS * 1000 };

	if (!c->lost || hold.by || util_clock_ns() < hold.not_before)
		return;
	hold.end = evtimer_new(loop, on_hold_over, NULL);
	if (!hold.end)
		return;
	evtimer_add(hold.end, &tv);
	hold.by = c;
	c->lost = false;
}

void conn_ends(struct conn *c)
{
	if (hold.by == c)
		end_hold();
}

/* Put a guest aside while another's transaction has the store for itself. */
static bool must_wait(struct conn *c)
{
	if (!hold.by || !c->domain)
		return false;
	TAILQ_INSERT_TAIL(&hold.waiting, c, ready);
	c->queued = c->held = true;
	return true;
}

bool conn_pending(void)
{
	return !TAILQ_EMPTY(&ready);
}

void conn_run(void)
{
	static uint64_t run;
	struct conn *c;

	/* Also those who become ready meanwhile, but each only once. */
	run++;
	while ((c = TAILQ_FIRST(&ready)) && c->run != run) {
		c->run = run;
		ready_remove(c);
		if (is_stub(c) || must_wait(c))
			continue;
		if (wants_anew(c))
			begin_anew(c);
		else if (!c->dead)
			serve(c);
		if (c->dead)
			conn_free(c);
	}
	/* What happened without a client. */
	ledger_commit();
}

/* ---- Making ------------------------------------------------------------ */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	c->readable = true;
	conn_kick(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	conn_kick(c);
}

static pid_t peer_pid(int fd)
{
	struct ucred cred = { .pid = 0 };
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) ? 0
								    : cred.pid;
}

static int new_socket(int fd, struct conn **out)
{
	struct conn *c = conn_alloc(0);

	if (!c) {
		fd_close(&fd);
		return -ENOMEM;
	}
	*out = c;
	c->fd = fd;
	c->pid = peer_pid(fd);
	c->ring.call = -1;
	if (fd < 0)
		return 0;
	c->rd = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->wr = event_new(loop, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (!c->rd || !c->wr || event_add(c->rd, NULL)) {
		conn_free(c);
		return -ENOMEM;
	}
	return 0;
}

int conn_new_socket(int fd)
{
	struct conn *c;

	return new_socket(fd, &c);
}

static int attach(struct conn *c, void SHM *page, int call)
{
	struct stream_map req, rsp;
	int ret;

	c->ring.page = page;
	c->ring.call = call;
	req = STREAM_MAP(c->ring.page, req);
	rsp = STREAM_MAP(c->ring.page, rsp);
	ret = stream_reader_attach(&c->ring.req, &req, STREAM_WAKE_ALWAYS);
	if (!ret)
		ret = stream_writer_attach(&c->ring.rsp, &rsp,
					   STREAM_WAKE_ALWAYS);
	c->readable = true;
	return ret;
}

int conn_new_ring(struct domain *d, unsigned int domid, void SHM *page,
		  int call, struct conn **out)
{
	struct conn *c = conn_alloc(domid);
	int ret;

	if (!c)
		return -ENOMEM;
	c->domain = d;
	ret = attach(c, page, call);
	if (ret) {
		conn_free(c);
		return ret;
	}
	conn_kick(c);
	*out = c;
	return 0;
}

/* ---- After another store ----------------------------------------------- */

/* What it had is void: it broke its ring. */
void conn_restore_parked(struct conn *c)
{
	c->parked = true;
	drop_all(c);
}

int conn_restore_progress(struct conn *c, const struct record_ring *r)
{
	size_t gone = r->rsp_at - c->ring.rsp_at;

	if (r->in_len > (c->domain ? WIRE_MAX : IN_SIZE) || gone > c->out_bytes)
		return -EPROTO;
	sent(c, gone);
	if (c->out_at && c->domain)
		return -EPROTO;
	in_free(c);
	if (r->in_len) {
		c->in = malloc(IN_SIZE + 1);
		if (!c->in)
			return -ENOMEM;
		memcpy(c->in, r->in, r->in_len);
		c->in_len = r->in_len;
	}
	c->last_txn = r->last_txn;
	c->ring.req_at = r->req_at;
	c->ring.rsp_at = r->rsp_at;
	return 0;
}

int conn_restore_socket(int fd, uint32_t noted)
{
	struct conn *c;
	int ret = new_socket(fd, &c);

	if (ret)
		return ret;
	c->noted = noted;
	c->readable = true;
	return 0;
}

struct conn *conn_find_noted(uint32_t noted)
{
	struct conn *c = TAILQ_LAST(&conn_all, conn_list);

	while (c && c->noted != noted)
		c = TAILQ_PREV(c, conn_list, all);
	return c;
}

int conn_restore(struct domain *d, unsigned int domid,
		 const struct record_ring *r, struct conn **out)
{
	struct conn *c = conn_alloc(domid);
	int ret;

	if (!c)
		return -ENOMEM;
	c->domain = d;
	c->ring.call = -1;
	c->parked = r->parked;
	c->ring.rsp_at = r->rsp_at;
	ret = conn_restore_progress(c, r);
	if (ret) {
		conn_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

int conn_restore_out(struct conn *c, bool event, const void *data, size_t len)
{
	struct out *o;

	if (len < WIRE_HDR || len > WIRE_MAX)
		return -EPROTO;
	if (event && htab_reserve(&c->pending))
		return -ENOMEM;
	o = malloc(sizeof(*o) + len);
	if (!o)
		return -ENOMEM;
	o->event = event;
	o->len = (uint32_t)len;
	memcpy(o->data, data, len);
	if (event)
		htab_add(&c->pending, &o->same,
			 payload_hash(c, o->data + WIRE_HDR, len - WIRE_HDR));
	out_add(c, o);
	return 0;
}

/*
 * The journal has what the guest is to be told from rsp_at on, and the ring how
 * much of that it was.
 */
int conn_join(struct conn *c, void SHM *page, int call)
{
	uint32_t req_at = c->ring.req_at, rsp_at = c->ring.rsp_at;
	struct stream_map req =
		STREAM_MAP((struct xenstore_domain_interface SHM *)page, req);
	uint32_t had;
	int ret;

	ret = attach(c, page, call);
	conn_kick(c);
	if (!ret && wants_anew(c))
		return 0;
	if (!ret && !c->parked)
		ret = stream_reader_resume(&c->ring.req, &req,
					   STREAM_WAKE_ALWAYS, req_at);
	if (ret)
		c->ring.page = NULL;
	if (ret || c->parked)
		return ret;
	had = stream_writer_at(&c->ring.rsp) - rsp_at;
	if (had <= c->out_bytes)
		sent(c, had);
	else
		park(c, XENSTORE_ERROR_RINGIDX, "impossible reply ring index");
	c->ring.notify = true;
	return 0;
}
