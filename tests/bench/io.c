// SPDX-License-Identifier: GPL-2.0-or-later
// tests/bench/io.c - measure a disk or a TCP path; static, runs in any guest.
//
// usage: io blk FILE read|write rand|seq BLOCK_BYTES DEPTH SECONDS
//        io serve PORT                    for any number of clients
//        io send|receive|rr HOST PORT SECONDS [STREAMS]
//        io udp-send|udp-receive HOST PORT SECONDS
//
// Prints "RATE per_second OPERATIONS": requests, bytes, round trips or datagrams a
// second, and how many operations (64 KiB of a stream) that were in all. Datagrams of
// 64 bytes are sent as fast as that goes; those that arrive count.
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	  65536
#define RR_BYTES  64
#define MAX_DEPTH 256
#define DATAGRAM  64
#define BATCH	  64 /* datagrams of one call */

static char chunk[CHUNK];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned long number(const char *s, unsigned long max)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (!*s || *end || v == 0 || v > max)
		errx(1, "%s: must be a number from 1 to %lu", s, max);
	return v;
}

static void print(double amount, double ops, double seconds)
{
	printf("RATE %.1f %.0f\n", amount / seconds, ops);
}

struct job {
	int fd;
	bool random, write;
	uint64_t blocks, next, seed, size;
	char *buf[MAX_DEPTH];
};

static void queue_io(struct io_uring *ring, struct job *j, uint64_t slot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	uint64_t block = j->next++ % j->blocks;

	if (j->random) {
		j->seed = j->seed * 6364136223846793005u + 1442695040888963407u;
		block = (j->seed >> 24) % j->blocks;
	}
	if (j->write)
		io_uring_prep_write(sqe, j->fd, j->buf[slot],
				    (unsigned int)j->size, block * j->size);
	else
		io_uring_prep_read(sqe, j->fd, j->buf[slot],
				   (unsigned int)j->size, block * j->size);
	io_uring_sqe_set_data64(sqe, slot);
}

static int block(char **arg)
{
	struct job j = { .seed = 1,
			 .write = !strcmp(arg[1], "write"),
			 .random = !strcmp(arg[2], "rand") };
	unsigned long depth = number(arg[4], MAX_DEPTH);
	double seconds = (double)number(arg[5], 3600), t0, t;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint64_t bytes, done = 0;

	j.size = number(arg[3], 1u << 24);
	j.fd = open(arg[0], (j.write ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (j.fd < 0)
		err(1, "%s", arg[0]);
	if (ioctl(j.fd, BLKGETSIZE64, &bytes) < 0)
		bytes = (uint64_t)lseek(j.fd, 0, SEEK_END);
	j.blocks = (bytes < 256u << 20 ? bytes : 256u << 20) / j.size;
	if (!j.blocks)
		errx(1, "%s: smaller than a block", arg[0]);
	if (io_uring_queue_init(MAX_DEPTH, &ring, 0) < 0)
		errx(1, "no io_uring here");
	for (unsigned long i = 0; i < depth; i++) {
		if (posix_memalign((void **)&j.buf[i], 4096, j.size))
			errx(1, "no memory for %lu blocks", depth);
		memset(j.buf[i], 1, j.size); /* no page faults later */
	}
	t0 = now();
	for (unsigned long i = 0; i < depth; i++)
		queue_io(&ring, &j, i);
	do {
		if (io_uring_submit_and_wait(&ring, 1) < 0)
			errx(1, "io_uring_submit_and_wait failed");
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			if (cqe->res != (int)j.size)
				errx(1, "%s: an operation gave %d", arg[0],
				     cqe->res);
			done++;
			queue_io(&ring, &j, io_uring_cqe_get_data64(cqe));
			io_uring_cqe_seen(&ring, cqe);
		}
		t = now() - t0;
	} while (t < seconds);
	print((double)done, (double)done, t);
	return 0;
}

static bool move(int fd, size_t len, bool sending)
{
	for (size_t at = 0; at < len;) {
		ssize_t n =
			sending ? send(fd, chunk + at, len - at, MSG_NOSIGNAL)
				: recv(fd, chunk + at, len - at, 0);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static void no_delay(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) <
	    0)
		err(1, "TCP_NODELAY");
}

/* ---- Datagrams -------------------------------------------------------------- */

static struct mmsghdr batch[BATCH];
static struct iovec pieces[BATCH];

static void make_batch(void)
{
	for (int i = 0; i < BATCH; i++) {
		pieces[i].iov_base = chunk + i * DATAGRAM;
		pieces[i].iov_len = DATAGRAM;
		batch[i].msg_hdr.msg_iov = &pieces[i];
		batch[i].msg_hdr.msg_iovlen = 1;
	}
}

/* A socket of any port, which is told to whoever is at the other end of @link. */
static int open_udp(int link)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct timeval limit = { .tv_usec = 200000 };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) <
		    0 ||
	    send(link, &at.sin_port, sizeof(at.sin_port), 0) !=
		    sizeof(at.sin_port))
		err(1, "a socket for datagrams");
	make_batch();
	return fd;
}

/* To the port that the other end of @link tells. */
static int dial_udp(int link)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (getpeername(link, (struct sockaddr *)&to, &len) < 0 ||
	    recv(link, &to.sin_port, sizeof(to.sin_port), MSG_WAITALL) !=
		    sizeof(to.sin_port) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "datagrams");
	make_batch();
	return fd;
}

/* Whether the other end of @link has closed it. */
static bool is_over(int link)
{
	char c;

	return recv(link, &c, 1, MSG_DONTWAIT) == 0;
}

/* What is refused now and then is sent again. */
static void send_batch(int fd)
{
	if (sendmmsg(fd, batch, BATCH, 0) < 0 && errno != ENOBUFS &&
	    errno != EAGAIN && errno != ECONNREFUSED)
		err(1, "sendmmsg");
}

static uint64_t receive_batch(int fd)
{
	int n = recvmmsg(fd, batch, BATCH, MSG_WAITFORONE, NULL);

	return n > 0 ? (uint64_t)n : 0;
}

/* Till the client has sent all; then it is told how many have come. */
static void count_datagrams(int link)
{
	int fd = open_udp(link);
	uint64_t n = 0;

	while (!is_over(link))
		n += receive_batch(fd);
	if (send(link, &n, sizeof(n), MSG_NOSIGNAL) < 0)
		warn("a count");
}

static void flood(int link)
{
	int fd = dial_udp(link);

	while (!is_over(link))
		send_batch(fd);
}

/* ---- Server and clients ------------------------------------------------------- */

static _Noreturn void attend(int c)
{
	char what = 0;

	no_delay(c);
	if (recv(c, &what, 1, 0) != 1)
		what = 0;
	if (what == 's')
		while (move(c, CHUNK, false))
			;
	else if (what == 'r')
		while (move(c, CHUNK, true))
			;
	else if (what == 'p')
		while (move(c, RR_BYTES, false) && move(c, RR_BYTES, true))
			;
	else if (what == 'u')
		count_datagrams(c);
	else if (what == 'f')
		flood(c);
	exit(0);
}

static int serve(char **arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGCHLD, SIG_IGN); /* nobody is waited for */
	at.sin_port = htons((uint16_t)number(arg[0], 65535));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, 16) < 0)
		err(1, "port %s", arg[0]);
	puts("SERVING");
	fflush(stdout);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			err(1, "accept");
		if (!fork())
			attend(c);
		close(c);
	}
}

static int dial(char **arg, char what)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)number(arg[1], 65535));
	if (inet_pton(AF_INET, arg[0], &to.sin_addr) != 1)
		errx(1, "%s: not an IPv4 address", arg[0]);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "connect %s:%s", arg[0], arg[1]);
	no_delay(fd);
	if (send(fd, &what, 1, 0) != 1)
		err(1, "send");
	return fd;
}

/* What one client has done. */
struct done {
	double n, t;
};

static struct done stream(const char *what, char **arg)
{
	bool rr = !strcmp(what, "rr"), sending = !strcmp(what, "send");
	double seconds = (double)number(arg[2], 3600), t0;
	int fd = dial(arg, rr ? 'p' : sending ? 's' : 'r');
	struct done d = { 0, 0 };

	t0 = now();
	do {
		bool ok = rr ? move(fd, RR_BYTES, true) &&
					  move(fd, RR_BYTES, false)
			     : move(fd, CHUNK, sending);

		if (!ok)
			errx(1, "the connection broke");
		d.n++;
		d.t = now() - t0;
	} while (d.t < seconds);
	return d;
}

/* So many at once, each a process; a rate is the sum of theirs. */
static int client(const char *what, char **arg, unsigned long streams)
{
	double unit = strcmp(what, "rr") ? CHUNK : 1, rate = 0, n = 0;
	struct done d;
	int ends[2];

	if (pipe(ends) < 0)
		err(1, "pipe");
	for (unsigned long i = 0; i < streams; i++) {
		if (fork())
			continue;
		d = stream(what, arg);
		exit(write(ends[1], &d, sizeof(d)) != sizeof(d));
	}
	close(ends[1]);
	for (unsigned long i = 0; i < streams; i++) {
		if (read(ends[0], &d, sizeof(d)) != sizeof(d))
			errx(1, "a stream broke");
		rate += d.n * unit / d.t;
		n += d.n;
	}
	print(rate, n, 1);
	return 0;
}

static int udp_send(char **arg)
{
	double seconds = (double)number(arg[2], 3600), t0, t;
	int link = dial(arg, 'u'), fd = dial_udp(link);
	uint64_t n;

	t0 = now();
	do {
		send_batch(fd);
		t = now() - t0;
	} while (t < seconds);
	shutdown(link, SHUT_WR);
	if (recv(link, &n, sizeof(n), MSG_WAITALL) != sizeof(n))
		errx(1, "the connection broke");
	print((double)n, (double)n, t);
	return 0;
}

static int udp_receive(char **arg)
{
	double seconds = (double)number(arg[2], 3600), t0, t, n = 0;
	int link = dial(arg, 'f'), fd = open_udp(link);

	t0 = now();
	do {
		n += (double)receive_batch(fd);
		t = now() - t0;
	} while (t < seconds);
	print(n, n, t);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 8 && !strcmp(argv[1], "blk"))
		return block(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv + 2);
	if ((argc == 5 || argc == 6) &&
	    (!strcmp(argv[1], "send") || !strcmp(argv[1], "receive") ||
	     !strcmp(argv[1], "rr")))
		return client(argv[1], argv + 2,
			      argc == 6 ? number(argv[5], 64) : 1);
	if (argc == 5 && !strcmp(argv[1], "udp-send"))
		return udp_send(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "udp-receive"))
		return udp_receive(argv + 2);
	errx(2, "usage: io blk FILE read|write rand|seq BYTES DEPTH SECONDS |"
		" serve PORT | send|receive|rr HOST PORT SECONDS [STREAMS] |"
		" udp-send|udp-receive HOST PORT SECONDS");
}
