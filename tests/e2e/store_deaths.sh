#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/store_deaths.sh - the store is killed all the time: guests and the
# toolstack must not notice.
#
# Two process domains: one asks the store without pause (tests/guest/xenbus), the
# other connects its disk in all ways, over and over (tests/guest/block).
# SV_DEATHS_SECONDS is how long; 20 if it is not set.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
seconds=${SV_DEATHS_SECONDS:-20}
programs=$project/build/gcc-plain/procdom
truncate -s 16M "$work/disk"

domain() { # NAME KERNEL LINE...
	printf '%s\n' "name = '$1'" "type = 'pvh'" "memory = 64" \
		"kernel = '$programs/$2'" "${@:3}" >"$work/$1.cfg"
	check "$1: is created" xl create -q "$work/$1.cfg"
}
domain xenbus xenbus "cmdline = 'ms=$((seconds * 1000))'"
domain disk block "disk = ['$work/disk,raw,xvda,w']" \
	"cmdline = 'ops=500 ms=$((seconds * 1000 / 9))'"
check "they are at work" wait_for 20 console_has disk 'block plain: connects ok'
check "store keys are asked for" wait_for 20 console_has xenbus 'load removed ok'

answers() { xenstore-read /local/domain/0/name; }
deadline=$((SECONDS + seconds * 2 + 300))
n=0
failed=0
lines=0
got_on() { # the disk's guest, which may be connecting: backends look once a second
	local now

	now=$(grep -ac . "$(console_log disk)")
	[ "$now" -gt "$lines" ] || over disk || return 1
	lines=$now
}
attack() { # till the one that asks has come to its end
	until over xenbus || [ $SECONDS -ge $deadline ]; do
		sleep "0.$(printf %03d $((50 + RANDOM % 450)))"
		shoot sv-xenstored KILL && n=$((n + 1))
		[ $((n % 4)) = 0 ] || continue
		wait_for 10 answers
		wait_for 10 got_on
		xl list disk >/dev/null || over disk || failed=$((failed + 1))
	done
	output=$(tail -n 20 "$(console_log xenbus)" "$logs/sv-xenstored.log")
	console_has xenbus '^SUCCESS'
	ok $? "the guest that asks without pause has noticed nothing"
}
attack
# On a slow machine it was hardly killed by then: once more.
until [ $n -ge $((seconds / 2)) ] || [ $SECONDS -ge $deadline ]; do
	wait_for 10 gone xenbus
	mv "$(console_log xenbus)" "$work/xenbus-$n.log"
	domain xenbus xenbus "cmdline = 'ms=$((seconds * 1000))'"
	attack
done
echo "# the store was killed $n times;" \
	"$(grep -a 'churn rounds' "$(console_log xenbus)" | tr -d '\r')"
[ $n -ge $((seconds / 2)) ]
ok $? "it was killed often enough"
ok $failed "xl has found its domains in between"
check "the disk's guest comes to its end" wait_for 60 over disk
output=$(grep -ahE 'failed|error|FAILURE' "$(console_log disk)"
	tail -n 20 "$logs/sv-backend.log")
console_has disk '^SUCCESS'
ok $? "and has noticed nothing"
check "the domains go" wait_for 10 gone xenbus
check "both" wait_for 10 gone disk
! grep -q 'damaged\|cannot be' "$logs/sv-xenstored.log"
ok $? "the journal was whole each time"
# The last store that was killed may have been followed just now.
wait_for 10 pid_of sv-storekeeper
keeper=$(pid_of sv-storekeeper)
kill "$keeper"
check "told to end, it ends" wait_for 10 no_process "$keeper"
no_store() { ! pid_of sv-xenstored; }
check "and there is no other" wait_for 10 no_store
