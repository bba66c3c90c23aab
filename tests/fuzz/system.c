// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/system.c - a domain that does anything to live daemons (F18).
//
// usage: system [--seed N] [--scripts N | --seconds N] [--steps N]
//        system --script FILE
//
// A script is a list of actions of a domain with a disk, a card and a console: honest
// ones, lies, noise in shared memory, devices that come and go, and the sudden death of
// a worker, of sv-console, of their parent or of the store.  It is played by a process
// domain against sv-xenstored, sv-backend and their workers.  After each action all daemons must
// live and answer; a worker may end only if the script killed it; what is connected
// is served on while there is no store; at the end both devices must connect and do
// what they are for, the console too, and no descriptor may be left over.  A script that fails is cut
// down to the actions that it takes, and printed; --script plays it again.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#include <xen/xen.h>
#include <xen/errno.h>

#include "base/util.h"
#include "guest-frontend/events.h"
#include "guest-frontend/xenbus.h"
#include "tests/fuzz/system.h"
#include "tests/lib/fakenic.h"
#include "tests/lib/netns.h"

#define DOM	  "/local/domain/3"
#define PAGES	  32768u
#define MAX_STEPS 256u

struct step {
	unsigned int op;
	uint64_t a, b;
};

struct script {
	unsigned int n;
	struct step step[MAX_STEPS];
};

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* ---- The world of one run; in a process of its own --------------------------- */

static struct stack s;
static struct fakedom *dom;
static struct system_dev *const devs[] = { &system_disk, &system_card };

void system_leave(int status)
{
	system_disk_fini();
	fakedom_run_dir_remove();
	_exit(status);
}

/* The toolstack's part: a few nodes in one transaction. */
struct edit {
	struct xs_handle *xs;
	xs_transaction_t t;
};

static void begin_edit(struct edit *e)
{
	e->xs = xs_open(0);
	MUST(e->xs, "no store");
	e->t = xs_transaction_start(e->xs);
	MUST(e->t != XBT_NULL, "no transaction");
}

/* Return: whether nobody was faster. */
static bool end_edit(struct edit *e)
{
	bool done = xs_transaction_end(e->xs, e->t, false);

	MUST(done || errno == EAGAIN, "a transaction fails: %m");
	xs_close(e->xs);
	return done;
}

static void node(struct edit *e, const char *dir, const char *name,
		 const char *text, bool guest)
{
	struct xs_permissions perm[2] = {
		{ .id = guest ? SYSTEM_DOMID : 0, .perms = XS_PERM_NONE },
		{ .id = guest ? 0 : SYSTEM_DOMID, .perms = XS_PERM_READ },
	};
	char path[128];

	snprintf(path, sizeof(path), "%s%s%s", dir, *name ? "/" : "", name);
	MUST(xs_write(e->xs, e->t, path, text, (unsigned int)strlen(text)) &&
		     xs_set_permissions(e->xs, e->t, path, perm, 2),
	     "cannot write %s", path);
}

static void write_device(struct edit *e, const struct system_dev *d)
{
	const struct system_key *k;

	node(e, d->fe, "", "", true);
	node(e, d->fe, "backend", d->be, false);
	node(e, d->fe, "backend-id", "0", false);
	node(e, d->fe, "state", "1", true);
	for (k = d->fe_keys; k->name; k++)
		node(e, d->fe, k->name, k->value, false);
	node(e, d->be, "", "", false);
	node(e, d->be, "frontend-id", "3", false);
	node(e, d->be, "online", "1", false);
	for (k = d->be_keys; k->name; k++)
		node(e, d->be, k->name, k->value, false);
	node(e, d->be, "frontend", d->fe, false);
	node(e, d->be, "state", "1", false);
}

static void attach(const struct system_dev *d)
{
	struct edit e;

	do {
		begin_edit(&e);
		write_device(&e, d);
	} while (!end_edit(&e));
}

/* All that a store must know of the domain. */
static void make_tree(void)
{
	struct xs_handle *xs;
	struct edit e;

	do {
		begin_edit(&e);
		node(&e, DOM, "", "", false);
		node(&e, DOM, "name", "fuzz", false);
		node(&e, DOM, "error", "", true);
		node(&e, DOM, "console", "", false);
		node(&e, DOM, "console/tty", "", false);
		for (size_t i = 0; i < ARRAY_SIZE(devs); i++)
			write_device(&e, devs[i]);
	} while (!end_edit(&e));
	memset(fakedom_store_page(dom), 0, SV_PAGE_SIZE);
	xs = xs_open(0);
	MUST(xs && xs_introduce_domain(xs, SYSTEM_DOMID, FAKEDOM_STORE_GFN,
				       FAKEDOM_STORE_PORT),
	     "not introduced");
	xs_close(xs);
	MUST(!xenbus_init(), "no store ring");
}

static pid_t worker_of(const struct system_dev *d)
{
	return stack_worker(&s, d->program, SYSTEM_DOMID);
}

static void wait_worker(struct system_dev *d)
{
	pid_t gone = d->worker;

	for (int i = 0; i < SYSTEM_WAIT_MS; i += 5) {
		d->worker = worker_of(d);
		if (d->worker > 0 && d->worker != gone)
			return;
		usleep(5000);
	}
	MUST(false, "no new %s", d->program);
}

static void make_world(void)
{
	netns_enter();
	fakenic_silence();
	stack_start_all(&s);
	dom = fakedom_new(SYSTEM_DOMID, PAGES);
	procdom_use(dom);
	system_disk_init();
	system_card_init();
	make_tree();
	system_console_init(&s, dom);
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++)
		wait_worker(devs[i]);
}

/* What must hold after every action. */
static void look(void)
{
	char *text = NULL;

	MUST(waitpid(s.xenstored, NULL, WNOHANG) == 0, "sv-xenstored ended");
	MUST(waitpid(s.backend, NULL, WNOHANG) == 0, "sv-backend ended");
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++) {
		MUST(!store_read(s.store, &text, "%s/online", devs[i]->be),
		     "no answer");
		free(text);
		MUST(worker_of(devs[i]) == devs[i]->worker,
		     "%s ended by itself", devs[i]->program);
	}
	system_console_look();
}

/* ---- Honest actions --------------------------------------------------------- */

static void stop(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	if (d->watched)
		(void)d->stop();
	d->clean = false;
}

/*
 * An honest frontend gets its connection, if not at once: the backend may still be
 * busy with what it was told before, and close once more for that.
 */
static void try_connect(struct system_dev *d, uint64_t want)
{
	int ret = -XEN_EAGAIN;

	for (int i = 0; ret && i < 5; i++)
		ret = d->join(want, d->watched);
	MUST(!ret, "an honest frontend cannot connect to %s: %d", d->program,
	     ret);
	d->watched = true;
}

/*
 * Who said Connected without keys may find that the backend took its word while
 * the keys were being written, some old and some new.  Once closed in good order,
 * nothing of that is left.
 */
static void connect_device(struct system_dev *d, uint64_t want)
{
	try_connect(d, want);
	if (d->lied) {
		MUST(!d->stop(), "%s does not close", d->program);
		try_connect(d, want);
	}
	d->lied = false;
	d->clean = true;
}

/* As a kernel that knows nothing of what was before it. */
static void take_over(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)b;
	if (d->watched)
		d->abandon();
	d->watched = false;
	connect_device(d, a);
	d->drop();
}

static void reopen(struct system_dev *d, uint64_t a, uint64_t b)
{
	stop(d, a, b);
	connect_device(d, a);
}

/* It must work unless something was done to the device. */
static void verify(struct system_dev *d, uint64_t a, uint64_t b)
{
	if (d->clean && d->nqueues())
		d->verify(a, b);
}

/* What the toolstack says when it wants a device back. */
static void ask_back(const struct system_dev *d)
{
	struct edit e;

	do {
		begin_edit(&e);
		node(&e, d->be, "online", "0", false);
		node(&e, d->be, "state", "5", false);
	} while (!end_edit(&e));
}

static void remove_device(const struct system_dev *d)
{
	struct edit e;

	do {
		begin_edit(&e);
		MUST(xs_rm(e.xs, e.t, d->be) && xs_rm(e.xs, e.t, d->fe),
		     "cannot remove %s", d->be);
	} while (!end_edit(&e));
}

/*
 * Detach it, in good order or not, and attach it again.  Who has lied about its state
 * cannot be asked: it thinks that it has closed, and the backend waits for that.
 */
static void replug(struct system_dev *d, uint64_t a, uint64_t b)
{
	bool asked = a & 1 && d->watched && !d->lied;
	pid_t gone = -1;

	(void)b;
	if (asked) {
		ask_back(d);
		(void)d->stop();
	} else {
		remove_device(d);
	}
	for (int i = 0; i < SYSTEM_WAIT_MS && (gone = worker_of(d)) > 0; i += 5)
		usleep(5000);
	MUST(gone < 0, "%s stays though its device is gone", d->program);
	if (asked)
		remove_device(d);
	if (d->watched)
		d->abandon();
	d->watched = false;
	attach(d);
	wait_worker(d);
	connect_device(d, a >> 1);
	d->drop();
}

/* ---- What a frontend should not do -------------------------------------------- */

/* The directory of a queue, below the device's. */
static const char *queue_dir(const struct system_dev *d, uint64_t a)
{
	static char dir[24];

	dir[0] = '\0';
	if (d->nqueues() > 1)
		snprintf(dir, sizeof(dir), "/queue-%u",
			 (unsigned int)(a % d->nqueues()));
	return dir;
}

/* A ring of the connection that there is, or was last. */
static uint32_t *ring_words(struct system_dev *d, uint64_t a)
{
	const grant_entry_v1_t *e;
	uint64_t ref;

	if (!d->watched || !d->nqueues())
		return NULL;
	if (xenbus_read_u64(XENBUS_NO_TXN, FAKEDOM_GNT_FRAMES * 512 - 1, &ref,
			    "%s%s/%s", d->dir, queue_dir(d, a),
			    d->ring_key(a >> 40)))
		return NULL;
	e = fakedom_entry(dom, (uint32_t)ref);
	return e->flags & GTF_permit_access ? fakedom_page(dom, e->frame)
					    : NULL;
}

static void ring_bells(const struct system_dev *d, uint64_t a)
{
	uint64_t port;

	for (const char *const *key = d->bells; *key; key++) {
		if (!xenbus_read_u64(XENBUS_NO_TXN, EVENTS_PORTS, &port,
				     "%s%s/%s", d->dir, queue_dir(d, a),
				     *key) &&
		    fakedom_bound(dom, (uint32_t)port))
			events_send((uint32_t)port);
	}
}

/* A request of any bytes in the next slot, and the index that covers it. */
static void lie(struct system_dev *d, uint64_t a, uint64_t b)
{
	uint32_t *w = ring_words(d, a), at;
	uint8_t *slot;

	if (!w)
		return;
	d->clean = false;
	at = w[0];
	slot = (uint8_t *)w + 64 + (size_t)(at % d->slots) * d->slot;
	for (unsigned int i = 0; i < d->slot; i++)
		slot[i] = (uint8_t)(b >> i % 8 * 8);
	d->bend(slot, a);
	w[0] = at + 1;
	ring_bells(d, a);
}

static void index_lie(struct system_dev *d, uint64_t a, uint64_t b)
{
	uint32_t *w = ring_words(d, a);

	if (!w)
		return;
	d->clean = false;
	w[a % 4] += (uint32_t)b;
	ring_bells(d, a);
}

void system_scribble(uint32_t *page, uint64_t seed)
{
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t r = next(&seed);

		page[r % 1024] = (uint32_t)(r >> 32);
	}
}

static void noise(struct system_dev *d, uint64_t a, uint64_t b)
{
	uint32_t *w = ring_words(d, a);

	if (!w)
		return;
	d->clean = false;
	system_scribble(w, b);
	ring_bells(d, a);
}

static void storm(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)b;
	if (!d->watched)
		return;
	for (unsigned int i = 0; i < a % 2000; i++)
		ring_bells(d, a);
}

static void state(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)b;
	d->clean = false;
	d->lied = true;
	(void)xenbus_write_u64(XENBUS_NO_TXN, a % 11, "%s/state", d->dir);
}

static void key(struct system_dev *d, uint64_t a, uint64_t b)
{
	static const char *const values[] = { "",	    "0",	 "1",
					      "-1",	    "16",	 "99",
					      "x86_32-abi", "4294967296" };
	size_t n = 0;

	while (d->lies[n])
		n++;
	(void)xenbus_write(XENBUS_NO_TXN, values[b % ARRAY_SIZE(values)],
			   "%s%s/%s", d->dir, queue_dir(d, a >> 32),
			   d->lies[a % n]);
}

/* Grants change while they are in use. */
static void flip_grants(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)d;
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++)
		devs[i]->clean = false;
	for (unsigned int i = 0; i < 8; i++, a += 37)
		fakedom_entry(dom, 8 + (uint32_t)(a % 512))->flags ^=
			(uint16_t)(b & GTF_permit_access) |
			(uint16_t)(b >> 8 & GTF_readonly);
}

/* ---- Sudden death ---------------------------------------------------------------- */

static void kill_worker(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	d->clean = false;
	kill(d->worker, SIGKILL);
	wait_worker(d);
}

static void kill_parent(struct system_dev *d, uint64_t a, uint64_t b)
{
	(void)d;
	(void)a;
	(void)b;
	system_console_end(false);
	stack_new_backend(&s);
	system_console_wait();
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++) {
		devs[i]->clean = false;
		wait_worker(devs[i]);
	}
}

/*
 * The store is there again, and empty.  What is connected is served on; then the
 * toolstack says anew what there is, and the guest connects as if it began.  A worker
 * that was only starting may end for want of a store, and is started again, though
 * later each time.
 */
static void kill_store(struct system_dev *d, uint64_t a, uint64_t b)
{
	bool served[ARRAY_SIZE(devs)];

	(void)d;
	alarm(3 * SYSTEM_STEP_S);
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++)
		served[i] = devs[i]->clean;
	stack_new_store(&s);
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++)
		verify(devs[i], a, b);
	system_console_serves();
	if (b & 1)
		usleep((useconds_t)(b >> 8) %
		       2000000); /* they look meanwhile */
	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++) {
		take_over(devs[i], a, b);
		if (!served[i])
			devs[i]->worker = worker_of(devs[i]);
	}
	system_console_print(NULL, a, 1); /* its terminal has a name again */
}

static const struct {
	const char *name;
	struct system_dev *dev;
	void (*play)(struct system_dev *d, uint64_t a, uint64_t b);
	unsigned int weight;
} ops[] = {
	{ "disk-reopen", &system_disk, reopen, 6 },
	{ "disk-takeover", &system_disk, take_over, 2 },
	{ "disk-replug", &system_disk, replug, 2 },
	{ "disk-stop", &system_disk, stop, 2 },
	{ "disk-submit", &system_disk, system_disk_submit, 6 },
	{ "disk-reap", &system_disk, system_disk_reap, 4 },
	{ "disk-verify", &system_disk, verify, 6 },
	{ "disk-lie", &system_disk, lie, 4 },
	{ "disk-index", &system_disk, index_lie, 2 },
	{ "disk-noise", &system_disk, noise, 2 },
	{ "disk-storm", &system_disk, storm, 2 },
	{ "disk-state", &system_disk, state, 4 },
	{ "disk-key", &system_disk, key, 3 },
	{ "disk-kill", &system_disk, kill_worker, 1 },
	{ "card-reopen", &system_card, reopen, 6 },
	{ "card-takeover", &system_card, take_over, 2 },
	{ "card-replug", &system_card, replug, 2 },
	{ "card-stop", &system_card, stop, 2 },
	{ "card-send", &system_card, system_card_send, 5 },
	{ "card-receive", &system_card, system_card_receive, 3 },
	{ "card-host", &system_card, system_card_host, 3 },
	{ "card-verify", &system_card, verify, 6 },
	{ "card-lie", &system_card, lie, 4 },
	{ "card-index", &system_card, index_lie, 2 },
	{ "card-noise", &system_card, noise, 2 },
	{ "card-storm", &system_card, storm, 2 },
	{ "card-state", &system_card, state, 4 },
	{ "card-key", &system_card, key, 3 },
	{ "card-kill", &system_card, kill_worker, 1 },
	{ "console-print", NULL, system_console_print, 6 },
	{ "console-type", NULL, system_console_type, 3 },
	{ "console-index", NULL, system_console_index, 2 },
	{ "console-noise", NULL, system_console_noise, 1 },
	{ "console-storm", NULL, system_console_storm, 2 },
	{ "console-kill", NULL, system_console_kill, 3 },
	{ "revoke", NULL, flip_grants, 2 },
	{ "kill-parent", NULL, kill_parent, 1 },
	{ "kill-store", NULL, kill_store, 1 },
};

static void show_fds(void)
{
	char path[64], to[128];
	ssize_t n;

	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)s.backend,
			 fd);
		n = readlink(path, to, sizeof(to));
		if (n > 0)
			fprintf(stderr, "%d: %.*s\n", fd, (int)n, to);
	}
}

/* A connection that has ended may be closed a moment later. */
static void expect_fds(unsigned int n)
{
	for (int i = 0; i < SYSTEM_WAIT_MS && stack_fds(&s) != n; i += 5)
		usleep(5000);
	if (stack_fds(&s) != n)
		show_fds();
	MUST(stack_fds(&s) == n, "sv-backend has %u descriptors, not %u",
	     stack_fds(&s), n);
}

/* Does not return: the process is the run. */
static void play(const struct script *sc)
{
	unsigned int fds;

	alarm(SYSTEM_STEP_S);
	make_world();
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++) {
		reopen(devs[i], 0, 0);
		verify(devs[i], 0, 1);
	}
	fds = stack_fds(&s);
	for (unsigned int i = 0; i < sc->n; i++) {
		const struct step *st = &sc->step[i];

		alarm(SYSTEM_STEP_S);
		fprintf(stderr, "action %u: %s\n", i, ops[st->op].name);
		ops[st->op].play(ops[st->op].dev, st->a, st->b);
		look();
	}
	alarm(2 * SYSTEM_STEP_S);
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++) {
		reopen(devs[i], 0, 0);
		verify(devs[i], 0, 99);
	}
	system_console_restore();
	expect_fds(fds);
	for (size_t i = 0; i < ARRAY_SIZE(devs); i++)
		MUST(!devs[i]->stop(), "%s does not close", devs[i]->program);
	fakedom_free(dom);
	MUST(stack_stop(&s), "a daemon did not end well");
	system_leave(0);
}

/* ---- Scripts -------------------------------------------------------------------------- */

static bool passes(const struct script *sc, bool quiet)
{
	int status, null;
	pid_t pid = fork();

	if (pid == 0) {
		null = quiet ? open("/dev/null", O_WRONLY) : -1;
		if (null >= 0)
			dup2(null, STDERR_FILENO);
		play(sc);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(2);
	if (!quiet && WIFSIGNALED(status))
		fprintf(stderr, "ended by signal %d%s\n", WTERMSIG(status),
			WTERMSIG(status) == SIGALRM ? ": an action hangs" : "");
	return status == 0;
}

static void generate(struct script *sc, uint64_t seed, unsigned int steps)
{
	unsigned int all = 0, pick, op;

	for (op = 0; op < ARRAY_SIZE(ops); op++)
		all += ops[op].weight;
	sc->n = steps;
	for (unsigned int i = 0; i < steps; i++) {
		pick = (unsigned int)(next(&seed) % all);
		for (op = 0; pick >= ops[op].weight; op++)
			pick -= ops[op].weight;
		sc->step[i] = (struct step){ op, next(&seed), next(&seed) };
	}
}

static void without(const struct script *sc, unsigned int at, unsigned int n,
		    struct script *out)
{
	*out = *sc;
	memmove(out->step + at, sc->step + at + n,
		(sc->n - at - n) * sizeof(sc->step[0]));
	out->n -= n;
}

/* Leave out what can be left out, in ever smaller pieces. */
static void shrink(struct script *sc)
{
	struct script less;

	for (unsigned int n = sc->n / 2; n; n /= 2) {
		for (unsigned int at = 0; at + n <= sc->n;) {
			without(sc, at, n, &less);
			if (passes(&less, true))
				at += n;
			else
				*sc = less;
		}
	}
}

static void print(const struct script *sc)
{
	for (unsigned int i = 0; i < sc->n; i++)
		printf("# %s %llu %llu\n", ops[sc->step[i].op].name,
		       (unsigned long long)sc->step[i].a,
		       (unsigned long long)sc->step[i].b);
}

/* Lines as print() makes them; the "# " may be there. */
static int load(struct script *sc, const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long long a, b;
	char line[128], name[32];
	unsigned int op;

	if (!f)
		return -errno;
	sc->n = 0;
	while (sc->n < MAX_STEPS && fgets(line, sizeof(line), f)) {
		if (sscanf(line + (line[0] == '#' ? 2 : 0), "%31s %llu %llu",
			   name, &a, &b) != 3)
			continue;
		for (op = 0; op < ARRAY_SIZE(ops); op++) {
			if (!strcmp(ops[op].name, name))
				sc->step[sc->n++] = (struct step){ op, a, b };
		}
	}
	fclose(f);
	return 0;
}

static bool run_one(unsigned int nr, uint64_t seed, unsigned int steps)
{
	struct script sc;

	generate(&sc, seed, steps);
	if (passes(&sc, false)) {
		printf("ok %u - seed %llu, %u actions\n", nr,
		       (unsigned long long)seed, steps);
		return true;
	}
	printf("not ok %u - seed %llu, %u actions\n", nr,
	       (unsigned long long)seed, steps);
	shrink(&sc);
	print(&sc);
	return false;
}

static int replay(const char *path)
{
	struct script sc = { 0 };
	int ret = load(&sc, path);

	if (!ret && !sc.n)
		ret = -EINVAL;
	if (ret) {
		fprintf(stderr, "system: script %s: %s\n", path,
			ret == -EINVAL ? "no action in it" : strerror(-ret));
		return 2;
	}
	return passes(&sc, false) ? 0 : 1;
}

static uint64_t number(const char *text)
{
	uint64_t v;

	if (util_u64(text, UINT64_MAX, &v)) {
		fprintf(stderr, "system: not a number: %s\n", text);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", 1, NULL, 's' },    { "scripts", 1, NULL, 'n' },
		{ "seconds", 1, NULL, 't' }, { "steps", 1, NULL, 'k' },
		{ "script", 1, NULL, 'f' },  { 0 },
	};
	uint64_t seed = 1, scripts = 8, seconds = 0, steps = 40;
	unsigned int failed = 0, nr = 0;
	time_t end;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's')
			seed = number(optarg);
		else if (c == 'n')
			scripts = number(optarg);
		else if (c == 't')
			seconds = number(optarg);
		else if (c == 'k')
			steps = number(optarg);
		else if (c == 'f')
			return replay(optarg);
		else
			return 2;
	}
	setlinebuf(stdout);
	steps = steps < MAX_STEPS ? steps : MAX_STEPS;
	end = time(NULL) + (time_t)seconds;
	for (; seconds ? time(NULL) < end : nr < scripts; seed++)
		failed += !run_one(++nr, seed * UINT64_C(0x9e3779b97f4a7c15),
				   (unsigned int)steps);
	printf("1..%u\n", nr);
	return failed != 0;
}
