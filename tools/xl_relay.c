// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_relay.c - the streams of a command in a guest, over its console.
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/io/console.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "ring/stream.h"
#include "tools/xl_oneshot.h"
#include "tools/xl_proc.h"

#define CHUNK	    4096u
#define BOOT_MS	    180000 /* also of an emulated CPU */
#define LAST_WORDS  8192   /* bytes of the VMM's log that are shown */
#define INTERRUPTED 130
#define PIPE_BROKEN 141 /* as of a program that SIGPIPE ended */
#define RUNNING	    (-1)

struct relay {
	const char *name;
	struct dom *dom;
	struct xencons_interface SHM *page; /* UNTRUSTED */
	struct stream_reader out;
	struct stream_writer in;
	int kick, call;
	struct oneshot_parser parser;
	uint8_t *job;
	const uint8_t *at; /* what is to be sent: of @job, later of @typed */
	size_t left;
	struct {
		struct oneshot_head head;
		uint8_t data[CHUNK];
	} typed;
	bool eof;
	int status; /* or RUNNING */
};

static int fail(const struct relay *r, const char *what)
{
	fprintf(stderr, "xl run: domain '%s': %s\n", r->name, what);
	return ONESHOT_FAILED;
}

/* ---- From the guest -------------------------------------------------------- */

/* As write(2) to the end, but a signal or a reader that has gone ends it. */
static int print(int fd, const uint8_t *buf, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	ssize_t ret;

	while (n) {
		if (xl_poll(&p, 1, -1) < 0 && xl_interrupted())
			return -EINTR;
		/* A pipe with room takes so much. */
		ret = write(fd, buf, MIN(n, (size_t)PIPE_BUF));
		if (ret < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (ret > 0) {
			buf += ret;
			n -= (size_t)ret;
		}
	}
	return 0;
}

static void on_end(struct relay *r, const uint8_t *buf, size_t n)
{
	char text[ONESHOT_MAX_END * 4];

	r->status = n ? buf[0] : ONESHOT_FAILED;
	if (n > 1)
		fprintf(stderr, "xl run: %s\n",
			util_escape(text, sizeof(text), buf + 1, n - 1));
}

static int on_piece(void *arg, enum oneshot_type type, const uint8_t *buf,
		    size_t n)
{
	struct relay *r = arg;

	if (type == ONESHOT_END) {
		on_end(r, buf, n);
		return 1;
	}
	return print(type == ONESHOT_OUT ? STDOUT_FILENO : STDERR_FILENO, buf,
		     n);
}

static void notify(const struct relay *r)
{
	uint64_t one = 1;

	(void)!write(r->call, &one, sizeof(one));
}

/* All that is there; what is wrong becomes the status. */
static void take_output(struct relay *r)
{
	uint8_t buf[CHUNK];
	bool wake;
	int n, ret = 0;

	do {
		wake = false;
		n = stream_read(&r->out, buf, sizeof(buf), &wake);
		if (wake)
			notify(r);
		if (n > 0)
			ret = oneshot_feed(&r->parser, buf, (size_t)n);
	} while (!ret && n == (int)sizeof(buf));
	if (r->status != RUNNING)
		return;
	if (ret == -EINTR)
		r->status = INTERRUPTED;
	else if (ret == -EPIPE)
		r->status = PIPE_BROKEN;
	else if (n < 0 || ret == -EPROTO)
		r->status = fail(r, "what the guest says makes no sense");
	else if (ret < 0)
		r->status = fail(r, strerror(-ret));
}

/* ---- To the guest ---------------------------------------------------------- */

static void feed_guest(struct relay *r)
{
	bool wake = false;
	int n;

	if (r->parser.magic || !r->left || r->status != RUNNING)
		return;
	n = stream_write(&r->in, r->at, r->left, &wake);
	if (wake)
		notify(r);
	if (n < 0) {
		r->status = fail(r, "its console ring has an impossible index");
		return;
	}
	r->at += n;
	r->left -= (size_t)n;
}

/* One frame; of no bytes at the end. */
static void take_input(struct relay *r)
{
	ssize_t n = read(STDIN_FILENO, r->typed.data, sizeof(r->typed.data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	n = MAX(n, 0);
	r->eof = !n;
	r->typed.head = (struct oneshot_head){ ONESHOT_IN, (uint32_t)n };
	r->at = (const uint8_t *)&r->typed;
	r->left = sizeof(r->typed.head) + (size_t)n;
}

/* ---- The guest's end ------------------------------------------------------- */

/* Its kernel's and its VMM's, escaped by the VMM. */
static void show_last_words(const struct relay *r)
{
	char path[PATH_MAX], buf[LAST_WORDS + 1];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/hv-%s.log", paths_log(), r->name);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fseek(f, -LAST_WORDS, SEEK_END))
		rewind(f);
	n = fread(buf, 1, LAST_WORDS, f);
	buf[n] = '\0';
	fprintf(stderr, "%s", buf);
	fclose(f);
}

static void guest_ended(struct relay *r, const char *how)
{
	char text[128];

	take_output(r); /* what it said last */
	if (r->status != RUNNING)
		return;
	show_last_words(r);
	snprintf(text, sizeof(text), "%s before the command had ended", how);
	r->status = fail(r, text);
}

static void on_dom(struct relay *r, struct dom *admin)
{
	struct dom_msg msg;
	char how[64];
	int ret;

	while (r->status == RUNNING && (ret = dom_event(admin, &msg))) {
		if (ret < 0) {
			guest_ended(r, "its VMM has ended");
		} else if (msg.type == DOM_EV_SHUTDOWN &&
			   msg.u.info.reason != SHUTDOWN_suspend) {
			snprintf(how, sizeof(how), "it has shut down (%s)",
				 dom_reason_name(msg.u.info.reason));
			guest_ended(r, how);
		}
	}
}

/* ---- All of it ------------------------------------------------------------- */

static int attach(struct relay *r, unsigned int domid)
{
	struct stream_map out, in;
	uint32_t port;
	void SHM *page;
	int ret;

	ret = dom_connect(&r->dom, domid, DOM_ROLE_CONSOLE, NULL, false);
	if (!ret)
		ret = dom_page(r->dom, &page, &port);
	if (ret)
		return ret;
	r->page = page;
	out = STREAM_MAP(r->page, out);
	in = STREAM_MAP(r->page, in);
	ret = stream_reader_attach(&r->out, &out, STREAM_WAKE_ALWAYS);
	if (!ret)
		ret = stream_writer_attach(&r->in, &in, STREAM_WAKE_ALWAYS);
	return ret ? ret : dom_evtchn_bind(r->dom, port, &r->kick, &r->call);
}

static void serve(struct relay *r, struct dom *admin, uint64_t end)
{
	bool starts = r->parser.magic;
	struct pollfd p[] = {
		{ .fd = r->kick, .events = POLLIN },
		{ .fd = dom_fd(admin), .events = POLLIN },
		{ .fd = starts || r->left || r->eof ? -1 : STDIN_FILENO,
		  .events = POLLIN },
	};
	uint64_t now = util_clock_ns(), n;
	int left = now < end ? (int)((end - now) / 1000000) + 1 : 0;

	if (starts && !left) {
		guest_ended(r, "the guest has not started in time");
		return;
	}
	if (xl_poll(p, ARRAY_SIZE(p), starts ? left : -1) < 0) {
		if (xl_interrupted())
			r->status = INTERRUPTED;
		return;
	}
	/* The event is taken before the ring is looked at, so none is lost. */
	if (p[0].revents && read(r->kick, &n, sizeof(n)) > 0)
		take_output(r);
	if (p[2].revents)
		take_input(r);
	feed_guest(r);
}

static void relay_fini(struct relay *r)
{
	fd_close(&r->kick);
	fd_close(&r->call);
	if (r->page)
		munmap(shm_bulk(r->page), SV_PAGE_SIZE);
	dom_free(r->dom);
	oneshot_parser_fini(&r->parser);
	free(r->job);
}

static int let_run(struct dom *admin)
{
	struct dom_msg msg = { .type = DOM_UNPAUSE };

	return dom_call(admin, &msg, NULL, NULL);
}

int xl_oneshot_relay(struct xl_built *b, const char *name,
		     const struct oneshot_job *job)
{
	struct relay r = { .name = name, .kick = -1, .call = -1 };
	uint64_t end = util_clock_ns() + BOOT_MS * UINT64_C(1000000);
	int ret;

	r.status = RUNNING;
	r.parser = (struct oneshot_parser){
		.types = "OEX", .magic = true, .piece = on_piece, .arg = &r
	};
	ret = oneshot_encode(job, &r.job, &r.left);
	r.at = r.job;
	if (!ret)
		ret = attach(&r, b->domid);
	if (!ret)
		ret = let_run(b->dom);
	if (ret)
		r.status = fail(&r, strerror(-ret));
	else
		on_dom(&r, b->dom); /* what came during the calls */
	while (r.status == RUNNING) {
		serve(&r, b->dom, end);
		on_dom(&r, b->dom);
	}
	relay_fini(&r);
	return r.status;
}
