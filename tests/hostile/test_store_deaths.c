// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_deaths.c - a store that dies at each step it can die at.
//
// The test plays three guests and a program of dom0; the store is a child process.
// Each call by which it changes what others see, or its journal, is wrapped at link
// time (store_steps in the Makefile) and counted: it dies before the one that is its
// turn, or in the middle of it.  Its successor goes on by the journal.  Guests must
// get each answer once, and every event, as tests/lib/storemodel.h says.
#include <errno.h> /* before xs_wire.h: it lists only known errors */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <event2/event.h>
#include <xen/io/xs_wire.h>

#include "base/domsock.h"
#include "base/log.h"
#include "base/paths.h"
#include "ring/stream.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"
#include "tests/lib/storemodel.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/hash.h"
#include "xenstore-lite/ledger.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/state.h"

#define GUESTS 3
#define HDR    sizeof(struct xsd_sockmsg)

/* Shared with the store. */
struct fate {
	atomic_uint steps, die_at; /* 0: it lives */
	atomic_bool halfway, slow;
};

static struct fate *fate;
static bool in_store;

/* ---- The store --------------------------------------------------------- */

static bool last_step(void)
{
	return in_store && atomic_fetch_add(&fate->steps, 1) + 1 ==
				   atomic_load(&fate->die_at);
}

/* At times slowly: others act on what they have seen till then. */
static void fall(void)
{
	if (atomic_load(&fate->slow))
		usleep(8000);
	kill(getpid(), SIGKILL);
}

ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	if (last_step()) {
		if (atomic_load(&fate->halfway))
			(void)!__real_write(fd, buf, n / 2);
		fall();
	}
	return __real_write(fd, buf, n);
}

int __real_stream_write(struct stream_writer *w, const void *buf, size_t n,
			bool *notify);
int __wrap_stream_write(struct stream_writer *w, const void *buf, size_t n,
			bool *notify);
int __wrap_stream_write(struct stream_writer *w, const void *buf, size_t n,
			bool *notify)
{
	if (last_step()) {
		if (atomic_load(&fate->halfway))
			(void)!__real_stream_write(w, buf, n / 2, notify);
		fall();
	}
	return __real_stream_write(w, buf, n, notify);
}

#define WRAP(type, name, params, args)     \
	type __real_##name params;         \
	type __wrap_##name params;         \
	type __wrap_##name params          \
	{                                  \
		if (last_step())           \
			fall();            \
		return __real_##name args; \
	}

WRAP(int, stream_release, (struct stream_reader * r, bool *notify), (r, notify))
WRAP(int, stream_reader_resume,
     (struct stream_reader * r, const struct stream_map *map,
      enum stream_wake wake, uint32_t at),
     (r, map, wake, at))
WRAP(int, stream_writer_resume,
     (struct stream_writer * w, const struct stream_map *map,
      enum stream_wake wake, uint32_t at),
     (w, map, wake, at))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags),
     (fd, m, flags))
WRAP(int, rename, (const char *from, const char *to), (from, to))

static char journal[128];

static void set_limits(void)
{
	quotas[QUOTA_NODES].limit = SM_MAX_NODES;
	quotas[QUOTA_WATCHES].limit = SM_MAX_WATCHES;
	quotas[QUOTA_TRANSACTIONS].limit = SM_MAX_TXNS;
	quotas[QUOTA_PERMS].limit = SM_MAX_PERMS;
	quotas[QUOTA_NODE_SIZE].limit = SM_MAX_VALUE;
}

/* What sv-xenstored does, with one socket and three guests. */
static _Noreturn void be_store(int fd, bool first)
{
	static struct tree live;
	struct event_base *base = event_base_new();

	in_store = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_init("store", LOG_LVL_WARN);
	hash_seed();
	if (!base || tree_init(&live))
		_exit(1);
	conn_setup(base);
	dispatch_setup(&live);
	domain_setup(base, &live);
	if (first)
		set_limits();
	if (state_load(journal) != !first)
		_exit(2);
	if (!first)
		state_join(journal);
	for (unsigned int d = 1; first && d <= GUESTS; d++)
		if (domain_introduce(d, FAKEDOM_STORE_GFN, FAKEDOM_STORE_PORT))
			_exit(3);
	state_keep(journal);
	if (conn_new_socket(fd))
		_exit(4);
	for (;;) {
		event_base_loop(base, conn_pending()
					      ? EVLOOP_ONCE | EVLOOP_NONBLOCK
					      : EVLOOP_ONCE);
		conn_run();
	}
}

static struct {
	pid_t pid;
	int fd; /* dom0's connection */
	unsigned int lives;
	bool mortal;
} store;

static void start_store(void)
{
	bool first = !store.lives++;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
		     0);
	atomic_store(&fate->steps, 0);
	atomic_store(&fate->die_at,
		     !store.mortal || first ? 0 : 1 + store.lives / 2 % 60);
	atomic_store(&fate->halfway, store.lives % 2);
	atomic_store(&fate->slow, store.lives % 4 < 2);
	store.pid = proc_fork();
	cr_assert(store.pid >= 0);
	if (!store.pid) {
		close(pair[1]);
		be_store(pair[0], first);
	}
	close(pair[0]);
	if (store.fd >= 0)
		close(store.fd);
	store.fd = pair[1];
}

/* Return: whether another one had to be started. */
static bool look_after_store(void)
{
	int status;

	if (waitpid(store.pid, &status, WNOHANG) != store.pid)
		return false;
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		  "the store ended with 0x%x", (unsigned int)status);
	start_store();
	return true;
}

/* ---- Its clients ------------------------------------------------------- */

static struct client {
	struct fakedom *dom; /* guests */
	struct stream_writer req;
	struct stream_reader rsp;
	char in[HDR + XENSTORE_PAYLOAD_MAX];
	size_t in_len;
	struct xsd_sockmsg head; /* of the last answer */
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	char *events[1024];
	size_t nevents;
	uint32_t last_id;
	uint32_t txn[SM_TXNS];
} clients[GUESTS + 1];

static void attach(struct client *c)
{
	struct xenstore_domain_interface *page = fakedom_store_page(c->dom);
	struct stream_map req = STREAM_MAP(page, req);
	struct stream_map rsp = STREAM_MAP(page, rsp);

	cr_assert_eq(stream_writer_attach(&c->req, &req, STREAM_WAKE_ALWAYS),
		     0);
	cr_assert_eq(stream_reader_attach(&c->rsp, &rsp, STREAM_WAKE_ALWAYS),
		     0);
}

/* What has come; Return: answers. */
static unsigned int take(struct client *c)
{
	unsigned int answers = 0;
	struct xsd_sockmsg h;
	bool notify = false;
	ssize_t n = 1;

	while (n > 0) {
		size_t want = sizeof(c->in) - c->in_len;

		n = c->dom ? stream_read(&c->rsp, c->in + c->in_len, want,
					 &notify)
			   : recv(store.fd, c->in + c->in_len, want, 0);
		c->in_len += n > 0 ? (size_t)n : 0;
		while (c->in_len >= HDR) {
			memcpy(&h, c->in, HDR);
			cr_assert_leq(h.len, XENSTORE_PAYLOAD_MAX);
			if (c->in_len < HDR + h.len)
				break;
			if (h.type == XS_WATCH_EVENT) {
				char *token = c->in + HDR;

				token += strlen(token) + 1;
				cr_assert_lt(c->nevents, 1024u);
				cr_assert(asprintf(&c->events[c->nevents++],
						   "%s|%s", c->in + HDR,
						   token) > 0);
			} else {
				c->head = h;
				memcpy(c->reply, c->in + HDR, h.len);
				c->reply[h.len] = '\0';
				answers++;
			}
			c->in_len -= HDR + h.len;
			memmove(c->in, c->in + HDR + h.len, c->in_len);
		}
	}
	if (notify)
		fakedom_send(c->dom, FAKEDOM_STORE_PORT);
	return answers;
}

static bool died; /* during the last request */

static void wait_a_little(struct client *c)
{
	struct pollfd p = { .fd = store.fd, .events = POLLIN };

	if (c->dom)
		fakedom_wait(c->dom, FAKEDOM_STORE_PORT, 5);
	else
		poll(&p, 1, 5);
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (!strcmp(xsd_errors[i].errstring, name))
			return -xsd_errors[i].errnum;
	return -EBADMSG;
}

/* Send what is left of a message; dom0 sends it anew to another store. */
static void push(struct client *c, const char *msg, size_t len, size_t *at)
{
	bool notify = false;
	ssize_t n;

	if (*at == len)
		return;
	n = c->dom ? stream_write(&c->req, msg + *at, len - *at, &notify)
		   : send(store.fd, msg + *at, len - *at, MSG_NOSIGNAL);
	*at += n > 0 ? (size_t)n : 0;
	if (notify)
		fakedom_send(c->dom, FAKEDOM_STORE_PORT);
}

static int request(unsigned int who, uint32_t type, uint32_t tx,
		   const void *data, size_t len)
{
	struct client *c = &clients[who];
	struct xsd_sockmsg h = { .type = type,
				 .req_id = ++c->last_id,
				 .tx_id = tx,
				 .len = (uint32_t)len };
	uint64_t end = util_clock_ns() + PATIENCE_NS;
	char msg[HDR + XENSTORE_PAYLOAD_MAX];
	unsigned int answers = 0;
	size_t at = 0;

	memcpy(msg, &h, HDR);
	memcpy(msg + HDR, data, len);
	died = false;
	while (!answers) {
		push(c, msg, HDR + len, &at);
		answers = take(c);
		if (answers)
			break;
		wait_a_little(c);
		cr_assert(util_clock_ns() < end, "dom%u: no answer to %u, %s",
			  who, type, msg + HDR);
		if (!look_after_store())
			continue;
		died = true;
		if (!c->dom)
			at = c->in_len = 0;
	}
	cr_assert_eq(answers, 1u, "dom%u: %u answers", who, answers);
	cr_assert_eq(c->head.req_id, h.req_id, "dom%u: answer to another one",
		     who);
	if (c->head.type == XS_ERROR)
		return error_number(c->reply);
	cr_assert_eq(c->head.type, type);
	return (int)c->head.len;
}

static int ask(unsigned int who, uint32_t type, uint32_t tx, const char *a,
	       const char *b, bool nul)
{
	char data[XENSTORE_PAYLOAD_MAX];
	size_t n = strlen(a) + 1;

	memcpy(data, a, n);
	if (b) {
		memcpy(data + n, b, strlen(b) + 1);
		n += strlen(b) + nul;
	}
	return request(who, type, tx, data, n);
}

/* ---- The same to the model --------------------------------------------- */

static unsigned int seed = 1;

static unsigned int rnd(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static const char *pick_path(void)
{
	static const char *const paths[] = {
		"/a",
		"/a/b",
		"/a/b/c",
		"/d",
		"data",
		"data/x",
		"/local/domain/1/data",
		"/local/domain/1/data/x",
		"/local/domain/2/data",
		"/local/domain/2/data/x",
		"/local/domain/3/data/x",
	};

	return paths[rnd(ARRAY_SIZE(paths))];
}

static void check_text(unsigned int who, const char *want)
{
	const struct client *c = &clients[who];
	char got[sizeof(sm_reply)] = "";

	for (uint32_t i = 0; i < c->head.len; i++)
		got[i] = c->reply[i] ? c->reply[i] : ' ';
	cr_assert_str_eq(got, want);
}

/* More than a ring holds at once; too much for a guest's node. */
static char big[2000];

static int change(struct sm_who w, uint32_t tx, int *want)
{
	static const char *const perms[] = { "n0", "n1", "n2",
					     "b1", "w3", "r32757" };
	static const char *const values[] = { "", "v", "0123456789abcdef",
					      "0123456789abcdefg", big };
	const char *p = pick_path();
	const char *v = values[rnd(ARRAY_SIZE(values))];
	const char *perm = perms[rnd(ARRAY_SIZE(perms))];
	int got;

	switch (rnd(5)) {
	case 0:
		got = ask(w.domid, XS_RM, tx, p, NULL, false);
		*want = sm_rm(w, p);
		return got;
	case 1:
		got = ask(w.domid, XS_MKDIR, tx, p, NULL, false);
		*want = sm_mkdir(w, p);
		return got;
	case 2:
		got = ask(w.domid, XS_SET_PERMS, tx, p, perm, true);
		*want = sm_set_perms(w, p, &perm, 1);
		return got;
	default:
		if (v == big && !w.domid)
			v = "";
		got = ask(w.domid, XS_WRITE, tx, p, v, false);
		*want = sm_write(w, p, v);
		return got;
	}
}

static int look(struct sm_who w, uint32_t tx, int *want)
{
	const char *p = pick_path();
	bool perms = rnd(2);
	int got;

	got = ask(w.domid, perms ? XS_GET_PERMS : XS_READ, tx, p, NULL, false);
	*want = perms ? sm_get_perms(w, p) : sm_read(w, p);
	if (got >= 0 && *want >= 0 && !(died && tx))
		check_text(w.domid, sm_reply);
	return got;
}

static int watch(struct sm_who w, int *want)
{
	const char *p = pick_path();
	const char *token = rnd(2) ? "t" : "u";
	int got;

	if (rnd(3)) {
		got = ask(w.domid, XS_WATCH, 0, p, token, true);
		*want = sm_watch(w.domid, p, token, -1);
	} else {
		got = ask(w.domid, XS_UNWATCH, 0, p, token, true);
		*want = sm_unwatch(w.domid, p, token);
	}
	return got;
}

static int free_slot(const struct client *c)
{
	for (int i = 0; i < SM_TXNS; i++)
		if (!c->txn[i])
			return i + 1;
	return 0;
}

static int begin(struct sm_who w, int *want)
{
	struct client *c = &clients[w.domid];
	int slot = free_slot(c);
	int got = ask(w.domid, XS_TRANSACTION_START, 0, "", NULL, false);

	*want = sm_start((struct sm_who){ w.domid, 0 }, slot);
	if (got > 0)
		c->txn[slot - 1] = (uint32_t)strtoul(c->reply, NULL, 10);
	return got;
}

static int end(struct sm_who w, bool commit, int *want)
{
	struct client *c = &clients[w.domid];
	int got = ask(w.domid, XS_TRANSACTION_END, c->txn[w.txn - 1],
		      commit ? "T" : "F", NULL, false);

	c->txn[w.txn - 1] = 0;
	/* It may have died before the commit: then there is none. */
	commit = commit && !(died && got == -EAGAIN);
	*want = sm_end(w, commit);
	return got == -EAGAIN && !commit ? *want : got;
}

/*
 * Transactions that were open end with EAGAIN, and might go on till then; one that
 * began while the store died may have been begun by its successor.
 */
static void end_all(bool begun)
{
	for (unsigned int d = 1; d <= GUESTS; d++) {
		struct client *c = &clients[d];

		for (int i = 0; i < SM_TXNS; i++) {
			uint32_t tx = c->txn[i];

			if (!tx)
				continue;
			cr_assert(ask(d, XS_READ, tx, "data", NULL, false) !=
					  -ENOENT ||
				  ask(d, XS_READ, 0, "data", NULL, false) < 0);
			cr_assert_eq(ask(d, XS_TRANSACTION_END, tx,
					 begun ? "F" : "T", NULL, false),
				     begun ? 3 : -EAGAIN);
			c->txn[i] = 0;
			cr_assert_eq(sm_end((struct sm_who){ d, i + 1 }, false),
				     0);
		}
	}
}

/* Each guest has all its events when it has an answer to a later request. */
static void check_events(void)
{
	for (unsigned int d = 1; d <= GUESTS; d++) {
		struct client *c = &clients[d];
		const char *why;

		request(d, XS_GET_DOMAIN_PATH, 0, "1", 2);
		why = sm_events_ok(d, c->events, c->nevents);
		cr_assert_null(why, "%s", why);
		while (c->nevents)
			free(c->events[--c->nevents]);
	}
}

/* A guest begins anew, in the middle of a message and with an answer unread. */
static void reconnect(unsigned int d)
{
	static const struct {
		struct xsd_sockmsg h;
		char body[2];
	} m = { { .type = XS_GET_DOMAIN_PATH, .len = 2 }, "1" };
	struct client *c = &clients[d];
	struct xenstore_domain_interface *page = fakedom_store_page(c->dom);
	uint64_t end = util_clock_ns() + PATIENCE_NS;
	_Atomic uint32_t *word = (_Atomic uint32_t *)&page->connection;
	bool notify;

	for (unsigned int n = rnd(3); n; n--)
		cr_assert_eq(stream_write(&c->req, &m, HDR + 2, &notify),
			     (int)HDR + 2);
	(void)!stream_write(&c->req, &m, rnd(HDR + 2), &notify);
	atomic_store(word, XENSTORE_RECONNECT);
	fakedom_send(c->dom, FAKEDOM_STORE_PORT);
	while (atomic_load(word) != XENSTORE_CONNECTED) {
		fakedom_wait(c->dom, FAKEDOM_STORE_PORT, 5);
		cr_assert(util_clock_ns() < end, "dom%u: it stays closed", d);
		look_after_store();
	}
	attach(c);
	c->in_len = 0;
	memset(c->txn, 0, sizeof(c->txn));
	sm_reset_watches(d);
}

static void one_step(void)
{
	struct sm_who w = { .domid = rnd(GUESTS + 1) };
	struct client *c = &clients[w.domid];
	unsigned int what = rnd(16), before = store.lives;
	bool begun = false;
	int got, want;

	if (w.domid)
		w.txn = (int)rnd(SM_TXNS + 1);
	if (w.txn && !c->txn[w.txn - 1])
		w.txn = 0;
	if (what == 15 && w.domid && !rnd(2)) {
		w.txn = 0;
		reconnect(w.domid);
		got = want = 0;
	} else if (what < 3 && w.domid) {
		w.txn = 0;
		got = watch(w, &want);
	} else if (what == 3 && w.domid && free_slot(c)) {
		w.txn = 0;
		got = begin(w, &want);
		begun = true;
	} else if (what < 6 && w.txn) {
		got = end(w, what == 4, &want);
	} else if (what < 8) {
		got = look(w, w.txn ? c->txn[w.txn - 1] : 0, &want);
	} else {
		got = change(w, w.txn ? c->txn[w.txn - 1] : 0, &want);
	}
	begun = begun && died;
	/* In a transaction that is void anyway, anything may be said. */
	if (!(died && w.txn))
		cr_assert_eq(MIN(got, 0), MIN(want, 0),
			     "dom%u, %u, transaction %d, life %u: %d, not %d",
			     w.domid, what, w.txn, store.lives, got, want);
	check_events();
	if (store.lives != before)
		end_all(begun);
}

/* ---- Tests ------------------------------------------------------------- */

static void setup(void)
{
	cr_assert(fakedom_run_dir());
	log_init("test", LOG_LVL_WARN);
	snprintf(journal, sizeof(journal), "%s/journal", paths_run());
	memset(big, 'b', sizeof(big) - 1);
	fate = mmap(NULL, sizeof(*fate), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(fate, MAP_FAILED);
	for (unsigned int d = 1; d <= GUESTS; d++) {
		clients[d].dom = fakedom_new(d, 2);
		attach(&clients[d]);
	}
	store.fd = -1;
	start_store();
	sm_reset();
}

static void teardown(void)
{
	kill(store.pid, SIGKILL);
	waitpid(store.pid, NULL, 0);
	close(store.fd);
	for (unsigned int d = 1; d <= GUESTS; d++)
		fakedom_free(clients[d].dom);
	fakedom_run_dir_remove();
}

TestSuite(store_deaths, .init = setup, .fini = teardown, .timeout = 600);

/* What the toolstack makes. */
static void make_homes(void)
{
	const struct sm_who dom0 = { 0, 0 };

	for (unsigned int d = 1; d <= GUESTS; d++) {
		char path[40], owner[8];
		const char *perms = owner;

		snprintf(path, sizeof(path), "/local/domain/%u/data", d);
		snprintf(owner, sizeof(owner), "n%u", d);
		cr_assert_eq(ask(0, XS_MKDIR, 0, path, NULL, false), 3);
		cr_assert_eq(sm_mkdir(dom0, path), 0);
		cr_assert_eq(ask(0, XS_SET_PERMS, 0, path, owner, true), 3);
		cr_assert_eq(sm_set_perms(dom0, path, &perms, 1), 0);
	}
}

Test(store_deaths, at_each_step)
{
	const unsigned int lives = SANITIZED ? 240 : 1200;
	unsigned int steps = 0;

	make_homes();
	store.mortal = true;
	kill(store.pid, SIGKILL);
	while (store.lives < lives) {
		one_step();
		steps++;
	}
	store.mortal = false;
	kill(store.pid, SIGKILL);
	cr_assert_gt(ask(0, XS_CONTROL, 0, "check", NULL, false), 0);
	cr_expect_str_eq(clients[0].reply, "OK");
	fprintf(stderr, "# %u deaths, %u requests\n", store.lives - 1, steps);
	cr_expect_gt(steps, lives / 4);
}
