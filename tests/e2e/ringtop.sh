#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/ringtop.sh - sv-ringtop beside the real daemons and domains without
# a vCPU: what it shows is what went through the rings.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

host_without_guests

# part DEVICE RING - one ring of the JSON in $json.
part() { printf '%s\n' "$json" | sed 's/{"device"/\n&/g' | grep -F "{\"device\":\"$1\",\"ring\":\"$2\""; }

# field DEVICE RING NAME - the first value of that name.
field() { part "$1" "$2" | grep -oE "\"$3\":[^,}]*" | head -n 1 | cut -d: -f2; }

# is DEVICE RING NAME VALUE...
is() {
	local device=$1 ring=$2
	shift 2
	while [ $# -gt 0 ]; do
		[ "$(field "$device" "$ring" "$1")" = "$2" ] || {
			echo "$device $ring: $1 is not $2:"
			part "$device" "$ring"
			return 1
		}
		shift 2
	done
}

# times_add_up DEVICE RING - the histogram has each answered request once.
times_add_up() {
	local timed untimed all
	timed=$(field "$1" "$2" timed)
	untimed=$(field "$1" "$2" untimed)
	all=$(part "$1" "$2" | sed 's/.*"histogram"//' |
		grep -o '"count":[0-9]*' | awk -F: '{ n += $2 } END { print n + 0 }')
	if [ "$timed" != "$all" ] ||
		[ $((timed + untimed)) != "$(field "$1" "$2" responses)" ]; then
		echo "$1 $2: $all in the histogram"
		part "$1" "$2"
		return 1
	fi
}

# watch ARG... - in the background, till seen, which takes what it said to $json.
watch() {
	sv-ringtop --json -d 3600 "$@" >"$work/json" 2>"$work/watch.err" &
	procs[watch]=$!
	wait_for 10 looks
}
# Between looks it sleeps (clock_nanosleep is 230), and only there.
looks() { grep -qs '^230 ' "/proc/${procs[watch]}/syscall"; }
switches() { awk '/^voluntary/ { print $2 }' "/proc/${procs[watch]}/status"; }
# looked SWITCHES - it has looked at all rings since it had slept so often.
looked() { [ "$(switches)" -ge $(($1 + 2)) ]; }
seen() {
	local status
	kill -INT "${procs[watch]}"
	wait "${procs[watch]}"
	status=$?
	unset "procs[watch]"
	json=$(cat "$work/json")
	return $status
}

start store sv-xenstored --foreground
start console sv-console
start backend sv-backend --no-console
guest 3 three
guest 4 four
wait_for 10 has_tty 3
wait_for 10 has_tty 4

# ---- the special rings
watch 3
check "console and store are used" tell 3 "print 100"
tell 3 "ask 20"
seen
ok $? "--json ends with status 0"
check "the console's indices are the bytes printed" is console out prod 3200 \
	cons 3200 bytes 2048 in_flight 0 sane true port 2
check "all of them were seen to come" is console out requests 3200 responses 3200
check "and timed" times_add_up console out
check "nothing was typed" is console in prod 0 cons 0 requests 0
check "the store was asked 20 times 21 bytes" is store req prod 420 cons 420 \
	requests 420 port 1
check "and answered 20 times 16 and the name" is store rsp prod 420 cons 420 \
	requests 420 responses 420
check "a disk that is not there is not shown" [ "$(part vbd/51712 queue-0)" = "" ]

# ---- a disk with two rings of two pages each
give_disk 3 disk.img
output=$(sv-ringtop --once -d 0.01 3 vbd)
grep -q '^3 (three) vbd/51712: no rings yet: the backend is ' <<<"$output"
ok $? "a device that is not connected is shown as one"
check "the disk connects" tell 3 "disk 1 2"
tell 3 "read 6"
watch -i 100000 3 vbd/51712
tell 3 "read 1000"
seen
for q in 0 1; do
	check "queue $q's indices" is vbd/51712 queue-$q req_prod 503 rsp_prod 503 \
		slots 64 pages 2 in_flight 0
	check "queue $q's traffic while we looked" is vbd/51712 queue-$q \
		requests 500 responses 500 impossible 0
	check "queue $q's times" times_add_up vbd/51712 queue-$q
	part vbd/51712 queue-$q | grep -qE '"counted":\{"depth":0,"depth_max":[0-9]+,"read":\{"requests":503,"errors":0,'
	ok $? "what the backend has counted in queue $q"
	output=$(part vbd/51712 queue-$q)
	[ "$(field vbd/51712 queue-$q timed)" -ge 1 ]
	ok $? "of which there are some"
done
check "only that device is shown" [ "$(part console out)" = "" ]
port=$(xenstore-read /local/domain/3/device/vbd/51712/queue-1/event-channel)
check "the port is the store's" is vbd/51712 queue-1 port "$port"
# One request at a time: the backend asks before each, the frontend sends.
output=$(part vbd/51712 queue-0)
sent=$(grep -o '"backend":{"asked":[0-9]*,"sent":[0-9]*' <<<"$output" | grep -o '[0-9]*$')
[ "$sent" -ge 1 ] && [ "$sent" -le 1000 ]
ok $? "notifications were seen"

# A backend that is stopped answers late, and that is what is measured.
read -r worker < <(pgrep -P "${procs[backend]}")
waits() { sv-ringtop --once -d 0.01 3 vbd | grep -q 'queue-0: 1 of 64 slots in flight'; }
# late - one late answer; whether it was timed: a look that is late itself times none.
late() {
	local before

	began=${EPOCHREALTIME/./}
	watch -i 100000 3 vbd
	halt "$worker"
	before=$(grep -ac "^done" out.3)
	echo "read 1" >&"${to[3]}"
	wait_for 10 waits
	wait_for 10 looked "$(switches)"
	sleep 0.4
	kill -CONT "$worker"
	wait_for 10 obeyed 3 "$before"
	seen
	took=$((${EPOCHREALTIME/./} - began))
	reads=$((reads + 1))
	is vbd/51712 queue-0 requests 1 responses 1 || miscounted=1
	[ "$(field vbd/51712 queue-0 timed)" = 1 ]
}
reads=503 miscounted=0
wait_for 60 late && [ $miscounted = 0 ]
ok $? "a late answer"
us=$(field vbd/51712 queue-0 max_us)
output=$(part vbd/51712 queue-0)
[ "${us%.*}" -ge 250000 ] && [ "${us%.*}" -le "$took" ]
ok $? "is a long time (${us} us)"

# ---- text, all domains, and what is wrong
output=$(sv-ringtop --once -d 0.05 3)
grep -q '^3 (three) vbd/51712 queue-0: 0 of 64 slots in flight' <<<"$output" &&
	grep -q "  req_prod $reads req_event [0-9]* rsp_prod $reads" <<<"$output"
ok $? "--once prints text"
output=$(sv-ringtop -n 3 -d 0.05 3 store | grep -c '^3 (three) store')
[ "$output" = 6 ]
ok $? "-n 3 reports three times"
output=$(sv-ringtop --json -n 2 -d 0.05 3 store | grep -c '^{.*}$')
[ "$output" = 2 ]
ok $? "as JSON, an object a line"
sv-ringtop --json -d 0.5 -n 0 3 console >"$work/json" 2>"$work/watch.err" &
procs[watch]=$!
wait_for 10 looks
tell 3 "print 10"
reports() { [ "$(grep -c '^{.*}$' "$work/json")" -ge 2 ]; }
wait_for 10 reports
seen
[ "$(grep -o '"ring":"out",.*' <<<"$json" | grep -oE '"requests":[0-9]+' |
	awk -F: '{ n += $2 } END { print n }')" = 320 ]
ok $? "what is in one report is not in the next"
json=$(tail -n 1 <<<"$json")
check "the indices are" is console out prod 3520 cons 3520
named 3 three
named 4 four
output=$(sv-ringtop --once -d 0.05)
grep -q '^3 (three) store req' <<<"$output" && grep -q '^4 (four) store req' <<<"$output"
ok $? "all domains"
output=$(sv-ringtop --once -d 0.05 four)
! grep -q three <<<"$output" && grep -q '^4 (four) console in' <<<"$output"
ok $? "a domain by its name"
output=$(sv-ringtop --once 3 vbd/9 2>&1)
[ $? = 1 ] && grep -q "domain 3: no device 'vbd/9' (.*sv-ringtop --once 3" <<<"$output"
ok $? "a device that is not there is named"
output=$(sv-ringtop --once 99 2>&1)
[ $? = 1 ] && grep -q "domain 99: it is not there (.*xl list" <<<"$output"
ok $? "so is a domain"
output=$(sv-ringtop --once five 2>&1)
[ $? = 1 ] && grep -q "domain 'five': there is none (.*xl list" <<<"$output"
ok $? "by its name as well"
output=$(sv-ringtop -d 0 3 2>&1)
[ $? = 2 ] && grep -q "^-d '0': must be a number of seconds from 0.01" <<<"$output"
ok $? "so is a bad number"
output=$(XENSTORED_PATH=$work/none sv-ringtop --once 3 2>&1)
[ $? = 1 ] && grep -q "store '$work/none'" <<<"$output"
ok $? "so is a store that does not answer"
output=$(sv-ringtop --once -d 0.01 3 2>&1 >/dev/full)
[ $? = 1 ] && grep -q "standard output: No space" <<<"$output"
ok $? "so is an output that takes nothing"

# ---- a terminal
output=$(TERM=vt100 script -qec "stty rows 40 cols 100; sv-ringtop -n 2 -d 0.3 3" /dev/null </dev/null)
grep -qa 'DEVICE' <<<"$output" && grep -qa 'vbd/51712' <<<"$output" &&
	grep -qa 'req_prod\|prod ' <<<"$output"
ok $? "on a terminal it draws"
output=$(echo q | TERM=vt100 timeout 60 script -qec "stty rows 40 cols 100; sv-ringtop -d 0.2 3" /dev/null)
ok $? "q leaves"
output=$(TERM=none script -qec "sv-ringtop 3" /dev/null </dev/null)
[ $? = 1 ] && grep -qa "terminal 'none': not known" <<<"$output"
ok $? "a terminal that is not known is named"

# ---- the end of a domain
timeout 60 sv-ringtop -d 0.1 4 >/dev/null 2>gone.err &
procs[watch]=$!
sleep 0.3
end 4
wait "${procs[watch]}"
status=$?
unset "procs[watch]"
output=$(cat gone.err)
[ $status = 1 ] && grep -q '^domain 4: it is not there' gone.err
ok $? "a domain that ends is named"
check "the other one goes on" tell 3 "read 10"

end 3
stop backend TERM
stop console TERM
stop store TERM
echo "1..$tests_done"
