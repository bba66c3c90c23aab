// SPDX-License-Identifier: GPL-2.0-or-later
// tests/oracle/play.c - one sequence of requests to a store, and all it says to them.
//
// usage: play SEED STEPS
//
// The store is at XENSTORED_PATH, and serves the domains of SPLITVISOR_RUN_DIR.
// Two clients of dom0 and three guests do in turn what SEED says, and each answer
// and event is printed as it comes, so that the transcripts of two stores can be
// compared.  Nothing in them may depend on time: after each request every client
// makes one without effect, so that all events of the former have come before.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/sock.h"
#include "base/util.h"
#include "tests/lib/patience.h"
#include "tests/lib/xsguest.h"

#define HDR	   sizeof(struct xsd_sockmsg)
#define NDOM0	   2u
#define NGUESTS	   3u
#define NCLIENTS   (NDOM0 + NGUESTS)
#define FIRST_DOM  1u
#define SHOWN	   96u /* bytes of an answer */
#define PATIENCE_S 60
#define MAX_EVENTS 16384u /* after one step */

/** struct client - Of dom0, by a socket, or a guest. */
struct client {
	char name[8];
	int fd;
	unsigned int domid;
	struct xsguest *g; /* NULL while there is no such domain */
	bool introduced;
	unsigned int target;  /* the last; 0: none */
	unsigned int targets; /* all that it has had, a bit each */
	uint32_t tx;	      /* open transaction */
	struct xsd_sockmsg head;
	char reply[XENSTORE_PAYLOAD_MAX + 1];
};

/** struct text - A request's payload in the making. */
struct text {
	char data[XENSTORE_PAYLOAD_MAX];
	size_t len;
};

static struct client clients[NCLIENTS];
static struct text asked; /* by the last request() */
static uint32_t asked_type;
static uint64_t seed;
static bool died; /* some domain has */

static void die(const char *what)
{
	printf("!! %s\n", what);
	fflush(stdout);
	exit(1);
}

/* ---- Chance ------------------------------------------------------------- */

static uint32_t chance(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % n;
}

#define one_of(list) ((list)[chance(ARRAY_SIZE(list))])

/* ---- The transcript ----------------------------------------------------- */

static FILE *events; /* until the answer is shown, which may come in between */
static char *events_text;
static size_t events_len;

static void show(FILE *f, const char *data, size_t len)
{
	char text[4 * SHOWN + 1];

	fprintf(f, " '%s'",
		util_escape(text, sizeof(text), data, MIN(len, SHOWN)));
	if (len > SHOWN)
		fprintf(f, "+%zu", len - SHOWN);
}

static void show_event(const char *name, const char *body, size_t len)
{
	fprintf(events, "    %s event", name);
	show(events, body, len);
	putc('\n', events);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Show none of the events until now. */
static void hush(void)
{
	fflush(events);
	rewind(events);
	memset(events_text, 0, events_len);
}

/*
 * Events of one node come in the order in which a client has set its watches.  If a
 * request changes several nodes, which of them is told of first is not said anywhere.
 */
static void show_events(bool several)
{
	static char *line[MAX_EVENTS];
	size_t n = 0;

	fflush(events);
	for (char *s = strtok(events_text, "\n"); s; s = strtok(NULL, "\n")) {
		if (n == MAX_EVENTS)
			die("too many events");
		line[n++] = s;
	}
	if (several)
		qsort(line, n, sizeof(line[0]), by_text);
	for (size_t i = 0; i < n; i++)
		puts(line[i]);
	hush();
}

static void guest_event(const struct xsguest *g, const char *body, size_t len)
{
	char name[8];

	snprintf(name, sizeof(name), "dom%u", g->domid);
	show_event(name, body, len);
}

/* ---- Requests ----------------------------------------------------------- */

static void get(int fd, void *buf, size_t len)
{
	for (char *at = buf; len;) {
		ssize_t n = read(fd, at, len);

		if (n <= 0)
			die("the store has closed the connection, or is silent");
		at += n;
		len -= (size_t)n;
	}
}

static void ask_socket(struct client *c, struct xsd_sockmsg h, const void *data)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];

	if (write(c->fd, &h, HDR) != (ssize_t)HDR ||
	    (h.len && write(c->fd, data, h.len) != (ssize_t)h.len))
		die("the store takes no request");
	for (;;) {
		get(c->fd, &c->head, HDR);
		if (c->head.len > XENSTORE_PAYLOAD_MAX)
			die("an answer of impossible length");
		get(c->fd, body, c->head.len);
		if (c->head.type != XS_WATCH_EVENT)
			break;
		show_event(c->name, body, c->head.len);
	}
	memcpy(c->reply, body, c->head.len);
	c->reply[c->head.len] = '\0';
}

static void ask(struct client *c, uint32_t type, uint32_t tx, const void *data,
		size_t len)
{
	const struct xsd_sockmsg h = { .type = type,
				       .tx_id = tx,
				       .len = (uint32_t)len };

	if (!c->g) {
		ask_socket(c, h, data);
		return;
	}
	if (xsguest_op(c->g, type, tx, data, len) == -ETIMEDOUT)
		die("the store does not answer a guest");
	c->head = c->g->head;
	memcpy(c->reply, c->g->reply, c->head.len + 1);
}

static bool alive(const struct client *c)
{
	return c->fd >= 0 || c->introduced;
}

/* All that was said before has come. */
static void settle(void)
{
	for (unsigned int i = 0; i < NCLIENTS; i++) {
		if (alive(&clients[i]))
			ask(&clients[i], XS_GET_DOMAIN_PATH, 0, "0", 2);
	}
}

/* Equal events are one if the first waits still, which is a matter of time. */
static void ask_alone(struct client *c, uint32_t type, const void *data,
		      size_t len)
{
	ask(c, type, 0, data, len);
	settle();
}

static void add(struct text *t, const char *s)
{
	size_t n = strlen(s) + 1;

	if (t->len + n > sizeof(t->data))
		return;
	memcpy(t->data + t->len, s, n);
	t->len += n;
}

static void addf(struct text *t, const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	add(t, buf);
}

/* As dom0 or guest would: a wrong end now and then. */
static bool spoil(struct text *t, uint32_t type)
{
	static const uint32_t types[] = {
		XS_WRITE,
		XS_WATCH,
		XS_UNWATCH,
		XS_DIRECTORY_PART,
	};
	bool survives = false;

	/* Theirs ends at others, such as a path without its NUL. */
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		survives |= types[i] == type;
	if (chance(40) || !t->len || !survives)
		return false;
	if (chance(2))
		add(t, "more");
	else
		t->len--;
	return true;
}

/* ---- What is asked ------------------------------------------------------ */

static const char *path(const struct client *c)
{
	static const char *const absolute[] = {
		"/x", "/x/a", "/x/a/b", "/x/a/b/c", "/x/b",   "/x/b/a",
		"/y", "/y/a", "/x/a/d", "/",	    "/local", "/local/domain",
	};
	static const char *const relative[] = {
		"data",	    "data/a",	"data/a/b", "data/b",
		"data/b/a", "data/a/c", ".",	    "",
	};
	static const char *const odd[] = {
		"/x/",	 "//x",		"/x//a", "x y",	   "/x\x01",
		"/x/a/", "/x/\xc3\xa9", "/x/.",	 "/x/a+b",
	};
	static char buf[64];

	if (!chance(25))
		return one_of(odd);
	if (!chance(3) || c->fd >= 0) {
		if (chance(2))
			return one_of(absolute);
		snprintf(buf, sizeof(buf), "/local/domain/%u/%s",
			 c->target && chance(3) ? c->target
						: FIRST_DOM + chance(NGUESTS),
			 one_of(relative));
		return buf;
	}
	return one_of(relative);
}

/* A guest's request has to fit into its ring; theirs counts names of children. */
static void add_value(struct text *t)
{
	size_t len = chance(20) ? chance(8) : 800;

	for (; len; len--)
		t->data[t->len++] = (char)('a' + chance(26));
}

/* Return: whether they make no sense. */
static bool add_perms(struct text *t)
{
	static const char kinds[] = "nrwb";

	if (!chance(30)) {
		add(t, one_of(((const char *const[]){ "", "x1", "r", "n-1",
						      "r1 ", "nn" })));
		return true;
	}
	for (unsigned int n = 1 + chance(3); n; n--) {
		unsigned int domid = chance(FIRST_DOM + NGUESTS);

		/* Theirs knows no rights of a domain that is not there. */
		if (domid && !clients[NDOM0 + domid - FIRST_DOM].g)
			domid = 0;
		addf(t, "%c%u", kinds[chance(4)], domid);
	}
	return false;
}

static uint32_t make(const struct client *c, struct text *t, bool *spoilt)
{
	static const uint32_t types[] = {
		XS_WRITE,
		XS_WRITE,
		XS_WRITE,
		XS_WRITE,
		XS_MKDIR,
		XS_RM,
		XS_READ,
		XS_READ,
		XS_DIRECTORY,
		XS_WATCH,
		XS_UNWATCH,
		XS_SET_PERMS,
		XS_GET_PERMS,
		XS_DIRECTORY_PART,
		XS_GET_DOMAIN_PATH,
		XS_IS_DOMAIN_INTRODUCED,
		XS_RESUME,
	};
	static const char *const special[] = {
		"@introduceDomain",
		"@releaseDomain",
	};
	uint32_t type = chance(80) ? one_of(types) : XS_RESET_WATCHES;

	/* Theirs tells of each step of a transaction, also to a node it has made. */
	if (c->tx && (type == XS_RM || type == XS_SET_PERMS))
		type = XS_READ;
	switch (type) {
	case XS_GET_DOMAIN_PATH:
	case XS_IS_DOMAIN_INTRODUCED:
	case XS_RESUME:
		addf(t, "%u", chance(FIRST_DOM + NGUESTS + 1));
		return type;
	case XS_RESET_WATCHES:
		return type;
	default:
		break;
	}
	if ((type == XS_WATCH || type == XS_UNWATCH) && !c->g && !chance(8))
		add(t, one_of(special));
	else
		add(t, path(c));
	/* Theirs loses all with a guest that owns the top. */
	if (type == XS_SET_PERMS &&
	    (t->len == 2 || !strcmp(t->data, "/local") ||
	     !strcmp(t->data, "/local/domain")))
		memcpy(t->data, "/x", t->len = 3);
	if (type == XS_WRITE)
		add_value(t);
	else if (type == XS_SET_PERMS)
		*spoilt = add_perms(t);
	else if (type == XS_WATCH || type == XS_UNWATCH)
		addf(t, "t%u", chance(3));
	else if (type == XS_DIRECTORY_PART)
		addf(t, "%u", chance(4) ? 0 : chance(20));
	return type;
}

/*
 * Of DIRECTORY_PART the generation is the store's own affair, and so is which error
 * it is if a request makes no sense.  Rights of ended domains are shown by theirs
 * alone: when there are such, the owner must do.
 */
static void show_answer(const struct client *c, bool sense)
{
	const char *at = c->reply;
	size_t len = c->head.len;

	if (c->head.type == XS_ERROR) {
		printf(" -> %s\n", sense ? c->reply : "an error");
		return;
	}
	if (c->head.type == XS_DIRECTORY_PART) {
		at += strlen(at) + 1;
		len -= (size_t)(at - c->reply);
	}
	if (c->head.type == XS_GET_PERMS && died)
		len = strlen(at);
	printf(" ->");
	show(stdout, at, len);
	putchar('\n');
}

/* Return: whether it may have changed several nodes. */
static bool request(struct client *c)
{
	struct text t = { .len = 0 };
	bool spoilt = false;
	uint32_t type = make(c, &t, &spoilt);

	spoilt |= spoil(&t, type);
	printf("%s %u%s", c->name, type, c->tx ? " in transaction" : "");
	show(stdout, t.data, t.len);
	ask(c, type, c->tx, t.data, t.len);
	show_answer(c, !spoilt && type != XS_UNWATCH);
	asked = t;
	asked_type = type;
	return type == XS_RM || type == XS_WRITE || type == XS_MKDIR;
}

/* ---- Transactions ------------------------------------------------------- */

static struct client *busy; /* who has one: they are not to meet */

static void begin(struct client *c)
{
	ask(c, XS_TRANSACTION_START, 0, "", 1);
	printf("%s begins: %s\n", c->name,
	       c->head.type == XS_ERROR ? c->reply : "fine");
	if (c->head.type == XS_ERROR)
		return;
	c->tx = (uint32_t)strtoul(c->reply, NULL, 10);
	busy = c;
}

static void end(struct client *c)
{
	const char *how = chance(4) ? "T" : "F";

	printf("%s ends %s", c->name, how);
	ask(c, XS_TRANSACTION_END, c->tx, how, 2);
	show_answer(c, true);
	c->tx = 0;
	busy = NULL;
}

/* ---- Domains ------------------------------------------------------------ */

static void tell(struct client *c, uint32_t type, unsigned int domid)
{
	struct text t = { .len = 0 };

	addf(&t, "%u", domid);
	if (type == XS_INTRODUCE) {
		addf(&t, "%u", FAKEDOM_STORE_GFN);
		addf(&t, "%u", FAKEDOM_STORE_PORT);
	}
	ask(c, type, 0, t.data, t.len);
	show_answer(c, true);
}

/*
 * What the toolstack makes for it.  Theirs gives rights of an ended domain to the next
 * of that number with nodes that are written in a transaction: none are left.
 */
static void make_home(struct client *dom0, unsigned int domid)
{
	struct text t = { .len = 0 };

	addf(&t, "/local/domain/%u", domid);
	ask_alone(dom0, XS_RM, t.data, t.len);
	ask_alone(dom0, XS_RM, "/x", 3);
	ask_alone(dom0, XS_RM, "/y", 3);
	ask_alone(dom0, XS_MKDIR, t.data, t.len);
	add(&t, "n0");
	addf(&t, "r%u", domid);
	ask_alone(dom0, XS_SET_PERMS, t.data, t.len);
	t.len = 0;
	addf(&t, "/local/domain/%u/data", domid);
	ask_alone(dom0, XS_MKDIR, t.data, t.len);
	addf(&t, "n%u", domid);
	ask_alone(dom0, XS_SET_PERMS, t.data, t.len);
}

static void introduce(struct client *dom0, struct client *guest)
{
	if (!guest->g) {
		guest->g = xsguest_create(guest->domid);
		guest->g->event = guest_event;
		make_home(dom0, guest->domid);
	}
	xsguest_begin(guest->g);
	printf("%s introduces %s", dom0->name, guest->name);
	tell(dom0, XS_INTRODUCE, guest->domid);
	guest->introduced = true;
}

static void release(struct client *dom0, struct client *guest)
{
	printf("%s releases %s", dom0->name, guest->name);
	tell(dom0, XS_RELEASE, guest->domid);
}

/* Its VMM ends; the store is told by the domain's socket, at some time. */
static void kill_one(struct client *dom0, struct client *guest)
{
	uint64_t until = util_clock_ns() + PATIENCE_NS;
	char id[16];
	size_t len = (size_t)snprintf(id, sizeof(id), "%u", guest->domid) + 1;

	died = true;
	printf("%s dies\n", guest->name);
	xsguest_free(guest->g);
	guest->g = NULL;
	guest->introduced = false;
	guest->target = guest->targets = 0;
	do {
		if (util_clock_ns() > until)
			die("the store does not notice that a domain has ended");
		ask(dom0, XS_IS_DOMAIN_INTRODUCED, 0, id, len);
	} while (strcmp(dom0->reply, "F") != 0);
}

/*
 * Theirs does not notice the end of a domain that has been somebody's target as long
 * as that one is there, which therefore goes first.
 */
static void kill_guest(struct client *dom0, struct client *guest)
{
	unsigned int bit = 1u << guest->domid;

	for (unsigned int i = NDOM0; i < NCLIENTS; i++) {
		if (clients[i].targets & bit)
			kill_guest(dom0, &clients[i]);
	}
	if (chance(2))
		release(dom0, guest);
	kill_one(dom0, guest);
}

static void life(void)
{
	struct client *dom0 = &clients[chance(NDOM0)];
	struct client *guest = &clients[NDOM0 + chance(NGUESTS)];

	if (guest->introduced)
		kill_guest(dom0, guest);
	else
		introduce(dom0, guest);
}

/* A lower one: so nobody is its own target, also not over others. */
static void aim(struct client *dom0, struct client *guest)
{
	unsigned int target = FIRST_DOM + chance(guest->domid - FIRST_DOM);
	struct text t = { .len = 0 };

	addf(&t, "%u", guest->domid);
	addf(&t, "%u", target);
	printf("%s: target of %s is dom%u", dom0->name, guest->name, target);
	ask(dom0, XS_SET_TARGET, 0, t.data, t.len);
	show_answer(dom0, true);
	if (dom0->head.type != XS_ERROR)
		guest->targets |= 1u << (guest->target = target);
}

/* ---- Transactions that meet --------------------------------------------- */

#define MAX_USED 32u

/* Where a request did something: who asks for "data" means that of its own. */
struct used {
	char path[128];
	bool read, ok;
};

static struct used used[MAX_USED];
static size_t nused;

static bool note_use(const struct client *c)
{
	struct used *u = &used[nused];
	const char *at = asked.data;

	if (asked_type == XS_RESET_WATCHES || nused == MAX_USED ||
	    !memchr(at, '\0', asked.len))
		return false;
	if (*at == '/')
		snprintf(u->path, sizeof(u->path), "%.100s", at);
	else
		snprintf(u->path, sizeof(u->path), "/local/domain/%u/%.100s",
			 c->domid, at);
	u->read = asked_type == XS_READ;
	u->ok = c->head.type != XS_ERROR;
	nused++;
	return true;
}

/* The part of the tree that @path is in; parts are there all the time. */
static size_t part(const char *path)
{
	static const char home[] = "/local/domain/";

	if (!strncmp(path, "/x/", 3) || !strncmp(path, "/y/", 3))
		return 3;
	if (!strncmp(path, home, sizeof(home) - 1) &&
	    !strncmp(path + sizeof(home), "/data/", 6))
		return sizeof(home) + 6;
	return 0;
}

/*
 * A transaction of @c, and what somebody else writes to @path meanwhile.  If it has
 * read just that node, and no more of it, it must fail with both stores; if they have
 * nothing to do with each other it must not.  Between these theirs fails more often.
 *
 * Return: 1 if it must fail, 0 if it must not, -1 if nothing is said of it.
 */
static int must_fail(const char *path)
{
	size_t len = part(path);
	bool apart = true, read = false, else_used = false;

	for (size_t i = 0; i < nused; i++) {
		bool same = !strcmp(used[i].path, path);

		apart &= strncmp(used[i].path, path, len - 1) != 0;
		read |= same && used[i].read && used[i].ok;
		else_used |= same && !used[i].read;
	}
	if (read && !else_used)
		return 1;
	return apart ? 0 : -1;
}

static void write_one(struct client *c, const char *path)
{
	struct text t = { .len = 0 };

	add(&t, path);
	add_value(&t);
	printf("%s writes", c->name);
	show(stdout, t.data, t.len);
	ask(c, XS_WRITE, 0, t.data, t.len);
	show_answer(c, true);
}

static void make_parts(void)
{
	ask_alone(&clients[0], XS_MKDIR, "/x", 3);
	ask_alone(&clients[0], XS_MKDIR, "/y", 3);
}

static void end_met(struct client *c, int fails)
{
	bool commit = fails >= 0;

	if (!c->introduced && c->fd < 0)
		return;
	printf("%s, which has met %s, ends", c->name,
	       fails > 0    ? "it"
	       : fails == 0 ? "nobody"
			    : "something");
	ask(c, XS_TRANSACTION_END, c->tx, commit ? "T" : "F", 2);
	show_answer(c, true);
	c->tx = 0;
}

/* In the middle of its transaction a guest may end, or be introduced anew. */
static bool cut_short(struct client *c)
{
	if (!c->g || chance(6))
		return false;
	c->tx = 0;
	kill_guest(&clients[0], c);
	return true;
}

static void meet(struct client *c)
{
	struct client *other = &clients[chance(NDOM0)];
	const char *path;
	bool known = true;
	int fails = -1;

	make_parts();
	begin(c);
	busy = NULL;
	if (!c->tx)
		return;
	nused = 0;
	for (unsigned int n = 1 + chance(4); n; n--) {
		(void)request(c);
		known &= note_use(c);
		settle();
	}
	if (cut_short(c))
		return;
	path = chance(2) ? used[chance((uint32_t)MAX(nused, 1u))].path
			 : one_of(((const char *const[]){ "/x/a", "/x/b/a",
							  "/y/a", "/x/a/b" }));
	if (nused && known && part(path)) {
		write_one(other, path);
		if (other->head.type != XS_ERROR)
			fails = must_fail(path);
	}
	end_met(c, fails);
}

/* ---- Limits ------------------------------------------------------------- */

#define PRESSES 1100u /* more than any limit */

/* The same request with another number each time, until it is refused. */
static void press(struct client *c, const char *what, uint32_t type,
		  const char *second)
{
	char path[64];

	for (unsigned int i = 0; i < PRESSES; i++) {
		struct text t = { .len = 0 };

		/* Theirs counts names of children in a node's size. */
		snprintf(path, sizeof(path), "data/press/%u/%u", i % 10, i);
		add(&t, path);
		add(&t, second);
		ask(c, type, 0, t.data, t.len);
		if (c->head.type == XS_ERROR)
			break;
		/* Theirs does not hear a guest while others have its events unread. */
		if (i % 8 == 7)
			settle();
	}
	printf("%s: %s -> %s\n", c->name, what,
	       c->head.type == XS_ERROR ? c->reply : "never refused");
}

static void press_transactions(struct client *c)
{
	uint32_t tx[32];
	size_t n = 0;

	for (; n < ARRAY_SIZE(tx); n++) {
		ask(c, XS_TRANSACTION_START, 0, "", 1);
		if (c->head.type == XS_ERROR)
			break;
		tx[n] = (uint32_t)strtoul(c->reply, NULL, 10);
	}
	printf("%s: transactions -> %s\n", c->name,
	       c->head.type == XS_ERROR ? c->reply : "never refused");
	while (n--)
		ask(c, XS_TRANSACTION_END, tx[n], "F", 2);
}

static void press_permissions(struct client *c)
{
	struct text t = { .len = 0 };

	add(&t, "data");
	addf(&t, "n%u", c->domid);
	for (int i = 0; i < 8; i++)
		add(&t, "r0");
	printf("%s: permissions", c->name);
	ask(c, XS_SET_PERMS, 0, t.data, t.len);
	show_answer(c, false);
}

/* For every guest; dom0 is free of it. */
static void set_quota(const char *name, unsigned int limit)
{
	struct text t = { .len = 0 };

	add(&t, "quota");
	add(&t, "set");
	add(&t, name);
	addf(&t, "%u", limit);
	printf("%s of at most %u", name, limit);
	ask(&clients[0], XS_CONTROL, 0, t.data, t.len);
	show_answer(&clients[0], true);
}

static void do_one(struct client *c, uint32_t type, struct text *t)
{
	printf("%s %u of %zu bytes", c->name, type, t->len);
	ask(c, type, 0, t->data, t->len);
	show_answer(c, true);
	settle();
}

/*
 * A limit low enough that a guest's ring can hold more.  Theirs counts, besides the
 * value, a head, permissions and names of children: sizes between are left out.
 */
static void press_size(struct client *c)
{
	static const int besides[] = { -200, -100, 1, 100 };
	unsigned int limit = 300 + chance(400);

	/* Theirs counts its size when a child is made, too. */
	ask_alone(c, XS_WRITE, "data", 5);
	set_quota("node-size", limit);
	for (size_t i = 0; i < ARRAY_SIZE(besides); i++) {
		struct text t = { .len = 0 };
		size_t n = limit + (size_t)besides[i];

		add(&t, "data/press");
		memset(t.data + t.len, 'v', n);
		t.len += n;
		do_one(c, XS_WRITE, &t);
	}
	set_quota("node-size", 2048);
	ask_alone(c, XS_RM, "data/press", 11);
}

/* A path of @n bytes below @start. */
static void add_path(struct text *t, const char *start, size_t n)
{
	char buf[256];
	size_t len = (size_t)snprintf(buf, sizeof(buf), "%s", start);

	memset(buf + len, 'p', n);
	buf[len + n] = '\0';
	add(t, buf);
}

static void press_length(struct client *c)
{
	static const uint32_t types[] = { XS_WRITE,   XS_READ,	XS_WATCH,
					  XS_UNWATCH, XS_MKDIR, XS_RM };
	unsigned int limit = 50 + chance(40), domid = FIRST_DOM;
	size_t counted = sizeof("data/") - 1;
	char start[64];

	domid += chance(NGUESTS);
	snprintf(start, sizeof(start), "data/");
	if (chance(3))
		snprintf(start, sizeof(start), "/local/domain/%u/data/", domid);
	else if (chance(2))
		counted = (size_t)snprintf(start, sizeof(start), "/x/");
	set_quota("path-max", limit);
	for (unsigned int n = limit - 1; n <= limit + 2; n++) {
		for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
			struct text t = { .len = 0 };

			add_path(&t, start, n - counted);
			if (types[i] == XS_WATCH || types[i] == XS_UNWATCH)
				add(&t, "long");
			do_one(c, types[i], &t);
		}
	}
	set_quota("path-max", 2048);
}

static void limits(struct client *c)
{
	switch (chance(6)) {
	case 0:
		press(c, "watches", XS_WATCH, "t");
		ask_alone(c, XS_RESET_WATCHES, "", 0);
		/* Theirs allows one more. */
		settle();
		hush();
		break;
	case 1:
		press_transactions(c);
		break;
	case 2:
		press_permissions(c);
		break;
	case 3:
		press_size(c);
		break;
	case 4:
		press_length(c);
		break;
	default:
		ask_alone(c, XS_RESET_WATCHES, "", 0);
		press(c, "nodes", XS_WRITE, "");
		ask_alone(c, XS_RM, "data/press", 11);
	}
}

/* ---- The play ----------------------------------------------------------- */

static void step(void)
{
	struct client *c = busy ? busy : &clients[chance(NCLIENTS)];
	bool several = true;

	if (!alive(c) || (!busy && !chance(100)))
		life();
	else if (busy && !chance(6))
		end(c);
	else if (!busy && !chance(12))
		begin(c);
	else if (!busy && !chance(12))
		meet(c);
	else if (!busy && c->g && !chance(30))
		limits(c);
	else if (!busy && c->domid > FIRST_DOM && !chance(20))
		aim(&clients[0], c);
	else
		several = request(c);
	settle();
	show_events(several);
}

static void open_clients(void)
{
	for (unsigned int i = 0; i < NCLIENTS; i++)
		clients[i].fd = -1;
	for (unsigned int i = 0; i < NDOM0; i++) {
		struct timeval tv = { .tv_sec = PATIENCE_S };

		snprintf(clients[i].name, sizeof(clients[i].name), "dom0.%u",
			 i);
		clients[i].fd = sock_connect(paths_store(), SOCK_STREAM);
		if (clients[i].fd < 0 ||
		    setsockopt(clients[i].fd, SOL_SOCKET, SO_RCVTIMEO, &tv,
			       sizeof(tv)))
			die("the store cannot be reached");
	}
	for (unsigned int i = 0; i < NGUESTS; i++) {
		struct client *c = &clients[NDOM0 + i];

		c->domid = FIRST_DOM + i;
		snprintf(c->name, sizeof(c->name), "dom%u", c->domid);
		introduce(&clients[0], c);
	}
}

int main(int argc, char **argv)
{
	uint64_t steps;

	if (argc != 3 || util_u64(argv[1], UINT32_MAX, &seed) ||
	    util_u64(argv[2], UINT32_MAX, &steps)) {
		fprintf(stderr, "usage: play SEED STEPS\n");
		return 2;
	}
	seed = (seed + 1) * UINT64_C(88172645463325252);
	paths_init();
	events = open_memstream(&events_text, &events_len);
	open_clients();
	for (uint64_t i = 0; i < steps; i++)
		step();
	for (unsigned int i = 0; i < NGUESTS; i++) {
		if (clients[NDOM0 + i].g)
			xsguest_free(clients[NDOM0 + i].g);
	}
	return 0;
}
