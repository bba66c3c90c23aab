// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakedom.c - a domain without a vCPU, for tests of its clients.
#include "tests/lib/fakedom.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xen/sched.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "base/savefile.h"
#include "base/sock.h"
#include "base/storeuser.h"

#define MAX_CLIENTS 16
#define MAX_PORTS   512
#define PER_FRAME   (SV_PAGE_SIZE / sizeof(grant_entry_v1_t))

struct area {
	int fd;
	uint8_t *base;
	size_t size;
};

struct port {
	int kick, call; /* -1: not allocated */
	int client;	/* which has bound it; -1: none */
};

struct client {
	int fd; /* -1: free */
	uint32_t role;
	bool hello, events;
	char device[64];
	int stats; /* what it has offered; -1: nothing */
	uint64_t stats_at;
};

struct fakedom {
	unsigned int domid;
	struct area ram, table, store, console;
	uint64_t next_gfn;
	uint32_t next_ref;
	int listen_fd, quit_fd;
	pthread_t thread;
	pthread_mutex_t lock;	/* for what follows */
	pthread_cond_t changed; /* the state */
	uint32_t frames;
	uint32_t state, reason, life;
	bool anew;
	uint32_t vcpus, maxvcpus;
	uint64_t start_ns;
	uint8_t uuid[16];
	char name[DOM_NAME_MAX];
	struct port port[MAX_PORTS];
	struct client client[MAX_CLIENTS];
};

#define CHECK(cond)                                                        \
	do {                                                               \
		if (!(cond)) {                                             \
			fprintf(stderr, "fakedom: %s:%d: %s (errno %d)\n", \
				__func__, __LINE__, #cond, errno);         \
			abort();                                           \
		}                                                          \
	} while (0)

static char run_dir[64];

const char *fakedom_run_dir(void)
{
	snprintf(run_dir, sizeof(run_dir), "/tmp/sv-test-XXXXXX");
	CHECK(mkdtemp(run_dir));
	setenv("SPLITVISOR_RUN_DIR", run_dir, 1);
	unsetenv("XENSTORED_PATH");
	paths_init();
	return run_dir;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fakedom_run_dir_remove(void)
{
	if (run_dir[0])
		nftw(run_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	run_dir[0] = '\0';
}

static void fill_info(struct fakedom *f, struct dom_info *info)
{
	*info = (struct dom_info){
		.domid = f->domid,
		.state = f->state,
		.reason = f->reason,
		.life = f->life,
		.vcpus_max = f->maxvcpus,
		.start_ns = f->start_ns,
		.vcpus_online = f->vcpus,
		.online = f->vcpus ? UINT64_MAX >> (64 - f->vcpus) : 0,
		.ram_kib = f->ram.size / 1024,
		.store_gfn = FAKEDOM_STORE_GFN,
		.console_gfn = FAKEDOM_CONSOLE_GFN,
		.store_port = FAKEDOM_STORE_PORT,
		.console_port = FAKEDOM_CONSOLE_PORT,
		.pid = (uint32_t)getpid(),
	};
	memcpy(info->uuid, f->uuid, sizeof(info->uuid));
	snprintf(info->name, sizeof(info->name), "%s", f->name);
}

static int do_memmap(struct fakedom *f, struct dom_msg *m, int *fds, size_t *n)
{
	uint64_t half = f->ram.size / SV_PAGE_SIZE / 2;

	memset(&m->u, 0, sizeof(m->u));
	m->u.memmap.n = 2;
	m->u.memmap.size = f->ram.size;
	m->u.memmap.region[0] = (struct dom_region){ 0, half, 0 };
	m->u.memmap.region[1] =
		(struct dom_region){ FAKEDOM_HIGH, half, half * SV_PAGE_SIZE };
	fds[(*n)++] = f->ram.fd;
	return 0;
}

static int do_frames(struct fakedom *f, struct dom_msg *m, int *fds, size_t *n)
{
	uint32_t first = m->u.frames.first;
	struct dom_frames *out = &m->u.frames;

	memset(&m->u, 0, sizeof(m->u));
	out->first = first;
	out->total = f->frames;
	out->size = f->table.size;
	while (first + out->n < f->frames && out->n < DOM_FRAMES_PER_MSG) {
		out->frame[out->n].offset =
			(uint64_t)(first + out->n) * SV_PAGE_SIZE;
		out->n++;
	}
	fds[(*n)++] = f->table.fd;
	return 0;
}

static int do_page(struct fakedom *f, const struct client *c, struct dom_msg *m,
		   int *fds, size_t *n)
{
	bool store = c->role == DOM_ROLE_STORE;

	if (!store && c->role != DOM_ROLE_CONSOLE)
		return -EPERM;
	memset(&m->u, 0, sizeof(m->u));
	m->u.page.gfn = store ? FAKEDOM_STORE_GFN : FAKEDOM_CONSOLE_GFN;
	m->u.page.port = store ? FAKEDOM_STORE_PORT : FAKEDOM_CONSOLE_PORT;
	fds[(*n)++] = store ? f->store.fd : f->console.fd;
	return 0;
}

static struct port *find_port(struct fakedom *f, uint32_t port)
{
	if (port >= MAX_PORTS || f->port[port].kick < 0)
		return NULL;
	return &f->port[port];
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
}

static int do_bind(struct fakedom *f, int client, struct dom_msg *m, int *fds,
		   size_t *n)
{
	struct port *p = find_port(f, m->u.port);

	if (!p || p->client >= 0)
		return -EINVAL;
	p->client = client;
	signal_fd(p->kick);
	signal_fd(p->call);
	fds[(*n)++] = p->kick;
	fds[(*n)++] = p->call;
	return 0;
}

static int do_close(struct fakedom *f, int client, struct dom_msg *m)
{
	struct port *p = find_port(f, m->u.port);

	if (!p || p->client != client)
		return -EINVAL;
	p->client = -1;
	return 0;
}

static int do_hello(struct fakedom *f, struct client *c, struct dom_msg *m)
{
	struct dom_info info;

	if (m->u.hello.role >= DOM_NROLES)
		return -EINVAL;
	c->hello = true;
	c->role = m->u.hello.role;
	c->events = m->u.hello.events;
	snprintf(c->device, sizeof(c->device), "%.63s", m->u.hello.device);
	fill_info(f, &info);
	m->u.info = info;
	return 0;
}

static struct area make_area(const char *name, size_t size)
{
	struct area a = { .fd = fd_memfd(name, size), .size = size };
	void *p;

	CHECK(a.fd >= 0);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, a.fd, 0);
	CHECK(p != MAP_FAILED);
	a.base = p;
	return a;
}

static void free_area(struct area *a)
{
	munmap(a->base, a->size);
	fd_close(&a->fd);
}

static void open_port(struct port *p)
{
	p->kick = eventfd(0, EFD_CLOEXEC);
	p->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(p->kick >= 0 && p->call >= 0);
}

static void close_port(struct port *p)
{
	fd_close(&p->kick);
	fd_close(&p->call);
	p->client = -1;
}

/* What a guest begins with, made by the toolstack on Xen. */
static void make_first(struct fakedom *f)
{
	f->store = make_area("fake-store", SV_PAGE_SIZE);
	f->console = make_area("fake-console", SV_PAGE_SIZE);
	open_port(&f->port[FAKEDOM_STORE_PORT]);
	open_port(&f->port[FAKEDOM_CONSOLE_PORT]);
	f->frames = 1;
}

static void lose_all(struct fakedom *f)
{
	for (int i = 0; i < MAX_PORTS; i++)
		close_port(&f->port[i]);
	free_area(&f->store);
	free_area(&f->console);
}

static void tell_all(struct fakedom *f, uint16_t type)
{
	struct dom_msg m = { .magic = DOM_MAGIC,
			     .version = DOM_VERSION,
			     .type = type };
	int ret;

	fill_info(f, &m.u.info);
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (f->client[i].fd < 0 || !f->client[i].events)
			continue;
		/* It may have left, which the server has not seen yet. */
		ret = sock_send_fds(f->client[i].fd, &m, sizeof(m), NULL, 0);
		CHECK(!ret || ret == -EPIPE || ret == -ECONNRESET);
	}
}

static int resume(struct fakedom *f, bool anew)
{
	if (!(f->state & DOM_SHUTDOWN) ||
	    (f->reason != SHUTDOWN_suspend &&
	     (f->reason != SHUTDOWN_soft_reset || !anew)))
		return -EINVAL;
	f->anew = anew;
	if (anew) {
		lose_all(f);
		memset(f->table.base, 0, f->table.size);
		make_first(f);
		f->life++;
	}
	f->state &= ~(uint32_t)DOM_SHUTDOWN;
	f->reason = 0;
	pthread_cond_broadcast(&f->changed);
	tell_all(f, DOM_EV_RESUMED);
	return 0;
}

static int do_offer_stats(struct client *c, const struct dom_msg *m, int *given)
{
	if (c->role != DOM_ROLE_BACKEND)
		return -EPERM;
	CHECK(c->stats < 0 && !fd_check_view(*given));
	c->stats = *given;
	c->stats_at = m->u.devstats.offset;
	*given = -1;
	return 0;
}

static int do_devstats(struct fakedom *f, const struct client *c,
		       struct dom_msg *m, int *fds, size_t *n)
{
	struct dom_devstats *s = &m->u.devstats;

	if (c->role != DOM_ROLE_ADMIN)
		return -EPERM;
	for (; s->index < MAX_CLIENTS; s->index++) {
		c = &f->client[s->index];
		if (c->fd < 0 || c->stats < 0)
			continue;
		s->offset = c->stats_at;
		memcpy(s->device, c->device, sizeof(s->device));
		fds[(*n)++] = c->stats;
		return 0;
	}
	return -ENOENT;
}

/* Something, so that it is seen, and what must not be. */
static int do_stats(struct dom_msg *m)
{
	struct dom_stats *s = &m->u.stats;

	memset(&m->u, 0, sizeof(m->u));
	s->n = 4;
	strcpy(s->stat[2].name, "\033[31m");
	memset(s->stat[3].name, 'x', sizeof(s->stat[3].name));
	strcpy(m->u.stats.stat[0].name, "exits");
	m->u.stats.stat[0].value = 7;
	strcpy(m->u.stats.stat[1].name, "irq_injections");
	m->u.stats.stat[1].value = 3;
	return 0;
}

/* Of what a VMM would write, one record that is not empty. */
static int do_save(const struct fakedom *f, const struct client *c,
		   struct dom_msg *m, int given)
{
	bool host = m->type == DOM_SAVE_HOST;
	struct savefile s = { .fd = given, .seq = m->u.seq };
	char text[] = "a stand-in";
	struct iovec v = { text, sizeof(text) };
	int ret;

	if (c->role != DOM_ROLE_ADMIN)
		return -EPERM;
	if (given < 0 || (!host && !(f->state & DOM_PAUSED)))
		return -EINVAL;
	ret = savefile_put(&s, host ? SAVE_HOST : SAVE_VM, &v, 1);
	m->u.seq = s.seq;
	return ret;
}

static int handle(struct fakedom *f, int client, struct dom_msg *m, int *given,
		  int *fds, size_t *n)
{
	struct client *c = &f->client[client];

	if (m->type == DOM_HELLO)
		return do_hello(f, c, m);
	if (!c->hello)
		return -EPERM;
	switch (m->type) {
	case DOM_INFO:
		fill_info(f, &m->u.info);
		return 0;
	case DOM_MEMMAP:
		return do_memmap(f, m, fds, n);
	case DOM_PAGE:
		return do_page(f, c, m, fds, n);
	case DOM_GRANT_FRAMES:
		return do_frames(f, m, fds, n);
	case DOM_EVTCHN_BIND:
		return do_bind(f, client, m, fds, n);
	case DOM_EVTCHN_CLOSE:
		return do_close(f, client, m);
	case DOM_PAUSE:
		f->state |= DOM_PAUSED;
		return 0;
	case DOM_UNPAUSE:
		f->state &= ~(uint32_t)DOM_PAUSED;
		pthread_cond_broadcast(&f->changed);
		return 0;
	case DOM_RESUME:
		return c->role == DOM_ROLE_ADMIN ? resume(f, m->u.anew)
						 : -EPERM;
	case DOM_DESTROY:
		return c->role == DOM_ROLE_ADMIN ? 0 : -EPERM;
	case DOM_STATS:
		return c->role == DOM_ROLE_ADMIN ? do_stats(m) : -EPERM;
	case DOM_DEVSTATS:
		return do_devstats(f, c, m, fds, n);
	case DOM_OFFER_STATS:
		return do_offer_stats(c, m, given);
	case DOM_SAVE:
	case DOM_SAVE_HOST:
		return do_save(f, c, m, *given);
	default:
		return -ENOSYS;
	}
}

static void drop_client(struct fakedom *f, int client)
{
	pthread_mutex_lock(&f->lock);
	fd_close(&f->client[client].fd);
	fd_close(&f->client[client].stats);
	for (int i = 0; i < MAX_PORTS; i++) {
		if (f->port[i].client == client)
			f->port[i].client = -1;
	}
	pthread_mutex_unlock(&f->lock);
}

static void serve_client(struct fakedom *f, int client)
{
	int in[SOCK_MAX_FDS], out[SOCK_MAX_FDS];
	struct dom_msg m;
	size_t n, nout = 0;
	int given = -1;

	if (sock_recv_fds(f->client[client].fd, &m, sizeof(m), in, &n)) {
		drop_client(f, client);
		return;
	}
	if (n)
		given = in[0];
	while (n > 1)
		close(in[--n]);
	pthread_mutex_lock(&f->lock);
	m.status = handle(f, client, &m, &given, out, &nout);
	pthread_mutex_unlock(&f->lock);
	fd_close(&given);
	if (sock_send_fds(f->client[client].fd, &m, sizeof(m), out, nout))
		drop_client(f, client);
	if (m.type == DOM_DESTROY && !m.status)
		kill(getpid(), SIGTERM);
}

static void accept_client(struct fakedom *f)
{
	int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	CHECK(fd >= 0);
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (f->client[i].fd < 0) {
			f->client[i] = (struct client){ .fd = fd, .stats = -1 };
			return;
		}
	}
	close(fd);
}

static void *serve(void *arg)
{
	struct fakedom *f = arg;
	struct pollfd p[MAX_CLIENTS + 2];

	for (;;) {
		p[0] = (struct pollfd){ .fd = f->quit_fd, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = f->listen_fd, .events = POLLIN };
		for (int i = 0; i < MAX_CLIENTS; i++)
			p[i + 2] = (struct pollfd){ .fd = f->client[i].fd,
						    .events = POLLIN };
		CHECK(poll(p, MAX_CLIENTS + 2, -1) > 0 || errno == EINTR);
		if (p[0].revents)
			return NULL;
		for (int i = 0; i < MAX_CLIENTS; i++) {
			if (p[i + 2].fd >= 0 && p[i + 2].revents)
				serve_client(f, i);
		}
		if (p[1].revents)
			accept_client(f);
	}
}

struct fakedom *fakedom_new(unsigned int domid, size_t ram_pages)
{
	char path[PATH_MAX];
	struct fakedom *f;

	CHECK(paths_mkdir(paths_dom(path, domid, "")) == 0);
	f = fakedom_begin(domid, ram_pages);
	CHECK(f);
	fakedom_serve(f);
	return f;
}

int fakedom_listen(unsigned int domid)
{
	struct sandbox_user store;
	char path[PATH_MAX];
	int fd = sock_listen(paths_dom(path, domid, "hv.sock"), SOCK_SEQPACKET);

	if (fd < 0)
		return fd;
	storeuser_find(&store);
	CHECK(storeuser_admit(path, &store) == 0);
	return fd;
}

struct fakedom *fakedom_begin(unsigned int domid, size_t ram_pages)
{
	struct fakedom *f = calloc(1, sizeof(*f));

	CHECK(f && ram_pages % 2 == 0);
	f->domid = domid;
	f->vcpus = f->maxvcpus = 1;
	snprintf(f->name, sizeof(f->name), "fake");
	f->ram = make_area("fake-ram", ram_pages * SV_PAGE_SIZE);
	f->table = make_area("fake-grants",
			     FAKEDOM_GNT_FRAMES * (size_t)SV_PAGE_SIZE);
	f->next_gfn = 1;
	f->next_ref = GNTTAB_NR_RESERVED_ENTRIES;
	for (int i = 0; i < MAX_PORTS; i++)
		f->port[i] = (struct port){ -1, -1, -1 };
	for (int i = 0; i < MAX_CLIENTS; i++)
		f->client[i] = (struct client){ .fd = -1, .stats = -1 };
	make_first(f);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->listen_fd = fakedom_listen(domid);
	if (f->listen_fd < 0)
		return NULL; /* what was made ends with the process */
	f->quit_fd = eventfd(0, EFD_CLOEXEC);
	CHECK(f->quit_fd >= 0);
	return f;
}

int fakedom_restore(struct fakedom *f, int fd, uint32_t after)
{
	struct savefile s = { .fd = fd, .seq = after };
	uint8_t *buf = malloc(SAVEFILE_MAX);
	struct savefile_range at;
	uint32_t type = 0;
	size_t len;
	int ret = buf ? 0 : -ENOMEM;

	while (!ret && type != SAVE_END) {
		ret = savefile_get(&s, &type, buf, &len);
		if (ret || type != SAVE_MEMORY)
			continue;
		memcpy(&at, buf, sizeof(at));
		CHECK(at.first + at.n <= fakedom_pages(f) &&
		      len == sizeof(at) + at.n * SV_PAGE_SIZE);
		memcpy(f->ram.base + at.first * SV_PAGE_SIZE, buf + sizeof(at),
		       at.n * SV_PAGE_SIZE);
	}
	free(buf);
	return ret;
}

void fakedom_serve(struct fakedom *f)
{
	CHECK(pthread_create(&f->thread, NULL, serve, f) == 0);
}

void fakedom_present(struct fakedom *f, const char *name,
		     const uint8_t uuid[16], unsigned int vcpus,
		     unsigned int maxvcpus)
{
	struct timespec now;

	pthread_mutex_lock(&f->lock);
	snprintf(f->name, sizeof(f->name), "%s", name);
	memcpy(f->uuid, uuid, sizeof(f->uuid));
	f->vcpus = vcpus;
	f->maxvcpus = maxvcpus;
	f->state = DOM_PAUSED;
	clock_gettime(CLOCK_REALTIME, &now);
	f->start_ns =
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	pthread_mutex_unlock(&f->lock);
}

void fakedom_free(struct fakedom *f)
{
	char path[PATH_MAX];

	signal_fd(f->quit_fd);
	pthread_join(f->thread, NULL);
	for (int i = 0; i < MAX_CLIENTS; i++) {
		fd_close(&f->client[i].fd);
		fd_close(&f->client[i].stats);
	}
	lose_all(f);
	fd_close(&f->listen_fd);
	fd_close(&f->quit_fd);
	unlink(paths_dom(path, f->domid, "hv.sock"));
	rmdir(paths_dom(path, f->domid, ""));
	free_area(&f->ram);
	free_area(&f->table);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static void wait_run(struct fakedom *f)
{
	while (f->state & (DOM_PAUSED | DOM_SHUTDOWN))
		pthread_cond_wait(&f->changed, &f->lock);
}

void fakedom_wait_run(struct fakedom *f)
{
	pthread_mutex_lock(&f->lock);
	wait_run(f);
	pthread_mutex_unlock(&f->lock);
}

size_t fakedom_pages(const struct fakedom *f)
{
	return f->ram.size / SV_PAGE_SIZE;
}

void *fakedom_page(struct fakedom *f, uint64_t gfn)
{
	uint64_t half = f->ram.size / SV_PAGE_SIZE / 2;
	uint64_t at = gfn < half ? gfn : gfn - FAKEDOM_HIGH + half;

	CHECK(gfn < half || (gfn >= FAKEDOM_HIGH && at < 2 * half));
	return f->ram.base + at * SV_PAGE_SIZE;
}

void fakedom_give(struct fakedom *f, uint64_t gfn)
{
	uint8_t *page = fakedom_page(f, gfn);

	CHECK(!fallocate(f->ram.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 page - f->ram.base, SV_PAGE_SIZE));
}

uint64_t fakedom_alloc(struct fakedom *f, size_t n)
{
	uint64_t half = f->ram.size / SV_PAGE_SIZE / 2;
	uint64_t gfn = f->next_gfn;

	if (gfn <= half && gfn + n > half)
		gfn = FAKEDOM_HIGH;
	CHECK(gfn < half || gfn - FAKEDOM_HIGH + n <= half);
	f->next_gfn = gfn + n;
	return gfn;
}

grant_entry_v1_t *fakedom_entry(struct fakedom *f, uint32_t ref)
{
	CHECK(ref < FAKEDOM_GNT_FRAMES * PER_FRAME);
	return (grant_entry_v1_t *)(void *)f->table.base + ref;
}

uint32_t fakedom_grant(struct fakedom *f, uint64_t gfn, uint16_t flags)
{
	grant_entry_v1_t *e = fakedom_entry(f, f->next_ref);

	fakedom_grow(f, (uint32_t)(f->next_ref / PER_FRAME) + 1);
	e->domid = 0;
	e->frame = (uint32_t)gfn;
	__atomic_store_n(&e->flags, (uint16_t)(GTF_permit_access | flags),
			 __ATOMIC_SEQ_CST);
	return f->next_ref++;
}

void fakedom_grow(struct fakedom *f, uint32_t frames)
{
	CHECK(frames <= FAKEDOM_GNT_FRAMES);
	pthread_mutex_lock(&f->lock);
	if (frames > f->frames)
		f->frames = frames;
	pthread_mutex_unlock(&f->lock);
}

uint32_t fakedom_port(struct fakedom *f)
{
	uint32_t port = FAKEDOM_CONSOLE_PORT + 1;

	pthread_mutex_lock(&f->lock);
	while (port < MAX_PORTS && find_port(f, port))
		port++;
	CHECK(port < MAX_PORTS);
	open_port(&f->port[port]);
	pthread_mutex_unlock(&f->lock);
	return port;
}

unsigned int fakedom_ports(struct fakedom *f)
{
	unsigned int n = 0;

	pthread_mutex_lock(&f->lock);
	for (uint32_t port = 0; port < MAX_PORTS; port++)
		n += find_port(f, port) != NULL;
	pthread_mutex_unlock(&f->lock);
	return n;
}

void fakedom_port_close(struct fakedom *f, uint32_t port)
{
	struct port *p;

	pthread_mutex_lock(&f->lock);
	p = find_port(f, port);
	CHECK(p);
	close_port(p);
	pthread_mutex_unlock(&f->lock);
}

int fakedom_port_fd(struct fakedom *f, uint32_t port)
{
	CHECK(find_port(f, port));
	return f->port[port].call;
}

bool fakedom_bound(struct fakedom *f, uint32_t port)
{
	bool ret;

	pthread_mutex_lock(&f->lock);
	ret = find_port(f, port) && f->port[port].client >= 0;
	pthread_mutex_unlock(&f->lock);
	return ret;
}

void fakedom_send(struct fakedom *f, uint32_t port)
{
	CHECK(find_port(f, port));
	signal_fd(f->port[port].kick);
}

bool fakedom_wait(struct fakedom *f, uint32_t port, int ms)
{
	struct pollfd p = { .events = POLLIN };
	uint64_t n;
	int ret;

	CHECK(find_port(f, port));
	p.fd = f->port[port].call;
	/* A fuzzer's own alarm is no event. */
	do
		ret = poll(&p, 1, ms);
	while (ret < 0 && errno == EINTR);
	if (ret <= 0)
		return false;
	return read(p.fd, &n, sizeof(n)) == sizeof(n);
}

void *fakedom_store_page(struct fakedom *f)
{
	return f->store.base;
}

void *fakedom_console_page(struct fakedom *f)
{
	return f->console.base;
}

static void shut(struct fakedom *f, unsigned int reason)
{
	f->state |= DOM_SHUTDOWN;
	f->reason = reason;
	tell_all(f, DOM_EV_SHUTDOWN);
}

void fakedom_shutdown(struct fakedom *f, unsigned int reason)
{
	pthread_mutex_lock(&f->lock);
	shut(f, reason);
	pthread_mutex_unlock(&f->lock);
}

int fakedom_suspend(struct fakedom *f, unsigned int reason)
{
	bool anew;

	pthread_mutex_lock(&f->lock);
	shut(f, reason);
	wait_run(f);
	anew = f->anew;
	pthread_mutex_unlock(&f->lock);
	return anew ? 0 : 1;
}

int fakedom_resume(struct fakedom *f, bool anew)
{
	int ret;

	pthread_mutex_lock(&f->lock);
	ret = resume(f, anew);
	pthread_mutex_unlock(&f->lock);
	return ret;
}
