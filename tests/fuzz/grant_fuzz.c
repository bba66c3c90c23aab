// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/grant_fuzz.c - grants: who may use which page, and for how long.
//
// FUZZ: F5; max_len 512
//
// Half of the inputs pin and unpin references as a backend does, while the guest
// rewrites its entries; the other half are grant_table_op calls of the guest.  A
// model knows what each entry permits, how often it is pinned and, from that,
// which of its bits must be set; and what a copy leaves in memory.
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "base/log.h"
#include "dom0-backend/gnt_map.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/fuzz.h"

#define DOMID 9u
#define REFS  16u
#define FIRST 8u /* reference of the first */
#define PAGES 8u

struct step {
	uint8_t what, ref, arg[4];
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return fuzz_mutate_records(data, size, max, seed, 1,
				   sizeof(struct step));
}

/* ---- A backend's pins ----------------------------------------------------- */

static struct fakedom *dom;
static struct dom *conn;
static struct gnt_map *gnt;
static struct {
	unsigned int reads, writes;
	uint16_t bits; /* GTF_reading, GTF_writing as they must be */
} pin[REFS];

static void set_up(void)
{
	fakedom_run_dir();
	atexit(fakedom_run_dir_remove);
	dom = fakedom_new(DOMID, 2 * PAGES);
	assert(!dom_connect(&conn, DOMID, DOM_ROLE_BACKEND, "vbd/1", false));
	assert(!gnt_new(&gnt, conn));
}

static bool is_ram(uint32_t gfn)
{
	return gfn < PAGES ||
	       (gfn >= FAKEDOM_HIGH && gfn < FAKEDOM_HIGH + PAGES);
}

/* The guest writes an entry anew; bits of use are what it pleases. */
static void write_entry(const struct step *s)
{
	static const uint32_t odd[] = { FAKEDOM_HIGH, FAKEDOM_HIGH + PAGES,
					FAKEDOM_STORE_GFN, UINT32_MAX, PAGES };
	uint32_t i = s->ref % REFS;
	grant_entry_v1_t e = {
		.flags = (uint16_t)(s->arg[0] & 7),
		.domid = s->arg[1] & 3,
		.frame = s->arg[2] < 128 ? s->arg[2] % PAGES
					 : odd[s->arg[2] % ARRAY_SIZE(odd)],
	};

	if (s->arg[0] & 8)
		e.flags |= GTF_sub_page;
	e.flags |= s->arg[0] & 16 ? GTF_reading | GTF_writing : pin[i].bits;
	*fakedom_entry(dom, FIRST + i) = e;
	pin[i].bits = e.flags & (GTF_reading | GTF_writing);
}

static int may_use(const grant_entry_v1_t *e, bool write)
{
	if ((e->flags & (GTF_type_mask | GTF_sub_page)) != GTF_permit_access ||
	    e->domid != 0 || (write && e->flags & GTF_readonly))
		return -EACCES;
	return is_ram(e->frame) ? 0 : -EFAULT;
}

static uint16_t in_use(uint32_t i)
{
	return (uint16_t)((pin[i].writes ? GTF_writing : 0) |
			  (pin[i].reads || pin[i].writes ? GTF_reading : 0));
}

static void take(const struct step *s)
{
	uint32_t i = s->ref % REFS;
	const grant_entry_v1_t *e = fakedom_entry(dom, FIRST + i);
	bool write = s->arg[0] & 1;
	int want = may_use(e, write), ret;
	void *page = NULL;

	ret = gnt_get(gnt, FIRST + i, write ? GNT_WRITE : GNT_READ, &page);
	assert(ret == want);
	if (!ret) {
		/* The page that the guest knows, by another mapping. */
		uint8_t *mine = fakedom_page(dom, e->frame);

		*mine = s->arg[1];
		assert(*(uint8_t *)page == s->arg[1]);
		pin[i].writes += write;
		pin[i].reads += !write;
		pin[i].bits |= in_use(i);
	} else {
		assert(!page);
		if (ret == -EFAULT) /* marked, looked at, unmarked */
			pin[i].bits = in_use(i);
	}
}

static void give_back(const struct step *s)
{
	uint32_t i = s->ref % REFS;
	bool write = s->arg[0] & 1;

	if (!(write ? pin[i].writes : pin[i].reads))
		return;
	gnt_put(gnt, FIRST + i, write ? GNT_WRITE : GNT_READ);
	pin[i].writes -= write;
	pin[i].reads -= !write;
	pin[i].bits &= in_use(i);
}

static void out_of_table(const struct step *s)
{
	uint32_t ref = s->arg[0] & 1 ? UINT32_MAX - s->arg[1]
				     : 512u + s->arg[1] * 4096u;
	void *page;

	assert(gnt_get(gnt, ref, GNT_READ, &page) == -ENOENT);
}

static void backend(const uint8_t *data, size_t size)
{
	static void (*const acts[])(const struct step *) = {
		take, give_back, write_entry, take, out_of_table,
	};
	struct step s;

	if (!dom)
		set_up();
	memset(pin, 0, sizeof(pin));
	for (uint32_t i = 0; i < REFS; i++)
		*fakedom_entry(dom, FIRST + i) =
			(grant_entry_v1_t){ .flags = GTF_permit_access,
					    .frame = i % PAGES };
	for (; size >= sizeof(s); size -= sizeof(s), data += sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		acts[s.what % ARRAY_SIZE(acts)](&s);
		for (uint32_t i = 0; i < REFS; i++) {
			assert((fakedom_entry(dom, FIRST + i)->flags &
				(GTF_reading | GTF_writing)) == pin[i].bits);
			assert(gnt_pins(gnt, FIRST + i) ==
			       pin[i].reads + pin[i].writes);
		}
	}
	for (uint32_t i = 0; i < REFS; i++) {
		while (pin[i].reads + pin[i].writes)
			give_back(&(struct step){ .ref = (uint8_t)i,
						  .arg = { !pin[i].reads } });
		assert(!(fakedom_entry(dom, FIRST + i)->flags &
			 (GTF_reading | GTF_writing)) ||
		       pin[i].bits);
	}
}

/* The same under a racing peer: entries change at each look. */
static void raced(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	struct {
		uint32_t ref;
		enum gnt_access how;
	} held[32];
	size_t n = 0;
	void *page;

	if (!dom)
		set_up();
	for (uint32_t i = 0; i < REFS; i++)
		*fakedom_entry(dom, FIRST + i) =
			(grant_entry_v1_t){ .flags = GTF_permit_access,
					    .frame = i % PAGES };
	fuzz_race(&in);
	while (in.left && n < ARRAY_SIZE(held)) {
		uint8_t b = fuzz_u8(&in);

		held[n].ref = FIRST + (b >> 1) % REFS;
		held[n].how = b & 1 ? GNT_WRITE : GNT_READ;
		if (!gnt_get(gnt, held[n].ref, held[n].how, &page)) {
			memset(page, b, b & 1 ? SV_PAGE_SIZE : 0);
			n++;
		}
	}
	while (n--)
		gnt_put(gnt, held[n].ref, held[n].how);
	fuzz_race_end();
	for (uint32_t i = 0; i < REFS; i++)
		assert(!gnt_pins(gnt, FIRST + i));
}

/* ---- The guest's own calls ------------------------------------------------ */

#define COPIES 4u
#define AREA   UINT64_C(0x100000) /* where the pages of copies lie */

static struct fakevm *f;
static uint8_t mirror[PAGES * SV_PAGE_SIZE]; /* what they must hold */

static grant_entry_v1_t *own_entry(uint32_t ref)
{
	return (grant_entry_v1_t *)(void *)f->vm.gnttab.frame[0].host + ref;
}

/* A frame of the area, or, seldom, one that is none. */
static uint64_t frame(uint8_t b)
{
	if (b == 255)
		return UINT64_MAX >> (b & 12);
	if (b == 254)
		return (UINT64_C(16) << 20) >> SV_PAGE_SHIFT;
	return (AREA >> SV_PAGE_SHIFT) + b % PAGES;
}

static bool in_area(uint64_t gfn)
{
	return gfn - (AREA >> SV_PAGE_SHIFT) < PAGES;
}

static void grant_self(const struct step *s)
{
	static const uint16_t domids[] = { FAKEVM_DOMID, 0, 3, DOMID_SELF };

	*own_entry(FIRST + s->ref % REFS) = (grant_entry_v1_t){
		.flags = (uint16_t)(s->arg[0] & 7),
		.domid = domids[s->arg[1] < 200 ? 0 : s->arg[1] & 3],
		.frame = (uint32_t)frame(s->arg[2]),
	};
}

static void set_end(struct gnttab_copy_ptr *p, uint8_t which, uint8_t how,
		    bool ref)
{
	p->domid = how < 240 ? DOMID_SELF : how & 3;
	p->offset = (uint16_t)(how * 17);
	if (ref)
		p->u.ref = which == 255 ? 1u << 20 : FIRST + which % REFS;
	else
		p->u.gmfn = frame(which);
}

/* Where an end of a copy lies, or a status. */
static int16_t find_end(const struct gnttab_copy_ptr *p, bool ref, bool write,
			uint64_t *gfn)
{
	const grant_entry_v1_t *e;

	if (p->domid != DOMID_SELF && p->domid != FAKEVM_DOMID)
		return GNTST_bad_domain;
	*gfn = p->u.gmfn;
	if (ref) {
		if (p->u.ref >= SV_PAGE_SIZE / sizeof(*e) * f->vm.gnttab.nr)
			return GNTST_bad_gntref;
		e = own_entry(p->u.ref);
		if ((e->flags & GTF_type_mask) != GTF_permit_access ||
		    e->domid != FAKEVM_DOMID ||
		    (write && e->flags & GTF_readonly))
			return GNTST_general_error;
		*gfn = e->frame;
	}
	return *gfn < f->vm.mem->size >> SV_PAGE_SHIFT ? GNTST_okay
						       : GNTST_bad_page;
}

/* What one copy does to the mirror; Return: its status. */
static int16_t model_copy(const struct gnttab_copy *c)
{
	uint64_t from, to;
	int16_t st;

	if (c->flags & ~3u)
		return GNTST_general_error;
	if (c->source.offset + c->len > (int)SV_PAGE_SIZE ||
	    c->dest.offset + c->len > (int)SV_PAGE_SIZE)
		return GNTST_bad_copy_arg;
	st = find_end(&c->source, c->flags & GNTCOPY_source_gref, false, &from);
	if (st == GNTST_okay)
		st = find_end(&c->dest, c->flags & GNTCOPY_dest_gref, true,
			      &to);
	if (st != GNTST_okay)
		return st;
	assert(in_area(from) && in_area(to));
	from -= AREA >> SV_PAGE_SHIFT;
	to -= AREA >> SV_PAGE_SHIFT;
	memmove(mirror + to * SV_PAGE_SIZE + c->dest.offset,
		mirror + from * SV_PAGE_SIZE + c->source.offset, c->len);
	return GNTST_okay;
}

/* A batch: each element has its own status, and all are run. */
static void copy(const struct step *s)
{
	struct gnttab_copy c[COPIES] = { 0 }, got[COPIES];
	unsigned int n = 1 + s->ref % COPIES;
	uint64_t at = 0x200000;

	for (unsigned int i = 0; i < n; i++) {
		c[i].flags = (uint16_t)(s->arg[0] + i);
		if (c[i].flags < 250)
			c[i].flags &= 3;
		set_end(&c[i].source, s->arg[1] + (uint8_t)i, s->arg[3],
			c[i].flags & GNTCOPY_source_gref);
		set_end(&c[i].dest, s->arg[2], s->ref,
			c[i].flags & GNTCOPY_dest_gref);
		c[i].len = (uint16_t)(s->arg[3] * 5 + s->ref);
		c[i].status = 77;
	}
	memcpy(fakevm_at(f, at), c, sizeof(c));
	assert(!fakevm_call(f, __HYPERVISOR_grant_table_op, GNTTABOP_copy, at,
			    n));
	memcpy(got, fakevm_at(f, at), sizeof(got));
	for (unsigned int i = 0; i < n; i++)
		assert(got[i].status == model_copy(&c[i]));
}

static void table(const struct step *s)
{
	struct gnttab_setup_table t = { .dom = s->arg[0] < 200 ? DOMID_SELF
							       : s->arg[0] & 3,
					.nr_frames = s->arg[1] % 8 };
	uint64_t at = 0x200000, list = 0x201000;
	unsigned int nr = f->vm.gnttab.nr;

	set_xen_guest_handle(t.frame_list, (void *)(uintptr_t)list);
	memcpy(fakevm_at(f, at), &t, sizeof(t));
	assert(!fakevm_call(f, __HYPERVISOR_grant_table_op,
			    GNTTABOP_setup_table, at, 1));
	memcpy(&t, fakevm_at(f, at), sizeof(t));
	if (t.dom != DOMID_SELF)
		assert(t.status != GNTST_okay && f->vm.gnttab.nr == nr);
	else if (t.nr_frames > f->vm.gnttab.max)
		assert(t.status == GNTST_general_error);
	else
		assert(t.status == GNTST_okay &&
		       f->vm.gnttab.nr == MAX(nr, t.nr_frames));
}

/* Guests map nothing of anybody here: each element says so. */
static void map(const struct step *s)
{
	struct gnttab_map_grant_ref m[3] = { 0 };
	uint64_t at = 0x200000;

	for (int i = 0; i < 3; i++) {
		m[i].dom = s->arg[i] & 3;
		m[i].ref = s->ref;
		m[i].status = 77;
	}
	memcpy(fakevm_at(f, at), m, sizeof(m));
	assert(!fakevm_call(f, __HYPERVISOR_grant_table_op,
			    GNTTABOP_map_grant_ref, at, 3));
	memcpy(m, fakevm_at(f, at), sizeof(m));
	for (int i = 0; i < 3; i++)
		assert(m[i].status < 0);
}

static void guest(const uint8_t *data, size_t size)
{
	static void (*const acts[])(const struct step *) = {
		grant_self, copy, copy, table, map,
	};
	struct step s;

	f = fakevm_new(1);
	for (size_t i = 0; i < sizeof(mirror); i++)
		mirror[i] = (uint8_t)(i * 31 + (i >> SV_PAGE_SHIFT));
	memcpy(fakevm_at(f, AREA), mirror, sizeof(mirror));
	for (; size >= sizeof(s); size -= sizeof(s), data += sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		acts[s.what % ARRAY_SIZE(acts)](&s);
	}
	assert(!memcmp(fakevm_at(f, AREA), mirror, sizeof(mirror)));
	for (uint32_t i = 0; i < REFS; i++)
		assert(!(own_entry(FIRST + i)->flags &
			 (GTF_reading | GTF_writing)));
	fakevm_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const part[])(const uint8_t *, size_t) = { backend, guest,
								 raced };

	log_init("fuzz", LOG_LVL_ERR);
	if (size)
		part[*data % ARRAY_SIZE(part)](data + 1, size - 1);
	return 0;
}
