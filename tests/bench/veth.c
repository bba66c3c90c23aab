// SPDX-License-Identifier: GPL-2.0-or-later
// tests/bench/veth.c - frames between two processes over a veth pair.
//
// usage: veth INTERFACE PEER BYTES WINDOW BOTH MS
//
// What tests/guest/netload is between two guests, frame by frame: packet sockets
// take and give whole frames with a struct virtio_net_hdr before each, so that 64 KiB
// pass without being segmented.  Frames go and come in batches (sendmmsg(2),
// recvmmsg(2)).  Prints "RATE CPU": frames that arrived a second, and the
// microseconds of CPU time of both processes for each.
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "tests/guest/load.h"

#define BATCH	64u
#define FRAME	65536u
#define SOCKBUF (16 << 20)

static const uint8_t address[2][6] = { { 2, 0, 0, 0, 0, 1 },
				       { 2, 0, 0, 0, 0, 2 } };
static const uint8_t *from, *to;
static int sock;

/**
 * struct batch - Frames, in one direction.
 * @next, @n: The next of those that came; frames there are.
 */
struct batch {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH][3];
	struct virtio_net_hdr vnet[BATCH];
	uint8_t frame[BATCH][FRAME];
	unsigned int next, n;
};
static struct batch in, out;
static uint8_t body[FRAME];

static void push(void)
{
	unsigned int done = 0;
	int n;

	while (done < out.n) {
		n = sendmmsg(sock, out.msg + done, out.n - done, 0);
		if (n < 0)
			err(1, "sendmmsg");
		done += (unsigned int)n;
	}
	out.n = 0;
}

static bool send_frame(const struct load_msg *m, uint32_t bytes)
{
	struct virtio_net_hdr *v = &out.vnet[out.n];
	struct iovec *iov = out.iov[out.n];
	uint32_t head = MIN(bytes, LOAD_HEAD);

	load_put(out.frame[out.n], to, from, m, bytes);
	*v = (struct virtio_net_hdr){ 0 };
	if (load_gso(bytes))
		*v = (struct virtio_net_hdr){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
			.hdr_len = LOAD_DATA,
			.gso_size = LOAD_MSS,
			.csum_start = LOAD_TCP,
			.csum_offset = 16,
		};
	iov[0] = (struct iovec){ v, sizeof(*v) };
	iov[1] = (struct iovec){ out.frame[out.n], head };
	iov[2] = (struct iovec){ body, bytes - head };
	out.msg[out.n].msg_hdr =
		(struct msghdr){ .msg_iov = iov,
				 .msg_iovlen = bytes > head ? 3 : 2 };
	if (++out.n == BATCH)
		push();
	return true;
}

static bool refill(void)
{
	int n;

	for (unsigned int i = 0; i < BATCH; i++) {
		in.iov[i][0] =
			(struct iovec){ &in.vnet[i], sizeof(in.vnet[i]) };
		in.iov[i][1] = (struct iovec){ in.frame[i], FRAME };
		in.msg[i].msg_hdr = (struct msghdr){ .msg_iov = in.iov[i],
						     .msg_iovlen = 2 };
	}
	n = recvmmsg(sock, in.msg, BATCH, MSG_DONTWAIT, NULL);
	in.next = 0;
	in.n = n > 0 ? (unsigned int)n : 0;
	return in.n;
}

static bool receive_frame(struct load_msg *m)
{
	size_t len;

	for (;;) {
		if (in.next == in.n && !refill())
			return false;
		len = in.msg[in.next].msg_len - sizeof(struct virtio_net_hdr);
		if (load_get(in.frame[in.next++], len, m))
			return true;
	}
}

static void wait_frame(uint64_t ns)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	if (poll(&p, 1, (int)(ns / LOAD_MS)) < 0)
		err(1, "poll");
}

static const struct load_io io = {
	.send = send_frame,
	.receive = receive_frame,
	.push = push,
	.wait = wait_frame,
	.now = util_clock_ns,
};

static void set(int level, int option, int value)
{
	if (setsockopt(sock, level, option, &value, sizeof(value)))
		err(1, "a packet socket's option %d", option);
}

static void open_end(const char *interface, int which)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL) };

	from = address[which];
	to = address[!which];
	at.sll_ifindex = (int)if_nametoindex(interface);
	if (!at.sll_ifindex)
		err(1, "%s", interface);
	sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (sock < 0)
		err(1, "a packet socket");
	set(SOL_PACKET, PACKET_VNET_HDR, 1);
	set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	set(SOL_SOCKET, SO_RCVBUFFORCE, SOCKBUF);
	set(SOL_SOCKET, SO_SNDBUFFORCE, SOCKBUF);
	if (bind(sock, (struct sockaddr *)&at, sizeof(at)))
		err(1, "%s", interface);
}

static double cpu_us(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	uint64_t ns, n;
	pid_t pid;

	if (argc != 7)
		errx(2, "usage: veth INTERFACE PEER BYTES WINDOW BOTH MS");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		open_end(argv[2], 1);
		return !load_serve(&io);
	}
	open_end(argv[1], 0);
	ns = strtoull(argv[6], NULL, 10) * LOAD_MS;
	n = load_lead(&io, (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
		      atoi(argv[5]), &ns);
	if (waitpid(pid, NULL, 0) != pid || !n)
		errx(1, "no frame has arrived");
	printf("%.0f %.3f\n", (double)n * 1e9 / (double)ns,
	       (cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN)) / (double)n);
	return 0;
}
