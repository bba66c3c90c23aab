#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/procdom.sh - process domains: our frontends against the real store and
# backends, without a vCPU.
#
# Interfaces are made in a network namespace of the test's own.
[ -n "${PROCDOM_TEST_NETNS:-}" ] ||
	PROCDOM_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
programs=$project/build/gcc-plain/procdom
truncate -s 16M "$work/disk"

own "$programs/xenbus" xenbus
own "$programs/block" block "disk = ['$work/disk,raw,xvda,w']"
own "$programs/reconnect" reconnect "disk = ['$work/disk,raw,xvda,w']"
own "$programs/blockbench" blockbench "disk = ['$work/disk,raw,xvda,w']" \
	"cmdline = 'depth=8 ms=200'"
own_power "$programs/power"
own_suspend "$programs/suspend" suspend 20 \
	"disk = ['$work/disk,raw,xvda,w']"
with_card own_suspend "$programs/suspend" suspend-card 10 \
	"disk = ['$work/disk,raw,xvda,w']" \
	"cmdline = 'net=1 persistent=1 queues=0'"
own_reset "$programs/suspend" reset 6 "disk = ['$work/disk,raw,xvda,w']" \
	"cmdline = 'resets=6'"
with_card own_reset "$programs/suspend" reset-card 3 \
	"disk = ['$work/disk,raw,xvda,w']" \
	"cmdline = 'net=1 persistent=1 queues=0 resets=3'"
own_net "$programs/net" net
own_net "$programs/netbench" netbench "cmdline = 'ms=200'"
own_net "$programs/netbench" netbench-tx "cmdline = 'tx=1 bytes=1514 ms=200'"

# Two that send each other frames (tests/guest/netload).
ip link add svload type bridge
sysctl -q net.ipv6.conf.svload.disable_ipv6=1
ip link set svload up
load_cmdline() { echo "cmdline = 'to=$*'"; }
load_card() { echo "vif = ['bridge=svload,mac=00:16:3e:00:00:$1']"; }
printf '%s\n' "name = 'follower'" "type = 'pvh'" "memory = 64" \
	"kernel = '$programs/netload'" "$(load_cmdline 10)" \
	"$(load_card 0b)" >"$work/follower.cfg"
check "netload: one end is created" xl create -q "$work/follower.cfg"
own "$programs/netload" netload "$(load_card 0a)" \
	"$(load_cmdline 11 'lead=1 bytes=65535 window=12 both=1 ms=200')"
check "netload: one end is told when the other has finished" \
	wait_for 20 gone follower
check "netload: frames came to it" wait_for 10 console_has follower '^SUCCESS'

# One that takes its time: it is a domain as any other.
cat >"$work/long.cfg" <<-EOF
	name = 'long'
	type = 'pvh'
	kernel = '$programs/block'
	memory = 64
	cmdline = 'ops=1000000'
	disk = ['$work/disk,raw,xvda,w']
EOF
check "a process domain is created" xl create -q "$work/long.cfg"
check "it is at work" wait_for 20 console_has long 'block plain: connects ok'
domid=$(xl domid long)
workers() {
	local p

	for p in $(our_processes); do
		grep -qs sv-blkback "/proc/$p/comm" && return 0
	done
	return 1
}
check "a backend process serves it" workers
check "it is listed" xl list long
output=$(xl block-list long)
grep -qE "^51712 +0 +$domid +4 " <<<"$output"
ok $? "its disk is connected"
check "it is destroyed" xl destroy long
check "it is gone" wait_for 10 gone long
no_workers() { ! workers; }
check "so is its backend" wait_for 10 no_workers

# What a killed parent leaves behind may hold its lock a moment longer.
mkdir "$work/other"
flock "$work/other" sh -c "touch '$work/held'; exec sleep 0.5" &
wait_for 10 test -e "$work/held"
start second env SPLITVISOR_RUN_DIR="$work/other" sv-backend --no-console
ok $? "a parent waits for a lock that is about to be given up"
third() { SPLITVISOR_RUN_DIR=$work/other sv-backend --no-console 2>&1; }
output=$(third) || true
grep -q 'another sv-backend serves there' <<<"$output"
ok $? "but not for one that serves"
stop second TERM
