// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/wire_fuzz.c - bytes in a guest's store ring, whole, torn or lies.
//
// FUZZ: F1; max_len 1024
//
// A guest writes messages in pieces of any size, junk, and any index.  As long
// as it does not lie, each whole message gets its one answer, in order.  A lie
// ends the connection with the code that says which; the server's own indices,
// overwritten, change nothing.  With a racing peer only memory is judged.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/lib/fuzz.h"
#include "tests/lib/storebed.h"

#define RING	 XENSTORE_RING_SIZE
#define SENT_MAX (1u << 18)

static struct bed_client *guest;
static struct xenstore_domain_interface *page;
static struct {
	uint8_t bytes[SENT_MAX]; /* all that the server was shown */
	size_t n;
	size_t judged;	/* bytes of whole messages looked at */
	uint32_t error; /* that it must report: XENSTORE_ERROR_* */
} sent;
static uint32_t rsp_cons;
static uint8_t reply[2 * (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)];
static size_t reply_len;
static size_t answered; /* bytes of messages that were answered */

static void serve(void)
{
	guest->conn->readable = true;
	conn_kick(guest->conn);
	bed_pump();
}

/* ---- What must come back -------------------------------------------------- */

/* The header of the next message to be answered; false if it is not whole. */
static bool next_sent(struct xsd_sockmsg *h)
{
	if (sent.n - answered < sizeof(*h))
		return false;
	memcpy(h, sent.bytes + answered, sizeof(*h));
	return h->len <= XENSTORE_PAYLOAD_MAX &&
	       sent.n - answered >= sizeof(*h) + h->len;
}

static void take_reply(const struct xsd_sockmsg *r)
{
	struct xsd_sockmsg h;

	assert(r->len <= XENSTORE_PAYLOAD_MAX);
	if (r->type == XS_WATCH_EVENT)
		return;
	assert(next_sent(&h));
	assert(r->req_id == h.req_id && r->tx_id == h.tx_id);
	assert(r->type == XS_ERROR || r->type == h.type);
	answered += sizeof(h) + h.len;
}

/* Take what is in the ring; Return: whether there was anything. */
static bool read_ring(void)
{
	uint32_t n = page->rsp_prod - rsp_cons;
	struct xsd_sockmsg r;

	assert(n <= RING && reply_len + n <= sizeof(reply));
	for (uint32_t i = 0; i < n; i++)
		reply[reply_len++] = (uint8_t)page->rsp[(rsp_cons + i) % RING];
	rsp_cons += n;
	page->rsp_cons = rsp_cons;
	while (reply_len >= sizeof(r)) {
		memcpy(&r, reply, sizeof(r));
		assert(r.len <= XENSTORE_PAYLOAD_MAX);
		if (reply_len < sizeof(r) + r.len)
			break;
		take_reply(&r);
		reply_len -= sizeof(r) + r.len;
		memmove(reply, reply + sizeof(r) + r.len, reply_len);
	}
	return n;
}

/* The first header that says too much, if the server can have seen it. */
static void look_for_lies(void)
{
	struct xsd_sockmsg h;

	while (!sent.error && sent.n - sent.judged >= sizeof(h)) {
		memcpy(&h, sent.bytes + sent.judged, sizeof(h));
		if (h.len > XENSTORE_PAYLOAD_MAX)
			sent.error = XENSTORE_ERROR_PROTO;
		else if (sent.n - sent.judged < sizeof(h) + h.len)
			return;
		else
			sent.judged += sizeof(h) + h.len;
	}
}

/* ---- What the guest does -------------------------------------------------- */

static void show(size_t n)
{
	for (size_t i = 0; i < n && sent.n < SENT_MAX; i++, sent.n++)
		sent.bytes[sent.n] =
			(uint8_t)page->req[(page->req_prod + i) % RING];
	page->req_prod += (uint32_t)n;
	look_for_lies();
}

static size_t room(void)
{
	return RING - (page->req_prod - page->req_cons);
}

/* Write @n bytes in pieces, taking answers when the ring is full. */
static void put(struct fuzz_in *in, const uint8_t *bytes, size_t n)
{
	size_t piece;

	for (int tries = 0; n && tries < 64; tries++) {
		piece = 1u + fuzz_u8(in) * 4u;
		piece = MIN(MIN(piece, n), room());
		for (size_t i = 0; i < piece; i++)
			page->req[(page->req_prod + i) % RING] = (char)bytes[i];
		if (piece)
			show(piece);
		serve();
		bytes += piece;
		n -= piece;
		if (!room())
			read_ring();
	}
}

static void message(struct fuzz_in *in)
{
	static const char *const bodies[] = { "/a", "data", "@releaseDomain",
					      "1", "T" };
	uint8_t buf[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg h = { .type = fuzz_u8(in) % 28,
				 .req_id = fuzz_u16(in) };
	const char *body = bodies[fuzz_u8(in) % ARRAY_SIZE(bodies)];

	memset(buf, 'x', sizeof(buf));
	strcpy((char *)buf + sizeof(h), body);
	h.tx_id = fuzz_u8(in) & 1;
	h.len = (uint32_t)(strlen(body) + fuzz_num(in, XENSTORE_PAYLOAD_MAX));
	memcpy(buf, &h, sizeof(h));
	put(in, buf, MIN(sizeof(h) + (size_t)h.len, sizeof(buf)));
}

static void junk(struct fuzz_in *in)
{
	uint8_t buf[64];
	size_t n = fuzz_u8(in) % sizeof(buf);

	fuzz_bytes(in, buf, n);
	put(in, buf, n);
}

/* The server's words, overwritten while it has work: it knows better. */
static void scribble(struct fuzz_in *in)
{
	static const struct xsd_sockmsg nothing = { .type = XS_READ };
	uint32_t cons = page->req_cons, prod = page->rsp_prod, wrong;

	if (room() >= sizeof(nothing)) {
		for (size_t i = 0; i < sizeof(nothing); i++)
			page->req[(page->req_prod + i) % RING] =
				((const char *)&nothing)[i];
		show(sizeof(nothing));
	}
	wrong = (uint32_t)fuzz_num(in, cons);
	page->req_cons = page->rsp_prod = wrong;
	serve();
	if (page->req_cons == wrong)
		page->req_cons = cons;
	if (page->rsp_prod == wrong)
		page->rsp_prod = prod;
}

static void move_prod(struct fuzz_in *in)
{
	uint32_t to = (uint32_t)fuzz_num(in, page->req_prod + RING);

	/* Within what is free it shows what lies in the ring: bytes as any. */
	if (to - page->req_prod <= room()) {
		show(to - page->req_prod);
		serve();
		return;
	}
	/* A lie, which is known only if the server is not waiting for us. */
	while (read_ring())
		serve();
	if (sent.error || to - page->req_prod <= room())
		return;
	page->req_prod = to;
	sent.error = XENSTORE_ERROR_RINGIDX;
	serve();
}

static void move_rsp_cons(struct fuzz_in *in)
{
	page->rsp_cons = (uint32_t)fuzz_num(in, rsp_cons);
	serve();
}

/* ---- One input ------------------------------------------------------------ */

static void act(struct fuzz_in *in, bool honest)
{
	switch (fuzz_u8(in) % 8) {
	case 0:
	case 1:
	case 2:
		message(in);
		break;
	case 3:
		junk(in);
		break;
	case 4:
		read_ring();
		serve();
		break;
	case 5:
		scribble(in);
		break;
	case 6:
		move_prod(in);
		break;
	default:
		if (!honest)
			move_rsp_cons(in);
		break;
	}
}

/* The bare guest under a racing peer: nobody knows what was meant. */
static void race(struct fuzz_in *in)
{
	uint8_t bytes[RING];

	fuzz_race(in);
	while (in->left && !guest->conn->parked) {
		fuzz_bytes(in, bytes, 32);
		memcpy(page->req + fuzz_u8(in), bytes, 32);
		page->req_prod += fuzz_u8(in);
		page->rsp_cons = page->rsp_prod;
		serve();
	}
	fuzz_race_end();
	serve();
}

static void check_end(void)
{
	struct xsd_sockmsg h;

	do
		serve();
	while (!guest->conn->parked && read_ring());
	assert(guest->conn->parked == (sent.error != XENSTORE_ERROR_NONE));
	if (page->error != sent.error)
		fprintf(stderr, "error %u, not %u\n", page->error, sent.error);
	assert(page->error == sent.error);
	if (!sent.error)
		assert(!next_sent(&h));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t kind = fuzz_u8(&in);

	log_init("fuzz", LOG_LVL_ERR);
	bed_init();
	guest = bed_guest(1);
	page = guest->page;
	sent.n = sent.judged = answered = reply_len = 0;
	sent.error = rsp_cons = 0;
	if (kind & 1) {
		race(&in);
	} else {
		while (in.left && !sent.error)
			act(&in, true);
		if (kind & 2)
			act(&in, false);
		else
			check_end();
	}
	assert(bed_consistent());
	bed_close(guest);
	bed_fini();
	return 0;
}
