# SPDX-License-Identifier: GPL-2.0-or-later
# Makefile - the whole build graph of Splitvisor.
#
#   make            programs in build/bin
#   make demo       install what is missing, build, boot a Debian guest, show it
#   make test       every test; the closing line is "N passed, N failed"
#   make lint       clang-format, cppcheck, clang-tidy, -fanalyzer, shellcheck
#   make proofs     what CBMC and Spin can show of it
#   make coverage   which lines the tests run; build/coverage/index.html
#   make fuzz       every fuzz target for FUZZ_S=60 seconds; tests/fuzz/README.md
#   make bench      figures beside QEMU's; build/bench/results.jsonl
#   make install    DESTDIR and PREFIX as usual
#   make deb        a Debian package, in build/deb
#   make clean
#
# SAN=address,undefined or SAN=thread builds with sanitizers; CC=clang works;
# V=1 shows commands; CFLAGS, CPPFLAGS and LDFLAGS are added after our own.

ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
PREFIX ?= /usr/local
V ?=
comma := ,
variant := $(CC)-$(if $(SAN),$(subst $(comma),-,$(SAN)),plain)
out := build/$(variant)
q := $(if $(V),,@)

# ---- Dependencies --------------------------------------------------------

# build/deps.mk is made by a script that installs what is missing (as root) or
# names it; make starts over once it is there.
ifeq ($(filter clean,$(MAKECMDGOALS)),)
include build/deps.mk
build/deps.mk: packaging/deps.sh
	@packaging/deps.sh build
	@mkdir -p build && echo '# packages checked by packaging/deps.sh' >$@
endif

pkgs := libevent_core libevent_pthreads libnl-3.0 libnl-route-3.0 liburing \
	libarchive xenstore libnftables yajl libgcrypt libnbd libseccomp libzstd

warn := -Wall -Wextra -Wshadow -Wundef -Wvla -Wcast-qual -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wconversion \
	-Wimplicit-fallthrough
cppflags := -I. -D_GNU_SOURCE -DSV_LIBEXEC_DIR='"$(PREFIX)/lib/splitvisor"' \
	-D__XEN_TOOLS__ $(if $(findstring address,$(SAN)),-DSV_FUZZ_SHM) \
	$(if $(SAN),-DSV_SANITIZED) \
	$(if $(findstring --coverage,$(CFLAGS)),-DSV_COVERAGE) $(shell pkg-config --cflags $(pkgs) 2>/dev/null)
cflags := -std=gnu17 -O2 -g $(warn) $(if $(CI),-Werror) \
	-fstack-protector-strong -fno-strict-aliasing \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2)
ldflags := -pthread $(if $(SAN),-fsanitize=$(SAN)) -Wl,--as-needed

# ---- Sources: explicit lists, one per folder; main files apart ------------

ring_src := ring/ring.c ring/stream.c
base_src := base/blkstat.c base/dommem.c base/domsock.c base/fd.c base/hist.c \
	base/jail.c base/log.c base/netstat.c base/paths.c base/sandbox.c \
	base/savefile.c base/savezip.c \
	base/sock.c base/statfile.c base/storeuser.c base/util.c
hypervisor_src := hypervisor/acpi.c hypervisor/boot.c hypervisor/bzimage.c \
	hypervisor/cpuid.c hypervisor/dump.c hypervisor/guestmem.c hypervisor/image.c \
	hypervisor/image_cache.c hypervisor/image_load.c hypervisor/unpack.c \
	hypervisor/why.c
hypervisor_src += hypervisor/conlog.c hypervisor/context.c hypervisor/debug.c hypervisor/domctl.c \
	hypervisor/engine_xen.c hypervisor/evtchn.c hypervisor/gnttab.c \
	hypervisor/gva.c hypervisor/hc_evtchn.c hypervisor/hc_gnttab.c \
	hypervisor/hc_memory.c hypervisor/hc_sched.c hypervisor/hc_vcpu.c \
	hypervisor/hc_version.c hypervisor/hvm.c hypervisor/hypercall.c \
	hypervisor/memory.c hypervisor/physmap.c hypervisor/restore.c \
	hypervisor/resume.c hypervisor/save.c hypervisor/shinfo.c \
	hypervisor/stats.c hypervisor/vcpu.c hypervisor/vcpu_state.c \
	hypervisor/vm.c
store_src := xenstore-lite/batch.c xenstore-lite/conn.c \
	xenstore-lite/control.c xenstore-lite/dispatch.c \
	xenstore-lite/domain.c xenstore-lite/hash.c xenstore-lite/keeper.c \
	xenstore-lite/ledger.c xenstore-lite/node.c xenstore-lite/ops.c \
	xenstore-lite/ops_limits.c xenstore-lite/path.c xenstore-lite/perm.c \
	xenstore-lite/place.c xenstore-lite/quota.c xenstore-lite/record.c xenstore-lite/state.c \
	xenstore-lite/trace.c xenstore-lite/txn.c xenstore-lite/update.c \
	xenstore-lite/watch.c xenstore-lite/wire.c
backend_src := dom0-backend/dhcp.c dom0-backend/forward.c \
	dom0-backend/hotplug.c dom0-backend/vif_script.c \
	dom0-backend/link_nl.c dom0-backend/nat.c dom0-backend/nft.c \
	dom0-backend/net_announce.c dom0-backend/ra.c dom0-backend/words.c \
	dom0-backend/net_ctrl.c dom0-backend/net_guard.c dom0-backend/net_hash.c \
	dom0-backend/net_journal.c dom0-backend/net_steer.c \
	dom0-backend/net_rxq.c dom0-backend/net_slots.c dom0-backend/net_txq.c \
	dom0-backend/netback.c dom0-backend/netback_stats.c \
	dom0-backend/netback_xs.c dom0-backend/tap.c \
	dom0-backend/ovsdb.c dom0-backend/vif_bridge.c \
	dom0-backend/vif_macvtap.c dom0-backend/vif_nat.c \
	dom0-backend/vif_ovs.c dom0-backend/vif_route.c \
	dom0-backend/usernet.c dom0-backend/vif_setup.c \
	dom0-backend/vif_user.c dom0-backend/vlan.c
backend_src += dom0-backend/device.c dom0-backend/evtchn_fd.c \
	dom0-backend/gnt_map.c dom0-backend/xb_state.c dom0-backend/xs_watch.c
backend_src += dom0-backend/blkback.c dom0-backend/blkback_stats.c \
	dom0-backend/blkback_xs.c \
	dom0-backend/blksource.c dom0-backend/custody.c \
	dom0-backend/disk_nbd.c dom0-backend/disk_uring.c \
	dom0-backend/image_format.c dom0-backend/image_lock.c \
	dom0-backend/image_serve.c dom0-backend/journal.c \
	dom0-backend/nbd_conn.c dom0-backend/nbd_uri.c \
	dom0-backend/throttle.c dom0-backend/vbd_setup.c \
	dom0-backend/vbd_source.c \
	dom0-backend/spawn.c dom0-backend/worker_jail.c
backend_src += dom0-backend/backlog.c dom0-backend/console.c \
	dom0-backend/console_log.c dom0-backend/console_pty.c \
	dom0-backend/console_xs.c dom0-backend/ptmx.c
# The guest half; freestanding, with the rings: libsvfront.a.
drivers_src := guest-frontend/blkfront.c guest-frontend/blkfront_xs.c \
	guest-frontend/console.c guest-frontend/front.c guest-frontend/grants.c \
	guest-frontend/guest.c guest-frontend/netfront.c \
	guest-frontend/netfront_ctrl.c \
	guest-frontend/netfront_xs.c guest-frontend/pages.c \
	guest-frontend/power.c \
	guest-frontend/xenbus.c
front_src := guest-frontend/events.c guest-frontend/minilibc.c \
	guest-frontend/smp.c guest-frontend/start.c $(drivers_src) $(ring_src)
# The same drivers for a process that plays the guest: libsvprocdom.a.
procdom_src := tests/lib/procdom.c $(drivers_src)
tools_src := tools/counters.c tools/doctor.c tools/doctor_kvm.c tools/gdb.c tools/json.c tools/metrics.c \
	tools/oci.c tools/oneshot.c tools/oneshot_guest.c tools/ringtop_find.c \
	tools/ringtop_show.c tools/ringtop_track.c tools/top.c tools/xl_attach.c \
	tools/xl_build.c tools/xl_cfg.c tools/xl_cfg_dev.c \
	tools/xl_cfg_host.c tools/xl_change.c tools/xl_cmd.c tools/xl_cmd_console.c \
	tools/xl_cmd_create.c tools/xl_cmd_dev.c tools/xl_cmd_dmesg.c tools/xl_cmd_dump.c tools/xl_cmd_gdb.c \
	tools/xl_cmd_host.c tools/xl_cmd_info.c tools/xl_cmd_list.c \
	tools/xl_cmd_migrate.c tools/xl_cmd_power.c tools/xl_cmd_run.c tools/xl_cmd_save.c tools/xl_cmd_size.c \
	tools/xl_cmd_sched.c tools/xl_cmd_stats.c tools/xl_cmd_top.c tools/xl_cmd_vcpu.c tools/xl_handover.c tools/xl_mem.c \
	tools/xl_cmd_vm.c tools/xl_cmd_xsquota.c tools/xl_cpus.c tools/xl_limits.c \
	tools/xl_console.c tools/xl_daemons.c tools/xl_dump.c tools/xl_host.c tools/xl_json.c \
	tools/xl_keeper.c tools/xl_keys.c tools/xl_list.c tools/xl_monitor.c tools/xl_oneshot.c tools/xl_out.c \
	tools/xl_proc.c tools/xl_progress.c tools/xl_relay.c \
	tools/xl_run.c tools/xl_save.c tools/xl_saving.c tools/xl_sched.c tools/xl_size.c tools/xl_store.c tools/xl_suspend.c tools/xl_tree.c
testlib_src := tests/lib/caplog.c tests/lib/fakeblk.c tests/lib/fakedom.c tests/lib/netns.c
testlib_src += tests/lib/hvopts.c
testlib_src += tests/lib/fakevm.c tests/lib/toykernel.c
testlib_src += tests/lib/storebed.c tests/lib/proc.c tests/lib/xsguest.c tests/lib/xslane.c \
	tests/lib/xstree.c
testlib_src += tests/lib/fakevbd.c tests/lib/fakevif.c tests/lib/flipper.c \
	tests/lib/latency.c \
	tests/lib/neighbour.c tests/lib/slowfile.c tests/lib/stack.c
testlib_src += tests/lib/fakectrl.c tests/lib/fakenet.c tests/lib/fakenic.c tests/lib/packet.c
testlib_src += tests/lib/nbdbed.c
testlib_src += tests/lib/crashguest.c tests/lib/forgetful.c tests/lib/mortal.c
testlib_src += tests/lib/fuzz.c tests/lib/storemodel.c
# What needs Criterion: only tests do, so that programs build without it.
checks_src := tests/lib/storm.c

# Program: its main file; libraries it uses, in link order; system libraries.
programs :=

define program # name, main file(s), our libraries, system libraries
programs += $(1)
$(1)_obj := $(2:%.c=$(out)/%.o)
$(1)_lib := $(3:%=$(out)/libsv%.a)
$(1)_sys := $(4)
main_src += $(2)
endef

libs_hypervisor := $(shell pkg-config --libs libgcrypt libzstd 2>/dev/null)
libs_backend := $(shell pkg-config --libs libevent_core xenstore 2>/dev/null)
libs_vif := $(shell pkg-config --libs libnl-3.0 libnl-route-3.0 libnftables yajl 2>/dev/null) -luring
libs_nbd := $(shell pkg-config --libs libnbd 2>/dev/null)
libs_store := $(shell pkg-config --libs libevent_core libseccomp 2>/dev/null)
# A thread that is cancelled, one of libxenstore's, would look for the last.
libs_jail := $(shell pkg-config --libs libseccomp 2>/dev/null) \
	-Wl,--push-state,--no-as-needed -lgcc_s -Wl,--pop-state
$(eval $(call program,sv-hypervisor,hypervisor/main.c,hypervisor ring base,$(libs_hypervisor) $(libs_jail)))
$(eval $(call program,sv-domctl,tests/lib/domctl_main.c,base,$(shell pkg-config --libs xenstore 2>/dev/null)))
$(eval $(call program,sv-xenstored,xenstore-lite/main.c,store ring base,$(libs_store)))
$(eval $(call program,sv-backend,dom0-backend/main.c dom0-backend/backends.c,backend ring base,$(libs_backend) $(libs_vif)))
$(eval $(call program,sv-blkback,dom0-backend/blkback_main.c,backend ring base,$(libs_backend) -luring $(libs_nbd) $(libs_jail)))
$(eval $(call program,sv-blksource,dom0-backend/blksource_main.c,backend base,))
$(eval $(call program,sv-netback,dom0-backend/netback_main.c,backend ring base,$(libs_backend) $(libs_jail)))
$(eval $(call program,sv-usernet,dom0-backend/usernet_main.c,backend base,))
$(eval $(call program,sv-console,dom0-backend/console_main.c,backend ring base,$(libs_backend) $(libs_jail)))
# libxlutil.so would bring all of libxenlight; the archive needs none of it.
libs_tools := $(shell pkg-config --libs xenstore yajl libzstd 2>/dev/null) -l:libxlutil.a
$(eval $(call program,xl,tools/xl.c,tools ring base,$(libs_tools)))
$(eval $(call program,sv-doctor,tools/sv_doctor.c,tools base,$(libs_tools)))
libs_ringtop := $(shell pkg-config --libs xenstore yajl ncursesw 2>/dev/null)
$(eval $(call program,sv-ringtop,tools/ringtop.c tools/ringtop_live.c tools/screen.c,tools ring base,$(libs_ringtop)))
$(eval $(call program,sv-top,tools/sv_top.c tools/screen.c,tools base,$(libs_ringtop)))
libs_metrics := $(shell pkg-config --libs libevent_core 2>/dev/null)
$(eval $(call program,sv-metrics,tools/sv_metrics.c,tools base,$(libs_metrics) $(libs_tools)))
$(eval $(call program,sv-fakehv,tests/lib/fakehv_main.c,testlib ring base,))
$(eval $(call program,sv-runguest,tests/lib/runguest_main.c,testlib tools ring base,))
$(eval $(call program,sv-consoleguest,tests/lib/consoleguest_main.c,testlib backend ring base,$(libs_backend) -luring))
$(eval $(call program,sv-netecho,tests/lib/netecho_main.c,testlib base,))
$(eval $(call program,sv-unpack,hypervisor/unpack_main.c,hypervisor base,-larchive))

# What a program asks of the kernel when it serves: the tags SYSCALLS: of the files
# it is made of (base/jail.h), and what the sanitizers add.
san_calls := futex getpid gettid madvise mprotect newfstatat/fstat prctl \
	readlink rt_sigprocmask sched_yield sigaltstack
define jailed # name, its files, headers of what its ioctl calls ask for
$(1)_tags := $(2)
$(1)_obj += $(out)/calls/$(1).o
$(out)/calls/$(1).c: $(2) base/syscalls.awk Makefile
	@mkdir -p $$(@D)
	$$(q)awk -v more="$(if $(SAN),$(san_calls))" -v headers="$(3)" \
		-f base/syscalls.awk $(2) >$$@
endef
$(eval $(call jailed,sv-xenstored,xenstore-lite/main.c $(store_src) $(ring_src) \
	base/domsock.c base/fd.c base/jail.c base/log.c base/sock.c))
worker_src := $(addprefix dom0-backend/,custody.c device.c evtchn_fd.c gnt_map.c \
	worker_jail.c xs_watch.c) base/domsock.c base/dommem.c base/fd.c \
	base/jail.c base/log.c base/sock.c
$(eval $(call jailed,sv-blkback,$(addprefix dom0-backend/,blkback_main.c blkback.c \
	blkback_xs.c disk_nbd.c disk_uring.c nbd_conn.c) $(worker_src),<linux/fs.h>))
$(eval $(call jailed,sv-netback,$(addprefix dom0-backend/,netback_main.c net_rxq.c \
	net_steer.c net_txq.c netback.c netback_xs.c tap.c) $(worker_src),<linux/if_tun.h>))
$(eval $(call jailed,sv-console,$(addprefix dom0-backend/,backlog.c console.c console_log.c \
	console_main.c console_pty.c console_xs.c ptmx.c xs_watch.c) base/domsock.c \
	base/fd.c base/jail.c base/log.c base/sock.c,<fcntl.h>))
$(eval $(call jailed,sv-hypervisor,hypervisor/main.c $(hypervisor_src) base/fd.c \
	base/jail.c base/log.c,<hypervisor/kvm_abi.h>))

# Tests link against every library; archives give only what is used.
test_libs := procdom checks testlib backend store hypervisor tools ring base
test_sys := $(shell pkg-config --libs $(pkgs) 2>/dev/null) -l:libxlutil.a

unit_src := $(wildcard tests/unit/test_*.c tests/hostile/test_*.c)
stress_src := $(wildcard tests/stress/*_stress.c)
bench_src := tests/bench/recovery.c tests/bench/store.c tests/bench/syscalls.c \
	tests/bench/veth.c

# ---- Rules ----------------------------------------------------------------

.DEFAULT_GOAL := all
.SUFFIXES:
.SECONDARY:
.PHONY: all test-programs stress-programs check stress test proofs coverage demo \
	bench lint fuzz fuzz-afl fuzz-programs fuzz-system replay-programs install deb clean

bins := $(programs:%=$(out)/bin/%)
units := $(unit_src:%.c=$(out)/%)
stresses := $(stress_src:%.c=$(out)/%)
preloads := $(out)/tests/lib/onecall.so
oracles := $(out)/tests/oracle/play $(out)/tests/oracle/xenlibs.so
benches := $(bench_src:%.c=$(out)/%)
fuzzers := $(patsubst %.c,$(out)/%,$(wildcard tests/fuzz/*_fuzz.c))
replays := $(fuzzers:%_fuzz=%_replay)

guests := $(patsubst tests/guest/%/main.c,$(out)/guest/%.elf,$(wildcard tests/guest/*/main.c))

# Those that need no hypercalls also run as process domains.
procdoms := $(addprefix $(out)/procdom/,block blockbench net netbench netload netstream power \
	reconnect suspend xenbus)

# The guest's first process, for `xl run`: no library, no sanitizer.
static_flags := -std=gnu17 -O2 -g $(warn) $(if $(CI),-Werror) -I. -D_GNU_SOURCE \
	-fstack-protector-strong -fno-strict-aliasing -D_FORTIFY_SOURCE=2
oneshot_src := tools/oneshot_init.c tools/oneshot_guest.c tools/oneshot.c \
	base/fd.c base/util.c
helpers := $(addprefix $(out)/bin/,sv-oneshot sv-image sv-initramfs.sh sv-udhcpc)

all: $(bins) $(helpers) $(procdoms) $(if $(SAN),,$(guests))
ifeq ($(variant),gcc-plain)
	@mkdir -p $(out)/bin && ln -sfn gcc-plain/bin build/bin
endif

define library
$(out)/libsv$(1).a: $$($(1)_src:%.c=$(out)/%.o)
	@echo "  AR    $$@"
	$$(q)t=$$@.$$$$$$$$; ar rcs $$$$t $$^ && mv $$$$t $$@
all_src += $$($(1)_src)
endef
all_src := $(main_src)
$(foreach l,$(test_libs),$(eval $(call library,$(l))))

$(out)/%.o: %.c Makefile
	@echo "  CC    $<"
	@mkdir -p $(@D)
	$(q)$(CC) $(cppflags) $(CPPFLAGS) $(cflags) $(CFLAGS) -MMD -MP -c -o $@ $<

$(out)/calls/%.o: $(out)/calls/%.c
	@echo "  CC    $<"
	$(q)$(CC) $(cppflags) $(CPPFLAGS) $(cflags) $(CFLAGS) -MMD -MP -c -o $@ $<

# A test is the peer: it may look into memory that it shares with us.
$(out)/tests/%.o: cflags += -Wno-noderef

define link
$(out)/bin/$(1): $$($(1)_obj) $$($(1)_lib)
	@echo "  LD    $$@"
	@mkdir -p $$(@D)
	$$(q)$$(CC) $$(ldflags) $$(LDFLAGS) -o $$@ $$($(1)_obj) $$($(1)_lib) $$($(1)_sys)
endef
$(foreach p,$(programs),$(eval $(call link,$(p))))

$(out)/static/%.o: %.c Makefile
	@echo "  CC    $< (static)"
	@mkdir -p $(@D)
	$(q)$(CC) $(static_flags) -MMD -MP -c -o $@ $<

$(out)/bin/sv-oneshot: $(oneshot_src:%.c=$(out)/static/%.o)
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$(q)$(CC) -static -o $@ $^

$(out)/bin/sv-%: packaging/sv-%
	@mkdir -p $(@D)
	$(q)install $< $@

# Guests: no libc, no SSE, linked where they are loaded.
front_flags := -std=gnu17 -O2 -g $(warn) $(if $(CI),-Werror) -I. \
	-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__ \
	-ffreestanding -fno-stack-protector -fno-strict-aliasing -fno-pic \
	-mno-red-zone -mgeneral-regs-only -fno-asynchronous-unwind-tables
front_obj := $(front_src:%.c=$(out)/front/%.o) \
	$(out)/front/guest-frontend/entry_x86_64.o

$(out)/front/%.o: %.c Makefile
	@echo "  CC    $< (freestanding)"
	@mkdir -p $(@D)
	$(q)$(CC) $(front_flags) -MMD -MP -c -o $@ $<

$(out)/front/%.o: %.S Makefile
	@echo "  AS    $<"
	@mkdir -p $(@D)
	$(q)$(CC) -MMD -MP -c -o $@ $<

$(out)/libsvfront.a: $(front_obj)
	@echo "  AR    $@"
	$(q)t=$@.$$$$; ar rcs $$t $^ && mv $$t $@

$(out)/guest/%.elf: $(out)/front/tests/guest/%/main.o $(out)/libsvfront.a \
		guest-frontend/guest.lds
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$(q)$(CC) -static -nostdlib -Wl,--build-id=none \
		-Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
		-Wl,--no-warn-rwx-segments -Wl,-T,guest-frontend/guest.lds \
		-Wl,-u,pvh_entry -o $@ $< $(out)/libsvfront.a

$(out)/procdom/%: $(out)/tests/guest/%/main.o $(out)/tests/lib/procdom_main.o \
		$(out)/libsvprocdom.a $(out)/libsvtestlib.a $(out)/libsvring.a \
		$(out)/libsvbase.a
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$(q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $^

test_archives := $(test_libs:%=$(out)/libsv%.a)
$(units): %: %.o $(test_archives)
	@echo "  LD    $@"
	$(q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $< -Wl,--start-group $(test_archives) \
		-Wl,--end-group $(test_sys) -lcriterion
$(stresses) $(benches) $(out)/tests/oracle/play: %: %.o $(test_archives)
	@echo "  LD    $@"
	$(q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $< -Wl,--start-group $(test_archives) \
		-Wl,--end-group $(test_sys)

# What Debian's C xenstored takes for Xen's libraries.
xenlibs_src := tests/oracle/xenlibs.c base/domsock.c base/fd.c base/log.c \
	base/paths.c base/sock.c base/util.c
$(out)/tests/oracle/xenlibs.so: $(xenlibs_src)
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$(q)$(CC) $(cppflags) $(CPPFLAGS) $(cflags) $(CFLAGS) -fPIC -shared -o $@ $^

# Preloaded, leaves calls out of a daemon's filter.
$(preloads): tests/lib/onecall.c
	@echo "  LD    $@"
	@mkdir -p $(@D)
	$(q)$(CC) $(cppflags) $(CPPFLAGS) $(cflags) $(CFLAGS) -fPIC -shared -o $@ $< -lseccomp

# A fuzzer of the whole system, which needs no libFuzzer.
system := $(out)/tests/fuzz/system
system_obj := $(addprefix $(system),.o _disk.o _card.o _console.o)
$(system): $(system_obj) $(test_archives) | $(addprefix $(out)/bin/,sv-xenstored \
		sv-backend sv-blkback sv-netback sv-console)
	@echo "  LD    $@"
	$(q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $(system_obj) -Wl,--start-group $(test_archives) \
		-Wl,--end-group $(test_sys)

# They decide which allocation fails (tests/lib/failalloc.h).
failalloc := malloc calloc realloc reallocarray strdup
nomems := $(out)/tests/unit/test_store_nomem $(out)/tests/hostile/test_xl_nomem
$(nomems): $(out)/tests/lib/failalloc.o
$(nomems): override LDFLAGS += $(failalloc:%=-Wl,--wrap=%) \
	$(out)/tests/lib/failalloc.o
# It is KVM.
$(out)/tests/unit/test_debug: override LDFLAGS += -Wl,--wrap=ioctl
# It decides what becomes of an operation on a disk.
$(out)/tests/hostile/test_disk_faults: override LDFLAGS += \
	-Wl,--wrap=io_uring_submit,--wrap=io_uring_submit_and_wait
# They decide at which step a worker dies (tests/lib/mortal.h).
death_steps := evtchn_fd_bind evtchn_fd_notify gnt_get gnt_put io_uring_submit \
	io_uring_submit_and_wait journal_recover net_journal_recover \
	net_journal_recover_ctrl net_steer_set readv ring_back_arm \
	ring_back_push ring_back_put ring_back_take writev
$(addprefix $(out)/tests/hostile/test_,blk_crash blk_deaths net_deaths): override LDFLAGS += \
	$(death_steps:%=-Wl,--wrap=%)
store_steps := rename sendmsg stream_reader_resume stream_release stream_write \
	stream_writer_resume write
$(out)/tests/hostile/test_store_deaths: override LDFLAGS += \
	$(store_steps:%=-Wl,--wrap=%)
# It decides that of whatever else can fail, too.
sweep_calls := accept4 archive_read_append_filter archive_read_data \
	archive_read_free archive_read_new bind calloc connect epoll_create1 \
	epoll_ctl epoll_wait event_add event_base_free event_base_new \
	event_free event_new eventfd events_alloc fallocate fcntl free fstat \
	ftruncate grantpt grants_give inotify_add_watch inotify_init1 \
	io_uring_queue_init_params io_uring_register_files io_uring_submit \
	io_uring_submit_and_wait ioctl listen malloc memfd_create mkdir mmap \
	munmap open openat pages_alloc pipe2 poll posix_fallocate posix_openpt \
	posix_spawn pread pthread_create ptsname_r pwrite read readv realloc \
	recvmsg rename renameat sendmsg socket symlinkat syscall tcgetattr \
	tcsetattr unlockpt write writev
sweeps := $(out)/tests/unit/test_sweep $(out)/tests/unit/test_sweep_vmm
sweep_obj := $(out)/tests/lib/sweep.o $(out)/tests/lib/fakekvm.o
$(sweeps): $(sweep_obj)
$(sweeps): override LDFLAGS += $(sweep_calls:%=-Wl,--wrap=%) $(sweep_obj)
# It starts the store that was built with it.
$(out)/tests/stress/store_stress: | $(out)/bin/sv-xenstored

$(fuzzers): %: %.o $(test_archives)
	@echo "  LD    $@"
	$(q)$(CC) $(ldflags) -fsanitize=fuzzer $(LDFLAGS) -o $@ $< -Wl,--start-group \
		$(test_archives) -Wl,--end-group $(test_sys)
$(replays): %_replay: %_fuzz.o $(out)/tests/fuzz/replay.o $(test_archives)
	@echo "  LD    $@"
	$(q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $< $(out)/tests/fuzz/replay.o \
		-Wl,--start-group $(test_archives) -Wl,--end-group $(test_sys)

# ---- Tests, demo, lint -----------------------------------------------------

# Everything the native tests of one variant run.
test-programs: all $(units) $(stresses) $(oracles) $(preloads) $(benches)

# Unit and hostile tests of this variant (CC, SAN).
check: test-programs
	$(q)tests/run $(units)

# Two-thread stress tests; SAN=thread is how they are meant to run.
stress-programs: $(stresses)

stress: $(stresses)
	$(q)tests/run $(stresses)

# Fuzz targets on their seeds and on what was found before (SAN with address).
replay-programs: $(replays)

fuzz-programs: $(fuzzers) $(replays)

# Each fuzz target for FUZZ_S seconds, FUZZ_JOBS at a time; FUZZ_ONLY="grant net"
# chooses. Findings and what is worth keeping stay in build/fuzz.
FUZZ_S ?= 60
fuzz:
	@packaging/deps.sh test
	$(q)$(MAKE) CC=clang SAN=address,undefined,fuzzer-no-link fuzz-programs
	$(q)tests/fuzz/run $(FUZZ_S) $(FUZZ_ONLY)
	$(q)$(if $(FUZZ_ONLY),:,$(MAKE) CC=clang SAN=address,undefined fuzz-system)

# What the daemons say is in build/fuzz/system.log.
fuzz-system: $(system)
	$(q)mkdir -p build/fuzz
	$(q)$(system) --seconds $(FUZZ_S) --seed $$(date +%s) \
		2>build/fuzz/system.log

# The two that have most to find, by AFL++.
fuzz-afl:
	@packaging/deps.sh test fuzz
	$(q)AFL_QUIET=1 $(MAKE) CC=afl-clang-fast SAN=address \
		$(addprefix build/afl-clang-fast-address/tests/fuzz/, \
		store_fuzz store_replay hypercall_fuzz hypercall_replay)
	$(q)tests/fuzz/afl $(FUZZ_S) store hypercall

test:
	@packaging/deps.sh test
	$(q)tests/all

proofs:
	@packaging/deps.sh build proofs
	$(q)tests/proofs/prove

coverage:
	@packaging/deps.sh test coverage
	$(q)tests/coverage

demo: all
	@packaging/deps.sh test
	$(q)tests/demo/demo

bench: all $(benches)
	@packaging/deps.sh test bench
	$(q)tests/bench/bench

lint:
	@packaging/deps.sh lint test
	$(q)tests/lint/lint

# The system calls that are allowed to it and that a test must see used.
print-calls-%:
	@awk -v list=1 -f base/syscalls.awk $($*_tags)

# For tests/lint/lint.
.PHONY: print-cppflags print-warnings
print-cppflags:
	@: $(info $(subst ',,$(cppflags)))
print-warnings:
	@echo '$(warn)'

# Programs for people in bin, the others where paths_program() looks.  XL_MAN is added
# to the sections of what is called as in Xen's packages: xl.1, xl.cfg.5.
SYSCONFDIR ?= /etc
XL_MAN ?=
dest := $(DESTDIR)$(PREFIX)
libexec := $(PREFIX)/lib/splitvisor
install: all
	install -d $(dest)/bin $(DESTDIR)$(libexec) $(DESTDIR)$(SYSCONFDIR)/xen/auto
	install $(addprefix $(out)/bin/,xl sv-doctor sv-ringtop) $(dest)/bin
	install $(addprefix $(out)/bin/,sv-hypervisor sv-unpack sv-xenstored \
		sv-backend sv-blkback sv-blksource sv-netback sv-usernet sv-console sv-metrics \
		sv-top sv-oneshot sv-image sv-initramfs.sh sv-udhcpc) packaging/sv-service packaging/sv-guests $(DESTDIR)$(libexec)
	ln -sfn ../lib/splitvisor/sv-top $(dest)/bin/xentop
	for m in docs/*.[158]; do s=$${m##*.}; n=$${m##*/}; \
		case $$n in xl*) n=$${n}$(XL_MAN);; esac; \
		install -D -m 644 $$m $(dest)/share/man/man$$s/$$n || exit 1; done
	install -D -m 644 docs/grafana.json $(dest)/share/doc/splitvisor/grafana.json
	install -d $(dest)/share/splitvisor
	for s in tools/bpftrace/*.bt; do \
		sed 's|/usr/lib/splitvisor|$(libexec)|' $$s >$(dest)/share/splitvisor/$${s##*/} && \
		chmod 755 $(dest)/share/splitvisor/$${s##*/} || exit 1; done
	install -d $(dest)/lib/systemd/system
	for u in packaging/systemd/*.in; do n=$${u##*/}; \
		sed 's|@LIBEXEC@|$(libexec)|' $$u \
		>$(dest)/lib/systemd/system/$${n%.in} || exit 1; done
	install -D -m 644 packaging/etc/tmpfiles $(dest)/lib/tmpfiles.d/splitvisor.conf
	install -D -m 644 packaging/etc/sysusers $(dest)/lib/sysusers.d/splitvisor.conf
	install -D -m 644 packaging/xl.bash \
		$(dest)/share/bash-completion/completions/xl.bash
	install -D -m 644 packaging/etc/logrotate \
		$(DESTDIR)$(SYSCONFDIR)/logrotate.d/splitvisor
	test -e $(DESTDIR)$(SYSCONFDIR)/default/splitvisor || \
		install -D -m 644 packaging/etc/default \
		$(DESTDIR)$(SYSCONFDIR)/default/splitvisor

deb:
	@packaging/deps.sh build deb
	packaging/deb

clean:
	rm -rf build/deb build/gcc-* build/clang-* build/afl-* build/bin build/deps.mk build/test

-include $(shell test -d $(out) && find $(out) -name '*.d')
