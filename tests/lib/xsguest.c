// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/xsguest.c - guests of a real sv-xenstored, and a neighbour.
#include "tests/lib/xsguest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "tests/lib/patience.h"
#include "tests/lib/proc.h"

#define HDR sizeof(struct xsd_sockmsg)

#define CHECK(cond)                                                        \
	do {                                                               \
		if (!(cond)) {                                             \
			fprintf(stderr, "xsguest: %s:%d: %s (errno %d)\n", \
				__func__, __LINE__, #cond, errno);         \
			abort();                                           \
		}                                                          \
	} while (0)

/* ---- Life --------------------------------------------------------------- */

void xsguest_attach(struct xsguest *g)
{
	struct stream_map req = STREAM_MAP(g->page, req);
	struct stream_map rsp = STREAM_MAP(g->page, rsp);

	CHECK(!stream_writer_attach(&g->req, &req, STREAM_WAKE_ALWAYS));
	CHECK(!stream_reader_attach(&g->rsp, &rsp, STREAM_WAKE_ALWAYS));
	g->in_len = 0;
}

void xsguest_begin(struct xsguest *g)
{
	memset(g->page, 0, SV_PAGE_SIZE);
	xsguest_attach(g);
}

bool xsguest_introduce(struct xs_handle *h, struct xsguest *g)
{
	xsguest_begin(g);
	return xs_introduce_domain(h, g->domid, FAKEDOM_STORE_GFN,
				   FAKEDOM_STORE_PORT);
}

static void make_home(struct xs_handle *h, unsigned int domid)
{
	struct xs_permissions reads[2] = { { 0, XS_PERM_NONE },
					   { domid, XS_PERM_READ } };
	struct xs_permissions owns = { domid, XS_PERM_NONE };
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	CHECK(xs_mkdir(h, XBT_NULL, path));
	CHECK(xs_set_permissions(h, XBT_NULL, path, reads, 2));
	snprintf(path, sizeof(path), "/local/domain/%u/data", domid);
	CHECK(xs_mkdir(h, XBT_NULL, path));
	CHECK(xs_set_permissions(h, XBT_NULL, path, &owns, 1));
}

struct xsguest *xsguest_create(unsigned int domid)
{
	struct xsguest *g = calloc(1, sizeof(*g));

	CHECK(g);
	g->domid = domid;
	g->dom = fakedom_new(domid, 2);
	g->page = fakedom_store_page(g->dom);
	return g;
}

struct xsguest *xsguest_new(struct xs_handle *h, unsigned int domid)
{
	struct xsguest *g = xsguest_create(domid);

	make_home(h, domid);
	CHECK(xsguest_introduce(h, g));
	return g;
}

void xsguest_free(struct xsguest *g)
{
	fakedom_free(g->dom);
	free(g);
}

/* ---- The ring ----------------------------------------------------------- */

void xsguest_kick(struct xsguest *g)
{
	fakedom_send(g->dom, FAKEDOM_STORE_PORT);
}

bool xsguest_put(struct xsguest *g, uint32_t type, uint32_t tx,
		 const void *data, size_t len)
{
	struct xsd_sockmsg h = { .type = type,
				 .req_id = ++g->last_id,
				 .tx_id = tx,
				 .len = (uint32_t)len };
	uint32_t used = g->page->req_prod -
			__atomic_load_n(&g->page->req_cons, __ATOMIC_ACQUIRE);
	bool notify;

	if (HDR + len > XENSTORE_RING_SIZE - used)
		return false;
	CHECK(stream_write(&g->req, &h, HDR, &notify) == (int)HDR);
	CHECK(stream_write(&g->req, data, len, &notify) == (int)len);
	xsguest_kick(g);
	return true;
}

/* Go on with the message at the front; Return: whether it is whole now. */
static bool take_one(struct xsguest *g, struct xsd_sockmsg *h)
{
	bool notify = false;
	size_t want = HDR;
	int n;

	do {
		if (g->in_len >= HDR) {
			memcpy(h, g->in, HDR);
			CHECK(h->len <= XENSTORE_PAYLOAD_MAX);
			want = HDR + h->len;
		}
		n = stream_read(&g->rsp, g->in + g->in_len, want - g->in_len,
				&notify);
		CHECK(n >= 0);
		g->in_len += (size_t)n;
	} while (n && want == HDR);
	if (notify)
		xsguest_kick(g);
	return g->in_len >= HDR && g->in_len == want;
}

unsigned int xsguest_take(struct xsguest *g)
{
	unsigned int answers = 0;
	struct xsd_sockmsg h;

	while (take_one(g, &h)) {
		g->in_len = 0;
		if (h.type == XS_WATCH_EVENT) {
			g->events++;
			if (g->event)
				g->event(g, g->in + HDR, h.len);
			continue;
		}
		g->head = h;
		memcpy(g->reply, g->in + HDR, h.len);
		g->reply[h.len] = '\0';
		answers++;
	}
	return answers;
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsd_errors); i++)
		if (!strcmp(xsd_errors[i].errstring, name))
			return -xsd_errors[i].errnum;
	return -EBADMSG;
}

int xsguest_op(struct xsguest *g, uint32_t type, uint32_t tx, const void *data,
	       size_t len)
{
	uint64_t end = util_clock_ns() + PATIENCE_NS;
	bool sent = xsguest_put(g, type, tx, data, len);
	uint32_t id = g->last_id;

	while (util_clock_ns() < end) {
		if (xsguest_take(g) && sent && g->head.req_id == id)
			break;
		if (!sent) {
			sent = xsguest_put(g, type, tx, data, len);
			id = g->last_id;
		}
		fakedom_wait(g->dom, FAKEDOM_STORE_PORT, 100);
	}
	if (!sent || g->head.req_id != id)
		return -ETIMEDOUT;
	if (g->head.type == XS_ERROR)
		return error_number(g->reply);
	return g->head.type == type ? (int)g->head.len : -EBADMSG;
}

int xsguest_str(struct xsguest *g, uint32_t type, uint32_t tx, const char *s)
{
	return xsguest_op(g, type, tx, s, strlen(s) + 1);
}

int xsguest_write(struct xsguest *g, uint32_t tx, const char *path,
		  const char *value)
{
	size_t n = strlen(path) + 1, len = strlen(value);
	char buf[XENSTORE_PAYLOAD_MAX];

	CHECK(n + len <= sizeof(buf));
	memcpy(buf, path, n);
	memcpy(buf + n, value, len);
	return xsguest_op(g, XS_WRITE, tx, buf, n + len);
}

/* ---- A neighbour -------------------------------------------------------- */

#define LEAST_ROUNDS 150u /* after the baseline */

struct work {
	struct neighbour *n;
	struct xsguest *g;
	struct xs_handle *h;
	char path[64]; /* of the number that both count up */
};

static void expect(struct work *w, bool true_as_it_should, const char *what)
{
	if (true_as_it_should)
		return;
	fprintf(stderr, "neighbour %u: %s (errno %d, '%s')\n", w->n->domid,
		what, errno, w->g->reply);
	atomic_fetch_add(&w->n->errors, 1);
}

/* dom0 reads and counts up in a transaction that nobody can disturb. */
static void dom0_counts(struct work *w, const char *from, const char *to)
{
	xs_transaction_t t = xs_transaction_start(w->h);
	unsigned int len;
	char *got;

	expect(w, t != XBT_NULL, "no transaction");
	got = xs_read(w->h, t, w->path, &len);
	expect(w, got && !strcmp(got, from), "dom0 reads something else");
	expect(w, xs_write(w->h, t, w->path, to, (unsigned int)strlen(to)),
	       "dom0 cannot write");
	expect(w, xs_transaction_end(w->h, t, false), "dom0 cannot commit");
	free(got);
}

static void round_of_work(struct work *w, unsigned int i)
{
	uint64_t start = util_clock_ns();
	char odd[16], even[16];
	uint64_t took;
	unsigned int ms;

	snprintf(odd, sizeof(odd), "%u", 2 * i + 1);
	snprintf(even, sizeof(even), "%u", 2 * i + 2);
	expect(w, xsguest_write(w->g, 0, "data/n", odd) == 3,
	       "the guest cannot write");
	dom0_counts(w, odd, even);
	expect(w, xsguest_str(w->g, XS_READ, 0, "data/n") > 0,
	       "the guest cannot read");
	expect(w, !strcmp(w->g->reply, even), "the guest reads another value");
	took = util_clock_ns() - start;
	latency_add(i < NEIGHBOUR_BASELINE ? &w->n->before : &w->n->during,
		    took);
	ms = (unsigned int)(took / 1000000);
	if (ms > atomic_load(&w->n->worst_ms))
		atomic_store(&w->n->worst_ms, ms);
	atomic_fetch_add(&w->n->rounds, 1);
}

static void *live(void *arg)
{
	struct neighbour *n = arg;
	struct work w = { .n = n, .h = xs_open(0) };

	CHECK(w.h);
	w.g = xsguest_new(w.h, n->domid);
	snprintf(w.path, sizeof(w.path), "/local/domain/%u/data/n", n->domid);
	for (unsigned int i = 0; !atomic_load(&n->stop); i++) {
		round_of_work(&w, i);
		usleep(2000);
	}
	xsguest_free(w.g);
	xs_close(w.h);
	return NULL;
}

void neighbour_start(struct neighbour *n, unsigned int domid)
{
	memset(n, 0, sizeof(*n));
	n->domid = domid;
	CHECK(!pthread_create(&n->thread, NULL, live, n));
	while (atomic_load(&n->rounds) < NEIGHBOUR_BASELINE)
		usleep(1000);
}

void neighbour_stop(struct neighbour *n)
{
	while (atomic_load(&n->rounds) < NEIGHBOUR_BASELINE + LEAST_ROUNDS &&
	       !atomic_load(&n->errors))
		usleep(1000);
	atomic_store(&n->stop, true);
	CHECK(!pthread_join(n->thread, NULL));
}

/* ---- The bed ------------------------------------------------------------ */

void xsbed_start(struct xsbed *b)
{
	int fd;

	memset(b, 0, sizeof(*b));
	snprintf(b->log, sizeof(b->log), "/tmp/sv-store-log-XXXXXX");
	fd = mkstemp(b->log);
	CHECK(fd >= 0);
	close(fd);
	setenv("SV_TEST_LOG", b->log, 1);
	stack_start(&b->s, false);
	b->store = b->s.xenstored;
	b->h = xs_open(0);
	CHECK(b->h);
	neighbour_start(&b->n, 2);
}

static bool fine(bool is, const char *what, unsigned int n)
{
	if (!is)
		fprintf(stderr, "xsbed: %s (%u)\n", what, n);
	return is;
}

static bool accounts_agree(struct xsbed *b)
{
	char *text = xs_control_command(b->h, "check", NULL, 0);
	bool agree = text && !strcmp(text, "OK");

	free(text);
	return agree;
}

bool xsbed_stop(struct xsbed *b, unsigned int worst_ms)
{
	bool good;

	if (!atomic_load(&b->n.stop))
		neighbour_stop(&b->n);
	good = fine(!b->n.errors, "wrong or missing answers", b->n.errors);
	good &= fine(b->n.rounds > NEIGHBOUR_BASELINE + 2,
		     "hardly any work was done", b->n.rounds);
	good &= fine(b->n.worst_ms <= worst_ms, "ms for one round",
		     b->n.worst_ms);
	good &= fine(latency_kept("neighbour's store", &b->n.before,
				  &b->n.during),
		     "the neighbour was slowed down", b->n.worst_ms);
	good &= fine(accounts_agree(b), "accounts differ from the tree", 0);
	xs_close(b->h);
	/* Also that it is the same process, by waiting for it. */
	good &= fine(stack_stop(&b->s), "the store did not end in order", 0);
	unlink(b->log);
	return good;
}

bool xsbed_idle(struct xsbed *b)
{
	unsigned long used = 0;

	neighbour_stop(&b->n);
	/* What is still to be done may take a while. */
	for (int i = 0; i < 20; i++) {
		used = proc_cpu_ms(b->store);
		usleep(1000000);
		used = proc_cpu_ms(b->store) - used;
		if (used <= 50)
			return true;
	}
	return fine(false, "ms of CPU for idling", (unsigned int)used);
}

unsigned long long xsbed_rss_kib(const struct xsbed *b)
{
	return proc_status(b->store, "VmRSS:", 10);
}

unsigned int xsbed_logged(const struct xsbed *b, const char *text)
{
	FILE *f = fopen(b->log, "re");
	unsigned int n = 0;
	char line[1100];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

/* The number in the line that begins with @key of a table with colons. */
static long number_of(char *table, const char *key)
{
	long n = -1;

	CHECK(table);
	for (char *s = table; s && *s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (!strncmp(s, key, strlen(key)) && s[strlen(key)] == ' ')
			n = strtol(strchr(s, ':') + 1, NULL, 10);
	}
	free(table);
	return n;
}

long xsbed_uses(struct xsbed *b, unsigned int domid, const char *quota)
{
	char id[16];
	int len = snprintf(id, sizeof(id), "%u", domid) + 1;

	return number_of(xs_control_command(b->h, "quota", id,
					    (unsigned int)len),
			 quota);
}

long xsbed_count(struct xsbed *b, const char *what)
{
	return number_of(xs_control_command(b->h, "memreport", NULL, 0), what);
}
