/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/netbench/main.c - how fast a card is, with no system in the way.
 *
 *	tx=0|1 bytes=N ms=N
 *
 * tx=0: one frame after the other goes to 02:00:00:00:00:01, where sv-netecho sends
 * it back, and each is waited for.  tx=1: frames go to nobody as fast as they are
 * taken.  The last line has the rate.
 */
#include <stddef.h>
#include <stdint.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define MS	UINT64_C(1000000)
#define SECOND	(1000 * MS)
#define DEPTH	64u
#define ECHO	1
#define NOBODY	2
#define PLAIN	0x88b5 /* an EtherType for experiments */
#define MAX_LEN 1514u

static struct netfront card;
static struct netfront_packet packets[DEPTH];
static struct netfront_piece piece;
static uint8_t reply[NETFRONT_MAX_RX];

static void fill(uint8_t *frame, uint8_t to)
{
	const uint8_t head[] = { 2, 0, 0, 0, 0, to };

	memcpy(frame, head, sizeof(head));
	memcpy(frame + 6, card.mac, sizeof(card.mac));
	frame[12] = PLAIN >> 8;
	frame[13] = PLAIN & 0xff;
}

/* Others may send too: only what we sent counts. */
static bool is_ours(int len)
{
	return len >= (int)piece.len && reply[12] == PLAIN >> 8 &&
	       reply[13] == (PLAIN & 0xff);
}

static bool wait_reply(struct netfront_queue *q)
{
	uint64_t until = events_deadline(SECOND), now;
	struct netfront_meta meta;
	int len;

	for (;;) {
		while ((len = netfront_receive(q, reply, sizeof(reply),
					       &meta)) > 0) {
			if (is_ours(len))
				return true;
		}
		now = events_now();
		if (len < 0 || now >= until)
			return false;
		netfront_push(q);
		(void)netfront_wait_packet(q, until - now);
	}
}

/* Return: round trips, or 0 if one failed. */
static uint64_t round_trips(struct netfront_queue *q, uint64_t until)
{
	uint64_t n = 0;

	while (events_now() < until) {
		if (netfront_send(q, &packets[0]))
			return 0;
		netfront_push(q);
		while (!netfront_done(q)) {
			if (!netfront_wait_done(q, SECOND))
				return 0;
		}
		if (!wait_reply(q))
			return 0;
		n++;
	}
	return n;
}

/* Return: frames sent, or 0 if one failed. */
static uint64_t stream(struct netfront_queue *q, uint64_t until)
{
	struct netfront_packet *p;
	uint64_t n = 0;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < DEPTH; i++)
		ret = netfront_send(q, &packets[i]);
	netfront_push(q);
	while (!ret && events_now() < until) {
		while (!ret && (p = netfront_done(q))) {
			ret = p->status ? p->status : netfront_send(q, p);
			n++;
		}
		netfront_push(q);
		(void)netfront_wait_done(q, SECOND);
	}
	while (netfront_wait_done(q, SECOND)) {
		while (netfront_done(q))
			;
	}
	return ret ? 0 : n;
}

enum verdict guest_main(const char *cmdline)
{
	uint64_t ms = arg_u64(cmdline, "ms", 1000), began, n, ns;
	bool tx = arg_u64(cmdline, "tx", 0);
	struct netfront_want want = { 0 };
	uint8_t *frame = pages_alloc(1);

	piece = (struct netfront_piece){
		.at = frame,
		.len = (uint32_t)arg_u64(cmdline, "bytes", 64),
	};
	if (!frame || piece.len < NETFRONT_MIN_LEN || piece.len > MAX_LEN ||
	    xenbus_init() || netfront_open(&card, 0, &want))
		return VERDICT_ERROR;
	fill(frame, tx ? NOBODY : ECHO);
	for (unsigned int i = 0; i < DEPTH; i++)
		packets[i] = (struct netfront_packet){ .piece = &piece,
						       .npieces = 1 };
	/* The bridge may need a moment to let frames through. */
	for (int i = 0; !tx && i < 20; i++) {
		if (round_trips(card.queue[0], events_now() + MS))
			break;
	}
	began = events_now();
	n = tx ? stream(card.queue[0], began + ms * MS)
	       : round_trips(card.queue[0], began + ms * MS);
	ns = events_now() - began;
	(void)netfront_close(&card);
	say("netbench bytes=%u tx=%d frames=%lu ns=%lu per_s=%lu", piece.len,
	    tx, (unsigned long)n, (unsigned long)ns,
	    (unsigned long)(n * SECOND / ns));
	return n ? VERDICT_SUCCESS : VERDICT_FAILURE;
}
