// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_saving.c - a domain that is stopped, to go on from a file or elsewhere.
#include "tools/xl_saving.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xenbus.h>
#include <xenstore.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/ringtop_find.h"
#include "tools/xl_build.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"
#include "tools/xl_save.h"
#include "tools/xl_tree.h"

/*
 * How it works
 *
 * The guest is stopped between two requests to the store: one that is stopped within
 * one runs on for a moment, and is stopped again.  Its disks have answered all then,
 * and stay as they are.  Packets come when they like: so its cards are let go of, with
 * which their backends end between two packets, when their nodes have been written
 * and before its memory is; a domain that is to go on here gets them again.
 */
#define DOM	   "/local/domain/%u"
#define ATTEMPTS   200 /* to stop it between two requests */
#define QUIET_MS   30000
#define TAKE_TRIES 10u

/* CONTROL watches: how the answer of an idle guest begins, and after which is none. */
#define IDLE	"idle\n"
#define NO_MORE "18446744073709551615"

/* ---- Writing --------------------------------------------------------------- */

static int put_config(struct savefile *s, unsigned int domid,
		      const char *config)
{
	char *text = xl_run_read(domid, "xl.cfg"), *all = NULL;
	char *cwd = xl_run_read(domid, "cwd"), name[XL_NAME_SIZE];
	struct iovec v;
	int n = -1, ret = -ENOENT;

	if (text && cwd && !xl_run_name(domid, name))
		n = asprintf(&all, "%u%c%s%c%s%c%s", domid, 0, name, 0, cwd, 0,
			     config ? config : text);
	if (n >= 0) {
		v = (struct iovec){ all, (size_t)n + 1 };
		ret = savefile_put(s, SAVE_CONFIG, &v, 1);
		free(all);
	}
	free(text);
	free(cwd);
	return ret;
}

static int put_node(struct savefile *s, struct xs_handle *h, const char *path)
{
	unsigned int nperms = 0, len = 0;
	struct xs_permissions *perms =
		xs_get_permissions(h, XBT_NULL, path, &nperms);
	void *value = perms ? xs_read(h, XBT_NULL, path, &len) : NULL;
	struct xl_save_node head = { (uint32_t)strlen(path) + 1, nperms, len };
	struct iovec v[] = {
		{ &head, sizeof(head) },
		{ (void *)(uintptr_t)path, head.path },
		{ perms, nperms * sizeof(*perms) },
		{ value, len },
	};
	int ret = value ? savefile_put(s, SAVE_NODES, v, ARRAY_SIZE(v))
			: -errno;

	free(perms);
	free(value);
	return ret;
}

/** struct walk - Paths still to be written, *owned*. */
struct walk {
	char **path;
	size_t n, room;
};

static int push(struct walk *w, const char *dir, const char *name)
{
	char *path;

	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 64;
		char **more = reallocarray(w->path, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->path = more;
		w->room = room;
	}
	if (asprintf(&path, "%s%s%s", dir, name ? "/" : "", name ? name : "") <
	    0)
		return -ENOMEM;
	w->path[w->n++] = path;
	return 0;
}

/* What the toolstack and the console's daemon write of a new domain. */
static bool is_made_anew(const char *name)
{
	return !strcmp(name, "console") || !strcmp(name, "store");
}

/* A node, and its children onto the list; @top: it is the domain's own. */
static int visit(struct savefile *s, struct xs_handle *h, struct walk *w,
		 const char *path, bool top)
{
	unsigned int n = 0;
	char **names;
	int ret = put_node(s, h, path);

	if (ret)
		return ret;
	names = xs_directory(h, XBT_NULL, path, &n);
	if (!names)
		return -errno;
	for (unsigned int i = 0; i < n && !ret; i++) {
		if (!top || !is_made_anew(names[i]))
			ret = push(w, path, names[i]);
	}
	free(names);
	return ret;
}

/* Parents before their children. */
static int put_nodes(struct savefile *s, struct xs_handle *h,
		     unsigned int domid)
{
	struct walk w = { .path = NULL };
	char root[64], *path;
	int ret;

	snprintf(root, sizeof(root), DOM, domid);
	ret = push(&w, root, NULL);
	while (w.n) {
		path = w.path[--w.n];
		/* What is removed meanwhile is not there. */
		if (!ret)
			ret = visit(s, h, &w, path, !strcmp(path, root));
		if (ret == -ENOENT && strcmp(path, root) != 0)
			ret = 0;
		free(path);
	}
	free(w.path);
	return ret;
}

/* Watches after number @after, in lines; -EAGAIN if the guest is busy. */
static int ask_watches(unsigned int domid, const char *after,
		       char reply[XL_STORE_REPLY])
{
	char id[16];
	int ret;

	snprintf(id, sizeof(id), "%u", domid);
	ret = xl_store_talk(XS_CONTROL,
			    (const char *[]){ "watches", id, after, NULL },
			    reply);
	if (ret)
		return ret;
	return strncmp(reply, IDLE, strlen(IDLE)) == 0 ? 0 : -EAGAIN;
}

static int put_watches(struct savefile *s, unsigned int domid)
{
	char reply[XL_STORE_REPLY], after[24] = "0", *line, *next;
	unsigned int n;
	int ret;

	do {
		ret = ask_watches(domid, after, reply);
		if (ret)
			return ret;
		line = reply + strlen(IDLE);
		for (n = 0; (next = strchr(line, '\n')); n++) {
			char *rest = strchr(line, ' ');
			struct iovec v;

			*next = '\0';
			if (!rest || rest - line >= (ptrdiff_t)sizeof(after))
				return -EPROTO;
			snprintf(after, sizeof(after), "%.*s",
				 (int)(rest - line), line);
			v = (struct iovec){ rest + 1, strlen(rest + 1) + 1 };
			ret = savefile_put(s, SAVE_WATCHES, &v, 1);
			if (ret)
				return ret;
			line = next + 1;
		}
	} while (n);
	return 0;
}

int xl_saving_begin(const struct xl_saving *v, const char *config,
		    struct savefile *s)
{
	return put_config(s, v->domid, config);
}

/*
 * All but RAM, from the beginning on.  A guest that is idle and stopped changes no node
 * any more.  Others may, and of an event of that no half goes along.
 */
static int put_all(struct xl_saving *v, const char *config)
{
	char reply[XL_STORE_REPLY];
	struct savefile s;
	int ret;

	if (ftruncate(v->spool, 0) < 0 || lseek(v->spool, 0, SEEK_SET) < 0)
		return -errno;
	ret = savefile_begin(&s, v->spool);
	if (!ret)
		ret = xl_saving_begin(v, config, &s);
	if (!ret)
		ret = put_watches(&s, v->domid);
	if (!ret)
		ret = put_nodes(&s, v->h, v->domid);
	if (!ret)
		ret = dom_save(v->dom, v->spool, &s.seq);
	if (!ret)
		ret = ask_watches(v->domid, NO_MORE, reply);
	return ret ? ret : savefile_put(&s, SAVE_END, NULL, 0);
}

static int call(struct dom *dom, enum dom_msg_type type)
{
	struct dom_msg msg = { .type = (uint16_t)type };

	return dom_call(dom, &msg, NULL, NULL);
}

/* Whether a disk whose ring cannot be found has one all the same. */
static bool is_in_use(struct xs_handle *h, unsigned int domid,
		      const struct ringtop_ring *r)
{
	long state =
		xl_store_number(h, 0, DOM "/device/%s/state", domid, r->device);

	if (state < XenbusStateInitialised || state >= XenbusStateClosed)
		return false;
	log_err("domain %u: %s is in use, and its ring cannot be looked at: %s",
		domid, r->device, r->problem);
	return true;
}

/*
 * Whether the backends have answered all that the guest has asked of its disks: they
 * will, for it asks nothing more.
 */
static int wait_quiet(struct ringtop_dom *rings, struct xs_handle *h,
		      unsigned int domid)
{
	const struct timespec moment = { .tv_nsec = 2000000 };
	uint64_t end = util_clock_ns() + QUIET_MS * UINT64_C(1000000);
	bool busy;
	int ret;

	do {
		ret = ringtop_find(rings, h, "vbd");
		busy = false;
		for (size_t i = 0; i < rings->n && !ret; i++) {
			struct ringtop_ring *r = &rings->ring[i];

			if (r->problem[0] && !is_in_use(h, domid, r))
				continue;
			if (r->problem[0])
				return -EPROTO;
			ringtop_look(r, UINT64_MAX);
			busy |= !r->track.sane || track_flight(&r->track);
		}
		if (ret || !busy)
			return ret;
		if (xl_interrupted())
			return -EINTR;
		nanosleep(&moment, NULL);
	} while (util_clock_ns() < end);
	log_err("domain %u: its disks do not answer within %d s", domid,
		QUIET_MS / 1000);
	return -ETIMEDOUT;
}

/* All of it, once. */
static int stop_once(struct xl_saving *v, struct ringtop_dom *rings,
		     const char *config)
{
	int ret = call(v->dom, DOM_PAUSE);

	if (!ret)
		ret = wait_quiet(rings, v->h, v->domid);
	return ret ? ret : put_all(v, config);
}

static void unpause(const struct xl_saving *v)
{
	if (!v->was_paused && call(v->dom, DOM_UNPAUSE))
		log_warn("domain %u: stays paused", v->domid);
}

static int stop(struct xl_saving *v, struct ringtop_dom *rings,
		const char *config)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	int ret = -EAGAIN;

	for (int i = 0; i < ATTEMPTS && ret == -EAGAIN; i++) {
		if (i)
			nanosleep(&moment, NULL);
		ret = xl_interrupted() ? -EINTR : stop_once(v, rings, config);
		if (ret)
			unpause(v);
	}
	return ret;
}

static void report(const struct xl_saving *v, int ret)
{
	if (ret != -EAGAIN)
		log_err("domain %u: not saved: %s; it %s", v->domid,
			ret == -EBUSY ? "it has a debugger, or does not stop"
				      : strerror(-ret),
			v->was_paused ? "stays paused" : "runs on");
	else if (v->was_paused)
		log_err("domain %u: not saved: it was paused amid its talk with the store: `xl unpause` it for a moment",
			v->domid);
	else
		log_err("domain %u: does not finish what it asks of the store; it runs on",
			v->domid);
}

int xl_saving_stop(struct xl_saving *v, const char *config)
{
	struct ringtop_dom *rings = NULL;
	int ret = ringtop_open(&rings, v->domid);

	v->spool = memfd_create("saving", MFD_CLOEXEC);
	if (!ret && v->spool < 0)
		ret = -errno;
	if (!ret)
		ret = stop(v, rings, config);
	ringtop_close(rings);
	if (ret) {
		report(v, ret);
		fd_close(&v->spool);
		return ret;
	}
	ret = xl_tree_let_go(v->h, v->domid, "vif", &v->cards);
	if (ret)
		(void)!xl_saving_resume(v);
	return ret;
}

/* @buf: Room for a record.  Return: 0, 1 at the end, or -errno. */
static int copy_one(struct savefile *from, struct savefile *to, uint8_t *buf)
{
	struct iovec part = { buf, 0 };
	uint32_t type;
	int ret = savefile_get(from, &type, buf, &part.iov_len);

	if (ret || type == SAVE_END)
		return ret ? ret : 1;
	return type == SAVE_CONFIG ? 0 : savefile_put(to, type, &part, 1);
}

int xl_saving_pass(const struct xl_saving *v, struct savefile *to)
{
	uint8_t *buf = malloc(SAVEFILE_MAX);
	struct savefile from;
	int ret = buf ? 0 : -ENOMEM;

	if (!ret && lseek(v->spool, 0, SEEK_SET) < 0)
		ret = -errno;
	if (!ret)
		ret = savefile_open(&from, v->spool);
	while (!ret)
		ret = copy_one(&from, to, buf);
	free(buf);
	return MIN(ret, 0);
}

/* ---- Devices --------------------------------------------------------------- */

int xl_saving_let_go(struct xl_saving *v)
{
	return xl_tree_let_go(v->h, v->domid, "vbd", &v->disks);
}

/* What was written when it was stopped, to be written to the store again. */
static int open_spool(const struct xl_saving *v, struct xl_save_file *f)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", v->spool);
	return xl_save_open(f, path);
}

/* Those that were let go of. */
static int build_devices(const struct xl_saving *v)
{
	struct xl_save_file f;
	struct xl_cfg all, gone;
	char *text = NULL;
	int ret = open_spool(v, &f);

	if (ret)
		return ret;
	ret = xl_build_kept(v->domid, &text, &all);
	if (!ret) {
		gone = all;
		if (!v->disks)
			gone.ndisks = 0;
		if (!v->cards)
			gone.nvifs = 0;
		ret = xl_build_devices(v->h, &gone, &f.saved);
		xl_cfg_free(&all);
	}
	free(text);
	xl_save_close(&f);
	return ret;
}

int xl_saving_nodes(const struct xl_saving *v)
{
	struct xl_save_file f;
	int ret = open_spool(v, &f);

	if (ret)
		return ret;
	ret = xl_build_write(v->h, v->domid, f.saved.fill, f.saved.arg);
	xl_save_close(&f);
	return ret;
}

int xl_saving_host(const struct xl_saving *v, struct savefile *to)
{
	struct savefile from = { .fd = memfd_create("host", MFD_CLOEXEC) };
	uint8_t *buf = malloc(SAVEFILE_MAX);
	uint32_t seq = 0;
	int ret = from.fd < 0 ? -errno : buf ? 0 : -ENOMEM;

	if (!ret)
		ret = dom_save_host(v->dom, from.fd, &seq);

	if (!ret && lseek(from.fd, 0, SEEK_SET) < 0)
		ret = -errno;
	if (!ret)
		ret = copy_one(&from, to, buf);
	fd_close(&from.fd);
	free(buf);
	return ret;
}

static int let_go_again(struct xl_saving *v)
{
	int disks = v->disks ? xl_tree_let_go(v->h, v->domid, "vbd", &v->disks)
			     : 0;
	int cards = v->cards ? xl_tree_let_go(v->h, v->domid, "vif", &v->cards)
			     : 0;

	return disks ? disks : cards;
}

int xl_saving_back(struct xl_saving *v)
{
	const struct timespec moment = { .tv_sec = 1 };
	int ret = -EBUSY;

	if (!v->disks && !v->cards)
		return 0;
	/* The other side may need a moment until it has let go of them. */
	for (unsigned int i = 0; i < TAKE_TRIES && ret; i++) {
		if (i) {
			nanosleep(&moment, NULL);
			(void)!let_go_again(v);
		}
		ret = build_devices(v);
	}
	if (!ret) {
		v->disks = v->cards = false;
		return 0;
	}
	if (let_go_again(v) || xl_saving_nodes(v))
		log_warn("domain %u: its nodes are lost", v->domid);
	log_err("domain %u: stays paused; it cannot have its devices again: %s (`xl save` and `xl restore` try once more)",
		v->domid, strerror(-ret));
	return ret;
}

int xl_saving_resume(struct xl_saving *v)
{
	int ret = xl_saving_back(v);

	if (!ret)
		unpause(v);
	return ret;
}

/* ---- Begin and end --------------------------------------------------------- */

/* What a guest has asked for by a control ring is nowhere but in its worker. */
static bool has_ctrl_ring(const struct xl_saving *v)
{
	size_t n;
	unsigned int *devid = xl_tree_devices(v->h, v->domid, "vif", &n);
	bool found = false;

	for (size_t i = 0; i < n && !found; i++) {
		char *ref = xl_store_get(v->h, XBT_NULL,
					 DOM "/device/vif/%u/ctrl-ring-ref",
					 v->domid, devid[i]);

		found = ref;
		free(ref);
		if (found)
			log_err("domain %u: card %u has a control ring; one with that cannot be saved yet (`xl suspend` keeps it in memory)",
				v->domid, devid[i]);
	}
	free(devid);
	return found;
}

static int check(struct xl_saving *v)
{
	struct dom_info info;
	int ret = dom_info(v->dom, &info);

	if (ret)
		return ret;
	v->was_paused = info.state & DOM_PAUSED;
	if (info.state & DOM_SHUTDOWN) {
		log_err("domain %u has shut down: %s", v->domid,
			dom_reason_name(info.reason));
		return -EINVAL;
	}
	return has_ctrl_ring(v) ? -EOPNOTSUPP : 0;
}

/* Two would stop it, let its devices go and destroy it beneath each other. */
static int lock(struct xl_saving *v)
{
	char name[32];

	snprintf(name, sizeof(name), "dom/%u/saving", v->domid);
	v->lock = xl_run_try_lock(name);
	if (v->lock == -EWOULDBLOCK)
		log_err("domain %u: another xl is saving or migrating it (wait until that has ended)",
			v->domid);
	else if (v->lock < 0)
		log_err("domain %u: cannot be locked: %s", v->domid,
			strerror(-v->lock));
	return MIN(v->lock, 0);
}

int xl_saving_open(struct xl_saving *v, unsigned int domid)
{
	int ret;

	*v = (struct xl_saving){ .domid = domid, .spool = -1 };
	ret = lock(v);
	if (ret)
		return ret;
	/* As long as it takes: a guest with many vCPUs has much to tell. */
	dom_set_timeout(-1);
	ret = dom_connect(&v->dom, domid, DOM_ROLE_ADMIN, NULL, false);
	if (ret) {
		log_err("domain %u: its VMM does not answer: %s", domid,
			strerror(-ret));
	}
	if (!ret)
		ret = xl_store_open(&v->h);
	if (!ret)
		ret = check(v);
	if (ret)
		xl_saving_close(v);
	return ret;
}

void xl_saving_close(struct xl_saving *v)
{
	xs_close(v->h);
	dom_free(v->dom);
	fd_close(&v->spool);
	fd_close(&v->lock);
	*v = (struct xl_saving){ .domid = v->domid, .spool = -1, .lock = -1 };
}
