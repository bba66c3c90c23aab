// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/mortal.c - workers in processes that die at a given step.
#include "tests/lib/mortal.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <liburing.h>

#include "dom0-backend/evtchn_fd.h"
#include "tests/lib/proc.h"

static struct mortal *mortal;
static bool is_worker; /* the test calls these as well */

static void step(void)
{
	if (!is_worker)
		return;
	if (atomic_fetch_add(&mortal->steps, 1) + 1 ==
	    atomic_load(&mortal->die_at))
		kill(getpid(), SIGKILL);
}

static void be_late(void)
{
	unsigned int us = is_worker ? atomic_load(&mortal->late) : 0;

	if (us)
		usleep(us);
}

#define WRAP(type, name, params, args)     \
	type __real_##name params;         \
	type __wrap_##name params;         \
	type __wrap_##name params          \
	{                                  \
		step();                    \
		return __real_##name args; \
	}

WRAP(int, ring_back_take, (struct ring_back * r, void *req, size_t n),
     (r, req, n))
WRAP(void, ring_back_put, (struct ring_back * r, const void *rsp, size_t n),
     (r, rsp, n))
WRAP(bool, ring_back_push, (struct ring_back * r), (r))
WRAP(bool, ring_back_arm, (struct ring_back * r, uint32_t after), (r, after))
WRAP(int, gnt_get,
     (struct gnt_map * g, uint32_t ref, enum gnt_access access,
      void SHM **page),
     (g, ref, access, page))
WRAP(void, gnt_put, (struct gnt_map * g, uint32_t ref, enum gnt_access access),
     (g, ref, access))
WRAP(int, io_uring_submit, (struct io_uring * r), (r))
WRAP(int, io_uring_submit_and_wait, (struct io_uring * r, unsigned int n),
     (r, n))
WRAP(void, evtchn_fd_notify, (const struct evtchn_fd *e), (e))
WRAP(int, evtchn_fd_bind, (struct evtchn_fd * e, struct dom *d, uint32_t port),
     (e, d, port))
WRAP(int, journal_recover,
     (struct journal_queue * q, uint32_t nent, struct ring_pos *at),
     (q, nent, at))

WRAP(int, net_journal_recover,
     (const struct net_journal_ring *r, struct ring_pos *at), (r, at))
WRAP(int, net_journal_recover_ctrl,
     (struct net_journal_ctrl * c, unsigned int n, struct ring_pos *at),
     (c, n, at))
WRAP(void, net_steer_set, (struct net_steer * s, const struct net_hash *h),
     (s, h))
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))

ssize_t __real_readv(int fd, const struct iovec *v, int n);
ssize_t __wrap_readv(int fd, const struct iovec *v, int n);
ssize_t __wrap_readv(int fd, const struct iovec *v, int n)
{
	step();
	be_late();
	return __real_readv(fd, v, n);
}

struct mortal *mortal_new(void)
{
	mortal = mmap(NULL, sizeof(*mortal), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mortal == MAP_FAILED) {
		perror("mortal");
		abort();
	}
	return mortal;
}

void mortal_expect(struct mortal *m, unsigned int n)
{
	atomic_store(&m->steps, 0);
	atomic_store(&m->die_at, n);
}

/* Return: 0 in the worker. */
static pid_t fork_worker(void)
{
	pid_t pid = proc_fork();

	if (pid < 0) {
		perror("mortal: fork");
		abort();
	}
	is_worker = !pid;
	if (is_worker)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* A worker's life in a process of its own; it ends by being killed. */
static _Noreturn void serve(struct mortal *m, unsigned int domid,
			    const struct fakeblk *fb, unsigned int n,
			    struct disk *disk)
{
	static struct device dev;
	static struct log_limit limit;
	struct blk_queue *q;
	struct blk_ring at;

	dev.fail_fd = -1;
	if (dom_connect(&dev.dom, domid, DOM_ROLE_BACKEND, "vbd/1", false) ||
	    gnt_new(&dev.gnt, dev.dom))
		_exit(1);
	for (unsigned int i = 0; i < n; i++) {
		at = fb[i].at;
		at.log = &m->log[i];
		at.resume = atomic_load(&m->valid);
		if (blkback_start(&q, &dev, disk, &at, &limit))
			_exit(1);
	}
	atomic_store(&m->valid, true);
	for (;;)
		pause();
}

pid_t mortal_start(struct mortal *m, unsigned int domid,
		   const struct fakeblk *fb, unsigned int n,
		   int (*init)(struct disk *d, void *arg), void *arg)
{
	static struct disk disk;
	pid_t pid = fork_worker();

	if (pid)
		return pid;
	if (init(&disk, arg))
		_exit(1);
	serve(m, domid, fb, n, &disk);
}

static struct device card_dev;
static struct net_conf card_conf;

static void open_card(const struct fakenic *nic)
{
	card_conf = nic->conf;
	card_dev.fail_fd = -1;
	if (dom_connect(&card_dev.dom, nic->dev.domid, DOM_ROLE_BACKEND,
			"vif/0", false) ||
	    gnt_new(&card_dev.gnt, card_dev.dom))
		_exit(1);
}

/* As netback_xs.c does it: all is in the journal before anything is shown. */
static void start_card(struct mortal *m, const struct fakenic *nic)
{
	static struct log_limit limit;
	struct net_queue *q[VIF_MAX_QUEUES];
	struct net_keys k;

	for (unsigned int i = 0; i < nic->nqueues; i++) {
		k = nic->front[i]->keys;
		k.index = i;
		k.log = &m->card.queue[i];
		k.resume = atomic_load(&m->valid);
		if (netback_start(&q[i], &card_dev, &card_conf, nic->tap[i], &k,
				  &limit))
			_exit(1);
	}
	atomic_store(&m->valid, true);
	for (unsigned int i = 0; i < nic->nqueues; i++) {
		if (netback_run(q[i]))
			_exit(1);
	}
}

/* The control ring's end of a worker; it is the main thread's. */
static void start_ctrl(struct mortal *m, const struct fakenic *nic,
		       const uint32_t *at, struct net_ctrl *c,
		       struct evtchn_fd *e)
{
	static struct log_limit limit;
	static struct net_steer steer;

	if (net_steer_init(&steer, nic->nqueues) ||
	    net_ctrl_init(c, card_dev.gnt, &steer, &limit, at[0], &m->card.ctrl,
			  atomic_load(&m->valid)) ||
	    evtchn_fd_bind(e, card_dev.dom, at[1]))
		_exit(1);
	card_conf.steer = &steer;
}

static _Noreturn void serve_ctrl(struct net_ctrl *c, struct evtchn_fd *e)
{
	struct pollfd p = { .fd = e->kick, .events = POLLIN };
	uint64_t n;

	for (;;) {
		if (net_ctrl_poll(c, 1) < 0)
			_exit(1);
		if (net_ctrl_push(c))
			evtchn_fd_notify(e);
		if (!net_ctrl_arm(c) && poll(&p, 1, -1) > 0 &&
		    read(e->kick, &n, sizeof(n)) < 0)
			_exit(1);
	}
}

pid_t mortal_card(struct mortal *m, const struct fakenic *nic,
		  const uint32_t *ctrl)
{
	struct evtchn_fd e = EVTCHN_FD_INIT;
	static struct net_ctrl c;
	pid_t pid = fork_worker();

	if (pid)
		return pid;
	open_card(nic);
	if (ctrl)
		start_ctrl(m, nic, ctrl, &c, &e);
	start_card(m, nic);
	if (ctrl)
		serve_ctrl(&c, &e);
	for (;;)
		pause();
}
