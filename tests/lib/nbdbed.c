// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/nbdbed.c - NBD servers for tests, and a disk that is on one.
#include "tests/lib/nbdbed.h"

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

static int connect_bed(void *arg, char *why, size_t size)
{
	struct nbdbed *b = arg;
	int fd = blksource_connect(&b->uri, why, size);

	must(fd < 0 || !blksource_keep(&b->kept, fd), "keep");
	return fd;
}

static int settle_bed(void *arg, char *why, size_t size)
{
	struct nbdbed *b = arg;

	snprintf(why, size, "still at work");
	return blksource_settle(&b->kept);
}

static void *answer(void *arg)
{
	static const struct blksource_ops ops = { connect_bed, settle_bed };
	struct nbdbed *b = arg;
	int ret;

	do {
		ret = blksource_answer(b->source, &b->uri, &ops, b);
	} while (!ret);
	return NULL;
}

void nbdbed_init(struct nbdbed *b)
{
	int pair[2];

	*b = (struct nbdbed){ .dir = "/tmp/sv-test-nbd-XXXXXX" };
	must(mkdtemp(b->dir), "mkdtemp");
	snprintf(b->uri.path, sizeof(b->uri.path), "%s/sock", b->dir);
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair),
	     "socketpair");
	must(!fcntl(pair[0], F_SETFL, O_NONBLOCK), "fcntl");
	b->link = pair[0];
	b->source = pair[1];
	must(!pthread_create(&b->thread, NULL, answer, b), "pthread_create");
}

void nbdbed_fini(struct nbdbed *b)
{
	char cmd[64];

	nbdbed_stop(b);
	pthread_join(b->thread, NULL);
	while (b->kept.n)
		fd_close(&b->kept.fd[--b->kept.n]);
	fd_close(&b->source);
	snprintf(cmd, sizeof(cmd), "rm -r %s", b->dir);
	must(!system(cmd), cmd);
}

void nbdbed_use_tcp(struct nbdbed *b)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* A port that was free a moment ago. */
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(!bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	must(!getsockname(fd, (struct sockaddr *)&a, &len), "getsockname");
	fd_close(&fd);
	b->uri.path[0] = '\0';
	snprintf(b->uri.host, sizeof(b->uri.host), "127.0.0.1");
	snprintf(b->uri.port, sizeof(b->uri.port), "%d", ntohs(a.sin_port));
}

static void wait_listening(const struct nbdbed *b)
{
	char why[DISK_LINK_WHY];
	int fd;

	must(SOON((fd = blksource_connect(&b->uri, why, sizeof(why))) >= 0),
	     why);
	fd_close(&fd);
}

void nbdbed_start(struct nbdbed *b, const char *args)
{
	char cmd[1024], at[192];

	if (*b->uri.path) {
		unlink(b->uri.path);
		snprintf(at, sizeof(at), "-U %s", b->uri.path);
	} else {
		snprintf(at, sizeof(at), "-i %.20s -p %s", b->uri.host,
			 b->uri.port);
	}
	snprintf(cmd, sizeof(cmd), "exec nbdkit -f %s %s", at, args);
	b->pid = fork();
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(127);
	}
	wait_listening(b);
}

void nbdbed_stop(struct nbdbed *b)
{
	if (!b->pid)
		return;
	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	b->pid = 0;
	unlink(b->uri.path);
}

/* "NBDMAGIC", the magic of the old style, size, flags, 124 bytes of nothing. */
static size_t greeting(const struct nbdlie *l, uint8_t *g)
{
	uint64_t magic = htobe64(0x00420281861253), size = htobe64(l->size);
	uint32_t flags = htobe32(l->flags);

	memset(g, 0, 152);
	memcpy(g, "NBDMAGIC", 8);
	memcpy(g + 8, &magic, 8);
	memcpy(g + 16, &size, 8);
	memcpy(g + 24, &flags, 4);
	return l->greeting;
}

static void lie_to(const struct nbdlie *l, int fd)
{
	uint8_t g[152], request[28], reply[16], junk[4096];

	memset(junk, 0x5a, sizeof(junk));
	if (fd_write_all(fd, g, greeting(l, g)))
		return;
	while (!fd_read_all(fd, request, sizeof(request))) {
		memcpy(reply, l->reply, sizeof(reply));
		memcpy(reply + 8, request + 8, 8);
		if (fd_write_all(fd, reply, l->len))
			return;
		for (size_t left = l->junk; left;) {
			size_t n = MIN(left, sizeof(junk));

			if (fd_write_all(fd, junk, n))
				return;
			left -= n;
		}
		if (l->hangup)
			return;
	}
}

void nbdbed_lie(struct nbdbed *b, const struct nbdlie *lie)
{
	int fd = sock_listen(b->uri.path, SOCK_STREAM), one;

	must(fd >= 0 && !fcntl(fd, F_SETFL, 0), "listen");
	b->pid = proc_fork();
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		while ((one = accept(fd, NULL, NULL)) >= 0) {
			lie_to(lie, one);
			close(one);
		}
		_exit(0);
	}
	fd_close(&fd);
}
