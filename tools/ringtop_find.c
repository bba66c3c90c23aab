// SPDX-License-Identifier: GPL-2.0-or-later
// tools/ringtop_find.c - the rings of a domain, found and mapped for reading.
#include "tools/ringtop_find.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

#include "ring/shm.h"

#define REFS_PER_FRAME (SV_PAGE_SIZE / (uint32_t)sizeof(grant_entry_v1_t))
#define MAX_PORT       4095u /* 2-level event channels */
#define MAX_ORDER      4u
#define MAX_DEVICES    256u /* of one type; as many as are shown */
#define FE_SIZE	       128

/*
 * The slot that both halves see. blkif's is smaller for 32-bit guests, but as
 * many fit (ring/WIRE.md).
 */
RING_DEFINE(ringtop_blk, struct blkif_request, struct blkif_response);
RING_DEFINE(ringtop_tx, struct netif_tx_request, struct netif_tx_response);
RING_DEFINE(ringtop_rx, struct netif_rx_request, struct netif_rx_response);

/**
 * struct search - One ringtop_find() under way.
 * @ring:   What was found so far.
 * @frames: Part of the grant table that was looked up last.
 * @fe:     Frontend's directory of the device at hand.
 */
struct search {
	struct ringtop_dom *d;
	struct xs_handle *xs;
	const char *want;
	struct ringtop_ring *ring;
	size_t n, room;
	struct dommem_frames frames;
	char device[32];
	char fe[FE_SIZE];
	int err;
};

/* ---- The domain ----------------------------------------------------------- */

/* A special page, through a connection in the role that may have it. */
static int view(unsigned int domid, enum dom_role role, void **page,
		uint32_t *port)
{
	struct dom *dom;
	int ret = dom_connect(&dom, domid, role, NULL, false);

	if (ret)
		return ret;
	ret = dom_page_view(dom, page, port);
	dom_free(dom);
	return ret;
}

int ringtop_open(struct ringtop_dom **out, unsigned int domid)
{
	struct ringtop_dom *d = calloc(1, sizeof(*d));
	struct dom_info info;
	int ret;

	if (!d)
		return -ENOMEM;
	d->domid = domid;
	ret = dom_connect(&d->dom, domid, DOM_ROLE_BACKEND, "ringtop", false);
	if (!ret)
		ret = dom_info(d->dom, &info);
	if (!ret)
		ret = dom_connect(&d->admin, domid, DOM_ROLE_ADMIN, NULL,
				  false);
	if (!ret)
		ret = dommem_init(&d->mem, d->dom, PROT_READ);
	if (!ret)
		ret = view(domid, DOM_ROLE_CONSOLE, &d->console,
			   &d->console_port);
	if (!ret)
		ret = view(domid, DOM_ROLE_STORE, &d->store, &d->store_port);
	if (ret) {
		ringtop_close(d);
		return ret;
	}
	d->backend = info.backend_domid;
	util_escape(d->name, sizeof(d->name), info.name,
		    strnlen(info.name, sizeof(info.name)));
	*out = d;
	return 0;
}

static void free_rings(struct ringtop_ring *ring, size_t n)
{
	for (size_t i = 0; i < n; i++)
		track_fini(&ring[i].track);
	free(ring);
}

void ringtop_close(struct ringtop_dom *d)
{
	if (!d)
		return;
	free_rings(d->ring, d->n);
	if (d->console)
		munmap(d->console, SV_PAGE_SIZE);
	if (d->store)
		munmap(d->store, SV_PAGE_SIZE);
	dommem_fini(&d->mem);
	dom_free(d->admin);
	dom_free(d->dom);
	free(d);
}

/* ---- Rings that were found ------------------------------------------------ */

static bool wanted(const struct search *s)
{
	size_t len;

	if (!s->want)
		return true;
	len = strlen(s->want);
	return !strncmp(s->device, s->want, len) &&
	       (s->device[len] == '\0' || s->device[len] == '/');
}

/* Room for one more; NULL, told by @s->err, if there is none. */
static struct ringtop_ring *add(struct search *s, const char *part)
{
	struct ringtop_ring *r;

	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 16;

		r = reallocarray(s->ring, room, sizeof(*r));
		if (!r) {
			s->err = -ENOMEM;
			return NULL;
		}
		s->ring = r;
		s->room = room;
	}
	r = &s->ring[s->n++];
	*r = (struct ringtop_ring){ 0 };
	snprintf(r->device, sizeof(r->device), "%s", s->device);
	snprintf(r->part, sizeof(r->part), "%s", part);
	return r;
}

/* @why: RINGTOP_PROBLEM bytes. */
static void explain(char *why, const char *fmt, ...) printf_like(2, 3);

static void explain(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, RINGTOP_PROBLEM, fmt, ap);
	va_end(ap);
}

static void add_problem(struct search *s, const char *part, const char *why)
{
	struct ringtop_ring *r = s->err ? NULL : add(s, part);

	if (r)
		explain(r->problem, "%s", why);
}

static bool same_place(const struct ringtop_ring *a,
		       const struct ringtop_ring *b)
{
	return !strcmp(a->device, b->device) && !strcmp(a->part, b->part) &&
	       a->npages == b->npages && a->page == b->page &&
	       a->map.data == b->map.data;
}

/* Go on tracking a ring that was known before, or begin. */
static int start_track(struct ringtop_dom *d, struct ringtop_ring *r,
		       uint32_t size)
{
	for (size_t i = 0; i < d->n; i++) {
		struct ringtop_ring *old = &d->ring[i];

		if (old->track.size != size || !same_place(old, r))
			continue;
		r->track = old->track;
		old->track = (struct track){ 0 };
		r->counted = old->counted;
		r->stat = old->stat;
		r->card = old->card;
		track_pause(&r->track);
		return 0;
	}
	return track_init(&r->track, size);
}

static void add_stream(struct search *s, const char *part, uint32_t port,
		       const struct stream_map *map)
{
	struct ringtop_ring *r = s->err ? NULL : add(s, part);

	if (!r)
		return;
	r->stream = true;
	r->port = port;
	r->map = *map;
	s->err = start_track(s->d, r, map->size);
}

static void find_special(struct search *s)
{
	struct xenstore_domain_interface *store = s->d->store;
	struct xencons_interface *console = s->d->console;
	struct stream_map in = STREAM_MAP(console, in);
	struct stream_map out = STREAM_MAP(console, out);
	struct stream_map req = STREAM_MAP(store, req);
	struct stream_map rsp = STREAM_MAP(store, rsp);

	snprintf(s->device, sizeof(s->device), "console");
	if (wanted(s)) {
		add_stream(s, "in", s->d->console_port, &in);
		add_stream(s, "out", s->d->console_port, &out);
	}
	snprintf(s->device, sizeof(s->device), "store");
	if (wanted(s)) {
		add_stream(s, "req", s->d->store_port, &req);
		add_stream(s, "rsp", s->d->store_port, &rsp);
	}
}

/* ---- Rings in granted pages: what the guest says is judged here ----------- */

/*
 * A frontend's number, UNTRUSTED; Return: 0, -ENOENT if it is not there, or
 * -EINVAL. With @why, both of these are explained.
 */
static int number(const struct search *s, char *why, const char *dir,
		  const char *name, uint32_t max, uint32_t *out)
{
	char *text = xl_store_get(s->xs, XBT_NULL, "%s/%s", dir, name);
	char shown[40];
	uint64_t v;
	int ret = 0;

	if (!text) {
		if (why)
			explain(why, "%s/%s is not there", dir, name);
		return -ENOENT;
	}
	if (util_u64(text, max, &v)) {
		util_escape(shown, sizeof(shown), text, strlen(text));
		if (why)
			explain(why,
				"%s/%s is '%s'; must be a number from 0 to %u",
				dir, name, shown, max);
		ret = -EINVAL;
	} else {
		*out = (uint32_t)v;
	}
	free(text);
	return ret;
}

/* The frame of the grant table that holds @ref, if the guest has it. */
static const void *find_frame(struct search *s, uint32_t ref)
{
	struct dommem_frames *f = &s->frames;
	uint32_t frame = ref / REFS_PER_FRAME;
	int ret;

	if (frame - f->first >= f->n) {
		ret = dommem_frames(&s->d->mem, s->d->dom, frame, f);
		if (ret) {
			s->err = ret;
			f->n = 0;
		}
	}
	return frame - f->first < f->n ? f->at[frame - f->first] : NULL;
}

/* The page behind a grant; NULL, explained, or with @s->err. */
static const void *find_page(struct search *s, char *why, uint32_t ref)
{
	const grant_entry_v1_t *frame = find_frame(s, ref);
	const void *page = NULL;
	grant_entry_v1_t e;

	if (!frame) {
		explain(why, "grant %u is beyond the guest's table (%u frames)",
			ref, s->frames.total);
		return NULL;
	}
	shm_fetch(&e, &frame[ref % REFS_PER_FRAME], sizeof(e));
	if ((e.flags & (GTF_type_mask | GTF_sub_page)) != GTF_permit_access ||
	    e.domid != s->d->backend) {
		explain(why, "grant %u (flags %#x, domain %u) is not for us",
			ref, e.flags, e.domid);
		return NULL;
	}
	page = dommem_page(&s->d->mem, e.frame);
	if (!page)
		explain(why, "grant %u names frame %#x, which is not RAM", ref,
			e.frame);
	return page;
}

/* A ring whose first page, which has the header, is granted by @key. */
static void add_ring(struct search *s, const char *dir, const char *part,
		     const char *key, unsigned int npages, size_t slot,
		     const char *port_key)
{
	struct ringtop_ring *r = s->err ? NULL : add(s, part);
	uint32_t ref;

	if (!r || number(s, r->problem, dir, key, UINT32_MAX, &ref) ||
	    number(s, r->problem, dir, port_key, MAX_PORT, &r->port))
		return;
	r->npages = npages;
	r->page = find_page(s, r->problem, ref);
	if (r->page)
		s->err = start_track(s->d, r, ring_slots(npages, slot));
}

/*
 * One page has the key "ring-ref"; more, or a given order, "ring-refN". The order
 * is one for all queues (xen/io/blkif.h).
 */
static void find_vbd(struct search *s, const char *dir, unsigned int queue)
{
	uint32_t order = 0, ref;
	char part[24];
	char why[RINGTOP_PROBLEM];
	int ret = number(s, why, s->fe, "ring-page-order", MAX_ORDER, &order);
	bool plain = ret == -ENOENT ||
		     (order == 0 && number(s, NULL, dir, "ring-ref", UINT32_MAX,
					   &ref) != -ENOENT);

	snprintf(part, sizeof(part), "queue-%u", queue);
	if (ret == -EINVAL) {
		add_problem(s, part, why);
		return;
	}
	add_ring(s, dir, part, plain ? "ring-ref" : "ring-ref0", 1u << order,
		 sizeof(union ringtop_blk_slot), "event-channel");
}

static void find_vif(struct search *s, const char *dir, unsigned int queue)
{
	uint32_t port;
	char part[24];
	bool split = number(s, NULL, dir, "event-channel-tx", MAX_PORT,
			    &port) != -ENOENT;

	snprintf(part, sizeof(part), "queue-%u/tx", queue);
	add_ring(s, dir, part, "tx-ring-ref", 1, sizeof(union ringtop_tx_slot),
		 split ? "event-channel-tx" : "event-channel");
	snprintf(part, sizeof(part), "queue-%u/rx", queue);
	add_ring(s, dir, part, "rx-ring-ref", 1, sizeof(union ringtop_rx_slot),
		 split ? "event-channel-rx" : "event-channel");
}

/* ---- Devices -------------------------------------------------------------- */

static const struct type {
	const char *name;
	void (*find)(struct search *s, const char *dir, unsigned int queue);
} types[] = {
	{ "vbd", find_vbd },
	{ "vif", find_vif },
};

static const char *state_name(long state)
{
	static const char *const names[] = {
		[XenbusStateInitialising] = "initialising",
		[XenbusStateInitWait] = "waiting for the frontend",
		[XenbusStateInitialised] = "initialised",
		[XenbusStateConnected] = "connected",
		[XenbusStateClosing] = "closing",
		[XenbusStateClosed] = "closed",
	};

	return state > 0 && state < (long)ARRAY_SIZE(names) ? names[state]
							    : "unknown";
}

/* The frontend's directory, by the backend's word; it must be the domain's. */
static bool find_frontend(struct search *s, const char *be)
{
	char home[48], *fe = xl_store_get(s->xs, XBT_NULL, "%s/frontend", be);
	bool ok;

	snprintf(home, sizeof(home), "/local/domain/%u/", s->d->domid);
	ok = fe && !strncmp(fe, home, strlen(home)) && strlen(fe) < FE_SIZE;
	if (ok)
		snprintf(s->fe, sizeof(s->fe), "%s", fe);
	free(fe);
	return ok;
}

static void find_device(struct search *s, const struct type *type,
			const char *be)
{
	static const char key[] = "multi-queue-num-queues";
	long state = xl_store_number(s->xs, 0, "%s/state", be);
	char why[RINGTOP_PROBLEM] = "";
	char dir[FE_SIZE + 24];
	uint32_t n = 1;

	if (state != XenbusStateConnected)
		explain(why, "no rings yet: the backend is %s",
			state_name(state));
	else if (!find_frontend(s, be))
		explain(why, "%s/frontend is no directory of the domain", be);
	else if (number(s, why, s->fe, key, RINGTOP_MAX_QUEUES, &n) == -ENOENT)
		why[0] = '\0';
	else if (!n)
		explain(why, "%s/%s is 0; must be at least 1", s->fe, key);
	if (why[0]) {
		add_problem(s, "", why);
		return;
	}
	for (unsigned int i = 0; i < n && !s->err; i++) {
		snprintf(dir, sizeof(dir), n == 1 ? "%s" : "%s/queue-%u", s->fe,
			 i);
		type->find(s, dir, i);
	}
}

static void find_type(struct search *s, const struct type *type)
{
	char dir[96], be[128];
	unsigned int n = 0;
	char **ids;

	snprintf(dir, sizeof(dir), "/local/domain/%u/backend/%s/%u",
		 s->d->backend, type->name, s->d->domid);
	ids = xs_directory(s->xs, XBT_NULL, dir, &n);
	for (unsigned int i = 0; ids && i < MIN(n, MAX_DEVICES); i++) {
		uint64_t id;

		/* Only what the backends themselves take for a device. */
		if (s->err || util_u64(ids[i], INT32_MAX, &id))
			continue;
		snprintf(s->device, sizeof(s->device), "%s/%u", type->name,
			 (unsigned int)id);
		snprintf(be, sizeof(be), "%s/%s", dir, ids[i]);
		if (wanted(s))
			find_device(s, type, be);
	}
	free(ids);
}

int ringtop_find(struct ringtop_dom *d, struct xs_handle *xs,
		 const char *device)
{
	struct search s = { .d = d, .xs = xs, .want = device };
	struct dom_info info;
	int ret = dom_info(d->dom, &info);

	if (ret)
		return ret;
	find_special(&s);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		find_type(&s, &types[i]);
	free_rings(d->ring, d->n);
	d->ring = s.ring;
	d->n = s.n;
	return s.err;
}

/* Whether @part is "queue-N@way", N less than @max. */
static bool is_queue(const char *part, const char *way, unsigned int max,
		     unsigned int *n)
{
	char name[32];

	for (*n = 0; *n < max; ++*n) {
		snprintf(name, sizeof(name), "queue-%u%s", *n, way);
		if (!strcmp(part, name))
			return true;
	}
	return false;
}

/* What the backend of @device counts; its queues have numbers as rings have. */
static void count_device(struct ringtop_dom *d, const char *device,
			 const struct blkstat_file *f)
{
	unsigned int queue;

	for (size_t i = 0; i < d->n; i++) {
		struct ringtop_ring *r = &d->ring[i];

		if (r->problem[0] || strcmp(r->device, device) != 0 ||
		    !is_queue(r->part, "", BLKSTAT_QUEUES, &queue))
			continue;
		r->counted = RINGTOP_DISK;
		r->stat = f->queue[queue];
	}
}

/* The same of a card, each queue of which has two rings. */
static void count_card(struct ringtop_dom *d, const char *device,
		       const struct netstat_file *f)
{
	unsigned int queue;

	for (size_t i = 0; i < d->n; i++) {
		struct ringtop_ring *r = &d->ring[i];

		if (r->problem[0] || strcmp(r->device, device) != 0)
			continue;
		if (is_queue(r->part, "/tx", NETSTAT_QUEUES, &queue))
			r->counted = RINGTOP_TX;
		else if (is_queue(r->part, "/rx", NETSTAT_QUEUES, &queue))
			r->counted = RINGTOP_RX;
		else
			continue;
		r->card = f->queue[queue];
	}
}

void ringtop_count(struct ringtop_dom *d)
{
	struct dom_devstats s = { 0 };
	struct netstat_file card;
	struct blkstat_file f;
	int fd;

	for (size_t i = 0; i < d->n; i++)
		d->ring[i].counted = RINGTOP_UNCOUNTED;
	for (unsigned int i = 0; i < MAX_DEVICES; i++, s.index++) {
		if (dom_devstats(d->admin, &s, &fd))
			return;
		if (!blkstat_read(fd, s.offset, &f))
			count_device(d, s.device, &f);
		else if (!netstat_read(fd, s.offset, &card))
			count_card(d, s.device, &card);
		close(fd);
	}
}

void ringtop_look(struct ringtop_ring *r, uint64_t patience)
{
	uint64_t start = util_clock_ns();
	struct ring_words w = { 0 };
	bool ok;

	ok = r->stream ? stream_look(&r->map, &w.req_prod, &w.rsp_prod)
		       : ring_look(r->page, &w);
	/* Indices that do not stand still are seen at the next look. */
	if (ok)
		track_look(&r->track, &w, start, util_clock_ns(), patience);
}
