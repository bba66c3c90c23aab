/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/physmap.h - pages of ours at guest frames that the guest picks. */
#ifndef HYPERVISOR_PHYSMAP_H
#define HYPERVISOR_PHYSMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "ring/shm.h"

struct vm;

#define PHYSMAP_NONE UINT64_MAX

/**
 * struct physmap_page - One page of the hypervisor that the guest may map.
 *
 * At first it lies in a memfd of ours (@home).  Placed at a frame of RAM, it
 * moves there and is used in place: no memory slot, and whoever maps the RAM
 * memfd reaches it.  Placed elsewhere it stays at home, under a memory slot of
 * its own.  lock: vm->lock
 */
struct physmap_page {
	uint8_t SHM *host; /* UNTRUSTED: where it is now */
	uint8_t SHM *home; /* UNTRUSTED; borrowed: its place in our memfd */
	uint64_t gfn;	   /* PHYSMAP_NONE until the guest maps it */
	unsigned int slot; /* KVM memory slot reserved for it */
	bool in_ram;
};

/** physmap_init() - A page at @home that no guest frame shows yet. */
void physmap_init(struct physmap_page *p, uint8_t SHM *home, unsigned int slot);

/**
 * physmap_place() - Show the page at a guest frame, contents included.
 * @gfn: UNTRUSTED: in RAM or in a hole.
 *
 * A page that was elsewhere before is moved.
 *
 * Return: 0, -EINVAL if the frame cannot be used, or -errno.
 */
int physmap_place(struct vm *vm, struct physmap_page *p,
		  uint64_t gfn) must_check;

/** physmap_remove() - Take the page home; nothing happens if it is there. */
void physmap_remove(struct vm *vm, struct physmap_page *p);

#endif
