// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/system_console.c - the console of the domain that does anything (F18).
//
// What is printed must be in the log, all of it and nothing beside it, and on the
// terminal in one piece; what is typed reaches the guest as it is.  After a lie the
// console may be silent, until sv-console begins anew with a ring that is in order.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/io/console.h>

#include "base/paths.h"
#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "tests/fuzz/system.h"

#define TTY	   "/local/domain/3/console/tty"
#define LINE	   40u	 /* bytes */
#define MOST	   200u	 /* lines: four times what the ring holds */
#define KEYS	   3000u /* the ring holds a third of them */
#define UNSEEN	   30u	 /* lines that fit the ring while nobody takes them */
#define NOISE_MAX  65536 /* bytes that lies may have left in the log */
#define REPLAY_MAX (2u * 65536)

static struct stack *stack;
static struct xencons_interface *ring;
static pid_t console;
static bool clean;	   /* nothing was done to the ring */
static off_t logged;	   /* bytes of the log that were looked at */
static unsigned int lines; /* printed so far, which numbers them */
static char out[MOST * LINE];

/* ---- What is printed ------------------------------------------------------------- */

/* Print @n lines that were not there before; Return: bytes, which are in out. */
static size_t print(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		snprintf(out + (size_t)i * LINE, LINE, "line %10u %*u\r",
			 lines++, (int)LINE - 18, n);
	for (unsigned int i = 0; i < n; i++)
		out[(i + 1) * LINE - 1] = '\n';
	console_write(out, (size_t)n * LINE);
	return (size_t)n * LINE;
}

static int open_log(void)
{
	char path[256];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/console/guest-fake.log", paths_log());
	for (int i = 0; i < SYSTEM_WAIT_MS && fd < 0; i += 5) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			usleep(5000);
	}
	MUST(fd >= 0, "the console has no log");
	return fd;
}

/* The last @n bytes printed are what comes next in the log, or come some time. */
static void expect_logged(size_t n, bool next)
{
	static char got[NOISE_MAX + sizeof(out)];
	const char *at = NULL;
	int fd = open_log();
	ssize_t len = 0;

	for (int i = 0; i < SYSTEM_WAIT_MS && !at; i += 2) {
		len = pread(fd, got, sizeof(got), logged);
		MUST(len >= 0, "the log cannot be read: %m");
		at = memmem(got, (size_t)len, out, n);
		if (!at)
			usleep(2000);
	}
	MUST(at, "the log lacks what was printed; it has %zd bytes more", len);
	MUST(!next || at == got, "something else is in the log: %.*s",
	     (int)(at - got), got);
	logged += at - got + (ssize_t)n;
	close(fd);
}

/* ---- The terminal ---------------------------------------------------------------- */

static int open_tty(void)
{
	char *name = NULL;
	int fd = -1;

	for (int i = 0; i < SYSTEM_WAIT_MS && fd < 0; i += 5) {
		if (!store_read(stack->store, &name, TTY)) {
			if (*name)
				fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC |
							O_NONBLOCK);
			free(name);
		}
		if (fd < 0)
			usleep(5000);
	}
	MUST(fd >= 0, "the console has no terminal");
	return fd;
}

/* A reader sees what came before it, at last what was printed last. */
static void expect_shown(int tty, size_t n)
{
	static char got[REPLAY_MAX];
	struct pollfd p = { .fd = tty, .events = POLLIN };
	size_t len = 0;
	ssize_t ret;

	while (!memmem(got, len, out, n)) {
		MUST(len < sizeof(got), "the terminal shows something else");
		MUST(poll(&p, 1, SYSTEM_WAIT_MS) == 1,
		     "the terminal lacks what was printed; it shows %zu bytes",
		     len);
		ret = read(tty, got + len, sizeof(got) - len);
		MUST(ret > 0, "the terminal is closed");
		len += (size_t)ret;
	}
}

void system_console_print(struct system_dev *d, uint64_t a, uint64_t b)
{
	size_t n;
	int tty;

	(void)d;
	if (!clean)
		return;
	n = print(1 + (unsigned int)(a % MOST));
	expect_logged(n, true);
	if (b & 1) {
		tty = open_tty();
		expect_shown(tty, n);
		close(tty);
	}
}

void system_console_type(struct system_dev *d, uint64_t a, uint64_t b)
{
	uint8_t keys[KEYS], got[KEYS];
	size_t n = 1 + a % KEYS, len = 0, more;
	int tty;

	(void)d;
	if (!clean)
		return;
	for (size_t i = 0; i < n; i++)
		keys[i] = (uint8_t)(' ' + (b >> i % 56 & 63));
	tty = open_tty();
	MUST(write(tty, keys, n) == (ssize_t)n, "the terminal takes no keys");
	while (len < n) {
		more = console_read((char *)got + len, n - len,
				    SYSTEM_WAIT_MS / 1000 * SYSTEM_SECOND);
		MUST(more, "%zu of %zu keys do not arrive", n - len, n);
		len += more;
	}
	MUST(!memcmp(keys, got, n), "other keys arrive than were typed");
	close(tty);
}

/* ---- What a guest should not do --------------------------------------------------- */

void system_console_index(struct system_dev *d, uint64_t a, uint64_t b)
{
	XENCONS_RING_IDX *const words[] = { &ring->in_cons, &ring->in_prod,
					    &ring->out_cons, &ring->out_prod };

	(void)d;
	clean = false;
	*words[a % 4] += (uint32_t)b;
	events_send(FAKEDOM_CONSOLE_PORT);
}

void system_console_noise(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)d;
	(void)a;
	clean = false;
	system_scribble((uint32_t *)(void *)ring, b);
	events_send(FAKEDOM_CONSOLE_PORT);
}

/* No lie: all must go on. */
void system_console_storm(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)d;
	(void)b;
	for (unsigned int i = 0; i < a % 2000; i++)
		events_send(FAKEDOM_CONSOLE_PORT);
}

/* ---- Sudden death ------------------------------------------------------------------ */

static void begin_ring(void)
{
	memset(ring, 0, sizeof(*ring));
	MUST(!console_init(), "no console");
	clean = true;
}

static char state_of(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%*d %*s %c", &state) != 1)
		state = 0;
	fclose(f);
	return state;
}

static void freeze(void)
{
	kill(console, SIGSTOP);
	for (int i = 0; i < SYSTEM_WAIT_MS && state_of(console) != 'T'; i++)
		usleep(1000);
	MUST(state_of(console) == 'T', "sv-console does not stop");
}

/*
 * A guest that has lied puts its ring in order while nobody looks; any other prints
 * on.  The successor has to find both.
 */
void system_console_end(bool at_once)
{
	bool lied = !clean;

	if (at_once || lied)
		freeze();
	if (lied)
		begin_ring();
	/* A name that is not there any more may soon be another terminal's. */
	MUST(!store_write(stack->store, "", TTY), "no store");
	(void)print(UNSEEN);
	if (at_once || lied)
		kill(console, SIGKILL);
	clean = !lied;
}

void system_console_wait(void)
{
	pid_t gone = console;

	for (int i = 0; i < SYSTEM_WAIT_MS; i += 5) {
		console = stack_console(stack);
		if (console > 0 && console != gone)
			break;
		usleep(5000);
	}
	MUST(console > 0 && console != gone, "no new sv-console");
	expect_logged((size_t)UNSEEN * LINE, clean);
	clean = true;
}

void system_console_kill(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)d;
	(void)a;
	(void)b;
	system_console_end(true);
	system_console_wait();
}

void system_console_init(struct stack *s, struct fakedom *dom)
{
	stack = s;
	ring = fakedom_console_page(dom);
	console = stack_console(s);
	begin_ring();
	system_console_restore();
}

void system_console_look(void)
{
	MUST(stack_console(stack) == console, "sv-console ended by itself");
}

void system_console_serves(void)
{
	if (clean)
		expect_logged(print(3), true);
}

void system_console_restore(void)
{
	if (!clean)
		system_console_kill(NULL, 0, 0);
	system_console_print(NULL, MOST - 1, 1);
	system_console_type(NULL, KEYS - 1, 1);
}
