// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/netback.c - a PV network card: its queues and their threads.
#include "dom0-backend/netback.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "dom0-backend/net_rxq.h"

#define BUDGET 64 /* packets of one direction before the other's turn */

/* For how long to look for work before sleeping. */
#define LOOK_MIN_NS UINT64_C(5000)
#define LOOK_MAX_NS UINT64_C(50000)
/* Whoever lets others run and has to wait that long does not do so again for: */
#define SHARED_NS UINT64_C(1000000)
#define REST_NS	  UINT64_C(50000000)

/**
 * struct net_queue - One queue; after the start its thread's alone.
 * @split: @rx_evtchn is bound too, else @tx_evtchn is for both rings.
 * @running: The thread has been started.
 * @stop:  Set, and then @stop_fd written, to end it.
 * @announce: Likewise, to tell the guest its router.
 * @look:  For how long to look for work before sleeping, in ns, but
 * @rest:  not before this moment; CLOCK_MONOTONIC ns, as
 * @idle:  since when there has been none, or 0.
 */
struct net_queue {
	struct device *dev;
	struct txq tx;
	struct rxq rx;
	struct evtchn_fd tx_evtchn, rx_evtchn;
	bool split;
	int epoll, stop_fd;
	bool running;
	_Atomic bool stop, announce;
	uint64_t look, rest, idle;
	pthread_t thread;
};

/* Which fd has become ready. */
enum source { SOURCE_TAP, SOURCE_PASSED, SOURCE_TX, SOURCE_RX, SOURCE_STOP };

static const char *why_dead(int ret)
{
	return ret == -EBADMSG ? "a packet does not end within its ring"
			       : "a ring's index is impossible";
}

/* Show the guest what was done; one channel gets one notification. */
static void push(struct net_queue *q)
{
	bool tx = txq_push(&q->tx), rx = rxq_push(&q->rx);

	if (tx || (rx && !q->split))
		evtchn_fd_notify(&q->tx_evtchn);
	if (rx && q->split)
		evtchn_fd_notify(&q->rx_evtchn);
}

/* Both directions once: 1 if there is more to do, 0, or why to give up. */
static int turn(struct net_queue *q)
{
	int tx, rx;

	if (atomic_exchange(&q->announce, false))
		txq_announce(&q->tx);
	tx = txq_poll(&q->tx, BUDGET);
	if (tx < 0)
		return tx;
	rx = rxq_poll(&q->rx, BUDGET);
	if (rx < 0)
		return rx;
	push(q);
	return tx || rx;
}

/* SYSCALLS: epoll_wait/epoll_pwait2 */
static int wait_for_work(struct net_queue *q, int ms)
{
	struct epoll_event ev[4];
	int n;

	n = epoll_wait(q->epoll, ev, ARRAY_SIZE(ev), ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.u32 == SOURCE_TAP)
			rxq_ready(&q->rx);
		if (ev[i].data.u32 == SOURCE_PASSED)
			rxq_passed(&q->rx);
	}
	return 0;
}

/*
 * Whether to look for work once more instead of sleeping, to be woken: if the last
 * came soon enough.  Other threads that want this CPU get it meanwhile, perhaps the
 * very ones that we wait for.  One that keeps it for long wants it for itself.
 *
 * SYSCALLS, at times: sched_yield
 */
static bool look_again(struct net_queue *q)
{
	uint64_t now = util_clock_ns();

	if (!q->idle)
		q->idle = now;
	if (now - q->idle >= q->look || now < q->rest)
		return false;
	sched_yield();
	if (util_clock_ns() - now >= SHARED_NS)
		q->rest = now + REST_NS;
	rxq_look(&q->rx);
	return true;
}

/* For how long to look next time, after @ns without work. */
static uint64_t adapt_look(uint64_t look, uint64_t ns)
{
	if (ns <= LOOK_MAX_NS)
		return MIN(MAX(2 * look, LOOK_MIN_NS), LOOK_MAX_NS);
	return look < 2 * LOOK_MIN_NS ? 0 : look / 2;
}

/* Sleep until there may be work, unless there is some. */
static int rest(struct net_queue *q)
{
	int ret, ms;

	if (txq_arm(&q->tx, &ms) || rxq_arm(&q->rx))
		return 0;
	ret = wait_for_work(q, ms);
	q->look = adapt_look(q->look, util_clock_ns() - q->idle);
	q->idle = 0;
	return ret;
}

static uint32_t answered(const struct net_queue *q)
{
	return txq_answered(&q->tx) + rxq_answered(&q->rx);
}

static void *serve(void *arg)
{
	struct net_queue *q = arg;
	uint32_t before;
	int ret = 0;

	while (!atomic_load(&q->stop) && ret >= 0) {
		before = answered(q);
		ret = turn(q);
		if (answered(q) != before)
			q->idle = 0;
		if (!ret && !look_again(q))
			ret = rest(q);
	}
	if (ret < 0)
		device_fail(q->dev, why_dead(ret));
	return NULL;
}

/* Edge-triggered, and ready at once if it is ready now. */
static int add_source(struct net_queue *q, int fd, enum source what)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLET,
		.data.u32 = what,
	};

	return epoll_ctl(q->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* SYSCALLS: epoll_create1 eventfd2 epoll_ctl */
static int add_sources(struct net_queue *q)
{
	int ret;

	q->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (q->epoll < 0)
		return -errno;
	q->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (q->stop_fd < 0)
		return -errno;
	ret = add_source(q, q->stop_fd, SOURCE_STOP);
	if (!ret)
		ret = add_source(q, q->rx.tap, SOURCE_TAP);
	if (!ret && q->rx.steer)
		ret = add_source(q, net_steer_fd(q->rx.steer, q->rx.index),
				 SOURCE_PASSED);
	if (!ret)
		ret = add_source(q, q->tx_evtchn.kick, SOURCE_TX);
	if (!ret && q->split)
		ret = add_source(q, q->rx_evtchn.kick, SOURCE_RX);
	return ret;
}

static int bind_ports(struct net_queue *q, const struct net_keys *keys)
{
	int ret;

	q->split = keys->rx_port != keys->tx_port;
	ret = evtchn_fd_bind(&q->tx_evtchn, q->dev->dom, keys->tx_port);
	if (!ret && q->split)
		ret = evtchn_fd_bind(&q->rx_evtchn, q->dev->dom, keys->rx_port);
	return ret;
}

/* Everything but the marks of its grants. */
static void free_marked(struct net_queue *q)
{
	evtchn_fd_close(&q->tx_evtchn);
	evtchn_fd_close(&q->rx_evtchn);
	fd_close(&q->epoll);
	fd_close(&q->stop_fd);
	free(q);
}

static void free_queue(struct net_queue *q)
{
	txq_fini(&q->tx);
	rxq_fini(&q->rx);
	free_marked(q);
}

int netback_start(struct net_queue **out, struct device *dev,
		  const struct net_conf *conf, int tap,
		  const struct net_keys *keys, struct log_limit *limit)
{
	struct net_journal_queue *log = keys->log;
	struct net_ring tx = { keys->tx_ref, log ? &log->tx : NULL,
			       keys->stat,   keys->resume,
			       dev->domid,   dev->devid };
	struct net_ring rx = { keys->rx_ref, log ? &log->rx : NULL,
			       keys->stat,   keys->resume,
			       dev->domid,   dev->devid };
	struct net_queue *q = calloc(1, sizeof(*q));
	int ret;

	if (!q)
		return -ENOMEM;
	q->dev = dev;
	q->epoll = q->stop_fd = -1;
	q->tx_evtchn = q->rx_evtchn = (struct evtchn_fd)EVTCHN_FD_INIT;
	ret = rxq_init(&q->rx, dev->gnt, &conf->caps, limit, tap, &rx);
	if (!ret)
		ret = txq_init(&q->tx, dev->gnt, &q->rx, &conf->tx, tap, &tx);
	if (!ret && conf->steer)
		rxq_steer(&q->rx, conf->steer, keys->index);
	if (!ret)
		ret = bind_ports(q, keys);
	if (!ret)
		ret = add_sources(q);
	if (ret) {
		free_queue(q);
		return ret;
	}
	*out = q;
	return 0;
}

/*
 * SYSCALLS: clone/clone3 rt_sigprocmask mprotect futex exit
 * SYSCALLS, at times: set_robust_list rseq gettid madvise
 */
int netback_run(struct net_queue *q)
{
	int ret = -pthread_create(&q->thread, NULL, serve, q);

	q->running = !ret;
	return ret;
}

bool netback_has_begun(const struct net_queue *q)
{
	return txq_answered(&q->tx) || rxq_answered(&q->rx);
}

/* SYSCALLS: write */
static void wake(struct net_queue *q)
{
	uint64_t one = 1;

	if (write(q->stop_fd, &one, sizeof(one)) < 0) /* cannot be full */
		log_warn("a queue is not woken: %s", strerror(errno));
}

void netback_announce(struct net_queue *q)
{
	atomic_store(&q->announce, true);
	wake(q);
}

static void end_thread(struct net_queue *q)
{
	if (!q->running)
		return;
	atomic_store(&q->stop, true);
	wake(q);
	pthread_join(q->thread, NULL);
}

void netback_suspend(struct net_queue *q)
{
	end_thread(q);
	free_marked(q);
}

bool netback_in_use(struct device *dev, const struct net_keys *keys)
{
	return gnt_marked(dev->gnt, keys->tx_ref) &&
	       gnt_marked(dev->gnt, keys->rx_ref);
}

static void release_page(struct gnt_map *gnt, uint32_t gref)
{
	void SHM *page;

	if (!gnt_get(gnt, gref, GNT_WRITE, &page))
		gnt_put(gnt, gref, GNT_WRITE);
}

void netback_release(struct device *dev, const struct net_keys *keys)
{
	txq_release(dev->gnt, &keys->log->tx);
	rxq_release(dev->gnt, &keys->log->rx);
	/* Last: whoever follows us, if we die before, begins again. */
	release_page(dev->gnt, keys->rx_ref);
	release_page(dev->gnt, keys->tx_ref);
}

void netback_stop(struct net_queue *q, struct net_stats *sum)
{
	const struct netstat *tx = q->tx.stat, *rx = q->rx.stat;

	end_thread(q);
	sum->tx_packets += tx->n[NETSTAT_TX_PACKETS];
	sum->tx_drops +=
		netstat_drops(tx, NETSTAT_TX_DROP_BAD, NETSTAT_TX_DROP_DIED);
	sum->tx_spoofed += tx->n[NETSTAT_TX_DROP_SPOOFED];
	sum->rx_packets += rx->n[NETSTAT_RX_PACKETS];
	sum->rx_drops +=
		netstat_drops(rx, NETSTAT_RX_DROP_BAD, NETSTAT_RX_DROP_ROOM);
	free_queue(q);
}
