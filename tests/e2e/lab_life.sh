#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_life.sh - how guests end, and that nothing of them is left.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

ip link add xenbr0 type bridge
ip link set xenbr0 up
truncate -s 16M "$work/disk.img"
devices=("memory = 256" "disk = ['$work/disk.img,raw,xvda,w']"
	"vif = ['bridge=xenbr0']")

# ends NAME SVTEST CODE TEXT - a preserved guest is listed with the state
# letter of its reason and logged for what it is.
state_is() { xl list "$1" | awk -v want="$2" 'NR == 2 && $5 == want { ok = 1 } END { exit !ok }'; }

ends() {
	local file letter=$3 text=$4

	file=$(config "$1" 6.12-cloud 6.12-cloud-none "$2" "${devices[@]}" \
		"on_poweroff = 'preserve'" "on_reboot = 'preserve'" \
		"on_crash = 'preserve'" \
		"cmdline = 'console=hvc0 quiet panic=1 svtest=$2'")
	check "$1: is created" xl create -q "$file"
	check "$1: is listed as $letter" wait_for 90 state_is "$1" "$letter"
	output=$(cat "$logs/hv-$1.log" "$logs/xl-$1.log")
	grep -qiE "$text" <<<"$output"
	ok $? "$1: the logs call it '$text'"
	check "$1: is destroyed" xl destroy "$1"
	check "$1: is gone" wait_for 10 gone "$1"
}

ends poweroff poweroff ---s-- 'poweroff'
ends panic panic ---sc- 'crash'
ends triple triplefault ---sc- 'triple fault'
ends reboot reboot ---sr- 'reboot'

# What a crashed guest leaves: its core, which gdb reads.
file=$(config core 6.12-cloud 6.12-cloud-none panic "${devices[@]}" "vcpus = 2" \
	"on_crash = 'coredump-destroy'" \
	"cmdline = 'console=hvc0 quiet panic=1 svtest=panic'")
core=$SPLITVISOR_RUN_DIR/dump/core
check "core: is created" xl create -q "$file"
check "core: is gone" wait_for 90 gone core
output=$(tail "$logs/xl-core.log"; ls -ls "$core")
[ "$(stat -c %a "$core")" = 600 ] && [ "$(stat -c %s "$core")" -gt $((256 << 20)) ] &&
	[ "$(stat -c %b "$core")" -lt $((256 << 11)) ]
ok $? "core: all of its memory, with holes, for its owner alone"
output=$(readelf -hn "$core" 2>&1)
[ "$(grep -c NT_PRSTATUS <<<"$output")" = 2 ] && grep -q 'CORE (Core file)' <<<"$output"
ok $? "core: a thread for each vCPU"
# The kernel has called the hypervisor, by vmcall or vmmcall, to tell of its crash.
# gdb has a $pc of its own.
# shellcheck disable=SC2016
output=$(gdb -batch -c "$core" -ex 'thread apply all x/i $pc-3' \
	-ex 'thread apply all x/i $pc' 2>&1)
grep -qE '0xffffffff[0-9a-f]{8}:.*\bvmm?call' <<<"$output"
ok $? "core: gdb reads the instruction where it crashed"
check "core: the kernel's name is in it" grep -qa 'Linux version 6\.12' "$core"
rm "$core"

# Halting with interrupts off on all vCPUs is turning off, as on Xen.
ends halt halt ---s-- 'halted with interrupts off'

# Reboot from inside: same name, new domid, devices work again.
file=$(config again 6.12-cloud 6.12-cloud-none info,disk:2,reboot "${devices[@]}")
check "reboot: is created" xl create -q "$file"
first=$(xl domid again)
rebooted() { [ "$(xl domid again)" -gt "$first" ]; }
check "reboot: comes back under a new domid" wait_for 90 rebooted
again() { [ "$(grep -ac 'TEST disk ok' "$(console_log again)")" -ge 2 ]; }
check "reboot: its disk works again" wait_for 90 again
# Between its two lives there is nothing to destroy for a moment.
check "reboot: is destroyed" wait_for 30 xl destroy again
check "reboot: stays gone" sh -c 'sleep 3; ! xl list again'

# The toolstack asks.
file=$(config asked 6.12-cloud 6.12-cloud-none idle "${devices[@]}")
check "shutdown: is created" xl create -q "$file"
check "shutdown: is up" wait_for 90 console_has asked 'SPLITVISOR-INIT'
ready() { [ "$(xenstore-read "/local/domain/$(xl domid asked)/control/feature-poweroff")" = 1 ]; }
wait_for 30 ready
check "pause" xl pause asked
check "paused: is listed as p" state_is asked --p---
# Linux has its kernel in the upper half and its programs in the lower one.
kernel='0x10 rip 0xffffffff[0-9a-f]{8}' user='0x33 rip 0x[0-9a-f]{1,12}'
looks() { sv-domctl "$(xl domid asked)" vcpus | grep -E "^vcpu 0 mp_state [03] cs ($kernel|$user) "; }
check "paused: its vCPU can be looked at" looks
check "paused: and it stays paused" state_is asked --p---

# What its VMM can still do (SECURITY.md).
own=$SPLITVISOR_RUN_DIR/dom/$(xl domid asked)
pid=$(cut -d ' ' -f 1 "$own/hv.pid")
root=/proc/$pid/root
output=$(cat "/proc/$pid"/task/*/status)
[ "$(grep -cE '^Cap(Inh|Prm|Eff|Bnd|Amb):.0{16}$' <<<"$output")" = \
	$((5 * $(grep -c '^Name:' <<<"$output"))) ]
ok $? "VMM: no thread has a capability or can get one"
[ "$(grep -cE '^(NoNewPrivs:.1|Seccomp:.2)$' <<<"$output")" = \
	$((2 * $(grep -c '^Name:' <<<"$output"))) ]
ok $? "VMM: no new privileges, and each thread has a filter of system calls"
# Of the ids that nobody has, and no other process's.
output=$(sed -nE 's/^[UG]id:\t([0-9]+)\t\1\t\1\t\1$/\1/p' <<<"$output" | sort -u)
[ "$(wc -l <<<"$output")" = 1 ] && [ "$output" -ge $((0x70000000)) ] &&
	[ "$(ps -eo uid= | awk -v uid="$output" '$1 == uid' | wc -l)" = 1 ]
ok $? "VMM: all threads are a user who is nobody else"
output=$(readlink "/proc/$pid/ns/"{mnt,ipc,uts,net})
[ "$(sort -u <(echo "$output") <(readlink /proc/self/ns/{mnt,ipc,uts,net}) |
	wc -l)" = 8 ]
ok $? "VMM: has namespaces of its own"
seen() { find "$root/" | sed "s|^$root||" | sort; }
expected() {
	local d=$own

	find "$d"
	while d=${d%/*} && [ -n "$d" ]; do echo "$d"; done
	echo /
}
output=$(diff <(seen) <(expected | sort) 2>&1)
ok $? "VMM: of files it sees its domain's alone"
output=$(touch "$root/x" "$root$own/x" "$root$own/hv.pid" 2>&1)
[ "$(grep -c 'Read-only' <<<"$output")" = 3 ]
ok $? "VMM: and changes nothing there"
output=$(find -L "/proc/$pid/fd/" -mindepth 1 -type d -exec ls -ld {} +)
[ -z "$output" ]
ok $? "VMM: it holds no directory"
check "paused: its core is written" xl dump-core asked "$work/asked.core"
check "paused: and it stays paused still" state_is asked --p---
# shellcheck disable=SC2016
output=$(gdb -batch -c "$work/asked.core" -ex 'info registers rip' -ex 'x/i $pc' 2>&1)
grep -qE '^rip +0x[0-9a-f]+' <<<"$output" && ! grep -q 'Cannot access' <<<"$output"
ok $? "paused: gdb knows where it is"
check "unpause" xl unpause asked
check "running: its vCPU can be looked at" looks
check "running: and it runs on" wait_for 10 state_is asked -b----
check "running: its core is written" xl dump-core asked "$work/asked.core"
check "running: and it still runs" wait_for 10 state_is asked -b----
check "running: an NMI" xl trigger asked nmi
check "running: Linux has had it" wait_for 30 console_has asked 'unknown reason.*on CPU 0'
output=$(xl trigger asked nmi 7 2>&1)
[ $? = 1 ] && grep -q 'there is no such vCPU' <<<"$output"
ok $? "running: a vCPU that there is not"
output=$(xl shutdown -w asked 2>&1)
ok $? "shutdown -w: returns when the guest is off"
check "shutdown: is gone" wait_for 30 gone asked

# Suspended and resumed by the toolstack, while its disk works.
rounds() { grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")"; }
further() { [ "$(rounds "$1")" -gt "$2" ]; }
# The guest's own clock, as it last told, beside ours.
clock_is_right() {
	local t now

	t=$(sed -n 's/.*SPLITVISOR-ROUND .* date=\([0-9]*\).*/\1/p' \
		"$(console_log "$1")" | tail -n 1)
	now=$(date +%s)
	[ $((now - t)) -ge -2 ] && [ $((now - t)) -le $((10 * ${patience:-1})) ]
}
# still LABEL - it does nothing for three seconds; what it said before may be late.
still() {
	local n

	n=$(rounds "$1")
	sleep 3
	[ "$n" = "$(rounds "$1")" ]
}
# suspends LABEL KERNEL VCPUS
suspends() {
	local n file i

	file=$(config "$1" "$2" "$2-none" again:500:1,info "vcpus = $3" \
		"${devices[@]}")
	check "$1: is created" xl create -q "$file"
	check "$1: its disk works" wait_for 90 further "$1" 0
	for i in 1 2; do
		check "$1: is suspended, $i" xl suspend "$1"
		check "$1: is listed as suspended, $i" state_is "$1" ---ss-
		check "$1: does nothing meanwhile, $i" wait_for 10 still "$1"
		n=$(rounds "$1")
		check "$1: is resumed, $i" xl resume "$1"
		check "$1: its disk works on, $i" wait_for 60 further "$1" $((n + 1))
		check "$1: its clock is right, $i" clock_is_right "$1"
	done
	output=$(tail -n 20 "$(console_log "$1")")
	! grep -qaE 'TEST again failed|BUG|WARNING|Call Trace' "$(console_log "$1")"
	ok $? "$1: neither disk nor kernel complains"
	check "$1: is suspended once more" xl suspend "$1"
	check "$1: and destroyed as it is" xl destroy "$1"
	check "$1: is gone" wait_for 10 gone "$1"
}
suspends sleeper-6.12 6.12-cloud 2
suspends sleeper-6.1 6.1-cloud 1

# Another kernel takes over (kexec), and one more when that one crashes (kdump): they
# are the same domain, and have its devices.
as_disk() { cp -L "$1" "$2" && truncate -s %512 "$2"; }
as_disk "$(kernel_of 6.12-cloud)" "$work/kernel"
as_disk "$guests/6.12-cloud-none" "$work/initramfs"
ip addr add 10.77.0.1/24 dev xenbr0
both=disk:2+net:10.77.0.2/24:10.77.0.1
file=$(config kexec 6.12-cloud 6.12-cloud-none \
	"${both/+/,},kexec:$both+kdump:${both/+/^}" \
	"memory = 512" "vcpus = 2" "vif = ['bridge=xenbr0']" \
	"disk = ['$work/disk.img,raw,xvda,w', '$work/kernel,raw,xvdb,r', '$work/initramfs,raw,xvdc,r']")
check "kexec: is created" xl create -q "$file"
first=$(xl domid kexec)
begun() { [ "$(grep -ac 'SPLITVISOR-INIT' "$(console_log kexec)")" -ge "$1" ]; }
check "kexec: the next kernel begins" wait_for 90 begun 2
check "kexec: so does one more when that has crashed" wait_for 120 begun 3
[ "$(xl domid kexec)" = "$first" ]
ok $? "kexec: they are one domain"
check "kexec: is gone when all is done" wait_for 90 gone kexec
all_worked() {
	[ "$(grep -ac "TEST $1 ok" "$(console_log kexec)")" = 3 ]
}
output=$(cat "$(console_log kexec)" "$logs/xl-kexec.log")
check "kexec: its disk has worked in all of them" wait_for 10 all_worked disk
check "kexec: its card has worked in all of them" all_worked net
[ "$(grep -c 'has been reset' "$logs/xl-kexec.log")" = 2 ]
ok $? "kexec: was reset twice, and never restarted"
rm "$work/kernel" "$work/initramfs"

# Create and destroy, over and over: nothing is left behind.
store() { xenstore-ls -f / | grep -vE '^/(tool|local/domain/0)|history'; }
# What a count can show: our processes and what each has open, memfds, interfaces; and
# that no daemon has died meanwhile.
open_files() {
	local pid

	for pid in $(our_processes); do
		find "/proc/$pid/fd" -mindepth 1 -printf "$(cat "/proc/$pid/comm") %l\n"
	done | sed 's/:\[[0-9]*\]$//' | sort | uniq -c
}
census() {
	our_processes | xargs -I{} cat /proc/{}/comm | sort
	open_files
	grep -hE 'was killed|has ended|not allowed|connection lost' "$logs"/sv-*.log
	echo "memfds $(find /proc/[0-9]*/fd -lname '/memfd:*' 2>/dev/null | wc -l)"
	echo "interfaces $(ip -o link | wc -l)"
	find "$SPLITVISOR_RUN_DIR" -path "$logs" -prune -o -print | sort
	store
}
file=$(config cycle 6.12-cloud 6.12-cloud-none idle "${devices[@]}")
xl create -q "$file" && xl destroy cycle
wait_for 5 gone cycle
wait_for 10 only_daemons
wait_for 10 at_rest census
before=$(census)
failures=0
for _ in $(seq 50); do
	xl create -q "$file" && xl destroy cycle || failures=$((failures + 1))
done
output="$failures of 50 cycles failed"
ok $failures "50 cycles of create and destroy"
same() { [ "$(census)" = "$before" ]; }
wait_for 10 same
# Who has ended and is not reaped has no environment, and is not among ours; nodes of
# devices are dom0's.
hints() {
	ps -eo pid,ppid,stat,wchan:32,comm | awk '$NF ~ /^(sv-|xl)/'
	xenstore-ls -f /local/domain/0/backend
	tail -n 20 "$logs"/sv-*.log
}
output=$(diff <(echo "$before") <(census) || { hints; false; })
ok $? "50 cycles leave no fd, process, memfd, interface, node or file behind"
