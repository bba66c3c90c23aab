// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_sweep.c - every call of the store or of a device half fails once.
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>

#include "base/paths.h"
#include "dom0-backend/console.h"
#include "guest-frontend/blkfront.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "tests/lib/fakeblk.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/procdom.h"
#include "tests/lib/storebed.h"
#include "tests/lib/patience.h"
#include "tests/lib/sweep.h"

#define DOMID	  5u
#define ANSWER_MS PATIENCE_MS /* for what may never come */

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
	if (!ret)
		ret = netback_run(q);
	sweep_off();
	if (ret) {
		if (q)
			netback_stop(q, &sum);
		return ret;
	}
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
	struct console_hub hub = { .gone = on_gone, .ptmx = -1 };
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

/* ---- a process domain's frontends -------------------------------------------------- */

static void make_process_domain(void)
{
	fakedom_run_dir();
	dom = fakedom_new(DOMID, 4096);
	procdom_use(dom);
}

static int run_frontends(void)
{
	struct blkfront disk = { .segs = 64, .order = 1 };
	struct netfront card = { .split = true };
	struct blkfront_queue *b = NULL;
	struct netfront_queue *n = NULL;
	struct netfront_ctrl *c = NULL;
	struct blkfront_ring b_ring;
	struct netfront_ring n_ring;
	struct netfront_ctrl_keys keys;
	unsigned int refs = grants_free_refs(), ports = fakedom_ports(dom);
	size_t pages = pages_left();
	int ret;

	disk.want.persistent = true;
	sweep_on();
	ret = blkfront_queue_new(&b, &disk, &b_ring);
	if (!ret)
		ret = netfront_queue_new(&n, &card, &n_ring);
	if (!ret)
		ret = netfront_ctrl_new(&c, &card, &keys);
	netfront_ctrl_free(c);
	netfront_queue_free(n);
	blkfront_queue_free(b);
	sweep_off();
	return pages_left() == pages && grants_free_refs() == refs &&
			       fakedom_ports(dom) == ports
		       ? ret
		       : 1;
}

Test(sweep, frontends, .init = make_process_domain, .fini = end_domain,
     .timeout = 300)
{
	cr_expect_str_empty(sweep(run_frontends, 250));
}
