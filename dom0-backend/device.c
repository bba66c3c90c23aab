// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/device.c - what every device worker process does.
#include "dom0-backend/device.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/sandbox.h"
#include "base/util.h"

/* What one transaction of publish() needs. */
struct publish {
	struct device *dev;
	enum xb_state state;
};

static void stop(struct device *dev)
{
	event_base_loopbreak(dev->base);
}

/*
 * Whether missing nodes mean nothing: a store that was started anew is empty and
 * lacks the domain's own, too.  That a domain has ended is told by its socket.
 */
static bool store_is_new(struct device *dev)
{
	return !store_exists(dev->store, "/local/domain/%u/name", dev->domid);
}

/*
 * Write the state and its keys, if the directory is still there: writing into a
 * removed one would make it again, half filled.
 */
static int publish_keys(struct store *s, void *arg)
{
	struct publish *p = arg;
	int ret;

	if (!store_exists(s, "%s/frontend", p->dev->be))
		return -ENOENT;
	ret = p->dev->ops->keys(p->dev, p->state);
	if (ret)
		return ret;
	return store_write_u64(s, p->state, "%s/state", p->dev->be);
}

/* What one transaction of complain() needs. */
struct complaint {
	struct device *dev;
	const char *why;
};

static int write_error(struct store *s, void *arg)
{
	struct complaint *c = arg;

	if (!store_exists(s, "%s/frontend", c->dev->be))
		return -ENOENT;
	return store_write(s, c->why, "%s/error", c->dev->be);
}

/* Tell, where the toolstack and people look, why the device was closed. */
static void complain(struct device *dev, const char *why)
{
	struct complaint c = { dev, why };

	if (store_transact(dev->store, write_error, &c))
		log_debug("cannot write %s/error", dev->be);
}

static int write_state(struct device *dev, enum xb_state state)
{
	struct publish p = { .dev = dev, .state = state };
	int ret = store_transact(dev->store, publish_keys, &p);

	if (ret == -ENOENT && !store_is_new(dev)) {
		log_info("%s is gone", dev->be);
		stop(dev);
	} else if (ret) {
		log_warn("%s: cannot write state %s: %s", dev->be,
			 xb_name(state), strerror(-ret));
	}
	dev->unwritten = ret != 0;
	return ret;
}

static void publish(void *arg, enum xb_state state)
{
	struct device *dev = arg;

	if (!write_state(dev, state))
		log_limited(&dev->limit, LOG_LVL_INFO, "%s", xb_name(state));
}

int device_republish(struct device *dev)
{
	return dev->xb.state == XB_CONNECTED ? write_state(dev, XB_CONNECTED)
					     : 0;
}

static int connect_dev(void *arg)
{
	struct device *dev = arg;
	char why[128];
	int ret = gnt_refresh(dev->gnt);

	atomic_store(&dev->failure, NULL);
	if (!ret)
		ret = dev->ops->connect(dev);
	if (ret) {
		snprintf(why, sizeof(why), "cannot connect: %s",
			 strerror(-ret));
		log_limited(&dev->limit, LOG_LVL_WARN, "%s: %s", dev->fe, why);
		complain(dev, why);
	}
	return ret;
}

static void disconnect_dev(void *arg)
{
	struct device *dev = arg;

	dev->ops->disconnect(dev);
}

static const struct xb_ops xb_ops = {
	.connect = connect_dev,
	.disconnect = disconnect_dev,
	.publish = publish,
};

/* Read the frontend's state, a level, and do what follows from it. */
static void follow_frontend(struct device *dev)
{
	uint64_t peer;
	int ret = store_read_opt(dev->store, XB_UNKNOWN, XB_NSTATES - 1, &peer,
				 "%s/state", dev->fe);

	if (!ret && peer == XB_UNKNOWN && store_is_new(dev))
		return;
	/* The store died just then; watches fire when there is one again. */
	if (!ret && dev->unwritten)
		publish(dev, dev->xb.state);
	if (!ret)
		(void)!xb_peer_is(&dev->xb, (unsigned int)peer); /* told */
	else if (ret == -EINVAL || ret == -ERANGE)
		log_limited(&dev->limit, LOG_LVL_WARN,
			    "%s/state is not a state (0 to %d); ignored",
			    dev->fe, XB_NSTATES - 1);
	else
		log_limited(&dev->limit, LOG_LVL_WARN, "%s/state: %s", dev->fe,
			    strerror(-ret));
	if (xb_done(&dev->xb))
		stop(dev);
}

static void on_frontend(void *arg, const char *path)
{
	(void)path;
	follow_frontend(arg);
}

/*
 * The toolstack detaches by online=0 and state=5, in one transaction.  A state of
 * ours that was on its way may have overwritten the 5: online is what counts.
 */
static void on_backend(void *arg, const char *path)
{
	struct device *dev = arg;
	uint64_t online, state;
	int ret;

	(void)path;
	ret = store_read_u64(dev->store, XB_NSTATES, &state, "%s/state",
			     dev->be);
	if (ret == -ENOENT && !store_is_new(dev)) {
		log_info("%s is gone", dev->be);
		stop(dev);
		return;
	}
	if (dev->ops->changed)
		dev->ops->changed(dev);
	if (ret ||
	    store_read_opt(dev->store, 1, 1, &online, "%s/online", dev->be))
		return;
	if (online || xb_done(&dev->xb))
		return;
	xb_detach(&dev->xb);
	follow_frontend(dev);
}

static void on_domain(evutil_socket_t fd, short what, void *arg)
{
	struct device *dev = arg;
	struct dom_msg msg;
	int ret;

	(void)fd;
	(void)what;
	while ((ret = dom_event(dev->dom, &msg)) > 0)
		continue;
	if (ret == -EPIPE) {
		device_domain_gone(dev);
	} else if (ret < 0) {
		/* As after a call that got no answer in time: begin again. */
		log_err("the domain's socket: %s", strerror(-ret));
		dev->status = 1;
		stop(dev);
	}
}

void device_domain_gone(struct device *dev)
{
	log_info("the domain is gone");
	stop(dev);
}

void device_refuse(struct device *dev, const char *why)
{
	log_err("%s", why);
	complain(dev, why);
	dev->status = DEVICE_REFUSED;
}

void device_retire(struct device *dev, const char *why)
{
	log_err("%s", why);
	dev->status = 1;
	stop(dev);
}

int device_bad_key(struct device *dev, const char *dir, const char *name,
		   const char *want, int ret)
{
	log_limited(&dev->limit, LOG_LVL_WARN, "%s/%s: %s; must be %s", dir,
		    name, strerror(-ret), want);
	return ret;
}

bool device_no_value(int ret)
{
	return ret == -ENOENT || ret == -EINVAL || ret == -ERANGE;
}

int device_read_u32(struct device *dev, const char *dir, const char *name,
		    uint32_t *out)
{
	uint64_t v;
	int ret;

	ret = store_read_u64(dev->store, UINT32_MAX, &v, "%s/%s", dir, name);
	if (ret)
		return device_bad_key(dev, dir, name, "a 32-bit number", ret);
	*out = (uint32_t)v;
	return 0;
}

unsigned int device_max_queues(unsigned int limit)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return MIN((unsigned int)MAX(cpus, 4L), limit);
}

int device_nqueues(struct device *dev, unsigned int max, unsigned int *out)
{
	static const char key[] = "multi-queue-num-queues";
	uint64_t n;
	int ret;

	ret = store_read_opt(dev->store, 1, max, &n, "%s/%s", dev->fe, key);
	if (!ret && !n)
		ret = -ERANGE;
	if (ret)
		return device_bad_key(dev, dev->fe, key,
				      "from 1 to our multi-queue-max-queues",
				      ret);
	*out = (unsigned int)n;
	return 0;
}

/* A single queue's keys lie in the device's directory, others in queue-N. */
int device_start_queues(struct device *dev, unsigned int n,
			int (*start)(struct device *dev, const char *dir))
{
	char dir[sizeof(dev->fe) + 24];
	int ret = 0;

	for (unsigned int i = 0; i < n && !ret; i++) {
		snprintf(dir, sizeof(dir), n == 1 ? "%s" : "%s/queue-%u",
			 dev->fe, i);
		ret = start(dev, dir);
	}
	return ret;
}

void device_fail(struct device *dev, const char *why)
{
	const char *none = NULL;
	uint64_t one = 1;

	/* The first reason counts; the eventfd cannot be full. */
	if (!atomic_compare_exchange_strong(&dev->failure, &none, why))
		return;
	if (write(dev->fail_fd, &one, sizeof(one)) < 0)
		return;
}

static void on_failure(evutil_socket_t fd, short what, void *arg)
{
	struct device *dev = arg;
	const char *why = atomic_load(&dev->failure);
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0 || !why || !dev->xb.attached)
		return;
	log_limited(&dev->limit, LOG_LVL_ERR, "closing the device: %s", why);
	complain(dev, why);
	xb_fail(&dev->xb);
	follow_frontend(dev);
}

/* Another worker will follow: now, or when there is a parent again. */
static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct device *dev = arg;

	(void)fd;
	(void)what;
	dev->status = 1;
	stop(dev);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct device *dev = arg;

	(void)fd;
	(void)what;
	dev->ops->tick(dev);
}

/* On a signal or a descriptor, or, with no @what, every second. */
static struct event *add_event(struct device *dev, int fd, short what,
			       event_callback_fn fn)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct event *ev = event_new(dev->base, fd, what | EV_PERSIST, fn, dev);

	if (!ev || event_add(ev, what ? NULL : &second) < 0)
		die("cannot add an event: out of memory");
	return ev;
}

/* The frontend's directory is what the toolstack wrote, not the guest. */
static void find_frontend(struct device *dev)
{
	char *fe;
	int ret = store_read(dev->store, &fe, "%s/frontend", dev->be);

	if (ret)
		die("%s/frontend: %s; is the device still configured?", dev->be,
		    strerror(-ret));
	if (strlen(fe) >= sizeof(dev->fe))
		die("%s/frontend is longer than %zu bytes", dev->be,
		    sizeof(dev->fe) - 1);
	snprintf(dev->fe, sizeof(dev->fe), "%s", fe);
	free(fe);
}

static uint64_t number(const char *name, const char *value, uint64_t max)
{
	uint64_t v;

	if (util_u64(value, max, &v))
		die("--%s=%s: must be a number from 0 to %llu", name, value,
		    (unsigned long long)max);
	return v;
}

/* Options are "--name value"; the type's own are unknown to this file. */
static void parse(struct device *dev, int argc, char **argv)
{
	dev->dom_fd = -1;
	for (int i = 1; i < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];

		if (strncmp(name, "--", 2) != 0 || !value)
			die("%s: options are --name value; see sv-backend(8)",
			    name);
		name += 2;
		if (!strcmp(name, "domid"))
			dev->domid = (unsigned int)number(name, value, 0x7fef);
		else if (!strcmp(name, "devid"))
			dev->devid =
				(unsigned int)number(name, value, INT32_MAX);
		else if (!strcmp(name, "parent"))
			dev->parent = (int)number(name, value, INT32_MAX);
		else if (!strcmp(name, "no-sandbox"))
			dev->free = number(name, value, 1);
		else if (!strcmp(name, "dom-fd"))
			dev->dom_fd = (int)number(name, value, INT32_MAX);
		else if (!dev->ops->option ||
			 dev->ops->option(dev, name, value))
			die("--%s %s: unknown option or value; see sv-backend(8)",
			    name, value);
	}
	if (dev->dom_fd < 0 || !dev->domid || !dev->parent)
		die("run by sv-backend only: --domid, --dom-fd and --parent "
		    "are required");
}

/* Have what takes rights, most of which the parent has opened; then have no more. */
static void enter_jail(struct device *dev, int (*confine)(void))
{
	char prefix[64];
	int ret;

	/* The next parent starts workers of its own. */
	ret = dev->ops->resume ? 0 : sandbox_end_with(dev->parent);
	if (ret)
		die("cannot end with sv-backend: %s", strerror(-ret));
	snprintf(prefix, sizeof(prefix), "%s dom%u/%s%u", dev->ops->program,
		 dev->domid, dev->ops->type, dev->devid);
	log_init(prefix, LOG_LVL_INFO);
	ret = dev->ops->open ? dev->ops->open(dev) : 0;
	if (ret)
		die("cannot start: %s", strerror(-ret));
	ret = dev->free ? sandbox_enter() : confine();
	if (ret)
		die("cannot give up what it does not need: %s; sv-backend "
		    "--no-sandbox does without",
		    strerror(-ret));
}

/*
 * libevent asks whether the program has another user's rights.
 *
 * SYSCALLS: epoll_create1 eventfd2 epoll_ctl rt_sigaction pipe2/socketpair
 * SYSCALLS, at times: getuid geteuid getgid getegid
 */
static void set_up(struct device *dev)
{
	int ret;

	snprintf(dev->be, sizeof(dev->be), "/local/domain/0/backend/%s/%u/%u",
		 dev->ops->type, dev->domid, dev->devid);
	dev->base = event_base_new();
	dev->fail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!dev->base || dev->fail_fd < 0)
		die("cannot make an event loop: %s", strerror(errno));
	ret = store_new(&dev->store, dev->base);
	if (ret)
		die("store %s: %s; is sv-xenstored running?", paths_store(),
		    strerror(-ret));
	find_frontend(dev);
	ret = dom_adopt(&dev->dom, dev->dom_fd);
	if (!ret)
		ret = gnt_new(&dev->gnt, dev->dom);
	if (ret)
		die("domain %u: cannot map its memory: %s", dev->domid,
		    strerror(-ret));
}

/*
 * Take over what a predecessor was serving.  A frontend that is about to join, or
 * closes, may have requests under way.  One that has closed waits for no answers,
 * only for its pages; one that begins anew has another kernel.
 *
 * Return: 0; -ESTALE if the frontend wants what it offers now to be served; -EAGAIN
 * if the store does not say; or another -errno: nothing is served.
 */
static int resume(struct device *dev, enum xb_state was)
{
	uint64_t peer;
	int ret;

	if (was != XB_INIT_WAIT && was != XB_CONNECTED && was != XB_CLOSING)
		return -ENOENT;
	ret = store_read_u64(dev->store, XB_NSTATES - 1, &peer, "%s/state",
			     dev->fe);
	if (ret)
		return device_no_value(ret) ? -ENOENT : -EAGAIN;
	ret = -ENOENT;
	if (peer == XB_CLOSED)
		dev->ops->release(dev);
	else if (peer == XB_INITIALISED || peer == XB_CONNECTED ||
		 peer == XB_CLOSING)
		ret = dev->ops->resume(dev);
	if (ret != -ESTALE)
		return ret;
	log_info("the frontend has begun anew while nobody served it");
	return was == XB_CONNECTED && peer != XB_CLOSING ? -ESTALE : -ENOENT;
}

/*
 * Begin where the state node, which says @was, and a predecessor have left off.
 *
 * Return: 0, or -EAGAIN: the next one may know.
 */
static int begin(struct device *dev, enum xb_state was)
{
	char why[128];
	int ret = dev->ops->resume ? resume(dev, was) : -ENOENT;

	switch (ret) {
	case -EAGAIN:
		return ret;
	case 0:
		xb_resume(&dev->xb, &xb_ops, dev, was);
		return 0;
	case -ESTALE:
		/*
		 * No Closing: who has offered rings would end at that.  What
		 * is to be forgotten is, once that is told: see connect().
		 */
		xb_init(&dev->xb, &xb_ops, dev, XB_INITIALISING);
		return 0;
	default:
		break;
	}
	if (dev->ops->resume)
		dev->ops->disconnect(dev);
	if (ret != -ENOENT) {
		snprintf(why, sizeof(why), "cannot resume: %s", strerror(-ret));
		log_err("%s", why);
		complain(dev, why);
	}
	xb_init(&dev->xb, &xb_ops, dev, was);
	return 0;
}

/*
 * From here on the loop leads; the watches fire once each at its start.  Only
 * the state nodes are watched: a guest may write its other keys as it likes.
 */
static int follow(struct device *dev)
{
	char path[sizeof(dev->fe) + 8];
	uint64_t was;
	int ret = store_read_u64(dev->store, XB_NSTATES - 1, &was, "%s/state",
				 dev->be);

	if (ret)
		return ret;
	dev->dom_ev = add_event(dev, dom_fd(dev->dom), EV_READ, on_domain);
	dev->fail_ev = add_event(dev, dev->fail_fd, EV_READ, on_failure);
	dev->term_ev = add_event(dev, SIGTERM, EV_SIGNAL, on_signal);
	if (dev->ops->tick)
		dev->tick_ev = add_event(dev, -1, 0, on_tick);
	ret = begin(dev, (enum xb_state)was);
	if (ret)
		return ret;
	ret = store_watch(dev->store, dev->be, on_backend, dev, &dev->be_watch);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/state", dev->fe);
	return store_watch(dev->store, path, on_frontend, dev, &dev->fe_watch);
}

static void tear_down(struct device *dev)
{
	if (dev->xb.attached && dev->status && dev->ops->suspend)
		dev->ops->suspend(dev);
	else if (dev->xb.attached)
		dev->ops->disconnect(dev);
	dev->ops->fini(dev);
	store_free(dev->store);
	if (dev->dom_ev)
		event_free(dev->dom_ev);
	if (dev->fail_ev)
		event_free(dev->fail_ev);
	if (dev->term_ev)
		event_free(dev->term_ev);
	if (dev->tick_ev)
		event_free(dev->tick_ev);
	gnt_free(dev->gnt);
	dom_free(dev->dom);
	fd_close(&dev->fail_fd);
	event_base_free(dev->base);
}

/*
 * What the loop and the C library ask for.  How many CPUs there are, and what an
 * abort could tell, is looked up among files.
 *
 * SYSCALLS: epoll_wait/epoll_pwait2 rt_sigreturn mmap munmap exit_group
 * SYSCALLS, at times: clock_gettime gettimeofday restart_syscall brk mremap
 * SYSCALLS, at times: madvise mprotect sched_getaffinity sysinfo getrandom
 * SYSCALLS, at times: futex rt_sigprocmask sched_yield gettid getpid tgkill
 * SYSCALLS, refused: openat/open access/faccessat/faccessat2 readlink/readlinkat
 */
int device_main(int argc, char **argv, const struct device_ops *ops, void *priv,
		int (*confine)(void))
{
	struct device dev = { .ops = ops, .priv = priv };
	int ret;

	log_init(ops->program, LOG_LVL_INFO);
	signal(SIGPIPE, SIG_IGN);
	paths_init();
	log_set_cap(LOG_CAP);
	fd_raise_limit();
	dom_set_timeout(DOM_ANSWER_MS);
	parse(&dev, argc, argv);
	enter_jail(&dev, confine);
	set_up(&dev);
	ret = ops->init(&dev);
	if (!ret)
		ret = follow(&dev);
	if (ret)
		log_err("cannot start: %s", strerror(-ret));
	else
		event_base_dispatch(dev.base);
	tear_down(&dev);
	return ret && !dev.status ? 1 : dev.status;
}
