// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/vbd_source.c - the process that connects a worker to its disk.
#include "dom0-backend/vbd_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/custody.h"
#include "dom0-backend/disk_link.h"
#include "dom0-backend/spawn.h"

#define PROGRAM	  "sv-blksource"
#define STABLE_MS 60000u /* one that lived so long is started at once */

/**
 * struct vbd_source - A process and what it is started with.
 * @link:  The worker's end, and its own.
 * @ready: It tells there how its first start went; -1 when that is known.
 * @fails: Starts in a row that did not last.
 */
struct vbd_source {
	pid_t pid;
	int link[2];
	int ready;
	unsigned int fails;
	uint64_t started_ns;
	unsigned int domid, devid;
	char device[32], *address, *format;
	int image;
	unsigned int nbacking;
	char *backing[IMAGE_MAX_BACKING];
	int backing_fd[IMAGE_MAX_BACKING];
};

/* Pairs of --name and value: eight, and two for each backing file. */
struct args {
	char *argv[1 + 2 * (8 + 2 * IMAGE_MAX_BACKING) + 1];
	unsigned int n;
	char number[6 + IMAGE_MAX_BACKING][12];
	unsigned int numbers;
	int fd[4 + IMAGE_MAX_BACKING];
	size_t nfd;
};

static void add(struct args *a, const char *name, char *value)
{
	/* The program does not write what it is started with. */
	a->argv[a->n++] = (char *)(uintptr_t)name;
	a->argv[a->n++] = value;
}

static void add_number(struct args *a, const char *name, unsigned int n)
{
	char *text = a->number[a->numbers++];

	snprintf(text, sizeof(a->number[0]), "%u", n);
	add(a, name, text);
}

static void add_fd(struct args *a, const char *name, int fd)
{
	add_number(a, name, (unsigned int)fd);
	a->fd[a->nfd++] = fd;
}

static void add_image(struct args *a, struct vbd_source *s, int custody)
{
	add(a, "--format", s->format);
	add_fd(a, "--image-fd", s->image);
	add_fd(a, "--custody-fd", custody);
	for (unsigned int i = 0; i < s->nbacking; i++) {
		add(a, "--backing", s->backing[i]);
		add_fd(a, "--backing-fd", s->backing_fd[i]);
	}
}

/* @ready: -1 or where it tells how it went. */
static int start(struct vbd_source *s, int ready)
{
	struct args a = { .argv = { (char *)(uintptr_t)PROGRAM }, .n = 1 };
	int ret, custody = -1;

	if (s->format) {
		custody = custody_open(CUSTODY_SERVED, s->domid, s->devid);
		if (custody < 0)
			return custody;
	}
	add(&a, "--device", s->device);
	add_number(&a, "--parent", (unsigned int)getpid());
	add_number(&a, "--delay-ms",
		   s->fails ? (unsigned int)spawn_delay_ms(s->fails - 1) : 0);
	add_fd(&a, "--link", s->link[1]);
	if (ready >= 0)
		add_fd(&a, "--ready", ready);
	if (s->address)
		add(&a, "--address", s->address);
	if (s->format)
		add_image(&a, s, custody);
	ret = spawn(&s->pid, PROGRAM, a.argv, a.fd, a.nfd);
	if (ret)
		s->pid = 0;
	fd_close(&custody);
	s->started_ns = util_clock_ns();
	return ret;
}

static int copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_strings(struct vbd_source *s,
			const struct vbd_source_config *cfg)
{
	int ret = copy(&s->address, cfg->address);

	if (!ret)
		ret = copy(&s->format, cfg->format);
	for (unsigned int i = 0; i < cfg->nbacking && !ret; i++)
		ret = copy(&s->backing[i], cfg->backing[i]);
	return ret;
}

/* A worker must not wait when nobody takes its questions. */
static int make_link(struct vbd_source *s)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->link) < 0)
		return -errno;
	return fcntl(s->link[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int vbd_source_new(struct vbd_source **out, const struct vbd_source_config *cfg)
{
	struct vbd_source *s = calloc(1, sizeof(*s));
	int ready[2] = { -1, -1 };
	int ret;

	if (!s)
		return -ENOMEM;
	s->link[0] = s->link[1] = s->ready = -1;
	s->domid = cfg->domid;
	s->devid = cfg->devid;
	snprintf(s->device, sizeof(s->device), "dom%u/vbd%u", s->domid,
		 s->devid);
	s->image = cfg->image;
	s->nbacking = cfg->nbacking;
	memcpy(s->backing_fd, cfg->backing_fd, sizeof(s->backing_fd));
	ret = copy_strings(s, cfg);
	if (!ret)
		ret = make_link(s);
	if (!ret && !cfg->patient && pipe2(ready, O_CLOEXEC) < 0)
		ret = -errno;
	if (!ret)
		ret = start(s, ready[1]);
	fd_close(&ready[1]);
	s->ready = ready[0];
	if (ret) {
		vbd_source_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

int vbd_source_ready(struct vbd_source *s, char *err, size_t errlen)
{
	struct pollfd p = { .fd = s->ready, .events = POLLIN };
	char why[DISK_LINK_WHY + 1] = "";
	ssize_t n;

	if (s->ready < 0)
		return 0;
	if (poll(&p, 1, 0) <= 0)
		return -EINPROGRESS;
	n = read(s->ready, why, sizeof(why) - 1);
	fd_close(&s->ready);
	if (n > 0 && !*why)
		return 0;
	snprintf(err, errlen, "%s",
		 n > 0 ? why : PROGRAM " has ended: see its log");
	return -EIO;
}

int vbd_source_link(const struct vbd_source *s)
{
	return s->link[0];
}

bool vbd_source_reaped(struct vbd_source *s, pid_t pid)
{
	int ret;

	if (!s->pid || s->pid != pid)
		return false;
	s->pid = 0;
	if (s->ready >= 0)
		return true; /* it has told why, or that is an answer, too */
	if (util_clock_ns() - s->started_ns > STABLE_MS * 1000000ull)
		s->fails = 0;
	log_err(PROGRAM " of %s has ended; started again", s->device);
	s->fails++;
	ret = start(s, -1);
	if (ret)
		log_err("cannot start " PROGRAM ": %s", strerror(-ret));
	return true;
}

pid_t vbd_source_quit(struct vbd_source *s)
{
	pid_t pid = s->pid;

	s->pid = 0;
	if (pid)
		kill(pid, SIGTERM);
	return pid;
}

bool vbd_source_over(const struct vbd_source *s)
{
	return !s->format || custody_free(CUSTODY_SERVED, s->domid, s->devid);
}

void vbd_source_free(struct vbd_source *s)
{
	if (!s)
		return;
	(void)vbd_source_quit(s);
	fd_close(&s->link[0]);
	fd_close(&s->link[1]);
	fd_close(&s->ready);
	free(s->address);
	free(s->format);
	for (unsigned int i = 0; i < s->nbacking; i++)
		free(s->backing[i]);
	free(s);
}
