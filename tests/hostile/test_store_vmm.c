// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_vmm.c - a VMM that lies to the store on its socket.
//
// Whoever breaks out of a guest speaks for its VMM.  The store asks that VMM for
// memory and event channels: a lie costs the domain, not the store or others.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "base/sock.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"
#include "tests/lib/xsguest.h"

#define DOMID 7

enum lie {
	HONEST,
	SILENT,		/* accepts, and never answers */
	SILENT_ON_PAGE, /* answers all but DOM_PAGE */
	HANGS_UP,
	GARBAGE,      /* an answer that is no message */
	OTHER_PORT,   /* not what INTRODUCE says */
	NO_PAGE,      /* answers without descriptors */
	MANY_PAGES,   /* or with too many */
	LOOSE_PAGE,   /* memory that can be taken back */
	SHORT_PAGE,   /* less than a page, sealed */
	PIPE_PAGE,    /* no memory */
	ONE_CHANNEL,  /* one descriptor instead of two */
	FILE_CHANNEL, /* descriptors that cannot be waited for */
	FULL_CHANNEL, /* an eventfd that blocks whoever writes */
	EVENTS_ONLY,  /* events without end in place of an answer */
};

static struct xsbed b;

/* What the VMM has and gives away. */
static struct {
	enum lie lie;
	int listen_fd, fd, page_fd, kick, call;
	struct xenstore_domain_interface *page;
	pthread_t thread;
	atomic_bool stop;
} vmm;

static int make_page(enum lie lie)
{
	int fd;

	if (lie == PIPE_PAGE)
		return eventfd(0, 0);
	if (lie == SHORT_PAGE)
		return fd_memfd("short", 100);
	if (lie != LOOSE_PAGE)
		return fd_memfd("page", 4096);
	fd = memfd_create("loose", MFD_ALLOW_SEALING);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	return fd;
}

static void answer(struct dom_msg *m)
{
	int fds[SOCK_MAX_FDS];
	size_t n = 0;
	bool page = m->type == DOM_PAGE;

	m->status = 0;
	if (m->type == DOM_HELLO || m->type == DOM_INFO) {
		m->u.info = (struct dom_info){
			.domid = DOMID,
			.store_gfn = FAKEDOM_STORE_GFN,
			.store_port = FAKEDOM_STORE_PORT,
		};
		m->u.info.store_port += vmm.lie == OTHER_PORT;
	} else if (page) {
		m->u.page.port = FAKEDOM_STORE_PORT;
		n = vmm.lie == NO_PAGE	    ? 0
		    : vmm.lie == MANY_PAGES ? SOCK_MAX_FDS
					    : 1;
	} else if (m->type == DOM_EVTCHN_BIND) {
		n = vmm.lie == ONE_CHANNEL ? 1 : 2;
	}
	for (size_t i = 0; i < n; i++)
		fds[i] = page ? vmm.page_fd : i ? vmm.call : vmm.kick;
	(void)!sock_send_fds(vmm.fd, m, sizeof(*m), fds, n);
}

static void send_events(void)
{
	struct dom_msg m = { .magic = DOM_MAGIC,
			     .version = DOM_VERSION,
			     .type = DOM_EV_SHUTDOWN };

	while (!atomic_load(&vmm.stop) &&
	       (!sock_send_fds(vmm.fd, &m, sizeof(m), NULL, 0) ||
		errno == EAGAIN))
		;
}

/* Return: false when the VMM says no more. */
static bool serve_one(void)
{
	struct pollfd p = { .fd = vmm.fd, .events = POLLIN };
	int fds[SOCK_MAX_FDS];
	struct dom_msg m;
	size_t n;

	if (poll(&p, 1, 50) <= 0)
		return true;
	if (sock_recv_fds(vmm.fd, &m, sizeof(m), fds, &n))
		return false;
	if (vmm.lie == EVENTS_ONLY)
		send_events();
	else if (vmm.lie == GARBAGE)
		(void)!send(vmm.fd, "lies", 4, MSG_NOSIGNAL);
	else if (vmm.lie == HANGS_UP)
		return false;
	else if (vmm.lie != SILENT &&
		 (vmm.lie != SILENT_ON_PAGE || m.type != DOM_PAGE))
		answer(&m);
	return true;
}

static void *serve(void *arg)
{
	struct pollfd p = { .fd = vmm.listen_fd, .events = POLLIN };

	(void)arg;
	while (!atomic_load(&vmm.stop)) {
		if (vmm.fd < 0 && poll(&p, 1, 50) > 0)
			vmm.fd = accept4(vmm.listen_fd, NULL, NULL,
					 SOCK_CLOEXEC);
		if (vmm.fd >= 0 && !serve_one())
			fd_close(&vmm.fd);
	}
	return NULL;
}

static void start_vmm(enum lie lie)
{
	char path[PATH_MAX];

	memset(&vmm, 0, sizeof(vmm));
	vmm.lie = lie;
	vmm.fd = -1;
	vmm.page_fd = make_page(lie);
	vmm.kick = eventfd(0, 0);
	vmm.call = eventfd(0, 0);
	if (lie == FILE_CHANNEL) {
		close(vmm.kick);
		vmm.kick = fd_memfd("file", 4096);
	}
	cr_assert(vmm.page_fd >= 0 && vmm.kick >= 0 && vmm.call >= 0);
	cr_assert_eq(paths_mkdir(paths_dom(path, DOMID, "")), 0);
	vmm.listen_fd = fakedom_listen(DOMID);
	cr_assert_geq(vmm.listen_fd, 0);
	cr_assert_eq(pthread_create(&vmm.thread, NULL, serve, NULL), 0);
}

static void stop_vmm(void)
{
	char path[PATH_MAX];

	atomic_store(&vmm.stop, true);
	/* It may sleep in a send to the store. */
	if (vmm.fd >= 0)
		shutdown(vmm.fd, SHUT_RDWR);
	pthread_join(vmm.thread, NULL);
	fd_close(&vmm.fd);
	fd_close(&vmm.listen_fd);
	fd_close(&vmm.page_fd);
	fd_close(&vmm.kick);
	fd_close(&vmm.call);
	unlink(paths_dom(path, DOMID, "hv.sock"));
}

static bool introduce(void)
{
	return xs_introduce_domain(b.h, DOMID, FAKEDOM_STORE_GFN,
				   FAKEDOM_STORE_PORT);
}

static void set_up(void)
{
	xsbed_start(&b);
}

/* All may wait for one answer of a VMM, 2 s at most, but not for all of them. */
static void tear_down(void)
{
	FINI_CHECK(xsbed_stop(&b, 20000));
}

TestSuite(store_vmm, .init = set_up, .fini = tear_down, .timeout = 300);

struct claim {
	char name[32];
	enum lie lie;
	bool believed;
};

ParameterizedTestParameters(store_vmm, lies)
{
	static struct claim t[] = {
		{ "honest", HONEST, true },
		{ "silent", SILENT, false },
		{ "silent later", SILENT_ON_PAGE, false },
		{ "hangs up", HANGS_UP, false },
		{ "garbage", GARBAGE, false },
		{ "another port", OTHER_PORT, false },
		{ "no page", NO_PAGE, false },
		{ "many pages", MANY_PAGES, false },
		{ "page that can be taken back", LOOSE_PAGE, false },
		{ "short page", SHORT_PAGE, false },
		{ "page that is none", PIPE_PAGE, false },
		{ "half a channel", ONE_CHANNEL, false },
		{ "channel that is a file", FILE_CHANNEL, false },
		{ "nothing but events", EVENTS_ONLY, false },
	};
	return cr_make_param_array(struct claim, t, ARRAY_SIZE(t));
}

/* NB-14: an answer is judged whole, and nothing of a bad one is kept. */
ParameterizedTest(struct claim *t, store_vmm, lies)
{
	long domains = xsbed_count(&b, "domains");
	unsigned int fds;

	fds = proc_fds(b.store);
	start_vmm(t->lie);
	cr_expect_eq(introduce(), t->believed, "%s", t->name);
	cr_expect_eq(xs_is_domain_introduced(b.h, DOMID), t->believed);
	stop_vmm();
	cr_expect(SOON(xsbed_count(&b, "domains") == domains), "%s", t->name);
	cr_expect(SOON(proc_fds(b.store) == fds), "%s: descriptors", t->name);
}

/* A socket on which nobody listens any more, with no room to wait. */
Test(store_vmm, queue_is_full)
{
	int crowd[80], n = 0;
	char path[PATH_MAX];
	int fd;

	cr_assert_eq(paths_mkdir(paths_dom(path, DOMID, "")), 0);
	paths_dom(path, DOMID, "hv.sock");
	fd = fakedom_listen(DOMID);
	cr_assert_geq(fd, 0);
	while (n < 80 && (crowd[n] = sock_connect(
				  path, SOCK_SEQPACKET | SOCK_NONBLOCK)) >= 0)
		n++;
	cr_assert_lt(n, 80);
	cr_expect_not(introduce());
	while (n)
		close(crowd[--n]);
	close(fd);
	unlink(path);
}

/* The guest's half of a ring whose event channel blocks a writer. */
Test(store_vmm, channel_that_blocks)
{
	static const char path[] = "/tool";
	struct xsd_sockmsg h = { .type = XS_READ, .len = sizeof(path) };
	uint64_t full = UINT64_MAX - 1;

	start_vmm(FULL_CHANNEL);
	cr_assert(introduce());
	vmm.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			vmm.page_fd, 0);
	cr_assert_neq(vmm.page, MAP_FAILED);
	cr_assert_eq(write(vmm.call, &full, 8), 8);
	memcpy(vmm.page->req, &h, sizeof(h));
	memcpy(vmm.page->req + sizeof(h), path, sizeof(path));
	__atomic_store_n(&vmm.page->req_prod, sizeof(h) + sizeof(path),
			 __ATOMIC_SEQ_CST);
	cr_assert_eq(write(vmm.kick, &(uint64_t){ 1 }, 8), 8);
	cr_expect(SOON(__atomic_load_n(&vmm.page->rsp_prod, __ATOMIC_ACQUIRE)),
		  "an answer, though no signal");
	cr_expect(xs_is_domain_introduced(b.h, DOMID), "and who asks is heard");
	munmap(vmm.page, 4096);
	stop_vmm();
}

static void *flood(void *arg)
{
	(void)arg;
	send_events();
	return NULL;
}

/* Events as fast as they go, once it is known. */
Test(store_vmm, flood_of_events)
{
	pthread_t senders[4];
	unsigned int before;

	start_vmm(HONEST);
	cr_assert(introduce());
	before = atomic_load(&b.n.rounds);
	for (size_t i = 0; i < ARRAY_SIZE(senders); i++)
		pthread_create(&senders[i], NULL, flood, NULL);
	usleep(1500000);
	cr_expect(SOON(atomic_load(&b.n.rounds) > before + 5), "%u rounds",
		  atomic_load(&b.n.rounds) - before);
	cr_expect_eq(xsbed_logged(&b, "dom7: shut down"), 1);
	atomic_store(&vmm.stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(senders); i++)
		pthread_join(senders[i], NULL);
	stop_vmm();
}
