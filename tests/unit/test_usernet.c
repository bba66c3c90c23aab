// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_usernet.c - a card's packets to and from passt(1), and passt itself.
#include "dom0-backend/usernet.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/virtio_net.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "dom0-backend/tap.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/netns.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"
#include "tests/lib/stack.h"

#define FRAME 1000u

/* ---- what passes, with us as both sides ------------------------------------- */

static int wire[2], stream[2];
static pthread_t thread;

static void *serve(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)usernet_serve(wire[1], stream[1]);
}

static void set_up(void)
{
	struct timeval limit = { .tv_sec = PATIENCE_MS / 1000 };

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream),
		     0);
	cr_assert_eq(fcntl(wire[1], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(fcntl(stream[1], F_SETFL, O_NONBLOCK), 0);
	setsockopt(wire[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(stream[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

/* How it ended; both sides of ours are closed then. */
static int end(void)
{
	void *ret;

	cr_assert_eq(pthread_join(thread, &ret), 0);
	for (int i = 0; i < 2; i++) {
		fd_close(&wire[i]);
		fd_close(&stream[i]);
	}
	return (int)(intptr_t)ret;
}

TestSuite(usernet, .init = set_up, .timeout = 300);

static void send_packet(struct virtio_net_hdr v, const void *frame, size_t len)
{
	struct iovec iov[] = { { &v, sizeof(v) },
			       { (void *)(uintptr_t)frame, len } };

	cr_assert_eq(writev(wire[0], iov, 2), (ssize_t)(sizeof(v) + len));
}

static size_t read_frame(uint8_t *frame)
{
	uint32_t len;

	cr_assert_eq(fd_read_all(stream[0], &len, sizeof(len)), 0);
	cr_assert_leq(ntohl(len), 65535);
	cr_assert_eq(fd_read_all(stream[0], frame, ntohl(len)), 0);
	return ntohl(len);
}

static size_t put_frame(uint8_t *at, uint32_t number)
{
	uint32_t len = htonl(FRAME);

	memset(at, 0, sizeof(len) + FRAME);
	memcpy(at, &len, sizeof(len));
	memcpy(at + sizeof(len) + 20, &number, sizeof(number));
	return sizeof(len) + FRAME;
}

static void expect_packet(uint32_t number)
{
	uint8_t got[sizeof(struct virtio_net_hdr) + FRAME + 1];
	struct virtio_net_hdr v;

	cr_assert_eq(read(wire[0], got, sizeof(got)), (ssize_t)sizeof(got) - 1);
	memcpy(&v, got, sizeof(v));
	cr_expect_eq(v.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	cr_expect_not(v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	cr_assert_arr_eq(got + sizeof(v) + 20, &number, sizeof(number));
}

Test(usernet, checksums_are_filled_in)
{
	static uint8_t frame[65536], got[65536];
	struct virtio_net_hdr v = frame_udp(frame, FRAME), lie;

	send_packet(v, frame, FRAME);
	cr_assert_eq(read_frame(got), FRAME);
	cr_expect(frame_sum_ok(got, FRAME));
	/* What cannot be is dropped; what comes behind it is not. */
	lie = v;
	lie.csum_start = FRAME;
	send_packet(lie, frame, FRAME);
	send_packet(v, frame, 13);
	send_packet((struct virtio_net_hdr){ 0 }, frame, 65536);
	frame[FRAME - 1] ^= 1;
	send_packet(v, frame, FRAME);
	cr_assert_eq(read_frame(got), FRAME);
	cr_expect(frame_sum_ok(got, FRAME));
	cr_expect_eq(got[FRAME - 1], frame[FRAME - 1]);
	send_packet((struct virtio_net_hdr){ 0 }, frame, 65535);
	cr_assert_eq(read_frame(got), 65535);
	fd_close(&wire[0]);
	cr_expect_eq(end(), 0);
}

Test(usernet, frames_in_pieces)
{
	uint8_t buf[2 * (4 + FRAME)];
	size_t len = put_frame(buf, 1);

	len += put_frame(buf + len, 2);
	for (size_t i = 0; i < len; i++)
		cr_assert_eq(write(stream[0], buf + i, 1), 1);
	expect_packet(1);
	expect_packet(2);
	fd_close(&stream[0]);
	cr_expect_eq(end(), -EPIPE);
}

/* A guest that takes nothing loses nothing, and sends all the same. */
Test(usernet, what_has_no_room_waits)
{
	uint8_t buf[4 + FRAME], got[65536];
	struct virtio_net_hdr v = { 0 };
	uint32_t sent = 0;
	size_t len = 0, at = 0;
	ssize_t n;

	cr_assert_eq(fcntl(stream[0], F_SETFL, O_NONBLOCK), 0);
	for (;;) {
		struct pollfd p = { .fd = stream[0], .events = POLLOUT };

		if (at == len) {
			len = put_frame(buf, sent++);
			at = 0;
		}
		n = write(stream[0], buf + at, len - at);
		if (n > 0)
			at += (size_t)n;
		else if (poll(&p, 1, 300) == 0)
			break; /* full, all the way */
	}
	cr_assert_eq(fcntl(stream[0], F_SETFL, 0), 0);
	send_packet(v, buf, FRAME);
	cr_expect_eq(read_frame(got), FRAME);
	for (uint32_t i = 0; i + 1 < sent; i++)
		expect_packet(i);
	cr_assert_eq(fd_write_all(stream[0], buf + at, len - at), 0);
	expect_packet(sent - 1);
	shutdown(wire[0], SHUT_RDWR);
	cr_expect_eq(end(), 0);
}

Test(usernet, lengths_that_cannot_be)
{
	uint32_t len = htonl(1u << 20);

	cr_assert_eq(write(stream[0], &len, sizeof(len)), sizeof(len));
	cr_expect_eq(end(), -EPROTO);
}

/* ---- passt, with the kernel's own TCP as the guest ----------------------------- */

#define BYTES (4u << 20)

static void die_with_test(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void copy_packets(int from, int to)
{
	static uint8_t packet[sizeof(struct virtio_net_hdr) + 65553];
	ssize_t n = read(from, packet, sizeof(packet));

	/* A TAP's cable may be out yet; else TCP sends again. */
	if (n > 0 && write(to, packet, (size_t)n) < 0)
		return;
}

static _Noreturn void play_worker(int tap, int end_of_wire)
{
	struct pollfd p[] = { { .fd = tap, .events = POLLIN },
			      { .fd = end_of_wire, .events = POLLIN } };

	die_with_test();
	while (poll(p, 2, -1) > 0 && !(p[1].revents & POLLHUP)) {
		if (p[0].revents)
			copy_packets(tap, end_of_wire);
		if (p[1].revents)
			copy_packets(end_of_wire, tap);
	}
	_exit(0);
}

/* Send BYTES and have them back, at once. */
static bool stream_through(int fd)
{
	static uint8_t out[65536], in[65536];
	size_t sent = 0, got = 0;

	while (got < BYTES) {
		struct pollfd p = {
			.fd = fd,
			.events = (short)(POLLIN | (sent < BYTES ? POLLOUT : 0))
		};
		ssize_t n;

		if (poll(&p, 1, PATIENCE_MS) <= 0)
			return false;
		for (size_t i = 0; i < sizeof(out); i++)
			out[i] = (uint8_t)((sent + i) * 7 >> 3);
		n = send(fd, out, MIN(sizeof(out), BYTES - sent),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		n = recv(fd, in, MIN(sizeof(in), BYTES - got), MSG_DONTWAIT);
		if (!n || (n < 0 && errno != EAGAIN))
			return false;
		for (ssize_t i = 0; i < n; i++) {
			if (in[i] != (uint8_t)((got + (size_t)i) * 7 >> 3))
				return false;
		}
		got += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static const struct {
	const char *gateway, *here;
} families[] = { { "10.99.0.1", "127.0.0.1" }, { "fe80::1%g0", "::1" } };

/* Connected, or -1. */
static int dial(int type, const char *ip, unsigned int port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = type },
			*at;
	char text[8];
	int fd;

	snprintf(text, sizeof(text), "%u", port);
	if (getaddrinfo(ip, text, &hints, &at))
		return -1;
	fd = socket(at->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen))
		fd_close(&fd);
	freeaddrinfo(at);
	return fd;
}

/* At @port of any address of both families; *@port is filled in if it was 0. */
static int serve_at(int type, unsigned int *port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)*port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), off = 0;
	socklen_t len = sizeof(sa);

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    (type == SOCK_STREAM && listen(fd, 4)) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len))
		abort();
	*port = ntohs(sa.sin6_port);
	return fd;
}

/* A datagram there and back; those before the first ARP or NDP may be lost. */
static bool datagram_through(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t out[1000], in[sizeof(out) + 1];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 >> 3);
	for (int i = 0; i < PATIENCE_MS / 500; i++) {
		if (send(fd, out, sizeof(out), 0) < 0 || poll(&p, 1, 500) <= 0)
			continue;
		if (recv(fd, in, sizeof(in), 0) == (ssize_t)sizeof(out))
			return !memcmp(in, out, sizeof(out));
	}
	return false;
}

static _Noreturn void echo_datagrams(int fd)
{
	struct sockaddr_storage from;
	uint8_t buf[2000];

	die_with_test();
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0,
				     (struct sockaddr *)&from, &len);

		if (n >= 0 && sendto(fd, buf, (size_t)n, 0,
				     (struct sockaddr *)&from, len) < 0)
			continue;
	}
}

/* The bytes of a connection for each family, back where they came from. */
static _Noreturn void echo(int listener)
{
	static uint8_t buf[65536];

	die_with_test();
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		ssize_t n;

		while ((n = read(fd, buf, sizeof(buf))) > 0) {
			if (fd_write_all(fd, buf, (size_t)n))
				_exit(1);
		}
		close(fd);
	}
	_exit(0);
}

/* A guest: status 0 if it reaches the host, and then answers at ports 80 and 53. */
static _Noreturn void play_guest(int end_of_wire, unsigned int port, int told)
{
	const struct net_caps all = { true, true, true, true, true };
	unsigned int http = 80, dns = 53;
	int tap, fd;

	die_with_test();
	/* An address that is looked for twice is none in the first second. */
	if (unshare(CLONE_NEWNET) ||
	    system("sysctl -q net.ipv6.conf.default.accept_dad=0") ||
	    tap_open("g0", 1, &tap) || tap_offload(tap, &all) ||
	    tap_carrier(tap, true) ||
	    system("ip addr add 10.99.0.2/24 dev g0 && "
		   "ip addr add fd99::2/64 dev g0 nodad && "
		   "ip link set lo up && ip link set g0 up && "
		   "ip route add default via 10.99.0.1 && "
		   "ip -6 route add default via fe80::1 dev g0"))
		_exit(2);
	if (!proc_fork())
		play_worker(tap, end_of_wire);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		fd = dial(SOCK_STREAM, families[i].gateway, port);
		if (fd < 0 || !stream_through(fd))
			_exit(3);
		close(fd);
	}
	fd = serve_at(SOCK_DGRAM, &dns);
	if (!proc_fork())
		echo_datagrams(fd);
	fd = serve_at(SOCK_STREAM, &http);
	if (write(told, "", 1) != 1)
		_exit(4);
	echo(fd);
}

#define FORWARDS 3 /* TCP of both families; UDP of one, and of the other */

/* Its end of the wire; the pipe that says how it starts is read till then. */
static int start_usernet(char forward[FORWARDS][64], pid_t *pid)
{
	char path[PATH_MAX], wire_fd[16], ready_fd[16], said[200] = "?";
	int pair[2], ready[2];

	stack_program(path, "sv-usernet");
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	cr_assert_eq(pipe(ready), 0);
	snprintf(wire_fd, sizeof(wire_fd), "%d", pair[1]);
	snprintf(ready_fd, sizeof(ready_fd), "%d", ready[1]);
	*pid = proc_fork();
	if (!*pid) {
		die_with_test();
		close(pair[0]);
		close(ready[0]);
		execl(path, path, "--domid", "3", "--devid", "0", "--wire",
		      wire_fd, "--ready", ready_fd, "--", "-t", forward[0],
		      "-u", forward[1], "-u", forward[2], (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	close(ready[1]);
	cr_expect_eq(read(ready[0], said, sizeof(said) - 1), 1, "%s", said);
	close(ready[0]);
	return pair[0];
}

/*
 * The host's ports of both protocols lead to the guest, in both families.  It ends with
 * the last connection.
 */
static void expect_forwards(unsigned int port)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(families); i++) {
		const char *here = families[i].here;
		int fd = dial(SOCK_DGRAM, here, port + i);

		cr_assert_geq(fd, 0, "%s", here);
		cr_expect(datagram_through(fd), "%s", here);
		close(fd);
		fd = dial(SOCK_STREAM, here, port);
		cr_assert_geq(fd, 0, "%s", here);
		cr_expect(stream_through(fd), "%s", here);
		close(fd);
	}
}

static void make_host(void)
{
	netns_enter();
	cr_assert_eq(system("ip link add up0 type bridge && "
			    "ip addr add 10.99.0.2/24 dev up0 && "
			    "ip addr add fd99::2/64 dev up0 nodad && "
			    "ip link set up0 up && "
			    "ip route add default via 10.99.0.1 && "
			    "ip -6 route add default via fe80::1 dev up0"),
		     0);
}

Test(passt, both_ways_in_both_families, .timeout = 300)
{
	unsigned int served = 0, forward = 0;
	char spec[FORWARDS][64], c;
	int end_of_wire, told[2], status, listener, fd;
	pid_t usernet, guest, server;

	make_host();
	fd = serve_at(SOCK_STREAM, &forward); /* one that is free */
	listener = serve_at(SOCK_STREAM, &served);
	close(fd);
	server = proc_fork();
	if (!server)
		echo(listener);
	snprintf(spec[0], sizeof(spec[0]), "%u:80", forward);
	/* Passt has a port once, whatever the address. */
	for (unsigned int i = 0; i < 2; i++)
		snprintf(spec[1 + i], sizeof(spec[0]), "%s/%u:53",
			 families[i].here, forward + i);
	end_of_wire = start_usernet(spec, &usernet);
	cr_assert_eq(pipe(told), 0);
	guest = proc_fork();
	if (!guest)
		play_guest(end_of_wire, served, told[1]);
	close(told[1]);
	cr_assert_eq(read(told[0], &c, 1), 1, "the guest reaches the host");
	expect_forwards(forward);
	cr_assert_eq(waitpid(guest, &status, 0), guest);
	cr_expect_eq(status, 0);
	cr_assert_eq(waitpid(server, &status, 0), server);
	cr_expect_eq(status, 0);
	shutdown(end_of_wire, SHUT_RDWR);
	cr_assert_eq(waitpid(usernet, &status, 0), usernet);
	cr_expect_eq(status, 0);
	/* Passt goes with it, and with passt the port. */
	cr_expect(SOON((fd = dial(SOCK_STREAM, "127.0.0.1", forward)) < 0 ||
		       (close(fd), false)));
}
