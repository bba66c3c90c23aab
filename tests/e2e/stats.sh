#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/stats.sh - xl stats, beside the real daemons and a domain without a vCPU:
# what went through a disk is what is told, also of workers that have died.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

host_without_guests

# holds NAME FILTER ARG... - what xl stats --json ARG... prints fulfils it.
holds() {
	local name=$1 filter=$2

	shift 2
	output=$(xl stats --json "$@" 2>&1) && jq -e "$filter" <<<"$output" >/dev/null 2>&1
	ok $? "$name"
}

start store sv-xenstored --foreground
start backend sv-backend --no-console
guest 3 three
guest 4 four
check "a domain" wait_for 10 named 3 three
check "another one" wait_for 10 named 4 four
holds "all domains" 'map(.name) == ["three", "four"] and
	all(.[]; .disks == [] and .nics == [] and .kvm.exits == 7 and .cpu_s == 0)'

give_disk 3 disk.img
check "a disk connects" tell 3 "disk 1 2"
check "and is read" tell 3 "read 100"
holds "what was read" '.[0].disks | length == 1 and (.[0] | .devid == 51712 and
	.worker_restarts == 0 and .depth == 0 and .depth_max >= 1 and
	.write == {"requests": 0, "errors": 0, "bytes": 0, "merged": 0, "time_s": 0,
	"mean_us": 0, "p99_us": 0} and (.read | .requests == 100 and .errors == 0 and
	.bytes == 51200 and .time_s > 0 and .mean_us > 0 and .p99_us >= 1))' 3
holds "by its name" 'length == 1 and .[0].domid == 3' three
output=$(xl stats three)
grep -qx 'three (3): [a-z]*, cpu 0.000 s, memory 1024 KiB, vcpus 1 of 1' <<<"$output" &&
	grep -qx '  kvm: exits 7, irq_injections 3' <<<"$output" &&
	grep -qx '  vbd/51712: depth 0, at most [0-9]*; worker restarts 0' <<<"$output" &&
	grep -qE '^    read: requests 100, errors 0, bytes 51200, mean [0-9.]+ us, 99 % below [0-9]+ us$' <<<"$output"
ok $? "as text"

read -r worker < <(pgrep -P "${procs[backend]}")
kill -9 "$worker"
check "the disk is read after its worker was killed" tell 3 "read 10"
holds "a worker that died is told, and nothing is lost" '.[0].disks[0] |
	.worker_restarts == 1 and .read.requests == 110' 3
output=$(xl stats 3 9 2>&1)
[ $? = 1 ] && grep -qx '9 is an invalid domain identifier (rc=-6)' <<<"$output" &&
	grep -q '^three ' <<<"$output"
ok $? "a domain that there is not"
output=$(xl stats Domain-0 2>&1)
[ $? = 1 ] && [ "$output" = "domain 0 is this host: it has no such figures" ]
ok $? "nor is this host one"
halt "${procs[guest4]}"
xl stats --json >document 2>errors
output=$(cat document errors)
jq -e 'map(.name) == ["three"]' document >/dev/null &&
	jq -e '.warning | contains("does not answer")' errors >/dev/null
ok $? "a VMM that hangs is told, and holds up nobody"
kill -CONT "${procs[guest4]}"
echo "1..$tests_done"
