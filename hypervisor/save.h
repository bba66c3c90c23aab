/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/save.h - a domain into a stream, and out of it again. */
#ifndef HYPERVISOR_SAVE_H
#define HYPERVISOR_SAVE_H

#include <stdint.h>

#include "base/util.h"
#include "hypervisor/why.h"

struct vm;

/*
 * How it works
 *
 * The guest is not asked: all vCPUs stop, what KVM and we keep of it goes into the
 * stream, and a new VMM with the same domid and the same configuration puts it back.
 * The guest sees a pause: system time, TSC and date go on as if it had only waited.
 * Backends are no part of this: their ports are saved as unbound, to be bound again.
 * docs/save-format.md tells what the structures below mean.
 */

/** SAVE_PARAMS - Room for HVM parameters. */
#define SAVE_PARAMS 64

/** struct save_vm - SAVE_VM, the first record of ours. */
struct save_vm {
	uint32_t domid, vcpus_max, vcpus_online, max_grant_frames;
	uint32_t is64, grant_frames, tsc_khz, cpu;
	uint64_t mem_kib;
	uint64_t clock_ns;    /* system time */
	uint64_t realtime_ns; /* CLOCK_REALTIME at that time */
	uint64_t tsc;	      /* of vCPU 0 at that time */
	uint64_t shared_info; /* guest frame; all ones for none */
	uint64_t start_ns;
	uint64_t watchdog_ns[2]; /* time left; 0 = off */
	uint32_t life;
	int32_t code;
	uint32_t runstate_flag;
	uint32_t zero;
	uint64_t param[SAVE_PARAMS];
};

/** struct save_host - SAVE_HOST: those of save_vm that never change. */
struct save_host {
	uint32_t domid, vcpus_max, max_grant_frames, tsc_khz, cpu, zero;
	uint64_t mem_kib;
};

/** struct save_port - SAVE_PORTS is one of these for each port from 1 on. */
struct save_port {
	uint32_t type, vcpu, remote, peer, virq;
};

/** enum save_page_kind - Which page a SAVE_PAGE is. */
enum save_page_kind {
	PAGE_STORE,
	PAGE_CONSOLE,
	PAGE_SHARED_INFO,
	PAGE_GRANT,
};

/** struct save_page - Begins SAVE_PAGE; 4096 bytes follow. */
struct save_page {
	uint32_t kind, index;
	uint64_t
		gfn; /* PAGE_GRANT: where the guest has it; all ones: nowhere */
};

/** struct save_part - Begins SAVE_VCPU; the part follows. */
struct save_part {
	uint32_t vcpu;
	uint32_t part; /* enum vcpu_part */
};

/**
 * save_vm() - Write a domain, but for its memory: that is the toolstack's to do.
 * @fd:  A regular file that can be written, after the toolstack's records.
 * @seq: Of the last of those; set to that of our last.
 *
 * The domain must be paused and stays so.  lock: taken inside, main thread.
 *
 * Return: 0; -EINVAL if it is not paused or has shut down; -EAGAIN if the store has
 * requests of the guest before it; -EBUSY if a vCPU does not stop; or -errno.
 */
int save_vm(struct vm *vm, int fd, uint32_t *seq) must_check;

/**
 * save_host() - Write what another host must have for it, at any time.
 *
 * As save_vm().
 */
int save_host(struct vm *vm, int fd, uint32_t *seq) must_check;

/**
 * restore_vm() - Read it into a VM that was just made, before its vCPUs start.
 * @fd:  Behind the toolstack's records; @seq: of the last of those.
 * @why: Set on failure.
 *
 * Nothing of the guest runs before all of the stream was read and found to be good.
 *
 * Return: 0 or -errno; then the VM is of no use.
 */
int restore_vm(struct vm *vm, int fd, uint32_t seq, struct why *why) must_check;

/** save_cpu() - What the guest is shown of this host; for save_vm.cpu. */
int save_cpu(const struct vm *vm, uint32_t *digest) must_check;

#endif
