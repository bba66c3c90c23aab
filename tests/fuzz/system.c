// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/system.c - a domain that does anything to live daemons (F18).
//
// usage: system [--seed N] [--scripts N | --seconds N] [--steps N]
//        system --script FILE
//
// A script is a list of actions of a block frontend: honest ones, lies, noise in
// shared memory, and the sudden death of a worker or of their parent.  It is played
// by a process domain against sv-xenstored, sv-backend and sv-blkback.  After each
// action all daemons must live and answer; a worker may end only if the script
// killed it; at the end the disk must connect and keep what is written to it, and
// no descriptor may be left over.  A script that fails is cut down to the actions
// that it takes, and printed; --script plays it again.
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
#include <xen/io/blkif.h>

#include "base/util.h"
#include "guest-frontend/blkfront.h"
#include "guest-frontend/events.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/xenbus.h"
#include "tests/lib/procdom.h"
#include "tests/lib/stack.h"

#define DOMID	  3u
#define DEVID	  51712u
#define FE	  "/local/domain/3/device/vbd/51712"
#define BE	  "/local/domain/0/backend/vbd/3/51712"
#define SECTORS	  8192u
#define MAX_STEPS 256u
#define DEPTH	  16u
#define SLOT	  112u
#define SECOND	  UINT64_C(1000000000)
#define STEP_S	  30 /* an action that takes longer is a hang */

struct step {
	unsigned int op;
	uint64_t a, b;
};

struct script {
	unsigned int n;
	struct step step[MAX_STEPS];
};

/* ---- The world of one run; in a process of its own --------------------------- */

static struct stack s;
static struct fakedom *dom;
static struct blkfront disk;
static struct blkfront_io ios[DEPTH];
static bool watched, clean, state_lied;
static pid_t worker;
static uint8_t value;
static char image[] = "/tmp/sv-system-XXXXXX";

#define MUST(cond, ...)                               \
	do {                                          \
		if (!(cond)) {                        \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr);          \
			leave_world(1);               \
		}                                     \
	} while (0)

static void leave_world(int status)
{
	unlink(image);
	fakedom_run_dir_remove();
	_exit(status);
}

static void node(struct xs_handle *xs, const char *path, const char *text,
		 bool guest)
{
	struct xs_permissions perm[2] = {
		{ .id = guest ? DOMID : 0, .perms = XS_PERM_NONE },
		{ .id = guest ? 0 : DOMID, .perms = XS_PERM_READ },
	};

	MUST(xs_write(xs, XBT_NULL, path, text, (unsigned int)strlen(text)) &&
		     xs_set_permissions(xs, XBT_NULL, path, perm, 2),
	     "cannot write %s", path);
}

static void attach_disk(void)
{
	static const char *const keys[][2] = {
		{ "params", image }, { "frontend-id", "3" },
		{ "online", "1" },   { "removable", "0" },
		{ "dev", "xvda" },   { "type", "phy" },
		{ "mode", "w" },     { "device-type", "disk" },
		{ "frontend", FE },  { "state", "1" },
	};
	struct xs_handle *xs = xs_open(0);
	char path[128];

	MUST(xs, "no store");
	node(xs, "/local/domain/3", "", false);
	node(xs, "/local/domain/3/error", "", true);
	node(xs, FE, "", true);
	node(xs, FE "/backend", BE, false);
	node(xs, FE "/backend-id", "0", false);
	node(xs, FE "/state", "1", true);
	node(xs, BE, "", false);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(path, sizeof(path), "%s/%s", BE, keys[i][0]);
		node(xs, path, keys[i][1], false);
	}
	MUST(xs_introduce_domain(xs, DOMID, FAKEDOM_STORE_GFN,
				 FAKEDOM_STORE_PORT),
	     "not introduced");
	xs_close(xs);
}

static void make_world(void)
{
	int fd = mkstemp(image);

	if (fd < 0 || ftruncate(fd, SECTORS * (off_t)512))
		exit(2);
	close(fd);
	stack_start(&s, true);
	dom = fakedom_new(DOMID, 16384);
	procdom_use(dom);
	attach_disk();
	MUST(!xenbus_init(), "no store ring");
	MUST(stack_wait_workers(&s, 1), "no worker");
	(void)stack_workers(&s, &worker);
	for (unsigned int i = 0; i < DEPTH; i++)
		ios[i].buf = pages_alloc(4);
}

/* What must hold after every action. */
static void look(void)
{
	pid_t now = 0;
	char *text = NULL;

	MUST(waitpid(s.xenstored, NULL, WNOHANG) == 0, "sv-xenstored ended");
	MUST(waitpid(s.backend, NULL, WNOHANG) == 0, "sv-backend ended");
	MUST(!store_read(s.store, &text, "%s/online", BE), "no answer");
	free(text);
	MUST(stack_workers(&s, &now) == 1 && now == worker,
	     "the worker ended by itself");
}

/* ---- Honest actions --------------------------------------------------------- */

static struct blkfront_want want_of(uint64_t a)
{
	return (struct blkfront_want){
		.queues = (unsigned int)(a & 3),
		.order = (unsigned int)(a >> 2 & 3),
		.segs = a & 16 ? 64 : 0,
		.abi32 = a & 32,
		.persistent = a & 64,
	};
}

static void stop(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	if (watched)
		(void)blkfront_stop(&disk);
	clean = false;
}

/*
 * An honest frontend gets its connection, if not at once: the backend may still be
 * busy with what it was told before, and close once more for that.
 */
static void try_connect(const struct blkfront_want *want)
{
	int ret = -XEN_EAGAIN;

	for (int i = 0; ret && i < 5; i++)
		ret = watched ? blkfront_again(&disk, want)
			      : blkfront_open(&disk, DEVID, want);
	MUST(!ret, "an honest frontend cannot connect: %d", ret);
	watched = true;
}

/*
 * Who said Connected without keys may find that the backend took its word while
 * the keys were being written, some old and some new.  Once closed in good order,
 * nothing of that is left.
 */
static void connect_disk(uint64_t a)
{
	struct blkfront_want want = want_of(a);

	try_connect(&want);
	if (state_lied) {
		MUST(!blkfront_stop(&disk), "the backend does not close");
		try_connect(&want);
	}
	state_lied = false;
	clean = true;
}

/* As a kernel that knows nothing of what was before it. */
static void take_over(uint64_t a, uint64_t b)
{
	struct blkfront old = disk;

	(void)b;
	if (watched)
		front_fini(&old.front);
	watched = false;
	connect_disk(a);
	for (unsigned int i = 0; i < old.nqueues; i++)
		blkfront_queue_free(old.queue[i]);
}

static void reopen(uint64_t a, uint64_t b)
{
	stop(a, b);
	connect_disk(a);
}

static struct blkfront_queue *some_queue(uint64_t a)
{
	return disk.nqueues ? disk.queue[a % disk.nqueues] : NULL;
}

static void finish(struct blkfront_queue *q)
{
	do {
		while (blkfront_done(q))
			;
	} while (blkfront_wait(q, STEP_S * SECOND));
}

/* Requests that nobody waits for; those of last time have ended. */
static void submit(uint64_t a, uint64_t b)
{
	struct blkfront_queue *q = some_queue(a);

	for (unsigned int i = 0; clean && i < disk.nqueues; i++)
		finish(disk.queue[i]);
	for (unsigned int i = 0; q && clean && i < DEPTH; i++) {
		ios[i].op = b & 1 ? BLKIF_OP_READ : BLKIF_OP_WRITE;
		ios[i].sector = (b >> 1) % (SECTORS / 2 - 32);
		ios[i].nsectors = 1 + (b >> 8) % 32;
		(void)blkfront_submit(q, &ios[i]);
	}
	if (q)
		blkfront_push(q);
}

static void reap(uint64_t a, uint64_t b)
{
	struct blkfront_queue *q = some_queue(a);

	(void)b;
	while (q && blkfront_done(q))
		;
	if (q && blkfront_wait(q, SECOND / 100))
		(void)blkfront_done(q);
}

/* Write and read back; it must work unless something was done to the device. */
static void verify(uint64_t a, uint64_t b)
{
	struct blkfront_queue *q = some_queue(a);
	struct blkfront_io io = { .op = BLKIF_OP_WRITE,
				  .sector = SECTORS / 2 + b % 1024,
				  .nsectors = 1 + b % 32 };
	uint8_t *page;
	int ret;

	if (!q || !clean)
		return;
	finish(q);
	page = io.buf = pages_alloc(4);
	memset(page, ++value, io.nsectors * 512);
	ret = blkfront_do(q, &io);
	memset(page, 0, io.nsectors * 512);
	io.op = BLKIF_OP_READ;
	if (!ret)
		ret = blkfront_do(q, &io);
	MUST(!ret, "an honest request failed: %d", ret);
	for (size_t i = 0; i < io.nsectors * 512; i++)
		MUST(page[i] == value, "byte %zu is not what was written", i);
	pages_free(page, 4);
}

/* ---- What a frontend should not do -------------------------------------------- */

/* A ring of the connection that there is, or was last. */
static uint32_t *ring_words(uint64_t a)
{
	char queue[24] = "";
	const grant_entry_v1_t *e;
	uint64_t ref;

	if (!watched || !disk.nqueues)
		return NULL;
	if (disk.nqueues > 1)
		snprintf(queue, sizeof(queue), "/queue-%u",
			 (unsigned int)(a % disk.nqueues));
	if (xenbus_read_u64(XENBUS_NO_TXN, FAKEDOM_GNT_FRAMES * 512 - 1, &ref,
			    "%s%s/%s", disk.front.dir, queue,
			    disk.order ? "ring-ref0" : "ring-ref"))
		return NULL;
	e = fakedom_entry(dom, (uint32_t)ref);
	return e->flags & GTF_permit_access ? fakedom_page(dom, e->frame)
					    : NULL;
}

static void ring_bell(void)
{
	uint64_t port;

	if (!xenbus_read_u64(XENBUS_NO_TXN, EVENTS_PORTS, &port,
			     "%s/event-channel", disk.front.dir) &&
	    fakedom_bound(dom, (uint32_t)port))
		events_send((uint32_t)port);
}

/* A request of any bytes in the next slot, and the index that covers it. */
static void lie(uint64_t a, uint64_t b)
{
	uint32_t *w = ring_words(a), at;
	uint8_t *slot;

	if (!w)
		return;
	clean = false;
	at = w[0];
	slot = (uint8_t *)w + 64 + (at & 31) * SLOT;
	for (unsigned int i = 0; i < SLOT; i++)
		slot[i] = (uint8_t)(b >> i % 8 * 8);
	slot[0] = (uint8_t)(a % 8);
	slot[1] = (uint8_t)(a >> 8 & 15);
	if (a & 1u << 16)
		memset(slot + 16, 0, 8);
	w[0] = at + 1;
	ring_bell();
}

static void index_lie(uint64_t a, uint64_t b)
{
	uint32_t *w = ring_words(a);

	if (!w)
		return;
	clean = false;
	w[a % 4] += (uint32_t)b;
	ring_bell();
}

static void noise(uint64_t a, uint64_t b)
{
	uint32_t *w = ring_words(a);

	if (!w)
		return;
	clean = false;
	for (unsigned int i = 0; i < 64; i++) {
		b ^= b << 13;
		b ^= b >> 7;
		b ^= b << 17;
		w[b % 1024] = (uint32_t)(b >> 32);
	}
	ring_bell();
}

static void storm(uint64_t a, uint64_t b)
{
	(void)b;
	if (!watched)
		return;
	for (unsigned int i = 0; i < a % 2000; i++)
		ring_bell();
}

static void state(uint64_t a, uint64_t b)
{
	(void)b;
	clean = false;
	state_lied = true;
	(void)xenbus_write_u64(XENBUS_NO_TXN, a % 11, "device/vbd/%u/state",
			       DEVID);
}

static void key(uint64_t a, uint64_t b)
{
	static const char *const names[] = {
		"ring-ref",	    "ring-ref0",
		"ring-page-order",  "event-channel",
		"protocol",	    "multi-queue-num-queues",
		"queue-0/ring-ref", "feature-persistent",
	};
	static const char *const values[] = { "",	    "0",	 "1",
					      "-1",	    "16",	 "99",
					      "x86_32-abi", "4294967296" };

	(void)xenbus_write(XENBUS_NO_TXN, values[b % ARRAY_SIZE(values)],
			   "device/vbd/%u/%s", DEVID,
			   names[a % ARRAY_SIZE(names)]);
}

/* Grants change while they are in use. */
static void flip_grants(uint64_t a, uint64_t b)
{
	clean = false;
	for (unsigned int i = 0; i < 8; i++, a += 37)
		fakedom_entry(dom, 8 + (uint32_t)(a % 512))->flags ^=
			(uint16_t)(b & GTF_permit_access) |
			(uint16_t)(b >> 8 & GTF_readonly);
}

/* ---- Sudden death ---------------------------------------------------------------- */

static void wait_worker(void)
{
	MUST(stack_wait_workers(&s, 1), "no new worker");
	(void)stack_workers(&s, &worker);
}

static void kill_worker(uint64_t a, uint64_t b)
{
	pid_t now = 0, old = worker;

	(void)a;
	(void)b;
	clean = false;
	kill(worker, SIGKILL);
	for (int i = 0; i < 2000; i++) {
		if (stack_workers(&s, &now) == 1 && now != old)
			break;
		usleep(5000);
	}
	wait_worker();
	MUST(worker != old, "a killed worker is not replaced");
}

static void kill_parent(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	clean = false;
	stack_new_backend(&s);
	wait_worker();
}

static const struct {
	const char *name;
	void (*play)(uint64_t a, uint64_t b);
	unsigned int weight;
} ops[] = {
	{ "reopen", reopen, 6 },
	{ "takeover", take_over, 2 },
	{ "stop", stop, 2 },
	{ "submit", submit, 6 },
	{ "reap", reap, 4 },
	{ "verify", verify, 6 },
	{ "lie", lie, 4 },
	{ "index", index_lie, 2 },
	{ "noise", noise, 2 },
	{ "storm", storm, 2 },
	{ "state", state, 4 },
	{ "key", key, 3 },
	{ "revoke", flip_grants, 2 },
	{ "kill-worker", kill_worker, 1 },
	{ "kill-parent", kill_parent, 1 },
};

/* Does not return: the process is the run. */
static void play(const struct script *sc)
{
	unsigned int fds;

	alarm(STEP_S);
	make_world();
	reopen(0, 0);
	verify(0, 1);
	fds = stack_fds(&s);
	for (unsigned int i = 0; i < sc->n; i++) {
		alarm(STEP_S);
		fprintf(stderr, "action %u: %s\n", i, ops[sc->step[i].op].name);
		ops[sc->step[i].op].play(sc->step[i].a, sc->step[i].b);
		look();
	}
	alarm(2 * STEP_S);
	reopen(0, 0);
	verify(0, 99);
	MUST(stack_fds(&s) == fds, "sv-backend has %u descriptors, not %u",
	     stack_fds(&s), fds);
	MUST(!blkfront_close(&disk), "the disk does not close");
	fakedom_free(dom);
	MUST(stack_stop(&s), "a daemon did not end well");
	leave_world(0);
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

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
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
