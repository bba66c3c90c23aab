#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/card_deaths.sh - a card's worker and its parent are killed all the time,
# under a stream of frames: some are lost, none comes twice or spoilt.
#
# A process domain sends numbered frames to an echo and judges what comes back
# (tests/guest/netstream).  SV_DEATHS_SECONDS is how long; 20 if it is not set.
[ -n "${CARD_TEST_NETNS:-}" ] ||
	CARD_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
seconds=${SV_DEATHS_SECONDS:-20}
echo_bridge
cat >"$work/stream.cfg" <<-END
	name = 'stream'
	type = 'pvh'
	kernel = '$project/build/gcc-plain/procdom/netstream'
	memory = 64
	cmdline = 'queues=2 ms=$((seconds * 1000))'
	vif = ['bridge=svecho0,mac=00:16:3e:00:00:0c,vifname=svcard']
END
check "the domain is created" xl create -q "$work/stream.cfg"
check "it is at work" wait_for 20 console_has stream 'netstream: connected'
# Nothing if there is none.
index() { ip -o link show svcard 2>/dev/null | cut -d: -f1; }
has_link() { [ -n "$(index)" ]; }
has_no_link() { [ -z "$(index)" ]; }
has_worker_but() { # PID
	local pid

	over stream || { pid=$(pid_of sv-netback) && [ "$pid" != "$1" ]; }
}
before=$(index)
# looked_at - $now is its index; what has come to its end has none any more, and may
# say so a moment later.
looked_at() {
	now=$(index)
	[ -n "$now" ] || over stream
}

# Workers by KILL and HUP, parents, and both.
declare -A shot=([KILL]=0 [HUP]=0 [parent]=0 [both]=0)
moved=0
last=
deadline=$((SECONDS + seconds * 2 + 300))
n=0
until over stream || [ $SECONDS -ge $deadline ]; do
	sleep "0.$(printf %03d $((50 + RANDOM % 450)))"
	n=$((n + 1))
	if [ $((n % 8)) = 0 ]; then
		# One that has just been shot: with both, the interface would go.
		wait_for 10 has_worker_but "$last"
		old=$(pid_of sv-netback)
		shoot sv-backend KILL && shot[parent]=$((shot[parent] + 1))
		# At times a worker dies while nobody is there to see it.
		[ $((n % 16)) = 0 ] && shoot sv-netback KILL &&
			shot[both]=$((shot[both] + 1))
		sv-backend >>"$work/parents.log" 2>&1 &
		# Till it holds the interface, too, one more death ends that.
		wait_for 10 has_worker_but "$old"
		wait_for 10 looked_at || moved=$((moved + 1))
		[ $((n % 16)) = 0 ] && before=$now
		[ -z "$now" ] || [ "$now" = "$before" ] || moved=$((moved + 1))
	elif [ $((n % 8)) = 4 ]; then
		shoot sv-backend HUP && shot[HUP]=$((shot[HUP] + 1))
	else
		last=$(pid_of sv-netback)
		shoot sv-netback KILL && shot[KILL]=$((shot[KILL] + 1))
	fi
done
output=$(grep -ahE 'netstream|error|FAILURE' "$(console_log stream)"
	tail -n 20 "$work/parents.log" "$logs/sv-backend.log" 2>/dev/null)
console_has stream '^SUCCESS'
ok $? "frames are lost at most"
[ $moved = 0 ]
ok $? "the interface outlives workers and parents"
echo "# $(grep -a '^netstream sent' "$(console_log stream)")"
echo "# killed: ${shot[KILL]} workers, ${shot[parent]} parents," \
	"${shot[both]} times both; replaced on purpose: ${shot[HUP]} times"
[ "${shot[KILL]}" -ge $((seconds / 2)) ] && [ "${shot[parent]}" -ge 1 ] &&
	[ "${shot[HUP]}" -ge 1 ]
ok $? "they were killed often enough"
check "the domain goes" wait_for 10 gone stream
check "so does its interface" wait_for 10 has_no_link
kill "$echo"
