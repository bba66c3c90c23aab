// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/disk_nbd.c - a disk that an NBD server holds.
#include "dom0-backend/disk_nbd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/nbd_conn.h"

#define MAX_IDLE 16u	    /* connections kept for the next queues */
#define TRIM_MAX (1u << 30) /* bytes of one command */
#define MS	 1000000ull

/**
 * struct source - What all queues of a disk share.
 * @export, @timeout: As the first connection had them.
 * @lock:   Of all below.
 * @idle:   @nidle connections that no queue uses.
 * @away:   Queues that wait for the server.
 * @limit:  Of lines about it.
 */
struct source {
	int link;
	struct nbd_export export;
	uint32_t timeout;
	pthread_mutex_t lock;
	struct nbd_conn idle[MAX_IDLE];
	unsigned int nidle;
	unsigned int away;
	struct log_limit limit;
};

/**
 * struct job - An operation under way.
 * @pending: Commands that have not ended.
 * @part:    Bytes of the discard's command.
 * @err:     Of the first that went wrong.
 * @lost:    One of them ended with the connection.
 */
struct job {
	TAILQ_ENTRY(job) link;
	struct nbd_queue *q;
	struct disk_io *io;
	unsigned int pending;
	uint64_t part;
	int err;
	bool lost;
};
TAILQ_HEAD(jobs, job);

/**
 * struct nbd_queue - A connection and what it is to do.
 * @waits:    Counted in the source's @away, since @since.
 * @failing:  The time for that is over.
 * @lost:     The server has said that it is going.
 * @hurry:    When the queue was told to end; 0 if it was not.
 */
struct nbd_queue {
	struct disk_queue base;
	struct source *src;
	int kick;
	struct nbd_conn conn;
	struct job *pool;
	struct jobs free, todo, sent, done;
	bool waits, failing, lost;
	uint64_t since, hurry;
};

static struct nbd_queue *get_queue(struct disk_queue *base)
{
	return container_of(base, struct nbd_queue, base);
}

/* ---- operations ------------------------------------------------------- */

static void move(struct job *j, struct jobs *from, struct jobs *to)
{
	TAILQ_REMOVE(from, j, link);
	TAILQ_INSERT_TAIL(to, j, link);
}

/* All commands of an operation have ended, with the connection still there. */
static void finish(struct job *j)
{
	struct disk_io *io = j->io;

	if (j->err || io->op != DISK_DISCARD || io->left == j->part) {
		move(j, &j->q->sent, &j->q->done);
		return;
	}
	io->off += j->part;
	io->left -= j->part;
	move(j, &j->q->sent, &j->q->todo);
}

/* The last one that ends, or the starter, decides. */
static void ended(void *arg, int err)
{
	struct job *j = arg;

	if (err == ENOTCONN || err == ESHUTDOWN)
		j->lost = true;
	else if (err && !j->err)
		j->err = -err;
	if (--j->pending)
		return;
	if (j->lost)
		j->q->lost = true; /* stays among the sent */
	else
		finish(j);
}

static void command(struct job *j, void *buf, uint64_t len, uint64_t off)
{
	int ret;

	j->pending++;
	ret = nbd_conn_start(&j->q->conn, j->io->op, buf, (size_t)len, off,
			     ended, j);
	if (ret)
		ended(j, -ret);
}

static void transfer(struct job *j)
{
	const struct disk_io *io = j->io;
	uint64_t off = io->off, max = j->q->conn.export.max, n;
	uint8_t *at;

	for (unsigned int i = 0; i < io->niov; i++) {
		at = io->iov[i].iov_base;
		for (uint64_t left = io->iov[i].iov_len; left; left -= n) {
			n = MIN(left, max);
			command(j, at, n, off);
			at += n;
			off += n;
		}
	}
}

/* The job itself counts as a command, so that none ends it too early. */
static void send_job(struct job *j)
{
	j->err = 0;
	j->lost = false;
	j->pending = 1;
	move(j, &j->q->todo, &j->q->sent);
	if (j->io->op == DISK_DISCARD) {
		j->part = MIN(j->io->left, TRIM_MAX);
		command(j, NULL, j->part, j->io->off);
	} else if (j->io->op == DISK_FLUSH) {
		command(j, NULL, 0, 0);
	} else {
		transfer(j);
	}
	ended(j, 0);
}

static void send_all(struct nbd_queue *q)
{
	/* What is put back meanwhile, the rest of a discard, waits a turn. */
	struct job *last = TAILQ_LAST(&q->todo, jobs), *j;

	while (q->conn.state == NBD_UP && last && !q->lost) {
		j = TAILQ_FIRST(&q->todo);
		send_job(j);
		if (j == last)
			break;
	}
}

/* What waits gets an error. */
static void give_up(struct nbd_queue *q, int err)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&q->todo))) {
		j->err = err;
		move(j, &q->todo, &q->done);
	}
}

/* ---- the connection, there or not --------------------------------------- */

/* One line when the first queue begins to wait, one when none does any more. */
static void note(struct nbd_queue *q, bool waits)
{
	struct source *src = q->src;

	if (q->waits == waits)
		return;
	q->waits = waits;
	q->failing = false;
	q->since = util_clock_ns();
	pthread_mutex_lock(&src->lock);
	if (waits && src->away++ == 0)
		log_limited(&src->limit, LOG_LVL_WARN,
			    "the disk's server is away: %s; requests wait",
			    q->conn.why);
	else if (!waits && --src->away == 0)
		log_limited(&src->limit, LOG_LVL_INFO,
			    "the disk's server is back");
	pthread_mutex_unlock(&src->lock);
}

/* To be sent again, before what was not sent yet. */
static void take_back(struct nbd_queue *q)
{
	struct job *j;

	while ((j = TAILQ_LAST(&q->sent, jobs))) {
		TAILQ_REMOVE(&q->sent, j, link);
		TAILQ_INSERT_HEAD(&q->todo, j, link);
	}
	q->lost = false;
}

/* Whether @ms have passed since @ns; @left becomes less if they will sooner. */
static bool passed(uint64_t ns, uint64_t ms, int *left)
{
	uint64_t now = util_clock_ns(), end = ns + ms * MS;

	if (now >= end)
		return true;
	*left = (int)MIN((unsigned int)*left, (end - now) / MS + 1);
	return false;
}

static void check_away(struct nbd_queue *q, int *left)
{
	uint64_t limit = q->conn.timeout * 1000ull;

	if (!limit || !passed(q->since, limit, left))
		return;
	if (!q->failing)
		log_warn("the disk's server has been away for %u s: requests "
			 "fail",
			 q->conn.timeout);
	q->failing = true;
	give_up(q, -EIO);
}

static bool is_idle(const struct nbd_queue *q)
{
	return TAILQ_EMPTY(&q->todo) && TAILQ_EMPTY(&q->sent);
}

/* Do what follows from how the connection stands; @left: ms to sleep at most. */
static void follow(struct nbd_queue *q, int *left)
{
	if (q->lost && q->conn.state == NBD_UP)
		nbd_conn_lose(&q->conn, "the server is shutting down");
	if (q->conn.state != NBD_UP)
		take_back(q);
	if (q->conn.state == NBD_UP && (!q->conn.fails || is_idle(q)))
		note(q, false);
	else if (q->conn.state != NBD_UP && q->conn.fails)
		note(q, true);
	if (q->waits && q->conn.state != NBD_UP)
		check_away(q, left);
	if (!q->hurry)
		return;
	if (q->conn.state == NBD_UP &&
	    passed(q->hurry, DISK_NBD_HURRY_MS, left))
		nbd_conn_lose(&q->conn, "the server does not answer");
	if (q->conn.state != NBD_UP) {
		take_back(q);
		give_up(q, -ECANCELED);
	}
}

static void run(struct disk_queue *base, uint64_t ns)
{
	struct nbd_queue *q = get_queue(base);
	int left = ns / MS < INT_MAX ? (int)(ns / MS + (ns % MS != 0)) : -1;
	uint64_t kicks;

	follow(q, &left);
	send_all(q);
	if (!TAILQ_EMPTY(&q->done) || q->lost)
		left = 0;
	if (nbd_conn_poll(&q->conn, q->kick, left) &&
	    read(q->kick, &kicks, sizeof(kicks)) < 0)
		log_warn("cannot read a kick: %s", strerror(errno));
	left = 0;
	follow(q, &left);
}

static struct disk_io *done(struct disk_queue *base, int *result)
{
	struct nbd_queue *q = get_queue(base);
	struct job *j = TAILQ_FIRST(&q->done);

	if (!j)
		return NULL;
	*result = j->err;
	move(j, &q->done, &q->free);
	return j->io;
}

static void add(struct disk_queue *base, struct disk_io *io)
{
	struct nbd_queue *q = get_queue(base);
	/* There are as many as operations that can be under way. */
	struct job *j = TAILQ_FIRST(&q->free);

	j->io = io;
	j->err = 0;
	move(j, &q->free, &q->todo);
}

static void hurry(struct disk_queue *base)
{
	struct nbd_queue *q = get_queue(base);

	if (!q->hurry)
		q->hurry = util_clock_ns();
}

/* ---- queues ------------------------------------------------------------- */

static void take_idle(struct nbd_queue *q)
{
	struct source *src = q->src;

	nbd_conn_init(&q->conn, src->link);
	pthread_mutex_lock(&src->lock);
	if (src->nidle)
		q->conn = src->idle[--src->nidle];
	pthread_mutex_unlock(&src->lock);
	q->conn.want = src->export;
	q->conn.timeout = src->timeout;
}

/* Keep the connection for the guest's next one: some servers go after one. */
static void put_idle(struct nbd_queue *q)
{
	struct source *src = q->src;

	pthread_mutex_lock(&src->lock);
	if (q->conn.state == NBD_UP && src->nidle < MAX_IDLE)
		src->idle[src->nidle++] = q->conn;
	else
		nbd_conn_fini(&q->conn);
	pthread_mutex_unlock(&src->lock);
	nbd_conn_init(&q->conn, src->link);
}

static int queue_new(struct disk_queue **out, const struct disk *d, int kick,
		     unsigned int depth)
{
	struct nbd_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->pool = calloc(depth, sizeof(*q->pool));
	if (!q->pool) {
		free(q);
		return -ENOMEM;
	}
	q->base.ops = d->ops;
	q->src = d->priv;
	q->kick = kick;
	TAILQ_INIT(&q->free);
	TAILQ_INIT(&q->todo);
	TAILQ_INIT(&q->sent);
	TAILQ_INIT(&q->done);
	for (unsigned int i = 0; i < depth; i++) {
		q->pool[i].q = q;
		TAILQ_INSERT_TAIL(&q->free, &q->pool[i], link);
	}
	take_idle(q);
	*out = &q->base;
	return 0;
}

static void end(struct disk_queue *base)
{
	struct nbd_queue *q = get_queue(base);

	pthread_mutex_lock(&q->src->lock);
	q->src->away -= q->waits;
	pthread_mutex_unlock(&q->src->lock);
	q->waits = false;
	put_idle(q);
}

static void queue_free(struct disk_queue *base)
{
	struct nbd_queue *q = get_queue(base);

	end(base);
	free(q->pool);
	free(q);
}

static int begin(struct disk_queue *base)
{
	(void)base;
	return 0;
}

static void fini(struct disk *d)
{
	struct source *src = d->priv;

	while (src->nidle)
		nbd_conn_fini(&src->idle[--src->nidle]);
	fd_close(&src->link);
	pthread_mutex_destroy(&src->lock);
	free(src);
	d->ops = NULL;
}

static const struct disk_ops nbd_ops = {
	.queue_new = queue_new,
	.queue_free = queue_free,
	.begin = begin,
	.end = end,
	.add = add,
	.run = run,
	.done = done,
	.hurry = hurry,
	.fini = fini,
};

/* ---- the first connection ------------------------------------------------ */

/* The unit of requests, in bytes, that fits a server's blocks. */
static uint32_t sector_of(const struct nbd_export *e)
{
	return e->min > DISK_SECTOR ? DISK_MAX_LOGICAL : DISK_SECTOR;
}

static int judge(const struct nbd_export *e, char *why, size_t size)
{
	int ret = 0;

	if (e->bytes == 0)
		ret = -ENODATA;
	else if (sector_of(e) % e->min || e->bytes % sector_of(e))
		ret = -EINVAL;
	else if (e->bytes / DISK_SECTOR > DISK_MAX_SECTORS)
		ret = -EFBIG;
	if (ret)
		snprintf(why, size,
			 "the server's disk has %llu bytes in blocks of %u: a "
			 "whole number of sectors of 512 bytes, or 4096 for "
			 "larger blocks, is needed",
			 (unsigned long long)e->bytes, e->min);
	return ret;
}

static void describe(struct disk *d, const struct nbd_export *e)
{
	d->readonly = e->readonly;
	d->noflush = !e->flush;
	d->discard = e->trim && !e->readonly;
	d->queues = e->multi ? 0 : 1;
	d->sectors = e->bytes / DISK_SECTOR;
	d->logical = d->least = sector_of(e);
	d->physical = MIN(MAX(e->unit, d->logical), 4096u);
	d->unit = d->physical;
}

static int first_connection(struct source *src, char *why, size_t size)
{
	struct nbd_conn *c = &src->idle[0];
	uint64_t start = util_clock_ns();
	int left = (int)DISK_NBD_START_MS;

	nbd_conn_init(c, src->link);
	c->first = true;
	src->nidle = 1;
	while (c->state != NBD_UP) {
		if (passed(start, DISK_NBD_START_MS, &left)) {
			snprintf(why, size,
				 "cannot connect to the disk's server: %s",
				 c->why);
			return -ETIMEDOUT;
		}
		nbd_conn_poll(c, -1, left);
	}
	src->export = c->export;
	src->timeout = c->timeout;
	return judge(&c->export, why, size);
}

int disk_nbd_init(struct disk *d, int link, char *why, size_t size)
{
	struct source *src = calloc(1, sizeof(*src));
	int ret;

	*d = (struct disk){ .fd = -1,
			    .logical = DISK_SECTOR,
			    .physical = DISK_SECTOR };
	if (!src) {
		snprintf(why, size, "out of memory");
		fd_close(&link);
		return -ENOMEM;
	}
	src->link = link;
	pthread_mutex_init(&src->lock, NULL);
	d->ops = &nbd_ops;
	d->priv = src;
	ret = first_connection(src, why, size);
	if (!ret)
		describe(d, &src->export);
	return ret;
}
