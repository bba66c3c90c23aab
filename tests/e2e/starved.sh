#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/starved.sh - a host with no time for its guests: slow is fine, wrong
# is not.
#
# Three process domains work beside three busy loops for each CPU: two write and read
# disks, with all bytes checked, one makes transactions and watches; all print.
# Nobody may take slowness for a death: no worker is replaced, no limit of time runs
# out, and no wake-up is lost, or a guest would never come to its end.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
programs=$project/build/gcc-plain/procdom
hogs=()
trap 'kill "${hogs[@]}" 2>/dev/null; finish' EXIT

# all COMMAND... - for each of the three.
all() {
	local d

	for d in disk-a disk-b xenbus; do
		"$@" "$d" || return 1
	done
}

settings() { # NAME KERNEL [LINE...]
	printf '%s\n' "name = '$1'" "type = 'pvh'" "memory = 64" \
		"kernel = '$programs/$2'" "${@:3}" >"$work/$1.cfg"
}
for d in disk-a disk-b; do
	truncate -s 16M "$work/$d"
	settings "$d" block "disk = ['$work/$d,raw,xvda,w']" "cmdline = 'ops=100'"
done
settings xenbus xenbus

for _ in $(seq $((3 * $(nproc)))); do
	(exec -a sv-busy-loop bash -c 'while :; do :; done') &
	hogs+=($!)
done

create() { xl create -q "$work/$1.cfg"; }
check "domains are created" all create

# workers - which processes serve disks.
workers() {
	local p

	for p in $(our_processes); do
		grep -qsx sv-blkback "/proc/$p/comm" && echo "$p"
	done | sort
}
at_work() { console_has "$1" ' ok'; }
check "all are at work" wait_for 120 all at_work
mapfile -t before < <(workers)

# went_on - each has printed more than the last time.
declare -A lines=()
went_on() {
	local n

	n=$(grep -ac . "$(console_log "$1")")
	[ "$n" -gt "${lines[$1]:-0}" ] || over "$1" || return 1
	lines[$1]=$n
}
for i in 1 2 3; do
	check "all go on, $i" wait_for 120 all went_on
done
output=$(workers; echo "before: ${before[*]}")
status=0
for p in $(workers); do
	[[ " ${before[*]} " == *" $p "* ]] || status=1
done
ok $status "no worker was replaced"

check "all come to their end" wait_for 300 all over
succeeded() { console_has "$1" '^SUCCESS'; }
for d in disk-a disk-b xenbus; do
	output=$(cat "$(console_log "$d")" "$logs/hv-$d.log")
	succeeded "$d"
	ok $? "$d succeeds"
done
check "all are gone" wait_for 60 all gone

# Another is removed in the middle of its work.
settings disk-a block "disk = ['$work/disk-a,raw,xvda,w']" \
	"cmdline = 'ops=1000000'"
check "one is created again" create disk-a
check "it is at work" wait_for 120 at_work disk-a
check "it is destroyed" xl destroy disk-a
check "it is gone" wait_for 60 gone disk-a
no_workers() { [ -z "$(workers)" ]; }
check "so are all workers" wait_for 60 no_workers

output=$(grep -raiE 'timed out|time-?out|in time|stuck|not answer|gave up|kill|ended by|restart|watchdog' \
	"$logs")
[ -z "$output" ]
ok $? "nobody took it for a fault"

# Otherwise this was no test: each loop has had time, and still takes all it gets.
output=$(cat /proc/loadavg)
status=0
for p in "${hogs[@]}"; do
	[ "$(cut -d' ' -f14 "/proc/$p/stat")" -gt 0 ] || status=1
done
ok $status "the host was busy"
