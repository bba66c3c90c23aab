// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/xs_watch.c - the store: typed access, watches as events.
#include "dom0-backend/xs_watch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <xenstore.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sock.h"

#define PATH_SIZE     1024
#define MAX_EVENTS    8192 /* taken per turn of the loop */
#define MAX_PATHS     64   /* told apart per turn */
#define MAX_CONFLICTS 100  /* of one transaction */

struct store_watch {
	LIST_ENTRY(store_watch) link;
	struct store *store;
	uint64_t id; /* the token, never used twice */
	bool each;   /* which path changed is of interest */
	bool due;    /* @fn is to be called */
	void (*fn)(void *arg, const char *path);
	void *arg;
	char path[];
};

/**
 * struct store - One connection.
 * @xs:       NULL while the store is away.
 * @txn:      The transaction that calls belong to, or XBT_NULL.
 * @own:      What store_make_own() has made last; "" for nothing.
 * @alive_fd: A connection on which nothing is said.  libxenstore does not tell
 *            when its own ends; this one is at end of file then.
 */
struct store {
	struct xs_handle *xs;
	struct xs_handle *stale; /* its connection was lost */
	xs_transaction_t txn;
	struct event_base *base;
	struct event *ev;
	struct event *alive_ev;
	struct event *retry_ev;
	int alive_fd;
	uint64_t next_id;
	char own[PATH_SIZE];
	LIST_HEAD(watch_list, store_watch) watches;
};

static int xs_errno(void)
{
	return errno ? -errno : -EIO;
}

static struct store_watch *find(struct store *s, const char *token)
{
	struct store_watch *w = NULL;
	uint64_t id;

	if (util_u64(token, UINT64_MAX, &id))
		return NULL;
	LIST_FOREACH (w, &s->watches, link) {
		if (w->id == id)
			return w;
	}
	return NULL;
}

static bool same_event(char **a, char **b)
{
	return !strcmp(a[XS_WATCH_PATH], b[XS_WATCH_PATH]) &&
	       !strcmp(a[XS_WATCH_TOKEN], b[XS_WATCH_TOKEN]);
}

/*
 * Keep @event for delivery unless there is one like it; too many are one event
 * of the whole watch.
 */
static void keep(struct store_watch *w, char **kept[MAX_PATHS], size_t *n,
		 char **event)
{
	for (size_t i = 0; i < *n; i++) {
		if (same_event(kept[i], event)) {
			free(event);
			return;
		}
	}
	if (*n < MAX_PATHS) {
		kept[(*n)++] = event;
		return;
	}
	w->due = true;
	free(event);
}

/* Whether @path is the node that is ours, or below it. */
static bool is_own(const struct store *s, const char *path)
{
	size_t len = strlen(s->own);

	return len && !strncmp(path, s->own, len) &&
	       (path[len] == '\0' || path[len] == '/');
}

/* Take what libxenstore has queued; returns how many events are @kept. */
static size_t take_events(struct store *s, char **kept[MAX_PATHS])
{
	struct store_watch *w;
	char **event;
	size_t n = 0;

	for (int i = 0; i < MAX_EVENTS; i++) {
		event = xs_check_watch(s->xs);
		if (!event)
			break;
		w = is_own(s, event[XS_WATCH_PATH])
			    ? NULL
			    : find(s, event[XS_WATCH_TOKEN]);
		if (w && w->each) {
			keep(w, kept, &n, event);
			continue;
		}
		if (w)
			w->due = true;
		free(event);
	}
	return n;
}

static struct store_watch *find_due(struct store *s)
{
	struct store_watch *w = NULL;

	LIST_FOREACH (w, &s->watches, link) {
		if (w->due)
			return w;
	}
	return NULL;
}

/*
 * A guest that writes below a watched node without end makes events faster than
 * they could be acted on, and libxenstore keeps them all.  So first they are
 * taken, which is cheap, and then each watch is served once.  What is called may
 * free any watch.
 */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	char **kept[MAX_PATHS];
	struct store *s = arg;
	struct store_watch *w;
	size_t n = take_events(s, kept);

	(void)fd;
	(void)what;
	for (size_t i = 0; i < n; i++) {
		w = find(s, kept[i][XS_WATCH_TOKEN]);
		if (w)
			w->fn(w->arg, kept[i][XS_WATCH_PATH]);
		free(kept[i]);
	}
	while ((w = find_due(s))) {
		w->due = false;
		w->fn(w->arg, w->path);
	}
}

static void disconnect(struct store *s)
{
	if (s->ev)
		event_free(s->ev);
	if (s->alive_ev)
		event_free(s->alive_ev);
	s->ev = s->alive_ev = NULL;
	fd_close(&s->alive_fd);
	xs_close(s->xs);
	s->xs = NULL;
}

static int set_watch(struct store *s, struct store_watch *w)
{
	char token[24];

	snprintf(token, sizeof(token), "%llu", (unsigned long long)w->id);
	return xs_watch(s->xs, w->path, token) ? 0 : xs_errno();
}

/*
 * libxenstore's thread closes a socket that has ended.  xs_close() cancels the
 * thread, and does so at times just before that: the descriptor would stay open.  A
 * second later the thread has come to its end.
 */
static void close_stale(struct store *s)
{
	xs_close(s->stale);
	s->stale = NULL;
}

static void on_lost(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct store *s = arg;

	(void)fd;
	(void)what;
	log_warn("store %s: connection lost, connecting again", paths_store());
	s->stale = s->xs;
	s->xs = NULL;
	disconnect(s);
	event_add(s->retry_ev, &second);
}

static int add_event(struct store *s, struct event **ev, int fd,
		     event_callback_fn fn)
{
	*ev = event_new(s->base, fd, EV_READ | EV_PERSIST, fn, s);
	if (!*ev || event_add(*ev, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/*
 * What libxenstore does, and its thread, which is cancelled at the end.
 *
 * SYSCALLS: socket connect fcntl newfstatat/stat read write poll close
 * SYSCALLS: pipe2/pipe rt_sigaction rt_sigprocmask clone/clone3 futex mprotect
 * SYSCALLS: tgkill getpid exit
 * SYSCALLS, at times: set_robust_list rseq statx prlimit64 gettid madvise
 */
static int connect_store(struct store *s)
{
	int ret;

	s->alive_fd = sock_connect(paths_store(), SOCK_STREAM);
	if (s->alive_fd < 0)
		return s->alive_fd;
	errno = 0;
	s->xs = xs_open(0);
	ret = s->xs ? 0 : xs_errno();
	if (!ret)
		ret = add_event(s, &s->alive_ev, s->alive_fd, on_lost);
	if (!ret)
		ret = add_event(s, &s->ev, xs_fileno(s->xs), on_watch);
	if (ret)
		disconnect(s);
	return ret;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct store *s = arg;
	struct store_watch *w;
	int ret;

	close_stale(s);
	ret = connect_store(s);

	(void)fd;
	(void)what;
	if (!ret) {
		LIST_FOREACH (w, &s->watches, link)
			ret = ret ? ret : set_watch(s, w);
		if (ret)
			disconnect(s);
	}
	if (ret)
		event_add(s->retry_ev, &second);
	else
		log_info("store %s: connected again", paths_store());
}

int store_new(struct store **out, struct event_base *base)
{
	struct store *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->alive_fd = -1;
	LIST_INIT(&s->watches);
	s->retry_ev = evtimer_new(base, on_retry, s);
	ret = s->retry_ev ? connect_store(s) : -ENOMEM;
	if (ret) {
		store_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void store_free(struct store *s)
{
	struct store_watch *w, *next;

	if (!s)
		return;
	disconnect(s);
	close_stale(s);
	for (w = LIST_FIRST(&s->watches); w; w = next) {
		next = LIST_NEXT(w, link);
		store_unwatch(w);
	}
	if (s->retry_ev)
		event_free(s->retry_ev);
	free(s);
}

static int add_watch(struct store *s, const char *path, bool each,
		     void (*fn)(void *arg, const char *path), void *arg,
		     struct store_watch **out)
{
	struct store_watch *w = malloc(sizeof(*w) + strlen(path) + 1);
	int ret;

	if (!w)
		return -ENOMEM;
	*w = (struct store_watch){ .store = s,
				   .id = s->next_id++,
				   .each = each,
				   .fn = fn,
				   .arg = arg };
	memcpy(w->path, path, strlen(path) + 1);
	ret = s->xs ? set_watch(s, w) : -EIO;
	if (ret) {
		free(w);
		return ret;
	}
	LIST_INSERT_HEAD(&s->watches, w, link);
	*out = w;
	return 0;
}

int store_watch(struct store *s, const char *path,
		void (*fn)(void *arg, const char *path), void *arg,
		struct store_watch **out)
{
	return add_watch(s, path, false, fn, arg, out);
}

int store_watch_each(struct store *s, const char *path,
		     void (*fn)(void *arg, const char *path), void *arg,
		     struct store_watch **out)
{
	return add_watch(s, path, true, fn, arg, out);
}

void store_unwatch(struct store_watch *w)
{
	char token[24];

	if (!w)
		return;
	snprintf(token, sizeof(token), "%llu", (unsigned long long)w->id);
	if (w->store->xs && !xs_unwatch(w->store->xs, w->path, token))
		log_debug("store: unwatch %s: %s", w->path, strerror(errno));
	LIST_REMOVE(w, link);
	free(w);
}

static int set_path(const struct store *s, char *path, const char *fmt,
		    va_list ap)
{
	int n = vsnprintf(path, PATH_SIZE, fmt, ap);

	if (n < 0 || n >= PATH_SIZE)
		return -ENAMETOOLONG;
	errno = 0;
	return s->xs ? 0 : -EIO;
}

static int read_path(struct store *s, char **out, const char *path)
{
	unsigned int len;
	char *v = xs_read(s->xs, s->txn, path, &len);

	if (!v)
		return xs_errno();
	if (memchr(v, '\0', len)) {
		free(v);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

static int read_u64(struct store *s, uint64_t max, uint64_t *out,
		    const char *fmt, va_list ap)
{
	char path[PATH_SIZE];
	char *text = NULL;
	int ret = set_path(s, path, fmt, ap);

	if (!ret)
		ret = read_path(s, &text, path);
	if (ret)
		return ret;
	ret = util_u64(text, max, out);
	free(text);
	return ret;
}

int store_read(struct store *s, char **out, const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = set_path(s, path, fmt, ap);
	va_end(ap);
	return ret ? ret : read_path(s, out, path);
}

int store_read_u64(struct store *s, uint64_t max, uint64_t *out,
		   const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = read_u64(s, max, out, fmt, ap);
	va_end(ap);
	return ret;
}

int store_read_opt(struct store *s, uint64_t absent, uint64_t max,
		   uint64_t *out, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = read_u64(s, max, out, fmt, ap);
	va_end(ap);
	if (ret != -ENOENT)
		return ret;
	*out = absent;
	return 0;
}

bool store_exists(struct store *s, const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list ap;
	char *text = NULL;
	int ret;

	va_start(ap, fmt);
	ret = set_path(s, path, fmt, ap);
	va_end(ap);
	if (!ret)
		ret = read_path(s, &text, path);
	free(text);
	return ret == 0 || ret == -EINVAL;
}

int store_list(struct store *s, char ***names, unsigned int *n, const char *fmt,
	       ...)
{
	char path[PATH_SIZE];
	va_list ap;
	char **list;
	int ret;

	va_start(ap, fmt);
	ret = set_path(s, path, fmt, ap);
	va_end(ap);
	if (ret)
		return ret;
	list = xs_directory(s->xs, s->txn, path, n);
	if (!list)
		return xs_errno();
	*names = list;
	return 0;
}

static int write_path(struct store *s, const char *value, const char *fmt,
		      va_list ap)
{
	char path[PATH_SIZE];
	int ret = set_path(s, path, fmt, ap);

	if (ret)
		return ret;
	if (!xs_write(s->xs, s->txn, path, value, (unsigned int)strlen(value)))
		return xs_errno();
	return 0;
}

int store_write(struct store *s, const char *value, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = write_path(s, value, fmt, ap);
	va_end(ap);
	return ret;
}

int store_write_u64(struct store *s, uint64_t value, const char *fmt, ...)
{
	char text[24];
	va_list ap;
	int ret;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	va_start(ap, fmt);
	ret = write_path(s, text, fmt, ap);
	va_end(ap);
	return ret;
}

int store_make_own(struct store *s, const char *fmt, ...)
{
	struct xs_permissions dom0 = { .id = 0, .perms = XS_PERM_NONE };
	char path[PATH_SIZE];
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = set_path(s, path, fmt, ap);
	va_end(ap);
	if (ret)
		return ret;
	snprintf(s->own, sizeof(s->own), "%s", path);
	(void)xs_rm(s->xs, s->txn, path);
	if (!xs_write(s->xs, s->txn, path, "", 0) ||
	    !xs_set_permissions(s->xs, s->txn, path, &dom0, 1))
		return xs_errno();
	return 0;
}

int store_transact(struct store *s, int (*fn)(struct store *s, void *arg),
		   void *arg)
{
	int ret;

	for (int i = 0; i < MAX_CONFLICTS; i++) {
		errno = 0;
		s->txn = s->xs ? xs_transaction_start(s->xs) : XBT_NULL;
		if (s->txn == XBT_NULL)
			return xs_errno();
		ret = fn(s, arg);
		errno = 0;
		if (!xs_transaction_end(s->xs, s->txn, ret != 0) && !ret)
			ret = xs_errno();
		s->txn = XBT_NULL;
		if (ret != -EAGAIN)
			return ret;
	}
	return -EAGAIN;
}
