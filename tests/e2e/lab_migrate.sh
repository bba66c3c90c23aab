#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_migrate.sh - guests at work go from one host to another, or stay where
# they are. The other host is another run directory on the same machine.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

there=$work/run-there third=$work/run-third
mkdir -p "$there" "$third"

there() { at "$there" "$@"; }
here() { "$@"; }
trap 'finish_at "$there" "$third"' EXIT

# The command that takes a domain, there and here.
receive="SPLITVISOR_RUN_DIR=$there XENSTORED_PATH=$there/xenstored.sock xl migrate-receive"
receive_here="SPLITVISOR_RUN_DIR=$SPLITVISOR_RUN_DIR XENSTORED_PATH=$XENSTORED_PATH xl migrate-receive"

rounds() { grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")"; }
further() { [ "$(rounds "$1")" -gt "$2" ]; }
nothing_there() {
	! find "$there/dom" -mindepth 1 2>/dev/null | grep -q . &&
		! there xenstore-ls /local/domain/0/backend/vbd 2>/dev/null | grep -q .
}
no_complaint() {
	! grep -aE 'BUG|WARNING|Call Trace|rcu:|soft lockup|Clocksource|failed|error' \
		"$(console_log "$1")"
}
state_is() { xl list "$1" | awk -v want="$2" 'NR == 2 && $5 ~ want { ok = 1 } END { exit !ok }'; }

# works_on WHERE NAME LABEL - what it does on its disks and its card goes on there.
works_on() {
	local n

	n=$("$1" rounds "$2")
	check "$3: its disks work" "$1" wait_for 60 further "$2" $((n + 1))
	stream_flows "$3"
}

truncate -s 16M "$work/disk.img"
truncate -s 16M "$work/second.img"
disks="'$work/disk.img,raw,xvda,w', '$work/second.img,raw,xvdb,w'"
hear_stream 10.97.0.1
# On a busy machine it stands still for longer than a kernel takes without a word.
patient="nosoftlockup rcupdate.rcu_cpu_stall_suppress=1"
file=$(config goer 6.12-cloud 6.12-cloud-none \
	"net:10.97.0.2/24:10.97.0.1,stream:10.97.0.1:7003,again:1000:1 $patient" \
	"memory = 192" "vcpus = 2" "disk = [$disks]" \
	"vif = ['bridge=xenbr0,mac=00:16:3e:00:00:0c,ip=10.97.0.2']")
check "is created" xl create -q "$file"
check "its disks work" wait_for 90 further goer 0
id=$(xl domid goer)

for i in 1 2 3; do
	check "goes there, $i" xl migrate --max-downtime 60000 -s '' goer "$receive"
	check "is gone here, $i" gone goer
	check "is there with its domid, $i" test "$(there xl domid goer)" = "$id"
	works_on there goer "there, $i"
	check "comes back, $i" there xl migrate --live --compress -s '' goer "$receive_here"
	check "is gone there, $i" there gone goer
	works_on here goer "here, $i"
done

# stays LABEL WORDS COMMAND-LINE... - `xl migrate` fails, and all is as before.
stays() {
	local label=$1 words=$2 status

	shift 2
	output=$(xl migrate "$@" 2>&1)
	status=$?
	[ $status = 1 ] && grep -qE "$words" <<<"$output"
	ok $? "$label: is refused"
	check "$label: it runs here by its name" state_is goer '^[r-][b-]----$'
	works_on here goer "$label"
	check "$label: nothing of it is there" nothing_there
}

stays "to where it is" "domain name 'goer' is taken" -s '' goer "xl migrate-receive"
stays "no such command" 'ended before the banner' -s '' goer "exec /nowhere/xl"
stays "another program" 'unexpected data from migration target instead of banner' \
	-s '' goer "echo something else"
for cut in 10 1000 100000 3000000; do
	stays "cut after $cut bytes" 'Migration failed, it runs on at sender' \
		-s '' goer "head -c $cut | $receive"
done
# All of it is there, paused, with the disks, and cannot say so.
stays "nothing is heard of it" 'Migration failed, resuming at sender' \
	-s '' goer "$receive | dd bs=1 count=54 2>/dev/null"
sed "s|$work/disk.img|$work/absent.img|" "$file" >"$work/absent.cfg"
stays "a disk that is not there" 'absent.img' -C "$work/absent.cfg" \
	-s '' goer "$receive"
sed "s/memory = 192/memory = 128/" "$file" >"$work/small.cfg"
stays "another size" 'its memory in KiB was 196608 and is to be 131072' \
	-C "$work/small.cfg" -s '' goer "tee $work/sent | $receive"
check "another size: refused before its memory is there" \
	test "$(stat -c %s "$work/sent")" -lt 8000000
stays "no standing still" 'would stand still for about .* --max-downtime is 1' \
	--max-downtime 1 --max-iters 2 -s '' goer "$receive"
# A host where the first domain has the number that ours has, which was the first.
check "another domain is elsewhere" at "$third" xl create -q -p \
	"$(config other 6.12-cloud 6.12-cloud-none count:1 "memory = 128")"
check "it has the domid" test "$(at "$third" xl domid other)" = "$id"
stays "a domid that is taken" "the domid $id that it had is taken by another" \
	-s '' goer "SPLITVISOR_RUN_DIR=$third XENSTORED_PATH=$third/xenstored.sock xl migrate-receive"
check "the other one is still there" at "$third" xl destroy other

# The answer is lost: it runs there, and nobody guesses.
granted=$(printf '%s\n%s\0' "xl migration receiver ready, send binary domain data." \
	"domain received, ready to unpause" | wc -c)
output=$(xl migrate -s '' goer "$receive | dd bs=1 count=$granted 2>/dev/null" 2>&1)
[ $? = 1 ] && grep -q 'Migration failed during final handshake' <<<"$output"
ok $? "the answer is lost: says so"
check "the answer is lost: it is paused here, under another name" \
	state_is goer--migratedaway '^--p---$'
works_on there goer "the answer is lost"
check "the answer is lost: ours is destroyed" xl destroy goer--migratedaway
works_on there goer "ours is destroyed"
rm "$SPLITVISOR_RUN_DIR/dump/goer--migratedaway"

# As it is with ssh: the host is the first argument, and ours is its environment.
instead="env ${receive_here% xl migrate-receive} sh -c '[ \$0 = here ] && exec \"\$@\"'"
# One that is paused while it waits for the store has to run on for that.
goes_paused() {
	local i

	for i in 1 2 3 4 5 6 7 8 9 10; do
		there xl pause goer
		there xl migrate -s "$instead" goer here && return
		echo "not at attempt $i"
		there xl unpause goer
		sleep 1
	done
	return 1
}
check "a paused one goes" goes_paused
check "a paused one stays paused" state_is goer '^--p---$'
check "is unpaused" xl unpause goer
works_on here goer "unpaused"

stays "a receiver that listens to nothing" 'Migration failed, it runs on at sender' -s '' goer \
	"echo 'xl migration receiver ready, send binary domain data.'; head -c 3000000 >/dev/null"

check "each line of its stream came once, in order" whole_stream
output=$(cat "$(console_log goer)"; there cat "$there/log/console/guest-goer.log")
! grep -qaE 'TEST again failed' <<<"$output"
ok $? "each block was what was written"
check "its kernel does not complain, here" no_complaint goer
check "its kernel does not complain, there" there no_complaint goer

# The receiver is killed when it has all and has said so, just before that is heard:
# what xl says is done.
killed="{ sh -c 'echo \$\$ >$work/receiver; exec env $receive'; } |
	{ dd bs=1 count=$((granted - 1)) 2>/dev/null; kill -9 \$(cat $work/receiver); cat; }"
copy=$SPLITVISOR_RUN_DIR/dump/goer--migratedaway
running() {
	{ xl list; there xl list; } | awk '$1 ~ /^goer/ && $5 ~ /^[r-][b-]-/ { n++ } END { print n + 0 }'
}
output=$(xl migrate -s '' goer "$killed" 2>&1)
[ $? = 1 ] && grep -q 'goer--incoming, which does not run, destroy that there' <<<"$output" &&
	grep -qx "  xl destroy goer--migratedaway; xl restore $copy" <<<"$output"
ok $? "the receiver is killed: says what to do"
output=$(xl list; there xl list)
[ "$(running)" = 0 ]
ok $? "the receiver is killed: no copy runs"
check "the receiver is killed: its own is paused there" there state_is goer--incoming '^--p---$'
check "the receiver is killed: that is destroyed" there xl destroy goer--incoming
check "the receiver is killed: nothing of it is there" nothing_there
check "the receiver is killed: ours is destroyed" xl destroy goer--migratedaway
check "the receiver is killed: and restored" xl restore "$copy"
works_on here goer "the receiver is killed"
check "it is destroyed" xl destroy goer
check "is gone" wait_for 30 gone goer
