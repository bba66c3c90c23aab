#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/store_update.sh - live updates of the store, by Debian's own
# xenstore-control: guests, backends and programs of dom0 must not notice.
#
# Two process domains as in store_deaths.sh; a program that watches, and others that
# write and read without pause.  SV_UPDATE_SECONDS is how long; 20 if it is not set.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
seconds=${SV_UPDATE_SECONDS:-20}
programs=$project/build/gcc-plain/procdom
truncate -s 16M "$work/disk"
store=$work/bin/sv-xenstored
check "Debian's tools are there" "$project/tests/oracle/xenstored" --fetch
control=$(echo "$SPLITVISOR_CACHE_DIR"/xen-utils-*/usr/lib/xen-*/bin/xenstore-control)

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

# Programs of dom0: one that watches all the time, and many short ones.
xenstore-watch /load >"$work/watched" 2>&1 &
watcher=$!
: >"$work/loading"
load() {
	local i=0 failed=0 longest=0 began took

	while [ -e "$work/loading" ]; do
		i=$((i + 1))
		began=${EPOCHREALTIME/./}
		xenstore-write /load "$i" && [ "$(xenstore-read /load)" = "$i" ] ||
			failed=$((failed + 1))
		took=$((${EPOCHREALTIME/./} - began))
		[ $took -le $longest ] || longest=$took
	done
	echo "$i $failed $((longest / 1000))" >"$work/loaded"
}
load 2>"$work/load.err" &
loader=$!

answers() { xenstore-read /local/domain/0/name; }
mkdir "$work/new"
new=$work/new/sv-xenstored
cp "$store" "$new"
n=0 failed=0 end=$((SECONDS + seconds / 2))
# On a slow machine it takes longer until they are enough.
until { [ $SECONDS -ge $end ] && [ $n -ge $((seconds / 4)) ]; } || over xenbus; do
	"$control" live-update -t 30 "$new" 2>>"$work/update.err" ||
		failed=$((failed + 1))
	n=$((n + 1))
	[ $((n % 5)) = 0 ] && { xl list disk >/dev/null || failed=$((failed + 1)); }
	sleep 0.1
done
rm "$work/loading"
wait $loader
read -r requests errors longest <"$work/loaded"
output=$(cat "$work/update.err" "$work/load.err"; tail -n 30 "$logs/sv-xenstored.log")
ok $failed "all updates were made"
[ $n -ge $((seconds / 4)) ]
ok $? "they were enough"
pid=$(pid_of sv-xenstored)
[ "$(readlink "/proc/$pid/exe")" = "$new" ]
ok $? "the program is the other one"
ok "$errors" "programs of dom0 were answered each time"
xenstore-write /load/last x
check "who watches hears of changes" wait_for 10 grep -qx /load/last "$work/watched"
kill $watcher
! grep -q 'connection lost' "$logs/sv-backend.log"
ok $? "backends have noticed nothing"
echo "# $n updates; $((requests * 2)) requests by programs of dom0 meanwhile," \
	"two of which took $longest ms at most with all"

refused() { # TEXT ARG...
	local text=$1

	shift
	output=$("$control" live-update "$@" 2>&1)
	[ $? = 3 ] && grep -q "$text" <<<"$output" && answers >/dev/null
}
refused 'cannot go on.*No such file' /no/such
ok $? "a program that is not there is refused"
refused 'must be named sv-xenstored' -t 10 /bin/false
ok $? "and one that is no store"
cp "$store" "$XENSTORED_PATH.d/sv-xenstored"
refused 'can write' -t 10 "$XENSTORED_PATH.d/sv-xenstored"
ok $? "and one that the store could have made"
mkdir "$work/other"
cp "$store" "$work/other/sv-xenstored"
chown "$(stat -c %u "$XENSTORED_PATH.d")" "$work/other/sv-xenstored"
refused 'another user' -t 10 "$work/other/sv-xenstored"
ok $? "wherever it could"
refused 'no other arguments' -t 10 -c --no-sandbox "$store"
ok $? "and arguments that would let it do more"
[ "$(pid_of sv-xenstored)" = "$pid" ]
ok $? "the store is what it was"

# Killed in the middle of it, wherever that is.
kills=0 failed=0
for _ in $(seq $((seconds / 2))); do
	"$control" live-update -t 10 "$store" 2>/dev/null &
	sleep "0.$(printf %03d $((RANDOM % 25)))"
	shoot sv-xenstored KILL && kills=$((kills + 1))
	wait $!
	wait_for 10 answers || failed=$((failed + 1))
	# A successor has a keeper of its own in no time, but not at once.
	wait_for 10 pid_of sv-storekeeper || failed=$((failed + 1))
done
output=$(tail -n 30 "$logs/sv-xenstored.log")
ok $failed "killed $kills times in the middle of an update, there was a store each time"
check "xl finds its domains" wait_for 10 xl list disk

# The keeper, too: in its sandbox a store can start no other, but the spare goes on.
other_than() { # NAME PID - there is one
	local now

	now=$(pid_of "$1") && [ "$now" != "$2" ]
}
for time in first second; do
	# Until it has one it has no successor either.
	wait_for 10 pid_of sv-storespare
	keeper=$(pid_of sv-storekeeper)
	shoot sv-storekeeper KILL
	check "killed for the $time time, the keeper has a successor" \
		wait_for 10 other_than sv-storekeeper "$keeper"
	check "and the store can be updated by it" "$control" live-update -t 10 "$store"
done
wait_for 10 pid_of sv-storespare
spare=$(pid_of sv-storespare)
shoot sv-storespare KILL
check "a spare that is killed has one" wait_for 10 other_than sv-storespare "$spare"
keeper=$(pid_of sv-storekeeper)
shoot sv-storekeeper KILL
check "which goes on" wait_for 10 other_than sv-storekeeper "$keeper"
pid=$(pid_of sv-xenstored)
shoot sv-xenstored KILL
check "and follows a store that is killed" wait_for 10 other_than sv-xenstored "$pid"
check "with a spare of its own" wait_for 10 pid_of sv-storespare
halt "$(pid_of sv-storekeeper)"
shoot sv-storespare KILL
shoot sv-storekeeper KILL
check "both killed at once are missed" wait_for 10 grep -q "was killed, and its spare" "$logs/sv-xenstored.log"
refused 'no keeper' -t 10 "$store"
ok $? "without a keeper a store cannot be updated"
shoot sv-xenstored KILL
unanswered() { ! answers; }
wait_for 10 unanswered
domain late xenbus "cmdline = 'ms=1'"
check "the toolstack has started another" wait_for 10 answers
check "which has a keeper" wait_for 10 pid_of sv-storekeeper
check "and can be updated" "$control" live-update -t 10 "$store"
pid=$(pid_of sv-xenstored)
shoot sv-xenstored KILL
check "the new one's keeper starts a store" wait_for 10 other_than sv-xenstored "$pid"
wait_for 10 answers

check "the guest that asks without pause comes to its end" \
	wait_for $((seconds + 60)) over xenbus
output=$(tail -n 20 "$(console_log xenbus)" "$logs/sv-xenstored.log")
console_has xenbus '^SUCCESS'
ok $? "and has noticed nothing"
echo "# $(grep -a 'churn rounds' "$(console_log xenbus)" | tr -d '\r')"
check "the disk's guest comes to its end" wait_for 60 over disk
output=$(grep -ahE 'failed|error|FAILURE' "$(console_log disk)")
console_has disk '^SUCCESS'
ok $? "and has noticed nothing"
! grep -q 'damaged\|cannot be' "$logs/sv-xenstored.log"
ok $? "the journal was whole each time"
# Programs that say that they can go on, and then do not.
mkdir "$work/bad"
bad=$work/bad/sv-xenstored
fails() { # COMMAND - what it does instead
	printf '%s\n' '#!/bin/sh' "case \"\$*\" in *--check*) exec '$store' \"\$@\" ;; esac" \
		"$1" >"$bad.new"
	chmod 755 "$bad.new"
	mv "$bad.new" "$bad"
}
wait_for 10 pid_of sv-storekeeper
same=$(pid_of sv-xenstored) keeper=$(pid_of sv-storekeeper)
fails 'exit 1'
refused 'ended while it started' -t 10 "$bad"
ok $? "a program that ends at once does not take over"
fails "exec sleep 1000.$$"
refused 'not ready within' -t 10 "$bad"
ok $? "nor does one that is never ready"
sleeps() { pgrep -f "^sleep 1000.$$"; }
awake() { ! sleeps; }
check "which is ended" wait_for 10 awake
printf '#!/no/such/program\n' >"$work/bad/none"
chmod 755 "$work/bad/none"
fails ''
sed -i "2i mv '$work/bad/none' '$bad'" "$bad"
refused 'No such file' -t 10 "$bad"
ok $? "nor does one that has become another"
[ "$(pid_of sv-xenstored)" = "$same" ] && [ "$(pid_of sv-storekeeper)" = "$keeper" ]
ok $? "the store and its keeper are what they were"
check "and it can be updated" "$control" live-update -t 10 "$store"


# Somebody dies while such a program starts.
starts() { # COMMAND - up to there
	fails "$1"
	"$control" live-update -t 10 "$bad" >"$work/starts" 2>&1 &
	wait_for 10 sleeps
}
starts "exec sleep 1000.$$"
keeper=$(pid_of sv-storekeeper)
shoot sv-storekeeper KILL
wait $!
output=$(cat "$work/starts")
grep -q 'ended while it started' <<<"$output"
ok $? "with its keeper the program ends that was to go on"
check "which is ended, too" wait_for 10 awake
check "the spare is the keeper" wait_for 10 other_than sv-storekeeper "$keeper"
starts "exec sleep 1000.$$"
shoot sv-xenstored KILL
wait $!
check "a store that dies meanwhile is followed, though not by that program" wait_for 20 answers
check "which is ended then" wait_for 10 awake
xenstore-watch /load >"$work/watched" 2>&1 &
watcher=$!
check "a program watches" wait_for 10 test -s "$work/watched"
starts "sleep 1000.$$; exec '$store' \"\$@\""
shoot sv-xenstored KILL
pkill -f "^sleep 1000.$$"
wait $!
check "if that program can go on, it does" wait_for 10 answers
xenstore-write /load/end x
check "with all connections" wait_for 10 grep -qx /load/end "$work/watched"
kill $watcher
wait_for 10 pid_of sv-storekeeper
keeper=$(pid_of sv-storekeeper)
kill "$keeper"
check "told to end, the keeper ends" wait_for 10 no_process "$keeper"
no_store() { ! pid_of sv-xenstored; }
check "and the store" wait_for 10 no_store
