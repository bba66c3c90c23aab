/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_xs.c - which domains have consoles, and their tty nodes. */
#include "dom0-backend/console_xs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "dom0-backend/xs_watch.h"

#define RETRY_MIN_MS 250u
#define RETRY_MAX_MS 30000u
#define DOMID_MAX    0x7fefu /* DOMID_FIRST_RESERVED - 1 */

struct tty {
	unsigned int domid;
	const char *name; /* "": none any more */
};

/*
 * The node is the toolstack's: it makes it before it introduces the domain, and
 * removes it when the domain is gone.  To write it earlier would be in vain, to
 * write it later would bring back all directories on its way.
 */
static int publish(struct store *s, void *arg)
{
	const struct tty *t = arg;

	if (!store_exists(s, "/local/domain/%u/console/tty", t->domid))
		return -ENOENT;
	return store_write(s, t->name, "/local/domain/%u/console/tty",
			   t->domid);
}

/* It is read each time: a new store knows of no terminal. */
static bool is_published(struct store *s, const struct tty *t)
{
	char *name = NULL;
	bool same;

	if (store_read(s, &name, "/local/domain/%u/console/tty", t->domid))
		return false;
	same = !strcmp(name, t->name);
	free(name);
	return same;
}

/* The name may soon be that of someone else's terminal. */
static void withdraw(struct console_xs *x, struct console *c)
{
	struct tty t = { console_domid(c), "" };
	int ret;

	ret = store_transact(x->store, publish, &t);
	if (ret && ret != -ENOENT)
		log_warn("domain %u: cannot clear console/tty: %s", t.domid,
			 strerror(-ret));
}

static void on_gone(void *arg, struct console *c)
{
	withdraw(arg, c);
}

static struct console *find(struct console_xs *x, unsigned int domid)
{
	struct console *c = NULL;

	while ((c = console_hub_next(x->hub, c))) {
		if (console_domid(c) == domid && !console_ending(c))
			return c;
	}
	return NULL;
}

/*
 * One of another type has somebody else who serves it, as with Xen's xenconsoled; of one
 * that is half made nobody knows yet.
 */
static bool is_ours(struct console_xs *x, unsigned int domid)
{
	char *type = NULL;
	bool ours;

	if (store_read(x->store, &type, "/local/domain/%u/console/type", domid))
		return store_exists(x->store, "/local/domain/%u/console/tty",
				    domid);
	ours = !strcmp(type, "xenconsoled");
	free(type);
	return ours;
}

static int serve_new(struct console_xs *x, unsigned int domid,
		     struct console **c)
{
	int ret = console_new(c, x->hub, domid);

	if (ret && ret != -ENOENT && ret != -ECONNREFUSED && ret != -EPIPE)
		log_warn("domain %u: no console: %s; tried again", domid,
			 strerror(-ret));
	return ret;
}

/*
 * Return: 0 if all is well or nothing can be done, else -errno: a later try may
 * succeed.
 */
static int serve(struct console_xs *x, unsigned int domid)
{
	struct tty t = { .domid = domid };
	struct console *c = find(x, domid);
	int ret;

	if (!c && !is_ours(x, domid))
		return 0;
	ret = c ? console_follow(c) : serve_new(x, domid, &c);
	if (ret == -ENOENT || ret == -ECONNREFUSED || ret == -EPIPE)
		return 0; /* no such domain, or not any more */
	if (ret)
		return ret;
	t.name = console_tty(c);
	if (console_ending(c) || is_published(x->store, &t))
		return 0;
	ret = store_transact(x->store, publish, &t);
	if (ret == -ENOENT)
		return 0; /* half made: its introduction is still to come */
	if (ret)
		log_warn("domain %u: cannot write console/tty: %s; tried again",
			 domid, strerror(-ret));
	return ret;
}

static void scan(struct console_xs *x)
{
	struct timeval tv;
	uint64_t domid;
	unsigned int n;
	char **names;
	int ret;

	ret = store_list(x->store, &names, &n, "/local/domain");
	if (ret) {
		n = 0;
		names = NULL;
		ret = ret == -ENOENT ? 0 : ret;
	}
	for (unsigned int i = 0; i < n; i++) {
		if (!util_u64(names[i], DOMID_MAX, &domid) && domid &&
		    serve(x, (unsigned int)domid))
			ret = -EAGAIN;
	}
	free(names);
	if (!ret) {
		x->retry_ms = RETRY_MIN_MS;
		return;
	}
	tv.tv_sec = x->retry_ms / 1000;
	tv.tv_usec = (suseconds_t)(x->retry_ms % 1000) * 1000;
	(void)!event_add(x->retry_ev, &tv);
	x->retry_ms = MIN(x->retry_ms * 2, RETRY_MAX_MS);
}

static void on_introduce(void *arg, const char *path)
{
	struct console_xs *x = arg;

	(void)path;
	x->retry_ms = RETRY_MIN_MS;
	scan(x);
}

static void on_retry(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	scan(arg);
}

int console_xs_init(struct console_xs *x, struct console_hub *hub,
		    struct store *store)
{
	int ret;

	*x = (struct console_xs){ .hub = hub,
				  .store = store,
				  .retry_ms = RETRY_MIN_MS };
	hub->gone = on_gone;
	hub->arg = x;
	x->retry_ev = event_new(hub->base, -1, 0, on_retry, x);
	if (!x->retry_ev)
		return -ENOMEM;
	ret = store_watch(store, "@introduceDomain", on_introduce, x,
			  &x->watch);
	if (ret) {
		event_free(x->retry_ev);
		x->retry_ev = NULL;
	}
	return ret;
}

void console_xs_fini(struct console_xs *x)
{
	struct console *c = NULL;

	store_unwatch(x->watch);
	x->watch = NULL;
	if (x->retry_ev)
		event_free(x->retry_ev);
	x->retry_ev = NULL;
	while ((c = console_hub_next(x->hub, c))) {
		if (!console_ending(c))
			withdraw(x, c);
	}
}
