#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/sched.sh - shares of the host's CPUs: sched-credit2, cpu_weight, cap.
#
# Control groups are mounted anew, in a mount namespace of the test's own.
[ -n "${SCHED_TEST_NS:-}" ] ||
	SCHED_TEST_NS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
cd "$work" || exit 1
ip link set lo up

# Where there are none, at first.
awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo | sort -r |
	while read -r m; do umount -l "$m"; done
echo a kernel >kernel
printf '%s\n' 'name = "g1"' "kernel = '$work/kernel'" 'memory = 16' >g1.cfg

# fails NAME TEXT ARG... - status 1, and this one line.
fails() {
	local name=$1 text=$2

	shift 2
	output=$(xl "$@" 2>&1)
	[ $? = 1 ] && [ "$output" = "$text" ]
	ok $? "$name"
}
no_groups='this host has no control groups for CPU time (mount cgroup2 with the cpu controller)'
output=$(xl create -q g1.cfg cpu_weight=512 2>&1) && [ "$output" = "domain 'g1': cpu_weight and cap have no effect: $no_groups" ]
ok $? "without control groups a domain is made, and what is missing is said"
id=$(xl domid g1)
fails "nor can it be given a share" "domain $id: weight and cap cannot be set: $no_groups" \
	sched-credit2 -d g1 -w 100
check "it is destroyed" xl destroy g1

cg=/sys/fs/cgroup
mount -t cgroup -o cpu cg $cg 2>/dev/null || mount -t cgroup -o cpu,cpuacct cg $cg 2>/dev/null ||
	mount -t cgroup2 cg $cg
ok $? "control groups"
vmm() { cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/dom/$(xl domid g1)/hv.pid"; }
# share - what the kernel has of the domain: its weight as on cgroup 1, its limit of 100 ms.
share() {
	local group

	group=$cg/splitvisor-$(vmm)
	grep -qx "$(vmm)" "$group/cgroup.procs" || return 1
	if [ -e "$group/cpu.shares" ]; then
		echo "$(cat "$group/cpu.shares") $(cat "$group/cpu.cfs_quota_us")"
	else
		echo "$(($(cat "$group/cpu.weight") * 1024 / 100)) $(sed 's/ .*//; s/max/-1/' "$group/cpu.max")"
	fi
}
has_share() { output=$(share); [ "$output" = "$1" ]; }

check "a domain with weight and cap" xl create -q g1.cfg cpu_weight=512 cap=50
has_share '2048 50000'
ok $? "has them"
output=$(xl sched-credit2)
[ "$output" = "Cpupool Pool-0: ratelimit=1000us
Name                                ID Weight  Cap
Domain-0                             0    256    0
$(printf '%-33s %4d    512   50' g1 "$(xl domid g1)")" ]
ok $? "sched-credit2 lists it as Xen's xl does"
output=$(xl sched-credit | head -n 1)
[ "$output" = "Cpupool Pool-0: tslice=30ms ratelimit=1000us migration-delay=0us" ]
ok $? "sched-credit, too"
output=$(xl sched-credit2 -d g1)
[ "$(wc -l <<<"$output")" = 2 ] && [ "$(awk 'NR == 2 { print $3, $4 }' <<<"$output")" = "512 50" ]
ok $? "one alone"
output=$(xl sched-credit2 --json -d g1)
jq -e '. == [{"domid": '"$(xl domid g1)"', "name": "g1", "weight": 512, "cap": 50}]' <<<"$output" >/dev/null
ok $? "--json"
check "another weight" xl sched-credit2 -d g1 -w 128
has_share '512 50000'
ok $? "is had, with the same cap"
check "no cap any more" xl sched-credit -d g1 -c 0
has_share '512 -1'
ok $? "is had, with the same weight"
output=$(xl list -l g1)
jq -e '.[0].config.b_info.sched_params == {"sched": "credit2", "weight": 128, "cap": 0}' \
	<<<"$output" >/dev/null
ok $? "list -l has it"
id=$(xl domid g1)
kill -USR2 "$(vmm)"
again() { [ "$(xl domid g1 2>/dev/null || echo 0)" -gt "$id" ] && has_share '512 -1'; }
check "it stays over a restart" wait_for 20 again
groups_are() { [ "$(find $cg -maxdepth 1 -name "splitvisor-$1" | wc -l)" = "$2" ]; }
pid=$(vmm)
check "it is destroyed" xl destroy g1
groups_are "$pid" 0
ok $? "its group is gone"
check "one without any" xl create -q g1.cfg
groups_are "$(vmm)" 0
ok $? "is in no group"
check "until it is given one" xl sched-credit2 -d g1 -w 65535 -c 6400
has_share '262140 6400000' || has_share '102400 6400000'
ok $? "has the most there is"

# Version 1 here, most often: what limits do is tested in the lab (lab_bounds.sh).
mkdir plain
output=$(SPLITVISOR_CGROUP=$work/plain xl create -q g1.cfg "name='g2'" 2>&1)
[ "$output" = "domain 'g2': its VMM has no limits: control group '$work/plain': \
No such file or directory (SPLITVISOR_CGROUP must name one of version 2 with memory and pids, \
and no process in it)" ]
ok $? "a domain is made also where it cannot be limited, and that is said"
check "it is destroyed" xl destroy g2

fails "a domain that there is not" "nosuch is an invalid domain identifier (rc=-6)" \
	sched-credit2 -d nosuch -w 1
fails "none" "Must specify a domain." sched-credit2 -w 1
fails "this host" "xl sched-credit2: domain 0 is this host: its share is what guests leave" \
	sched-credit2 -d Domain-0 -w 1
fails "no weight" "xl sched-credit2: weight '0': must be a number from 1 to 65535" \
	sched-credit2 -d g1 -w 0
fails "no number" "xl sched-credit: cap 'x': must be a number from 0 to 6400" \
	sched-credit -d g1 -c x
fails "another pool" "Pool 'p' does not exist" sched-credit2 -p p
output=$(xl create -q g1.cfg "name='g2'" cpu_weight=65536 2>&1)
[ $? = 1 ] && grep -q 'cpu_weight = 65536: out of range, 1 to 65535 are possible' <<<"$output"
ok $? "a configuration with a weight that is none"
