// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_sweep.c - every call that serves a guest fails once.
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>

#include "base/fd.h"
#include "base/paths.h"
#include "dom0-backend/console.h"
#include "hypervisor/domctl.h"
#include "hypervisor/image.h"
#include "tests/lib/fakeblk.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/stack.h"
#include "tests/lib/storebed.h"
#include "tests/lib/sweep.h"
#include "tests/lib/toykernel.h"

#define DOMID	  5u
#define ANSWER_MS 1000 /* for what may never come */

static struct fakedom *dom;

static void make_domain(void)
{
	fakedom_run_dir();
	log_init("sweep", LOG_LVL_ERR);
	log_to_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	dom = fakedom_new(DOMID, 512);
}

static void end_domain(void)
{
	fakedom_free(dom);
	fakedom_run_dir_remove();
}

/* ---- a disk ------------------------------------------------------------------ */

static struct {
	struct fakeblk front;
	struct blk_req read;
	char path[32];
} vbd;

static void make_disk(void)
{
	uint64_t gfn;
	int fd;

	make_domain();
	strcpy(vbd.path, "/tmp/sv-test-disk-XXXXXX");
	fd = mkstemp(vbd.path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, 1 << 20), 0);
	close(fd);
	fakeblk_init(&vbd.front, dom, BLK_ABI_X86_64, 0);
	gfn = fakedom_alloc(dom, 1);
	vbd.read = (struct blk_req){
		.op = BLKIF_OP_READ,
		.nseg = 1,
		.seg[0] = { fakedom_grant(dom, gfn, 0), 0, 7, 0 },
	};
}

static void end_disk(void)
{
	unlink(vbd.path);
	end_domain();
}

static bool failed(const struct device *dev)
{
	return atomic_load(&dev->failure);
}

/* Some requests; each is answered, or the device has said that it failed. */
static int use_disk(const struct device *dev)
{
	int16_t status;
	uint64_t id;
	uint8_t op;
	int ret = 0;

	for (unsigned int i = 0; i < 4 && !failed(dev); i++) {
		vbd.read.op = i % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE;
		fakeblk_put(&vbd.front, &vbd.read);
		fakeblk_push(&vbd.front);
		if (fakeblk_take(&vbd.front, ANSWER_MS, &id, &op, &status) != 1)
			return failed(dev) ? -EIO : 1;
		if (status != BLKIF_RSP_OKAY)
			ret = -EIO;
	}
	return failed(dev) ? -EIO : ret;
}

static int run_disk(void)
{
	struct device dev = { .domid = DOMID, .fail_fd = -1 };
	struct log_limit limit = { 0 };
	struct blk_queue *q = NULL;
	struct disk disk = { .fd = -1 };
	int ret, fd;

	fakeblk_restart(&vbd.front);
	dev.fail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fd = open(vbd.path, O_RDWR | O_CLOEXEC);
	sweep_on();
	ret = dom_connect(&dev.dom, DOMID, DOM_ROLE_BACKEND, "vbd/1", false);
	if (!ret)
		ret = gnt_new(&dev.gnt, dev.dom);
	if (!ret)
		ret = disk_init(&disk, fd);
	if (!ret)
		ret = blkback_start(&q, &dev, &disk, &vbd.front.at, &limit);
	sweep_off();
	if (!ret)
		ret = use_disk(&dev);
	sweep_on();
	blkback_stop(q);
	gnt_free(dev.gnt);
	dom_free(dev.dom);
	sweep_off();
	close(dev.fail_fd);
	close(fd);
	return ret;
}

Test(sweep, disk, .init = make_disk, .fini = end_disk, .timeout = 300)
{
	cr_expect_str_empty(sweep(run_disk, 40));
}

/* ---- a network card ----------------------------------------------------------- */

static struct fakenic nic;

static void make_card(void)
{
	fakenic_init(&nic, 1, true, 1500);
}

static void end_card(void)
{
	fakenic_fini(&nic);
}

static int use_card(struct fakenet *n)
{
	static uint8_t frame[NET_LEN_MAX];
	struct virtio_net_hdr v = frame_udp(frame, 500);

	fakenet_post(n, 32);
	for (unsigned int i = 0; i < 4; i++)
		cr_assert(fakenet_send(n, &v, frame, 500, 200));
	fakenet_push(n);
	if (!fakenet_reap_all(n))
		return failed(&nic.dev) ? -EIO : 1;
	return n->errors || failed(&nic.dev) ? -EIO : 0;
}

static int run_card(void)
{
	struct net_queue *q = NULL;
	struct net_stats sum = { 0 };
	uint64_t n;
	int ret;

	atomic_store(&nic.dev.failure, NULL);
	(void)!read(nic.dev.fail_fd, &n, sizeof(n));
	fakenet_restart(nic.front[0]);
	sweep_on();
	ret = netback_start(&q, &nic.dev, &nic.conf, nic.tap[0],
			    &nic.front[0]->keys, &nic.limit[0]);
	sweep_off();
	if (ret)
		return ret;
	ret = use_card(nic.front[0]);
	sweep_on();
	netback_stop(q, &sum);
	sweep_off();
	return ret;
}

Test(sweep, card, .init = make_card, .fini = end_card, .timeout = 300)
{
	cr_expect_str_empty(sweep(run_card, 25));
}

/* ---- a console ---------------------------------------------------------------- */

static bool console_gone;

static void on_gone(void *arg, struct console *c)
{
	(void)arg;
	(void)c;
	console_gone = true;
}

/* The guest prints a line; Return: whether the backend took it. */
static bool use_console(struct event_base *base)
{
	struct xencons_interface *page = fakedom_console_page(dom);
	struct stream_map out = STREAM_MAP(page, out);
	struct stream_writer w;
	bool wake = false;

	cr_assert(!stream_writer_attach(&w, &out, STREAM_WAKE_ALWAYS));
	cr_assert_eq(stream_write(&w, "hello\n", 6, &wake), 6);
	fakedom_send(dom, FAKEDOM_CONSOLE_PORT);
	for (int ms = 0; ms < ANSWER_MS && !console_gone; ms++) {
		sweep_on();
		event_base_loop(base, EVLOOP_NONBLOCK);
		sweep_off();
		if (page->out_cons == page->out_prod)
			return true;
		usleep(1000);
	}
	return false;
}

static int run_console(void)
{
	struct console_hub hub = { .gone = on_gone };
	struct console *c;
	int ret;

	memset(fakedom_console_page(dom), 0, SV_PAGE_SIZE);
	console_gone = false;
	hub.conf = (struct console_log_conf){ .dir = paths_log(), .max = 8192 };
	sweep_on();
	hub.base = event_base_new();
	if (!hub.base) {
		sweep_off();
		return -ENOMEM;
	}
	ret = console_hub_init(&hub);
	if (!ret)
		ret = console_new(&c, &hub, DOMID);
	sweep_off();
	if (!ret && !use_console(hub.base))
		ret = console_gone ? -EIO : 1;
	sweep_on();
	console_hub_fini(&hub);
	event_base_free(hub.base);
	sweep_off();
	return ret;
}

static void make_console(void)
{
	make_domain();
	cr_assert_eq(paths_mkdir(paths_log()), 0);
}

Test(sweep, console, .init = make_console, .fini = end_domain, .timeout = 300)
{
	cr_expect_str_empty(sweep(run_console, 40));
}

/* ---- the store ----------------------------------------------------------------- */

static struct bed_client *root;

static void make_store(void)
{
	make_domain();
	bed_init();
	root = bed_dom0();
}

static void end_store(void)
{
	bed_close(root);
	bed_fini();
	end_domain();
}

static void pump(void)
{
	sweep_on();
	bed_pump();
	sweep_off();
}

/* One request; Return: 0, -EPIPE if we were disconnected, 1 for no answer. */
static int ask_store(int fd, uint32_t type, const void *data, size_t len)
{
	struct {
		struct xsd_sockmsg h;
		char body[XENSTORE_PAYLOAD_MAX];
	} msg = { .h = { .type = type, .len = (uint32_t)len } };
	ssize_t n;

	memcpy(msg.body, data, len);
	n = (ssize_t)(sizeof(msg.h) + len);
	if (send(fd, &msg, (size_t)n, MSG_NOSIGNAL) != n)
		return -EPIPE;
	pump();
	do
		n = recv(fd, &msg, sizeof(msg.h), MSG_DONTWAIT);
	while (n == (ssize_t)sizeof(msg.h) &&
	       recv(fd, msg.body, msg.h.len, MSG_DONTWAIT) == (int)msg.h.len &&
	       msg.h.type == XS_WATCH_EVENT);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 1 : -EPIPE;
	return msg.h.type == XS_ERROR ? -EIO : 0;
}

static int use_store(int fd)
{
	static const struct {
		uint32_t type, len;
		char data[32];
	} t[] = {
		{ XS_INTRODUCE, 12,
		  "5\0001044476\0001\0" }, /* FAKEDOM_STORE_GFN */
		{ XS_WRITE, 12, "/sweep/a/b\0v" },
		{ XS_WATCH, 9, "/sweep\0t\0" },
		{ XS_WRITE, 12, "/sweep/a/c\0v" },
		{ XS_DIRECTORY, 7, "/sweep\0" },
		{ XS_TRANSACTION_START, 1, "" },
		{ XS_SET_PERMS, 10, "/sweep\0n5\0" },
		{ XS_RM, 7, "/sweep\0" },
		{ XS_RELEASE, 2, "5\0" },
	};
	int ret = 0, one;

	for (size_t i = 0; i < ARRAY_SIZE(t) && ret <= 0; i++) {
		one = ask_store(fd, t[i].type, t[i].data, t[i].len);
		ret = one ? one : ret;
	}
	return ret;
}

static int run_store(void)
{
	int pair[2], ret;

	memset(fakedom_store_page(dom), 0, SV_PAGE_SIZE);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
		     0);
	sweep_on();
	ret = conn_new_socket(pair[0]);
	sweep_off();
	if (!ret)
		ret = use_store(pair[1]);
	close(pair[1]);
	pump();
	/* What a failure may have left is an administrator's to remove. */
	bed_str(root, XS_RM, 0, "/sweep", NULL);
	bed_str(root, XS_RELEASE, 0, "5", NULL);
	return bed_consistent() ? ret : 1;
}

Test(sweep, store, .init = make_store, .fini = end_store, .timeout = 300)
{
	cr_expect_str_empty(sweep(run_store, 90));
}

/* ---- the domain socket's server ------------------------------------------------- */

static struct fakevm *vm;
static char top[32], hv_sock[PATH_MAX];

static void make_vm(void)
{
	log_init("sweep", LOG_LVL_ERR);
	log_to_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	vm = fakevm_new(2);
	vm->vm.cfg.name = "toy";
	vm->vm.store.fd = fd_memfd("store", SV_PAGE_SIZE);
	strcpy(top, "/tmp/test_sweep.XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	snprintf(hv_sock, sizeof(hv_sock), "%s/hv.sock", top);
}

static void end_vm(void)
{
	rmdir(top);
	fd_close(&vm->vm.store.fd);
	fakevm_free(vm);
}

static void serve(struct domctl *d)
{
	static struct pollfd p[DOMCTL_MAX_POLL];
	unsigned int n;

	do {
		n = domctl_pollfds(d, p);
		if (poll(p, n, 0) <= 0)
			break;
		sweep_on();
		domctl_serve(d, p, n);
		sweep_off();
	} while (true);
}

/* One call; Return: its status, -EPIPE if disconnected, 1 for no answer. */
static int call(struct domctl *d, int fd, uint16_t type, uint32_t arg)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = type,
			       .seq = 1 };
	int fds[SOCK_MAX_FDS], ret;
	size_t nfds;

	if (type == DOM_HELLO)
		msg.u.hello.role = arg;
	else
		msg.u.port = arg;
	if (sock_send_fds(fd, &msg, sizeof(msg), NULL, 0))
		return -EPIPE;
	for (int ms = 0; ms < ANSWER_MS; ms++) {
		serve(d);
		ret = sock_recv_fds(fd, &msg, sizeof(msg), fds, &nfds);
		if (ret != -EAGAIN)
			break;
		usleep(1000);
	}
	while (!ret && nfds)
		fd_close(&fds[--nfds]);
	if (ret)
		return ret == -EAGAIN ? 1 : -EPIPE;
	return msg.status;
}

static int use_domctl(struct domctl *d, int fd, uint32_t port)
{
	const struct {
		uint16_t type;
		uint32_t arg;
	} t[] = {
		{ DOM_HELLO, DOM_ROLE_BACKEND },
		{ DOM_INFO, 0 },
		{ DOM_MEMMAP, 0 },
		{ DOM_GRANT_FRAMES, 0 },
		{ DOM_EVTCHN_BIND, port },
		{ DOM_EVTCHN_CLOSE, port },
		{ DOM_EVTCHN_BIND, port },
	};
	int ret = 0, one;

	for (size_t i = 0; i < ARRAY_SIZE(t) && ret <= 0; i++) {
		one = call(d, fd, t[i].type, t[i].arg);
		ret = one ? one : ret;
	}
	return ret;
}

static int run_domctl(void)
{
	struct domctl *d;
	uint32_t port;
	int fd, ret;

	cr_assert_eq(evtchn_alloc_unbound(&vm->vm, 0, &port), 0);
	sweep_on();
	ret = domctl_new(&d, &vm->vm, hv_sock);
	sweep_off();
	if (!ret) {
		fd = sock_connect(hv_sock, SOCK_SEQPACKET);
		cr_assert_geq(fd, 0);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		ret = use_domctl(d, fd, port);
		close(fd);
		serve(d);
		sweep_on();
		domctl_free(d);
		sweep_off();
	}
	cr_assert_eq(evtchn_close(&vm->vm, port), 0);
	return vm->irq_fd[port] == -1 ? ret : 1;
}

Test(sweep, domctl, .init = make_vm, .fini = end_vm, .timeout = 300)
{
	cr_expect_str_empty(sweep(run_domctl, 20));
}

/* ---- a kernel --------------------------------------------------------------------- */

static char kernel[PATH_MAX], images[PATH_MAX];
static bool cold; /* without what an earlier run has cached */

static void make_kernel(void)
{
	static uint8_t elf[TOY_SIZE];
	char bin[PATH_MAX], cache[PATH_MAX - 8];
	uint8_t *file;
	size_t size;
	int fd;

	log_init("sweep", LOG_LVL_ERR);
	log_to_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	strcpy(top, "/tmp/test_sweep.XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	snprintf(kernel, sizeof(kernel), "%s/vmlinuz", top);
	snprintf(cache, sizeof(cache), "%s/cache", top);
	snprintf(images, sizeof(images), "%s/images", cache);
	setenv("SPLITVISOR_CACHE_DIR", cache, 1);
	stack_program(bin, "");
	setenv("SPLITVISOR_LIBEXEC_DIR", bin, 1);
	paths_init();
	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), BZIMAGE_GZIP);
	fd = open(kernel, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cr_assert_eq(write(fd, file, size), (ssize_t)size);
	close(fd);
	free(file);
}

static void end_kernel(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", top);
	cr_assert_eq(system(command), 0);
}

static void empty_cache(void)
{
	char path[PATH_MAX + 256];
	DIR *d = opendir(images);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", images, de->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
}

static int run_kernel(void)
{
	struct image img = { 0 };
	struct guestmem *m;
	struct why why;
	int ret;

	if (cold)
		empty_cache();
	sweep_on();
	ret = guestmem_new(&m, 32 << 20);
	if (!ret) {
		ret = image_load(kernel, m, &img, &why);
		guestmem_free(m);
	}
	sweep_off();
	return ret || img.entry == TOY_ENTRY ? ret : 1;
}

Test(sweep, kernel, .init = make_kernel, .fini = end_kernel, .timeout = 300)
{
	cold = true;
	cr_expect_str_empty(sweep(run_kernel, 40));
	cold = false;
	cr_expect_str_empty(sweep(run_kernel, 30));
}
