/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_domctl.c - the domain socket's server, and clients that lie.
 */
#include "hypervisor/domctl.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/sched.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/storeuser.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/layout.h"
#include "hypervisor/vcpu.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/fini.h"
#include "tests/lib/stack.h"

static struct fakevm *f;
static struct domctl *d;
static char dir[] = "/tmp/test_domctl.XXXXXX";
static char path[PATH_MAX];
static int fds[SOCK_MAX_FDS];
static size_t nfds;

/* By the clock that a VMM's has. */
static void init_idle(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->vm.idle, &attr);
	pthread_condattr_destroy(&attr);
}

static void setup(void)
{
	log_init("", LOG_LVL_ERR);
	vcpu_signals();
	f = fakevm_new(2);
	f->vm.cfg.name = "toy";
	f->vm.cfg.vcpus_max = f->vm.cfg.vcpus_online = 2;
	f->vm.store.fd = fd_memfd("store", 4096);
	f->vm.console.fd = fd_memfd("console", 4096);
	pthread_cond_init(&f->vm.changed, NULL);
	init_idle();
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hv.sock", dir);
	cr_assert_eq(domctl_new(&d, &f->vm, path), 0);
}

static void teardown(void)
{
	domctl_free(d);
	FINI_CHECK(access(path, F_OK) != 0);
	rmdir(dir);
	fd_close(&f->vm.store.fd);
	fd_close(&f->vm.console.fd);
	fakevm_free(f);
}

TestSuite(domctl, .init = setup, .fini = teardown);

/* Serve until nothing more arrives; Return: false once destroyed. */
static bool serve(void)
{
	static struct pollfd p[DOMCTL_MAX_POLL];
	bool on = true;
	unsigned int n;

	domctl_announce(d);
	for (;;) {
		n = domctl_pollfds(d, p);
		if (poll(p, n, 0) <= 0)
			return on;
		on = domctl_serve(d, p, n) && on;
	}
}

static int dial(void)
{
	int fd = sock_connect(path, SOCK_SEQPACKET);

	cr_assert_geq(fd, 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	serve();
	return fd;
}

/* What goes with the next message. */
static int give[SOCK_MAX_FDS];
static size_t give_n;

static void send_msg(int fd, const struct dom_msg *msg)
{
	cr_assert_eq(sock_send_fds(fd, msg, sizeof(*msg), give, give_n), 0);
	give_n = 0;
}

/* One call; Return: its status, or -EPIPE if we were disconnected. */
static int ask(int fd, uint16_t type, struct dom_msg *msg)
{
	int ret;

	msg->magic = DOM_MAGIC;
	msg->version = DOM_VERSION;
	msg->type = type;
	msg->seq = 42;
	msg->status = 0;
	send_msg(fd, msg);
	serve();
	ret = sock_recv_fds(fd, msg, sizeof(*msg), fds, &nfds);
	if (ret)
		return ret == -ECONNRESET ? -EPIPE : ret;
	cr_expect_eq(msg->seq, 42);
	cr_expect_eq(msg->type, type);
	return msg->status;
}

static int hello(enum dom_role role, bool events)
{
	struct dom_msg msg = { .u.hello = { .role = role, .events = events } };
	int fd = dial();

	cr_assert_eq(ask(fd, DOM_HELLO, &msg), 0);
	return fd;
}

static void close_got(void)
{
	while (nfds)
		fd_close(&fds[--nfds]);
}

Test(domctl, hello_answers_with_facts)
{
	struct dom_msg msg = { .u.hello = { .role = DOM_ROLE_ADMIN } };
	int fd = dial();

	f->vm.paused = true;
	cr_assert_eq(ask(fd, DOM_HELLO, &msg), 0);
	cr_expect_eq(msg.u.info.domid, FAKEVM_DOMID);
	cr_expect_str_eq(msg.u.info.name, "toy");
	cr_expect_eq(msg.u.info.state, DOM_PAUSED);
	cr_expect_eq(msg.u.info.ram_kib, 16384);
	cr_expect_eq(msg.u.info.store_gfn, 0xfeffc);
	cr_expect_eq(msg.u.info.console_gfn, 0xfefff);
	cr_expect_eq(msg.u.info.store_port, 1);
	cr_expect_eq(msg.u.info.console_port, 2);
	cr_expect_eq(ask(fd, DOM_HELLO, &msg), -EINVAL, "once only");
	close(fd);
}

/* What each role may call; the letters of base/domsock.h. */
Test(domctl, rights)
{
	static const char *const may[DOM_NTYPES] = {
		[DOM_INFO] = "ASCB",	   [DOM_MEMMAP] = "AB",
		[DOM_PAGE] = "SC",	   [DOM_GRANT_FRAMES] = "B",
		[DOM_EVTCHN_BIND] = "SCB", [DOM_EVTCHN_CLOSE] = "SCB",
		[DOM_PAUSE] = "A",	   [DOM_UNPAUSE] = "A",
		[DOM_DESTROY] = "A",	   [DOM_STATS] = "A",
		[DOM_VCPU] = "A",	   [DOM_RESUME] = "A",
		[DOM_DEVSTATS] = "A",	   [DOM_OFFER_STATS] = "B",
		[DOM_SAVE] = "A",	   [DOM_DUMP] = "A",
		[DOM_NMI] = "A",	   [DOM_SAVE_HOST] = "A",
		[DOM_DEBUG] = "A",	   [DOM_BREAK] = "A",
		[DOM_REGS] = "A",	   [DOM_SET_REGS] = "A",
		[DOM_PEEK] = "A",	   [DOM_POKE] = "A",
	};
	struct dom_msg msg;
	int fd, status;

	for (enum dom_role r = DOM_ROLE_ADMIN; r < DOM_NROLES; r++) {
		for (uint16_t type = DOM_INFO; type < DOM_NTYPES; type++) {
			/* No vCPU thread would answer a pause. */
			if ((type == DOM_PAUSE || type == DOM_DEBUG) &&
			    r == DOM_ROLE_ADMIN)
				continue;
			fd = hello(r, false);
			memset(&msg, 0, sizeof(msg));
			if (type == DOM_VCPU)
				msg.u.vcpu.id = UINT32_MAX;
			status = ask(fd, type, &msg);
			close_got();
			/* Port 0 is nobody's; binding it may not say EPERM. */
			if (strchr(may[type], "ASCB"[r]) &&
			    type != DOM_EVTCHN_BIND)
				cr_expect_neq(status, -EPERM,
					      "role %d, type %u", r, type);
			else
				cr_expect_lt(status, 0, "role %d, type %u", r,
					     type);
			close(fd);
			serve();
		}
	}
}

/* A connection made by that user. */
static int dial_as(uid_t uid, gid_t gid)
{
	int fd;

	cr_assert(!setegid(gid) && !seteuid(uid));
	fd = sock_connect(path, SOCK_SEQPACKET);
	cr_assert(!seteuid(0) && !setegid(0));
	if (fd >= 0) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		serve();
	}
	return fd;
}

/* The store's own user is the store, and nothing else; nobody else is anything. */
Test(domctl, user_of_the_store)
{
	struct sandbox_user u;
	struct dom_msg msg;
	struct stat st;
	int fd;

	storeuser_find(&u);
	if (u.uid == geteuid())
		cr_skip_test("needs root to become somebody");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect(st.st_uid == 0 && st.st_gid == u.gid &&
		  (st.st_mode & 07777) == 0660);
	for (enum dom_role r = DOM_ROLE_ADMIN; r < DOM_NROLES; r++) {
		fd = dial_as(u.uid, u.gid);
		cr_assert_geq(fd, 0);
		msg = (struct dom_msg){ .u.hello.role = r };
		cr_expect_eq(ask(fd, DOM_HELLO, &msg),
			     r == DOM_ROLE_STORE ? 0 : -EPERM, "role %d", r);
		close(fd);
		serve();
	}
	cr_expect_eq(dial_as(u.uid + 1, u.gid + 1), -EACCES);
	/* Somebody whom a mistake has let that far. */
	fd = dial_as(u.uid + 1, u.gid);
	cr_assert_geq(fd, 0);
	cr_expect_eq(recv(fd, &msg, sizeof(msg), 0), 0);
	close(fd);
}

/* ---- which vCPUs are online ------------------------------------------------- */

/* What KVM says of a vCPU: that it waits. */
static int waiting(void)
{
	static const char name[16] = "blocking";
	static const struct kvm_stats_desc desc = { .size = 1 };
	static const uint64_t blocking = 1;
	static const struct kvm_stats_header head = {
		.name_size = sizeof(name),
		.num_desc = 1,
		.desc_offset = sizeof(head),
		.data_offset = sizeof(head) + sizeof(desc) + sizeof(name),
	};
	int fd = memfd_create("stats", MFD_CLOEXEC);

	cr_assert_eq(write(fd, &head, sizeof(head)), sizeof(head));
	cr_assert_eq(write(fd, &desc, sizeof(desc)), sizeof(desc));
	cr_assert_eq(write(fd, name, sizeof(name)), sizeof(name));
	cr_assert_eq(write(fd, &blocking, sizeof(blocking)), sizeof(blocking));
	return fd;
}

/* A vCPU's thread, which does nothing but to say that it is offline. */
static void *tell_offline(void *arg)
{
	struct vcpu *v = arg;
	bool told = false;

	for (int i = 0; !told && i < 10000; i++) {
		pthread_mutex_lock(&v->vm->lock);
		told = v->ask_online;
		if (told) {
			v->online = v->ask_online = false;
			pthread_cond_signal(&v->vm->idle);
		}
		pthread_mutex_unlock(&v->vm->lock);
		usleep(1000);
	}
	return NULL;
}

static void expect_online(int fd, uint64_t online, uint32_t n)
{
	struct dom_msg msg = { 0 };

	cr_assert_eq(ask(fd, DOM_INFO, &msg), 0);
	cr_expect_eq(msg.u.info.online, online);
	cr_expect_eq(msg.u.info.vcpus_online, n);
}

Test(domctl, sleeping_vcpus_are_asked_whether_they_are_online)
{
	struct vcpu *v = f->vm.vcpus;
	pthread_t t;
	int fd;

	v[0].stats_fd = v[1].stats_fd = waiting();
	fd = hello(DOM_ROLE_ADMIN, false);
	v[0].online = v[1].online = true;
	expect_online(fd, 3, 2);
	cr_assert_eq(pthread_create(&t, NULL, tell_offline, &v[1]), 0);
	v[1].thread = t;
	v[1].has_thread = true;
	expect_online(fd, 1, 1);
	pthread_join(t, NULL);
	v[1].has_thread = false;
	close(v[1].stats_fd);
	close(fd);
}

/* The test itself is the thread that runs while it is looked at. */
Test(domctl, vcpus_that_run_are_not_held_up)
{
	struct vcpu *v = f->vm.vcpus;
	int fd = hello(DOM_ROLE_ADMIN, false);

	v[0].online = true;
	v[0].thread = pthread_self();
	v[0].has_thread = true;
	expect_online(fd, 1, 1);
	cr_expect_not(v[0].ask_online);
	v[0].online = false; /* not known to be, so far */
	expect_online(fd, 0, 0);
	cr_expect(v[0].ask_online);
	v[0].has_thread = false;
	close(fd);
}

Test(domctl, others_than_the_toolstack_hold_up_no_vcpu)
{
	struct vcpu *v = f->vm.vcpus;
	int fd = hello(DOM_ROLE_BACKEND, false);

	v[1].thread = pthread_self();
	v[1].has_thread = true;
	expect_online(fd, 0, 0);
	cr_expect_not(v[1].ask_online);
	v[1].has_thread = false;
	close(fd);
}

/* ---- statistics of devices --------------------------------------------------- */

static int backend(const char *device)
{
	struct dom_msg msg = { .u.hello.role = DOM_ROLE_BACKEND };
	int fd = dial();

	snprintf(msg.u.hello.device, sizeof(msg.u.hello.device), "%s", device);
	cr_assert_eq(ask(fd, DOM_HELLO, &msg), 0);
	return fd;
}

/* @n descriptors go with it, all the same; Return: the answer's status. */
static int offer(int fd, int file, size_t n, uint64_t offset)
{
	struct dom_msg msg = { .u.devstats.offset = offset };

	for (give_n = 0; give_n < n; give_n++)
		give[give_n] = file;
	return ask(fd, DOM_OFFER_STATS, &msg);
}

static int new_file(int flags)
{
	char name[] = "/tmp/test_domctl.file.XXXXXX";
	int rw = mkstemp(name), fd = open(name, flags | O_CLOEXEC);

	cr_assert(rw >= 0 && fd >= 0);
	close(rw);
	unlink(name);
	return fd;
}

static void is_same_file(int a, int b)
{
	struct stat x, y;

	cr_assert(!fstat(a, &x) && !fstat(b, &y));
	cr_expect_eq(x.st_ino, y.st_ino);
	cr_expect_eq(x.st_dev, y.st_dev);
}

/* Return: the status; the descriptor in fds[0]. */
static int next(int fd, struct dom_msg *msg, uint32_t index)
{
	memset(msg, 0, sizeof(*msg));
	msg->u.devstats.index = index;
	return ask(fd, DOM_DEVSTATS, msg);
}

Test(domctl, statistics_of_devices)
{
	int admin = hello(DOM_ROLE_ADMIN, false);
	int disk = backend("vbd/51712"), idle = backend("vif/0");
	int other = backend("vbd/\n1");
	int a = new_file(O_RDONLY), b = new_file(O_RDONLY);
	struct dom_msg msg;

	cr_expect_eq(next(admin, &msg, 0), -ENOENT);
	cr_assert_eq(offer(disk, a, 1, 4711), 0);
	cr_assert_eq(offer(other, b, 1, 0), 0);
	cr_assert_eq(next(admin, &msg, 0), 0);
	cr_expect_str_eq(msg.u.devstats.device, "vbd/51712");
	cr_expect_eq(msg.u.devstats.offset, 4711);
	cr_assert_eq(nfds, 1);
	is_same_file(fds[0], a);
	cr_expect_eq(fcntl(fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	close_got();
	cr_assert_eq(next(admin, &msg, msg.u.devstats.index + 1), 0);
	cr_expect_str_eq(msg.u.devstats.device, "vbd/\\x0a1");
	is_same_file(fds[0], b);
	close_got();
	cr_expect_eq(next(admin, &msg, msg.u.devstats.index + 1), -ENOENT);
	cr_expect_eq(nfds, 0);
	cr_expect_eq(next(admin, &msg, UINT32_MAX), -ENOENT);
	cr_expect_eq(next(disk, &msg, 0), -EPERM, "not even its own");
	/* They go with who has offered them. */
	close(disk);
	serve();
	cr_assert_eq(next(admin, &msg, 0), 0);
	is_same_file(fds[0], b);
	close_got();
	close(idle);
	close(other);
	serve();
	cr_expect_eq(next(admin, &msg, 0), -ENOENT);
	disk = backend("vbd/51712");
	cr_expect_eq(next(admin, &msg, 0), -ENOENT, "of another's place");
	close(a);
	close(b);
	close(disk);
	close(admin);
}

/* A writable file, one that lets its readers wait, a second one, none, many. */
Test(domctl, statistics_that_are_none)
{
	int admin = hello(DOM_ROLE_ADMIN, false), disk = backend("vbd/1");
	int good = new_file(O_RDONLY), waits[2];
	int bad[] = { new_file(O_RDWR),
		      new_file(O_WRONLY),
		      new_file(O_PATH),
		      open("/tmp", O_RDONLY | O_CLOEXEC),
		      open("/dev/zero", O_RDONLY | O_CLOEXEC),
		      0 };
	unsigned int before;
	struct dom_msg msg;

	cr_assert_eq(pipe(waits), 0);
	bad[ARRAY_SIZE(bad) - 1] = waits[0];
	before = stack_fds_of(getpid());
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_eq(offer(disk, bad[i], 1, 0), -EINVAL, "%zu", i);
		cr_expect_eq(next(admin, &msg, 0), -ENOENT, "%zu", i);
	}
	cr_expect_eq(offer(disk, -1, 0, 0), -EINVAL);
	cr_expect_eq(offer(admin, good, 1, 0), -EPERM);
	cr_expect_eq(offer(disk, good, SOCK_MAX_FDS, 0), 0, "the first");
	cr_expect_eq(stack_fds_of(getpid()), before + 1);
	cr_expect_eq(offer(disk, good, 1, 8), -EEXIST);
	cr_expect_eq(stack_fds_of(getpid()), before + 1);
	cr_assert_eq(next(admin, &msg, 0), 0);
	cr_expect_eq(msg.u.devstats.offset, 0);
	close_got();
	close(disk);
	serve();
	cr_expect_eq(stack_fds_of(getpid()), before - 2, "its end, and ours");
	close(admin);
}

Test(domctl, there_is_no_such_vcpu)
{
	struct dom_msg msg = { .u.vcpu.id = 2 };
	int fd = hello(DOM_ROLE_ADMIN, false);

	cr_expect_eq(ask(fd, DOM_VCPU, &msg), -ENOENT);
	close(fd);
}

Test(domctl, a_role_binds_its_own_ports_only)
{
	static const struct {
		enum dom_role role;
		uint32_t port;
		int want;
	} t[] = {
		{ DOM_ROLE_STORE, EVTCHN_STORE, 0 },
		{ DOM_ROLE_STORE, EVTCHN_CONSOLE, -EPERM },
		{ DOM_ROLE_STORE, 3, -EPERM },
		{ DOM_ROLE_CONSOLE, EVTCHN_CONSOLE, 0 },
		{ DOM_ROLE_CONSOLE, EVTCHN_STORE, -EPERM },
		{ DOM_ROLE_BACKEND, EVTCHN_STORE, -EPERM },
		{ DOM_ROLE_BACKEND, EVTCHN_CONSOLE, -EPERM },
		{ DOM_ROLE_BACKEND, 3, 0 },
		{ DOM_ROLE_BACKEND, 4, -EINVAL },
		{ DOM_ROLE_BACKEND, UINT32_MAX, -EINVAL },
	};
	struct dom_msg msg;
	uint32_t port;
	int fd;

	cr_assert_eq(evtchn_alloc_unbound(&f->vm, 0, &port), 0);
	cr_assert_eq(port, 3);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		fd = hello(t[i].role, false);
		msg.u.port = t[i].port;
		cr_expect_eq(ask(fd, DOM_EVTCHN_BIND, &msg), t[i].want,
			     "row %zu", i);
		cr_expect_eq(nfds, t[i].want ? 0 : 2);
		close_got();
		close(fd);
		serve();
		cr_expect_eq(f->irq_fd[3], -1, "unbound when the client goes");
	}
}

Test(domctl, a_successor_binds_what_a_dead_worker_left)
{
	struct dom_msg msg;
	uint32_t port;
	int old, new;

	cr_assert_eq(evtchn_alloc_unbound(&f->vm, 0, &port), 0);
	/* The successor has the earlier place, so it is looked at first. */
	new = hello(DOM_ROLE_BACKEND, false);
	old = hello(DOM_ROLE_BACKEND, false);
	msg.u.port = port;
	cr_assert_eq(ask(old, DOM_EVTCHN_BIND, &msg), 0);
	close_got();
	msg.u.port = port;
	cr_expect_eq(ask(new, DOM_EVTCHN_BIND, &msg), -EBUSY);
	/* Death and the successor's call arrive in one round. */
	close(old);
	msg.u.port = port;
	cr_expect_eq(ask(new, DOM_EVTCHN_BIND, &msg), 0);
	close_got();
	close(new);
}

Test(domctl, pages_go_to_their_roles)
{
	struct dom_msg msg;
	int fd;

	fd = hello(DOM_ROLE_STORE, false);
	cr_assert_eq(ask(fd, DOM_PAGE, &msg), 0);
	cr_expect_eq(nfds, 1);
	cr_expect_eq(msg.u.page.gfn, LAYOUT_STORE >> 12);
	cr_expect_eq(msg.u.page.port, EVTCHN_STORE);
	close_got();
	close(fd);
	fd = hello(DOM_ROLE_CONSOLE, false);
	cr_assert_eq(ask(fd, DOM_PAGE, &msg), 0);
	cr_expect_eq(msg.u.page.gfn, LAYOUT_CONSOLE >> 12);
	close_got();
	close(fd);
}

Test(domctl, memory_and_grants)
{
	struct dom_msg msg;
	int fd = hello(DOM_ROLE_BACKEND, false);

	cr_assert_eq(ask(fd, DOM_MEMMAP, &msg), 0);
	cr_expect_eq(nfds, 1);
	cr_expect_eq(msg.u.memmap.n, 1);
	cr_expect_eq(msg.u.memmap.size, 16 << 20);
	close_got();
	msg.u.frames.first = 0;
	cr_assert_eq(ask(fd, DOM_GRANT_FRAMES, &msg), 0);
	cr_expect_eq(nfds, 1);
	cr_expect_eq(msg.u.frames.n, 1);
	cr_expect_eq(msg.u.frames.total, 1);
	close_got();
	msg.u.frames.first = UINT32_MAX;
	cr_assert_eq(ask(fd, DOM_GRANT_FRAMES, &msg), 0);
	cr_expect_eq(msg.u.frames.n, 0);
	close_got();
	close(fd);
}

Test(domctl, shutdown_is_told_to_all_that_asked_early_or_late)
{
	int early = hello(DOM_ROLE_ADMIN, true), late;
	int quiet = hello(DOM_ROLE_ADMIN, false);
	struct dom_msg msg;

	pthread_mutex_lock(&f->vm.lock);
	vm_shut(&f->vm, SHUTDOWN_reboot);
	pthread_mutex_unlock(&f->vm.lock);
	serve();
	serve();
	cr_assert_eq(sock_recv_fds(early, &msg, sizeof(msg), fds, &nfds), 0);
	cr_expect_eq(msg.type, DOM_EV_SHUTDOWN);
	cr_expect_eq(msg.seq, 0);
	cr_expect_eq(msg.u.info.reason, SHUTDOWN_reboot);
	cr_expect(msg.u.info.state & DOM_SHUTDOWN);
	cr_expect_eq(sock_recv_fds(early, &msg, sizeof(msg), fds, &nfds),
		     -EAGAIN, "once");
	cr_expect_eq(sock_recv_fds(quiet, &msg, sizeof(msg), fds, &nfds),
		     -EAGAIN);
	late = hello(DOM_ROLE_ADMIN, true);
	cr_assert_eq(sock_recv_fds(late, &msg, sizeof(msg), fds, &nfds), 0);
	cr_expect_eq(msg.type, DOM_EV_SHUTDOWN);
	close(early);
	close(late);
	close(quiet);
}

static void event_is(int fd, uint16_t type, uint32_t state, uint32_t life)
{
	struct dom_msg msg = { .type = 0 };

	cr_assert_eq(sock_recv_fds(fd, &msg, sizeof(msg), fds, &nfds), 0);
	cr_expect_eq(msg.type, type);
	cr_expect_eq(msg.seq, 0);
	cr_expect_eq(msg.u.info.state & DOM_SHUTDOWN, state);
	cr_expect_eq(msg.u.info.life, life);
}

static void shut(unsigned int reason)
{
	pthread_mutex_lock(&f->vm.lock);
	vm_shut(&f->vm, reason);
	pthread_mutex_unlock(&f->vm.lock);
}

Test(domctl, only_who_is_suspended_is_resumed)
{
	int fd = hello(DOM_ROLE_ADMIN, false);
	struct dom_msg msg = { .u.anew = 0 };

	cr_expect_eq(ask(fd, DOM_RESUME, &msg), -EINVAL, "it runs");
	shut(SHUTDOWN_suspend);
	cr_expect_eq(ask(fd, DOM_RESUME, &msg), 0);
	cr_expect_not(f->vm.shutdown);
	cr_expect_eq(ask(fd, DOM_RESUME, &msg), -EINVAL, "it runs again");
	shut(SHUTDOWN_poweroff);
	cr_expect_eq(ask(fd, DOM_RESUME, &msg), -EINVAL, "it is off");
	cr_expect(f->vm.shutdown);
	close(fd);
}

Test(domctl, a_resumption_is_told_after_the_suspension)
{
	int admin = hello(DOM_ROLE_ADMIN, false), late;
	int all = hello(DOM_ROLE_STORE, true);
	struct dom_msg msg = { .u.anew = 0 };

	/* Nobody has been told of the shutdown yet. */
	shut(SHUTDOWN_suspend);
	cr_assert_eq(ask(admin, DOM_RESUME, &msg), 0);
	event_is(all, DOM_EV_SHUTDOWN, DOM_SHUTDOWN, 0);
	event_is(all, DOM_EV_RESUMED, 0, 0);
	late = hello(DOM_ROLE_ADMIN, true);
	cr_expect_eq(sock_recv_fds(late, &msg, sizeof(msg), fds, &nfds),
		     -EAGAIN, "who comes later finds it running");
	shut(SHUTDOWN_suspend);
	serve();
	event_is(all, DOM_EV_SHUTDOWN, DOM_SHUTDOWN, 0);
	event_is(late, DOM_EV_SHUTDOWN, DOM_SHUTDOWN, 0);
	close(late);
	close(all);
	close(admin);
}

Test(domctl, anew_store_and_console_bind_again)
{
	int admin = hello(DOM_ROLE_ADMIN, false);
	int store = hello(DOM_ROLE_STORE, true), back;
	struct dom_msg msg = { .u.port = EVTCHN_STORE };
	uint32_t port;

	cr_assert_eq(ask(store, DOM_EVTCHN_BIND, &msg), 0);
	close_got();
	cr_assert_eq(evtchn_alloc_unbound(&f->vm, 0, &port), 0);
	back = hello(DOM_ROLE_BACKEND, false);
	msg.u.port = port;
	cr_assert_eq(ask(back, DOM_EVTCHN_BIND, &msg), 0);
	close_got();
	shut(SHUTDOWN_suspend);
	serve();
	f->vm.parked = f->vm.nvcpus;
	msg.u.anew = 1;
	cr_assert_eq(ask(admin, DOM_RESUME, &msg), 0);
	event_is(store, DOM_EV_SHUTDOWN, DOM_SHUTDOWN, 0);
	event_is(store, DOM_EV_RESUMED, 0, 1);
	cr_expect_eq(f->send_fd[EVTCHN_STORE], -1);
	msg.u.port = EVTCHN_STORE;
	cr_expect_eq(ask(store, DOM_EVTCHN_BIND, &msg), 0);
	close_got();
	msg.u.port = port;
	cr_expect_eq(ask(back, DOM_EVTCHN_CLOSE, &msg), -EINVAL);
	msg.u.port = port;
	cr_expect_eq(ask(back, DOM_EVTCHN_BIND, &msg), -EINVAL);
	close(back);
	close(store);
	close(admin);
}

Test(domctl, pause_and_destroy_while_suspended)
{
	struct dom_msg msg = { .u.anew = 0 };
	int fd = hello(DOM_ROLE_ADMIN, false);

	shut(SHUTDOWN_suspend);
	f->vm.parked = f->vm.nvcpus;
	cr_expect_eq(ask(fd, DOM_PAUSE, &msg), 0);
	cr_assert_eq(ask(fd, DOM_INFO, &msg), 0);
	cr_expect_eq(msg.u.info.state, DOM_PAUSED | DOM_SHUTDOWN);
	msg.u.anew = 0;
	cr_expect_eq(ask(fd, DOM_RESUME, &msg), 0);
	cr_expect(f->vm.paused, "it stays paused");
	shut(SHUTDOWN_suspend);
	msg = (struct dom_msg){ .magic = DOM_MAGIC,
				.version = DOM_VERSION,
				.type = DOM_DESTROY,
				.seq = 1 };
	send_msg(fd, &msg);
	cr_expect_not(serve(), "and can be destroyed");
	close(fd);
}

Test(domctl, destroy_is_answered_first)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = DOM_DESTROY,
			       .seq = 1 };
	int fd = hello(DOM_ROLE_ADMIN, false);

	send_msg(fd, &msg);
	cr_expect_not(serve());
	cr_assert_eq(sock_recv_fds(fd, &msg, sizeof(msg), fds, &nfds), 0);
	cr_expect_eq(msg.status, 0);
	close(fd);
}

/* A line of lies: each ends that connection and no other. */
Test(domctl, clients_that_break_the_protocol)
{
	struct dom_msg good = { .magic = DOM_MAGIC,
				.version = DOM_VERSION,
				.type = DOM_INFO,
				.seq = 1 };
	int other = hello(DOM_ROLE_ADMIN, false);
	struct dom_msg msg;
	char big[4096] = "";
	int fd;

	for (int lie = 0; lie < 6; lie++) {
		fd = hello(DOM_ROLE_BACKEND, false);
		msg = good;
		switch (lie) {
		case 0:
			msg.magic++;
			break;
		case 1:
			msg.version++;
			break;
		case 2:
			msg.seq = 0;
			break;
		case 3:
			cr_assert_eq(send(fd, &msg, 15, 0), 15);
			break;
		case 4:
			cr_assert_eq(send(fd, big, sizeof(big), 0),
				     sizeof(big));
			break;
		default:
			shutdown(fd, SHUT_WR);
			break;
		}
		if (lie < 3)
			send_msg(fd, &msg);
		serve();
		cr_expect_eq(sock_recv_fds(fd, &msg, sizeof(msg), fds, &nfds),
			     -EPIPE, "lie %d", lie);
		close(fd);
	}
	msg = good;
	cr_expect_eq(ask(other, DOM_INFO, &msg), 0, "others are still served");
	close(other);
}

Test(domctl, calls_before_hello_and_calls_that_do_not_exist)
{
	struct dom_msg msg = { .seq = 0 };
	int fd = dial();

	cr_expect_eq(ask(fd, DOM_INFO, &msg), -EPROTO);
	cr_expect_eq(ask(fd, DOM_DESTROY, &msg), -EPROTO);
	msg.u.hello.role = DOM_NROLES;
	cr_expect_eq(ask(fd, DOM_HELLO, &msg), -EINVAL);
	msg.u.hello.role = UINT32_MAX;
	cr_expect_eq(ask(fd, DOM_HELLO, &msg), -EINVAL);
	memset(&msg, 0xff, sizeof(msg));
	msg.u.hello.role = DOM_ROLE_BACKEND;
	cr_expect_eq(ask(fd, DOM_HELLO, &msg), 0, "an endless device name");
	cr_expect_eq(ask(fd, 0, &msg), -ENOSYS);
	cr_expect_eq(ask(fd, DOM_NTYPES, &msg), -ENOSYS);
	cr_expect_eq(ask(fd, DOM_EV_SHUTDOWN, &msg), -ENOSYS);
	cr_expect_eq(ask(fd, UINT16_MAX, &msg), -ENOSYS);
	close(fd);
}

Test(domctl, errors_leak_nothing)
{
	struct dom_msg msg;
	int fd = hello(DOM_ROLE_BACKEND, false);

	memset(&msg.u, 0xaa, sizeof(msg.u));
	cr_expect_eq(ask(fd, DOM_PAUSE, &msg), -EPERM);
	for (size_t i = 0; i < sizeof(msg.u.raw); i++)
		cr_assert_eq(msg.u.raw[i], 0);
	close(fd);
}

Test(domctl, descriptors_from_clients_are_closed)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = DOM_INFO,
			       .seq = 1 };
	int fd = hello(DOM_ROLE_ADMIN, false), three[3] = { 0, 1, 2 };
	int before, after;

	before = open("/dev/null", O_RDONLY);
	close(before);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(sock_send_fds(fd, &msg, sizeof(msg), three, 3), 0);
		serve();
		cr_assert_eq(sock_recv_fds(fd, &msg, sizeof(msg), fds, &nfds),
			     0);
	}
	after = open("/dev/null", O_RDONLY);
	close(after);
	cr_expect_eq(before, after);
	close(fd);
}

Test(domctl, a_client_that_never_reads_is_dropped)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = DOM_INFO,
			       .seq = 1 };
	int fd = hello(DOM_ROLE_ADMIN, false);
	int other = hello(DOM_ROLE_ADMIN, false);
	int ret = 0;

	for (int i = 0; i < 10000 && !ret; i++) {
		ret = sock_send_fds(fd, &msg, sizeof(msg), NULL, 0);
		serve();
	}
	cr_expect(ret == -EPIPE || ret == -ECONNRESET, "%d", ret);
	cr_expect_eq(ask(other, DOM_INFO, &msg), 0);
	close(fd);
	close(other);
}

Test(domctl, crowds_are_turned_away)
{
	static int crowd[DOMCTL_MAX_CLIENTS + 20];
	struct rlimit rl = { 4096, 4096 };
	int first = hello(DOM_ROLE_ADMIN, false);
	struct dom_msg msg;
	char c;

	setrlimit(RLIMIT_NOFILE, &rl);
	for (size_t i = 0; i < ARRAY_SIZE(crowd); i++)
		crowd[i] = dial();
	cr_expect_eq(recv(crowd[ARRAY_SIZE(crowd) - 1], &c, 1, 0), 0,
		     "the last is out");
	cr_expect_eq(ask(first, DOM_INFO, &msg), 0, "the first is in");
	for (size_t i = 0; i < ARRAY_SIZE(crowd); i++)
		close(crowd[i]);
	serve();
	close(hello(DOM_ROLE_ADMIN, false));
	close(first);
}
