#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/probes.sh - what tracers can look at, and the scripts that do.
#
# Process domains; in namespaces of the test's own, for interfaces and tracefs.
[ -n "${PROBES_TEST_NS:-}" ] ||
	PROBES_TEST_NS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
programs=$project/build/gcc-plain/procdom
truncate -s 16M "$work/disk"

# has PROGRAM PROBE ARGUMENTS - it has that one, with so many of them.
has() {
	readelf -n "$project/build/bin/$1" | awk -v name="$2" -v n="$3" '
		$1 == "Name:" { this = $2 }
		$1 == "Arguments:" && this == name {
			found++
			bad += NF - 1 != n
		}
		END { exit !found || bad }'
}
check "blk_request" has sv-blkback blk_request 6
check "blk_response" has sv-blkback blk_response 6
check "net_tx" has sv-netback net_tx 4
check "net_rx" has sv-netback net_rx 4
check "hypercall" has sv-hypervisor hypercall 4
check "store_request" has sv-xenstored store_request 4

# What the scripts say, while it grows; the VMM that is looked at is the real one.
trace() {
	{
		sed -e "s|/usr/lib/splitvisor/sv-hypervisor|$project/build/bin/sv-hypervisor|" \
			-e "s|/usr/lib/splitvisor|$work/bin|" \
			"$project/tools/bpftrace/$1.bt"
		echo "interval:ms:500 { print($2); }"
	} >"$work/$1.bt"
	bpftrace "$work/$1.bt" >"$work/$1.out" 2>&1 &
	tracer=$!
}
# told SCRIPT PATTERN - it has come to say that.
told() { grep -qE "$2" "$work/$1.out"; }
# sees NAME SCRIPT MAP PATTERN
sees() {
	trace "$2" "$3"
	wait_for 60 told "$2" "$4"
	status=$?
	output=$(tail -n 20 "$work/$2.out")
	ok $status "$1"
	kill -INT "$tracer"
	wait "$tracer"
}

if [ ! -e /sys/bus/event_source/devices/uprobe ] ||
	! mount -t tracefs tracefs /sys/kernel/tracing; then
	echo "ok $((tests_done += 1)) - the scripts # skip this kernel has no uprobes"
	exit
fi
printf '%s\n' "name = 'busy'" "type = 'pvh'" "kernel = '$programs/block'" \
	"memory = 64" "cmdline = 'ops=100000000'" \
	"disk = ['$work/disk,raw,xvda,w']" >"$work/busy.cfg"
check "a domain that reads and writes" xl create -q "$work/busy.cfg"
domid=$(xl domid busy)
sees "disks.bt: for how long it waits" disks @us "^@us\\[$domid, 51712, [01]\\]:"
check "disks.bt: and how much that is" told disks "^@bytes\\[$domid, 51712, [01]\\]:"
check "it is destroyed" xl destroy busy

# asks - of the store, as long as it is looked at.
asks() { while xenstore-ls >/dev/null; do sleep 0.2; done; }
asks &
asker=$!
sees "calls.bt: who asks the store" calls @store "^@store\\[0, 1\\]: [0-9]+"
kill "$asker"

card_traffic() {
	printf '%s\n' "name = 'card'" "type = 'pvh'" \
		"kernel = '$programs/netbench'" "memory = 64" \
		"cmdline = 'ms=100000'" "$1" >"$work/card.cfg"
	check "a domain with a card" xl create -q "$work/card.cfg"
	domid=$(xl domid card)
	# What comes to it is an echo.
	sees "cards.bt: packets to it" cards @tx_bytes "^@rx\\[$domid, 0\\]: [0-9]+"
	check "cards.bt: and from it" told cards "^@tx\\[$domid, 0\\]: [0-9]+"
	check "it is destroyed, too" xl destroy card
}
with_card card_traffic
