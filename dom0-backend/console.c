/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console.c - one guest's console: ring, pty and log file. */
#include "dom0-backend/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include <event2/event.h>
#include <xen/xen.h>
#include <xen/io/console.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "dom0-backend/console_pty.h"
#include "dom0-backend/ptmx.h"
#include "ring/stream.h"

#define TURN_BYTES   4096u
#define TURN_NS	     (1000000000u / CONSOLE_RATE)
#define REST_MS	     (CONSOLE_BURST * 1000u / CONSOLE_RATE / 2)
#define RETRY_MS     1000u /* log file */
#define DRAIN_MS     20u
#define DRAIN_QUIET  3u /* looks in a row that find the pty read empty */
#define DRAIN_MAX_NS 2000000000u

struct console {
	struct console_hub *hub;
	struct console *next;
	unsigned int domid;
	struct log_limit limit;

	struct dom *dom;
	struct xencons_interface SHM *page; /* UNTRUSTED */
	struct stream_reader out;
	struct stream_writer in;
	int kick, call;
	uint32_t life, joined; /* of struct dom_info: now, and at attach() */
	bool dead;	       /* the guest's indices are impossible */
	uint64_t paid;	       /* turns are paid for up to this time */

	struct console_pty pty;
	struct backlog_cursor seen; /* by the reader */
	uint8_t typed[4096];
	size_t ntyped;

	bool ending;
	uint64_t ending_since;
	unsigned int quiet;

	struct event *kick_ev, *dom_ev, *again_ev, *retry_ev, *drain_ev;
	struct event *pty_in, *pty_out;
	struct console_log log;
	struct backlog backlog;
};

static struct timeval ms(unsigned int n)
{
	return (struct timeval){ .tv_sec = n / 1000,
				 .tv_usec = (suseconds_t)(n % 1000) * 1000 };
}

static void after(struct event *ev, unsigned int n)
{
	struct timeval tv = ms(n);

	(void)!event_add(ev, &tv);
}

static void free_event(struct event **ev)
{
	if (*ev)
		event_free(*ev);
	*ev = NULL;
}

/* ---- The reader ---------------------------------------------------------- */

/* Give the reader what it takes; when it takes no more, wait until it does. */
static void feed_reader(struct console *c)
{
	const uint8_t *p;
	size_t n;
	int ret;

	while (c->pty.held && (n = backlog_peek(&c->backlog, &c->seen, &p))) {
		ret = console_pty_write(&c->pty, p, n);
		if (ret < 0)
			return;
		if (ret == 0) {
			(void)!event_add(c->pty_out, NULL);
			return;
		}
		backlog_skip(&c->seen, (size_t)ret);
	}
}

static void feed_log(struct console *c)
{
	if (!console_log_write(&c->log, &c->backlog))
		after(c->retry_ev, RETRY_MS);
}

static void reader_came(struct console *c)
{
	backlog_replay(&c->backlog, &c->seen);
	(void)!event_add(c->pty_in, NULL);
	feed_reader(c);
}

/* Also ends the watching of a hung-up master, which would never be quiet. */
static void reader_gone(struct console *c)
{
	(void)!event_del(c->pty_in);
	(void)!event_del(c->pty_out);
}

static void on_pty_out(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	feed_reader(arg);
}

static void on_retry(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	feed_log(arg);
}

/* ---- The guest ----------------------------------------------------------- */

/* SYSCALLS: write */
static void notify(struct console *c)
{
	uint64_t one = 1;

	/* Full (EAGAIN) means that the guest has not looked yet: it will. */
	(void)!write(c->call, &one, sizeof(one));
}

static void guest_lied(struct console *c)
{
	c->dead = true;
	(void)!event_del(c->kick_ev);
	(void)!event_del(c->again_ev);
	log_limited(&c->limit, LOG_LVL_WARN,
		    "domain %u: console ring index impossible; its console "
		    "stays silent until the domain ends",
		    c->domid);
}

/* Pass on what was typed; keys that do not fit wait, and no more are taken. */
static void feed_guest(struct console *c)
{
	bool wake = false;
	int ret;

	if (!c->ntyped || c->dead)
		return;
	ret = stream_write(&c->in, c->typed, c->ntyped, &wake);
	if (ret < 0) {
		guest_lied(c);
		return;
	}
	c->ntyped -= (size_t)ret;
	memmove(c->typed, c->typed + ret, c->ntyped);
	if (wake)
		notify(c);
	if (!c->ntyped && c->pty.held)
		(void)!event_add(c->pty_in, NULL);
}

/* Take at most @max bytes; true if the guest may have more. */
static bool take_output(struct console *c, size_t max)
{
	uint8_t buf[TURN_BYTES];
	bool wake = false;
	int ret;

	if (c->dead)
		return false;
	ret = stream_read(&c->out, buf, MIN(max, sizeof(buf)), &wake);
	if (ret < 0) {
		guest_lied(c);
		return false;
	}
	if (wake)
		notify(c);
	backlog_add(&c->backlog, buf, (size_t)ret);
	return (size_t)ret == MIN(max, sizeof(buf));
}

/* A turn costs TURN_NS; what is saved up is worth CONSOLE_BURST turns at most. */
static bool can_pay(struct console *c)
{
	uint64_t now = util_clock_ns();
	uint64_t saved = (uint64_t)CONSOLE_BURST * TURN_NS;

	if (c->paid + saved < now)
		c->paid = now - saved;
	if (c->paid >= now)
		return false;
	c->paid += TURN_NS;
	return true;
}

static void turn(struct console *c)
{
	bool more;

	if (c->dead)
		return;
	if (!can_pay(c)) {
		(void)!event_del(c->kick_ev);
		after(c->again_ev, REST_MS);
		return;
	}
	more = take_output(c, TURN_BYTES);
	feed_guest(c);
	feed_log(c);
	feed_reader(c);
	if (more && !c->dead)
		after(c->again_ev, 0); /* when all others had their turn */
}

/* SYSCALLS: read */
static void on_kick(int fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	/* The event is taken before the ring is looked at, so none is lost. */
	(void)!read(fd, &n, sizeof(n));
	turn(arg);
}

static void on_again(int fd, short what, void *arg)
{
	struct console *c = arg;

	(void)fd;
	(void)what;
	if (c->dead)
		return;
	(void)!event_add(c->kick_ev, NULL);
	turn(c);
}

/* Take what was typed; -EIO if nobody has the pty open any more. */
static int take_keys(struct console *c)
{
	int ret = 0;

	while (!c->dead && c->ntyped < sizeof(c->typed)) {
		ret = console_pty_read(&c->pty, c->typed + c->ntyped,
				       sizeof(c->typed) - c->ntyped);
		if (ret <= 0)
			break;
		c->ntyped += (size_t)ret;
	}
	if (c->ntyped || c->dead)
		(void)!event_del(c->pty_in);
	feed_guest(c);
	return ret;
}

static void pty_event(struct console *c, unsigned int mask)
{
	enum console_pty_news news;

	/* What `echo reboot >/dev/pts/7` left behind counts. */
	(void)!take_keys(c);
	news = console_pty_event(&c->pty, mask);
	if (news == CONSOLE_PTY_CAME)
		reader_came(c);
	else if (news == CONSOLE_PTY_LEFT)
		reader_gone(c);
}

static void on_typed(int fd, short what, void *arg)
{
	struct console *c = arg;

	(void)fd;
	(void)what;
	if (take_keys(c) < 0)
		pty_event(c, IN_CLOSE);
}

/* ---- The end ------------------------------------------------------------- */

/* SYSCALLS: munmap */
static void leave_ring(struct console *c)
{
	free_event(&c->kick_ev);
	fd_close(&c->kick);
	fd_close(&c->call);
	if (c->page)
		munmap(shm_bulk(c->page), SV_PAGE_SIZE);
	c->page = NULL;
}

static void leave_domain(struct console *c)
{
	leave_ring(c);
	free_event(&c->dom_ev);
	free_event(&c->again_ev);
	dom_free(c->dom);
	c->dom = NULL;
}

static void destroy(struct console *c)
{
	struct console **at;

	leave_domain(c);
	console_pty_close(&c->pty);
	free_event(&c->pty_in);
	free_event(&c->pty_out);
	free_event(&c->retry_ev);
	free_event(&c->drain_ev);
	console_log_fini(&c->log);
	for (at = &c->hub->first; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	free(c);
}

void console_stop(struct console *c)
{
	if (!c->ending)
		take_output(c, TURN_BYTES);
	feed_log(c);
	feed_reader(c);
	destroy(c);
}

/*
 * Closing the pty takes from the reader what it has not read. So wait until it
 * has, but not for ever: it may have stopped reading.
 */
static void on_drain(int fd, short what, void *arg)
{
	struct console *c = arg;
	bool late = util_clock_ns() - c->ending_since > DRAIN_MAX_NS;
	const uint8_t *p;

	(void)fd;
	(void)what;
	feed_reader(c);
	if (!backlog_peek(&c->backlog, &c->seen, &p) &&
	    console_pty_drained(&c->pty))
		c->quiet++;
	else
		c->quiet = 0;
	if (c->pty.held && c->quiet < DRAIN_QUIET && !late) {
		after(c->drain_ev, DRAIN_MS);
		return;
	}
	destroy(c);
}

/* The domain is gone; its page still holds what it wrote last. */
static void end(struct console *c)
{
	take_output(c, TURN_BYTES); /* more than the ring holds */
	c->dead = true;
	log_info("domain %u: gone, console closed", c->domid);
	c->ending = true;
	c->ending_since = util_clock_ns();
	leave_domain(c);
	(void)!event_del(c->pty_in);
	feed_log(c);
	c->hub->gone(c->hub->arg, c);
	event_active(c->drain_ev, EV_TIMEOUT, 0);
}

static void on_dom(int fd, short what, void *arg)
{
	struct console *c = arg;
	struct dom_msg msg;
	int ret;

	(void)fd;
	(void)what;
	while ((ret = dom_event(c->dom, &msg)) > 0) {
		if (msg.type == DOM_EV_SHUTDOWN)
			after(c->again_ev, 0); /* its last words */
		c->life = msg.u.info.life;
	}
	if (ret < 0)
		end(c);
}

/* ---- The beginning ------------------------------------------------------- */

static int make_events(struct console *c)
{
	struct event_base *b = c->hub->base;

	c->dom_ev =
		event_new(b, dom_fd(c->dom), EV_READ | EV_PERSIST, on_dom, c);
	c->pty_in =
		event_new(b, c->pty.master, EV_READ | EV_PERSIST, on_typed, c);
	c->pty_out = event_new(b, c->pty.master, EV_WRITE, on_pty_out, c);
	c->again_ev = event_new(b, -1, 0, on_again, c);
	c->retry_ev = event_new(b, -1, 0, on_retry, c);
	c->drain_ev = event_new(b, -1, 0, on_drain, c);
	if (!c->dom_ev || !c->pty_in || !c->pty_out || !c->again_ev ||
	    !c->retry_ev || !c->drain_ev || event_add(c->dom_ev, NULL))
		return -ENOMEM;
	return 0;
}

static int attach(struct console *c)
{
	struct stream_map out, in;
	uint32_t port;
	void SHM *page;
	int ret;

	ret = dom_page(c->dom, &page, &port);
	if (ret)
		return ret;
	c->page = page;
	/* Guests of any make: they may wait for more than the edge. */
	out = STREAM_MAP(c->page, out);
	in = STREAM_MAP(c->page, in);
	ret = stream_reader_attach(&c->out, &out, STREAM_WAKE_ALWAYS);
	if (ret)
		return ret;
	ret = stream_writer_attach(&c->in, &in, STREAM_WAKE_ALWAYS);
	if (!ret)
		ret = dom_evtchn_bind(c->dom, port, &c->kick, &c->call);
	if (ret)
		return ret;
	c->joined = c->life;
	c->kick_ev = event_new(c->hub->base, c->kick, EV_READ | EV_PERSIST,
			       on_kick, c);
	return c->kick_ev && !event_add(c->kick_ev, NULL) ? 0 : -ENOMEM;
}

static int open_pty(struct console *c)
{
	int master = ptmx_open(c->hub->ptmx);

	return master < 0 ? master
			  : console_pty_open(&c->pty, master, c->hub->inotify);
}

int console_new(struct console **out, struct console_hub *h, unsigned int domid)
{
	struct dom_info info;
	struct console *c;
	int ret;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->hub = h;
	c->next = h->first;
	h->first = c;
	c->domid = domid;
	c->kick = c->call = c->pty.master = c->pty.drain = c->pty.watch = -1;
	ret = dom_connect(&c->dom, domid, DOM_ROLE_CONSOLE, NULL, true);
	if (ret)
		goto destroy;
	ret = dom_info(c->dom, &info);
	if (ret)
		goto destroy;
	c->life = info.life;
	ret = attach(c);
	if (ret)
		goto destroy;
	info.name[sizeof(info.name) - 1] = '\0';
	ret = console_log_init(&c->log, &h->conf, info.name);
	if (ret)
		goto destroy;
	ret = open_pty(c);
	if (ret)
		goto destroy;
	ret = make_events(c);
	if (ret)
		goto destroy;
	log_info("domain %u: console on %s", domid, c->pty.name);
	if (c->pty.held)
		reader_came(c);
	turn(c);
	event_active(c->dom_ev, EV_READ, 0); /* what came during the calls */
	*out = c;
	return 0;

destroy:
	destroy(c);
	return ret;
}

int console_follow(struct console *c)
{
	int ret;

	on_dom(-1, 0, c);
	if (c->ending || c->life == c->joined)
		return 0;
	take_output(c, TURN_BYTES); /* more than the old ring holds */
	leave_ring(c);
	c->dead = false;
	ret = attach(c);
	if (ret) {
		c->dead = true;
		leave_ring(c);
		return ret;
	}
	log_info("domain %u: resumed anew, console goes on", c->domid);
	turn(c);
	event_active(c->dom_ev, EV_READ, 0); /* what came during the calls */
	return 0;
}

unsigned int console_domid(const struct console *c)
{
	return c->domid;
}

const char *console_tty(const struct console *c)
{
	return c->pty.name;
}

bool console_ending(const struct console *c)
{
	return c->ending;
}

/* ---- All of them --------------------------------------------------------- */

/* SYSCALLS: read */
static void on_inotify(int fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct console_hub *h = arg;
	struct inotify_event ev;
	struct console *c;
	ssize_t n;

	(void)what;
	n = read(fd, buf, sizeof(buf));
	for (ssize_t at = 0; at + (ssize_t)sizeof(ev) <= n;
	     at += (ssize_t)(sizeof(ev) + ev.len)) {
		memcpy(&ev, buf + at, sizeof(ev));
		for (c = h->first; c; c = c->next) {
			if (!c->ending && (c->pty.watch == ev.wd ||
					   (ev.mask & IN_Q_OVERFLOW)))
				pty_event(c, ev.mask);
		}
	}
}

int console_hub_init(struct console_hub *h)
{
	int ret;

	h->first = NULL;
	h->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (h->inotify < 0)
		return -errno;
	h->inotify_ev = event_new(h->base, h->inotify, EV_READ | EV_PERSIST,
				  on_inotify, h);
	if (h->inotify_ev && !event_add(h->inotify_ev, NULL))
		return 0;
	ret = -ENOMEM;
	free_event(&h->inotify_ev);
	fd_close(&h->inotify);
	return ret;
}

void console_hub_fini(struct console_hub *h)
{
	struct console *c, *next;

	for (c = h->first; c; c = next) {
		next = c->next;
		console_stop(c);
	}
	free_event(&h->inotify_ev);
	fd_close(&h->inotify);
}

void console_hub_reopen(struct console_hub *h)
{
	for (struct console *c = h->first; c; c = c->next)
		console_log_reopen(&c->log);
}

struct console *console_hub_next(struct console_hub *h, struct console *c)
{
	return c ? c->next : h->first;
}
