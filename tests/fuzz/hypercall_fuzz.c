// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/hypercall_fuzz.c - sequences of hypercalls in one domain.
//
// FUZZ: F4; max_len 2816
//
// Whatever is asked for, by whatever pointer: the answer is a result or an errno
// that the ABI knows; memory changes only where an argument of this or an earlier
// call has pointed to; and no byte of it ever tells where our own memory lies.
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/memory.h>

#include "base/log.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/fuzz.h"

/*
 * Each call is 4 bytes (number, sub-operation, count, and how: width of the
 * caller, wild pointer, unprivileged) and 40 bytes of arguments in guest memory.
 * The domain is made anew for each input, so that a finding can be repeated.
 */
#define CALL  44
#define ARG   UINT64_C(0x200000)
#define CALLS 64
#define HEAD  1 /* the racing peer's script */

/* A guest may be ended between steps, so that some are enough. */
#define STEPS 8

#define HOW_32	 1
#define HOW_WILD 2
#define HOW_USER 4

/* As far behind a pointer as any call writes: a list of grant frames, e820. */
#define REACH UINT64_C(0x10000)

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return fuzz_mutate_records(data, size, max, seed, HEAD, CALL);
}

/* Where arguments have pointed to so far, by address or by frame. */
static uint64_t pointed[(CALLS + 1) * CALL];
static size_t npointed;
static bool raced;

static void note_pointers(const uint8_t *arg, size_t n, uint64_t at)
{
	pointed[npointed++] = at;
	for (size_t i = 0; i + 4 <= n; i += 4) {
		uint64_t v = 0;

		memcpy(&v, arg + i, MIN(n - i, sizeof(v)));
		pointed[npointed++] = v;
		pointed[npointed++] = v << SV_PAGE_SHIFT;
		/* A caller of 32 bits has shorter ones. */
		pointed[npointed++] = (uint32_t)v;
		pointed[npointed++] = (uint64_t)(uint32_t)v << SV_PAGE_SHIFT;
	}
}

static bool was_pointed_to(uint64_t gpa)
{
	for (size_t i = 0; i < npointed; i++)
		if (gpa - (pointed[i] & ~(uint64_t)(SV_PAGE_SIZE - 1)) < REACH)
			return true;
	return false;
}

/* Whether a number is the address of something of ours. */
static bool is_ours(const struct fakevm *f, uint64_t v)
{
	const struct guestmem *m = f->vm.mem;

	return v - (uintptr_t)f < sizeof(*f) ||
	       v - (uintptr_t)m->map < m->map_size ||
	       v - (uintptr_t)&v + 65536 < 2 * 65536 ||
	       v - (uintptr_t)f->vm.gnttab.map < SV_PAGE_SIZE;
}

static void check_memory(struct fakevm *f)
{
	const uint8_t *ram = fakevm_at(f, 0);
	off_t at = 0;
	uint64_t v;

	/* Pages that are not there need no look. */
	while ((at = lseek(f->vm.mem->fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(f->vm.mem->fd, at, SEEK_HOLE);

		for (; at < end; at += (off_t)sizeof(v)) {
			memcpy(&v, ram + at, sizeof(v));
			if (!v)
				continue;
			assert(was_pointed_to((uint64_t)at));
			assert(!is_ours(f, v));
		}
	}
}

static void check_result(const uint8_t *call, int64_t ret)
{
	static const int known[] = {
		EPERM,	ENOENT, ESRCH,	    EAGAIN, ENOMEM,
		EACCES, EFAULT, EBUSY,	    EEXIST, EINVAL,
		ENOSPC, ENOSYS, EOPNOTSUPP, ERANGE, E2BIG
	};

	if (call[3] & HOW_USER)
		assert(ret == -EPERM);
	if (ret >= 0 || ret == HC_AGAIN)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (ret == -known[i])
			return;
	/* memory_op also counts what it did not do, and never below this. */
	assert(0);
}

static void one_call(struct fakevm *f, const uint8_t *call)
{
	struct vcpu *v = &f->vcpu[call[3] >> 6];
	uint64_t at = call[3] & HOW_WILD ? ARG + 4096 - call[4] % 64 : ARG;
	uint64_t arg[6] = { call[1], at, call[2] };
	int64_t ret;

	if (call[0] % 44 == __HYPERVISOR_vcpu_op ||
	    call[0] % 44 == __HYPERVISOR_console_io) {
		arg[1] = call[2];
		arg[2] = at;
	}
	memcpy(fakevm_at(f, ARG), call + 4, CALL - 4);
	note_pointers(call + 4, CALL - 4, at);
	ret = hc_begin(&v->hc, call[3] & HOW_USER ? 3 : 0, !(call[3] & HOW_32),
		       call[0] % 44, arg);
	for (int i = 0; ret == HC_AGAIN && i < STEPS; i++)
		ret = hc_continue(&v->hc);
	check_result(call, ret);
	v->hc.active = false;
	f->vm.shutdown = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fakevm *f = fakevm_new(4);

	log_init("", LOG_LVL_ERR);
	npointed = 0;
	note_pointers(data, 0, ARG);
	raced = size && *data;
	if (raced) { /* every look changes a byte, by this seed */
		const uint8_t storm[] = { 2, *data };

		fuzz_race(&(struct fuzz_in){ storm, sizeof(storm) });
	}
	data += HEAD;
	size -= MIN(size, (size_t)HEAD);
	for (int i = 0; size >= CALL && i < CALLS; i++) {
		one_call(f, data);
		data += CALL;
		size -= CALL;
	}
	fuzz_race_end();
	assert(f->vm.gnttab.nr <= f->vm.gnttab.max);
	assert(memory_pages(&f->vm) <= f->vm.mem->size / SV_PAGE_SIZE);
	/* A guest that changes its arguments may point to anywhere. */
	if (!raced)
		check_memory(f);
	/* Asserts that the engine can forget everything. */
	fakevm_free(f);
	return 0;
}
