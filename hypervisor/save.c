// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/save.c - a domain into a stream.
#include "hypervisor/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

#include "base/savefile.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vcpu_state.h"
#include "hypervisor/version.h"
#include "hypervisor/vm.h"

#define CHUNK_WORDS (SAVEFILE_CHUNK / sizeof(uint64_t))

_Static_assert(SAVE_PARAMS >= HVM_NR_PARAMS, "all of them");
_Static_assert(sizeof(struct savefile_range) + SAVEFILE_CHUNK <= SAVEFILE_MAX,
	       "a chunk fits");

static int put(struct savefile *s, uint32_t type, const void *head,
	       size_t nhead, const void *body, size_t nbody)
{
	const struct iovec v[] = {
		{ .iov_base = (void *)(uintptr_t)head, .iov_len = nhead },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = nbody },
	};

	return savefile_put(s, type, v, body ? 2 : 1);
}

/* ---- The VM ---------------------------------------------------------------- */

int save_cpu(const struct vm *vm, uint32_t *digest)
{
	const struct cpuid_config config = {
		.vcpus = vm->cfg.vcpus_max,
		.xen_major = VERSION_MAJOR,
		.xen_minor = VERSION_MINOR,
		.upcall_vector = true,
	};

	return cpuid_digest(vm->cpuid, &config, digest);
}

static uint64_t realtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Also while it runs: of no vCPU, which answers when it comes out of the guest. */
static int fill_host(const struct vm *vm, struct save_host *h)
{
	*h = (struct save_host){
		.domid = vm->cfg.domid,
		.vcpus_max = vm->cfg.vcpus_max,
		.max_grant_frames = vm->gnttab.max,
		.tsc_khz = vm->tsc_khz,
		.mem_kib = vm->cfg.mem_kib,
	};
	return save_cpu(vm, &h->cpu);
}

static int put_vm(struct vm *vm, struct savefile *s,
		  const struct save_host *host)
{
	uint64_t now = util_clock_ns();
	struct save_vm m = {
		.domid = host->domid,
		.vcpus_max = host->vcpus_max,
		.vcpus_online = vm->cfg.vcpus_online,
		.max_grant_frames = host->max_grant_frames,
		.is64 = vm->shinfo.is64,
		.grant_frames = vm->gnttab.nr,
		.tsc_khz = host->tsc_khz,
		.cpu = host->cpu,
		.mem_kib = host->mem_kib,
		.realtime_ns = realtime(),
		.shared_info = vm->shinfo.page.gfn,
		.start_ns = vm->start_ns,
		.life = vm->life,
		.code = vm->code,
		.runstate_flag = vm->runstate_flag,
	};
	int ret;

	memcpy(m.param, vm->hvm.param, sizeof(vm->hvm.param));
	/* One that is due fires at once. */
	for (unsigned int i = 0; i < VM_WATCHDOGS; i++) {
		if (vm->watchdog[i])
			m.watchdog_ns[i] = vm->watchdog[i] > now
						   ? vm->watchdog[i] - now
						   : 1;
	}
	ret = vcpu_tsc(&vm->vcpus[0], &m.tsc);
	if (!ret)
		ret = vm->engine->clock(vm, &m.clock_ns);
	return ret ? ret : put(s, SAVE_VM, &m, sizeof(m), NULL, 0);
}

/* A client leaves with the VMM: its port is what it was before he came. */
static int put_ports(struct vm *vm, struct savefile *s)
{
	const struct evtchn *e = &vm->evtchn;
	uint32_t n = e->top > 1 ? e->top - 1 : 0;
	struct save_port *list = calloc(n + 1, sizeof(*list));
	int ret;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct evtchn_port *p = &e->port[i + 1];

		list[i] = (struct save_port){ p->type, p->vcpu, p->remote,
					      p->peer, p->virq };
		if (p->call >= 0)
			list[i].type = EVTCHNSTAT_unbound;
	}
	ret = put(s, SAVE_PORTS, list, n * sizeof(*list), NULL, 0);
	free(list);
	return ret;
}

/* ---- Memory ---------------------------------------------------------------- */

static int put_page(struct savefile *s, enum save_page_kind kind,
		    uint32_t index, uint64_t gfn, const uint8_t SHM *host)
{
	const struct save_page head = { kind, index, gfn };
	uint8_t page[SV_PAGE_SIZE];

	shm_fetch(page, host, sizeof(page));
	return put(s, SAVE_PAGE, &head, sizeof(head), page, sizeof(page));
}

static int put_pages(struct vm *vm, struct savefile *s)
{
	const struct gnttab *g = &vm->gnttab;
	int ret = put_page(s, PAGE_STORE, 0, UINT64_MAX, vm->store.host);

	if (!ret)
		ret = put_page(s, PAGE_CONSOLE, 0, UINT64_MAX,
			       vm->console.host);
	if (!ret)
		ret = put_page(s, PAGE_SHARED_INFO, 0, vm->shinfo.page.gfn,
			       vm->shinfo.page.host);
	for (unsigned int i = 0; i < g->nr && !ret; i++)
		ret = put_page(s, PAGE_GRANT, i, g->frame[i].gfn,
			       g->frame[i].host);
	return ret;
}

static int put_balloon(struct vm *vm, struct savefile *s)
{
	uint64_t words = (vm->mem->size >> SV_PAGE_SHIFT) / 64 + 1;
	const uint64_t *given = vm->memory.given;
	int ret = 0;

	for (uint64_t at = 0; given && at < words && !ret; at += CHUNK_WORDS) {
		const struct savefile_range r = { at, MIN(words - at,
							  CHUNK_WORDS) };

		ret = put(s, SAVE_BALLOON, &r, sizeof(r), given + at,
			  r.n * sizeof(*given));
	}
	return ret;
}

/* ---- vCPUs ----------------------------------------------------------------- */

static int put_vcpu(struct vcpu *v, struct savefile *s, void *buf)
{
	int ret = 0;

	for (unsigned int i = 0; i < VCPU_NPARTS && !ret; i++) {
		const struct save_part head = { v->id, i };
		size_t len;

		ret = vcpu_state_save(v, i, buf, &len);
		if (ret)
			log_err("vcpu %u: %s cannot be saved: %s", v->id,
				vcpu_part_name(i), strerror(-ret));
		else
			ret = put(s, SAVE_VCPU, &head, sizeof(head), buf, len);
	}
	return ret;
}

static int put_vcpus(struct vm *vm, struct savefile *s)
{
	void *buf = malloc(VCPU_PART_MAX);
	int ret = buf ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < vm->nvcpus && !ret; i++)
		ret = put_vcpu(&vm->vcpus[i], s, buf);
	free(buf);
	return ret;
}

/* ---- All ------------------------------------------------------------------- */

/* UNTRUSTED: the page is the guest's; a lie keeps nobody else from being saved. */
static bool store_is_idle(const struct vm *vm)
{
	struct xenstore_domain_interface page;

	shm_fetch(&page, vm->store.host, sizeof(page));
	return page.req_cons == page.req_prod;
}

/*
 * vCPUs first: to look at one may raise an event in shared memory, and what is
 * written of that is written last.
 */
static int put_all(struct vm *vm, struct savefile *s)
{
	struct save_host host;
	int ret = fill_host(vm, &host);

	if (!ret)
		ret = put_vm(vm, s, &host);
	if (!ret)
		ret = put_vcpus(vm, s);
	if (!ret)
		ret = put_ports(vm, s);
	if (!ret)
		ret = put_balloon(vm, s);
	return ret ? ret : put_pages(vm, s);
}

static int check(struct vm *vm)
{
	if (!vm->paused || vm->shutdown)
		return -EINVAL;
	if (vm->parked < vm->nvcpus)
		return -EBUSY;
	return store_is_idle(vm) ? 0 : -EAGAIN;
}

/*
 * Everybody else waits for us: no pipe whose reader may.
 *
 * SYSCALLS, at times: newfstatat/fstat
 */
static int check_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ? -ESPIPE : 0;
}

int save_host(struct vm *vm, int fd, uint32_t *seq)
{
	struct savefile s = { .fd = fd, .seq = *seq };
	struct save_host host;
	int ret = check_file(fd);

	if (!ret)
		ret = fill_host(vm, &host);
	if (!ret)
		ret = put(&s, SAVE_HOST, &host, sizeof(host), NULL, 0);
	*seq = s.seq;
	return ret;
}

/* SYSCALLS, at times: write */
int save_vm(struct vm *vm, int fd, uint32_t *seq)
{
	struct savefile s = { .fd = fd, .seq = *seq };
	int ret = check_file(fd);

	if (ret)
		return ret;
	pthread_mutex_lock(&vm->lock);
	ret = check(vm);
	pthread_mutex_unlock(&vm->lock);
	for (unsigned int i = 0; i < vm->nvcpus && !ret; i++)
		ret = vcpu_settle(&vm->vcpus[i]);
	if (ret)
		return ret;
	pthread_mutex_lock(&vm->lock);
	/* A hypercall that was finished may have ended the guest. */
	ret = vm->shutdown ? -EINVAL : put_all(vm, &s);
	pthread_mutex_unlock(&vm->lock);
	*seq = s.seq;
	return ret;
}
