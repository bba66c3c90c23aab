// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/domain.c - domains that were introduced to the store.
#include "xenstore-lite/domain.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ring/shm.h"
#include "xenstore-lite/batch.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/hash.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/ledger.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"

/*
 * How it works
 *
 * A domain is known from INTRODUCE until RELEASE or until its domain socket
 * closes, which the kernel does when the VMM dies, however it dies.  Then its
 * connection goes, the nodes that it owns go, and all rights given to its
 * domid so far become void; then @releaseDomain fires.  A shutdown fires
 * @releaseDomain too, once, but the domain stays until its VMM has gone: by
 * then, and not before, backends may forget it.  One that was only suspended and
 * goes on may shut down again.
 *
 * A domain may be known before: SET_FEATURE and SET_QUOTA may come first.  What they
 * say goes when the VMM that they found has gone.
 *
 * A VMM may have fallen to its guest.  Everybody else waits while INTRODUCE asks
 * it for page and event channel, so there is little time for its answers; what
 * it gives must be memory that stays, and descriptors that never block.
 *
 * A store that follows one that was killed knows the domains from the journal and
 * joins them again.  One whose VMM does not answer stays known, unserved, and is
 * tried again.
 */
struct domain {
	struct hlink link;
	TAILQ_ENTRY(domain) entry;
	unsigned int domid;
	uint32_t port, life; /* as of struct dom_info; so are */
	uint32_t pid;
	uint64_t start_ns;
	uint32_t features;
	bool introduced;
	bool shutdown;	  /* announced already */
	struct dom *sock; /* NULL till it was joined again */
	struct event *ev, *kick_ev;
	void SHM *page;
	int kick, call;
	struct conn *conn;
};

#define MESSAGES_AT_ONCE 16
#define REJOIN_S	 10

static struct event_base *loop;
static struct event *rejoin_ev;
static struct tree *live;
static struct htab domains;
TAILQ_HEAD(domain_list, domain);
static struct domain_list list = TAILQ_HEAD_INITIALIZER(list);

void domain_setup(struct event_base *base, struct tree *tree)
{
	loop = base;
	live = tree;
}

static uint64_t domid_hash(unsigned int domid)
{
	return hash_bytes(&domid, sizeof(domid), 6);
}

static struct domain *find(unsigned int domid)
{
	struct hlink *l = htab_first(&domains, domid_hash(domid));

	for (; l; l = htab_next(l)) {
		struct domain *d = container_of(l, struct domain, link);

		if (d->domid == domid)
			return d;
	}
	return NULL;
}

static struct domain *find_introduced(unsigned int domid)
{
	struct domain *d = find(domid);

	return d && d->introduced ? d : NULL;
}

bool domain_is_introduced(unsigned int domid)
{
	return domid == 0 || find_introduced(domid);
}

unsigned int domain_count(void)
{
	const struct domain *d;
	unsigned int n = 0;

	TAILQ_FOREACH (d, &list, entry)
		n += d->introduced;
	return n;
}

static void note(const struct domain *d)
{
	const struct record_domain r = { .domid = d->domid,
					 .life = d->life,
					 .pid = d->pid,
					 .start_ns = d->start_ns,
					 .shutdown = d->shutdown,
					 .early = !d->introduced };

	record_domain(&r);
	if (d->features != WIRE_FEATURES)
		record_features(d->domid, d->features);
}

/* The connection is another one, or there is none. */
static void note_ring(const struct domain *d)
{
	note(d);
	if (d->conn)
		conn_record(d->conn);
	else
		record_no_ring(d->domid);
}

void domain_record_all(void)
{
	const struct domain *d;

	for (d = TAILQ_FIRST(&list); d; d = TAILQ_NEXT(d, entry))
		note_ring(d);
}

/* ---- End --------------------------------------------------------------- */

/* The page and the event channel, which no connection uses any more. */
static void leave_ring(struct domain *d)
{
	if (d->kick_ev)
		event_free(d->kick_ev);
	d->kick_ev = NULL;
	if (d->page)
		munmap(shm_bulk(d->page), SV_PAGE_SIZE);
	d->page = NULL;
	fd_close(&d->kick);
	fd_close(&d->call);
}

static void domain_free(struct domain *d)
{
	if (d->conn)
		conn_free(d->conn);
	if (d->ev)
		event_free(d->ev);
	leave_ring(d);
	dom_free(d->sock);
	free(d);
}

/* A dead owner's node goes with all below; the root can only change hands. */
static int remove_node(struct batch *b, const char *path)
{
	struct perms *priv;
	int ret;

	if (strcmp(path, "/") != 0)
		return batch_rm(b, path);
	priv = perm_default(0);
	ret = priv ? batch_chmod(b, path, priv) : -ENOMEM;
	perm_put(priv);
	return ret;
}

/*
 * The topmost node above, or at, one that a domain owns which it owns too: with it
 * the others go, and who watches above them hears of it once.
 */
static const struct owned *topmost(const struct owned *o, unsigned int domid)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	struct owned *up;

	memcpy(path, o->path, o->len + 1);
	for (char *end = strrchr(path, '/'); end && end > path;
	     end = strrchr(path, '/')) {
		*end = '\0';
		up = owned_find(domid, path);
		if (up)
			o = up;
	}
	return o;
}

/* Remove every node that @domid owns, wherever it is (XSA-322, XSA-419). */
static void remove_nodes(unsigned int domid)
{
	struct account *a = account_find(domid);
	struct owned *o;
	struct batch b;

	if (!a)
		return;
	a->pins++;
	while ((o = LIST_FIRST(&a->list))) {
		int ret;

		batch_init(&b, live);
		ret = remove_node(&b, topmost(o, domid)->path);
		if (ret) {
			/* The right is void anyway; never try for ever. */
			log_warn("dom%u: node %s stays behind: %s", domid,
				 o->path, strerror(-ret));
			owned_discharge(o);
			continue;
		}
		batch_publish(&b);
	}
	account_unpin(a);
}

/* Everything that ends with a domain, but not the announcement. */
static void bury(unsigned int domid)
{
	perm_died(domid);
	if (domid < DOMID_LIMIT)
		record_life(domid, perm_life(domid));
	remove_nodes(domid);
	account_forget(domid);
}

static void forget(struct domain *d)
{
	htab_del(&domains, &d->link);
	TAILQ_REMOVE(&list, d, entry);
	domain_free(d);
}

static void domain_gone(struct domain *d, const char *why)
{
	unsigned int domid = d->domid;
	bool introduced = d->introduced;

	log_info("dom%u: %s", domid, why);
	forget(d);
	record_domain_gone(domid);
	bury(domid);
	if (introduced)
		watch_fire_special(PATH_RELEASE, domid, live);
}

int domain_release(unsigned int domid)
{
	struct domain *d = find(domid);
	int ret = d && d->introduced ? 0 : -ENOENT;

	if (d)
		domain_gone(d, "released");
	else if (domid)
		bury(domid);
	return ret;
}

void domain_free_all(void)
{
	struct domain *d;

	while ((d = TAILQ_FIRST(&list)))
		forget(d);
	htab_fini(&domains);
	if (rejoin_ev)
		event_free(rejoin_ev);
	rejoin_ev = NULL;
}

/* ---- Life -------------------------------------------------------------- */

static void set_shutdown(struct domain *d, bool shutdown)
{
	if (d->shutdown == shutdown)
		return;
	d->shutdown = shutdown;
	note(d);
}

static void on_message(evutil_socket_t fd, short what, void *arg)
{
	struct domain *d = arg;
	struct dom_msg msg;
	int ret = 0;

	(void)fd;
	(void)what;
	/* The loop calls again while there is more. */
	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ret = dom_event(d->sock, &msg);
		if (ret != 1)
			break;
		if (msg.type == DOM_EV_RESUMED)
			set_shutdown(d, false);
		if (msg.type != DOM_EV_SHUTDOWN || d->shutdown ||
		    !d->introduced)
			continue;
		set_shutdown(d, true);
		log_info("dom%u: shut down, reason %u", d->domid,
			 msg.u.info.reason);
		watch_fire_special(PATH_RELEASE, d->domid, live);
	}
	if (ret < 0)
		domain_gone(d, "its VMM has gone");
}

/* SYSCALLS: read */
static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct domain *d = arg;
	uint64_t n;

	(void)what;
	/* Only the wake-up matters, not the count. */
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_warn("dom%u: cannot read its event channel: %s", d->domid,
			 strerror(errno));
	if (!d->conn)
		return;
	d->conn->readable = true;
	conn_kick(d->conn);
}

static int watch_fd(struct event **out, int fd, event_callback_fn fn,
		    struct domain *d)
{
	*out = event_new(loop, fd, EV_READ | EV_PERSIST, fn, d);
	return *out && !event_add(*out, NULL) ? 0 : -ENOMEM;
}

/* What the guest finds in its page when we begin. */
static void init_page(const struct domain *d)
{
	struct xenstore_domain_interface SHM *page = d->page;

	shm_release((shm_word SHM *)&page->server_features, d->features);
	shm_release((shm_word SHM *)&page->error, XENSTORE_ERROR_NONE);
	shm_release((shm_word SHM *)&page->connection, XENSTORE_CONNECTED);
}

/* SYSCALLS: fcntl */
static int join_ring(struct domain *d)
{
	int ret = dom_page(d->sock, &d->page, &d->port);

	if (!ret)
		ret = dom_evtchn_bind(d->sock, d->port, &d->kick, &d->call);
	if (!ret && (fcntl(d->kick, F_SETFL, O_NONBLOCK) ||
		     fcntl(d->call, F_SETFL, O_NONBLOCK)))
		ret = -errno;
	return ret ? ret : watch_fd(&d->kick_ev, d->kick, on_kick, d);
}

/* Its ring, where it and the toolstack say; and whether it has shut down before. */
static int find_ring(struct domain *d, uint64_t gfn, uint32_t port, bool *down)
{
	struct dom_info info;
	int ret = dom_info(d->sock, &info);

	if (!ret && (info.store_gfn != gfn || info.store_port != port)) {
		log_warn("dom%u: INTRODUCE says frame %#llx and port %u, the "
			 "domain %#llx and %u",
			 d->domid, (unsigned long long)gfn, port,
			 (unsigned long long)info.store_gfn, info.store_port);
		ret = -EINVAL;
	}
	if (ret)
		return ret;
	d->life = info.life;
	*down = info.state & DOM_SHUTDOWN;
	return join_ring(d);
}

/* A domain as it is before anything is known of it; NULL when out of memory. */
static struct domain *domain_alloc(unsigned int domid)
{
	struct domain *d = calloc(1, sizeof(*d));

	if (!d || htab_reserve(&domains)) {
		free(d);
		return NULL;
	}
	d->domid = domid;
	d->features = WIRE_FEATURES;
	d->kick = d->call = -1;
	htab_add(&domains, &d->link, domid_hash(domid));
	TAILQ_INSERT_TAIL(&list, d, entry);
	return d;
}

/* Look for a domain of which nothing is known yet. */
static int meet(unsigned int domid, struct domain **out)
{
	struct domain *d = domain_alloc(domid);
	struct dom_info info;
	int ret;

	if (!d)
		return -ENOMEM;
	ret = dom_connect(&d->sock, domid, DOM_ROLE_STORE, NULL, true);
	if (ret == -ECONNREFUSED)
		ret = -ENOENT;
	if (!ret)
		ret = dom_info(d->sock, &info);
	if (!ret)
		ret = watch_fd(&d->ev, dom_fd(d->sock), on_message, d);
	if (ret) {
		forget(d);
		return ret;
	}
	d->life = info.life;
	d->pid = info.pid;
	d->start_ns = info.start_ns;
	*out = d;
	return 0;
}

static int introduce(struct domain *d, uint64_t gfn, uint32_t port)
{
	bool down = false;
	int ret = find_ring(d, gfn, port, &down);

	if (!ret)
		ret = conn_new_ring(d, d->domid, d->page, d->call, &d->conn);
	if (ret) {
		leave_ring(d);
		return ret;
	}
	d->introduced = true;
	d->conn->features = d->features;
	init_page(d);
	note_ring(d);
	log_info("dom%u: introduced, port %u", d->domid, d->port);
	watch_fire_special(PATH_INTRODUCE, d->domid, live);
	if (down) {
		set_shutdown(d, true);
		watch_fire_special(PATH_RELEASE, d->domid, live);
	}
	/* A shutdown may have been announced while we made our calls. */
	event_active(d->ev, EV_READ, 0);
	return 0;
}

static int domain_new(unsigned int domid, uint64_t gfn, uint32_t port)
{
	struct domain *d;
	int ret = meet(domid, &d);

	if (ret)
		return ret;
	ret = introduce(d, gfn, port);
	if (ret)
		forget(d);
	return ret;
}

/* A guest that was resumed anew has another page and another channel. */
static int follow_life(struct domain *d)
{
	struct dom_info info;
	int ret = dom_info(d->sock, &info);

	/* What came while we asked. */
	event_active(d->ev, EV_READ, 0);
	if (ret || info.life == d->life)
		return ret;
	leave_ring(d);
	ret = join_ring(d);
	if (ret)
		return ret;
	d->life = info.life;
	log_info("dom%u: resumed anew", d->domid);
	return 0;
}

/* The same VMM, another kernel: what the old one had set up is void. */
static int restart(struct domain *d)
{
	struct perm_who who = { .target = -1 };
	int ret;

	if (d->conn) {
		who = d->conn->who;
		conn_free(d->conn);
	}
	d->conn = NULL;
	d->shutdown = false;
	ret = follow_life(d);
	if (ret)
		return ret;
	init_page(d);
	ret = conn_new_ring(d, d->domid, d->page, d->call, &d->conn);
	if (ret)
		return ret;
	d->conn->features = d->features;
	d->conn->who.target = who.target;
	d->conn->who.target_life = who.target_life;
	return 0;
}

static int domain_restart(struct domain *d)
{
	int ret = restart(d);

	note_ring(d);
	return ret;
}

/* ---- After another store ----------------------------------------------- */

/* The domain of which the journal speaks, as it is now. */
static int ask_again(struct domain *d, struct dom_info *info)
{
	int ret = dom_connect(&d->sock, d->domid, DOM_ROLE_STORE, NULL, true);

	if (!ret)
		ret = dom_info(d->sock, info);
	if (ret == -ECONNREFUSED || ret == -EPIPE || ret == -ECONNRESET)
		return -ENOENT;
	if (!ret && (info->pid != d->pid || info->start_ns != d->start_ns))
		return -ENOENT;
	return ret;
}

/* Go on with its ring; one that it has no more awaits another INTRODUCE. */
static int join_again(struct domain *d, const struct dom_info *info)
{
	int ret = watch_fd(&d->ev, dom_fd(d->sock), on_message, d);

	if (ret || !d->conn)
		return ret;
	if (info->life == d->life) {
		ret = join_ring(d);
		return ret ? ret : conn_join(d->conn, d->page, d->call);
	}
	conn_free(d->conn);
	d->conn = NULL;
	record_no_ring(d->domid);
	return 0;
}

/* Return: 0, -ENOENT if the domain has gone, or -errno: nothing has changed. */
static int rejoin(struct domain *d)
{
	struct dom_info info;
	bool down;
	int ret = ask_again(d, &info);

	if (!ret)
		ret = join_again(d, &info);
	if (ret) {
		if (d->ev)
			event_free(d->ev);
		d->ev = NULL;
		leave_ring(d);
		dom_free(d->sock);
		d->sock = NULL;
		return ret;
	}
	down = info.state & DOM_SHUTDOWN && d->introduced;
	if (down && !d->shutdown)
		watch_fire_special(PATH_RELEASE, d->domid, live);
	set_shutdown(d, down);
	/* What came while we asked. */
	event_active(d->ev, EV_READ, 0);
	return 0;
}

static void on_rejoin(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	domain_rejoin_all();
}

static void rejoin_later(void)
{
	const struct timeval pause = { .tv_sec = REJOIN_S };

	if (!rejoin_ev)
		rejoin_ev = evtimer_new(loop, on_rejoin, NULL);
	if (!rejoin_ev || event_add(rejoin_ev, &pause))
		log_err("domains that do not answer are not asked again");
}

unsigned int domain_rejoin_all(void)
{
	struct domain *d, *next;
	unsigned int n = 0;
	bool again = false;

	for (d = TAILQ_FIRST(&list); d; d = next) {
		int ret = d->sock ? 0 : rejoin(d);

		next = TAILQ_NEXT(d, entry);
		n += !ret && d->introduced;
		if (ret == -ENOENT) {
			domain_gone(d, "its VMM has gone");
		} else if (ret) {
			log_warn("dom%u: cannot be served: %s; tried again "
				 "in %d s",
				 d->domid, strerror(-ret), REJOIN_S);
			again = true;
		}
	}
	if (again)
		rejoin_later();
	return n;
}

int domain_restore(const struct record_domain *r)
{
	struct domain *d = find(r->domid);

	if (!d)
		d = domain_alloc(r->domid);
	if (!d)
		return -ENOMEM;
	d->life = r->life;
	d->pid = r->pid;
	d->start_ns = r->start_ns;
	d->shutdown = r->shutdown;
	d->introduced = !r->early;
	return 0;
}

int domain_restore_features(unsigned int domid, uint32_t features)
{
	struct domain *d = find(domid);

	if (!d)
		return -EPROTO;
	d->features = features & WIRE_FEATURES;
	return 0;
}

int domain_restore_ring(unsigned int domid, const struct record_ring *r)
{
	struct domain *d = find(domid);
	int ret;

	if (!d)
		return -EPROTO;
	if (d->conn)
		conn_free(d->conn);
	d->conn = NULL;
	ret = r ? conn_restore(d, domid, r, &d->conn) : 0;
	if (!ret && r)
		d->conn->features = d->features;
	return ret;
}

void domain_restore_gone(unsigned int domid)
{
	struct domain *d = find(domid);

	if (d)
		forget(d);
}

struct conn *domain_conn(unsigned int domid)
{
	const struct domain *d = find(domid);

	return d ? d->conn : NULL;
}

/* ---- What the toolstack asks ------------------------------------------- */

int domain_introduce(unsigned int domid, uint64_t gfn, uint32_t port)
{
	struct domain *d = find(domid);
	int ret;

	if (!domid)
		return -EINVAL;
	if (d && !d->sock) {
		ret = rejoin(d);
		if (ret && ret != -ENOENT)
			return ret;
		if (ret)
			domain_gone(d, "its VMM has gone");
		d = find(domid);
	}
	if (d && !d->introduced) {
		ret = introduce(d, gfn, port);
		if (ret != -EPIPE && ret != -ECONNRESET)
			return ret;
		domain_gone(d, "its VMM has gone");
		d = NULL;
	}
	if (!d)
		return domain_new(domid, gfn, port);
	ret = domain_restart(d);
	if (!ret)
		watch_fire_special(PATH_INTRODUCE, domid, live);
	return ret;
}

/* Find a domain, or get to know it; NULL for dom0. */
static int acquaint(unsigned int domid, struct domain **out)
{
	int ret = 0;

	*out = domid ? find(domid) : NULL;
	if (domid >= DOMID_LIMIT)
		ret = -ENOENT;
	else if (domid && !*out)
		ret = meet(domid, out);
	return ret;
}

int domain_know(unsigned int domid, bool keep)
{
	struct domain *d;
	int ret = acquaint(domid, &d);

	if (!ret && d && keep)
		note(d);
	return ret;
}

int domain_features(unsigned int domid, uint32_t *features)
{
	struct domain *d;
	int ret = acquaint(domid, &d);

	if (!ret)
		*features = d ? d->features : WIRE_FEATURES;
	return ret;
}

int domain_set_features(unsigned int domid, uint32_t features)
{
	struct domain *d;
	int ret = acquaint(domid, &d);

	if (ret)
		return ret;
	if (!d || d->introduced)
		return -EBUSY;
	if (features & ~(uint32_t)WIRE_FEATURES)
		return -EINVAL;
	d->features = features;
	note(d);
	return 0;
}

int domain_resume(unsigned int domid)
{
	struct domain *d = find_introduced(domid);

	if (!d)
		return -ENOENT;
	set_shutdown(d, false);
	return 0;
}

int domain_set_target(unsigned int domid, unsigned int target)
{
	struct domain *d = find_introduced(domid);

	if (!d || !find_introduced(target) || !d->conn)
		return -ENOENT;
	d->conn->who.target = (int)target;
	d->conn->who.target_life = perm_life(target);
	record_target(domid, (int)target, d->conn->who.target_life);
	return 0;
}
