// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/mortal.c - block workers in processes that die at a given step.
#include "tests/lib/mortal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <liburing.h>

#include "dom0-backend/evtchn_fd.h"

static struct mortal *mortal;

static void step(void)
{
	if (atomic_fetch_add(&mortal->steps, 1) + 1 ==
	    atomic_load(&mortal->die_at))
		kill(getpid(), SIGKILL);
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
	pid_t pid = fork();

	if (pid < 0) {
		perror("mortal: fork");
		abort();
	}
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (init(&disk, arg))
		_exit(1);
	serve(m, domid, fb, n, &disk);
}
