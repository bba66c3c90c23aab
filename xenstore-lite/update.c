// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/update.c - live update: another program goes on.
#include "xenstore-lite/update.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/keeper.h"
#include "xenstore-lite/ledger.h"
#include "xenstore-lite/state.h"
#include "xenstore-lite/txn.h"

#define CHECK_NS   UINT64_C(10000000000)
#define ROUND_NS   UINT64_C(1000000000) /* of which new transactions wait */
#define HOLD_NS	   UINT64_C(200000000)
#define TICK_US	   20000
#define WAIT_MAX_S 3600
#define SAID_MAX   2048

enum stage { IDLE, NAMED, CHECKING, WAITING };

static struct {
	struct event_base *base;
	char *const *argv;
	const char *socket;
	int listener;
} self;

/*
 * The one that goes on.
 * @caller:  conn->serial of who named the program.
 * @request: Head of its start, which is to be answered.
 * @words:   Arguments of the program, its name first; *owned*, as is @text.
 * @since:   ns: when it began to wait.
 */
static struct {
	enum stage stage;
	uint64_t caller;
	struct xsd_sockmsg request;
	char *file, *text;
	char **words;
	bool force;
	uint64_t end, since;
	struct event *tick, *word;
	int from; /* the tried program's output */
	char said[SAID_MAX + 1];
	size_t nsaid;
} update = { .from = -1 };

void update_setup(struct event_base *base, char *const *argv,
		  const char *socket, int listener)
{
	self.base = base;
	self.argv = argv;
	self.socket = socket;
	self.listener = listener;
}

static struct conn *caller(void)
{
	struct conn *c = TAILQ_FIRST(&conn_all);

	while (c && c->serial != update.caller)
		c = TAILQ_NEXT(c, all);
	return c && !c->dead ? c : NULL;
}

/* ---- End --------------------------------------------------------------- */

static void end_check(void)
{
	if (update.word)
		event_free(update.word);
	update.word = NULL;
	fd_close(&update.from);
	if (update.stage == CHECKING)
		keeper_try_end();
}

static void forget(void)
{
	end_check();
	if (update.tick)
		event_free(update.tick);
	update.tick = NULL;
	free(update.file);
	free(update.text);
	free(update.words);
	update.file = update.text = NULL;
	update.words = NULL;
	update.force = false;
	update.stage = IDLE;
	conn_hold_starts(false);
}

/* Off; its caller hears why. */
static void give_up(const char *fmt, ...) printf_like(1, 2);

static void give_up(const char *fmt, ...)
{
	struct conn *c = caller();
	char why[SAID_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_warn("live update: %s", why);
	forget();
	if (!c || !c->waiting)
		return;
	c->waiting = false;
	conn_reply(c, &update.request, XS_CONTROL, why, strlen(why) + 1);
}

/* ---- Handing over ------------------------------------------------------ */

static bool is_handed_over(const struct conn *c)
{
	return !c->domain && !c->dead;
}

static void add_connections(void)
{
	struct record_update u = { .socket = self.socket };
	uint32_t number = RECORD_SOCKETS;
	struct conn *c;

	for (c = TAILQ_FIRST(&conn_all); c; c = TAILQ_NEXT(c, all)) {
		if (!is_handed_over(c))
			continue;
		c->noted = ++number;
		if (c->serial == update.caller && c->waiting)
			u.caller = c->noted;
	}
	static_assert(sizeof(u.request) == sizeof(update.request), "a head");
	memcpy(u.request, &update.request, sizeof(u.request));
	record_update(&u);
	for (c = TAILQ_FIRST(&conn_all); c; c = TAILQ_NEXT(c, all)) {
		if (!is_handed_over(c))
			continue;
		conn_record(c);
		c->noted = 0;
	}
}

/* SYSCALLS, at times: memfd_create */
static int write_connections(void)
{
	int fd = memfd_create("sv-xenstored update", MFD_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ledger_copy(fd, add_connections);
	if (!ret)
		return fd;
	fd_close(&fd);
	return ret;
}

/* The memory file, the listening socket, then those of clients as written; *owned*. */
static int *descriptors(int memory, size_t *n)
{
	struct conn *c;
	int *fds;

	*n = 2;
	for (c = TAILQ_FIRST(&conn_all); c; c = TAILQ_NEXT(c, all))
		*n += is_handed_over(c);
	fds = calloc(*n, sizeof(*fds));
	if (!fds)
		return NULL;
	fds[0] = memory;
	fds[1] = self.listener;
	*n = 2;
	for (c = TAILQ_FIRST(&conn_all); c; c = TAILQ_NEXT(c, all))
		if (is_handed_over(c))
			fds[(*n)++] = c->fd;
	return fds;
}

/* The program's arguments with @more, which NULL ends; *owned*. */
static char **argv_with(char *const *more)
{
	char *const *words = update.words ? update.words : self.argv;
	size_t n = 0, nmore = 0;
	char **argv;

	while (words[n])
		n++;
	while (more[nmore])
		nmore++;
	argv = calloc(n + nmore + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	memcpy(argv, words, n * sizeof(*argv));
	memcpy(argv + n, more, nmore * sizeof(*argv));
	return argv;
}

/* Return: whether this process is to end; else nothing has changed. */
static bool hand_over(char *why, size_t size)
{
	char *const none[] = { NULL };
	int memory = write_connections();
	char **argv = argv_with(none);
	bool done = false;
	int *fds;
	size_t n;

	if (memory < 0 || !argv) {
		snprintf(why, size, "%s",
			 strerror(memory < 0 ? -memory : ENOMEM));
		goto free;
	}
	argv[0] = update.file;
	fds = descriptors(memory, &n);
	log_info("live update: %s goes on", update.file);
	if (fds)
		done = keeper_hand_over(argv, fds, n, why, size);
	else
		snprintf(why, size, "%s", strerror(ENOMEM));
	free(fds);
free:
	free(argv);
	fd_close(&memory);
	return done;
}

/* ---- A moment without transactions -------------------------------------- */

/* Who is in the way, a line each. */
static void give_up_busy(void)
{
	char text[1024] = "";
	const struct conn *c;
	size_t len = 0;

	for (c = TAILQ_FIRST(&conn_all); c; c = TAILQ_NEXT(c, all)) {
		if (TAILQ_EMPTY(&c->txns) || len + 32 > sizeof(text))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"\nDomain %u", c->who.domid);
	}
	give_up("Busy: transactions are open; try again, or give -F.  "
		"They are of:%s",
		text);
}

/* SYSCALLS, at times: recvfrom */
static bool caller_left(void)
{
	const struct conn *c = caller();
	char byte;

	return !c || recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Return: whether it is time; an update that has no more time is off. */
static bool is_time(void)
{
	uint64_t now = util_clock_ns();

	if (caller_left()) {
		give_up("whoever asked for it has gone");
	} else if (update.stage == CHECKING) {
		if (now - update.since > CHECK_NS)
			give_up("%s: does not say within %u s whether it can "
				"go on; it is no sv-xenstored",
				update.file,
				(unsigned int)(CHECK_NS / 1000000000));
	} else if (txn_count() && (now < update.end || !update.force)) {
		if (now >= update.end)
			give_up_busy();
		else
			conn_hold_starts((now - update.since) % ROUND_NS <
					 HOLD_NS);
	} else if (!ledger_whole()) {
		give_up("the journal cannot be written; see the store's log");
	} else {
		return true;
	}
	return false;
}

bool update_poll(void)
{
	char why[256];

	if (update.stage < CHECKING || !is_time())
		return false;
	if (hand_over(why, sizeof(why)))
		return true;
	give_up("%s cannot go on: %s", update.file, why);
	return false;
}

/* ---- The trial ---------------------------------------------------------- */

/* The first line that it said, if any. */
static const char *first_word(void)
{
	update.said[strcspn(update.said, "\n")] = '\0';
	return *update.said ? update.said : "it has said nothing";
}

static void judge(void)
{
	size_t len = strlen(UPDATE_READY);

	update.said[update.nsaid] = '\0';
	if (update.nsaid < len ||
	    strcmp(update.said + update.nsaid - len, UPDATE_READY) != 0) {
		give_up("%s cannot go on: %s", update.file, first_word());
		return;
	}
	end_check();
	update.stage = WAITING;
	update.since = util_clock_ns();
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n =
		read(fd, update.said + update.nsaid, SAID_MAX - update.nsaid);

	(void)what;
	(void)arg;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		update.nsaid += (size_t)n;
	if (n <= 0 || update.nsaid == SAID_MAX)
		judge();
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Events for the trial's output, and that time passes. */
static int listen_to(int from)
{
	const struct timeval tick = { .tv_usec = TICK_US };

	update.from = from;
	update.nsaid = 0;
	update.word = event_new(self.base, from, EV_READ | EV_PERSIST,
				on_output, NULL);
	update.tick = event_new(self.base, -1, EV_PERSIST, on_tick, NULL);
	return update.word && update.tick && !event_add(update.word, NULL) &&
			       !event_add(update.tick, &tick)
		       ? 0
		       : -ENOMEM;
}

/* SYSCALLS, at times: pipe2 */
static int begin_check(void)
{
	char option[] = "--update", number[] = "3", check[] = "--check";
	char *const more[] = { option, number, check, NULL };
	int memory = write_connections();
	char **argv = argv_with(more);
	int out[2], ret;

	if (memory < 0 || !argv) {
		ret = memory < 0 ? memory : -ENOMEM;
		goto close;
	}
	argv[0] = update.file;
	ret = pipe2(out, O_CLOEXEC | O_NONBLOCK) ? -errno : 0;
	if (ret)
		goto close;
	ret = listen_to(out[0]);
	if (!ret)
		ret = keeper_try(argv, memory, out[1]);
	close(out[1]);
close:
	free(argv);
	fd_close(&memory);
	return ret;
}

/* ---- What is asked ------------------------------------------------------ */

static bool is_callers(const struct req *r)
{
	return update.stage == NAMED && r->conn->serial == update.caller;
}

static const char *name_file(struct req *r, const char *file)
{
	if (update.stage > NAMED || (update.stage == NAMED && caller()))
		return "Another live update is going on; -a ends it.";
	forget();
	if (*file != '/')
		return "The program's path must begin with '/'.";
	update.file = strdup(file);
	if (!update.file)
		return "Out of memory.";
	update.caller = r->conn->serial;
	update.stage = NAMED;
	return "OK";
}

static const char *set_arguments(struct req *r, const char *text)
{
	char *save = NULL;
	char *word;
	size_t n = 1;

	if (!is_callers(r))
		return "Name the program first.";
	free(update.text);
	free(update.words);
	update.text = strdup(text);
	update.words = calloc(strlen(text) / 2 + 3, sizeof(char *));
	if (!update.text || !update.words) {
		forget();
		return "Out of memory.";
	}
	update.words[0] = update.file;
	word = strtok_r(update.text, " \t", &save);
	for (; word; word = strtok_r(NULL, " \t", &save))
		update.words[n++] = word;
	return "OK";
}

static int start(struct req *r, uint64_t seconds)
{
	int ret;

	if (!is_callers(r)) {
		req_reply_str(r, "Name the program first.");
		return 0;
	}
	update.request = r->msg->hdr;
	r->replied = r->conn->waiting = true;
	update.stage = CHECKING;
	update.since = util_clock_ns();
	update.end = update.since + seconds * 1000000000;
	ret = begin_check();
	if (ret == -ECHILD)
		give_up("this store has no keeper, and none can be started in "
			"its sandbox: it has to be started with --keep");
	else if (ret)
		give_up("%s: %s", update.file, strerror(-ret));
	return 0;
}

static int parse_start(struct req *r)
{
	uint64_t seconds = 0;

	update.force = false;
	for (unsigned int i = 2; i < r->args.n; i++) {
		if (!strcmp(r->args.v[i], "-F"))
			update.force = true;
		else if (strcmp(r->args.v[i], "-t") != 0 || ++i == r->args.n ||
			 util_u64(r->args.v[i], WAIT_MAX_S, &seconds))
			return -EINVAL;
	}
	return start(r, seconds);
}

static const char *abort_it(void)
{
	if (update.stage == IDLE)
		return "There is no live update.";
	give_up("it was given up on demand");
	return "OK";
}

int update_control(struct req *r)
{
	const char *how = r->args.n > 1 ? r->args.v[1] : "";
	const char *text = NULL;

	if (!strcmp(how, "-s"))
		return parse_start(r);
	if (!strcmp(how, "-f") && r->args.n == 3)
		text = name_file(r, r->args.v[2]);
	else if (!strcmp(how, "-c") && r->args.n == 3)
		text = set_arguments(r, r->args.v[2]);
	else if (!strcmp(how, "-a") && r->args.n == 2)
		text = abort_it();
	if (!text)
		return -EINVAL;
	req_reply_str(r, text);
	return 0;
}

/* ---- The next program --------------------------------------------------- */

static struct record_update *given;

static int take_given(const void *record, size_t len)
{
	struct record r = { .at = record, .left = len };
	struct record_update *u = given;

	if (record_u8(&r) != RECORD_UPDATE || u->socket)
		return 0;
	record_take_update(&r, u);
	if (r.bad || r.left)
		return -EPROTO;
	u->socket = strdup(u->socket);
	return u->socket ? 0 : -ENOMEM;
}

int update_open(int fd, struct record_update *u)
{
	struct ledger_found found;
	int ret;

	*u = (struct record_update){ 0 };
	given = u;
	ret = ledger_read(fd, take_given, &found);
	return ret ? ret : u->socket ? 0 : -EPROTO;
}

int update_finish(int fd, const struct record_update *u)
{
	struct xsd_sockmsg request;
	struct conn *c, *asked;
	int ret = state_take(fd, fd + 2);

	if (ret)
		return ret;
	asked = u->caller ? conn_find_noted(u->caller) : NULL;
	for (c = TAILQ_FIRST(&conn_all); c; c = TAILQ_NEXT(c, all)) {
		if (!c->domain)
			c->noted = 0;
		conn_kick(c);
	}
	memcpy(&request, u->request, sizeof(request));
	if (asked)
		conn_reply(asked, &request, XS_CONTROL, "OK", 3);
	return 0;
}
