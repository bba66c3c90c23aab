// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_build.c - bringing a domain into being, and ending it.
#include "tools/xl_build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_cpus.h"
#include "tools/xl_daemons.h"
#include "tools/xl_json.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"
#include "tools/xl_sched.h"
#include "tools/xl_tree.h"

#define READY_TIMEOUT_MS  60000 /* unpacking a kernel on a slow machine */
#define DETACH_TIMEOUT_MS 10000
#define GONE_TIMEOUT_MS	  2000
#define END_TIMEOUT_MS	  5000

/* ---- The VMM -------------------------------------------------------------- */

/* Command line of sv-hypervisor; numbers live in @n. */
struct hv_args {
	char program[PATH_MAX], log[PATH_MAX];
	char uuid[XL_UUID_LEN];
	char n[7][24];
	const char *argv[32];
	size_t argc;
};

static void add_arg(struct hv_args *a, const char *option, const char *value)
{
	if (!value || a->argc + 3 > ARRAY_SIZE(a->argv))
		return;
	a->argv[a->argc++] = option;
	a->argv[a->argc++] = value;
}

static const char *number(struct hv_args *a, size_t i, uint64_t value)
{
	snprintf(a->n[i], sizeof(a->n[i]), "%llu", (unsigned long long)value);
	return a->n[i];
}

static void make_args(struct hv_args *a, const struct xl_cfg *c,
		      unsigned int domid, const struct xl_saved *saved)
{
	memset(a, 0, sizeof(*a));
	paths_program(a->program, "sv-hypervisor");
	snprintf(a->log, sizeof(a->log), "%s/hv-%s.log", paths_log(), c->name);
	a->argv[a->argc++] = a->program;
	add_arg(a, "--domid", number(a, 0, domid));
	add_arg(a, "--name", c->name);
	add_arg(a, "--uuid", xl_uuid_format(a->uuid, c->uuid));
	add_arg(a, "--memory", number(a, 1, c->maxmem_kib));
	add_arg(a, "--vcpus", number(a, 2, c->vcpus));
	add_arg(a, "--maxvcpus", number(a, 3, c->maxvcpus));
	add_arg(a, "--kernel", c->kernel);
	add_arg(a, "--ramdisk", c->ramdisk);
	add_arg(a, "--cmdline", c->cmdline);
	if (c->max_grant_frames)
		add_arg(a, "--max-grant-frames",
			number(a, 4, c->max_grant_frames));
	if (saved) {
		add_arg(a, "--restore", number(a, 5, (uint64_t)saved->fd));
		add_arg(a, "--restore-after", number(a, 6, saved->seq));
	}
	add_arg(a, "--log", a->log);
	if (getenv("SPLITVISOR_NO_SANDBOX"))
		a->argv[a->argc++] = "--no-sandbox";
}

static int start_vmm(const struct xl_cfg *c, unsigned int domid,
		     const struct xl_saved *saved, int *ready)
{
	char pidfile[PATH_MAX];
	struct hv_args a;
	struct xl_start s = { .argv = a.argv,
			      .log = a.log,
			      .pidfile = pidfile,
			      .keep_err = true,
			      .keep_fd = saved ? saved->fd : 0 };
	int ret;

	make_args(&a, c, domid, saved);
	paths_dom(pidfile, domid, "hv.pid");
	ret = xl_proc_start(&s, ready);
	if (ret)
		log_err("%s: cannot be started: %s", a.program, strerror(-ret));
	return ret;
}

/* A VMM that ends while starting says why on our standard error, if it can. */
static void report_end(const struct xl_cfg *c, unsigned int domid)
{
	char path[PATH_MAX];
	struct xl_proc hv;
	int sig;

	if (xl_proc_load(&hv, paths_dom(path, domid, "hv.pid")))
		return;
	sig = xl_proc_fatal(&hv);
	if (sig)
		log_err("domain '%s': its VMM was ended by signal %d, %s (its log is %s/hv-%s.log)",
			c->name, sig, strsignal(sig), paths_log(), c->name);
}

static int wait_vmm(const struct xl_cfg *c, unsigned int domid, int *ready)
{
	int ret = xl_proc_wait_ready(ready, READY_TIMEOUT_MS);

	if (ret == -EPIPE)
		report_end(c, domid);
	else if (ret == -ETIMEDOUT)
		log_err("domain '%s': the VMM was not ready after %d s (its log is %s/hv-%s.log)",
			c->name, READY_TIMEOUT_MS / 1000, paths_log(), c->name);
	return ret;
}

int xl_call(unsigned int domid, enum dom_msg_type type)
{
	struct dom_msg msg = { .type = (uint16_t)type };
	struct dom *dom;
	int ret;

	ret = dom_connect(&dom, domid, DOM_ROLE_ADMIN, NULL, false);
	if (ret)
		return ret;
	ret = dom_call(dom, &msg, NULL, NULL);
	dom_free(dom);
	return ret;
}

/* ---- The store ------------------------------------------------------------ */

/* What the functions that fill transactions need. */
struct job {
	const struct xl_cfg *c;
	unsigned int domid;
	struct xl_rings rings;
	const struct xl_saved *saved; /* or NULL */
};

static void fill_base(struct xl_txn *x, void *arg)
{
	struct job *j = arg;

	xl_tree_base(x, j->domid, j->c);
	if (j->saved)
		j->saved->fill(x, j->saved->arg);
}

static void fill_rings(struct xl_txn *x, void *arg)
{
	struct job *j = arg;

	xl_tree_rings(x, j->domid, &j->rings);
}

static void fill_devices(struct xl_txn *x, void *arg)
{
	struct job *j = arg;

	for (size_t i = 0; i < j->c->ndisks; i++)
		xl_tree_disk(x, j->domid, &j->c->disks[i]);
	for (size_t i = 0; i < j->c->nvifs; i++)
		xl_tree_vif(x, j->domid, &j->c->vifs[i]);
	/* Its frontends are where they were. */
	if (j->saved)
		j->saved->fill(x, j->saved->arg);
}

/* A directory may have gone, and another domain of that number have come. */
static bool is_still(int fd, const char *path)
{
	struct stat is, was;

	return fstat(fd, &was) == 0 && stat(path, &is) == 0 &&
	       is.st_ino == was.st_ino && is.st_dev == was.st_dev;
}

/*
 * Keep others from taking a domain apart.
 *
 * Return: a descriptor to close, -ENOENT if they have, or -errno.
 */
static int hold_together(unsigned int domid)
{
	char path[PATH_MAX];
	int ret = 0, lock = open(paths_dom(path, domid, "teardown"),
				 O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock < 0)
		return -errno;
	while (flock(lock, LOCK_EX) < 0 && errno == EINTR)
		;
	/* Whoever held the lock has probably done everything. */
	if (!is_still(lock, path))
		ret = -ENOENT;
	if (ret)
		fd_close(&lock);
	return ret ? ret : lock;
}

int xl_build_write(struct xs_handle *h, unsigned int domid,
		   void (*fill)(struct xl_txn *, void *), void *arg)
{
	int lock = hold_together(domid);
	int ret = lock < 0 ? lock : xl_txn_run(h, fill, arg);

	fd_close(&lock);
	return ret;
}

static int write_store(struct xs_handle *h, struct job *j,
		       void (*fill)(struct xl_txn *, void *))
{
	int ret = xl_build_write(h, j->domid, fill, j);

	if (ret == -ENOENT)
		log_err("domain '%s': destroyed while it was created",
			j->c->name);
	else if (ret)
		log_err("domain '%s': cannot be written to the store: %s",
			j->c->name, strerror(-ret));
	return ret;
}

/* What it is offered by the store, and may have of it. */
static int limit(const struct job *j)
{
	const struct xl_cfg *c = j->c;
	uint32_t features;
	size_t failed = 0;
	int ret = 0;

	if (c->hidden)
		ret = xl_features_get(&features);
	if (c->hidden && !ret)
		ret = xl_features_set(j->domid, features & ~c->hidden);
	if (ret) {
		log_err("domain '%s': xenstore_feature_mask: the store refuses it: %s (see %s/sv-xenstored.log)",
			c->name, strerror(-ret), paths_log());
		return ret;
	}
	ret = xl_limits_set((int)j->domid, c->limits, c->nlimits, &failed);
	if (ret)
		log_err("domain '%s': xenstore_quota '%s=%u': the store refuses it: %s (`xl xenstore-quota-get -g` lists names)",
			c->name, c->limits[failed].name,
			c->limits[failed].value, strerror(-ret));
	return ret;
}

static int introduce(struct xs_handle *h, struct job *j, struct dom *dom)
{
	struct dom_info info;
	int ret;

	ret = dom_info(dom, &info);
	if (ret) {
		log_err("domain '%s': its VMM does not answer: %s", j->c->name,
			strerror(-ret));
		return ret;
	}
	j->rings = (struct xl_rings){
		.store_gfn = info.store_gfn,
		.store_port = info.store_port,
		.console_gfn = info.console_gfn,
		.console_port = info.console_port,
		.own_console = j->c->own_console,
	};
	ret = write_store(h, j, fill_rings);
	if (ret)
		return ret;
	ret = limit(j);
	if (ret)
		return ret;
	if (!xs_introduce_domain(h, j->domid, info.store_gfn,
				 info.store_port)) {
		ret = -errno;
		log_err("domain '%s': the store refuses it: %s (see %s/sv-xenstored.log)",
			j->c->name, strerror(-ret), paths_log());
	}
	if (!ret && j->saved)
		ret = j->saved->watch(j->saved->arg);
	return ret;
}

static int add_devices(struct xs_handle *h, struct job *j)
{
	const struct xl_cfg *c = j->c;
	int ret;

	if (!c->ndisks && !c->nvifs)
		return 0;
	ret = write_store(h, j, fill_devices);
	for (size_t i = 0; i < c->ndisks && !ret; i++)
		ret = xl_tree_wait_device(h, j->domid, "vbd",
					  c->disks[i].devid);
	for (size_t i = 0; i < c->nvifs && !ret; i++)
		ret = xl_tree_wait_device(h, j->domid, "vif", c->vifs[i].devid);
	return ret;
}

int xl_build_devices(struct xs_handle *h, const struct xl_cfg *c,
		     const struct xl_saved *saved)
{
	struct job j = { .c = c, .domid = saved->domid, .saved = saved };

	return add_devices(h, &j);
}

/* ---- A soft reset --------------------------------------------------------- */

/* The guest is down, and stays so until it has all that a new one finds. */
static int begin_anew(struct xs_handle *h, struct job *j, struct dom *dom)
{
	struct dom_msg pause = { .type = DOM_PAUSE };
	struct dom_msg anew = { .type = DOM_RESUME, .u.anew = 1 };
	int ret = dom_call(dom, &pause, NULL, NULL);

	if (!ret)
		ret = dom_call(dom, &anew, NULL, NULL);
	if (ret) {
		log_err("domain %u: its VMM does not reset it: %s", j->domid,
			strerror(-ret));
		return ret;
	}
	ret = write_store(h, j, fill_base);
	if (!ret)
		ret = introduce(h, j, dom);
	return ret ? ret : add_devices(h, j);
}

int xl_build_reset(const struct xl_cfg *c, const struct xl_built *b)
{
	struct dom_msg go = { .type = DOM_UNPAUSE };
	struct job j = { .c = c, .domid = b->domid };
	struct dom_info info;
	struct xs_handle *h;
	bool any = false;
	int ret = xl_daemons_ensure();

	if (!ret)
		ret = xl_store_open(&h);
	if (ret)
		return ret;
	ret = dom_info(b->dom, &info);
	if (!ret)
		ret = xl_tree_let_go(h, b->domid, "vbd", &any);
	if (!ret)
		ret = xl_tree_let_go(h, b->domid, "vif", &any);
	if (!ret)
		ret = begin_anew(h, &j, b->dom);
	/* A user may have paused it. */
	if (!ret && !(info.state & DOM_PAUSED))
		ret = dom_call(b->dom, &go, NULL, NULL);
	xs_close(h);
	return ret;
}

/* ---- Creation ------------------------------------------------------------- */

/* Without its UUID, a configuration would mean another domain next time. */
static char *with_uuid(const char *text, const uint8_t uuid[16])
{
	char buf[XL_UUID_LEN], line[64], *full;
	const char *there;

	snprintf(line, sizeof(line), "\nuuid = '%s'\n",
		 xl_uuid_format(buf, uuid));
	there = strstr(text, line);
	return asprintf(&full, "%s%s", text, there ? "" : line) < 0 ? NULL
								    : full;
}

int xl_build_keep(const struct xl_cfg *c, unsigned int domid, const char *text)
{
	char *json = NULL, *full = with_uuid(text, c->uuid);
	int ret = full ? xl_json_config(c, true, &json) : -ENOMEM;

	if (!ret && !xl_path_base())
		ret = -ENOENT;
	if (!ret)
		ret = xl_run_write(domid, "cwd", xl_path_base());
	if (!ret)
		ret = xl_run_write(domid, "xl.cfg", full);
	if (!ret)
		ret = xl_run_write(domid, "config.json", json);
	free(full);
	free(json);
	return ret;
}

int xl_build_kept(unsigned int domid, char **text, struct xl_cfg *c)
{
	char *cwd = xl_run_read(domid, "cwd");
	int ret = -ENOENT;

	*text = cwd ? xl_run_read(domid, "xl.cfg") : NULL;
	if (*text) {
		xl_path_set_base(cwd);
		ret = xl_cfg_parse(c, "xl.cfg", *text, UINT_MAX);
	}
	free(cwd);
	return ret;
}

/* Without it the guest runs as well, with another share. */
static void set_share(const struct xl_cfg *c, unsigned int domid)
{
	struct xl_sched s = c->sched;
	int ret = 0;

	if (!s.weight)
		s.weight = XL_WEIGHT_DEFAULT;
	if (c->sched.weight || c->sched.cap)
		ret = xl_sched_set(domid, &s);
	if (ret)
		log_warn("domain '%s': cpu_weight and cap have no effect: %s",
			 c->name, xl_sched_why(ret));
}

/* So that who has taken it over cannot take the host's memory, too. */
static void bound_vmm(const struct xl_cfg *c, unsigned int domid)
{
	int ret = xl_sched_bound(domid, c->maxmem_kib, c->maxvcpus);

	if (ret)
		log_warn(
			"domain '%s': its VMM has no limits: control group '%s': %s (" XL_CGROUP_ENV
			" must name one of version 2 with memory and pids, and no process in it)",
			c->name, getenv(XL_CGROUP_ENV), strerror(-ret));
}

/* From the VMM's start to a paused domain with all its devices. */
static int assemble(const struct xl_cfg *c, const struct xl_saved *saved,
		    struct xl_built *b)
{
	struct job j = { .c = c, .domid = b->domid, .saved = saved };
	struct xs_handle *h = NULL;
	int ready = -1, ret;

	ret = xl_store_open(&h);
	if (!ret)
		ret = start_vmm(c, b->domid, saved, &ready);
	if (!ret && saved && saved->feed)
		ret = saved->feed(saved->arg);
	if (!ret)
		ret = write_store(h, &j, fill_base);
	if (!ret)
		ret = wait_vmm(c, b->domid, &ready);
	if (!ret) {
		ret = dom_connect(&b->dom, b->domid, DOM_ROLE_ADMIN, NULL,
				  true);
		if (ret)
			log_err("domain '%s': its VMM cannot be reached: %s",
				c->name, strerror(-ret));
	}
	if (!ret && c->ncpus)
		ret = xl_vcpu_pin(b->domid, c->cpus, c->ncpus);
	if (!ret) {
		set_share(c, b->domid);
		bound_vmm(c, b->domid);
		ret = introduce(h, &j, b->dom);
	}
	if (!ret)
		ret = add_devices(h, &j);
	if (!ret && xl_interrupted())
		ret = -EINTR;
	fd_close(&ready);
	xs_close(h);
	return ret;
}

int xl_build(const struct xl_cfg *c, const char *text, struct xl_built *out)
{
	return xl_build_saved(c, text, NULL, out);
}

int xl_build_saved(const struct xl_cfg *c, const char *text,
		   const struct xl_saved *saved, struct xl_built *out)
{
	const char *name = saved && saved->name ? saved->name : c->name;
	struct xl_built b = { .owner = -1 };
	int ret;

	ret = xl_daemons_ensure();
	if (ret)
		return ret;
	ret = xl_run_reserve_as(name, saved ? saved->domid : 0, &b.domid,
				&b.owner, xl_teardown);
	if (ret)
		return ret;
	ret = xl_build_keep(c, b.domid, text);
	if (ret)
		log_err("domain '%s': its configuration cannot be kept in '%s': %s",
			c->name, paths_run(), strerror(-ret));
	else
		ret = assemble(c, saved, &b);
	if (ret == -EINTR)
		log_err("domain '%s': interrupted, not created", c->name);
	if (ret) {
		xl_built_close(&b);
		if (xl_teardown(b.domid))
			log_warn(
				"domain '%s': `xl destroy %u` removes the rest",
				c->name, b.domid);
		return ret;
	}
	*out = b;
	return 0;
}

void xl_built_close(struct xl_built *b)
{
	dom_free(b->dom);
	b->dom = NULL;
	fd_close(&b->owner);
}

/* ---- The end -------------------------------------------------------------- */

/* Stop the guest, so that it begins nothing new; true if the VMM lives. */
static bool stop_guest(unsigned int domid, struct xl_proc *hv)
{
	char path[PATH_MAX];

	if (xl_proc_load(hv, paths_dom(path, domid, "hv.pid")) ||
	    !xl_proc_alive(hv))
		return false;
	/* A VMM that does not answer is killed all the same, later. */
	return xl_call(domid, DOM_PAUSE) == 0;
}

static int end_vmm(unsigned int domid, const struct xl_proc *hv)
{
	int asked = xl_call(domid, DOM_DESTROY);
	int ret;

	if (!hv->pid)
		return 0;
	ret = xl_proc_end(hv, asked ? 0 : END_TIMEOUT_MS);
	if (ret)
		log_err("domain %u: its VMM (process %d) does not end: %s",
			domid, (int)hv->pid, strerror(-ret));
	return ret;
}

/* With the teardown lock held. */
static int take_apart(unsigned int domid)
{
	struct xl_proc hv = { 0 };
	struct xs_handle *h;
	bool alive;
	int ret;

	alive = stop_guest(domid, &hv);
	ret = xl_daemons_ensure();
	if (!ret)
		ret = xl_store_open(&h);
	if (ret) {
		/* The guest ends in any case; its nodes keep the directory. */
		return end_vmm(domid, &hv) ? -EBUSY : ret;
	}
	/* Without a VMM the backends close by themselves, soon. */
	xl_tree_detach(h, domid, alive ? DETACH_TIMEOUT_MS : GONE_TIMEOUT_MS);
	ret = end_vmm(domid, &hv);
	if (!ret) {
		xl_sched_forget(hv.pid);
		xs_release_domain(h, domid); /* refused if never introduced */
		ret = xl_tree_remove(h, domid);
		if (ret)
			log_err("domain %u: its nodes cannot be removed from the store: %s",
				domid, strerror(-ret));
	}
	xs_close(h);
	if (!ret)
		ret = xl_run_remove(domid);
	return ret;
}

int xl_teardown_mine(unsigned int domid, int owner)
{
	int ret = 1, lock = hold_together(domid);
	char path[PATH_MAX];
	bool was;

	if (lock < 0)
		return lock == -ENOENT ? 1 : lock;
	if (owner < 0 || is_still(owner, paths_dom(path, domid, "owner"))) {
		was = xl_shield(true);
		ret = take_apart(domid);
		xl_shield(was);
	}
	fd_close(&lock);
	return ret;
}

int xl_teardown(unsigned int domid)
{
	int ret = xl_teardown_mine(domid, -1);

	return ret < 0 ? ret : 0;
}
