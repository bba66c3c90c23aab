// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/shinfo.c - the shared_info page: where it lies, its bitmaps.
#include "hypervisor/shinfo.h"

#include <stdatomic.h>
#include <string.h>

#include "hypervisor/engine.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/*
 * Offsets in struct shared_info of xen/xen.h, whose layout follows the compiler
 * and not the guest.  Bit n of a little-endian bitmap of longs is bit n % 32 of
 * 32-bit word n / 32 whatever the guest's long is.
 */
#define PENDING 0x800
#define MASK64	0xa00
#define MASK32	0x880
#define PORTS64 4096u
#define PORTS32 1024u

/* Both bitmaps together, in the 64-bit layout, which has the larger ones. */
#define MAPS64_SIZE ((size_t)2 * PORTS64 / 8)

uint32_t shinfo_ports(const struct vm *vm)
{
	return vm->shinfo.is64 ? PORTS64 : PORTS32;
}

static _Atomic uint32_t *word(const struct vm *vm, size_t map, uint32_t port)
{
	uint8_t SHM *at =
		vm->shinfo.page.host + map + port / 32 * sizeof(uint32_t);

	return (_Atomic uint32_t *)(void *)at;
}

static uint32_t bit(uint32_t port)
{
	return 1u << (port % 32);
}

bool shinfo_pending(const struct vm *vm, uint32_t port)
{
	return atomic_load(word(vm, PENDING, port)) & bit(port);
}

/*
 * A port from before the guest chose the smaller layout has no place in it: what
 * lies there now is something else.
 */
void shinfo_set_pending(struct vm *vm, uint32_t port)
{
	if (port >= shinfo_ports(vm))
		return;
	atomic_fetch_or(word(vm, PENDING, port), bit(port));
}

bool shinfo_clear_pending(struct vm *vm, uint32_t port)
{
	return atomic_fetch_and(word(vm, PENDING, port), ~bit(port)) &
	       bit(port);
}

bool shinfo_clear_mask(struct vm *vm, uint32_t port)
{
	size_t map = vm->shinfo.is64 ? MASK64 : MASK32;

	return atomic_fetch_and(word(vm, map, port), ~bit(port)) & bit(port);
}

uint8_t SHM *shinfo_vcpu(const struct vm *vm, unsigned int vcpu)
{
	if (vcpu >= SHINFO_VCPUS)
		return NULL;
	return vm->shinfo.page.host + (size_t)vcpu * SHINFO_VCPU_SIZE;
}

int shinfo_set_width(struct vm *vm, bool is64)
{
	uint8_t SHM *at = vm->shinfo.page.host + PENDING;
	uint8_t pending[PORTS32 / 8];
	int ret;

	/* KVM takes the width from the hypercall page too: always say it. */
	ret = vm->engine->width(vm, is64);
	if (ret || is64 == vm->shinfo.is64)
		return ret;
	/* Both layouts have the pending bitmap at the same place. */
	shm_fetch(pending, at, sizeof(pending));
	memset(shm_bulk(at), 0, MAPS64_SIZE);
	shm_post(at, pending, sizeof(pending));
	vm->shinfo.is64 = is64;
	return vm->engine->shared_info(vm);
}

int shinfo_place(struct vm *vm, uint64_t gfn, bool is64)
{
	uint8_t SHM *old = vm->shinfo.page.host;
	int ret;

	ret = shinfo_set_width(vm, is64);
	if (ret)
		return ret;
	ret = physmap_place(vm, &vm->shinfo.page, gfn);
	if (ret)
		return ret;
	ret = vm->engine->shared_info(vm);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		vcpu_info_follow(&vm->vcpus[i]);
	/* Events that were raised in the old place while we moved. */
	if (old == vm->shinfo.page.host)
		return 0;
	for (size_t i = 0; i < shinfo_ports(vm) / 32; i++)
		atomic_fetch_or(
			word(vm, PENDING, (uint32_t)(i * 32)),
			*(_Atomic uint32_t *)(void *)(old + PENDING + i * 4));
	return 0;
}

int shinfo_anew(struct vm *vm)
{
	int ret;

	physmap_remove(vm, &vm->shinfo.page);
	memset(shm_bulk(vm->shinfo.page.host), 0, SV_PAGE_SIZE);
	ret = vm->engine->shared_info(vm);
	for (unsigned int i = 0; i < vm->nvcpus && !ret; i++)
		ret = vcpu_info_anew(&vm->vcpus[i]);
	return ret;
}
