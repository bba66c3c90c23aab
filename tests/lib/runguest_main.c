// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/runguest_main.c - a guest of `xl run` as a process domain.
//
// sv-fakehv runs it in place of a VMM when it is a domain's kernel. The command runs on
// this host; if its parent is killed the guest has crashed. RUNGUEST in the environment
// has it misbehave: "lie" sends a frame that is xl's to send, "index" an impossible
// ring index.
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/io/console.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "ring/stream.h"
#include "tests/lib/hvopts.h"
#include "tools/oneshot.h"

/* Bytes on their way. */
struct part {
	uint8_t buf[1024];
	size_t n;
};

struct guest {
	struct fakedom *dom;
	struct xencons_interface *page;
	struct stream_writer out;
	struct stream_reader in;
	struct part to_xl, from_xl;
	int sock;
	bool over; /* of what is said on @sock */
};

static void drop(struct part *p, size_t n)
{
	p->n -= n;
	memmove(p->buf, p->buf + n, p->n);
}

static void attach(struct guest *g)
{
	struct stream_map out, in;

	g->page = fakedom_console_page(g->dom);
	out = STREAM_MAP(g->page, out);
	in = STREAM_MAP(g->page, in);
	if (stream_writer_attach(&g->out, &out, STREAM_WAKE_EDGE) ||
	    stream_reader_attach(&g->in, &in, STREAM_WAKE_EDGE))
		die("console page");
}

static void to_xl(struct guest *g, bool readable)
{
	bool wake = false;
	ssize_t n;
	int ret;

	if (readable && !g->to_xl.n) {
		n = read(g->sock, g->to_xl.buf, sizeof(g->to_xl.buf));
		g->over = n <= 0;
		g->to_xl.n = (size_t)MAX(n, 0);
	}
	ret = stream_write(&g->out, g->to_xl.buf, g->to_xl.n, &wake);
	if (ret < 0)
		die("xl has an impossible index");
	drop(&g->to_xl, (size_t)ret);
	if (wake)
		fakedom_send(g->dom, FAKEDOM_CONSOLE_PORT);
}

static void from_xl(struct guest *g)
{
	struct part *p = &g->from_xl;
	bool wake = false;
	ssize_t n;
	int ret = stream_read(&g->in, p->buf + p->n, sizeof(p->buf) - p->n,
			      &wake);

	if (ret < 0)
		die("xl has an impossible index");
	p->n += (size_t)ret;
	if (wake)
		fakedom_send(g->dom, FAKEDOM_CONSOLE_PORT);
	n = send(g->sock, p->buf, p->n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		drop(p, (size_t)n);
}

static void serve(struct guest *g)
{
	int port = fakedom_port_fd(g->dom, FAKEDOM_CONSOLE_PORT);
	uint64_t n;

	while (!g->over || g->to_xl.n) {
		struct pollfd p[] = {
			{ .fd = port, .events = POLLIN },
			{ .fd = g->to_xl.n ? -1 : g->sock, .events = POLLIN },
			{ .fd = g->from_xl.n ? g->sock : -1,
			  .events = POLLOUT },
		};

		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[0].revents)
			(void)!read(port, &n, sizeof(n));
		to_xl(g, p[1].revents);
		from_xl(g);
	}
}

static void misbehave(struct guest *g, const char *how)
{
	struct oneshot_head lie = { ONESHOT_JOB, 4 };
	bool wake = false;

	(void)!stream_write(&g->out, ONESHOT_MAGIC, ONESHOT_MAGIC_SIZE, &wake);
	if (!strcmp(how, "lie"))
		(void)!stream_write(&g->out, &lie, sizeof(lie), &wake);
	else
		g->page->out_prod += 5000;
	fakedom_send(g->dom, FAKEDOM_CONSOLE_PORT);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *how = getenv("RUNGUEST");
	int sp[2], status = 0;
	struct guest g = { 0 };
	struct hvopts o;
	pid_t pid;

	paths_init();
	hvopts_read(&o, argc, argv);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp) < 0)
		die("no sockets");
	pid = fork();
	if (pid == 0) {
		fd_close(&sp[0]);
		_exit(oneshot_run(sp[1], NULL, NULL) ? 1 : 0);
	}
	fd_close(&sp[1]);
	g.sock = sp[0];
	g.dom = hvopts_domain(&o);
	attach(&g);
	fd_ready(&o.ready);
	fakedom_wait_run(g.dom);
	if (how)
		misbehave(&g, how);
	serve(&g);
	waitpid(pid, &status, 0);
	fakedom_shutdown(g.dom, status ? SHUTDOWN_crash : SHUTDOWN_poweroff);
	for (;;)
		pause(); /* the toolstack will destroy us */
}
