// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_sweep_vmm.c - every call of the VMM fails once.
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/hvm/hvm_op.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/sock.h"
#include "hypervisor/boot.h"
#include "hypervisor/bzimage.h"
#include "hypervisor/domctl.h"
#include "hypervisor/image.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/layout.h"
#include "tests/lib/fakekvm.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/stack.h"
#include "tests/lib/patience.h"
#include "tests/lib/sweep.h"
#include "tests/lib/toykernel.h"

#define ANSWER_MS PATIENCE_MS /* for what may never come */

/* ---- the domain socket's server ------------------------------------------------- */

static struct fakevm *vm;
static char top[32], hv_sock[PATH_MAX];

static void make_vm(void)
{
	log_init("sweep", LOG_LVL_ERR);
	log_to_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	vm = fakevm_new(2);
	vm->vm.cfg.name = "toy";
	vm->vm.store.fd = fd_memfd("store", SV_PAGE_SIZE);
	strcpy(top, "/tmp/test_sweep.XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	snprintf(hv_sock, sizeof(hv_sock), "%s/hv.sock", top);
}

static void end_vm(void)
{
	rmdir(top);
	fd_close(&vm->vm.store.fd);
	fakevm_free(vm);
}

/* Return: false when the domain is to be destroyed. */
static bool serve(struct domctl *d)
{
	static struct pollfd p[DOMCTL_MAX_POLL];
	bool go_on = true;
	unsigned int n;

	while (go_on) {
		n = domctl_pollfds(d, p);
		if (poll(p, n, 0) <= 0)
			break;
		sweep_on();
		go_on = domctl_serve(d, p, n);
		sweep_off();
	}
	return go_on;
}

/* One call; Return: its status, -EPIPE if disconnected, 1 for no answer. */
static int call(struct domctl *d, int fd, uint16_t type, uint32_t arg)
{
	struct dom_msg msg = { .magic = DOM_MAGIC,
			       .version = DOM_VERSION,
			       .type = type,
			       .seq = 1 };
	int fds[SOCK_MAX_FDS], ret;
	size_t nfds;

	if (type == DOM_HELLO)
		msg.u.hello.role = arg;
	else
		msg.u.port = arg;
	if (sock_send_fds(fd, &msg, sizeof(msg), NULL, 0))
		return -EPIPE;
	for (int ms = 0; ms < ANSWER_MS; ms++) {
		(void)serve(d);
		ret = sock_recv_fds(fd, &msg, sizeof(msg), fds, &nfds);
		if (ret != -EAGAIN)
			break;
		usleep(1000);
	}
	while (!ret && nfds)
		fd_close(&fds[--nfds]);
	if (ret)
		return ret == -EAGAIN ? 1 : -EPIPE;
	return msg.status;
}

static int use_domctl(struct domctl *d, int fd, uint32_t port)
{
	const struct {
		uint16_t type;
		uint32_t arg;
	} t[] = {
		{ DOM_HELLO, DOM_ROLE_BACKEND },
		{ DOM_INFO, 0 },
		{ DOM_MEMMAP, 0 },
		{ DOM_GRANT_FRAMES, 0 },
		{ DOM_EVTCHN_BIND, port },
		{ DOM_EVTCHN_CLOSE, port },
		{ DOM_EVTCHN_BIND, port },
	};
	int ret = 0, one;

	for (size_t i = 0; i < ARRAY_SIZE(t) && ret <= 0; i++) {
		one = call(d, fd, t[i].type, t[i].arg);
		ret = one ? one : ret;
	}
	return ret;
}

static int run_domctl(void)
{
	struct domctl *d;
	uint32_t port;
	int fd, ret;

	cr_assert_eq(evtchn_alloc_unbound(&vm->vm, 0, &port), 0);
	sweep_on();
	ret = domctl_new(&d, &vm->vm, hv_sock);
	sweep_off();
	if (!ret) {
		fd = sock_connect(hv_sock, SOCK_SEQPACKET);
		cr_assert_geq(fd, 0);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		ret = use_domctl(d, fd, port);
		close(fd);
		(void)serve(d);
		sweep_on();
		domctl_free(d);
		sweep_off();
	}
	cr_assert_eq(evtchn_close(&vm->vm, port), 0);
	return vm->irq_fd[port] == -1 ? ret : 1;
}

Test(sweep, domctl, .init = make_vm, .fini = end_vm, .timeout = 300)
{
	cr_expect_str_empty(sweep(run_domctl, 20));
}

/* ---- a kernel --------------------------------------------------------------------- */

static char kernel[PATH_MAX], initramfs[PATH_MAX], images[PATH_MAX];
static bool cold; /* without what an earlier run has cached */

static void put_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_eq(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static void put_elf(void)
{
	static uint8_t elf[TOY_SIZE];

	toy_elf(elf, &(struct toy){ 0 });
	put_file(kernel, elf, sizeof(elf));
}

static void put_kernel(enum bzimage_packing packing)
{
	static uint8_t elf[TOY_SIZE];
	uint8_t *file;
	size_t size;

	toy_elf(elf, &(struct toy){ 0 });
	toy_bzimage(&file, &size, elf, sizeof(elf), packing);
	put_file(kernel, file, size);
	free(file);
}

static void make_kernel(void)
{
	char bin[PATH_MAX], cache[PATH_MAX - 8];

	log_init("sweep", LOG_LVL_ERR);
	log_to_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	strcpy(top, "/tmp/test_sweep.XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	snprintf(kernel, sizeof(kernel), "%s/vmlinuz", top);
	snprintf(cache, sizeof(cache), "%s/cache", top);
	snprintf(images, sizeof(images), "%s/images", cache);
	setenv("SPLITVISOR_CACHE_DIR", cache, 1);
	stack_program(bin, "");
	setenv("SPLITVISOR_LIBEXEC_DIR", bin, 1);
	paths_init();
	put_kernel(BZIMAGE_GZIP);
}

static void end_kernel(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", top);
	cr_assert_eq(system(command), 0);
}

static void empty_cache(void)
{
	char path[PATH_MAX + 256];
	DIR *d = opendir(images);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", images, de->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
}

static int run_kernel(void)
{
	struct image img = { 0 };
	struct why why = { .text = "" };
	struct guestmem *m;
	int ret;

	if (cold)
		empty_cache();
	sweep_on();
	ret = guestmem_new(&m, 32 << 20);
	if (!ret) {
		ret = image_load(kernel, m, &img, &why);
		guestmem_free(m);
		if (ret && !why.text[0])
			ret = 1;
	}
	sweep_off();
	return ret || img.entry == TOY_ENTRY ? ret : 1;
}

Test(sweep, kernel, .init = make_kernel, .fini = end_kernel, .timeout = 300)
{
	cold = true;
	cr_expect_str_empty(sweep(run_kernel, 40));
	cold = false;
	cr_expect_str_empty(sweep(run_kernel, 30));
	/* Neither is packed: it is loaded from where it lies. */
	put_kernel(BZIMAGE_PLAIN);
	cr_expect_str_empty(sweep(run_kernel, 15));
	put_elf();
	cr_expect_str_empty(sweep(run_kernel, 10));
}

/* ---- what sv-unpack does ------------------------------------------------------------ */

static int run_unpack(void)
{
	struct image_src src = { .name = "toy" };
	struct why why = { .text = "" };
	struct bzimage bz;
	int out, ret;

	sweep_on();
	src.fd = open(kernel, O_RDONLY | O_CLOEXEC);
	sweep_off();
	if (src.fd < 0)
		return -EMFILE;
	src.size = (uint64_t)lseek(src.fd, 0, SEEK_END);
	out = memfd_create("unpacked", MFD_CLOEXEC);
	sweep_on();
	ret = bzimage_find(&src, &bz, &why);
	if (!ret)
		ret = bzimage_unpack(&bz, out, &why);
	sweep_off();
	if (ret ? !why.text[0] : lseek(out, 0, SEEK_END) != TOY_SIZE)
		ret = 1;
	close(out);
	close(src.fd);
	return ret;
}

Test(sweep, unpackers, .init = make_kernel, .fini = end_kernel, .timeout = 300)
{
	for (int i = BZIMAGE_PLAIN + 1; i < BZIMAGE_NPACKINGS; i++) {
		put_kernel((enum bzimage_packing)i);
		cr_expect_str_empty(sweep(run_unpack, 8));
	}
}

/* ---- a whole domain ------------------------------------------------------------------ */

/*
 * The VMM as its main.c puts it together, on a KVM that is not there: what its
 * clients ask for is all asked, and the guest makes one hypercall or more of each
 * kind that has the host do something.  It is suspended in between, and goes on
 * anew.
 */
#define ARGS	   0x10000u /* of hypercalls: 64 bytes each */
#define INFO_GFN   0x20u
#define SHINFO_GFN 0x21u
#define BALLOON	   0x30u
#define HOLE_GFN   (LAYOUT_LOW_MAX >> SV_PAGE_SHIFT)
#define NCALLS	   24u
#define GUEST_MS   20000

static struct {
	struct fakekvm_call call[NCALLS];
	uint8_t arg[NCALLS][64];
	int64_t want[NCALLS];
	unsigned int n;
} guest;

static int log_at;

static void will(int64_t want, uint64_t nr, uint64_t cmd, const void *arg,
		 size_t size)
{
	unsigned int i = guest.n++;

	cr_assert(i < NCALLS && size <= sizeof(guest.arg[i]));
	memcpy(guest.arg[i], arg, size);
	guest.want[i] = want;
	guest.call[i] = (struct fakekvm_call){
		.nr = nr,
		.arg = { cmd, ARGS + i * sizeof(guest.arg[i]) },
	};
}

static void will_place(unsigned int space, uint64_t gfn)
{
	struct xen_add_to_physmap a = { .domid = DOMID_SELF,
					.space = space,
					.gpfn = gfn };

	will(0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &a, sizeof(a));
}

static void will_shut(unsigned int reason)
{
	struct sched_shutdown s = { .reason = reason };

	will(0, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &s, sizeof(s));
}

static void will_set_up_events(void)
{
	struct xen_hvm_evtchn_upcall_vector upcall = { .vector = 0x50 };
	struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF };
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER };
	struct evtchn_bind_ipi ipi = { .vcpu = 0 };
	struct evtchn_send send = { .port = 4 };
	struct vcpu_register_vcpu_info info = { .mfn = INFO_GFN };
	struct fakekvm_call *last;

	will_place(XENMAPSPACE_shared_info, SHINFO_GFN);
	will(0, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall,
	     sizeof(upcall));
	will(0, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, &info,
	     sizeof(info));
	/* It has the vCPU's number before the structure. */
	last = &guest.call[guest.n - 1];
	last->arg[2] = last->arg[1];
	last->arg[1] = 0;
	/* 1 and 2 are there from the beginning. */
	will(0, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc,
	     sizeof(alloc));
	will(0, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi,
	     sizeof(ipi));
	will(0, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &virq,
	     sizeof(virq));
	will(0, __HYPERVISOR_event_channel_op, EVTCHNOP_send, &send,
	     sizeof(send));
}

static void will_change_memory(void)
{
	struct xen_memory_reservation r = { .nr_extents = 1,
					    .domid = DOMID_SELF };
	uint64_t gfn = BALLOON;

	will_place(XENMAPSPACE_grant_table, LAYOUT_GRANT >> SV_PAGE_SHIFT);
	will_place(XENMAPSPACE_grant_table, HOLE_GFN);
	/* Where the extents are is the next argument. */
	r.extent_start.p =
		(void *)(uintptr_t)(ARGS +
				    (guest.n + 2) * sizeof(guest.arg[0]));
	will(1, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r,
	     sizeof(r));
	will(1, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, sizeof(r));
	will(0, __HYPERVISOR_sched_op, SCHEDOP_yield, &gfn, sizeof(gfn));
}

static void make_machine(void)
{
	make_kernel();
	put_elf();
	snprintf(hv_sock, sizeof(hv_sock), "%s/hv.sock", top);
	snprintf(initramfs, sizeof(initramfs), "%s/initramfs", top);
	put_file(initramfs, "initramfs", 9);
	log_at = memfd_create("log", MFD_CLOEXEC);
	log_init("sweep", LOG_LVL_WARN);
	log_to_fd(log_at);
	vcpu_signals();
	will_set_up_events();
	will_change_memory();
	will_shut(SHUTDOWN_suspend);
	will_set_up_events();
	will_shut(SHUTDOWN_poweroff);
}

/* Serve until the guest is down; Return: 0, -EIO if it crashed, 1 if never. */
static int until_down(struct vm *m, struct domctl *d, unsigned int reason)
{
	bool down = false;

	for (int ms = 0; ms < GUEST_MS && !down; ms++) {
		(void)serve(d);
		sweep_on();
		(void)vm_timers(m, util_clock_ns());
		domctl_announce(d);
		sweep_off();
		pthread_mutex_lock(&m->lock);
		down = m->shutdown && m->parked == m->nvcpus;
		pthread_mutex_unlock(&m->lock);
		usleep(1000);
	}
	if (!down)
		return 1;
	return m->reason == reason ? 0 : -EIO;
}

/* A client of @role, who makes a call and leaves. */
static int ask(struct domctl *d, enum dom_role role, uint16_t type,
	       uint32_t arg)
{
	int fd = sock_connect(hv_sock, SOCK_SEQPACKET), ret;

	cr_assert_geq(fd, 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ret = call(d, fd, DOM_HELLO, role);
	if (!ret)
		ret = call(d, fd, type, arg);
	close(fd);
	(void)serve(d);
	return ret;
}

static int serve_domain(struct vm *m, struct domctl *d)
{
	static const struct {
		enum dom_role role;
		uint16_t type;
		uint32_t arg;
	} first[] = {
		{ DOM_ROLE_STORE, DOM_PAGE, 0 },
		{ DOM_ROLE_STORE, DOM_EVTCHN_BIND, 1 },
		{ DOM_ROLE_CONSOLE, DOM_PAGE, 0 },
		{ DOM_ROLE_CONSOLE, DOM_EVTCHN_BIND, 2 },
		{ DOM_ROLE_BACKEND, DOM_MEMMAP, 0 },
		{ DOM_ROLE_BACKEND, DOM_GRANT_FRAMES, 0 },
		{ DOM_ROLE_ADMIN, DOM_VCPU, 1 },
		{ DOM_ROLE_ADMIN, DOM_INFO, 0 },
		{ DOM_ROLE_ADMIN, DOM_STATS, 0 },
		{ DOM_ROLE_ADMIN, DOM_UNPAUSE, 0 },
	};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(first) && !ret; i++)
		ret = ask(d, first[i].role, first[i].type, first[i].arg);
	if (!ret)
		ret = until_down(m, d, SHUTDOWN_suspend);
	if (!ret)
		ret = ask(d, DOM_ROLE_BACKEND, DOM_EVTCHN_BIND, 3);
	if (!ret)
		ret = ask(d, DOM_ROLE_ADMIN, DOM_RESUME, true);
	if (!ret)
		ret = until_down(m, d, SHUTDOWN_poweroff);
	for (unsigned int i = 0; i < guest.n && !ret; i++)
		ret = guest.call[i].result == guest.want[i] || i + 1 == guest.n
			      ? 0
			      : -EIO;
	return ret;
}

/*
 * Whether KVM has done all that it does for a domain when nothing fails.  Not
 * there: what the VMM can do without, and attributes of vCPUs, of which only the
 * last may be set.  What comes late, when nobody is left to
 * be told, is in the log.
 */
static bool has_all(void)
{
	static const unsigned long request[] = {
		KVM_SET_IDENTITY_MAP_ADDR,
		KVM_SET_TSS_ADDR,
		KVM_SET_USER_MEMORY_REGION,
		KVM_XEN_HVM_CONFIG,
		KVM_XEN_HVM_SET_ATTR,
		KVM_SET_CPUID2,
		KVM_SET_MSRS,
		KVM_SET_GSI_ROUTING,
		KVM_IRQFD,
	};
	static unsigned int usual[ARRAY_SIZE(request)];
	bool all = true;

	for (size_t i = 0; i < ARRAY_SIZE(request); i++) {
		unsigned int n = fakekvm_granted(request[i]);

		usual[i] = usual[i] ? usual[i] : n;
		all = all && n >= usual[i];
	}
	return all;
}

static int make_domain(struct vm **m, struct domctl **d)
{
	const struct vm_config vm_cfg = { .domid = 7,
					  .name = "toy",
					  .mem_kib = 32 << 10,
					  .vcpus_online = 1,
					  .vcpus_max = 2,
					  .max_grant_frames = 4 };
	const struct boot_config boot = { kernel, initramfs, "x", 2 };
	struct why why = { .text = "" };
	struct boot_entry entry;
	int ret;

	ret = vm_new(m, &vm_cfg, &why);
	if (!ret)
		ret = boot_load((*m)->mem, &boot, &entry, &why);
	if (ret)
		return why.text[0] ? ret : 1;
	ret = domctl_new(d, *m, hv_sock);
	for (unsigned int i = 0; i < (*m)->nvcpus && !ret; i++)
		ret = vcpu_start(&(*m)->vcpus[i]);
	return ret;
}

static int run_machine(void)
{
	struct domctl *d = NULL;
	struct vm *m = NULL;
	int ret;

	fakekvm_guest(guest.call, guest.n);
	cr_assert_eq(ftruncate(log_at, 0), 0);
	cr_assert_eq(lseek(log_at, 0, SEEK_SET), 0);
	sweep_on();
	ret = make_domain(&m, &d);
	sweep_off();
	if (!ret) {
		for (unsigned int i = 0; i < guest.n; i++)
			cr_assert_eq(
				guestmem_write(
					m->mem,
					gpa_of(ARGS + i * sizeof(guest.arg[i])),
					guest.arg[i], sizeof(guest.arg[i])),
				0);
		ret = serve_domain(m, d);
	}
	sweep_on();
	domctl_free(d);
	vm_free(m);
	sweep_off();
	return ret || has_all() || lseek(log_at, 0, SEEK_END) ? ret : 1;
}

Test(sweep, machine, .init = make_machine, .fini = end_kernel, .timeout = 600)
{
	cr_expect_str_empty(sweep(run_machine, 100));
}
