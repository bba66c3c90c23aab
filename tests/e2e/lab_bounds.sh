#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_bounds.sh - VMMs with limits of memory and processes: they have them,
# and need far less, whatever is done with their guests.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cg=/sys/fs/cgroup
[ -e $cg/cgroup.procs ] || mount -t cgroup2 cgroup2 $cg
echo '+memory +pids +cpu' >$cg/cgroup.subtree_control
export SPLITVISOR_CGROUP=$cg/guests
mkdir $SPLITVISOR_CGROUP
output=$(cat $SPLITVISOR_CGROUP/cgroup.controllers)
grep -q memory <<<"$output" && grep -q pids <<<"$output"
ok $? "a control group for guests"
check "sv-doctor likes it" sh -c "sv-doctor | grep -q '^ok  *cgroup .*$SPLITVISOR_CGROUP limits'"

ram=$((192 << 20))
vmm() { cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/dom/$(xl domid "$1")/hv.pid"; }
group() { echo "$SPLITVISOR_CGROUP/splitvisor-$(vmm "$1")"; }
counted() {
	tr -d '\r' <"$(console_log "$1")" |
		sed -n 's/^SPLITVISOR-COUNT \([0-9]*\) .*/\1/p' | tail -n 1
}
beyond() { [ "$(counted "$1")" -gt "$2" ]; }
counts_on() { wait_for 60 beyond "$1" $(($(counted "$1") + 3)); }

# bounded LABEL NAME - its VMM is in a group of its own, with the limits of its size.
bounded() {
	local g

	g=$(group "$2")
	output=$(head "$g"/{cgroup.procs,memory.max,pids.max} 2>&1)
	[ "$(cat "$g/cgroup.procs")" = "$(vmm "$2")" ] &&
		[ "$(cat "$g/memory.max")" = $((ram + ram / 32 + (64 << 20))) ] &&
		[ "$(cat "$g/pids.max")" = 20 ]
	ok $? "$1: its VMM has limits"
}

# What it has beside the guest's memory, page cache left out, in KiB; its threads.
beside() {
	awk '$1 == "anon" || $1 == "kernel" { n += $2 } END { print int(n / 1024) }' \
		"$(group "$1")/memory.stat"
}
# far_from_limits LABEL NAME - nothing of them was ever needed.
far_from_limits() {
	local g over tasks

	g=$(group "$2")
	over=$(beside "$2")
	tasks=$(cat "$g/pids.current")
	echo "# $1: $over KiB beside the guest's memory, $tasks threads, at most" \
		"$(($(cat "$g/memory.peak") >> 10)) KiB"
	output=$(head -n 50 "$g"/{memory.events,memory.peak,pids.events,memory.stat})
	! grep -hE '^(max|oom|oom_kill) ' "$g/memory.events" "$g/pids.events" |
		grep -qv ' 0$' && [ "$over" -gt 100 ] && [ "$over" -lt 35000 ] &&
		[ "$tasks" -le 12 ]
	ok $? "$1: half of what they allow is enough"
}

check "a guest that fills its memory" xl create -q "$(config full 6.12-cloud \
	6.12-cloud-none fill:120,count:100000 "memory = 192" "vcpus = 2" "maxvcpus = 4")"
bounded created full
check "it has, and goes on" wait_for 200 beyond full 3
far_from_limits filled full
output=$(cat "$(group full)/memory.stat")
[ "$(awk '$1 == "shmem" { print $2 }' <<<"$output")" -gt $((120 << 20)) ]
ok $? "what it filled is counted"
check "it is saved, and runs on" xl save -c full "$work/saved"
check "and counts on" counts_on full
far_from_limits saved full
check "its core is written" xl dump-core full "$work/core"
rm "$work/core"
check "and it counts on" counts_on full
far_from_limits dumped full
check "all of its vCPUs are online" xl vcpu-set --ignore-host full 4
check "and it counts on, too" counts_on full
far_from_limits 'with all vCPUs' full
old=$(group full)
n=$(counted full)
there=$work/there
check "it is migrated" xl migrate -s '' full \
	"SPLITVISOR_RUN_DIR=$there XENSTORED_PATH=$there/xenstored.sock xl migrate-receive"
mapfile -t pids < <(our_processes)
[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
export SPLITVISOR_RUN_DIR=$there XENSTORED_PATH=$there/xenstored.sock
logs=$there/log
check "and counts on there" wait_for 60 beyond full $((n + 3))
bounded migrated full
far_from_limits migrated full
no_group() { [ ! -e "$old" ]; }
check "the group of its VMM before is gone" wait_for 10 no_group
old=$(group full)
check "it is destroyed" xl destroy full
check "with its group" wait_for 10 no_group
check "it is restored" xl restore "$work/saved"
check "and counts on once more" counts_on full
bounded restored full
far_from_limits restored full
