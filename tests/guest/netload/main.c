/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/netload/main.c - frames from one guest to another.
 *
 *	to=N [lead=1] [bytes=N] [window=N] [both=0|1] [ms=N]
 *
 * The other guest's address is ours with N in the last byte.  One of the two leads
 * (tests/guest/load.h), and its last line has the rate: of frames that arrived.
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
#include "tests/guest/load.h"

#define POOL   224u /* slots of the ring, but for a few */
#define SECOND (1000 * LOAD_MS)

static struct netfront card;
static struct netfront_queue *queue;
static uint8_t peer[6];
static uint8_t *heads, *body;
static struct netfront_packet packets[POOL];
static struct netfront_piece pieces[POOL][2];
static struct netfront_packet *unused[POOL];
static unsigned int nunused;
static uint8_t incoming[NETFRONT_MAX_RX];

static bool send_frame(const struct load_msg *m, uint32_t bytes)
{
	struct netfront_packet *p;
	struct netfront_piece *at;

	while ((p = netfront_done(queue)))
		unused[nunused++] = p;
	if (!nunused)
		return false;
	p = unused[nunused - 1];
	at = pieces[p - packets];
	load_put(heads + (p - packets) * LOAD_HEAD, peer, card.mac, m, bytes);
	at[0].len = bytes < LOAD_HEAD ? bytes : LOAD_HEAD;
	at[1].len = bytes - at[0].len;
	p->npieces = at[1].len ? 2 : 1;
	p->meta = (struct netfront_meta){ 0 };
	if (load_gso(bytes)) {
		p->meta.csum_blank = true;
		p->meta.gso = XEN_NETIF_GSO_TYPE_TCPV4;
		p->meta.mss = LOAD_MSS;
	}
	if (netfront_send(queue, p))
		return false;
	nunused--;
	return true;
}

static bool receive_frame(struct load_msg *m)
{
	struct netfront_meta meta;
	int len;

	while ((len = netfront_receive(queue, incoming, sizeof(incoming),
				       &meta)) > 0) {
		if (load_get(incoming, (size_t)len, m))
			return true;
	}
	return false;
}

static void push(void)
{
	netfront_push(queue);
}

static void wait_frame(uint64_t ns)
{
	(void)netfront_wait_packet(queue, ns);
}

static const struct load_io io = {
	.send = send_frame,
	.receive = receive_frame,
	.push = push,
	.wait = wait_frame,
	.now = events_now,
};

static bool make_packets(void)
{
	heads = pages_alloc((POOL * LOAD_HEAD + PAGE_BYTES - 1) / PAGE_BYTES);
	body = pages_alloc(NETFRONT_MAX_LEN / PAGE_BYTES + 1);
	if (!heads || !body)
		return false;
	memset(body, 0, NETFRONT_MAX_LEN);
	for (unsigned int i = 0; i < POOL; i++) {
		pieces[i][0].at = heads + i * LOAD_HEAD;
		pieces[i][1].at = body;
		packets[i].piece = pieces[i];
		unused[nunused++] = &packets[i];
	}
	return true;
}

static bool lead(const char *cmdline)
{
	uint64_t ns = arg_u64(cmdline, "ms", 1000) * LOAD_MS, n;
	uint32_t bytes = (uint32_t)arg_u64(cmdline, "bytes", LOAD_SMALL);
	uint32_t window = (uint32_t)arg_u64(cmdline, "window", 1);
	bool both = arg_u64(cmdline, "both", 0);

	if (bytes < LOAD_SMALL || bytes > NETFRONT_MAX_LEN || !window)
		return false;
	n = load_lead(&io, bytes, window, both, &ns);
	say("netload bytes=%u window=%u both=%d frames=%lu ns=%lu per_s=%lu",
	    bytes, window, both, (unsigned long)n, (unsigned long)ns,
	    (unsigned long)(n ? n * SECOND / ns : 0));
	return n;
}

enum verdict guest_main(const char *cmdline)
{
	const struct netfront_want want = { .sg = true,
					    .csum4 = true,
					    .tso4 = true };
	bool good;

	if (xenbus_init() || !make_packets() || netfront_open(&card, 0, &want))
		return VERDICT_ERROR;
	queue = card.queue[0];
	memcpy(peer, card.mac, sizeof(peer));
	peer[5] = (uint8_t)arg_u64(cmdline, "to", 0);
	good = arg_u64(cmdline, "lead", 0) ? lead(cmdline) : load_serve(&io);
	(void)netfront_close(&card);
	return good ? VERDICT_SUCCESS : VERDICT_FAILURE;
}
