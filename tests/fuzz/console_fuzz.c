// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/console_fuzz.c - console rings, the backlog, and both logs.
//
// FUZZ: F13; max_len 1024
//
// A guest writes to its console ring in pieces and moves indices; a reader is
// slow; keys are typed; it also prints by console_io.  Log and reader get what
// was written, with a mark for what is missing and without ESC where that is
// asked for; keys arrive in order; an impossible index ends the stream and
// nothing else; files stay within their bounds; VMM logs are printable.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/io/console.h>

#include "base/log.h"
#include "dom0-backend/console_log.h"
#include "hypervisor/conlog.h"
#include "ring/stream.h"
#include "tests/lib/fuzz.h"

#define FILE_MAX  1000u /* bytes after which the log is rotated */
#define WROTE_MAX (1u << 19)

static struct xencons_interface page;
static struct {
	uint8_t bytes[WROTE_MAX]; /* all that the server has been shown */
	size_t n;
} wrote;
static char dir[] = "/tmp/console_fuzz.XXXXXX";

/* One server, put together as console.c does it, without its clock. */
static struct {
	struct stream_reader out;
	struct stream_writer in;
	struct backlog backlog;
	struct backlog_cursor reader;
	struct console_log log;
	bool out_dead, in_dead;
} srv;
static struct console_log_conf conf = { .dir = dir, .max = FILE_MAX };
static uint8_t next_key, key_due;
static uint32_t keys_cons;

static void log_path(char path[64], const char *suffix)
{
	snprintf(path, 64, "%s/guest-fuzz.log%s", dir, suffix);
}

static void remove_logs(void)
{
	char path[64];

	log_path(path, "");
	unlink(path);
	log_path(path, ".1");
	unlink(path);
}

static void remove_dir(void)
{
	remove_logs();
	rmdir(dir);
}

/* ---- Output --------------------------------------------------------------- */

static uint8_t clean(uint8_t c)
{
	return conf.replace_escape && c == '\033' ? '.' : c;
}

/* A file holds what was written, up to byte @end of it; Return: where from. */
static size_t check_file(const char *suffix, size_t end)
{
	static uint8_t buf[2 * BACKLOG_SIZE];
	char path[64];
	ssize_t n;
	int fd;

	log_path(path, suffix);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return end;
	n = read(fd, buf, sizeof(buf));
	close(fd);
	assert(n >= 0 && (size_t)n <= end);
	assert((size_t)n <= FILE_MAX + BACKLOG_SIZE + 4096);
	for (size_t i = 0; i < (size_t)n; i++)
		assert(buf[i] == clean(wrote.bytes[end - (size_t)n + i]));
	return end - (size_t)n;
}

static void check_logs(void)
{
	size_t from = check_file("", wrote.n), before = check_file(".1", from);

	/* Rotated between lines, and nothing is lost in between. */
	if (before < from && from - before <= FILE_MAX + BACKLOG_SIZE)
		assert(wrote.bytes[from - 1] == '\n');
}

/* What the server shows it has read are bytes that were written. */
static void take_output(size_t max)
{
	uint8_t buf[4096];
	bool wake = false;
	int n;

	n = stream_read(&srv.out, buf, MIN(max, sizeof(buf)), &wake);
	if (n < 0) {
		assert(n == -EPROTO);
		srv.out_dead = true;
		return;
	}
	assert(!srv.out_dead && (size_t)n <= max);
	assert(!memcmp(buf, wrote.bytes + srv.backlog.end, (size_t)n));
	backlog_add(&srv.backlog, buf, (size_t)n);
	assert(console_log_write(&srv.log, &srv.backlog));
	assert(srv.backlog.end <= wrote.n);
}

static void drain(void)
{
	uint64_t before;

	do {
		before = srv.backlog.end;
		take_output(4096);
	} while (!srv.out_dead && srv.backlog.end > before);
}

static size_t room(void)
{
	return sizeof(page.out) - (page.out_prod - page.out_cons);
}

static void put(uint8_t byte)
{
	if (srv.out_dead || wrote.n == WROTE_MAX)
		return;
	if (!room())
		drain();
	page.out[page.out_prod % sizeof(page.out)] = (char)byte;
	wrote.bytes[wrote.n++] = byte;
	page.out_prod++;
}

/* Text, many times: a small input shall fill the backlog. */
static void print(struct fuzz_in *in)
{
	uint8_t text[16];
	unsigned int len = 1 + fuzz_u8(in) % sizeof(text);
	unsigned int times = 1u << (fuzz_u8(in) % 14);

	fuzz_bytes(in, text, len);
	while (times--)
		for (unsigned int i = 0; i < len; i++)
			put(text[i]);
}

static void move_out(struct fuzz_in *in)
{
	uint32_t to = (uint32_t)fuzz_num(in, page.out_prod + sizeof(page.out));

	drain();
	if (srv.out_dead)
		return;
	if (to - page.out_prod <= room()) {
		while (page.out_prod != to && wrote.n < WROTE_MAX)
			put((uint8_t)
				    page.out[page.out_prod % sizeof(page.out)]);
		return;
	}
	page.out_prod = to;
	take_output(4096);
	assert(srv.out_dead);
}

/* ---- The reader ----------------------------------------------------------- */

static void check_mark(const uint8_t *p, size_t n, uint64_t from)
{
	char want[64], got[64] = "";

	memcpy(got, p, MIN(n, sizeof(got) - 1));
	snprintf(want, sizeof(want), "\r\n[%llu bytes dropped]\r\n",
		 (unsigned long long)srv.reader.lost);
	assert(!strcmp(got, want));
	assert(srv.reader.lost >= srv.reader.at - from);
}

static void read_some(size_t max)
{
	struct backlog_cursor *c = &srv.reader;
	uint64_t from = c->at;
	const uint8_t *p;
	size_t n = backlog_peek(&srv.backlog, c, &p);

	assert(c->at >= from && c->at <= srv.backlog.end);
	assert(c->at == from || wrote.bytes[c->at - 1] == '\n' ||
	       !memchr(wrote.bytes + c->at, '\n', srv.backlog.end - c->at));
	if (c->mark_at < c->mark_len) {
		if (!c->mark_at)
			check_mark(p, n, from);
	} else {
		assert(c->at + n <= srv.backlog.end);
		assert(!memcmp(p, wrote.bytes + c->at, n));
	}
	backlog_skip(c, MIN(n, max));
}

/* ---- Keys ----------------------------------------------------------------- */

static void type(struct fuzz_in *in)
{
	uint8_t text[64];
	size_t n = fuzz_u8(in) % sizeof(text);
	bool wake = false;
	int ret;

	for (size_t i = 0; i < n; i++)
		text[i] = (uint8_t)(next_key + i);
	ret = stream_write(&srv.in, text, n, &wake);
	if (ret < 0) {
		assert(ret == -EPROTO);
		srv.in_dead = true;
		return;
	}
	assert(!srv.in_dead && (size_t)ret <= n);
	next_key += (uint8_t)ret;
}

static void receive(size_t max)
{
	while (!srv.in_dead && max-- && keys_cons != page.in_prod)
		assert((uint8_t)page.in[keys_cons++ % sizeof(page.in)] ==
		       key_due++);
	if (!srv.in_dead)
		page.in_cons = keys_cons;
}

static void move_in(struct fuzz_in *in)
{
	uint32_t to = (uint32_t)fuzz_num(in, page.in_prod);

	/* A ring's length behind what is there it may be no lie. */
	if (srv.in_dead || page.in_prod - to <= sizeof(page.in))
		return;
	page.in_cons = to;
	type(&(struct fuzz_in){ .at = (const uint8_t *)"\1", .left = 1 });
	assert(srv.in_dead);
}

/* ---- The parts ------------------------------------------------------------ */

static void start(bool replace)
{
	struct stream_map out = STREAM_MAP(&page, out),
			  in = STREAM_MAP(&page, in);

	memset(&page, 0, sizeof(page));
	memset(&srv, 0, sizeof(srv));
	wrote.n = keys_cons = next_key = key_due = 0;
	conf.replace_escape = replace;
	assert(!stream_reader_attach(&srv.out, &out, STREAM_WAKE_ALWAYS));
	assert(!stream_writer_attach(&srv.in, &in, STREAM_WAKE_ALWAYS));
	remove_logs();
	assert(!console_log_init(&srv.log, &conf, "fuzz"));
}

static void act(struct fuzz_in *in)
{
	switch (fuzz_u8(in) % 8) {
	case 0:
	case 1:
		print(in);
		break;
	case 2:
		take_output(fuzz_u8(in) * 16u);
		break;
	case 3:
		read_some(fuzz_u8(in) * 8u);
		break;
	case 4:
		type(in);
		break;
	case 5:
		receive(fuzz_u8(in));
		break;
	case 6:
		move_out(in);
		break;
	default:
		move_in(in);
		break;
	}
}

static void served(struct fuzz_in *in)
{
	start(fuzz_u8(in) & 1);
	while (in->left)
		act(in);
	if (!srv.out_dead) {
		drain();
		assert(srv.backlog.end == wrote.n);
		check_logs();
	}
	console_log_fini(&srv.log);
}

/* Under a racing peer: it may be called a liar, or be read, within bounds. */
static void raced(struct fuzz_in *in)
{
	uint8_t *buf;
	bool wake;
	size_t n;

	start(false);
	fuzz_race(in);
	while (in->left) {
		page.out_prod += fuzz_u8(in) * 8u;
		n = fuzz_u8(in) * 16u;
		buf = fuzz_tight(page.out, MIN(n, sizeof(page.out)));
		n = MIN(n, sizeof(page.out));
		assert(stream_read(&srv.out, buf, n, &wake) <= (int)n);
		assert(stream_write(&srv.in, buf, n, &wake) <= (int)n);
		free(buf);
	}
	fuzz_race_end();
	console_log_fini(&srv.log);
}

/* console_io: lines of any bytes become printable ones, and not too long. */
static void printed(struct fuzz_in *in)
{
	static struct conlog c;
	char text[8192];
	int fd = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;

	memset(&c, 0, sizeof(c));
	log_init("fuzz", LOG_LVL_INFO);
	log_to_fd(dup(fd));
	while (in->left) {
		uint8_t buf[64];
		size_t len = 1 + fuzz_u8(in) % sizeof(buf);

		fuzz_bytes(in, buf, len);
		conlog_put(&c, buf, len);
	}
	conlog_flush(&c);
	log_to_fd(-1);
	n = pread(fd, text, sizeof(text), 0);
	close(fd);
	for (ssize_t i = 0; i < n; i++)
		assert((text[i] >= ' ' && text[i] < 127) || text[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(struct fuzz_in *) = { served, served,
							   raced, printed };
	struct fuzz_in in = { data, size };
	static bool once;

	log_init("fuzz", LOG_LVL_ERR);
	if (!once) {
		assert(mkdtemp(dir));
		atexit(remove_dir);
		once = true;
	}
	parts[fuzz_u8(&in) % ARRAY_SIZE(parts)](&in);
	return 0;
}
