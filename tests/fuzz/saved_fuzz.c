// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/saved_fuzz.c - a saved domain whose records are changed, read again.
//
// FUZZ: F10; max_len 256
//
// The records are those of a domain that was saved just now: the VMM's own by itself,
// the toolstack's made here.  The input then changes, doubles, drops and moves some of
// them, so that all checksums and numbers are right, or damages the stream.  The
// toolstack reads it as a file or as a peer's, and the VMM what is its own.  Nodes that
// the toolstack takes are the domain's; the VMM puts bytes nowhere but into its guest.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/savefile.h"
#include "base/savezip.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/save.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/fuzz.h"
#include "tools/xl_save.h"

#define MAX_RECORDS 64u
#define OPS	    16u
#define PIPE_ROOM   (1 << 20)

struct record {
	uint32_t type;
	size_t len;
	uint8_t *data; /* *owned* */
};

static struct record good[MAX_RECORDS];
static unsigned int ngood;
static bool clean; /* nothing is changed: it is restored */

/* ---- KVM ------------------------------------------------------------------- */

static int answer_list(unsigned long request, void *arg)
{
	struct kvm_cpuid2 *cpuid = arg;
	struct kvm_msr_list *msrs = arg;

	if (request == KVM_GET_SUPPORTED_CPUID) {
		memset(cpuid->entries, 0, 2 * sizeof(cpuid->entries[0]));
		cpuid->nent = 2;
		return 0;
	}
	if (msrs->nmsrs < 2) {
		msrs->nmsrs = 2;
		errno = E2BIG;
		return -1;
	}
	msrs->nmsrs = 2;
	msrs->indices[0] = 0x10;
	msrs->indices[1] = 0x174;
	return 0;
}

/* What every KVM says to a vCPU that does nothing. */
static int answer(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_RUN:
		errno = EINTR;
		return -1;
	case KVM_GET_TSC_KHZ:
		return 2000000;
	case KVM_CHECK_EXTENSION:
		return 4096;
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return (int)((struct kvm_msrs *)arg)->nmsrs;
	case KVM_GET_SUPPORTED_CPUID:
	case KVM_GET_MSR_INDEX_LIST:
		return answer_list(request, arg);
	default:
		break;
	}
	if (_IOC_DIR(request) & _IOC_READ)
		memset(arg, 0, _IOC_SIZE(request));
	return 0;
}

/* In the C library's place. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (_IOC_TYPE(request) == KVMIO)
		return answer(request, arg);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

/* ---- A domain -------------------------------------------------------------- */

static void SHM *new_page(void)
{
	void *page = aligned_alloc(SV_PAGE_SIZE, SV_PAGE_SIZE);

	assert(page);
	return memset(page, 0, SV_PAGE_SIZE);
}

static struct fakevm *new_vm(void)
{
	struct fakevm *f = fakevm_new(1);
	struct vm *vm = &f->vm;

	vm->cfg.vcpus_max = vm->cfg.vcpus_online = 1;
	vm->cfg.mem_kib = vm->mem->size >> 10;
	vm->cfg.max_grant_frames = vm->gnttab.max;
	vm->store.host = new_page();
	vm->console.host = new_page();
	assert(!cpuid_new(&vm->cpuid, -1));
	vm->paused = true;
	vm->parked = 1;
	return f;
}

static void free_vm(struct fakevm *f)
{
	free(f->vm.store.host);
	free(f->vm.console.host);
	cpuid_free(f->vm.cpuid);
	fakevm_free(f);
}

static void keep(uint32_t type, const void *data, size_t len)
{
	assert(ngood < MAX_RECORDS);
	good[ngood++] = (struct record){ type, len, fuzz_tight(data, len) };
}

static void keep_node(const char *path)
{
	struct {
		struct xl_save_node head;
		char rest[128];
	} n = { { (uint32_t)strlen(path) + 1, 1, 3 }, "" };

	memcpy(n.rest, path, n.head.path);
	keep(SAVE_NODES, &n, sizeof(n.head) + n.head.path + 8 + 3);
}

/* What the VMM writes of it. */
static void keep_vm(void)
{
	int fd = memfd_create("saved", MFD_CLOEXEC);
	struct savefile in = { .fd = fd };
	uint8_t *buf = malloc(SAVEFILE_MAX);
	struct fakevm *f = new_vm();
	uint32_t seq = 0, type;
	size_t len;

	assert(fd >= 0 && buf);
	assert(!save_host(&f->vm, fd, &seq));
	assert(!save_vm(&f->vm, fd, &seq));
	assert(!lseek(fd, 0, SEEK_SET));
	while (!savefile_get(&in, &type, buf, &len)) {
		/* In a file it is of no use, and out of place. */
		if (type != SAVE_HOST)
			keep(type, buf, len);
	}
	free_vm(f);
	free(buf);
	close(fd);
}

/* A page of ones, packed. */
static void keep_packed(void)
{
	struct {
		struct savefile_range range;
		uint8_t packed[256];
	} r = { { 5, 1 }, "" };
	uint8_t page[SV_PAGE_SIZE];
	struct savezip *z;
	size_t n;

	memset(page, 1, sizeof(page));
	assert(!savezip_new(&z));
	n = savezip_pack(z, page, sizeof(page), r.packed, sizeof(r.packed));
	assert(n);
	savezip_free(z);
	keep(SAVE_PACKED, &r, sizeof(r.range) + n);
}

static void keep_all(void)
{
	static const char config[] = "7\0name\0/dir\0name = 'name'";
	static const char watch[] = "4294967295 device 6162";
	uint8_t memory[sizeof(struct savefile_range) + SV_PAGE_SIZE] = { 3 };

	((struct savefile_range *)(void *)memory)->n = 1;
	keep(SAVE_CONFIG, config, sizeof(config));
	keep_node("/local/domain/7");
	keep_node("/local/domain/7/data/x");
	keep(SAVE_WATCHES, watch, sizeof(watch));
	keep_vm();
	keep(SAVE_MEMORY, memory, sizeof(memory));
	keep_packed();
	keep(SAVE_END, NULL, 0);
}

/* ---- Changes --------------------------------------------------------------- */

static void change_bytes(struct record *r, struct fuzz_in *in)
{
	size_t at = fuzz_u16(in), n = fuzz_u8(in) % 9;
	uint8_t bytes[8];

	fuzz_bytes(in, bytes, n ? n : 1);
	for (size_t i = 0; i < n && r->len; i++)
		r->data[(at + i) % r->len] = bytes[i];
}

/* As a number that lies there would be changed. */
static void change_number(struct record *r, struct fuzz_in *in)
{
	size_t at = (size_t)fuzz_u8(in) * 4, size = fuzz_u8(in) % 2 ? 4 : 8;
	uint64_t v = fuzz_num(in, r->len);

	if (at + size <= r->len)
		memcpy(r->data + at, &v, size);
}

static void change_length(struct record *r, struct fuzz_in *in)
{
	size_t len = (size_t)fuzz_num(in, r->len) % (2 * r->len + 64);
	uint8_t *data = calloc(1, len ? len : 1);

	assert(data);
	memcpy(data, r->data, MIN(len, r->len));
	free(r->data);
	r->data = data;
	r->len = len;
}

static struct record copy(const struct record *r)
{
	return (struct record){ r->type, r->len, fuzz_tight(r->data, r->len) };
}

/* One more, or one less, or another order. */
static void change_order(struct record *r, unsigned int *n, struct fuzz_in *in)
{
	unsigned int how = fuzz_u8(in) % 3, at = fuzz_u8(in) % *n,
		     to = fuzz_u8(in) % *n;
	struct record one = r[at];

	if (how == 0 && *n < MAX_RECORDS) {
		memmove(r + to + 1, r + to, (*n - to) * sizeof(*r));
		r[to] = copy(&one);
		++*n;
	} else if (how == 1 && *n > 1) {
		free(one.data);
		memmove(r + at, r + at + 1, (*n - at - 1) * sizeof(*r));
		--*n;
	} else if (how == 2) {
		r[at] = r[to];
		r[to] = one;
	}
}

static void change(struct record *r, unsigned int *n, struct fuzz_in *in)
{
	static const uint32_t types[] = {
		SAVE_END,   SAVE_CONFIG, SAVE_NODES,	SAVE_WATCHES, SAVE_VM,
		SAVE_PORTS, SAVE_PAGE,	 SAVE_BALLOON,	SAVE_MEMORY,  SAVE_VCPU,
		SAVE_HOST,  SAVE_PACKED, SAVE_OPTIONAL, 99,
	};
	uint8_t what = fuzz_u8(in);
	struct record *one = &r[fuzz_u8(in) % *n];

	switch (what % 5) {
	case 0:
		change_bytes(one, in);
		break;
	case 1:
		change_number(one, in);
		break;
	case 2:
		change_length(one, in);
		break;
	case 3:
		change_order(r, n, in);
		break;
	default:
		one->type = types[fuzz_u8(in) % ARRAY_SIZE(types)];
		break;
	}
}

/* A stream of the good records, changed; @raw: damaged as well. */
static int write_stream(struct fuzz_in *in)
{
	struct record r[MAX_RECORDS];
	unsigned int n = ngood;
	uint8_t raw = fuzz_u8(in);
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct savefile s;

	for (unsigned int i = 0; i < n; i++)
		r[i] = copy(&good[i]);
	for (unsigned int i = 0; i < OPS && in->left; i++)
		change(r, &n, in);
	assert(fd >= 0 && !savefile_begin(&s, fd));
	for (unsigned int i = 0; i < n; i++) {
		const struct iovec v = { r[i].data, r[i].len };

		assert(!savefile_put(&s, r[i].type, &v, 1));
		free(r[i].data);
	}
	if (raw >= 0xf0)
		assert(pwrite(fd, &raw, 1, raw * 31) == 1);
	else if (raw >= 0xe0)
		assert(!ftruncate(fd, raw * 17));
	assert(!lseek(fd, 0, SEEK_SET));
	return fd;
}

/* ---- Readers --------------------------------------------------------------- */

static bool never(void)
{
	return false;
}

/* Nothing but the guest's memory changes, which ASan knows the bounds of. */
static void restore(int fd, uint32_t seq)
{
	struct fakevm *f = new_vm();
	struct why why = { "" };
	int ret = restore_vm(&f->vm, fd, seq, &why);

	assert(ret <= 0 && (!ret || why.text[0]) && (!ret || !clean));
	free_vm(f);
}

static void read_file(int fd)
{
	struct xl_save_file f;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (xl_save_open(&f, path)) {
		assert(!clean);
		return;
	}
	restore(f.saved.fd, f.saved.seq);
	xl_save_close(&f);
}

/* There is room for all of it where it is passed on. */
static void read_peer(int fd)
{
	struct xl_save_file f;
	int vmm;

	if (xl_save_open_peer(&f, fd, never)) {
		assert(!clean);
		return;
	}
	vmm = fcntl(f.saved.fd, F_DUPFD_CLOEXEC, 0);
	assert(vmm >= 0 && fcntl(vmm, F_SETPIPE_SZ, PIPE_ROOM) >= PIPE_ROOM);
	if (!f.saved.feed(f.saved.arg))
		restore(vmm, 0);
	else
		assert(!clean);
	close(vmm);
	xl_save_close(&f);
}

/* In an input: how the stream is read, how damaged; then changes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	uint8_t how = fuzz_u8(&in);
	int fd;

	log_init("", LOG_LVL_ERR);
	clean = size < 2 || (size == 2 && data[1] < 0xe0);
	if (!ngood)
		keep_all();
	fd = write_stream(&in);
	if (how & 1)
		read_peer(fd);
	else
		read_file(fd);
	close(fd);
	return 0;
}
