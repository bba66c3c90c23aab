// SPDX-License-Identifier: GPL-2.0-or-later
// tools/sv_metrics.c - sv-metrics: counters of all domains by HTTP, for Prometheus.
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sock.h"
#include "tools/metrics.h"

/*
 * How it works
 *
 * A client gets one answer and is disconnected.  It has CLIENT_S for all of it: what
 * it sends, what it takes, however slowly.  No more than MAX_CLIENTS are served at a
 * time; others wait to be accepted.  A request is one line and a few headers, of at
 * most MAX_REQUEST bytes together; there is no body.  That is little enough of HTTP to
 * be done here: libevent's server limits neither the number of clients nor the time
 * that one takes.
 *
 * All domains are asked at most once in FRESH_NS, and not longer than ASK_NS: VMMs
 * that do not answer hold up nobody.
 */
#define MAX_CLIENTS 8u
#define MAX_REQUEST 4096u
#define CLIENT_S    10
#define FRESH_NS    UINT64_C(1000000000)
#define ASK_NS	    UINT64_C(2000000000)
#define ANSWER_MS   500

static const char usage[] =
	"usage: sv-metrics [--socket PATH | --port NUMBER] [--ready-fd N] [--once]\n"
	"\n"
	"Tell counters of all domains by HTTP, at /metrics, as Prometheus reads them.\n"
	"\n"
	"  --socket PATH   listen there instead of metrics.sock in the run directory\n"
	"  --port NUMBER   listen on this port of 127.0.0.1 instead\n"
	"  --ready-fd N    write one byte to descriptor N when serving, close it\n"
	"  --once          write them to standard output, and end\n";

struct options {
	const char *socket;
	uint16_t port; /* 0: the socket */
	int ready_fd;
	bool once;
};

/* A client, until it is disconnected. */
struct client {
	struct server *server;
	struct bufferevent *bev;
	struct event *limit;
	bool answered;
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	unsigned int nclients;
	/* What was told last, and when; *owned*. */
	char *page[METRICS_OPEN + 1];
	size_t size[METRICS_OPEN + 1];
	uint64_t asked_ns;
};

/* ---- What is told ----------------------------------------------------------- */

static int add(void *arg, struct counters *c, bool silent)
{
	struct metrics *m = arg;
	struct counters *more;

	if (silent) {
		m->silent++;
		return 0;
	}
	more = realloc(m->dom, (m->n + 1) * sizeof(*more));
	if (!more) {
		counters_free(c);
		return -ENOMEM;
	}
	more[m->n++] = *c;
	m->dom = more;
	return 0;
}

/* Return: 0 or -errno; reported. */
static int ask(struct metrics *m)
{
	static struct log_limit limit;
	uint64_t began = util_clock_ns();
	int ret;

	*m = (struct metrics){ 0 };
	ret = counters_all(ASK_NS, add, m);
	if (ret)
		log_limited(&limit, LOG_LVL_WARN, "'%s/dom' cannot be read: %s",
			    paths_run(), strerror(-ret));
	m->took_ns = util_clock_ns() - began;
	return ret;
}

static void forget(struct metrics *m)
{
	for (size_t i = 0; i < m->n; i++)
		counters_free(&m->dom[i]);
	free(m->dom);
}

/* Both formats, unless they were told just now. */
static void renew(struct server *s)
{
	struct metrics m;
	int ret;

	if (s->asked_ns && util_clock_ns() - s->asked_ns < FRESH_NS)
		return;
	ret = ask(&m);
	for (unsigned int i = METRICS_TEXT; i <= METRICS_OPEN; i++) {
		FILE *f;

		free(s->page[i]);
		s->page[i] = NULL;
		f = ret ? NULL : open_memstream(&s->page[i], &s->size[i]);
		if (!f)
			continue;
		metrics_write(f, i, &m);
		fclose(f);
	}
	forget(&m);
	s->asked_ns = util_clock_ns();
}

/* ---- Clients ---------------------------------------------------------------- */

static void drop(struct client *c)
{
	struct server *s = c->server;

	if (s->nclients-- == MAX_CLIENTS)
		evconnlistener_enable(s->listener);
	event_free(c->limit);
	bufferevent_free(c->bev);
	free(c);
}

static void on_limit(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drop(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	(void)bev;
	if (c->answered)
		drop(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *c = arg;

	(void)bev;
	/* One that has asked may be done with sending. */
	if (!c->answered || what & BEV_EVENT_ERROR)
		drop(c);
}

static void answer(struct client *c, const char *status, const char *type,
		   const char *body, size_t size, bool head)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	c->answered = true;
	bufferevent_disable(c->bev, EV_READ);
	evbuffer_add_printf(out,
			    "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
			    "Content-Length: %zu\r\nConnection: close\r\n\r\n",
			    status, type, size);
	if (!head)
		evbuffer_add(out, body, size);
}

static void refuse(struct client *c, const char *status)
{
	answer(c, status, "text/plain", "see /metrics\n",
	       strlen("see /metrics\n"), false);
}

/* Whether a header line says that OpenMetrics would be taken. */
static bool wants_open(const char *line)
{
	return !strncasecmp(line, "accept:", 7) &&
	       strcasestr(line, "application/openmetrics-text");
}

/* @line: The first of a request, cut up. */
static void handle(struct client *c, char *line, bool open)
{
	char *rest = line, *method, *target, *version;
	enum metrics_format format = open ? METRICS_OPEN : METRICS_TEXT;
	struct server *s = c->server;
	bool head;

	method = strsep(&rest, " ");
	target = strsep(&rest, " ");
	version = rest;
	if (!target || !version || strncmp(version, "HTTP/1.", 7) != 0) {
		refuse(c, "400 Bad Request");
		return;
	}
	head = !strcmp(method, "HEAD");
	target[strcspn(target, "?")] = '\0';
	if (!head && strcmp(method, "GET") != 0) {
		refuse(c, "405 Method Not Allowed");
		return;
	}
	if (strcmp(target, "/metrics") != 0) {
		refuse(c, "404 Not Found");
		return;
	}
	renew(s);
	if (s->page[format])
		answer(c, "200 OK", metrics_type(format), s->page[format],
		       s->size[format], head);
	else
		refuse(c, "503 Service Unavailable");
}

/* A request is complete with its empty line. */
static void on_readable(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct client *c = arg;
	bool open = false;
	char *first, *line;

	if (evbuffer_search(in, "\r\n\r\n", 4, NULL).pos < 0) {
		if (evbuffer_get_length(in) >= MAX_REQUEST)
			refuse(c, "431 Request Header Fields Too Large");
		return;
	}
	first = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF_STRICT);
	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF_STRICT)) &&
	       *line) {
		open = open || wants_open(line);
		free(line);
	}
	free(line);
	if (first)
		handle(c, first, open);
	free(first);
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *addr, int len, void *arg)
{
	static const struct timeval limit = { .tv_sec = CLIENT_S };
	struct server *s = arg;
	struct client *c = calloc(1, sizeof(*c));

	(void)addr;
	(void)len;
	/* Those that were accepted in one go with the last that is served. */
	if (!c || s->nclients == MAX_CLIENTS) {
		free(c);
		close(fd);
		return;
	}
	c->server = s;
	c->limit = evtimer_new(s->base, on_limit, c);
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->limit || !c->bev || evtimer_add(c->limit, &limit)) {
		log_warn("a client was refused: out of memory");
		if (c->limit)
			event_free(c->limit);
		if (c->bev)
			bufferevent_free(c->bev);
		else
			close(fd);
		free(c);
		return;
	}
	bufferevent_setwatermark(c->bev, EV_READ, 0, MAX_REQUEST);
	bufferevent_setcb(c->bev, on_readable, on_written, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (++s->nclients == MAX_CLIENTS)
		evconnlistener_disable(listener);
}

/* ---- Start ------------------------------------------------------------------ */

static _Noreturn void bad_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "port", required_argument, NULL, 'p' },
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "once", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t n;
	int opt;

	*o = (struct options){ .ready_fd = -1 };
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (opt == 's')
			o->socket = optarg;
		else if (opt == 'p' && !util_u64(optarg, UINT16_MAX, &n) && n)
			o->port = (uint16_t)n;
		else if (opt == 'p')
			die("--port '%s': must be a number from 1 to 65535",
			    optarg);
		else if (opt == 'r' && !util_u64(optarg, INT_MAX, &n))
			o->ready_fd = (int)n;
		else if (opt == 'r')
			die("--ready-fd '%s': must be a number", optarg);
		else if (opt == 'o')
			o->once = true;
		else if (opt == 'h')
			exit(fputs(usage, stdout) < 0);
		else
			bad_usage();
	}
	if (optind < argc || (o->socket && o->port))
		die("%s", optind < argc
				  ? "no arguments are known (see --help)"
				  : "--socket and --port: only one of them");
}

static int listen_loopback(uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (const void *)&at, sizeof(at)) || listen(fd, SOMAXCONN)) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

static int listen_somewhere(const struct options *o)
{
	char path[PATH_MAX];
	int fd;

	if (o->port) {
		fd = listen_loopback(o->port);
		if (fd < 0)
			die("127.0.0.1:%u: %s (choose another --port)", o->port,
			    strerror(-fd));
		return fd;
	}
	snprintf(path, sizeof(path), "%s/metrics.sock", paths_run());
	fd = sock_listen(o->socket ? o->socket : path, SOCK_STREAM);
	if (fd < 0)
		die("socket '%s': %s (choose another --socket)",
		    o->socket ? o->socket : path, strerror(-fd));
	return fd;
}

static void on_signal(int sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(arg);
}

static void serve(struct server *s, struct options *o)
{
	struct event *term, *intr;
	int fd = listen_somewhere(o);

	s->base = event_base_new();
	if (!s->base)
		die("no event loop");
	s->listener = evconnlistener_new(
		s->base, on_client, s,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	term = evsignal_new(s->base, SIGTERM, on_signal, s->base);
	intr = evsignal_new(s->base, SIGINT, on_signal, s->base);
	if (!s->listener || !term || !intr || event_add(term, NULL) ||
	    event_add(intr, NULL))
		die("out of memory");
	fd_ready(&o->ready_fd);
	event_base_dispatch(s->base);
	event_free(term);
	event_free(intr);
	evconnlistener_free(s->listener);
	event_base_free(s->base);
}

int main(int argc, char **argv)
{
	struct server s = { 0 };
	struct options o;

	log_init("metrics", LOG_LVL_INFO);
	paths_init();
	dom_set_timeout(ANSWER_MS);
	signal(SIGPIPE, SIG_IGN);
	parse(&o, argc, argv);
	if (o.once) {
		renew(&s);
		if (!s.page[METRICS_OPEN])
			return 1;
		fputs(s.page[METRICS_OPEN], stdout);
	} else {
		serve(&s, &o);
	}
	for (unsigned int i = METRICS_TEXT; i <= METRICS_OPEN; i++)
		free(s.page[i]);
	return fflush(stdout) || ferror(stdout);
}
