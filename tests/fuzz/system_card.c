// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/system_card.c - the card of the domain that does anything (F18).
//
// Its cable ends at an interface of the host's that nobody else uses; the run has a
// network namespace of its own.
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/io/netif.h>

#include "base/util.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "tests/fuzz/system.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/packet.h"

#define IFNAME	"vif3.0"
#define DEPTH	8u
#define LONGEST 1514u
#define TRIES	500

static struct netfront card, old;
static struct netfront_packet packets[DEPTH];
static struct netfront_piece pieces[DEPTH];
static uint8_t *mem[DEPTH + 1]; /* a page each; the last is verify()'s */
static uint8_t in[PACKET_MAX], out[PACKET_MAX];
static const struct virtio_net_hdr plain;

void system_card_init(void)
{
	for (unsigned int i = 0; i <= DEPTH; i++)
		mem[i] = pages_alloc(1);
}

/* ---- Connecting ----------------------------------------------------------------- */

static int join(uint64_t a, bool again)
{
	struct netfront_want want = {
		.queues = (unsigned int)(a & 3),
		.split = a & 4,
		.sg = a & 8,
		.csum4 = a & 16,
		.csum6 = a & 32,
		.tso4 = a & 64,
		.tso6 = a & 128,
		.copy = a & 256,
	};

	return again ? netfront_again(&card, &want)
		     : netfront_open(&card, 0, &want);
}

static int stop(void)
{
	return netfront_stop(&card);
}

static void abandon(void)
{
	old = card;
	front_fini(&old.front);
}

static void drop(void)
{
	while (old.nqueues)
		netfront_queue_free(old.queue[--old.nqueues]);
}

static unsigned int nqueues(void)
{
	return card.nqueues;
}

static const char *ring_key(uint64_t a)
{
	return a & 1 ? "tx-ring-ref" : "rx-ring-ref";
}

/* Many of these references are granted; flags mean something below 16. */
static void bend(uint8_t *slot, uint64_t a)
{
	uint32_t ref = 8 + (uint32_t)(a >> 8 & 511);

	memcpy(slot, &ref, sizeof(ref));
	slot[6] &= 15;
	slot[7] = 0;
	if (a & 1u << 17)
		slot[11] = 0;
}

/* ---- Packets -------------------------------------------------------------------- */

static struct netfront_queue *some_queue(uint64_t a)
{
	return card.nqueues ? card.queue[a % card.nqueues] : NULL;
}

/* All that came, on all queues; Return: whether @want of @len was among it. */
static bool received(const uint8_t *want, int len)
{
	struct netfront_meta meta;
	bool came = false;
	int n;

	for (unsigned int i = 0; i < card.nqueues; i++) {
		while ((n = netfront_receive(card.queue[i], in, sizeof(in),
					     &meta)) > 0)
			came |= n == len && !memcmp(in, want, (size_t)len);
		netfront_push(card.queue[i]);
	}
	return came;
}

/* Packets that nobody waits for; those of last time have ended, if they will. */
void system_card_send(struct system_dev *d, uint64_t a, uint64_t b)
{
	struct netfront_queue *q = some_queue(a);

	if (!q || !d->clean)
		return;
	for (unsigned int i = 0; i < card.nqueues; i++) {
		while (netfront_done(card.queue[i]) ||
		       netfront_wait_done(card.queue[i], SYSTEM_SECOND))
			;
		MUST(!netfront_inflight(card.queue[i]),
		     "a packet that was sent is not answered");
	}
	for (unsigned int i = 0; i < DEPTH; i++, b = b >> 7 | b << 57) {
		memset(mem[i], (int)b, SV_PAGE_SIZE);
		pieces[i].at = mem[i];
		pieces[i].len = NETFRONT_MIN_LEN + (uint32_t)(b % 1500);
		packets[i] = (struct netfront_packet){ .piece = &pieces[i],
						       .npieces = 1 };
		(void)netfront_send(q, &packets[i]);
	}
	netfront_push(q);
}

void system_card_receive(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)d;
	(void)a;
	(void)b;
	(void)received(NULL, -1);
}

/* The interface may be on its way, after the death of who holds it. */
static int host_end(void)
{
	for (int i = 0; i < 1000 && !if_nametoindex(IFNAME); i++)
		usleep(5000);
	MUST(if_nametoindex(IFNAME), "%s is not there", IFNAME);
	return packet_open(IFNAME);
}

/* The host sends, whether somebody takes it or not. */
void system_card_host(struct system_dev *d, uint64_t a, uint64_t b)
{
	int fd;

	if (!d->clean)
		return;
	fd = host_end();
	for (unsigned int i = 0; i < a % 300; i++) {
		(void)frame_udp(out, 60 + b % 1400);
		packet_send(fd, &plain, out, 60 + b % 1400);
		b = b >> 3 | b << 61;
	}
	close(fd);
}

/* The last of the pages, sent; what else has been sent ends too. */
static void send_page(struct netfront_queue *q, uint32_t len)
{
	struct netfront_piece piece = { mem[DEPTH], len };
	struct netfront_packet p = { .piece = &piece, .npieces = 1 };
	const struct netfront_packet *done = NULL;
	int ret;

	while ((ret = netfront_send(q, &p)) == -XEN_ENOSPC &&
	       (netfront_done(q) || netfront_wait_done(q, SYSTEM_SECOND)))
		;
	MUST(!ret, "an honest packet is refused: %d", ret);
	netfront_push(q);
	while (done != &p) {
		done = netfront_done(q);
		MUST(done || netfront_wait_done(q,
						SYSTEM_STEP_S * SYSTEM_SECOND),
		     "an honest packet is not answered");
	}
	MUST(!p.status, "an honest packet failed: %d", p.status);
}

/*
 * A frame passes in each direction.  The cable was plugged in a moment ago, and the
 * kernel may be late to see that: it is sent until it comes.
 */
static void verify(uint64_t a, uint64_t b)
{
	struct netfront_queue *q = some_queue(a);
	uint32_t len = 60 + (uint32_t)(b % (LONGEST - 60));
	struct virtio_net_hdr v;
	bool came = false;
	size_t n = 1;
	int fd = host_end();

	(void)frame_udp(out, len);
	memcpy(mem[DEPTH], out, len);
	for (int i = 0; i < TRIES && !came; i++) {
		send_page(q, len);
		while (!came && (n = packet_recv(fd, &v, in, 10)))
			came = n == len && !memcmp(in, out, len);
	}
	MUST(came, "the host does not get what the guest sends");
	came = false;
	(void)frame_udp(out, len);
	for (int i = 0; i < TRIES && !came; i++) {
		packet_send(fd, &plain, out, len);
		for (int k = 0; k < 10 && !came; k++) {
			came = received(out, (int)len);
			if (!came)
				usleep(1000);
		}
	}
	MUST(came, "the guest does not get what the host sends");
	close(fd);
}

static const struct system_key fe_keys[] = {
	{ "handle", "0" },
	{ "mac", "00:16:3e:01:02:03" },
	{ 0 },
};
static const struct system_key be_keys[] = {
	{ "mac", "00:16:3e:01:02:03" },
	{ "net", "none" },
	{ "handle", "0" },
	{ "type", "vif" },
	{ 0 },
};
static const char *const lies[] = {
	"tx-ring-ref",
	"rx-ring-ref",
	"event-channel",
	"event-channel-tx",
	"request-rx-copy",
	"multi-queue-num-queues",
	NULL,
};
static const char *const bells[] = { "event-channel", "event-channel-tx",
				     "event-channel-rx", NULL };

struct system_dev system_card = {
	.program = "sv-netback",
	.dir = "device/vif/0",
	.fe = "/local/domain/3/device/vif/0",
	.be = "/local/domain/0/backend/vif/3/0",
	.fe_keys = fe_keys,
	.be_keys = be_keys,
	.lies = lies,
	.bells = bells,
	.slot = 12,
	.slots = 256,
	.join = join,
	.stop = stop,
	.abandon = abandon,
	.drop = drop,
	.nqueues = nqueues,
	.ring_key = ring_key,
	.bend = bend,
	.verify = verify,
};
