/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_console.c - consoles of fake domains, with real readers. */
#include "dom0-backend/console.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include <event2/event.h>
#include <xen/xen.h>
#include <xen/io/console.h>
#include <xen/sched.h>

#include "base/paths.h"
#include "ring/stream.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/flipper.h"
#include "tests/lib/patience.h"

#define LINE 32u /* bytes of a numbered line */

/* The guest's half, and what it has printed so far. */
struct guest {
	struct fakedom *dom;
	struct stream_writer out;
	struct stream_reader in;
	struct xencons_interface *page;
	struct console *c;
	unsigned int lines;
};

struct fix {
	struct console_hub hub;
	struct guest g[2];
	unsigned int ngone;
	int nfds; /* open before anything was made */
};

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void on_gone(void *arg, struct console *c)
{
	struct fix *f = arg;

	cr_expect(console_ending(c));
	f->ngone++;
}

static void guest_attach(struct guest *g)
{
	struct stream_map out, in;

	g->page = fakedom_console_page(g->dom);
	out = STREAM_MAP(g->page, out);
	in = STREAM_MAP(g->page, in);
	cr_assert_eq(stream_writer_attach(&g->out, &out, STREAM_WAKE_EDGE), 0);
	cr_assert_eq(stream_reader_attach(&g->in, &in, STREAM_WAKE_EDGE), 0);
}

static void guest_init(struct fix *f, unsigned int i)
{
	struct guest *g = &f->g[i];

	g->dom = fakedom_new(i + 1, 2);
	guest_attach(g);
	cr_assert_eq(console_new(&g->c, &f->hub, i + 1), 0);
}

static void fix_init(struct fix *f, unsigned int nguests)
{
	char *dir;

	memset(f, 0, sizeof(*f));
	log_init("test", LOG_LVL_ERR);
	cr_assert_gt(asprintf(&dir, "%s/log", fakedom_run_dir()), 0);
	cr_assert_eq(paths_mkdir(dir), 0);
	f->nfds = count_fds();
	f->hub.base = event_base_new();
	f->hub.conf = (struct console_log_conf){ .dir = dir, .max = 8 << 20 };
	f->hub.ptmx = -1;
	f->hub.gone = on_gone;
	f->hub.arg = f;
	cr_assert_eq(console_hub_init(&f->hub), 0);
	for (unsigned int i = 0; i < nguests; i++)
		guest_init(f, i);
}

static void fix_fini(struct fix *f)
{
	console_hub_fini(&f->hub);
	event_base_free(f->hub.base);
	for (int i = 0; i < 2; i++) {
		if (f->g[i].dom)
			fakedom_free(f->g[i].dom);
	}
	cr_expect_eq(count_fds(), f->nfds, "no descriptor left");
	fakedom_run_dir_remove();
}

static uint64_t now_ms(void)
{
	return util_clock_ns() / 1000000;
}

/* Run the loop for what is ready, then wait a moment. */
static void pump(struct fix *f)
{
	event_base_loop(f->hub.base, EVLOOP_NONBLOCK);
	usleep(500);
}

/* As many turns, too, as there are in that time on a machine with nothing to do. */
static void pump_ms(struct fix *f, unsigned int ms)
{
	uint64_t end = now_ms() + ms;

	for (unsigned int i = 0; i < 2 * ms || now_ms() < end; i++)
		pump(f);
}

/* Print bytes as a guest does: wait for room, never for ever. */
static void print(struct fix *f, struct guest *g, const char *s, size_t n)
{
	uint64_t limit = now_ms() + PATIENCE_MS;
	bool wake;
	int ret;

	while (n) {
		wake = false;
		ret = stream_write(&g->out, s, n, &wake);
		cr_assert_geq(ret, 0);
		s += ret;
		n -= (size_t)ret;
		if (wake)
			fakedom_send(g->dom, FAKEDOM_CONSOLE_PORT);
		if (n)
			pump(f);
		cr_assert_lt(now_ms(), limit, "the guest is held up");
	}
}

static void print_lines(struct fix *f, struct guest *g, unsigned int n)
{
	char line[LINE + 1];

	for (; n; n--) {
		snprintf(line, sizeof(line), "line %010u ..............\r\n",
			 g->lines++);
		print(f, g, line, LINE);
	}
}

struct screen {
	int fd;
	char *text;
	size_t len;
	bool ended;
};

static struct screen screen_open(struct console *c)
{
	struct screen s = { .text = calloc(1, 4 << 20) };

	s.fd = open(console_tty(c), O_RDWR | O_NOCTTY | O_NONBLOCK);
	cr_assert_geq(s.fd, 0);
	return s;
}

static void screen_close(struct screen *s)
{
	close(s->fd);
	free(s->text);
}

static void screen_read(struct screen *s)
{
	ssize_t n;

	n = read(s->fd, s->text + s->len, 65536);
	if (n > 0)
		s->len += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		s->ended = true;
}

/* Show output until @want has come (NULL: until the end), or fail. */
static void screen_until(struct fix *f, struct screen *s, const char *want)
{
	uint64_t limit = now_ms() + PATIENCE_MS;

	while (!(want && memmem(s->text, s->len, want, strlen(want)))) {
		cr_assert_lt(now_ms(), limit, "\"%s\" did not come; %zu bytes",
			     want ? want : "end", s->len);
		pump(f);
		screen_read(s);
		if (s->ended && !want)
			return;
	}
}

/* The last line the guest has printed. */
static const char *last_line(const struct guest *g)
{
	static char line[LINE + 1];

	snprintf(line, sizeof(line), "line %010u ..............\r\n",
		 g->lines - 1);
	return line;
}

/*
 * Check text of whole numbered lines, ascending by one except where a mark says
 * how many bytes are missing; Return: number of the first line.
 */
static unsigned int check_lines(const char *text, size_t len)
{
	unsigned int next = 0, first = 0, marks = 0;
	unsigned long lost;
	const char *p = text;
	bool begun = false;

	while (p < text + len) {
		if (sscanf(p, "\r\n[%lu bytes dropped]", &lost) == 1) {
			/* What came before was a line, or the cut part of one. */
			p = strstr(p, "]\r\n") + 3;
			next += (unsigned int)(lost / LINE);
			marks++;
			cr_assert_eq(lost % LINE, 0, "%lu", lost);
			continue;
		}
		if (!begun)
			first = next = (unsigned int)strtoul(p + 5, NULL, 10);
		begun = true;
		cr_assert_eq(strtoul(p + 5, NULL, 10), next, "%.32s, not %u", p,
			     next);
		cr_assert_eq(memcmp(p, "line ", 5), 0, "%.40s", p);
		p += LINE;
		next++;
	}
	cr_assert_lt(marks, 200);
	return first;
}

/* The log file, NUL-terminated. */
static char *log_text(struct fix *f)
{
	char *text = calloc(1, 16 << 20), path[300];
	struct dirent *e;
	DIR *d;
	FILE *in;

	d = opendir(f->hub.conf.dir);
	while ((e = readdir(d)) && e->d_name[0] == '.')
		;
	snprintf(path, sizeof(path), "%s/%s", f->hub.conf.dir, e->d_name);
	closedir(d);
	in = fopen(path, "r");
	cr_assert_not_null(in);
	cr_assert_gt(fread(text, 1, (16 << 20) - 1, in), 0);
	fclose(in);
	return text;
}

static size_t log_size(struct fix *f)
{
	char *text = log_text(f);
	size_t n = strlen(text);

	free(text);
	return n;
}

/* The log holds exactly the first @n lines. */
static void expect_log(struct fix *f, unsigned int n)
{
	char *text = log_text(f);

	cr_expect_eq(strlen(text), n * LINE, "%zu bytes, %u lines",
		     strlen(text), n);
	cr_expect_eq(check_lines(text, strlen(text)), 0);
	free(text);
}

Test(console, no_such_domain)
{
	struct console *c;
	struct fix f;

	fix_init(&f, 0);
	cr_expect_eq(console_new(&c, &f.hub, 77), -ENOENT);
	fix_fini(&f);
}

Test(console, both_ways, .timeout = 300)
{
	char keys[16] = "";
	bool wake = false;
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	print_lines(&f, &f.g[0], 100);
	screen_until(&f, &s, last_line(&f.g[0]));
	cr_expect_eq(check_lines(s.text, s.len), 0);
	cr_expect_eq(s.len, 100 * LINE);
	while (fakedom_wait(f.g[0].dom, FAKEDOM_CONSOLE_PORT, 0))
		;
	cr_assert_eq(write(s.fd, "ls\r\x03", 4), 4);
	cr_expect(SOON(
		(pump(&f), fakedom_wait(f.g[0].dom, FAKEDOM_CONSOLE_PORT, 0))));
	cr_expect_eq(stream_read(&f.g[0].in, keys, 16, &wake), 4);
	cr_expect_str_eq(keys, "ls\r\x03");
	pump_ms(&f, 20);
	screen_read(&s);
	cr_expect_eq(s.len, 100 * LINE, "no echo");
	expect_log(&f, 100);
	screen_close(&s);
	fix_fini(&f);
}

/* A guest that is resumed anew has another ring; the reader sees both. */
Test(console, resumed_anew, .timeout = 300)
{
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	for (int i = 0; i < 3; i++) {
		print_lines(&f, &f.g[0], 10);
		/* Its last words may still lie in the old ring. */
		if (i)
			screen_until(&f, &s, last_line(&f.g[0]));
		fakedom_shutdown(f.g[0].dom, SHUTDOWN_suspend);
		cr_assert_eq(fakedom_resume(f.g[0].dom, true), 0);
		guest_attach(&f.g[0]);
		print_lines(&f, &f.g[0], 1);
		cr_expect_eq(console_follow(f.g[0].c), 0);
		cr_expect(fakedom_bound(f.g[0].dom, FAKEDOM_CONSOLE_PORT));
		screen_until(&f, &s, last_line(&f.g[0]));
	}
	cr_expect_eq(check_lines(s.text, s.len), 0);
	cr_expect_eq(console_follow(f.g[0].c), 0, "there is nothing to do");
	/* And cancelled, where nothing changes. */
	fakedom_shutdown(f.g[0].dom, SHUTDOWN_suspend);
	cr_assert_eq(fakedom_resume(f.g[0].dom, false), 0);
	cr_expect_eq(console_follow(f.g[0].c), 0);
	print_lines(&f, &f.g[0], 1);
	screen_until(&f, &s, last_line(&f.g[0]));
	screen_close(&s);
	fix_fini(&f);
}

/* echo reboot >/dev/pts/7, when nobody reads. */
Test(console, keys_of_one_who_left_at_once, .timeout = 300)
{
	char keys[16] = "";
	bool wake = false;
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	cr_assert_eq(write(s.fd, "reboot\n", 7), 7);
	screen_close(&s);
	cr_expect(SOON((pump(&f), f.g[0].page->in_prod)));
	cr_expect_eq(stream_read(&f.g[0].in, keys, 16, &wake), 7);
	cr_expect_str_eq(keys, "reboot\n");
	fix_fini(&f);
}

Test(console, keys_wait_for_a_busy_guest, .timeout = 300)
{
	char key[26] = "abcdefghijklmnopqrstuvwxyz", got[4096];
	size_t sent = 0, seen = 0;
	uint64_t limit = now_ms() + PATIENCE_MS;
	bool wake = false;
	struct screen s;
	struct fix f;
	ssize_t n;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	pump_ms(&f, 20);
	while (sent < 40000) {
		n = write(s.fd, &key[sent % 26], 26 - sent % 26);
		if (n <= 0) /* the ring, the buffer and the pty are full */
			break;
		sent += (size_t)n;
		pump(&f);
	}
	cr_assert_lt(sent, 40000, "keys have a bound");
	while (seen < sent) {
		pump(&f);
		n = stream_read(&f.g[0].in, got, 100, &wake);
		for (ssize_t i = 0; i < n; i++)
			cr_assert_eq(got[i], key[seen++ % 26]);
		if (wake)
			fakedom_send(f.g[0].dom, FAKEDOM_CONSOLE_PORT);
		wake = false;
		cr_assert_lt(now_ms(), limit, "%zu of %zu", seen, sent);
	}
	screen_close(&s);
	fix_fini(&f);
}

Test(console, without_a_reader_the_guest_goes_on, .timeout = 300)
{
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	print_lines(&f, &f.g[0], 32768); /* 1 MiB */
	pump_ms(&f, 50);
	s = screen_open(f.g[0].c);
	screen_until(&f, &s, last_line(&f.g[0]));
	pump_ms(&f, 50);
	screen_read(&s);
	cr_expect_leq(s.len, BACKLOG_SIZE);
	cr_expect_gt(s.len, BACKLOG_SIZE - 2 * LINE);
	cr_expect_eq(check_lines(s.text, s.len), 32768 - s.len / LINE);
	expect_log(&f, 32768);
	screen_close(&s);
	fix_fini(&f);
}

Test(console, readers_in_turn_see_everything_once, .timeout = 300)
{
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	for (unsigned int turn = 0; turn < 5; turn++) {
		print_lines(&f, &f.g[0], 100);
		s = screen_open(f.g[0].c);
		if (turn % 2) { /* one that leaves without reading a byte */
			pump_ms(&f, 5);
			close(s.fd);
			if (turn == 3)
				pump_ms(&f, 5);
			s.fd = open(console_tty(f.g[0].c),
				    O_RDWR | O_NOCTTY | O_NONBLOCK);
		}
		screen_until(&f, &s, last_line(&f.g[0]));
		print_lines(&f, &f.g[0], 10);
		screen_until(&f, &s, last_line(&f.g[0]));
		cr_expect_eq(check_lines(s.text, s.len), 0, "turn %u", turn);
		cr_expect_eq(s.len, 110 * (turn + 1) * LINE, "turn %u", turn);
		screen_close(&s);
		pump_ms(&f, 5);
	}
	fix_fini(&f);
}

static bool is_raw(int fd)
{
	struct termios t;

	cr_assert_eq(tcgetattr(fd, &t), 0);
	return !(t.c_lflag & (ECHO | ICANON | ISIG)) && !(t.c_oflag & OPOST);
}

Test(console, the_terminal_is_raw_for_each_reader, .timeout = 300)
{
	struct termios t;
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	for (int turn = 0; turn < 3; turn++) {
		s = screen_open(f.g[0].c);
		cr_expect(SOON((pump(&f), is_raw(s.fd))), "turn %d", turn);
		cr_assert_eq(tcgetattr(s.fd, &t), 0);
		t.c_lflag |= ECHO | ICANON | ISIG;
		t.c_oflag |= OPOST;
		cr_assert_eq(tcsetattr(s.fd, TCSANOW, &t), 0);
		screen_close(&s);
		pump_ms(&f, 5);
	}
	fix_fini(&f);
}

Test(console, a_reader_that_sleeps_misses_lines_but_holds_nobody_up,
     .timeout = 300)
{
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	pump_ms(&f, 5);
	print_lines(&f, &f.g[0], 32768);
	pump_ms(&f, 50);
	screen_until(&f, &s, last_line(&f.g[0]));
	cr_expect_not_null(strstr(s.text, "bytes dropped]"));
	cr_expect_lt(s.len, 200000);
	expect_log(&f, 32768);
	screen_close(&s);
	fix_fini(&f);
}

Test(console, a_full_disk_is_the_logs_trouble, .timeout = 300)
{
	struct rlimit lim, full;
	struct screen s;
	struct fix f;

	signal(SIGXFSZ, SIG_IGN);
	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	pump_ms(&f, 5);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &lim), 0);
	full = lim;
	full.rlim_cur = 1000;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	print_lines(&f, &f.g[0], 500);
	screen_until(&f, &s, last_line(&f.g[0]));
	cr_expect_eq(check_lines(s.text, s.len), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
	/* The next try needs no new output. */
	cr_expect(SOON((pump(&f), log_size(&f) == 500 * LINE)));
	expect_log(&f, 500);
	screen_close(&s);
	fix_fini(&f);
}

Test(console, last_words_reach_log_and_reader, .timeout = 300)
{
	bool wake = false;
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	pump_ms(&f, 5);
	print_lines(&f, &f.g[0], 1500); /* more than the kernel's buffer */
	pump_ms(&f, 50);
	/* Without a notification: it had no time for one. */
	cr_assert_eq(stream_write(&f.g[0].out, "Power down.\r\n", 13, &wake),
		     13);
	fakedom_free(f.g[0].dom);
	f.g[0].dom = NULL;
	cr_expect(SOON((pump(&f), f.ngone == 1)));
	screen_until(&f, &s, "Power down.\r\n");
	screen_until(&f, &s, NULL);
	cr_expect_eq(s.len, 1500 * LINE + 13);
	cr_expect_eq(check_lines(s.text, 1500 * LINE), 0);
	pump_ms(&f, 100);
	cr_expect_null(console_hub_next(&f.hub, NULL), "freed");
	cr_expect_eq(f.ngone, 1);
	cr_expect_str_eq(log_text(&f) + 1500 * LINE, "Power down.\r\n");
	screen_close(&s);
	fix_fini(&f);
}

Test(console, a_reader_that_sleeps_does_not_keep_the_dead, .timeout = 300)
{
	struct screen s;
	struct fix f;

	fix_init(&f, 2);
	s = screen_open(f.g[0].c);
	pump_ms(&f, 5);
	print_lines(&f, &f.g[0], 1000);
	for (int i = 0; i < 2; i++) { /* with and without a reader */
		fakedom_free(f.g[i].dom);
		f.g[i].dom = NULL;
	}
	cr_expect(SOON((pump(&f), f.ngone == 2)));
	cr_expect_eq(console_hub_next(&f.hub, NULL), f.g[0].c);
	cr_expect_null(console_hub_next(&f.hub, f.g[0].c), "nobody waits");
	cr_expect(SOON((pump(&f), !console_hub_next(&f.hub, NULL))));
	screen_close(&s);
	fix_fini(&f);
}

Test(console, a_successor_loses_nothing, .timeout = 300)
{
	struct fix f;

	fix_init(&f, 1);
	print_lines(&f, &f.g[0], 100);
	console_stop(f.g[0].c);
	print_lines(&f, &f.g[0], 60); /* fits the ring */
	cr_assert_eq(console_new(&f.g[0].c, &f.hub, 1), 0);
	print_lines(&f, &f.g[0], 100);
	pump_ms(&f, 20);
	expect_log(&f, 260);
	fix_fini(&f);
}

Test(console, a_liar_is_silenced_alone, .timeout = 300)
{
	struct screen s, t;
	struct fix f;
	struct guest *g = f.g;
	int events;

	fix_init(&f, 2);
	s = screen_open(g[0].c);
	t = screen_open(g[1].c);
	print_lines(&f, &g[0], 5);
	screen_until(&f, &s, last_line(&g[0]));
	events = event_base_get_num_events(f.hub.base, EVENT_BASE_COUNT_ADDED);
	g[0].page->out_prod += 5000;
	for (int i = 0; i < 100; i++) {
		fakedom_send(g[0].dom, FAKEDOM_CONSOLE_PORT);
		pump(&f);
	}
	g[0].page->out_prod = g[0].page->out_cons + 7;
	fakedom_send(g[0].dom, FAKEDOM_CONSOLE_PORT);
	cr_expect_eq(write(s.fd, "keys", 4), 4);
	pump_ms(&f, 20);
	screen_read(&s);
	cr_expect_eq(s.len, 5 * LINE, "nothing more");
	cr_expect_leq(event_base_get_num_events(f.hub.base,
						EVENT_BASE_COUNT_ADDED),
		      events - 2, "neither its kicks nor keys wake us");
	print_lines(&f, &g[1], 100);
	screen_until(&f, &t, last_line(&g[1]));
	fakedom_free(g[0].dom);
	g[0].dom = NULL;
	screen_until(&f, &s, NULL);
	screen_close(&s);
	screen_close(&t);
	fix_fini(&f);
}

Test(console, a_liar_about_the_input_ring, .timeout = 300)
{
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	pump_ms(&f, 5);
	f.g[0].page->in_cons = 99;
	for (int i = 0; i < 20; i++) {
		cr_expect_gt(write(s.fd, "keys", 4), 0);
		pump(&f);
	}
	cr_expect_eq(f.g[0].page->in_prod, 0, "untouched");
	screen_close(&s);
	fix_fini(&f);
}

/*
 * BE-03: all four indices change all the time. Whatever that does to the liar, the
 * neighbour's lines come, one by one.
 */
Test(console, indices_flip, .timeout = 300)
{
	unsigned long long begin = 0;
	struct flipper *noise;
	struct screen s;
	struct fix f;

	fix_init(&f, 2);
	s = screen_open(f.g[1].c);
	noise = flipper_start(&f.g[0].page->in_cons, 16);
	while (flipper_time(&begin)) {
		for (int i = 0; i < 20; i++) {
			fakedom_send(f.g[0].dom, FAKEDOM_CONSOLE_PORT);
			pump(&f);
		}
		print_lines(&f, &f.g[1], 1);
		screen_until(&f, &s, last_line(&f.g[1]));
	}
	flipper_stop(noise);
	cr_expect_eq(check_lines(s.text, s.len), 0);
	screen_close(&s);
	fix_fini(&f);
}

/* BE-31: bytes are passed on, not understood; nobody answers to them. */
Test(console, escapes_mean_nothing, .timeout = 300)
{
	static const char bytes[] =
		"\033[6n\033[c\033Z\005\033[>c\033]0;title\007\033P+q\033\\"
		"\033[99999999999;99999999999H\033[?1049h\2336n\377\376\1end";
	struct screen s;
	struct fix f;

	fix_init(&f, 1);
	s = screen_open(f.g[0].c);
	print(&f, &f.g[0], bytes, sizeof(bytes) - 1);
	screen_until(&f, &s, "end");
	cr_expect_eq(s.len, sizeof(bytes) - 1);
	cr_expect_arr_eq(s.text, bytes, sizeof(bytes) - 1);
	pump_ms(&f, 50);
	cr_expect_eq(f.g[0].page->in_prod, 0, "nothing was typed");
	screen_close(&s);
	fix_fini(&f);
}

/* A flood gets what the budget allows, and its neighbour does not notice. */
Test(console, a_flood_is_bounded, .timeout = 300)
{
	static char big[2048];
	uint64_t taken, start, limit;
	uint32_t was;
	struct screen s;
	struct fix f;
	bool wake;

	memset(big, 'x', sizeof(big));
	fix_init(&f, 2);
	s = screen_open(f.g[1].c);
	was = f.g[0].page->out_cons;
	start = util_clock_ns();
	for (int i = 0; i < 50; i++) {
		print_lines(&f, &f.g[1], 1);
		limit = now_ms() + 10;
		for (int k = 0; k < 10 || now_ms() < limit; k++) {
			wake = false;
			(void)!stream_write(&f.g[0].out, big, sizeof(big),
					    &wake);
			fakedom_send(f.g[0].dom, FAKEDOM_CONSOLE_PORT);
			event_base_loop(f.hub.base, EVLOOP_NONBLOCK);
		}
		screen_until(&f, &s, last_line(&f.g[1]));
	}
	taken = f.g[0].page->out_cons - was;
	limit = (util_clock_ns() - start) / 1000 * CONSOLE_RATE / 1000000;
	cr_expect_leq(taken, (CONSOLE_BURST + limit + 1) * 4096,
		      "%llu bytes in %llu turns", (unsigned long long)taken,
		      (unsigned long long)limit);
	cr_expect_gt(taken, 100 * 2048, "but it is served");
	screen_close(&s);
	fix_fini(&f);
}
