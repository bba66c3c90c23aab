// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/domctl.c - the domain socket's server half.
#include "hypervisor/domctl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/storeuser.h"
#include "hypervisor/context.h"
#include "hypervisor/debug.h"
#include "hypervisor/dump.h"
#include "hypervisor/layout.h"
#include "hypervisor/resume.h"
#include "hypervisor/save.h"
#include "hypervisor/stats.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * One message in, one message out, in order; base/domsock.h is the protocol.
 * Each call is a row of the table below with the roles that may make it, checked
 * in one place.  Nothing waits for a client: one whose socket is full, or that
 * breaks the protocol, is disconnected.  When a client goes, its event channels
 * fall back to unbound.
 */

/* Until accept() is tried again for which there was not room. */
#define RETRY_NS UINT64_C(100000000)

/**
 * struct client - A connection.
 * @fd:       -1: free place.
 * @stats:    *Owned*, of a backend that has offered it; else -1.
 * @stats_at: Where its statistics begin there.
 * @is_store: It runs as the store's user, and can have no other role.
 */
struct client {
	int fd;
	int stats;
	uint64_t stats_at;
	bool greeted;
	bool events;
	bool is_store;
	enum dom_role role;
	char device[64]; /* escaped, for the log */
};

struct domctl {
	struct vm *vm;
	int listener;
	struct sandbox_user store;
	bool announced;
	struct client *debugger; /* or NULL */
	uint64_t deaf_until; /* CLOCK_MONOTONIC ns; 0 while clients may come */
	struct log_limit limit;
	char path[PATH_MAX];
	unsigned int n; /* places of client[] in use or freed */
	struct client client[DOMCTL_MAX_CLIENTS];
};

/**
 * struct answer - What comes and goes back besides the message.
 * @given: A descriptor that came; -1 once somebody keeps it, or for none.
 */
struct answer {
	int given;
	int fds[SOCK_MAX_FDS]; /* borrowed */
	size_t nfds;
	bool end; /* the domain is to be destroyed */
};

static void fill_info(struct vm *vm, struct dom_info *info)
{
	bool running = false;

	*info = (struct dom_info){
		.domid = vm->cfg.domid,
		.vcpus_max = vm->cfg.vcpus_max,
		.backend_domid = VM_BACKEND,
		.start_ns = vm->start_ns,
		.store_gfn = LAYOUT_STORE >> SV_PAGE_SHIFT,
		.console_gfn = LAYOUT_CONSOLE >> SV_PAGE_SHIFT,
		.store_port = EVTCHN_STORE,
		.console_port = EVTCHN_CONSOLE,
		.pid = (uint32_t)getpid(),
	};
	memcpy(info->uuid, vm->cfg.uuid, sizeof(info->uuid));
	snprintf(info->name, sizeof(info->name), "%s", vm->cfg.name);
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		info->cpu_ns += vcpu_cpu_ns(&vm->vcpus[i]);
		running = running || !stats_waits(&vm->vcpus[i]);
	}
	pthread_mutex_lock(&vm->lock);
	info->ram_kib = memory_pages(vm) * (SV_PAGE_SIZE / 1024);
	info->reason = vm->reason;
	info->life = vm->life;
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		info->online |= (uint64_t)vm->vcpus[i].online << i;
	info->vcpus_online = (uint32_t)__builtin_popcountll(info->online);
	if (vm->paused)
		info->state |= DOM_PAUSED;
	if (vm->shutdown)
		info->state |= DOM_SHUTDOWN;
	if (!(info->state & (DOM_PAUSED | DOM_SHUTDOWN)))
		info->state |= running ? DOM_RUNNING : DOM_BLOCKED;
	pthread_mutex_unlock(&vm->lock);
}

static void disconnect(struct domctl *d, struct client *c)
{
	pthread_mutex_lock(&d->vm->lock);
	evtchn_client_gone(d->vm, c);
	pthread_mutex_unlock(&d->vm->lock);
	if (d->debugger == c) {
		d->debugger = NULL;
		debug_end(d->vm);
	}
	fd_close(&c->stats);
	fd_close(&c->fd);
	d->deaf_until = 0;
}

static int send_event(struct domctl *d, struct client *c, uint16_t type)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = type };

	fill_info(d->vm, &msg.u.info);
	return sock_send_fds(c->fd, &msg, sizeof(msg), NULL, 0);
}

static void tell_all(struct domctl *d, uint16_t type)
{
	for (unsigned int i = 0; i < d->n; i++) {
		if (d->client[i].fd >= 0 && d->client[i].events &&
		    send_event(d, &d->client[i], type))
			disconnect(d, &d->client[i]);
	}
}

static int do_info(struct domctl *d, struct client *c, struct dom_msg *msg,
		   struct answer *a)
{
	(void)a;
	if (c->role == DOM_ROLE_ADMIN)
		context_look(d->vm);
	fill_info(d->vm, &msg->u.info);
	return 0;
}

static int do_hello(struct domctl *d, struct client *c, struct dom_msg *msg,
		    struct answer *a)
{
	size_t len = strnlen(msg->u.hello.device, sizeof(msg->u.hello.device));

	if (c->greeted || msg->u.hello.role >= DOM_NROLES)
		return -EINVAL;
	if (c->is_store && msg->u.hello.role != DOM_ROLE_STORE)
		return -EPERM;
	c->greeted = true;
	c->role = msg->u.hello.role;
	c->events = msg->u.hello.events;
	util_escape(c->device, sizeof(c->device), msg->u.hello.device, len);
	return do_info(d, c, msg, a);
}

static int do_memmap(struct domctl *d, struct client *c, struct dom_msg *msg,
		     struct answer *a)
{
	(void)c;
	guestmem_memmap(d->vm->mem, &msg->u.memmap);
	a->fds[a->nfds++] = d->vm->mem->fd;
	return 0;
}

static int do_page(struct domctl *d, struct client *c, struct dom_msg *msg,
		   struct answer *a)
{
	bool store = c->role == DOM_ROLE_STORE;

	msg->u.page.gfn = (store ? LAYOUT_STORE : LAYOUT_CONSOLE) >>
			  SV_PAGE_SHIFT;
	msg->u.page.port = store ? EVTCHN_STORE : EVTCHN_CONSOLE;
	a->fds[a->nfds++] = store ? d->vm->store.fd : d->vm->console.fd;
	return 0;
}

static int do_grant_frames(struct domctl *d, struct client *c,
			   struct dom_msg *msg, struct answer *a)
{
	uint32_t first = msg->u.frames.first;

	(void)c;
	memset(&msg->u, 0, sizeof(msg->u));
	pthread_mutex_lock(&d->vm->lock);
	gnttab_frames(d->vm, first, &msg->u.frames);
	pthread_mutex_unlock(&d->vm->lock);
	a->fds[a->nfds++] = d->vm->gnttab.fd;
	return 0;
}

/* Which ports a role may bind: its own, or, for backends, all but those. */
static bool may_bind(enum dom_role role, uint32_t port)
{
	switch (role) {
	case DOM_ROLE_STORE:
		return port == EVTCHN_STORE;
	case DOM_ROLE_CONSOLE:
		return port == EVTCHN_CONSOLE;
	default:
		return port != EVTCHN_STORE && port != EVTCHN_CONSOLE;
	}
}

static int do_evtchn_bind(struct domctl *d, struct client *c,
			  struct dom_msg *msg, struct answer *a)
{
	uint32_t port = msg->u.port;
	int ret;

	if (!may_bind(c->role, port))
		return -EPERM;
	pthread_mutex_lock(&d->vm->lock);
	ret = evtchn_client_bind(d->vm, c, port, &a->fds[0], &a->fds[1]);
	pthread_mutex_unlock(&d->vm->lock);
	if (!ret)
		a->nfds = 2;
	return ret;
}

static int do_evtchn_close(struct domctl *d, struct client *c,
			   struct dom_msg *msg, struct answer *a)
{
	int ret;

	(void)a;
	pthread_mutex_lock(&d->vm->lock);
	ret = evtchn_client_close(d->vm, c, msg->u.port);
	pthread_mutex_unlock(&d->vm->lock);
	return ret;
}

static int do_pause(struct domctl *d, struct client *c, struct dom_msg *msg,
		    struct answer *a)
{
	(void)c;
	(void)msg;
	(void)a;
	vm_pause(d->vm);
	return 0;
}

static int do_unpause(struct domctl *d, struct client *c, struct dom_msg *msg,
		      struct answer *a)
{
	(void)c;
	(void)msg;
	(void)a;
	vm_unpause(d->vm);
	return 0;
}

static int do_destroy(struct domctl *d, struct client *c, struct dom_msg *msg,
		      struct answer *a)
{
	(void)d;
	(void)c;
	(void)msg;
	a->end = true;
	return 0;
}

static int do_stats(struct domctl *d, struct client *c, struct dom_msg *msg,
		    struct answer *a)
{
	(void)c;
	(void)a;
	memset(&msg->u, 0, sizeof(msg->u));
	stats_fill(d->vm, &msg->u.stats);
	return 0;
}

static int do_vcpu(struct domctl *d, struct client *c, struct dom_msg *msg,
		   struct answer *a)
{
	uint32_t id = msg->u.vcpu.id;

	(void)c;
	(void)a;
	memset(&msg->u, 0, sizeof(msg->u));
	return context_get(d->vm, id, &msg->u.vcpu);
}

/* All clients hear first that it was down, then that it goes on. */
static int do_resume(struct domctl *d, struct client *c, struct dom_msg *msg,
		     struct answer *a)
{
	int ret;

	(void)c;
	(void)a;
	domctl_announce(d);
	ret = resume_vm(d->vm, msg->u.anew);
	if (ret)
		return ret;
	d->announced = false;
	tell_all(d, DOM_EV_RESUMED);
	return 0;
}

static int do_devstats(struct domctl *d, struct client *c, struct dom_msg *msg,
		       struct answer *a)
{
	uint32_t first = msg->u.devstats.index;

	(void)c;
	memset(&msg->u, 0, sizeof(msg->u));
	for (uint32_t i = first; i < d->n; i++) {
		c = &d->client[i];
		if (c->fd < 0 || c->stats < 0)
			continue;
		msg->u.devstats.index = i;
		msg->u.devstats.offset = c->stats_at;
		snprintf(msg->u.devstats.device, sizeof(msg->u.devstats.device),
			 "%s", c->device);
		a->fds[a->nfds++] = c->stats;
		return 0;
	}
	return -ENOENT;
}

static int do_offer_stats(struct domctl *d, struct client *c,
			  struct dom_msg *msg, struct answer *a)
{
	(void)d;
	if (c->stats >= 0)
		return -EEXIST;
	if (a->given < 0 || fd_check_view(a->given))
		return -EINVAL;
	c->stats = a->given;
	c->stats_at = msg->u.devstats.offset;
	a->given = -1;
	return 0;
}

static int do_save(struct domctl *d, struct client *c, struct dom_msg *msg,
		   struct answer *a)
{
	(void)c;
	/* Breakpoints are in its memory. */
	if (d->debugger)
		return -EBUSY;
	return a->given < 0 ? -EINVAL : save_vm(d->vm, a->given, &msg->u.seq);
}

static int do_save_host(struct domctl *d, struct client *c, struct dom_msg *msg,
			struct answer *a)
{
	(void)c;
	return a->given < 0 ? -EINVAL : save_host(d->vm, a->given, &msg->u.seq);
}

static int do_dump(struct domctl *d, struct client *c, struct dom_msg *msg,
		   struct answer *a)
{
	(void)c;
	(void)msg;
	return a->given < 0 ? -EINVAL : dump_vm(d->vm, a->given);
}

static int do_nmi(struct domctl *d, struct client *c, struct dom_msg *msg,
		  struct answer *a)
{
	(void)c;
	(void)a;
	return context_nmi(d->vm, msg->u.vcpu.id);
}

static int do_debug(struct domctl *d, struct client *c, struct dom_msg *msg,
		    struct answer *a)
{
	int ret;

	(void)a;
	if (d->debugger && d->debugger != c)
		return -EBUSY;
	ret = debug_run(d->vm, &msg->u.debug);
	if (!ret)
		d->debugger = c;
	return ret;
}

/* What its debugger asks of a domain that stands still. */
static int do_debugger(struct domctl *d, struct client *c, struct dom_msg *msg,
		       struct answer *a)
{
	int ret = d->debugger == c ? debug_still(d->vm) : -ENOTCONN;

	(void)a;
	if (ret)
		return ret;
	switch (msg->type) {
	case DOM_BREAK:
		return debug_break(d->vm, &msg->u.brk);
	case DOM_REGS:
		return debug_regs(d->vm, &msg->u.regs);
	case DOM_SET_REGS:
		return debug_set_regs(d->vm, &msg->u.regs);
	case DOM_PEEK:
		return debug_peek(d->vm, &msg->u.peek);
	default:
		return debug_poke(d->vm, &msg->u.peek);
	}
}

#define ADMIN	(1u << DOM_ROLE_ADMIN)
#define STORE	(1u << DOM_ROLE_STORE)
#define CONSOLE (1u << DOM_ROLE_CONSOLE)
#define BACKEND (1u << DOM_ROLE_BACKEND)
#define ALL	(ADMIN | STORE | CONSOLE | BACKEND)

static const struct call {
	const char *name;
	int (*run)(struct domctl *d, struct client *c, struct dom_msg *msg,
		   struct answer *a);
	unsigned int roles;
} calls[] = {
	[DOM_HELLO] = { "HELLO", do_hello, ALL },
	[DOM_INFO] = { "INFO", do_info, ALL },
	[DOM_MEMMAP] = { "MEMMAP", do_memmap, ADMIN | BACKEND },
	[DOM_PAGE] = { "PAGE", do_page, STORE | CONSOLE },
	[DOM_GRANT_FRAMES] = { "GRANT_FRAMES", do_grant_frames, BACKEND },
	[DOM_EVTCHN_BIND] = { "EVTCHN_BIND", do_evtchn_bind,
			      STORE | CONSOLE | BACKEND },
	[DOM_EVTCHN_CLOSE] = { "EVTCHN_CLOSE", do_evtchn_close,
			       STORE | CONSOLE | BACKEND },
	[DOM_PAUSE] = { "PAUSE", do_pause, ADMIN },
	[DOM_UNPAUSE] = { "UNPAUSE", do_unpause, ADMIN },
	[DOM_DESTROY] = { "DESTROY", do_destroy, ADMIN },
	[DOM_STATS] = { "STATS", do_stats, ADMIN },
	[DOM_VCPU] = { "VCPU", do_vcpu, ADMIN },
	[DOM_RESUME] = { "RESUME", do_resume, ADMIN },
	[DOM_DEVSTATS] = { "DEVSTATS", do_devstats, ADMIN },
	[DOM_OFFER_STATS] = { "OFFER_STATS", do_offer_stats, BACKEND },
	[DOM_SAVE] = { "SAVE", do_save, ADMIN },
	[DOM_DUMP] = { "DUMP", do_dump, ADMIN },
	[DOM_NMI] = { "NMI", do_nmi, ADMIN },
	[DOM_SAVE_HOST] = { "SAVE_HOST", do_save_host, ADMIN },
	[DOM_DEBUG] = { "DEBUG", do_debug, ADMIN },
	[DOM_BREAK] = { "BREAK", do_debugger, ADMIN },
	[DOM_REGS] = { "REGS", do_debugger, ADMIN },
	[DOM_SET_REGS] = { "SET_REGS", do_debugger, ADMIN },
	[DOM_PEEK] = { "PEEK", do_debugger, ADMIN },
	[DOM_POKE] = { "POKE", do_debugger, ADMIN },
};

_Static_assert(ARRAY_SIZE(calls) == DOM_NTYPES, "one row for each call");

static const char *const role_names[] = {
	[DOM_ROLE_ADMIN] = "admin",
	[DOM_ROLE_STORE] = "store",
	[DOM_ROLE_CONSOLE] = "console",
	[DOM_ROLE_BACKEND] = "backend",
};

_Static_assert(ARRAY_SIZE(role_names) == DOM_NROLES, "a name for each role");

/* Make the call, checking what all calls have in common; Return: status. */
static int call(struct domctl *d, struct client *c, struct dom_msg *msg,
		struct answer *a)
{
	const struct call *row = NULL;

	if (msg->type < ARRAY_SIZE(calls))
		row = &calls[msg->type];
	if (!row || !row->run)
		return -ENOSYS;
	if (!c->greeted && msg->type != DOM_HELLO)
		return -EPROTO;
	if (c->greeted && !(row->roles & 1u << c->role)) {
		log_limited(&d->limit, LOG_LVL_WARN,
			    "domain socket: %s %s may not ask for %s",
			    role_names[c->role], c->device, row->name);
		return -EPERM;
	}
	return row->run(d, c, msg, a);
}

/*
 * Take one message and answer it; Return: 0, or -errno to disconnect.
 *
 * SYSCALLS: recvmsg sendmsg
 */
static int serve(struct domctl *d, struct client *c, bool *end)
{
	struct answer a = { .given = -1 };
	int fds[SOCK_MAX_FDS];
	struct dom_msg msg;
	size_t nfds;
	bool hello;
	int ret;

	ret = sock_recv_fds(c->fd, &msg, sizeof(msg), fds, &nfds);
	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	/* No call takes more than one descriptor, and few that. */
	if (nfds)
		a.given = fds[0];
	while (nfds > 1)
		fd_close(&fds[--nfds]);
	hello = msg.type == DOM_HELLO;
	ret = msg.magic != DOM_MAGIC || msg.version != DOM_VERSION ||
	      msg.seq == 0;
	if (!ret)
		msg.status = call(d, c, &msg, &a);
	fd_close(&a.given);
	if (ret)
		return -EPROTO;
	if (msg.status) {
		memset(&msg.u, 0, sizeof(msg.u));
		a.nfds = 0;
	}
	ret = sock_send_fds(c->fd, &msg, sizeof(msg), a.fds, a.nfds);
	*end = *end || a.end;
	/* The event is a state, not an edge: whoever comes late has it too. */
	if (!ret && hello && c->events && d->announced)
		ret = send_event(d, c, DOM_EV_SHUTDOWN);
	return ret;
}

static struct client *free_place(struct domctl *d)
{
	for (unsigned int i = 0; i < d->n; i++) {
		if (d->client[i].fd < 0)
			return &d->client[i];
	}
	return d->n < DOMCTL_MAX_CLIENTS ? &d->client[d->n++] : NULL;
}

/*
 * SYSCALLS: accept4 getsockopt
 * SYSCALLS, at times: geteuid
 */
static void accept_client(struct domctl *d)
{
	int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;
	bool trusted;

	if (fd < 0) {
		/* Do not spin: wait a moment, or until a client leaves. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS)
			d->deaf_until = util_clock_ns() + RETRY_NS;
		return;
	}
	trusted = sock_peer_trusted(fd);
	c = trusted || sock_peer_is(fd, d->store.uid) ? free_place(d) : NULL;
	if (!c) {
		log_limited(&d->limit, LOG_LVL_WARN,
			    "domain socket: a client is turned away (not ours, "
			    "or more than %u)",
			    DOMCTL_MAX_CLIENTS);
		fd_close(&fd);
		return;
	}
	*c = (struct client){ .fd = fd, .stats = -1, .is_store = !trusted };
}

int domctl_new(struct domctl **out, struct vm *vm, const char *path)
{
	struct domctl *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->vm = vm;
	snprintf(d->path, sizeof(d->path), "%s", path);
	d->listener = sock_listen(path, SOCK_SEQPACKET);
	if (d->listener < 0) {
		ret = d->listener;
		goto free;
	}
	storeuser_find(&d->store);
	ret = storeuser_admit(path, &d->store);
	if (ret)
		goto close;
	*out = d;
	return 0;

close:
	unlink(path);
	fd_close(&d->listener);
free:
	free(d);
	return ret;
}

/* SYSCALLS: unlink */
void domctl_free(struct domctl *d)
{
	if (!d)
		return;
	for (unsigned int i = 0; i < d->n; i++) {
		if (d->client[i].fd >= 0)
			disconnect(d, &d->client[i]);
	}
	unlink(d->path);
	fd_close(&d->listener);
	free(d);
}

uint64_t domctl_timer(const struct domctl *d)
{
	return d->deaf_until ? d->deaf_until : UINT64_MAX;
}

static bool is_deaf(struct domctl *d)
{
	if (d->deaf_until && util_clock_ns() >= d->deaf_until)
		d->deaf_until = 0;
	return d->deaf_until;
}

/* One entry for each place, so that indices match. */
unsigned int domctl_pollfds(struct domctl *d,
			    struct pollfd fds[DOMCTL_MAX_POLL])
{
	unsigned int n = 0;

	fds[n++] = (struct pollfd){ .fd = is_deaf(d) ? -1 : d->listener,
				    .events = POLLIN };
	for (unsigned int i = 0; i < d->n; i++)
		fds[n++] = (struct pollfd){ .fd = d->client[i].fd,
					    .events = POLLIN };
	return n;
}

bool domctl_serve(struct domctl *d, const struct pollfd *fds, unsigned int n)
{
	struct client *c;
	bool end = false;
	int ret;

	/*
	 * Those that have gone first: the successor of a dead worker may wait
	 * in the same round for the ports that it left.
	 */
	for (unsigned int i = 1; i < n; i++) {
		if (fds[i].fd >= 0 && fds[i].revents & (POLLHUP | POLLERR))
			disconnect(d, &d->client[i - 1]);
	}
	for (unsigned int i = 1; i < n; i++) {
		c = &d->client[i - 1];
		if (c->fd < 0 || !(fds[i].revents & POLLIN))
			continue;
		ret = serve(d, c, &end);
		if (!ret)
			continue;
		if (ret != -EPIPE && ret != -ECONNRESET)
			log_limited(&d->limit, LOG_LVL_WARN,
				    "domain socket: %s %s: %s",
				    c->greeted ? role_names[c->role] : "client",
				    c->device, strerror(-ret));
		disconnect(d, c);
	}
	if (fds[0].revents & POLLIN)
		accept_client(d);
	return !end;
}

/* A vCPU that has stopped for its debugger. */
static void announce_stop(struct domctl *d)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = DOM_EV_STOPPED };

	if (d->debugger && debug_stopped(d->vm, &msg.u.stopped) &&
	    sock_send_fds(d->debugger->fd, &msg, sizeof(msg), NULL, 0))
		disconnect(d, d->debugger);
}

void domctl_announce(struct domctl *d)
{
	bool down;

	announce_stop(d);
	pthread_mutex_lock(&d->vm->lock);
	down = d->vm->shutdown;
	pthread_mutex_unlock(&d->vm->lock);
	if (!down || d->announced)
		return;
	d->announced = true;
	tell_all(d, DOM_EV_SHUTDOWN);
}
