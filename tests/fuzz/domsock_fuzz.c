// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/domsock_fuzz.c - the domain socket, with either side hostile.
//
// FUZZ: F16; max_len 512
//
// Half of the inputs are messages of up to four clients to a VMM, with any
// number and kind of descriptors beside them.  Each is answered as its role may
// expect, or disconnected; what a client may not have it does not get.  The other
// half are a VMM's answers to a worker, to the store and to the console: wrong
// types, numbers and descriptors are refused.  No descriptor is ever left over.
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/blkstat.h"
#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "dom0-backend/gnt_map.h"
#include "hypervisor/domctl.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/fuzz.h"

#define CLIENTS 4

static unsigned int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void close_all(int *fds, size_t n)
{
	while (n)
		fd_close(&fds[--n]);
}

/* Descriptors of any kind; the caller closes them. */
static int any_fd(uint8_t kind, size_t size)
{
	int fd = -1, pair[2];

	switch (kind % 8) {
	case 0:
	case 1:
		fd = fd_memfd("fuzz", size);
		break;
	case 2: /* not sealed: may shrink under a mapping */
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		assert(!ftruncate(fd, (off_t)size));
		break;
	case 3: /* too small */
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		break;
	case 4:
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		break;
	case 5:
		fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		break;
	case 6:
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		break;
	default:
		assert(!pipe2(pair, O_CLOEXEC | O_NONBLOCK));
		close(pair[1]);
		fd = pair[0];
		break;
	}
	assert(fd >= 0);
	return fd;
}

/* ---- Hostile clients ------------------------------------------------------ */

static struct fakevm *f;
static struct domctl *server;
static char dir[] = "/tmp/domsock_fuzz.XXXXXX";
static char path[sizeof(dir) + 16];

struct client {
	int fd;
	bool greeted;
	enum dom_role role;
	int got[2 * EVTCHN_PORTS / 64]; /* descriptors that it was given */
	size_t ngot;
};

static struct client clients[CLIENTS];

static void remove_dir(void)
{
	rmdir(dir);
}

static void server_start(void)
{
	static bool once;

	if (!once) {
		assert(mkdtemp(dir));
		atexit(remove_dir);
		snprintf(path, sizeof(path), "%s/hv.sock", dir);
		once = true;
	}
	f = fakevm_new(1);
	f->vm.cfg.name = "toy";
	f->vm.store.fd = fd_memfd("store", SV_PAGE_SIZE);
	f->vm.console.fd = fd_memfd("console", SV_PAGE_SIZE);
	pthread_cond_init(&f->vm.changed, NULL);
	pthread_cond_init(&f->vm.idle, NULL);
	assert(!domctl_new(&server, &f->vm, path));
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){ .fd = -1 };
}

static bool serve(void)
{
	static struct pollfd p[DOMCTL_MAX_POLL];
	bool on = true;
	unsigned int n;

	for (;;) {
		n = domctl_pollfds(server, p);
		if (poll(p, n, 0) <= 0)
			return on;
		on = domctl_serve(server, p, n) && on;
	}
}

static void leave(struct client *c)
{
	close_all(c->got, c->ngot);
	fd_close(&c->fd);
	*c = (struct client){ .fd = -1 };
}

static void server_stop(void)
{
	for (int i = 0; i < CLIENTS; i++)
		leave(&clients[i]);
	serve();
	domctl_free(server);
	fd_close(&f->vm.store.fd);
	fd_close(&f->vm.console.fd);
	fakevm_free(f);
}

/* The letters of base/domsock.h. */
static const char *const may[DOM_NTYPES] = {
	[DOM_HELLO] = "ASCB",	    [DOM_INFO] = "ASCB",
	[DOM_MEMMAP] = "AB",	    [DOM_PAGE] = "SC",
	[DOM_GRANT_FRAMES] = "B",   [DOM_EVTCHN_BIND] = "SCB",
	[DOM_EVTCHN_CLOSE] = "SCB", [DOM_PAUSE] = "A",
	[DOM_UNPAUSE] = "A",	    [DOM_DESTROY] = "A",
	[DOM_STATS] = "A",	    [DOM_VCPU] = "A",
	[DOM_RESUME] = "A",	    [DOM_DEVSTATS] = "A",
	[DOM_OFFER_STATS] = "B",
};

static size_t fds_due(uint16_t type)
{
	switch (type) {
	case DOM_MEMMAP:
	case DOM_PAGE:
	case DOM_GRANT_FRAMES:
	case DOM_DEVSTATS:
		return 1;
	case DOM_EVTCHN_BIND:
		return 2;
	default:
		return 0;
	}
}

static void check_answer(struct client *c, const struct dom_msg *ask,
			 const struct dom_msg *m, size_t n)
{
	static const uint8_t zeros[sizeof(m->u)];
	bool allowed =
		ask->type < DOM_NTYPES && may[ask->type] &&
		(c->greeted ? strchr(may[ask->type], "ASCB"[c->role]) != NULL
			    : ask->type == DOM_HELLO);

	assert(m->magic == DOM_MAGIC && m->version == DOM_VERSION);
	assert(m->type == ask->type && m->seq == ask->seq);
	assert(m->status <= 0);
	assert(allowed || m->status < 0);
	assert(n == (m->status ? 0 : fds_due(m->type)));
	if (m->status)
		assert(!memcmp(m->u.raw, zeros, sizeof(zeros)));
	if (m->type == DOM_HELLO && !m->status) {
		assert(ask->u.hello.role < DOM_NROLES);
		c->greeted = true;
		c->role = ask->u.hello.role;
	}
}

static void take_answer(struct client *c, const struct dom_msg *ask)
{
	int fds[SOCK_MAX_FDS];
	struct dom_msg m;
	size_t n;
	int ret = sock_recv_fds(c->fd, &m, sizeof(m), fds, &n);

	if (ret) {
		/* Only who breaks the protocol gets none. */
		assert(ask->magic != DOM_MAGIC || ask->version != DOM_VERSION ||
		       ask->seq == 0);
		leave(c);
		serve();
		return;
	}
	check_answer(c, ask, &m, n);
	for (size_t i = 0; i < n; i++) {
		if (c->ngot < ARRAY_SIZE(c->got))
			c->got[c->ngot++] = fds[i];
		else
			close(fds[i]);
	}
}

static void fill(struct fuzz_in *in, struct dom_msg *m)
{
	uint8_t lies = fuzz_u8(in);

	memset(m, lies & 8 ? 0xff : 0, sizeof(*m));
	m->magic = DOM_MAGIC ^ (lies == 1);
	m->version = DOM_VERSION ^ (lies == 2);
	m->type = lies & 16 ? fuzz_u16(in) : fuzz_u8(in) % DOM_NTYPES;
	m->seq = lies == 4 ? 0 : fuzz_u8(in) + 1u;
	if (m->type == DOM_HELLO)
		m->u.hello.role = lies & 32 ? fuzz_u32(in)
					    : fuzz_u8(in) % DOM_NROLES;
	else if (m->type == DOM_VCPU) /* there is one, but nobody runs it */
		m->u.vcpu.id = 1 + fuzz_u16(in);
	else
		m->u.port = (uint32_t)fuzz_num(in, 4);
}

static void ask(struct fuzz_in *in, struct client *c)
{
	int fds[SOCK_MAX_FDS];
	struct dom_msg m;
	size_t n;

	fill(in, &m);
	/* No vCPU thread is there to stop. */
	if (m.type == DOM_PAUSE || m.type == DOM_UNPAUSE || m.type == DOM_DEBUG)
		m.type = DOM_DESTROY;
	n = fuzz_u8(in);
	n = n < 224 ? 0 : n % (SOCK_MAX_FDS + 1);
	for (size_t i = 0; i < n; i++)
		fds[i] = any_fd(fuzz_u8(in), SV_PAGE_SIZE);
	if (!sock_send_fds(c->fd, &m, sizeof(m), fds, n)) {
		serve();
		take_answer(c, &m);
	}
	close_all(fds, n);
}

/* A message of another length ends the connection. */
static void torn(struct fuzz_in *in, struct client *c)
{
	static const char bytes[2 * sizeof(struct dom_msg)];
	size_t n = fuzz_u16(in) % sizeof(bytes);
	char byte;

	if (n == sizeof(struct dom_msg) || send(c->fd, bytes, n, 0) < 0)
		return;
	serve();
	assert(recv(c->fd, &byte, 1, MSG_DONTWAIT) <= 0);
	leave(c);
}

static void hostile_clients(struct fuzz_in *in)
{
	uint32_t port;

	server_start();
	assert(!evtchn_alloc_unbound(&f->vm, 0, &port));
	while (in->left) {
		uint8_t what = fuzz_u8(in);
		struct client *c = &clients[what % CLIENTS];

		if (c->fd < 0) {
			c->fd = sock_connect(path, SOCK_SEQPACKET);
			assert(c->fd >= 0 &&
			       !fcntl(c->fd, F_SETFL, O_NONBLOCK));
			serve();
		}
		if (what < 224) {
			ask(in, c);
		} else if (what < 240) {
			torn(in, c);
		} else {
			leave(c);
			serve();
		}
	}
	server_stop();
}

/* ---- A hostile VMM -------------------------------------------------------- */

/* All that it says is said before it is asked: the answers wait in the socket. */
static void say(struct fuzz_in *in, int fd, uint16_t type, uint32_t seq)
{
	uint8_t lies = fuzz_u8(in), nfds;
	int fds[SOCK_MAX_FDS];
	struct dom_msg m = {
		.magic = DOM_MAGIC ^ (lies == 1),
		.version = DOM_VERSION ^ (lies == 2),
		.type = lies == 3 ? fuzz_u8(in) : type,
		.seq = lies == 4 ? fuzz_u8(in) : seq,
		.status = lies == 5 ? (int8_t)fuzz_u8(in) : 0,
	};
	size_t size = SV_PAGE_SIZE * (1u + fuzz_u8(in) % 4);

	fuzz_bytes(in, m.u.raw, lies & 16 ? 80 : 0);
	if (type == DOM_MEMMAP && !(lies & 16)) {
		m.u.memmap.n = 1;
		m.u.memmap.size = size;
		m.u.memmap.region[0].npages = size / SV_PAGE_SIZE;
	} else if (type == DOM_GRANT_FRAMES && !(lies & 16)) {
		m.u.frames.n = m.u.frames.total = 1;
		m.u.frames.size = size;
	}
	nfds = fuzz_u8(in);
	nfds = nfds < 200 ? (uint8_t)fds_due(type) : nfds % (SOCK_MAX_FDS + 1);
	for (size_t i = 0; i < nfds; i++)
		fds[i] = any_fd(fuzz_u8(in), size);
	(void)!sock_send_fds(fd, &m, sizeof(m), fds, nfds);
	close_all(fds, nfds);
}

static bool is_eventfd(int fd)
{
	char link[64], name[64] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, name, sizeof(name) - 1) > 0 &&
	       !strcmp(name, "anon_inode:[eventfd]");
}

static void use_page(struct dom *d)
{
	uint32_t port;
	void *page;
	int ret = dom_page(d, &page, &port);

	assert(ret <= 0);
	if (ret)
		return;
	/* It is there as long as it is mapped: no SIGBUS. */
	memset(page, 0x5a, SV_PAGE_SIZE);
	munmap(page, SV_PAGE_SIZE);
}

static void use_port(struct dom *d)
{
	int kick, call, ret = dom_evtchn_bind(d, 3, &kick, &call);

	assert(ret <= 0);
	if (ret)
		return;
	assert(is_eventfd(kick) && is_eventfd(call));
	close(kick);
	close(call);
}

static void use_stats(struct dom *d)
{
	static struct blkstat_file file;
	struct dom_devstats s = { .index = 7 };
	int fd, ret = dom_devstats(d, &s, &fd);

	assert(ret <= 0);
	if (ret)
		return;
	assert(s.index >= 7 && strlen(s.device) < sizeof(s.device));
	/* Whatever it is, reading does no harm. */
	(void)!blkstat_read(fd, s.offset, &file);
	close(fd);
}

static void use_grants(struct dom *d)
{
	struct gnt_map *g;
	void *page;
	int ret = gnt_new(&g, d);

	assert(ret <= 0);
	if (ret)
		return;
	for (uint32_t ref = 0; ref < 512; ref += 64) {
		if (gnt_get(g, ref, GNT_READ, &page))
			continue;
		assert(*(volatile uint8_t *)page <= 255);
		gnt_put(g, ref, GNT_READ);
	}
	gnt_free(g);
}

static void hostile_vmm(struct fuzz_in *in)
{
	static const uint16_t grants[] = { DOM_INFO, DOM_MEMMAP,
					   DOM_GRANT_FRAMES, DOM_GRANT_FRAMES };
	uint8_t what = fuzz_u8(in) % 4;
	struct dom *d;
	int pair[2];

	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	assert(!dom_adopt(&d, pair[0]));
	if (what == 0) {
		say(in, pair[1], DOM_PAGE, 1);
	} else if (what == 1) {
		say(in, pair[1], DOM_EVTCHN_BIND, 1);
	} else if (what == 3) {
		say(in, pair[1], DOM_DEVSTATS, 1);
	} else {
		for (uint32_t i = 0; i < ARRAY_SIZE(grants); i++)
			say(in, pair[1], grants[i], i + 1);
	}
	shutdown(pair[1], SHUT_WR);
	if (what == 0)
		use_page(d);
	else if (what == 1)
		use_port(d);
	else if (what == 3)
		use_stats(d);
	else
		use_grants(d);
	dom_free(d);
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	unsigned int before;

	log_init("", LOG_LVL_ERR);
	before = count_fds();
	if (fuzz_u8(&in) & 1)
		hostile_vmm(&in);
	else
		hostile_clients(&in);
	assert(count_fds() == before);
	return 0;
}
