/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/netstream/main.c - a stream of numbered frames through a card whose
 * backend dies: some may be lost, none comes twice, none is spoilt.
 *
 *	ms=N queues=N
 *
 * Frames of all lengths, in one piece or several, go to 02:00:00:00:00:01, where
 * sv-netecho sends them back.
 */
#include <stddef.h>
#include <stdint.h>
#include <xen/errno.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define MS	UINT64_C(1000000)
#define DEPTH	64u
#define SEEN	4096u /* numbers of which it is known whether they came */
#define PLAIN	0x88b5
#define HEAD	18u /* Ethernet's, and the number */
#define MIN_LEN 60u
#define MAX_LEN 1514u
#define PIECES	4u

struct frame {
	struct netfront_packet p; /* the first member */
	struct netfront_piece piece[PIECES];
	uint8_t *at;
	bool sending;
};

static struct netfront card;
static struct frame frames[DEPTH];
static uint8_t in[NETFRONT_MAX_RX];
static uint32_t
	seen[SEEN]; /* the number that came last of those equal modulo SEEN */
static uint32_t next = 1, newest;
static uint64_t returned, twice, bad, dropped, longest, last;

static uint8_t pattern(uint32_t no, uint32_t i)
{
	return (uint8_t)(no * 31 + i * 7 + (i >> 8) * 3 + (no >> 8));
}

static uint32_t length_of(uint32_t no)
{
	return MIN_LEN + no * 131 % (MAX_LEN - MIN_LEN + 1);
}

static void build(struct frame *f, uint32_t no)
{
	static const uint8_t peer[6] = { 2, 0, 0, 0, 0, 1 };
	uint32_t len = length_of(no), n = 1 + no % PIECES, at = 0, end;

	memcpy(f->at, peer, sizeof(peer));
	memcpy(f->at + 6, card.mac, sizeof(card.mac));
	f->at[12] = PLAIN >> 8;
	f->at[13] = PLAIN & 0xff;
	memcpy(f->at + 14, &no, sizeof(no));
	for (uint32_t i = HEAD; i < len; i++)
		f->at[i] = pattern(no, i);
	for (uint32_t i = 0; i < n; i++, at = end) {
		end = len * (i + 1) / n;
		f->piece[i] = (struct netfront_piece){ f->at + at, end - at };
	}
	f->p = (struct netfront_packet){ .piece = f->piece, .npieces = n };
}

/* Others' frames may come too. */
static bool is_ours(uint32_t len)
{
	return len >= HEAD && !memcmp(in, card.mac, sizeof(card.mac)) &&
	       in[12] == PLAIN >> 8 && in[13] == (PLAIN & 0xff);
}

static void judge(uint32_t len)
{
	uint32_t no;

	memcpy(&no, in + 14, sizeof(no));
	if (!no || no >= next || len != length_of(no)) {
		bad++;
		return;
	}
	for (uint32_t i = HEAD; i < len; i++) {
		if (in[i] != pattern(no, i)) {
			bad++;
			return;
		}
	}
	twice += seen[no % SEEN] >= no;
	seen[no % SEEN] = no;
	newest = no > newest ? no : newest;
	returned++;
	if (events_now() - last > longest)
		longest = events_now() - last;
	last = events_now();
}

static void reap(struct netfront_queue *q)
{
	struct netfront_packet *p;
	struct netfront_meta m;
	int n;

	while ((p = netfront_done(q))) {
		((struct frame *)(void *)p)->sending = false;
		dropped += p->status == -XEN_ENOBUFS;
		bad += p->status && p->status != -XEN_ENOBUFS;
	}
	while ((n = netfront_receive(q, in, sizeof(in), &m)) > 0) {
		if (is_ours((uint32_t)n))
			judge((uint32_t)n);
	}
	bad += n < 0;
	netfront_push(q);
}

static void send_some(void)
{
	struct frame *f;

	/* What has not come by now will not: the stream goes on. */
	if (next - newest > DEPTH && events_now() - last < 50 * MS)
		return;
	for (unsigned int i = 0; i < DEPTH / 4; i++) {
		f = &frames[next % DEPTH];
		if (f->sending)
			return;
		build(f, next);
		if (netfront_send(card.queue[next % card.nqueues], &f->p))
			return;
		f->sending = true;
		next++;
	}
}

static unsigned int inflight(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < card.nqueues; i++)
		n += netfront_inflight(card.queue[i]);
	return n;
}

static void turn(void)
{
	for (unsigned int i = 0; i < card.nqueues; i++)
		reap(card.queue[i]);
	(void)netfront_wait_packet(card.queue[next % card.nqueues], MS);
}

static void stream(uint64_t until)
{
	uint64_t told = events_now();

	last = told;
	while (events_now() < until) {
		send_some();
		turn();
		if (events_now() - told < 10000 * MS)
			continue;
		told = events_now();
		say("netstream: frames sent %lu, returned %lu",
		    (unsigned long)next - 1, (unsigned long)returned);
	}
	/* All slots are answered, and what is on its way comes. */
	until = events_deadline(20000 * MS);
	while ((inflight() || events_now() - last < 200 * MS) &&
	       events_now() < until)
		turn();
}

enum verdict guest_main(const char *cmdline)
{
	uint64_t ms = arg_u64(cmdline, "ms", 1000), sent, dead;
	struct netfront_want want = {
		.queues = (unsigned int)arg_u64(cmdline, "queues", 1),
		.split = true,
	};

	for (unsigned int i = 0; i < DEPTH; i++) {
		frames[i].at = pages_alloc(1);
		if (!frames[i].at)
			return VERDICT_ERROR;
	}
	if (xenbus_init() || netfront_open(&card, 0, &want))
		return VERDICT_ERROR;
	say("netstream: connected");
	stream(events_deadline(ms * MS));
	sent = next - 1;
	dead = inflight();
	say("netstream sent=%lu returned=%lu twice=%lu bad=%lu dropped=%lu "
	    "unanswered=%lu longest_ms=%lu",
	    (unsigned long)sent, (unsigned long)returned, (unsigned long)twice,
	    (unsigned long)bad, (unsigned long)dropped, (unsigned long)dead,
	    (unsigned long)(longest / MS));
	if (netfront_close(&card))
		return VERDICT_FAILURE;
	return twice || bad || dead || returned < sent - sent / 10
		       ? VERDICT_FAILURE
		       : VERDICT_SUCCESS;
}
