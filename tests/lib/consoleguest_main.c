/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/consoleguest_main.c - a domain that is nothing but a console.
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
#include <xenstore.h>

#include "base/log.h"
#include "base/paths.h"
#include "ring/stream.h"
#include "tests/lib/fakedom.h"

struct guest {
	unsigned int domid;
	struct fakedom *dom;
	struct xs_handle *xs;
	struct xencons_interface *page;
	struct stream_writer out;
	struct stream_reader in;
	unsigned int lines;
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

static void obey(struct guest *g, char *line)
{
	char text[64], *arg = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "print ", 6)) {
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
	struct stream_map out_map, in_map;
	struct guest g = { 0 };
	uint8_t uuid[16] = { 0 };
	char line[4096];

	if (argc < 3)
		die("usage: sv-consoleguest DOMID NAME [half]");
	paths_init();
	setvbuf(stdout, NULL, _IONBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	g.domid = (unsigned int)atol(argv[1]);
	g.dom = fakedom_new(g.domid, 2);
	fakedom_present(g.dom, argv[2], uuid, 1, 1);
	g.page = fakedom_console_page(g.dom);
	out_map = STREAM_MAP(g.page, out);
	in_map = STREAM_MAP(g.page, in);
	if (stream_writer_attach(&g.out, &out_map, STREAM_WAKE_EDGE) ||
	    stream_reader_attach(&g.in, &in_map, STREAM_WAKE_EDGE))
		die("console page");
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
