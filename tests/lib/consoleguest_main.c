/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/consoleguest_main.c - a domain that is little but a console.
 *
 * usage: sv-consoleguest DOMID NAME [half]
 *
 * Makes the domain's part of the store as a toolstack does and introduces it;
 * then obeys lines on its standard input:
 *
 *	complete	with "half": make the console's nodes and introduce it
 *	print N		print N numbered lines of 32 bytes
 *	say TEXT	print a line
 *	mute TEXT	print a line without a notification
 *	lie		claim an impossible ring index
 *	ask N		ask the store N times for the domain's name
 *	disk O Q	connect to disk 51712 by Q rings of 2^O pages
 *	read N		read its first sector N times, by the rings in turn
 *	end		the domain goes away, as at the end of input
 *
 * What is typed on the console appears on standard output.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xenstore.h>

#include "base/log.h"
#include "base/paths.h"
#include "ring/stream.h"
#include "tests/lib/fakeblk.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/patience.h"

#define PAGES  256
#define DISK   51712u
#define QUEUES 4u

struct guest {
	unsigned int domid;
	struct fakedom *dom;
	struct xs_handle *xs;
	struct xencons_interface *page;
	struct stream_writer out;
	struct stream_reader in;
	unsigned int lines;
	struct stream_writer req;
	struct stream_reader rsp;
	unsigned int nqueues;
	struct fakeblk disk[QUEUES];
	uint32_t data; /* grant of a page for what is read */
};

static void node(struct guest *g, const char *path, const char *value)
{
	struct xs_permissions perm[2] = {
		{ .id = 0, .perms = XS_PERM_NONE },
		{ .id = g->domid, .perms = XS_PERM_READ },
	};

	if (!xs_write(g->xs, XBT_NULL, path, value,
		      (unsigned int)strlen(value)) ||
	    !xs_set_permissions(g->xs, XBT_NULL, path, perm, 2))
		die("%s: %s", path, strerror(errno));
}

static void make_domain(struct guest *g, const char *name)
{
	char path[64];

	g->xs = xs_open(0);
	if (!g->xs)
		die("no store");
	snprintf(path, sizeof(path), "/local/domain/%u", g->domid);
	node(g, path, "");
	snprintf(path, sizeof(path), "/local/domain/%u/name", g->domid);
	node(g, path, name);
}

static void introduce(struct guest *g)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u/console", g->domid);
	node(g, path, "");
	snprintf(path, sizeof(path), "/local/domain/%u/console/tty", g->domid);
	node(g, path, "");
	if (!xs_introduce_domain(g->xs, g->domid, FAKEDOM_STORE_GFN,
				 FAKEDOM_STORE_PORT))
		die("introduce: %s", strerror(errno));
}

static void kick(struct guest *g)
{
	fakedom_send(g->dom, FAKEDOM_CONSOLE_PORT);
}

/* As Linux does: spin while there is no room. */
static void print(struct guest *g, const char *s, bool loud)
{
	size_t n = strlen(s);
	bool wake = false;
	int ret;

	while (n) {
		ret = stream_write(&g->out, s, n, &wake);
		if (ret < 0)
			die("console: %s", strerror(-ret));
		s += ret;
		n -= (size_t)ret;
		if (loud)
			kick(g);
		if (n)
			usleep(200);
	}
}

static void move(struct guest *g, void *buf, size_t n, bool ask)
{
	bool wake = false;
	int ret;

	for (size_t done = 0; done < n; done += (size_t)ret) {
		ret = ask ? stream_write(&g->req, (char *)buf + done, n - done,
					 &wake)
			  : stream_read(&g->rsp, (char *)buf + done, n - done,
					&wake);
		if (ret < 0)
			die("store: %s", strerror(-ret));
		if (wake)
			fakedom_send(g->dom, FAKEDOM_STORE_PORT);
		wake = false;
		if (!ret)
			usleep(50);
	}
}

/* One question to the store through the domain's own ring. */
static void ask(struct guest *g)
{
	struct {
		struct xsd_sockmsg hdr;
		char path[5];
	} req = { { .type = XS_READ, .len = 5 }, "name" };
	char answer[256];

	move(g, &req, sizeof(req.hdr) + sizeof(req.path), true);
	move(g, &req.hdr, sizeof(req.hdr), false);
	if (req.hdr.type != XS_READ || req.hdr.len > sizeof(answer))
		die("store: not the answer that was expected");
	move(g, answer, req.hdr.len, false);
}

static void front_node(struct guest *g, unsigned int queue, const char *name,
		       unsigned int value)
{
	char path[128], dir[16] = "", text[16];

	if (queue < g->nqueues && g->nqueues > 1)
		snprintf(dir, sizeof(dir), "queue-%u/", queue);
	snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/%u/%s%s",
		 g->domid, DISK, dir, name);
	snprintf(text, sizeof(text), "%u", value);
	node(g, path, text);
}

static void wait_connected(struct guest *g)
{
	char path[64], *state = NULL;
	unsigned int len;

	snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%u/%u/state",
		 g->domid, DISK);
	if (!SOON((free(state),
		   (state = xs_read(g->xs, XBT_NULL, path, &len)) &&
			   !strcmp(state, "4"))))
		die("%s is %s", path, state ? state : "absent");
	free(state);
}

static void connect_disk(struct guest *g, unsigned int order, unsigned int n)
{
	char name[16];

	g->nqueues = MIN(n, QUEUES);
	g->data = fakedom_grant(g->dom, fakedom_alloc(g->dom, 1), 0);
	for (unsigned int q = 0; q < g->nqueues; q++) {
		struct fakeblk *fb = &g->disk[q];

		fakeblk_init(fb, g->dom, BLK_ABI_X86_64, order);
		for (unsigned int i = 0; i < fb->at.npages; i++) {
			snprintf(name, sizeof(name), "ring-ref%u", i);
			front_node(g, q, name, fb->at.gref[i]);
		}
		front_node(g, q, "event-channel", fb->at.port);
	}
	front_node(g, UINT32_MAX, "ring-page-order", order);
	front_node(g, UINT32_MAX, "multi-queue-num-queues", g->nqueues);
	front_node(g, UINT32_MAX, "state", 3);
	wait_connected(g);
	front_node(g, UINT32_MAX, "state", 4);
}

static void read_disk(struct guest *g, unsigned int i)
{
	struct blk_req req = { .op = 0, .nseg = 1, .id = i };

	req.seg[0] = (struct blk_seg){ .gref = g->data, .first = 0, .last = 0 };
	if (fakeblk_do(&g->disk[i % g->nqueues], &req))
		die("read %u failed", i);
}

/* Commands beyond the console; Return: whether it was one. */
static bool obey_devices(struct guest *g, const char *line)
{
	unsigned int n, order;

	if (sscanf(line, "ask %u", &n) == 1) {
		while (n--)
			ask(g);
	} else if (sscanf(line, "disk %u %u", &order, &n) == 2) {
		connect_disk(g, order, n);
	} else if (g->nqueues && sscanf(line, "read %u", &n) == 1) {
		for (unsigned int i = 0; i < n; i++)
			read_disk(g, i);
	} else {
		return false;
	}
	return true;
}

static void obey(struct guest *g, char *line)
{
	char text[64], *arg = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	if (obey_devices(g, line)) {
		/* done */
	} else if (!strncmp(line, "print ", 6)) {
		for (long n = atol(line + 6); n > 0; n--) {
			snprintf(text, sizeof(text),
				 "line %010u ..............\r\n", g->lines++);
			print(g, text, true);
		}
	} else if (arg && line[0] != 'l') {
		print(g, arg + 1, line[0] == 's');
		print(g, "\r\n", line[0] == 's');
	} else if (!strcmp(line, "lie")) {
		g->page->out_prod += 5000;
		kick(g);
	} else if (!strcmp(line, "complete")) {
		introduce(g);
	}
	printf("done %s\n", line);
}

static void show_typed(struct guest *g)
{
	bool wake = false;
	char buf[1024];
	int n;

	n = stream_read(&g->in, buf, sizeof(buf), &wake);
	if (n > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	if (wake)
		kick(g);
}

int main(int argc, char **argv)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct xenstore_domain_interface *store;
	struct stream_map out_map, in_map, req_map, rsp_map;
	struct guest g = { 0 };
	uint8_t uuid[16] = { 0 };
	char line[4096];

	if (argc < 3)
		die("usage: sv-consoleguest DOMID NAME [half]");
	paths_init();
	setvbuf(stdout, NULL, _IONBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	g.domid = (unsigned int)atol(argv[1]);
	g.dom = fakedom_new(g.domid, PAGES);
	fakedom_present(g.dom, argv[2], uuid, 1, 1);
	g.page = fakedom_console_page(g.dom);
	out_map = STREAM_MAP(g.page, out);
	in_map = STREAM_MAP(g.page, in);
	if (stream_writer_attach(&g.out, &out_map, STREAM_WAKE_EDGE) ||
	    stream_reader_attach(&g.in, &in_map, STREAM_WAKE_EDGE))
		die("console page");
	store = fakedom_store_page(g.dom);
	req_map = STREAM_MAP(store, req);
	rsp_map = STREAM_MAP(store, rsp);
	if (stream_writer_attach(&g.req, &req_map, STREAM_WAKE_EDGE) ||
	    stream_reader_attach(&g.rsp, &rsp_map, STREAM_WAKE_EDGE))
		die("store page");
	make_domain(&g, argv[2]);
	if (argc == 3)
		introduce(&g);
	for (;;) {
		if (poll(&in, 1, 10) > 0) {
			if (!fgets(line, sizeof(line), stdin) ||
			    !strcmp(line, "end\n"))
				break;
			obey(&g, line);
		}
		show_typed(&g);
	}
	fakedom_free(g.dom);
	xs_close(g.xs);
	return 0;
}
