// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/stats.c - counters of a domain, KVM's and our own.
#include "hypervisor/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/domsock.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/* KVM's counters that tell what a domain costs (KVM_GET_STATS_FD). */
static const char *const wanted[] = {
	"exits",
	"irq_exits",
	"irq_injections",
	"halt_exits",
	"io_exits",
	"mmio_exits",
	"signal_exits",
	"hypercalls",
	"insn_emulation",
	"pf_taken",
	"request_irq_exits",
	"irq_window_exits",
	"halt_wakeup",
	"halt_successful_poll",
	"host_state_reload",
};

_Static_assert(ARRAY_SIZE(wanted) + 4 <= DOM_MAX_STATS, "all fit");

/* Most descriptors and longest name that make sense; KVM has some 60 of 48. */
#define MAX_DESC 512
#define MAX_NAME 256

static void add(struct dom_stats *s, const char *name, uint64_t value)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (!strcmp(s->stat[i].name, name)) {
			s->stat[i].value += value;
			return;
		}
	}
	if (s->n == DOM_MAX_STATS)
		return;
	snprintf(s->stat[s->n].name, sizeof(s->stat[0].name), "%s", name);
	s->stat[s->n++].value = value;
}

static bool is_wanted(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (!strcmp(wanted[i], name))
			return true;
	}
	return false;
}

/** union desc - A statistic's type and name, which ends with a 0. */
union desc {
	struct kvm_stats_desc d;
	char bytes[sizeof(struct kvm_stats_desc) + MAX_NAME + 1];
};

/* SYSCALLS, at times: pread64 */
static bool get_header(int fd, struct kvm_stats_header *h)
{
	return fd >= 0 && pread(fd, h, sizeof(*h), 0) == sizeof(*h) &&
	       h->num_desc <= MAX_DESC && h->name_size <= MAX_NAME;
}

static bool get_desc(int fd, const struct kvm_stats_header *h, uint32_t i,
		     union desc *desc)
{
	size_t size = sizeof(struct kvm_stats_desc) + h->name_size;

	memset(desc, 0, sizeof(*desc));
	return pread(fd, desc, size, (off_t)(h->desc_offset + i * size)) ==
		       (ssize_t)size &&
	       desc->d.size == 1;
}

static off_t place_of(const struct kvm_stats_header *h, const union desc *desc)
{
	return (off_t)h->data_offset + desc->d.offset;
}

static void add_kvm(int fd, struct dom_stats *s)
{
	struct kvm_stats_header h;
	union desc desc;
	uint64_t value;

	if (!get_header(fd, &h))
		return;
	for (uint32_t i = 0; i < h.num_desc; i++) {
		if (get_desc(fd, &h, i, &desc) && is_wanted(desc.d.name) &&
		    pread(fd, &value, sizeof(value), place_of(&h, &desc)) ==
			    sizeof(value))
			add(s, desc.d.name, value);
	}
}

void stats_fill(struct vm *vm, struct dom_stats *s)
{
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		struct vcpu *v = &vm->vcpus[i];

		add_kvm(v->stats_fd, s);
		add(s, "user_exits", atomic_load(&v->count.exits));
		add(s, "user_hypercalls", atomic_load(&v->count.hypercalls));
		add(s, "user_io", atomic_load(&v->count.io));
		add(s, "user_mmio", atomic_load(&v->count.mmio));
	}
}

/* Where KVM tells of a vCPU that it waits; -1 if it does not. */
static off_t find_waits(int fd)
{
	struct kvm_stats_header h;
	union desc desc;

	if (!get_header(fd, &h))
		return -1;
	for (uint32_t i = 0; i < h.num_desc; i++) {
		if (get_desc(fd, &h, i, &desc) &&
		    !strcmp(desc.d.name, "blocking"))
			return place_of(&h, &desc);
	}
	return -1;
}

bool stats_waits(struct vcpu *v)
{
	struct vm *vm = v->vm;
	uint64_t waits = 0;

	/* The same for all; nothing is at the beginning. */
	if (!vm->waits_at)
		vm->waits_at = find_waits(v->stats_fd);
	return vm->waits_at > 0 &&
	       pread(v->stats_fd, &waits, sizeof(waits), vm->waits_at) ==
		       sizeof(waits) &&
	       waits;
}
