// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/usernet_fuzz.c - a card's packets to passt, and passt's stream to it.
//
// FUZZ: F19; max_len 2048
//
// Each packet that can be goes on as it is, in order, its checksum filled in if that
// was blank; the others are dropped alone.  Each frame of the stream, however it is cut
// into pieces, arrives whole; a length that cannot be ends it.  What is left of a
// stream that ends is lost, and nothing before it.
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dom0-backend/net_slots.h"
#include "dom0-backend/usernet.h"
#include "tests/lib/fuzz.h"

#define LENGTH	4u	/* before a frame in the stream */
#define PACKETS 60u	/* of the guest: all in one turn */
#define PIECES	64u	/* of the stream */
#define BYTES	140000u /* in either direction, that sockets have room for */
#define CHUNK	65000u	/* bytes of a piece at most */

/*
 * Both are packet sockets: of passt's stream each packet is what one recv() finds.
 * [0] is the fuzzer's end.
 */
static int wire[2], passt[2];
static uint8_t in[BYTES], out[BYTES];

/* What was put into the stream. */
static uint8_t stream[BYTES];
static size_t streamed;

/* Those of the guest's packets that passt is to have. */
static struct {
	struct virtio_net_hdr v;
	size_t len;
	uint8_t *frame; /* owned */
} sent[PACKETS];
static unsigned int nsent;

static void make_pair(int pair[2])
{
	int size = 4 << 20;

	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	for (int i = 0; i < 2; i++)
		assert(!setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size,
				   sizeof(size)) ||
		       !setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size,
				   sizeof(size)));
}

/* ---- from the guest ---------------------------------------------------------- */

static bool can_go(const struct virtio_net_hdr *v, size_t len)
{
	if (len < NET_LEN_MIN || len > NET_LEN_MAX)
		return false;
	return !(v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	       (size_t)v->csum_start + v->csum_offset + 2 <= len;
}

/* A packet: its description, its length, some bytes and then a pattern. */
static size_t send_packet(struct fuzz_in *f, size_t room)
{
	struct virtio_net_hdr v = { .flags = fuzz_u8(f) };
	size_t len, some = fuzz_u8(f);
	struct iovec iov[] = { { &v, sizeof(v) }, { in, 0 } };

	len = (size_t)fuzz_num(f, NET_LEN_MAX);
	v.csum_start = (uint16_t)fuzz_num(f, len);
	v.csum_offset = (uint16_t)fuzz_num(f, len);
	if (len > room || nsent == PACKETS)
		return 0;
	for (size_t i = 0; i < len; i++)
		in[i] = (uint8_t)(i * 31 + nsent);
	fuzz_bytes(f, in, MIN(some, len));
	iov[1].iov_len = len;
	if (writev(wire[0], iov, 2) < 0)
		return 0;
	if (can_go(&v, len)) {
		sent[nsent].v = v;
		sent[nsent].len = len;
		sent[nsent].frame = fuzz_tight(in, len);
		nsent++;
	}
	return len;
}

/* The 16-bit ones of @p, folded; an odd one is the upper half of the last. */
static uint32_t sum_of(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)p[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* @got is @frame, but for the checksum. */
static void expect_filled(uint8_t *frame, const uint8_t *got, size_t len,
			  const struct virtio_net_hdr *v)
{
	size_t at = (size_t)v->csum_start + v->csum_offset;
	uint32_t sum = ~sum_of(frame + v->csum_start, len - v->csum_start);

	sum &= 0xffff;
	sum = sum ? sum : 0xffff;
	frame[at] = (uint8_t)(sum >> 8);
	frame[at + 1] = (uint8_t)sum;
	assert(!memcmp(frame, got, len));
}

static void expect_sent(void)
{
	for (unsigned int i = 0; i < nsent; i++) {
		ssize_t n = recv(passt[0], out, sizeof(out), 0);
		uint32_t len;

		assert(n == (ssize_t)(LENGTH + sent[i].len));
		memcpy(&len, out, LENGTH);
		assert(ntohl(len) == sent[i].len);
		if (sent[i].v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			expect_filled(sent[i].frame, out + LENGTH, sent[i].len,
				      &sent[i].v);
		else
			assert(!memcmp(out + LENGTH, sent[i].frame,
				       sent[i].len));
	}
	assert(recv(passt[0], out, sizeof(out), 0) <= 0);
	while (nsent)
		free(sent[--nsent].frame);
}

/* ---- to the guest ------------------------------------------------------------ */

static bool say(const void *bytes, size_t n)
{
	if (!n || n > sizeof(stream) - streamed ||
	    send(passt[0], bytes, n, MSG_NOSIGNAL) < 0)
		return false;
	memcpy(stream + streamed, bytes, n);
	streamed += n;
	return true;
}

/* A frame, or what claims to be one, in pieces of one size. */
static unsigned int say_frame(struct fuzz_in *f, unsigned int pieces)
{
	uint32_t len = (uint32_t)fuzz_num(f, NET_RX_LEN_MAX), be = htonl(len);
	size_t n = LENGTH + MIN(len, NET_RX_LEN_MAX + 1u), at = 0;
	size_t piece = 1 + (size_t)fuzz_num(f, CHUNK) % CHUNK;
	unsigned int used = 0;

	memcpy(in, &be, LENGTH);
	for (size_t i = LENGTH; i < n; i++)
		in[i] = (uint8_t)(i * 17 + streamed);
	while (at < n && used < pieces && say(in + at, MIN(piece, n - at))) {
		at += MIN(piece, n - at);
		used++;
	}
	return used;
}

static void say_bytes(struct fuzz_in *f)
{
	size_t n = 1 + fuzz_u8(f) % 64u;

	fuzz_bytes(f, in, n);
	(void)say(in, n);
}

/* Return: what the service must end with. */
static int expect_heard(void)
{
	const struct virtio_net_hdr good = {
		.flags = VIRTIO_NET_HDR_F_DATA_VALID
	};
	size_t at = 0;
	uint32_t len;

	while (streamed - at >= LENGTH) {
		memcpy(&len, stream + at, LENGTH);
		len = ntohl(len);
		if (len > NET_RX_LEN_MAX)
			return -EPROTO;
		at += LENGTH;
		if (streamed - at < len)
			break;
		if (len >= NET_LEN_MIN) {
			assert(recv(wire[0], out, sizeof(out), 0) ==
			       (ssize_t)(sizeof(good) + len));
			assert(!memcmp(out, &good, sizeof(good)));
			assert(!memcmp(out + sizeof(good), stream + at, len));
		}
		at += len;
	}
	return -EPIPE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in f = { data, size };
	unsigned int pieces = 0, packets = 0;
	size_t room = BYTES;
	int ret;

	make_pair(wire);
	make_pair(passt);
	streamed = 0;
	while (f.left && pieces < PIECES && packets < PACKETS) {
		switch (fuzz_u8(&f) % 3) {
		case 0:
			room -= send_packet(&f, room);
			packets++;
			break;
		case 1:
			pieces += say_frame(&f, PIECES - pieces);
			break;
		default:
			say_bytes(&f);
			pieces++;
		}
	}
	shutdown(passt[0], SHUT_WR);
	ret = usernet_serve(wire[1], passt[1]);
	assert(ret == expect_heard());
	assert(recv(wire[0], out, sizeof(out), 0) < 0);
	expect_sent();
	for (int i = 0; i < 2; i++) {
		close(wire[i]);
		close(passt[i]);
	}
	return 0;
}
