// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/disk_uring.c - a disk image or block device through io_uring.
#include "dom0-backend/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <liburing.h>

#define MAX_TRIES 16 /* in a row that bring an operation no further */

/* Indices among the registered files. */
enum { DISK_FILE, TOLD_FILE, WITNESS_FILE, NFILES };

struct uring_queue {
	struct disk_queue base; /* first: they are one and the same */
	struct io_uring ring;
	const struct disk *disk;
	int kick;
	bool armed; /* a read of the kick is under way */
	uint64_t kicks;
	int bell;     /* an eventfd to be written to at the next run, or -1 */
	bool ringing; /* that is in the submission queue */
	bool look; /* with the next flush, whether an earlier one has failed */
	bool tell; /* @told of a failure that the guest is told by now */
};

static const struct disk_ops uring_ops;

static struct uring_queue *get_queue(struct disk_queue *base)
{
	return container_of(base, struct uring_queue, base);
}

/* What sysfs says of a block device; @absent if it says nothing. */
static uint64_t attribute(dev_t dev, const char *name, uint64_t absent)
{
	char path[96], text[24] = "";
	uint64_t n;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev),
		 minor(dev), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return absent;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? strcspn(text, "\n") : 0] = '\0';
	return util_u64(text, UINT64_MAX, &n) ? absent : n;
}

/* A partition's queue is the whole device's. */
static uint64_t queue_attribute(dev_t dev, const char *name, uint64_t absent)
{
	char path[64];
	uint64_t n;

	snprintf(path, sizeof(path), "queue/%s", name);
	n = attribute(dev, path, UINT64_MAX);
	if (n != UINT64_MAX)
		return n;
	snprintf(path, sizeof(path), "../queue/%s", name);
	return attribute(dev, path, absent);
}

/*
 * How a device gives space back.  A guest may read zeroes there afterwards, so
 * it is done by the device's way to write zeroes; where there is none, writing
 * them would be all there is.
 */
static void look_at_discard(struct disk *d, dev_t dev)
{
	uint64_t unit = queue_attribute(dev, "discard_granularity", 0);

	if (!queue_attribute(dev, "discard_max_bytes", 1) ||
	    !queue_attribute(dev, "write_zeroes_max_bytes", 1))
		d->discard = false;
	if (unit && unit <= UINT32_MAX)
		d->unit = (uint32_t)unit;
	d->align = (uint32_t)(attribute(dev, "discard_alignment", 0) % d->unit);
}

static int look_at_device(struct disk *d, dev_t dev, uint64_t *bytes)
{
	unsigned int physical;
	int logical;

	if (ioctl(d->fd, BLKGETSIZE64, bytes) < 0 ||
	    ioctl(d->fd, BLKSSZGET, &logical) < 0 ||
	    ioctl(d->fd, BLKPBSZGET, &physical) < 0)
		return -errno;
	/* Larger ones, of newer kernels, are what the page cache is for. */
	d->logical = MIN((uint32_t)logical, DISK_MAX_LOGICAL);
	d->physical = physical;
	d->unit = physical;
	look_at_discard(d, dev);
	return 0;
}

int disk_init(struct disk *d, int fd)
{
	struct stat st;
	uint64_t bytes;
	int flags = fcntl(fd, F_GETFL);
	int ret;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	*d = (struct disk){ .ops = &uring_ops,
			    .fd = fd,
			    .told = -1,
			    .witness = -1,
			    .readonly = (flags & O_ACCMODE) == O_RDONLY,
			    .logical = DISK_SECTOR,
			    .physical = DISK_SECTOR,
			    .unit = 4096 };
	d->discard = !d->readonly;
	if (S_ISBLK(st.st_mode)) {
		ret = look_at_device(d, st.st_rdev, &bytes);
		if (ret)
			return ret;
	} else if (S_ISREG(st.st_mode)) {
		bytes = (uint64_t)st.st_size;
	} else {
		return -ENOTBLK;
	}
	if (bytes == 0)
		return -ENODATA;
	if (bytes % DISK_SECTOR)
		return -EINVAL;
	if (bytes / DISK_SECTOR > DISK_MAX_SECTORS)
		return -EFBIG;
	d->sectors = bytes / DISK_SECTOR;
	return 0;
}

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

int disk_set_sector(struct disk *d, uint32_t logical, uint32_t physical)
{
	struct disk want = *d;

	if (logical)
		want.logical = logical;
	want.physical = physical ? physical : MAX(d->physical, want.logical);
	if ((want.logical != DISK_SECTOR && want.logical != DISK_MAX_LOGICAL) ||
	    want.logical < d->least || !is_power_of_two(want.physical) ||
	    want.physical < want.logical || want.physical > DISK_MAX_PHYSICAL ||
	    disk_unaligned(&want, disk_sectors(&want)))
		return -EINVAL;
	want.unit = MAX(d->unit, want.logical);
	*d = want;
	return 0;
}

/*
 * SYSCALLS: newfstatat/fstat
 * SYSCALLS, at times: ioctl:BLKGETSIZE64
 */
int disk_measure(struct disk *d)
{
	uint64_t unit = d->logical / DISK_SECTOR, bytes;
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode))
		bytes = (uint64_t)st.st_size;
	else if (ioctl(d->fd, BLKGETSIZE64, &bytes) < 0)
		return -errno;
	bytes = MIN(bytes / DISK_SECTOR, DISK_MAX_SECTORS);
	atomic_store_explicit(&d->sectors, bytes / unit * unit,
			      memory_order_relaxed);
	return 0;
}

static int make_ring(struct uring_queue *q, unsigned int depth)
{
	struct io_uring_params p = { .flags = IORING_SETUP_R_DISABLED };

	return io_uring_queue_init_params(depth, &q->ring, &p);
}

#define MAY(op)                                                   \
	{                                                         \
		.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = op \
	}

/*
 * An io_uring does more than a filter of system calls knows of; this one does what
 * it is for, whoever writes to its queue.
 */
static int restrict_ring(struct uring_queue *q)
{
	struct io_uring_restriction may[] = {
		MAY(IORING_OP_READ),
		MAY(IORING_OP_READV),
		MAY(IORING_OP_WRITE),
		MAY(IORING_OP_WRITEV),
		MAY(IORING_OP_FSYNC),
		MAY(IORING_OP_FALLOCATE),
		MAY(IORING_OP_ASYNC_CANCEL),
		MAY(IORING_OP_TIMEOUT), /* liburing's, on older kernels */
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		  .sqe_flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP,
		  .register_op = IORING_UNREGISTER_FILES },
	};

	/* io_uring_register_restrictions() is not in all of liburing's builds. */
	if (syscall(__NR_io_uring_register, q->ring.ring_fd,
		    IORING_REGISTER_RESTRICTIONS, may, ARRAY_SIZE(may)) < 0)
		return -errno;
	return 0;
}

/* SYSCALLS: io_uring_setup io_uring_register io_uring_enter mmap munmap close */
static int queue_new(struct disk_queue **out, const struct disk *d, int kick,
		     unsigned int depth)
{
	struct uring_queue *q = calloc(1, sizeof(*q));
	/* By their indices; an io_uring has them till its last operation ends. */
	const int files[NFILES] = { [DISK_FILE] = d->fd,
				    [TOLD_FILE] = d->told,
				    [WITNESS_FILE] = d->witness };
	int ret;

	if (!q)
		return -ENOMEM;
	q->base.ops = d->ops;
	q->disk = d;
	q->kick = kick;
	q->bell = -1;
	q->look = d->inherited && d->told >= 0;
	ret = make_ring(q, depth + 3); /* the kick, the bell, and tell() */
	if (ret)
		goto free;
	ret = io_uring_register_files(&q->ring, files, NFILES);
	if (!ret)
		ret = restrict_ring(q);
	if (ret)
		goto ring;
	*out = &q->base;
	return 0;

ring:
	io_uring_queue_exit(&q->ring);
free:
	free(q);
	return ret;
}

static void queue_free(struct disk_queue *base)
{
	struct uring_queue *q = get_queue(base);

	io_uring_queue_exit(&q->ring);
	free(q);
}

static int begin(struct disk_queue *base)
{
	struct uring_queue *q = get_queue(base);

	/* What io_uring_enable_rings() does; liburing 2.3 does not export it. */
	if (syscall(__NR_io_uring_register, q->ring.ring_fd,
		    IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		return -errno;
	return 0;
}

/*
 * The submission queue has a place for each operation that can be under way, and
 * operations under way take none.
 */
static struct io_uring_sqe *get_sqe(struct uring_queue *q)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);

	assert(sqe);
	return sqe;
}

static void prepare(struct io_uring_sqe *sqe, const struct disk_io *io)
{
	switch (io->op) {
	case DISK_READ:
		if (io->niov == 1)
			io_uring_prep_read(sqe, DISK_FILE, io->iov->iov_base,
					   (unsigned int)io->iov->iov_len,
					   io->off);
		else
			io_uring_prep_readv(sqe, DISK_FILE, io->iov, io->niov,
					    io->off);
		break;
	case DISK_WRITE:
		if (io->niov == 1)
			io_uring_prep_write(sqe, DISK_FILE, io->iov->iov_base,
					    (unsigned int)io->iov->iov_len,
					    io->off);
		else
			io_uring_prep_writev(sqe, DISK_FILE, io->iov, io->niov,
					     io->off);
		break;
	case DISK_FLUSH:
		io_uring_prep_fsync(sqe, io->again ? TOLD_FILE : DISK_FILE,
				    IORING_FSYNC_DATASYNC);
		break;
	case DISK_DISCARD:
		io_uring_prep_fallocate(sqe, DISK_FILE,
					FALLOC_FL_PUNCH_HOLE |
						FALLOC_FL_KEEP_SIZE,
					(off_t)io->off, (off_t)io->left);
		break;
	}
}

static void queue(struct uring_queue *q, struct disk_io *io)
{
	struct io_uring_sqe *sqe = get_sqe(q);

	prepare(sqe, io);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, io);
}

static void add(struct disk_queue *base, struct disk_io *io)
{
	struct uring_queue *q = get_queue(base);

	io->tries = MAX_TRIES;
	io->again = false;
	queue(q, io);
}

/*
 * The guest knows of a flush that has failed: our successor need not tell it.  Its
 * own completion is nobody's.
 */
static void tell(struct uring_queue *q)
{
	struct io_uring_sqe *sqe = get_sqe(q);

	q->tell = false;
	io_uring_prep_fsync(sqe, TOLD_FILE, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, &q->tell);
}

static void arm_kick(struct uring_queue *q)
{
	struct io_uring_sqe *sqe = get_sqe(q);

	io_uring_prep_read(sqe, q->kick, &q->kicks, sizeof(q->kicks), 0);
	io_uring_sqe_set_data(sqe, q);
	q->armed = true;
}

static void ring(struct disk_queue *base, int fd)
{
	get_queue(base)->bell = fd;
}

/* One that the kernel has not taken yet tells of all that was done since, too. */
static void write_bell(struct uring_queue *q)
{
	static const uint64_t one = 1;
	struct io_uring_sqe *sqe;

	if (q->bell < 0)
		return;
	if (!q->ringing) {
		sqe = get_sqe(q);
		io_uring_prep_write(sqe, q->bell, &one, sizeof(one), 0);
		io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
		io_uring_sqe_set_data(sqe, NULL);
		q->ringing = true;
	}
	q->bell = -1;
}

static int submit(struct uring_queue *q, uint64_t ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = (int64_t)(ns / 1000000000),
		.tv_nsec = (long long)(ns % 1000000000),
	};
	struct io_uring_cqe *cqe;

	if (ns == DISK_AWAKE)
		return io_uring_submit(&q->ring);
	if (ns == DISK_FOREVER)
		return io_uring_submit_and_wait(&q->ring, 1);
	return io_uring_submit_and_wait_timeout(&q->ring, &cqe, 1, &ts, NULL);
}

static void run(struct disk_queue *base, uint64_t ns)
{
	struct uring_queue *q = get_queue(base);
	int ret;

	if (!q->armed)
		arm_kick(q);
	write_bell(q);
	if (q->tell)
		tell(q);
	if (ns == DISK_AWAKE && !io_uring_sq_ready(&q->ring))
		return;
	ret = submit(q, ns);
	if (io_uring_sq_ready(&q->ring) == 0)
		q->ringing = false;
	/* Out of memory or interrupted for now: the next run tries again. */
	assert(ret >= 0 || ret == -EINTR || ret == -EAGAIN || ret == -EBUSY ||
	       ret == -ENOMEM || ret == -ETIME);
}

/*
 * A read left behind would live on for a while after the ring is closed, and
 * take a kick away from whoever reads the eventfd next.
 */
static void disarm_kick(struct uring_queue *q)
{
	struct io_uring_cqe *cqe;
	int ret;

	io_uring_prep_cancel(get_sqe(q), q, 0);
	while (q->armed) {
		ret = io_uring_submit_and_wait(&q->ring, 1);
		if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)
			break; /* it will not get better */
		while (io_uring_peek_cqe(&q->ring, &cqe) == 0) {
			if (io_uring_cqe_get_data(cqe) == q)
				q->armed = false;
			io_uring_cqe_seen(&q->ring, cqe);
		}
	}
}

static void end(struct disk_queue *base)
{
	struct uring_queue *q = get_queue(base);

	write_bell(q);
	(void)io_uring_submit(&q->ring);
	if (q->armed)
		disarm_kick(q);
	io_uring_unregister_files(&q->ring);
}

/* Take @n transferred bytes off the front of what is left. */
static void advance(struct disk_io *io, uint64_t n)
{
	io->off += n;
	io->left -= n;
	while (n && n >= io->iov->iov_len) {
		n -= io->iov->iov_len;
		io->iov++;
		io->niov--;
	}
	if (n) {
		io->iov->iov_base = (uint8_t *)io->iov->iov_base + n;
		io->iov->iov_len -= n;
	}
}

/*
 * Whether a flush that went well is to look for the failure of one that a dead
 * worker has made: to the file that both used, the kernel does not tell it again.
 */
static bool look_again(struct uring_queue *q, struct disk_io *io, int res)
{
	if (io->op != DISK_FLUSH || q->disk->told < 0)
		return false;
	if (res < 0)
		q->tell = !io->again;
	if (res < 0 || !q->look)
		return false;
	q->look = false;
	io->again = true;
	return true;
}

/*
 * Judge a completion.
 *
 * Return: true if the operation is done, with its @result; false if the rest of
 * it was queued again.
 */
static bool judge(struct uring_queue *q, struct disk_io *io, int res,
		  int *result)
{
	bool transfer = io->op == DISK_READ || io->op == DISK_WRITE;

	if (res >= 0 && transfer) {
		if (res == 0 || (uint64_t)res > io->left) {
			*result = -EIO; /* the file has become shorter */
			return true;
		}
		advance(io, (uint64_t)res);
		io->tries = MAX_TRIES;
	}
	if (look_again(q, io, res)) {
		queue(q, io);
		return false;
	}
	if (res >= 0 && (!transfer || io->left == 0)) {
		*result = 0;
		return true;
	}
	if (res < 0 && res != -EAGAIN && res != -EINTR) {
		*result = res;
		return true;
	}
	if (io->tries-- == 0) {
		*result = -EIO;
		return true;
	}
	queue(q, io);
	return false;
}

static bool pending(struct disk_queue *base)
{
	struct uring_queue *q = get_queue(base);

	return io_uring_cq_ready(&q->ring);
}

static struct disk_io *done(struct disk_queue *base, int *result)
{
	struct uring_queue *q = get_queue(base);
	struct io_uring_cqe *cqe;
	void *data;
	int res;

	while (io_uring_peek_cqe(&q->ring, &cqe) == 0) {
		data = io_uring_cqe_get_data(cqe);
		res = cqe->res;
		io_uring_cqe_seen(&q->ring, cqe);
		if (data == q)
			q->armed = false;
		else if (data && data != &q->tell &&
			 judge(q, data, res, result))
			return data;
	}
	return NULL;
}

/* What was started ends by itself: no file waits for another host. */
static void hurry(struct disk_queue *base)
{
	(void)base;
}

static void fini(struct disk *d)
{
	(void)d;
}

static const struct disk_ops uring_ops = {
	.queue_new = queue_new,
	.queue_free = queue_free,
	.begin = begin,
	.end = end,
	.add = add,
	.run = run,
	.ring = ring,
	.pending = pending,
	.done = done,
	.hurry = hurry,
	.fini = fini,
};
