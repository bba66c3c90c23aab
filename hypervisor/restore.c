// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/restore.c - a domain out of a stream.
#include "hypervisor/save.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <xen/xen.h>
#include <xen/hvm/params.h>

#include "base/savefile.h"
#include "base/savezip.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vcpu_state.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * Two steps.  First the stream is read to its end: guest memory and special pages go
 * where they belong, all else is kept.  Then, if all was there and good, the VM is
 * given what was kept, in the order that KVM needs: TSC and clock before whatever
 * names a time; registers; pages and ports; events and timers last.
 *
 * Whatever is in the stream is UNTRUSTED: it may have lain anywhere meanwhile.
 */

/* Linux accepts a TSC that is off by so much as the same (KVM: 250 ppm). */
#define TSC_PPM 250u

/** struct part - One part of a vCPU as read. */
struct part {
	void *data; /* *owned*; NULL: not read yet */
	size_t len;
};

/** struct restore - What was read and waits to be used. */
struct restore {
	struct vm *vm;
	struct savefile s;
	struct savezip *zip; /* *owned* */
	uint8_t *pages;	     /* *owned*: a record of SAVE_MEMORY */
	bool has_vm, has_store, has_console, has_shared;
	struct save_vm m;
	struct save_port *ports; /* *owned* */
	uint32_t nports;
	uint64_t *grant_gfn;		  /* *owned*: by frame */
	uint32_t ngrants;		  /* frames read so far */
	struct part (*vcpu)[VCPU_NPARTS]; /* *owned* */
};

/* ---- Reading --------------------------------------------------------------- */

static int check_config(const struct vm *vm, const struct save_host *m,
			struct why *why)
{
	const struct vm_config *c = &vm->cfg;
	const struct {
		const char *what;
		uint64_t saved, now;
	} same[] = {
		{ "domain id", m->domid, c->domid },
		{ "memory in KiB", m->mem_kib, c->mem_kib },
		{ "maximal number of vcpus", m->vcpus_max, c->vcpus_max },
		{ "limit of grant frames", m->max_grant_frames,
		  c->max_grant_frames },
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		if (same[i].saved != same[i].now)
			return why_set(
				why, -EINVAL,
				"saved domain: its %s was %llu and is to be %llu; give what it was saved with",
				same[i].what, (unsigned long long)same[i].saved,
				(unsigned long long)same[i].now);
	}
	return 0;
}

static int check_host(const struct vm *vm, const struct save_host *m,
		      struct why *why)
{
	uint32_t now = vm->tsc_khz, cpu;
	uint32_t off = now > m->tsc_khz ? now - m->tsc_khz : m->tsc_khz - now;
	int ret = save_cpu(vm, &cpu);

	if (ret)
		return why_set(why, ret, "CPUID: %s", strerror(-ret));
	if (cpu != m->cpu)
		return why_set(
			why, -EINVAL,
			"saved domain: this host's CPU or KVM shows guests other features than where it was saved; restore it there");
	if ((uint64_t)off * 1000000 > (uint64_t)m->tsc_khz * TSC_PPM)
		return why_set(
			why, -EINVAL,
			"saved domain: its TSC ran at %u kHz, this host's runs at %u; restore it where it was saved",
			m->tsc_khz, now);
	return 0;
}

static int check_all(const struct vm *vm, const struct save_host *m,
		     struct why *why)
{
	int ret = check_config(vm, m, why);

	return ret ? ret : check_host(vm, m, why);
}

/* The same before any memory comes; it is looked at again with the rest. */
static int get_host(const struct restore *r, const void *buf, size_t len,
		    struct why *why)
{
	struct save_host h;

	if (len != sizeof(h))
		return -EINVAL;
	memcpy(&h, buf, sizeof(h));
	return check_all(r->vm, &h, why);
}

static int get_vm(struct restore *r, const void *buf, size_t len,
		  struct why *why)
{
	struct save_vm *m = &r->m;
	int ret;

	if (r->has_vm || len != sizeof(*m))
		return -EINVAL;
	memcpy(m, buf, sizeof(*m));
	ret = check_all(r->vm,
			&(struct save_host){
				.domid = m->domid,
				.vcpus_max = m->vcpus_max,
				.max_grant_frames = m->max_grant_frames,
				.tsc_khz = m->tsc_khz,
				.cpu = m->cpu,
				.mem_kib = m->mem_kib,
			},
			why);
	if (ret)
		return ret;
	if (m->is64 > 1 || m->grant_frames < 1 ||
	    m->grant_frames > r->vm->gnttab.max || m->runstate_flag > 1)
		return -EINVAL;
	r->grant_gfn = calloc(m->grant_frames, sizeof(*r->grant_gfn));
	r->vcpu = calloc(r->vm->nvcpus, sizeof(*r->vcpu));
	r->has_vm = true;
	return r->grant_gfn && r->vcpu ? 0 : -ENOMEM;
}

static int get_ports(struct restore *r, const void *buf, size_t len)
{
	if (r->ports || len % sizeof(*r->ports) ||
	    len / sizeof(*r->ports) >= EVTCHN_PORTS)
		return -EINVAL;
	r->ports = malloc(len + 1);
	if (!r->ports)
		return -ENOMEM;
	memcpy(r->ports, buf, len);
	r->nports = (uint32_t)(len / sizeof(*r->ports));
	return 0;
}

static int get_balloon(struct restore *r, const void *buf, size_t len)
{
	struct savefile_range range;

	if (len < sizeof(range))
		return -EINVAL;
	memcpy(&range, buf, sizeof(range));
	len -= sizeof(range);
	if (len % sizeof(uint64_t) || range.n != len / sizeof(uint64_t))
		return -EINVAL;
	return memory_restore(
		r->vm, range.first,
		(const void *)((const uint8_t *)buf + sizeof(range)), range.n);
}

/* Nobody has a grant in use: who had is gone. */
static void forget_users(uint8_t *page)
{
	struct grant_entry_v1 *e = (void *)page;

	for (size_t i = 0; i < GNTTAB_PER_FRAME; i++)
		e[i].flags &= (uint16_t) ~(GTF_reading | GTF_writing);
}

static int get_page(struct restore *r, const void *buf, size_t len)
{
	struct vm *vm = r->vm;
	struct {
		struct save_page head;
		uint8_t page[SV_PAGE_SIZE] __attribute__((aligned(8)));
	} in;
	uint8_t SHM *to;

	if (len != sizeof(in))
		return -EINVAL;
	memcpy(&in, buf, sizeof(in));
	switch (in.head.kind) {
	case PAGE_STORE:
		to = vm->store.host;
		r->has_store = true;
		break;
	case PAGE_CONSOLE:
		to = vm->console.host;
		r->has_console = true;
		break;
	case PAGE_SHARED_INFO:
		to = vm->shinfo.page.home;
		r->has_shared = true;
		break;
	case PAGE_GRANT:
		if (r->ngrants >= r->m.grant_frames ||
		    in.head.index != r->ngrants)
			return -EINVAL;
		to = vm->gnttab.frame[in.head.index].home;
		r->grant_gfn[r->ngrants++] = in.head.gfn;
		forget_users(in.page);
		break;
	default:
		return -EINVAL;
	}
	shm_post(to, in.page, sizeof(in.page));
	return 0;
}

/* Pages are counted as the memfd has them: all regions one after the other. */
static int get_memory(struct restore *r, const void *buf, size_t len,
		      struct why *why)
{
	const struct guestmem *m = r->vm->mem;
	struct savefile_range range;

	if (len < sizeof(range))
		return -EINVAL;
	memcpy(&range, buf, sizeof(range));
	buf = (const uint8_t *)buf + sizeof(range);
	len -= sizeof(range);
	if (len % SV_PAGE_SIZE || range.n != len >> SV_PAGE_SHIFT || !range.n)
		return -EINVAL;
	for (unsigned int i = 0; i < m->n; i++) {
		uint64_t first = m->region[i].offset >> SV_PAGE_SHIFT;
		uint64_t n = m->region[i].size >> SV_PAGE_SHIFT;

		if (range.first - first >= n ||
		    range.n > n - (range.first - first))
			continue;
		return guestmem_fill(
			r->vm->mem,
			gpa_of(m->region[i].gpa.v +
			       ((range.first - first) << SV_PAGE_SHIFT)),
			buf, len);
	}
	return why_set(
		why, -EINVAL,
		"saved domain: its page %llu is not in %llu KiB of memory; give it as much as it had",
		(unsigned long long)(range.first + range.n - 1),
		(unsigned long long)r->vm->cfg.mem_kib);
}

/* The same, packed. */
static int get_packed(struct restore *r, const void *buf, size_t len,
		      struct why *why)
{
	struct savefile_range range;
	uint8_t *to;

	if (len < sizeof(range))
		return -EINVAL;
	memcpy(&range, buf, sizeof(range));
	if (!range.n || range.n > SAVEFILE_CHUNK / SV_PAGE_SIZE)
		return -EINVAL;
	if (!r->zip && savezip_new(&r->zip))
		return -ENOMEM;
	if (!r->pages)
		r->pages = malloc(sizeof(range) + SAVEFILE_CHUNK);
	if (!r->pages)
		return -ENOMEM;
	to = r->pages + sizeof(range);
	memcpy(r->pages, &range, sizeof(range));
	if (savezip_unpack(r->zip, (const uint8_t *)buf + sizeof(range),
			   len - sizeof(range), to, range.n * SV_PAGE_SIZE))
		return why_set(
			why, -EINVAL,
			"saved domain: its packed pages %llu to %llu cannot be unpacked",
			(unsigned long long)range.first,
			(unsigned long long)(range.first + range.n - 1));
	return get_memory(r, r->pages, sizeof(range) + range.n * SV_PAGE_SIZE,
			  why);
}

static int get_vcpu(struct restore *r, const void *buf, size_t len)
{
	struct save_part head;
	struct part *p;

	if (len < sizeof(head))
		return -EINVAL;
	memcpy(&head, buf, sizeof(head));
	len -= sizeof(head);
	if (head.vcpu >= r->vm->nvcpus || head.part >= VCPU_NPARTS ||
	    len > VCPU_PART_MAX)
		return -EINVAL;
	p = &r->vcpu[head.vcpu][head.part];
	if (p->data)
		return -EINVAL;
	/* KVM reads as much as it thinks there is: see vcpu_state_load(). */
	p->data = util_memdup((const uint8_t *)buf + sizeof(head), len);
	if (!p->data)
		return -ENOMEM;
	p->len = len;
	return 0;
}

static int get_one(struct restore *r, uint32_t type, const void *buf,
		   size_t len, struct why *why)
{
	/* Memory may come before, and again: the last is what counts. */
	if (!r->has_vm && type != SAVE_VM && type != SAVE_HOST &&
	    type != SAVE_MEMORY && type != SAVE_PACKED)
		return -EINVAL;
	switch (type) {
	case SAVE_HOST:
		return get_host(r, buf, len, why);
	case SAVE_VM:
		return get_vm(r, buf, len, why);
	case SAVE_PORTS:
		return get_ports(r, buf, len);
	case SAVE_BALLOON:
		return get_balloon(r, buf, len);
	case SAVE_PAGE:
		return get_page(r, buf, len);
	case SAVE_MEMORY:
		return get_memory(r, buf, len, why);
	case SAVE_PACKED:
		return get_packed(r, buf, len, why);
	case SAVE_VCPU:
		return get_vcpu(r, buf, len);
	default:
		return -EINVAL;
	}
}

static bool is_complete(const struct restore *r)
{
	if (!r->has_vm || !r->ports || !r->has_store || !r->has_console ||
	    !r->has_shared || r->ngrants != r->m.grant_frames)
		return false;
	for (unsigned int i = 0; i < r->vm->nvcpus; i++) {
		for (unsigned int n = 0; n < VCPU_NPARTS; n++) {
			if (!r->vcpu[i][n].data)
				return false;
		}
	}
	return true;
}

static int get_all(struct restore *r, struct why *why)
{
	void *buf = malloc(SAVEFILE_MAX);
	uint32_t type = 0;
	size_t len;
	int ret = buf ? 0 : -ENOMEM;

	while (!ret) {
		ret = savefile_get(&r->s, &type, buf, &len);
		if (ret) {
			ret = why_set(why, ret, "saved domain: record %u: %s",
				      r->s.seq + 1, savefile_error(ret));
			break;
		}
		if (type == SAVE_END)
			break;
		why->text[0] = '\0';
		ret = get_one(r, type, buf, len, why);
		if (ret && !why->text[0])
			ret = why_set(
				why, ret,
				"saved domain: record %u (type %u, %zu bytes) cannot be: %s",
				r->s.seq, type, len, strerror(-ret));
	}
	free(buf);
	if (!ret && (len || !is_complete(r)))
		return why_set(
			why, -EINVAL,
			"saved domain: parts are missing before its end");
	return ret;
}

/* ---- Using ----------------------------------------------------------------- */

/*
 * As much time has passed for the guest as for the host, as if it had been paused.
 * A host whose clock is behind stands still for it.
 */
static int set_time(struct restore *r)
{
	const struct save_vm *m = &r->m;
	struct kvm_clock_data clock = { .flags = 0 };
	struct timespec ts;
	uint64_t now, gone;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	gone = now > m->realtime_ns ? now - m->realtime_ns : 0;
	/* Equal values within a moment: KVM makes them the same TSC. */
	for (unsigned int i = 0; i < r->vm->nvcpus && !ret; i++)
		ret = vcpu_set_tsc(&r->vm->vcpus[i],
				   m->tsc + (uint64_t)((unsigned __int128)gone *
						       m->tsc_khz / 1000000));
	clock.clock = m->clock_ns + gone;
	if (!ret && ioctl(r->vm->fd, KVM_SET_CLOCK, &clock) < 0)
		ret = -errno;
	return ret;
}

static int set_part(struct restore *r, unsigned int id, enum vcpu_part part,
		    struct why *why)
{
	const struct part *p = &r->vcpu[id][part];
	int ret = vcpu_state_load(&r->vm->vcpus[id], part, p->data, p->len);

	if (ret)
		return why_set(why, ret, "saved domain: vcpu %u: %s: %s", id,
			       vcpu_part_name(part), strerror(-ret));
	return 0;
}

static int set_vcpus(struct restore *r, enum vcpu_part from, enum vcpu_part end,
		     struct why *why)
{
	int ret = 0;

	for (unsigned int i = 0; i < r->vm->nvcpus && !ret; i++) {
		for (enum vcpu_part n = from; n < end && !ret; n++)
			ret = set_part(r, i, n, why);
	}
	return ret;
}

static int set_pages(struct restore *r)
{
	struct vm *vm = r->vm;
	int ret = shinfo_set_width(vm, r->m.is64);

	/* What is placed takes its contents along: those that were saved. */
	if (!ret && r->m.shared_info != PHYSMAP_NONE)
		ret = shinfo_place(vm, r->m.shared_info, r->m.is64);
	if (!ret)
		ret = gnttab_grow(vm, r->m.grant_frames);
	for (uint32_t i = 0; i < r->ngrants && !ret; i++) {
		if (r->grant_gfn[i] != PHYSMAP_NONE)
			ret = gnttab_place(vm, i, r->grant_gfn[i]);
	}
	return ret;
}

static int set_vm(struct restore *r)
{
	struct vm *vm = r->vm;
	uint64_t now = util_clock_ns();
	int ret;

	memcpy(vm->hvm.param, r->m.param, sizeof(vm->hvm.param));
	ret = hvm_set(vm, HVM_PARAM_CALLBACK_IRQ,
		      r->m.param[HVM_PARAM_CALLBACK_IRQ], r->m.is64);
	if (!ret && r->m.runstate_flag)
		ret = vm->engine->runstate_flag(vm, true);
	for (unsigned int i = 0; i < VM_WATCHDOGS; i++) {
		if (r->m.watchdog_ns[i])
			vm->watchdog[i] = now + r->m.watchdog_ns[i];
	}
	vm->start_ns = r->m.start_ns;
	vm->life = r->m.life;
	vm->code = r->m.code;
	return ret;
}

static int set_all(struct restore *r, struct why *why)
{
	const struct {
		const char *what;
		int (*set)(struct restore *r);
	} steps[] = {
		{ "pages of the hypervisor", set_pages },
		{ "parameters", set_vm },
	};
	int ret = set_time(r);

	if (ret)
		return why_set(why, ret, "saved domain: its clock: %s",
			       strerror(-ret));
	ret = set_vcpus(r, 0, VCPU_XEN, why);
	for (size_t i = 0; i < ARRAY_SIZE(steps) && !ret; i++) {
		ret = steps[i].set(r);
		if (ret)
			return why_set(why, ret, "saved domain: %s: %s",
				       steps[i].what, strerror(-ret));
	}
	if (ret)
		return ret;
	ret = evtchn_restore(r->vm, r->ports, r->nports);
	if (ret)
		return why_set(why, ret, "saved domain: event channels: %s",
			       strerror(-ret));
	ret = set_vcpus(r, VCPU_XEN, VCPU_NPARTS, why);
	if (ret)
		return ret;
	ret = evtchn_remind(r->vm);
	if (ret)
		return why_set(why, ret, "saved domain: pending events: %s",
			       strerror(-ret));
	return 0;
}

static void forget(struct restore *r)
{
	for (unsigned int i = 0; r->vcpu && i < r->vm->nvcpus; i++) {
		for (unsigned int n = 0; n < VCPU_NPARTS; n++)
			free(r->vcpu[i][n].data);
	}
	free(r->vcpu);
	free(r->grant_gfn);
	free(r->ports);
	savezip_free(r->zip);
	free(r->pages);
}

int restore_vm(struct vm *vm, int fd, uint32_t seq, struct why *why)
{
	struct restore r = { .vm = vm, .s = { .fd = fd, .seq = seq } };
	int ret = get_all(&r, why);

	if (!ret) {
		pthread_mutex_lock(&vm->lock);
		ret = set_all(&r, why);
		pthread_mutex_unlock(&vm->lock);
	}
	forget(&r);
	return ret;
}
