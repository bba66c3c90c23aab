#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_size.sh - guests grow and shrink: memory goes back to the host.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What of a guest's RAM lies in the host's memory, in MiB.
used() {
	local fd pid

	pid=$(cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/dom/$(xl domid "$1")/hv.pid") ||
		return
	for fd in "/proc/$pid/fd"/*; do
		case $(readlink "$fd") in
		/memfd:splitvisor-ram*)
			echo $(($(stat -Lc %b "$fd") * 512 >> 20))
			return
			;;
		esac
	done
	return 1
}
uses_above() { [ "$(used "$1")" -gt "$2" ]; }
uses_within() { [ "$(used "$1")" -le "$2" ]; }
listed_as() { xl list "$1" | awk -v m="$2" 'NR == 2 && $3 == m { ok = 1 } END { exit !ok }'; }
has_vcpus() { xl list "$1" | awk -v n="$2" 'NR == 2 && $4 == n { ok = 1 } END { exit !ok }'; }
online() { xl vcpu-list "$1" | awk 'NR > 1 && $5 !~ /p/ { printf "%s ", $3 }'; }
online_are() { [ "$(online "$1")" = "$2 " ]; }
said_of() { # NAME KEY - what the guest said last
	tr -d '\r' <"$(console_log "$1")" |
		sed -n "s/.*SPLITVISOR-SIZE .*$2=\([0-9]*\).*/\1/p" | tail -n 1
}
has_cpus() { [ "$(said_of "$1" cpus)" = "$2" ]; }
has_above() { [ "$(said_of "$1" total_kib)" -gt "$2" ]; }
has_below() { [ "$(said_of "$1" total_kib)" -lt "$2" ]; }
further() { [ "$(grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")")" -gt "$2" ]; }
rounds() { grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")"; }

refused() { # WORDS VERB ARG...
	local words=$1

	shift
	xl "$@" >"$work/said" 2>&1 && return 1
	cat "$work/said"
	grep -qE "$words" "$work/said"
}
target_is() {
	[ "$(xenstore-read "/local/domain/$(xl domid "$1")/memory/target")" = "$2" ]
}

# One vCPU of four; memory that it has used, and has free then.
truncate -s 16M "$work/disk.img"
check "big: is created" xl create -q -p "$(config big 6.12-cloud 6.12-cloud-none \
	size,fill:360,again:1000:1 "memory = 512" "vcpus = 1" "maxvcpus = 4" \
	"disk = ['$work/disk.img,raw,xvda,w']")"
check "big: refuses what comes before its driver" refused 'does not watch' \
	mem-set big 256
check "big: begins" xl unpause big
check "big: its disk works" wait_for 90 further big 0
before=$(used big)
echo "# 512 MiB: $before MiB in the host's memory"
check "big: has used its memory" uses_above big 350
check "big: mem-set down" xl mem-set big 256
check "big: has given it back, as xl lists it" wait_for 90 listed_as big 256
check "big: the host has it back" wait_for 30 uses_within big 256
echo "# 256 MiB: $(used big) MiB in the host's memory"
check "big: the guest has less" wait_for 30 has_below big 262144
n=$(rounds big)
check "big: its disk works on" wait_for 60 further big $((n + 1))
check "big: mem-set up, in KiB" xl mem-set big 524288k
check "big: has it again, as xl lists it" wait_for 90 listed_as big 512
check "big: the guest has it" wait_for 30 has_above big 400000
echo "# 512 MiB again: $(used big) MiB in the host's memory"
for mib in 256 480 300; do
	xl mem-set big $mib
done
check "big: the last of several counts" wait_for 90 listed_as big 300
check "big: not more than it was created with" refused 'created with' \
	mem-set big 513
check "big: not less than a guest needs" refused 'than any guest' mem-set big 7
check "big: mem-max" xl mem-max big 400
check "big: not above mem-max" refused 'mem-max allows' mem-set big 401
check "big: mem-max is not below what it is to have" refused 'mem-set comes first' \
	mem-max big 299
check "big: nothing of that has changed it" target_is big 307200

# CPUs.
check "big: has one vCPU" wait_for 30 online_are big 0
check "big: is listed with one" has_vcpus big 1
check "big: the guest says so" has_cpus big 1
check "big: vcpu-set up" xl vcpu-set -i big 2
check "big: has two" wait_for 60 online_are big '0 1'
check "big: is listed with two" has_vcpus big 2
check "big: the guest says so, too" wait_for 30 has_cpus big 2
check "big: vcpu-set to all" xl vcpu-set -i big 4
check "big: has four" wait_for 60 online_are big '0 1 2 3'
check "big: vcpu-set down" xl vcpu-set big 1
check "big: has one again" wait_for 60 online_are big 0
check "big: the guest has one" wait_for 30 has_cpus big 1
check "big: not more than there are" refused 'maxcpus is 4' vcpu-set -i big 5
check "big: not none" refused 'Requested 0' vcpu-set big 0
n=$(rounds big)
check "big: its disk works still" wait_for 60 further big $((n + 1))

# Its size is saved with it, and its balloon.
check "big: vcpu-set before it is saved" xl vcpu-set -i big 2
check "big: has two once more" wait_for 60 online_are big '0 1'
check "big: is saved" xl save big "$work/saved"
check "big: is restored" xl restore "$work/saved"
check "big: has what it had" listed_as big 300
check "big: and its vCPUs" online_are big '0 1'
n=$(rounds big)
check "big: its disk works as before" wait_for 60 further big $((n + 1))
check "big: mem-max is saved, too" refused 'mem-max allows' mem-set big 401
check "big: grows after that" xl mem-set big 400
check "big: has grown" wait_for 90 listed_as big 400
check "big: its vCPUs go after that" xl vcpu-set big 1
check "big: has one after that" wait_for 60 online_are big 0
output=$(tail -n 20 "$(console_log big)")
! grep -qaE 'TEST again failed' "$(console_log big)"
ok $? "big: each block was what was written"
output=$(grep -aE 'BUG|WARNING|Call Trace|soft lockup|Aborting' "$(console_log big)")
[ -z "$output" ]
ok $? "big: its kernel does not complain"

# A restart keeps the size; the rest of maxmem is there to grow into.
first=$(xl domid big)
check "big: reboots" xl reboot big
anew() { [ "$(xl domid big)" -gt "$first" ]; }
check "big: is there again" wait_for 90 anew
check "big: its size has stayed" target_is big 409600
check "big: begins with that" wait_for 90 listed_as big 400
check "big: can grow to what it was created with" wait_for 60 xl mem-set big 512
check "big: does so" wait_for 90 listed_as big 512
check "big: is destroyed" xl destroy big

# Less than maxmem from the start, with the other kernel.
check "small: is created" xl create -q "$(config small 6.1-cloud 6.1-cloud-none \
	size,idle "memory = 192" "maxmem = 320" "vcpus = 2" "maxvcpus = 3")"
check "small: is up" wait_for 90 console_has small 'SPLITVISOR-SIZE'
check "small: has its memory" wait_for 30 listed_as small 192
check "small: the host has given no more" uses_within small 192
check "small: has two vCPUs" wait_for 30 online_are small '0 1'
check "small: mem-set up" xl mem-set small 320
check "small: has it" wait_for 90 listed_as small 320
check "small: vcpu-set up" xl vcpu-set -i small 3
check "small: has three" wait_for 60 online_are small '0 1 2'
check "small: vcpu-set down" xl vcpu-set small 1
check "small: has one" wait_for 60 online_are small 0
check "small: mem-set down" xl mem-set small 160m
check "small: has less" wait_for 90 listed_as small 160
output=$(grep -aE 'BUG|WARNING|Call Trace|soft lockup|bad cpu' "$(console_log small)")
[ -z "$output" ]
ok $? "small: its kernel does not complain"
check "small: shuts down when asked" xl shutdown -w small
