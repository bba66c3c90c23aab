/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/vm.h - one domain: its KVM VM, memory slots and life. */
#ifndef HYPERVISOR_VM_H
#define HYPERVISOR_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/util.h"
#include "hypervisor/conlog.h"
#include "hypervisor/engine.h"
#include "hypervisor/evtchn.h"
#include "hypervisor/gnttab.h"
#include "hypervisor/guestmem.h"
#include "hypervisor/hvm.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/memory.h"
#include "hypervisor/shinfo.h"
#include "hypervisor/why.h"

struct cpuid;
struct debug;
struct vcpu;

/** VM_MAX_VCPUS - Our own limit; the host's may be lower. */
#define VM_MAX_VCPUS 64

/** VM_BACKEND - The domid of all backends: dom0. */
#define VM_BACKEND 0

/** VM_WATCHDOGS - Watchdog timers of a domain (as Xen's). */
#define VM_WATCHDOGS 2

/** enum vm_slot - KVM memory slots. */
enum vm_slot {
	VM_SLOT_RAM, /* and the next GUESTMEM_MAX_REGIONS - 1 */
	VM_SLOT_STORE = GUESTMEM_MAX_REGIONS,
	VM_SLOT_CONSOLE,
	VM_SLOT_SHINFO,
	VM_SLOT_GRANT, /* and one more for each grant frame */
};

/** struct vm_config - What the toolstack asked for; constant. */
struct vm_config {
	unsigned int domid;
	const char *name;
	uint8_t uuid[16];
	uint64_t mem_kib;
	unsigned int vcpus_online; /* at boot */
	unsigned int vcpus_max;
	unsigned int max_grant_frames;
	const char *kernel;
	const char *ramdisk; /* or NULL */
	const char *cmdline;
	const char *log;      /* or NULL */
	int ready_fd;	      /* or -1 */
	int restore_fd;	      /* instead of a kernel; or -1 */
	uint32_t restore_seq; /* of the record before the VMM's */
	bool no_sandbox;
};

/** struct vm_page - One page in a memfd of its own. */
struct vm_page {
	int fd;
	uint8_t SHM *host; /* UNTRUSTED */
};

/**
 * struct vm - A domain.
 *
 * vCPU threads make hypercalls and the main thread serves the domain socket;
 * both hold @lock while they touch anything below it.  Nothing that holds the
 * lock waits for a vCPU.
 */
struct vm {
	struct vm_config cfg;
	int kvm; /* /dev/kvm */
	int fd;
	unsigned int xen_caps; /* KVM_XEN_HVM_CONFIG_* that the host has */
	const struct engine *engine;
	struct guestmem *mem;
	struct vcpu *vcpus;
	unsigned int nvcpus;
	size_t run_size;
	uint64_t start_ns; /* CLOCK_REALTIME */
	struct vm_page store;
	struct vm_page console;
	struct vm_page shared; /* home of shared_info */
	struct cpuid *cpuid;   /* what KVM supports */
	uint32_t tsc_khz; /* 0: not known; KVM would tell a vCPU's own thread */
	int wake;	  /* eventfd: the main loop must look at us */
	int64_t waits_at; /* see stats_waits(); 0: not looked for */
	struct debug *debug; /* *owned*, or NULL; see debug.c */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* paused or quit has changed */
	pthread_cond_t idle;	/* parked has grown */
	bool paused;
	bool quit;
	unsigned int parked; /* vCPUs that wait at the gate */
	bool shutdown;
	uint32_t reason;  /* SHUTDOWN_* */
	uint64_t shut_at; /* CLOCK_MONOTONIC ns */
	int64_t resumed;  /* result of a SCHEDOP_shutdown that suspended us */
	uint32_t life;	  /* of struct dom_info */
	int code;	  /* SCHEDOP_shutdown_code, -1 for none */
	uint64_t watchdog[VM_WATCHDOGS]; /* CLOCK_MONOTONIC ns; 0 = off */
	uint64_t idle_next;		 /* when to look for a stopped guest */
	uint64_t idle_cpu_ns; /* CPU time of all vCPUs at last look */
	struct shinfo shinfo;
	struct evtchn evtchn;
	struct gnttab gnttab;
	struct hvm hvm;
	struct memory memory;
	bool runstate_flag; /* VMASST_TYPE_runstate_update_flag is on */
	struct hypercalls calls;
	struct conlog conlog;
	struct log_limit limit; /* of whatever the guest can cause */
	void *routes;		/* the engine's */
};

/**
 * vm_new() - Make an empty VM: RAM, special pages, no vCPU.
 * @out: *Owned* by the caller; written only on success.
 * @cfg: Copied; its strings are borrowed until vm_free().
 * @why: Set on failure.
 *
 * Return: 0 or -errno.
 */
int vm_new(struct vm **out, const struct vm_config *cfg,
	   struct why *why) must_check;

/** vm_free() - End all vCPUs and give everything back; NULL is fine. */
void vm_free(struct vm *vm);

/**
 * vm_out_of_poll() - Have every vCPU leave KVM, to its gate.
 *
 * KVM's in-kernel SCHEDOP_poll sleeps inside an SRCU read section that changes
 * of memory slots and event channels wait for: a vCPU polling for ever would
 * hold them up for ever.  Call with vm->lock held, just before such a change;
 * the gate needs the lock, so nobody polls until it is given back.
 */
void vm_out_of_poll(struct vm *vm);

/**
 * vm_slot() - Set a KVM memory slot, for engines; see struct engine.
 *
 * Return: 0 or -errno.
 */
int vm_slot(struct vm *vm, unsigned int slot, gpa_t gpa, void SHM *host,
	    uint64_t size) must_check;

/** vm_page_make() - An empty page; a half-made one is to be freed as well. */
int vm_page_make(struct vm_page *p, const char *name) must_check;

/** vm_page_free() - Give it up, if it is one. */
void vm_page_free(struct vm_page *p);

/**
 * vm_shut() - The guest is down: note why, stop its vCPUs, tell the main loop.
 * @reason: SHUTDOWN_*; a code set by SCHEDOP_shutdown_code goes before it.
 *
 * Only the first call counts, until resume_vm().  lock: vm->lock
 */
void vm_shut(struct vm *vm, uint32_t reason);

/** vm_crash() - vm_shut(SHUTDOWN_crash) and say why in the log. */
void vm_crash(struct vm *vm, const char *fmt, ...) printf_like(2, 3);

/**
 * vm_pause(), vm_unpause() - By the toolstack; counted once.
 *
 * vm_pause() returns when no vCPU runs.  lock: taken inside
 */
void vm_pause(struct vm *vm);
void vm_unpause(struct vm *vm);

/**
 * vm_hold(), vm_release() - Stop all vCPUs for what is done between the two.
 *
 * vm_hold() returns with vm->lock taken, what vm_release() has to be told: whether the
 * domain was paused, and stays so.  A vCPU that does not stop has vm->parked less than
 * vm->nvcpus.  Main thread.
 */
bool vm_hold(struct vm *vm);
void vm_release(struct vm *vm, bool was_paused);

/**
 * vm_wait_parked() - Wait until no vCPU runs; all have been told to stop.
 *
 * lock: vm->lock, given back meanwhile.
 *
 * Return: 0, or -ETIMEDOUT if one still does after 5 s.
 */
int vm_wait_parked(struct vm *vm) must_check;

/**
 * vm_timers() - Do what is due: periodic timers, watchdogs.
 * @now: CLOCK_MONOTONIC ns.
 *
 * lock: taken inside.
 *
 * Return: when to call again, UINT64_MAX for never.
 */
uint64_t vm_timers(struct vm *vm, uint64_t now);

/**
 * vm_halted() - A vCPU has answered vcpu_ask_halted().
 *
 * When all have stopped with interrupts off the guest has powered off: that is
 * how Xen's PVH guests end on "halt".  lock: vm->lock
 */
void vm_halted(struct vm *vm);

/** vm_wake() - Make the main loop call vm_timers() and look at @shutdown. */
void vm_wake(struct vm *vm);

#endif
