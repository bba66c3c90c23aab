// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/hypercall_fuzz.c - sequences of hypercalls in one domain.
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>

#include "base/log.h"
#include "tests/lib/fakevm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Each call is 4 bytes (number, sub-operation, count, and how: width of the
 * caller, wild pointer) and 40 bytes of arguments in guest memory.  The domain
 * is made anew for each input, so that a finding can be repeated.
 */
#define CALL  44
#define ARG   UINT64_C(0x200000)
#define CALLS 64

/* A guest may be ended between steps, so that some are enough. */
#define STEPS 8

#define HOW_32	 1
#define HOW_WILD 2

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
	ret = hc_begin(&v->hc, 0, !(call[3] & HOW_32), call[0] % 44, arg);
	for (int i = 0; ret == HC_AGAIN && i < STEPS; i++)
		ret = hc_continue(&v->hc);
	v->hc.active = false;
	f->vm.shutdown = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fakevm *f = fakevm_new(4);

	log_init("", LOG_LVL_ERR);
	for (int i = 0; size >= CALL && i < CALLS; i++) {
		one_call(f, data);
		data += CALL;
		size -= CALL;
	}
	assert(f->vm.gnttab.nr <= f->vm.gnttab.max);
	assert(memory_pages(&f->vm) <= f->vm.mem->size / SV_PAGE_SIZE);
	/* Asserts that the engine can forget everything. */
	fakevm_free(f);
	return 0;
}
