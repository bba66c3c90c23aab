// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/backends.c - the parent's devices: found, started, ended.
#include "dom0-backend/backends.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sock.h"
#include "dom0-backend/custody.h"
#include "dom0-backend/device.h"
#include "dom0-backend/disk.h"
#include "dom0-backend/journal.h"
#include "dom0-backend/link_nl.h"
#include "dom0-backend/net_journal.h"
#include "dom0-backend/spawn.h"
#include "dom0-backend/vbd_setup.h"
#include "dom0-backend/vif_setup.h"
#include "dom0-backend/xb_state.h"
#include "dom0-backend/xs_watch.h"

#define ROOT	   "/local/domain/0/backend"
#define MAX_FDS	   (2 + VIF_MAX_QUEUES)
#define MAX_ARGS   28
#define ARG_SIZE   160
#define DOMID_MAX  0x7fefu
#define QUICK	   20u /* deaths in a row after which the next waits */
#define PARDON_MS  25u /* of life, for one death */
#define FORBIDDEN  20u /* deaths in a row by a call that is not allowed */
#define CALM_NS	   UINT64_C(1000000000) /* of life, that end such a row */
#define DOM_TRIES  7u  /* 12 s in all, for a domain that is being made */
#define FREE_TRIES 10u /* 20 s in all, for what a dead parent's workers hold */
#define KILL_MS	   5000u /* that a worker has to end by itself */
#define CLAIM_MS   2u	 /* between looks whether another worker has ended */
#define CLAIMS	   250u	 /* looks, till it is killed; then they become rare */
#define RARE_MS	   100u
#define SERVED	   (CLAIMS + 300u) /* looks, till a server is killed: 30 s */
#define SERVED_MS  35000u /* that sv-blksource has to end, with its server */
#define LOOKS	   2u	  /* after the last worker without a device has ended */
#define READY_MS   20u	  /* from one look at the host's end to the next */
#define HEAL_MS	   50u	  /* from news of an interface to a look at all */
#define RELOAD_MS  200u	  /* that a new worker must live before the next */

/* What a worker is started with. */
struct start {
	char arg[MAX_ARGS][ARG_SIZE];
	unsigned int narg;
	int fd[MAX_FDS];
	size_t nfd;
};

struct backend;

/**
 * struct type - One type of device.
 * @prepare: Make the host's end.  On failure @err has one line for the user.
 * @tell:    Write what the host's end is to the store, in a transaction.
 * @args:    Add what the worker needs of it.
 * @ready:   If set: whether the host's end can be used; -EINPROGRESS till that is
 *           known.  On failure as @prepare; -EAGAIN if it may go well when the end
 *           is made anew.
 * @lost:    If set: whether somebody has removed the host's end.
 * @heal:    If set: interfaces have changed: set the host's end right.  Return: 1 if
 *           that was done, 0 if there is nothing to do; else as @prepare.
 * @carrier: If set: whether the guest has a link.
 * @reaped:  If set: whether @pid was a process of the host's end.
 * @quit:    If set: begin to end that process; its id, or 0 if there is none.
 * @served:  If set: the custody of what that process has started.
 * @undo:    Unmake it.
 * @journal: Bytes of what its workers leave to their successors; 0: nothing.
 * @stats:   Where in it they count.
 * @overlap: The host's end is made before a worker of another parent ends, with
 *           which it would go.
 */
struct type {
	const char *name, *program, *served;
	size_t journal, stats;
	bool overlap;
	int (*prepare)(struct backend *b, char *err, size_t errlen);
	int (*tell)(struct backend *b);
	void (*args)(struct backend *b, struct start *s);
	int (*ready)(struct backend *b, char *err, size_t errlen);
	bool (*lost)(struct backend *b);
	int (*heal)(struct backend *b, char *err, size_t errlen);
	bool (*carrier)(struct backend *b);
	bool (*reaped)(struct backend *b, pid_t pid);
	pid_t (*quit)(struct backend *b);
	void (*undo)(struct backend *b);
};

/**
 * enum phase - Where a device stands.
 * @WAITING:  For the domain's socket, for what is left of another worker, or for a
 *            restart; the timer runs.
 * @RUNNING:  A worker has @pid.
 * @LEAVING:  The directory is gone, the worker was told to end, or has ended and
 *            left something; timer runs.
 * @FAILED:   The toolstack was told why; nothing is held.
 * @DETACHED: The worker ended in good order; nothing is held.
 */
enum phase { WAITING, RUNNING, LEAVING, FAILED, DETACHED };

struct backend {
	LIST_ENTRY(backend) link;
	struct backends *all;
	const struct type *type;
	unsigned int domid, devid;
	char path[128];
	enum phase phase;
	bool prepared;
	bool adopted;		/* another sv-backend has begun it */
	bool told;		/* the toolstack knows that it is connected */
	bool ending;		/* the worker has; @pid is what served it */
	bool reload;		/* its worker is to be replaced */
	int carrier;		/* as told to the guest; -1: not yet */
	int ailing;		/* -errno of heal() that was told */
	bool served;		/* by a worker of ours */
	int journal;		/* locked, for the next worker; else -1 */
	unsigned int fails;	/* deaths of workers, as far as not pardoned */
	unsigned int forbidden; /* of them in a row by what they may not do */
	unsigned int tries;	/* for what was not there or not free */
	unsigned int claims;	/* looks for another worker's end */
	uint64_t started_ns;
	pid_t pid;
	struct event *timer;
	union {
		struct vbd_disk disk;
		struct vif_link link;
	} end;
};

struct backends {
	struct event_base *base;
	struct store *store;
	struct store_watch *watch;
	struct event *reload_ev, *orphans_ev, *links_ev, *heal_ev;
	struct link_nl *nl, *links; /* to ask, and to be told */
	unsigned int looks;
	bool stopping;
	bool free; /* workers are without their sandbox */
	LIST_HEAD(backend_list, backend) list;
};

/* A key's text, or "" if it is missing.  *Owned* by the caller. */
static char *key(struct backend *b, const char *name)
{
	char *text;

	if (store_read(b->all->store, &text, "%s/%s", b->path, name))
		text = strdup("");
	return text;
}

/* A number that the toolstack may have written. */
static int number(struct backend *b, const char *name, uint64_t max,
		  uint64_t absent, uint64_t *out, char *err, size_t errlen)
{
	int ret = store_read_opt(b->all->store, absent, max, out, "%s/%s",
				 b->path, name);

	if (ret)
		snprintf(err, errlen, "%s/%s is not a number up to %llu",
			 b->path, name, (unsigned long long)max);
	return ret;
}

static void __attribute__((format(printf, 2, 3)))
add_arg(struct start *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->arg[s->narg++], ARG_SIZE, fmt, ap);
	va_end(ap);
}

/* ---- vbd ------------------------------------------------------------- */

/* Sector sizes are also what a worker told the guest: its successor keeps them. */
static int numbers_vbd(struct backend *b, struct vbd_config *cfg, char *err,
		       size_t errlen)
{
	uint64_t logical, physical, direct;
	int ret = number(b, "sector-size", DISK_MAX_LOGICAL, 0, &logical, err,
			 errlen);

	if (!ret)
		ret = number(b, "physical-sector-size", DISK_MAX_PHYSICAL, 0,
			     &physical, err, errlen);
	if (!ret)
		ret = number(b, "direct-io", 1, UINT64_MAX, &direct, err,
			     errlen);
	if (ret)
		return ret;
	cfg->logical = (uint32_t)logical;
	cfg->physical = (uint32_t)physical;
	cfg->direct = direct == UINT64_MAX ? VBD_DIRECT_AUTO
		      : direct		   ? VBD_DIRECT_YES
					   : VBD_DIRECT_NO;
	return 0;
}

/*
 * Keys backing-1, backing-2 and so on, as far as there are any, into @at, which
 * has a place for one too many.
 */
static int read_backing(struct backend *b, char **at, unsigned int *n,
			char *err, size_t errlen)
{
	int ret = 0;

	for (*n = 0; *n <= IMAGE_MAX_BACKING; (*n)++) {
		ret = store_read(b->all->store, &at[*n], "%s/backing-%u",
				 b->path, *n + 1);
		if (ret)
			break;
	}
	if (ret == -ENOENT)
		return 0;
	if (ret)
		snprintf(err, errlen, "%s/backing-%u: %s", b->path, *n + 1,
			 strerror(-ret));
	else
		snprintf(err, errlen,
			 "%s has more than %u backing files: merge some of "
			 "them with qemu-img commit",
			 b->path, IMAGE_MAX_BACKING);
	return ret ? ret : -E2BIG;
}

/* What is left to be known of a disk. */
static int open_vbd(struct backend *b, struct vbd_config *cfg, char *err,
		    size_t errlen)
{
	char *backing[IMAGE_MAX_BACKING + 1] = { NULL };
	int ret = numbers_vbd(b, cfg, err, errlen);

	if (!ret)
		ret = read_backing(b, backing, &cfg->nbacking, err, errlen);
	for (unsigned int i = 0; i < IMAGE_MAX_BACKING; i++)
		cfg->backing[i] = backing[i];
	if (!ret)
		ret = vbd_open(cfg, &b->end.disk, err, errlen);
	for (unsigned int i = 0; i < ARRAY_SIZE(backing); i++)
		free(backing[i]);
	return ret;
}

static int prepare_vbd(struct backend *b, char *err, size_t errlen)
{
	char *params = key(b, "params"), *mode = key(b, "mode");
	char *type = key(b, "device-type");
	struct vbd_config cfg = { .domid = b->domid,
				  .devid = b->devid,
				  .patient = b->adopted };
	int ret = -ENOMEM;

	snprintf(err, errlen, "out of memory");
	if (params && mode && type) {
		cfg.params = params;
		/* Whatever the mode, nobody writes to a CD-ROM. */
		cfg.mode = strcmp(type, "cdrom") == 0 ? "r" : mode;
		ret = open_vbd(b, &cfg, err, errlen);
	}
	free(params);
	free(mode);
	free(type);
	return ret;
}

static int tell_vbd(struct backend *b)
{
	const struct vbd_file *f = &b->end.disk.image;
	char dev[32];
	int ret;

	ret = store_write(b->all->store, f->path, "%s/physical-device-path",
			  b->path);
	if (ret || !f->rdev)
		return ret;
	snprintf(dev, sizeof(dev), "%x:%x", major(f->rdev), minor(f->rdev));
	return store_write(b->all->store, dev, "%s/physical-device", b->path);
}

static void args_vbd(struct backend *b, struct start *s)
{
	const struct vbd_disk *d = &b->end.disk;
	int fd = d->source ? vbd_source_link(d->source) : d->image.fd;

	add_arg(s, d->source ? "--disk-link" : "--disk-fd");
	add_arg(s, "%d", fd);
	s->fd[s->nfd++] = fd;
	if (d->told >= 0) {
		add_arg(s, "--told-fd");
		add_arg(s, "%d", d->told);
		s->fd[s->nfd++] = d->told;
	}
	add_arg(s, "--sector-size");
	add_arg(s, "%u", d->logical);
	add_arg(s, "--physical-sector-size");
	add_arg(s, "%u", d->physical);
}

static int ready_vbd(struct backend *b, char *err, size_t errlen)
{
	return vbd_ready(&b->end.disk, err, errlen);
}

static bool reaped_vbd(struct backend *b, pid_t pid)
{
	struct vbd_source *s = b->end.disk.source;

	return s && vbd_source_reaped(s, pid);
}

static pid_t quit_vbd(struct backend *b)
{
	struct vbd_source *s = b->end.disk.source;

	return s ? vbd_source_quit(s) : 0;
}

static void undo_vbd(struct backend *b)
{
	vbd_close(&b->end.disk);
}

/* ---- vif ------------------------------------------------------------- */

/*
 * More queues than new guests get, if one that was saved has them; UNTRUSTED, and
 * never more than any guest may have.  0: as new ones.
 */
static unsigned int queues_in_use(struct backend *b)
{
	char *fe = key(b, "frontend");
	uint64_t n = 0;

	if (!fe ||
	    store_read_opt(b->all->store, 0, VIF_MAX_QUEUES, &n,
			   "%s/multi-queue-num-queues", fe) ||
	    n <= device_max_queues(VIF_MAX_QUEUES))
		n = 0;
	free(fe);
	return (unsigned int)n;
}

/* Call @fn with what the toolstack asks for. */
static int with_config(struct backend *b, char *err, size_t errlen,
		       int (*fn)(struct backend *b,
				 const struct vif_config *cfg, char *err,
				 size_t errlen))
{
	static const char *const names[] = {
		"vifname", "bridge",	"vlan",		  "net",       "mac",
		"ip",	   "antispoof", "hotplug-script", "gatewaydev"
	};
	struct vif_config cfg = { .domid = b->domid,
				  .devid = b->devid,
				  .queues = queues_in_use(b),
				  .adopt = b->adopted };
	const char **field[] = { &cfg.vifname, &cfg.bridge, &cfg.vlan,
				 &cfg.net,     &cfg.mac,    &cfg.ip,
				 &cfg.guard,   &cfg.script, &cfg.gatewaydev };
	char *text[ARRAY_SIZE(names)];
	uint64_t mtu;
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		*field[i] = text[i] = key(b, names[i]);
	/* What ip= was, before we may have written to it: see tell_vif(). */
	if (!store_exists(b->all->store, "%s/antispoof", b->path))
		cfg.guard = cfg.ip;
	ret = number(b, "mtu", 65535, 0, &mtu, err, errlen);
	if (!ret) {
		cfg.mtu = (unsigned int)mtu;
		ret = fn(b, &cfg, err, errlen);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		free(text[i]);
	return ret;
}

static int open_vif(struct backend *b, const struct vif_config *cfg, char *err,
		    size_t errlen)
{
	return vif_open(cfg, &b->end.link, err, errlen);
}

static int prepare_vif(struct backend *b, char *err, size_t errlen)
{
	return with_config(b, err, errlen, open_vif);
}

static int heal_link(struct backend *b, const struct vif_config *cfg, char *err,
		     size_t errlen)
{
	return vif_heal(cfg, &b->end.link, b->all->nl, err, errlen);
}

static int heal_vif(struct backend *b, char *err, size_t errlen)
{
	if (!vif_astray(&b->end.link, b->all->nl))
		return b->ailing != 0; /* somebody else has done it */
	return with_config(b, err, errlen, heal_link);
}

static int tell_vif(struct backend *b)
{
	const struct vif_link *l = &b->end.link;
	int ret = 0;

	if (!l->script[0] &&
	    l->name[0]) /* a script reads there how to name it */
		ret = store_write(b->all->store, l->name, "%s/vifname",
				  b->path);
	if (!ret && l->ip[0])
		ret = store_write(b->all->store, l->ip, "%s/ip", b->path);
	if (!ret && (l->ip[0] || l->guard[0]))
		ret = store_write(b->all->store, l->guard, "%s/antispoof",
				  b->path);
	if (!ret && l->lease[0])
		ret = store_write(b->all->store, l->lease, "%s/lease", b->path);
	if (!ret && l->ip[0]) /* also that there is none any more */
		ret = store_write(b->all->store, l->ra, "%s/ra", b->path);
	return ret;
}

static void args_vif(struct backend *b, struct start *s)
{
	const struct vif_link *l = &b->end.link;
	char list[ARG_SIZE] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < l->nqueues; i++) {
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%d",
				       i ? "," : "", l->fd[i]);
		s->fd[s->nfd++] = l->fd[i];
	}
	add_arg(s, "--tap-fds");
	add_arg(s, "%s", list);
}

/* What a script has told the store itself says more than how it ended. */
static int ready_vif(struct backend *b, char *err, size_t errlen)
{
	int ret = vif_ready(&b->end.link, err, errlen);
	char *said;

	if (!ret || ret == -EINPROGRESS)
		return ret;
	said = key(b, "hotplug-error");
	if (said && *said)
		snprintf(err, errlen, "%s: %s", b->end.link.script, said);
	free(said);
	return ret;
}

static bool reaped_vif(struct backend *b, pid_t pid)
{
	return vif_reaped(&b->end.link, pid);
}

static pid_t quit_vif(struct backend *b)
{
	return vif_quit(&b->end.link);
}

static void undo_vif(struct backend *b)
{
	vif_close(&b->end.link);
}

static bool lost_vif(struct backend *b)
{
	return vif_lost(&b->end.link);
}

static bool carrier_vif(struct backend *b)
{
	return vif_carrier(&b->end.link, b->all->nl);
}

static const struct type types[] = {
	{ .name = "vbd",
	  .program = "sv-blkback",
	  .served = CUSTODY_SERVED,
	  .journal = sizeof(struct journal),
	  .stats = offsetof(struct journal, stat),
	  .prepare = prepare_vbd,
	  .tell = tell_vbd,
	  .args = args_vbd,
	  .ready = ready_vbd,
	  .reaped = reaped_vbd,
	  .quit = quit_vbd,
	  .undo = undo_vbd },
	{ .name = "vif",
	  .program = "sv-netback",
	  .journal = sizeof(struct net_journal),
	  .stats = offsetof(struct net_journal, stat),
	  .overlap = true,
	  .prepare = prepare_vif,
	  .tell = tell_vif,
	  .args = args_vif,
	  .ready = ready_vif,
	  .reaped = reaped_vif,
	  .quit = quit_vif,
	  .lost = lost_vif,
	  .heal = heal_vif,
	  .carrier = carrier_vif,
	  .undo = undo_vif },
};

/* ---- telling the toolstack ------------------------------------------- */

static int write_connected(struct store *s, void *arg)
{
	struct backend *b = arg;
	int ret;

	if (!store_exists(s, "%s/frontend", b->path))
		return -ENOENT;
	ret = b->type->tell(b);
	/* What ailed it under another sv-backend: heal() looks anew. */
	if (!ret && b->adopted && store_exists(s, "%s/hotplug-error", b->path))
		ret = store_write(s, "", "%s/hotplug-error", b->path);
	if (ret)
		return ret;
	return store_write(s, "connected", "%s/hotplug-status", b->path);
}

static int write_disconnected(struct store *s, void *arg)
{
	struct backend *b = arg;

	if (!store_exists(s, "%s/frontend", b->path))
		return -ENOENT;
	return store_write(s, "disconnected", "%s/hotplug-status", b->path);
}

struct complaint {
	struct backend *b;
	const char *err;
};

static int write_error(struct store *s, void *arg)
{
	struct complaint *c = arg;
	int ret;

	if (!store_exists(s, "%s/frontend", c->b->path))
		return -ENOENT;
	ret = store_write(s, c->err, "%s/hotplug-error", c->b->path);
	if (ret)
		return ret;
	return store_write(s, "error", "%s/hotplug-status", c->b->path);
}

/* ---- one device's life ----------------------------------------------- */

static void undo_end(struct backend *b)
{
	if (b->prepared)
		b->type->undo(b);
	b->prepared = false;
}

static void undo(struct backend *b)
{
	undo_end(b);
	fd_close(&b->journal);
	/* The next parent goes on where we stop. */
	if (b->all->stopping)
		return;
	if (b->type->journal)
		custody_drop(b->type->name, b->domid, b->devid);
	if (b->type->served)
		custody_drop(b->type->served, b->domid, b->devid);
}

/* For what a dead parent's workers leave, when they end. */
static void look_again(struct backends *all)
{
	const struct timeval soon = { .tv_sec = 1 };

	all->looks = LOOKS;
	event_add(all->orphans_ev, &soon);
}

static void forget(struct backend *b)
{
	undo(b);
	/* A dead parent's worker may have the interface still. */
	if (!b->all->stopping)
		look_again(b->all);
	event_free(b->timer);
	LIST_REMOVE(b, link);
	free(b);
}

static void give_up(struct backend *b, const char *err)
{
	undo(b);
	b->phase = FAILED;
	log_err("%s%u of domain %u: %s", b->type->name, b->devid, b->domid,
		err);
}

static void fail(struct backend *b, const char *err)
{
	struct complaint c = { b, err };
	int ret;

	give_up(b, err);
	ret = store_transact(b->all->store, write_error, &c);
	if (ret && ret != -ENOENT)
		log_warn("%s: cannot write hotplug-error: %s", b->path,
			 strerror(-ret));
}

static void wait_ms(struct backend *b, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
			      .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	event_add(b->timer, &tv);
}

static int start_worker(struct backend *b, struct dom *dom)
{
	struct start s = { .nfd = 0 };
	char *argv[MAX_ARGS + 1] = { NULL };
	int ret;

	add_arg(&s, "%s", b->type->program);
	add_arg(&s, "--domid");
	add_arg(&s, "%u", b->domid);
	add_arg(&s, "--devid");
	add_arg(&s, "%u", b->devid);
	add_arg(&s, "--parent");
	add_arg(&s, "%d", (int)getpid());
	add_arg(&s, "--dom-fd");
	add_arg(&s, "%d", dom_fd(dom));
	s.fd[s.nfd++] = dom_fd(dom);
	if (b->all->free) {
		add_arg(&s, "--no-sandbox");
		add_arg(&s, "1");
	}
	b->type->args(b, &s);
	if (b->journal >= 0) {
		add_arg(&s, "--journal-fd");
		add_arg(&s, "%d", b->journal);
		s.fd[s.nfd++] = b->journal;
	}
	for (unsigned int i = 0; i < s.narg; i++)
		argv[i] = s.arg[i];
	ret = spawn(&b->pid, b->type->program, argv, s.fd, s.nfd);
	if (ret)
		return ret;
	/* From now on it is locked by the worker alone. */
	fd_close(&b->journal);
	b->phase = RUNNING;
	b->served = true;
	b->tries = 0;
	b->claims = 0;
	b->started_ns = util_clock_ns();
	return 0;
}

/* The domain's socket does not answer: it is being made, or it is gone. */
static void no_domain(struct backend *b, int ret)
{
	char err[160];

	if (b->tries++ < DOM_TRIES) {
		wait_ms(b, spawn_delay_ms(b->tries));
		return;
	}
	snprintf(err, sizeof(err),
		 "domain %u does not answer: %s: look at its sv-hypervisor's "
		 "log",
		 b->domid, strerror(-ret));
	if (!b->told) {
		fail(b, err);
		return;
	}
	undo(b); /* it was served: the domain has ended */
	b->phase = DETACHED;
}

/*
 * Whether what @b was refused may become free by itself, soon: what it needs may
 * be held by a worker that is about to end, of a domain that has ended or of a
 * parent that died.
 */
static bool may_come_free(const struct backend *b, int ret)
{
	const struct backend *other = NULL;

	if (b->adopted)
		return true;
	if (ret != -EBUSY && ret != -EEXIST)
		return false;
	LIST_FOREACH (other, &b->all->list, link) {
		if (other->phase == LEAVING)
			return true;
	}
	return false;
}

/* Look again later whether anything is left of a worker that has ended. */
static void wait_for_end(struct backend *b)
{
	if (++b->claims == 2 * CLAIMS)
		log_warn("%s%u of domain %u waits for disk operations of its "
			 "last worker to end",
			 b->type->name, b->devid, b->domid);
	wait_ms(b, b->claims < CLAIMS ? CLAIM_MS : RARE_MS);
}

/*
 * Have the journal for the next worker.  Another that serves the device is a dead
 * parent's: it is told to end.  What it has under way ends before we get there.
 *
 * Return: 0; -EAGAIN to look again soon; or -errno.
 */
static int claim(struct backend *b, char *err, size_t errlen)
{
	const struct type *t = b->type;
	int ret;

	if (!t->journal || b->journal >= 0)
		return 0;
	ret = custody_take(t->name, b->domid, b->devid, t->journal,
			   !b->adopted && !b->served, &b->journal);
	if (ret && ret != -EAGAIN)
		snprintf(err, errlen,
			 "cannot make a journal in %s/journal: %s: free some "
			 "space there",
			 paths_run(), strerror(-ret));
	if (ret != -EAGAIN) {
		b->claims = 0;
		return ret;
	}
	if (b->claims % CLAIMS == 0)
		custody_signal(t->name, b->domid, b->devid,
			       b->claims ? SIGKILL : SIGTERM);
	wait_for_end(b);
	return ret;
}

/*
 * Whether nothing is left of what served the disk.  It was told to end; after many
 * looks it is killed.
 */
static bool served_out(struct backend *b)
{
	const struct type *t = b->type;

	if (!t->served || custody_free(t->served, b->domid, b->devid))
		return true;
	if (b->claims >= SERVED && (b->claims - SERVED) % CLAIMS == 0) {
		log_warn(
			"%s%u of domain %u: what served its disk does not end: "
			"killed",
			t->name, b->devid, b->domid);
		custody_signal(t->served, b->domid, b->devid, SIGKILL);
	}
	return false;
}

/*
 * Who asks the domain for the device's statistics gets them from now on, as long
 * as the worker has this connection.
 */
static void offer_stats(struct backend *b, struct dom *dom)
{
	const struct type *t = b->type;
	int fd, ret;

	if (!t->journal)
		return;
	fd = custody_view(t->name, b->domid, b->devid);
	ret = fd < 0 ? fd : dom_offer_stats(dom, fd, t->stats);
	if (ret)
		log_warn(
			"%s%u of domain %u: the domain does not take its statistics: %s",
			t->name, b->devid, b->domid, strerror(-ret));
	fd_close(&fd);
}

struct attempt {
	struct backend *b;
	int ret; /* of prepare() */
	char err[512];
};

/* Whether to try once more, later. */
static bool comes_free(const struct backend *b, int ret)
{
	return may_come_free(b, ret) && b->tries < FREE_TRIES;
}

static void wait_free(struct backend *b)
{
	wait_ms(b, 10u << ++b->tries);
}

/*
 * What is read and what is told are one transaction: the directory may be removed
 * meanwhile and made anew, and the new one has nothing of the old one's mistakes.
 */
static int try_prepare(struct store *s, void *arg)
{
	struct attempt *a = arg;
	struct backend *b = a->b;
	struct complaint c = { b, a->err };

	/* What was taken over is in use; it would not be there again. */
	if (b->prepared && b->adopted && b->type->overlap)
		return 0;
	undo_end(b); /* of a try that was overtaken */
	if (!store_exists(s, "%s/frontend", b->path))
		return -ENOENT;
	a->ret = b->type->prepare(b, a->err, sizeof(a->err));
	b->prepared = !a->ret;
	return !a->ret || comes_free(b, a->ret) ? 0 : write_error(s, &c);
}

/* Return: whether the host's end is there; else @b waits, or has failed. */
static bool prepare(struct backend *b)
{
	struct attempt a = { .b = b };
	int ret = store_transact(b->all->store, try_prepare, &a);

	if (!ret && !a.ret)
		return true;
	if (!ret && comes_free(b, a.ret)) {
		/* What cannot be taken over has to be let go. */
		if (b->adopted && b->type->overlap)
			custody_signal(b->type->name, b->domid, b->devid,
				       SIGTERM);
		wait_free(b);
	} else if (!ret) {
		give_up(b, a.err);
	} else if (ret != -ENOENT) {
		fail(b, strerror(-ret));
	} else { /* removed, and nobody asks any more */
		undo(b);
		b->phase = FAILED;
	}
	return false;
}

/* The host's end cannot be used, yet: one that was in service is made again. */
static void not_ready(struct backend *b, int ret, const char *err)
{
	if (ret == -EINPROGRESS) {
		wait_ms(b, READY_MS);
		return;
	}
	if (ret != -EAGAIN || !b->adopted || !comes_free(b, ret)) {
		fail(b, err);
		return;
	}
	log_warn("%s%u of domain %u: %s: tried again", b->type->name, b->devid,
		 b->domid, err);
	undo_end(b);
	wait_free(b);
}

static void look_at_host(struct backend *b);

/* Return: whether somebody has removed the host's end: it has to be made anew. */
static bool renew(struct backend *b)
{
	if (!b->prepared || !b->type->lost || !b->type->lost(b))
		return false;
	undo_end(b);
	b->adopted = true; /* patience: it is in service */
	return true;
}

/* Do what is still to be done before a worker runs, and start it. */
static void advance(struct backend *b)
{
	char err[512], device[64];
	struct dom *dom;
	int ret;

	b->phase = WAITING;
	(void)renew(b);
	if (b->type->overlap && !b->prepared && !prepare(b))
		return;
	ret = claim(b, err, sizeof(err));
	if (ret == -EAGAIN)
		return;
	if (ret && comes_free(b, ret)) {
		wait_free(b);
		return;
	}
	if (ret) {
		fail(b, err);
		return;
	}
	if (!b->prepared && !served_out(b)) {
		wait_for_end(b);
		return;
	}
	if (!b->prepared && !prepare(b))
		return;
	ret = b->type->ready ? b->type->ready(b, err, sizeof(err)) : 0;
	if (ret) {
		not_ready(b, ret, err);
		return;
	}
	snprintf(device, sizeof(device), "%s/%u", b->type->name, b->devid);
	ret = dom_connect(&dom, b->domid, DOM_ROLE_BACKEND, device, false);
	if (ret) {
		no_domain(b, ret);
		return;
	}
	offer_stats(b, dom);
	if (!b->told) {
		ret = store_transact(b->all->store, write_connected, b);
		b->told = !ret;
	}
	if (!ret && b->type->heal)
		look_at_host(b);
	if (!ret)
		ret = start_worker(b, dom);
	dom_free(dom);
	if (ret) {
		snprintf(err, sizeof(err), "cannot start %s: %s",
			 b->type->program, strerror(-ret));
		fail(b, err);
	}
}

/*
 * The directory and the worker are gone.  The disk is another's only when nothing
 * of what the worker had under way can reach it any more.
 *
 * Return: whether @b is gone, too; else the timer looks again.
 */
static bool leave(struct backend *b)
{
	const struct type *type = b->type;

	fd_close(&b->journal);
	if (b->prepared && type->quit)
		(void)type->quit(b);
	if (!b->all->stopping &&
	    ((type->journal && !custody_free(type->name, b->domid, b->devid)) ||
	     !served_out(b))) {
		b->phase = LEAVING;
		wait_for_end(b);
		return false;
	}
	forget(b);
	return true;
}

static void consider(struct backends *all, const struct type *type,
		     unsigned int domid, unsigned int devid);

/* After leave() the directory may be there again. */
static void leave_and_look(struct backend *b)
{
	struct backends *all = b->all;
	const struct type *type = b->type;
	unsigned int domid = b->domid, devid = b->devid;

	if (leave(b))
		consider(all, type, domid, devid);
}

/* A worker, or at the end what served the disk. */
static void kill_both(struct backend *b)
{
	if (b->ending && b->type->served)
		custody_signal(b->type->served, b->domid, b->devid, SIGKILL);
	kill(b->pid, SIGKILL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct backend *b = arg;

	(void)fd;
	(void)what;
	if (b->phase == WAITING)
		advance(b);
	else if (b->phase == LEAVING && !b->pid)
		leave_and_look(b);
	else if (b->phase == LEAVING || b->ending)
		kill_both(b);
	else if (b->phase == RUNNING)
		consider(b->all, b->type, b->domid, b->devid);
}

static struct backend *find(struct backends *all, const struct type *type,
			    unsigned int domid, unsigned int devid)
{
	struct backend *b;

	LIST_FOREACH (b, &all->list, link) {
		if (b->type == type && b->domid == domid && b->devid == devid)
			return b;
	}
	return NULL;
}

static void begin(struct backends *all, const struct type *type,
		  unsigned int domid, unsigned int devid, bool adopted)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (b)
		b->timer = evtimer_new(all->base, on_timer, b);
	if (!b || !b->timer) {
		log_err("%s%u of domain %u: out of memory", type->name, devid,
			domid);
		free(b);
		return;
	}
	b->all = all;
	b->type = type;
	b->domid = domid;
	b->devid = devid;
	b->adopted = adopted;
	b->journal = -1;
	b->carrier = -1;
	snprintf(b->path, sizeof(b->path), ROOT "/%s/%u/%u", type->name, domid,
		 devid);
	LIST_INSERT_HEAD(&all->list, b, link);
	advance(b);
}

static bool domain_lives(unsigned int domid)
{
	char path[PATH_MAX];
	int fd = sock_connect(paths_dom(path, domid, "hv.sock"),
			      SOCK_SEQPACKET | SOCK_NONBLOCK);
	bool ret = fd >= 0 || fd == -EAGAIN; /* or many wait to be heard */

	fd_close(&fd);
	return ret;
}

/*
 * The directory is gone.  If so is all of a domain that lives, it is not the
 * device that has ended but the store, which was started anew.
 */
static void vanish(struct backend *b)
{
	if (b->phase == LEAVING)
		return;
	if (b->phase != RUNNING) {
		(void)leave(b);
		return;
	}
	if (!store_exists(b->all->store, "/local/domain/%u/name", b->domid) &&
	    domain_lives(b->domid)) {
		wait_ms(b, KILL_MS); /* and look again */
		return;
	}
	b->phase = LEAVING;
	kill(b->pid, SIGTERM);
	wait_ms(b, KILL_MS);
}

/* Whether the directory was made anew since we were done with it. */
static bool made_anew(struct backend *b)
{
	char *status;
	bool ret;

	if (b->phase == DETACHED)
		return true;
	if (b->phase != FAILED)
		return false;
	status = key(b, "hotplug-status");
	ret = status && strcmp(status, "error") != 0;
	free(status);
	return ret;
}

/*
 * Whether a device that we do not know, and that is not new, was served by an
 * sv-backend that has died.  One that is closed for good waits for its removal.
 */
static bool orphaned(struct backends *all, const struct type *type,
		     unsigned int domid, unsigned int devid, uint64_t state)
{
	uint64_t online;

	if (store_read_opt(all->store, 0, 1, &online, ROOT "/%s/%u/%u/online",
			   type->name, domid, devid))
		return false;
	return (online || state != XB_CLOSED) && domain_lives(domid);
}

/* Something about this device may have changed. */
static void consider(struct backends *all, const struct type *type,
		     unsigned int domid, unsigned int devid)
{
	struct backend *b = find(all, type, domid, devid);
	uint64_t state;
	int ret;

	if (all->stopping)
		return;
	ret = store_read_u64(all->store, XB_NSTATES, &state,
			     ROOT "/%s/%u/%u/state", type->name, domid, devid);
	if (ret == -ENOENT && b)
		vanish(b);
	if (ret || (state != XB_INITIALISING &&
		    (b || !orphaned(all, type, domid, devid, state))))
		return;
	if (!store_exists(all->store, ROOT "/%s/%u/%u/frontend", type->name,
			  domid, devid))
		return;
	if (b && made_anew(b)) {
		forget(b);
		b = NULL;
	}
	if (!b)
		begin(all, type, domid, devid, state != XB_INITIALISING);
}

/* ---- finding devices ------------------------------------------------- */

static void scan_domain(struct backends *all, const struct type *type,
			unsigned int domid)
{
	char **names;
	unsigned int n;
	uint64_t devid;

	if (store_list(all->store, &names, &n, ROOT "/%s/%u", type->name,
		       domid))
		return;
	for (unsigned int i = 0; i < n; i++) {
		if (!util_u64(names[i], INT32_MAX, &devid))
			consider(all, type, domid, (unsigned int)devid);
	}
	free(names);
}

/* Look at everything: at the start, and when a part of the tree has gone. */
static void scan(struct backends *all)
{
	struct backend *b, *next;
	char **names;
	unsigned int n;
	uint64_t domid;

	for (b = LIST_FIRST(&all->list); b; b = next) {
		next = LIST_NEXT(b, link);
		consider(all, b->type, b->domid, b->devid);
	}
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		if (store_list(all->store, &names, &n, ROOT "/%s",
			       types[t].name))
			continue;
		for (unsigned int i = 0; i < n; i++) {
			if (!util_u64(names[i], DOMID_MAX, &domid))
				scan_domain(all, &types[t],
					    (unsigned int)domid);
		}
		free(names);
	}
}

/*
 * Take "TYPE/DOMID/DEVID" and what follows apart.
 *
 * Return: 1 and the parts if there are three, with @leaf after them ("" if
 * nothing is); 0 if there are fewer; -1 if it is none of ours.
 */
static int split(const char *path, const struct type **type,
		 unsigned int *domid, unsigned int *devid, const char **leaf)
{
	char name[16], dom[16], dev[16];
	uint64_t a, b;
	int n = 0, end = 0;

	*type = NULL;
	n = sscanf(path, "%15[^/]/%15[^/]/%15[^/]%n", name, dom, dev, &end);
	for (size_t t = 0; n >= 1 && t < ARRAY_SIZE(types); t++) {
		if (!strcmp(name, types[t].name))
			*type = &types[t];
	}
	if (n >= 1 && !*type)
		return -1;
	if (n < 3)
		return 0;
	if (util_u64(dom, DOMID_MAX, &a) || util_u64(dev, INT32_MAX, &b))
		return -1;
	*domid = (unsigned int)a;
	*devid = (unsigned int)b;
	*leaf = path + end + (path[end] == '/');
	return 1;
}

static void on_change(void *arg, const char *path)
{
	struct backends *all = arg;
	const struct type *type;
	unsigned int domid, devid;
	const char *leaf;

	if (strncmp(path, ROOT, strlen(ROOT)) != 0)
		return;
	path += strlen(ROOT);
	switch (split(path + (*path == '/'), &type, &domid, &devid, &leaf)) {
	case 0:
		scan(all);
		break;
	case 1:
		/* Workers write many keys; these are the toolstack's. */
		if (!*leaf || !strcmp(leaf, "frontend") ||
		    !strcmp(leaf, "state"))
			consider(all, type, domid, devid);
		break;
	default:
		break;
	}
}

/* Replace one worker, unless one that was replaced has still to show its worth. */
static void reload_next(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = { .tv_usec = RELOAD_MS * 1000L };
	uint64_t since = util_clock_ns() - RELOAD_MS * 1000000ull;
	struct backends *all = arg;
	struct backend *b, *next = NULL;

	(void)fd;
	(void)what;
	LIST_FOREACH (b, &all->list, link) {
		if (b->type->journal && b->served &&
		    (b->phase == WAITING || b->started_ns > since))
			break;
		if (b->reload && b->phase == RUNNING)
			next = b;
	}
	if (!b && next)
		kill(next->pid, SIGTERM);
	if (b || next)
		event_add(all->reload_ev, &again);
}

void backends_reload(struct backends *all)
{
	struct backend *b;

	LIST_FOREACH (b, &all->list, link)
		b->reload = b->type->journal && b->phase == RUNNING;
	reload_next(-1, 0, all);
}

/* Is there, or will be again: what served it has a successor. */
static bool is_kept(void *arg, const char *type, unsigned int domid,
		    unsigned int devid)
{
	const struct backends *all = arg;
	char *text = NULL;
	int ret;

	if (!strcmp(type, CUSTODY_SERVED))
		type = "vbd";
	if (!domain_lives(domid))
		return false;
	/* A store that does not answer now has not said that it is gone. */
	ret = store_read(all->store, &text, ROOT "/%s/%u/%u", type, domid,
			 devid);
	free(text);
	return ret != -ENOENT;
}

/*
 * Workers of a dead parent whose device has gone: they end by themselves.  Then
 * nobody uses what was made for them.
 */
static void look_after_orphans(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = { .tv_sec = 1 };
	struct backends *all = arg;

	(void)fd;
	(void)what;
	if (custody_sweep(is_kept, all))
		all->looks = LOOKS;
	vif_tidy();
	/* Its interface may close after its journal. */
	if (all->looks && all->looks--)
		event_add(all->orphans_ev, &again);
}

/* ---- interfaces that others change -------------------------------------- */

static int write_trouble(struct store *s, void *arg)
{
	struct complaint *c = arg;

	if (!store_exists(s, "%s/frontend", c->b->path))
		return -ENOENT;
	return store_write(s, c->err, "%s/hotplug-error", c->b->path);
}

/* The device stays in service, and connected: one line says what it lacks. */
static void heal(struct backend *b)
{
	char err[512];
	struct complaint c = { b, err };
	int ret = b->type->heal(b, err, sizeof(err));

	if (!ret || (ret < 0 && ret == b->ailing))
		return;
	b->ailing = MIN(ret, 0);
	if (ret > 0)
		err[0] = '\0';
	if (ret > 0)
		log_info("%s%u of domain %u is back on its bridge",
			 b->type->name, b->devid, b->domid);
	else
		log_warn("%s%u of domain %u: %s", b->type->name, b->devid,
			 b->domid, err);
	ret = store_transact(b->all->store, write_trouble, &c);
	if (ret && ret != -ENOENT)
		log_warn("%s: cannot write hotplug-error: %s", b->path,
			 strerror(-ret));
}

static int write_carrier(struct store *s, void *arg)
{
	struct backend *b = arg;

	if (!store_exists(s, "%s/frontend", b->path))
		return -ENOENT;
	return store_write_u64(s, (uint64_t)b->carrier, "%s/carrier", b->path);
}

/* xen/io/netif.h, "Link state". */
static void tell_carrier(struct backend *b)
{
	int now = b->type->carrier(b), ret;

	if (now == b->carrier)
		return;
	if (b->carrier >= 0)
		log_info("%s%u of domain %u: its link is %s", b->type->name,
			 b->devid, b->domid, now ? "up" : "down");
	b->carrier = now;
	ret = store_transact(b->all->store, write_carrier, b);
	if (!ret || ret == -ENOENT)
		return;
	log_warn("%s: cannot write carrier: %s", b->path, strerror(-ret));
	b->carrier = -1; /* once more with the next news */
}

static void look_at_host(struct backend *b)
{
	heal(b);
	tell_carrier(b);
}

/* The next worker has another interface: sooner than this one looks for its own. */
static void replace(struct backend *b)
{
	log_warn(
		"%s%u of domain %u: its interface was removed: another is made",
		b->type->name, b->devid, b->domid);
	b->reload = true; /* no mishap */
	kill(b->pid, SIGTERM);
}

static void heal_all(evutil_socket_t fd, short what, void *arg)
{
	struct backends *all = arg;
	struct backend *b;

	(void)fd;
	(void)what;
	LIST_FOREACH (b, &all->list, link) {
		if (!b->prepared || !b->type->heal)
			continue;
		if (b->phase == RUNNING && !b->ending && renew(b))
			replace(b);
		else
			look_at_host(b);
	}
}

/* Changes come in flocks. */
static void on_links(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { .tv_usec = HEAL_MS * 1000L };
	struct backends *all = arg;

	(void)fd;
	(void)what;
	link_watch_drain(all->links);
	if (!all->stopping && !event_pending(all->heal_ev, EV_TIMEOUT, NULL))
		event_add(all->heal_ev, &soon);
}

static int watch_links(struct backends *all)
{
	int ret = link_open(&all->nl);

	if (!ret)
		ret = link_open_watch(&all->links);
	if (ret)
		return ret;
	all->heal_ev = evtimer_new(all->base, heal_all, all);
	all->links_ev = event_new(all->base, link_watch_fd(all->links),
				  EV_READ | EV_PERSIST, on_links, all);
	return all->heal_ev && all->links_ev && !event_add(all->links_ev, NULL)
		       ? 0
		       : -ENOMEM;
}

static void free_all(struct backends *all)
{
	if (all->links_ev)
		event_free(all->links_ev);
	if (all->heal_ev)
		event_free(all->heal_ev);
	link_close(all->links);
	link_close(all->nl);
	if (all->reload_ev)
		event_free(all->reload_ev);
	if (all->orphans_ev)
		event_free(all->orphans_ev);
	free(all);
}

int backends_new(struct backends **out, struct event_base *base,
		 struct store *store, bool free)
{
	struct backends *all = calloc(1, sizeof(*all));
	int ret;

	if (!all)
		return -ENOMEM;
	all->base = base;
	all->store = store;
	all->free = free;
	LIST_INIT(&all->list);
	all->reload_ev = evtimer_new(base, reload_next, all);
	all->orphans_ev = evtimer_new(base, look_after_orphans, all);
	ret = all->reload_ev && all->orphans_ev ? watch_links(all) : -ENOMEM;
	if (!ret)
		ret = store_watch_each(store, ROOT, on_change, all,
				       &all->watch);
	if (ret) {
		free_all(all);
		return ret;
	}
	all->looks = LOOKS;
	look_after_orphans(-1, 0, all);
	*out = all;
	return 0;
}

/* ---- the end of workers ---------------------------------------------- */

static void report(const struct backend *b, int status)
{
	if (WIFSIGNALED(status))
		log_err("%s of %s%u, domain %u, was ended by signal %d (%s)",
			b->type->program, b->type->name, b->devid, b->domid,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_err("%s of %s%u, domain %u, ended with status %d",
			b->type->program, b->type->name, b->devid, b->domid,
			WEXITSTATUS(status));
}

/* The host's end is free again: who waits may use the image for another. */
static void tell_detached(struct backend *b)
{
	int ret = store_transact(b->all->store, write_disconnected, b);

	if (ret && ret != -ENOENT)
		log_warn("%s: cannot write hotplug-status: %s", b->path,
			 strerror(-ret));
}

/*
 * The worker has ended in good order: so shall what served it, before another may
 * use the disk.  From now on that is the process we wait for.
 *
 * Return: whether there is one.
 */
static bool end_of_host(struct backend *b, bool fine)
{
	if ((!fine && b->phase != LEAVING) || b->all->stopping ||
	    !b->prepared || !b->type->quit)
		return false;
	b->pid = b->type->quit(b);
	b->ending = b->pid;
	if (b->ending)
		wait_ms(b, SERVED_MS);
	return b->ending;
}

/* A worker has died: the next one comes at once, unless this goes on and on. */
static uint64_t restart_ms(struct backend *b)
{
	uint64_t lived = (util_clock_ns() - b->started_ns) / 1000000;

	b->fails -= (unsigned int)MIN(b->fails, lived / PARDON_MS);
	b->fails++;
	return b->fails <= QUICK ? 0 : spawn_delay_ms(b->fails - QUICK - 1);
}

/*
 * The worker has said why it cannot serve the device.  While nobody was offered
 * it, that is the toolstack's to know.
 */
static bool refused(struct backend *b, int status)
{
	char *state = key(b, "state"), *why = key(b, "error");
	bool ret = WIFEXITED(status) && WEXITSTATUS(status) == DEVICE_REFUSED &&
		   !b->adopted && state && !strcmp(state, "1") && why;

	if (ret)
		fail(b, why);
	free(state);
	free(why);
	return ret;
}

/*
 * A worker that does what its sandbox does not allow will do so again: the next ones
 * have some tries, as not all of them do the same.
 */
static bool hopeless(struct backend *b, int status)
{
	uint64_t lived = util_clock_ns() - b->started_ns;
	bool forbidden = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
	char why[160];

	if (!forbidden || lived >= CALM_NS)
		b->forbidden = 0;
	if (!forbidden || ++b->forbidden < FORBIDDEN)
		return false;
	snprintf(why, sizeof(why),
		 "%s makes a system call that its sandbox does not allow; "
		 "sv-backend's log names it, sv-backend --no-sandbox allows it",
		 b->type->program);
	fail(b, why);
	return true;
}

static void ended(struct backend *b, int status)
{
	struct backends *all = b->all;
	const struct type *type = b->type;
	unsigned int domid = b->domid, devid = b->devid;
	bool fine = b->ending ||
		    (WIFEXITED(status) && WEXITSTATUS(status) == 0);

	event_del(b->timer);
	b->pid = 0;
	b->ending = false;
	if (end_of_host(b, fine))
		return;
	if (b->phase == LEAVING || all->stopping) {
		leave_and_look(b);
		return;
	}
	if (fine) {
		undo(b);
		b->phase = DETACHED;
		tell_detached(b);
		consider(all, type, domid, devid);
		return;
	}
	if (refused(b, status))
		return;
	if (!b->reload)
		report(b, status);
	b->reload = false;
	if (hopeless(b, status))
		return;
	b->phase = WAITING;
	wait_ms(b, restart_ms(b));
	consider(all, type, domid, devid);
}

bool backends_reaped(struct backends *all, pid_t pid, int status)
{
	struct backend *b;

	LIST_FOREACH (b, &all->list, link) {
		if (b->pid == pid) {
			ended(b, status);
			return true;
		}
		if (b->prepared && b->type->reaped && b->type->reaped(b, pid))
			return true;
	}
	return false;
}

unsigned int backends_stop(struct backends *all, int sig)
{
	struct backend *b;
	unsigned int n = 0;

	all->stopping = true;
	event_del(all->reload_ev);
	LIST_FOREACH (b, &all->list, link) {
		if (b->pid <= 0)
			continue;
		kill(b->pid, sig);
		n++;
	}
	return n;
}

void backends_free(struct backends *all)
{
	struct backend *b, *next;

	if (!all)
		return;
	for (b = LIST_FIRST(&all->list); b; b = next) {
		next = LIST_NEXT(b, link);
		forget(b);
	}
	store_unwatch(all->watch);
	free_all(all);
}
