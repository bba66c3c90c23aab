// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/blksource_main.c - sv-blksource: connects a worker to its disk.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sandbox.h"
#include "dom0-backend/blksource.h"
#include "dom0-backend/custody.h"
#include "dom0-backend/image_serve.h"

#define START_MS 10000 /* for a server of ours to show up */
#define LOOK_US	 5000  /* from one look for another server's end to the next */

/**
 * struct source - One disk, on a server of the configuration or of ours.
 * @ready:  To tell sv-backend how the start went: a line or, if well, none.
 * @image:  -1 for a remote disk; open till we end, for its lock, as are the
 *          files below it.
 * @signal: Readable when we are to end, or the server has.
 * @kept:   Of a remote disk.
 * @served: A worker has had a connection to our server.
 */
struct source {
	char who[64];
	int link, ready, image, signal;
	pid_t parent;
	unsigned int delay_ms;
	const char *address;
	struct nbd_uri uri;
	struct blksource_kept kept;
	struct image_serve serve;
	bool served;
};

static unsigned int number(const char *name, const char *value)
{
	uint64_t v;

	if (util_u64(value, INT32_MAX, &v))
		die("--%s %s: must be a number", name, value);
	return (unsigned int)v;
}

/* A file below those so far: FORMAT:PATH; its descriptor comes next. */
static void add_backing(struct source *s, const char *value)
{
	struct image_file *f;

	if (s->serve.nfiles > IMAGE_MAX_BACKING)
		die("--backing %s: too many", value);
	f = &s->serve.file[s->serve.nfiles++];
	f->fd = -1;
	f->format = image_format_find(value, strcspn(value, ":"));
	f->name = value + strcspn(value, "/");
}

static void take_option(struct source *s, const char *name, const char *value)
{
	struct image_serve *i = &s->serve;

	if (!strcmp(name, "device"))
		snprintf(s->who, sizeof(s->who), "blksource %s", value);
	else if (!strcmp(name, "link"))
		s->link = (int)number(name, value);
	else if (!strcmp(name, "ready"))
		s->ready = (int)number(name, value);
	else if (!strcmp(name, "parent"))
		s->parent = (pid_t)number(name, value);
	else if (!strcmp(name, "delay-ms"))
		s->delay_ms = number(name, value);
	else if (!strcmp(name, "image-fd"))
		s->image = (int)number(name, value);
	else if (!strcmp(name, "custody-fd"))
		i->custody = (int)number(name, value);
	else if (!strcmp(name, "address"))
		s->address = value;
	else if (!strcmp(name, "format"))
		i->file[0].format = image_format_find(value, strlen(value));
	else if (!strcmp(name, "backing"))
		add_backing(s, value);
	else if (!strcmp(name, "backing-fd"))
		i->file[i->nfiles - 1].fd = (int)number(name, value);
	else
		die("--%s %s: unknown option; see sv-backend(8)", name, value);
}

/* For no program that we start, and where no server wants its socket. */
static bool keep_to_us(int fd)
{
	return fd < 0 || (fd > 3 && !fd_cloexec(fd, true));
}

static void parse(struct source *s, int argc, char **argv)
{
	struct image_serve *serve = &s->serve;
	bool good;

	serve->nfiles = 1;
	serve->custody = -1;
	for (int i = 1; i < argc; i += 2) {
		const char *name = argv[i] + 2, *value = argv[i + 1];

		if (strncmp(argv[i], "--", 2) != 0 || !value)
			die("%s: options are --name value; see sv-backend(8)",
			    argv[i]);
		take_option(s, name, value);
	}
	if (s->link < 0 || !s->parent ||
	    (s->image < 0 ? !s->address
			  : !serve->file[0].format || serve->custody < 0))
		die("run by sv-backend only");
	serve->file[0].fd = s->image;
	good = keep_to_us(s->link) && keep_to_us(s->ready) &&
	       keep_to_us(serve->custody);
	for (unsigned int i = 0; i < serve->nfiles && good; i++)
		good = keep_to_us(serve->file[i].fd);
	if (!good)
		die("a descriptor is not there: run by sv-backend only");
}

/* The start is over: well, or with a line that says why not. */
static void tell(struct source *s, const char *why)
{
	if (s->ready >= 0 && fd_write_all(s->ready, why, strlen(why) + 1))
		log_warn("cannot tell sv-backend: %s", strerror(errno));
	fd_close(&s->ready);
}

static _Noreturn void fail(struct source *s, const char *why)
{
	tell(s, why);
	die("%s", why);
}

/* ---- a disk of another host's ---------------------------------------------- */

static int connect_remote(void *arg, char *why, size_t size)
{
	struct source *s = arg;
	int fd = blksource_connect(&s->uri, why, size), ret;

	if (fd < 0)
		return fd;
	ret = blksource_keep(&s->kept, fd);
	if (!ret)
		return fd;
	fd_close(&fd);
	snprintf(why, size, "too many connections");
	return ret;
}

static int settle_remote(void *arg, char *why, size_t size)
{
	struct source *s = arg;
	int ret = blksource_settle(&s->kept);

	if (ret)
		snprintf(why, size,
			 "the server has still to end what a worker that died "
			 "has asked for");
	return ret;
}

static void serve_remote(struct source *s)
{
	static const struct blksource_ops ops = { connect_remote,
						  settle_remote };
	const char *wrong;
	char why[DISK_LINK_WHY] = "";
	int fd, ret = sandbox_enter();

	if (ret)
		die("cannot drop privileges: %s", strerror(-ret));
	if (nbd_uri_parse(&s->uri, s->address, &wrong))
		fail(s, wrong);
	if (s->ready >= 0) {
		fd = blksource_connect(&s->uri, why, sizeof(why));
		if (fd < 0)
			fail(s, why);
		fd_close(&fd);
		tell(s, "");
	}
	do {
		ret = blksource_answer(s->link, &s->uri, &ops, s);
	} while (ret != -EPIPE);
}

/* ---- an image that qemu-nbd reads ------------------------------------------ */

static int connect_image(void *arg, char *why, size_t size)
{
	struct source *s = arg;
	int ret = image_serve_start(&s->serve);

	if (!ret)
		ret = image_serve_connect();
	if (ret < 0)
		snprintf(why, size, "cannot start qemu-nbd: %s",
			 strerror(-ret));
	return ret;
}

static int connect_worker(void *arg, char *why, size_t size)
{
	struct source *s = arg;

	s->served = true;
	return connect_image(arg, why, size);
}

static int settle_image(void *arg, char *why, size_t size)
{
	struct source *s = arg;

	(void)why;
	(void)size;
	if (s->served)
		image_serve_stop(&s->serve);
	return 0;
}

/* Take signals; Return: whether we are to end. */
static bool take_signal(struct source *s)
{
	struct signalfd_siginfo info;
	char why[DISK_LINK_WHY];

	if (read(s->signal, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return false;
	if (info.ssi_signo == SIGTERM)
		return true;
	if (s->serve.pid && image_serve_ended(&s->serve, why, sizeof(why)))
		log_warn("qemu-nbd has ended (%s); it is started again when it "
			 "is needed",
			 why);
	return false;
}

/* The server greets whoever connects, once it has opened the image. */
static void wait_for_server(struct source *s)
{
	struct pollfd p[2] = { { .fd = s->signal, .events = POLLIN },
			       { .events = POLLIN } };
	char why[DISK_LINK_WHY] = "qemu-nbd does not answer";
	int fd = connect_image(s, why, sizeof(why));

	if (fd < 0)
		fail(s, why);
	p[1].fd = fd;
	/* A signal may be about anything; a server that has ended stays so. */
	while (poll(p, 2, START_MS) > 0 && !p[1].revents) {
		struct signalfd_siginfo info;

		if (read(s->signal, &info, sizeof(info)) < 0 ||
		    info.ssi_signo == SIGTERM ||
		    image_serve_ended(&s->serve, why, sizeof(why)))
			break;
	}
	fd_close(&fd);
	if (p[1].revents & POLLIN) {
		tell(s, "");
		return;
	}
	image_serve_stop(&s->serve);
	fail(s, why);
}

static void watch_signals(struct source *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	s->signal = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		die("cannot watch for signals: %s", strerror(errno));
}

/*
 * If another sv-blksource was killed, its server may still be about to end. It has
 * been told to, and has as long as one of ours.
 */
static void wait_for_another(int custody)
{
	uint64_t end = util_clock_ns() + IMAGE_SERVE_STOP_MS * 1000000ull;
	int ret = custody_sign(custody, CUSTODY_WORKER);

	while (!ret && (ret = custody_lock(custody)) == -EAGAIN) {
		if (util_clock_ns() > end) {
			log_warn("the last qemu-nbd does not end in %u s: "
				 "killed",
				 IMAGE_SERVE_STOP_MS / 1000);
			custody_signal_others(custody, SIGKILL);
			end = UINT64_MAX;
		}
		usleep(LOOK_US);
		ret = 0;
	}
	if (ret)
		die("cannot tell whether a qemu-nbd lives: %s", strerror(-ret));
	custody_unlock(custody);
}

static void serve_image(struct source *s)
{
	static const struct blksource_ops ops = { connect_worker,
						  settle_image };
	struct pollfd p[2] = { { .fd = s->link, .events = POLLIN },
			       { .events = POLLIN } };
	char why[DISK_LINK_WHY];
	int flags = fcntl(s->image, F_GETFL), ret = 0;

	s->serve.readonly = (flags & O_ACCMODE) == O_RDONLY;
	s->serve.direct = flags & O_DIRECT;
	wait_for_another(s->serve.custody);
	watch_signals(s);
	if (image_serve_enter(&s->serve, why, sizeof(why)))
		fail(s, why);
	if (s->ready >= 0)
		wait_for_server(s);
	p[1].fd = s->signal;
	while (ret != -EPIPE) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents && take_signal(s))
			break;
		if (p[0].revents)
			ret = blksource_answer(s->link, &s->uri, &ops, s);
	}
	image_serve_stop(&s->serve);
}

int main(int argc, char **argv)
{
	struct source s = { .link = -1, .ready = -1, .image = -1 };

	log_init("blksource", LOG_LVL_INFO);
	signal(SIGPIPE, SIG_IGN);
	paths_init();
	log_set_cap(LOG_CAP);
	parse(&s, argc, argv);
	log_init(s.who, LOG_LVL_INFO);
	if (sandbox_end_with(s.parent))
		die("cannot end with sv-backend");
	usleep(s.delay_ms * 1000);
	if (s.image < 0)
		serve_remote(&s);
	else
		serve_image(&s);
	return 0;
}
