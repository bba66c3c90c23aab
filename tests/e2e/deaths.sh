#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/deaths.sh - block workers and their parent are killed all the time,
# under verified I/O: the guest must not notice.
#
# A process domain reads and writes, each byte checked (tests/guest/block), through
# all ways to connect.  SV_DEATHS_SECONDS is how long; 20 if it is not set.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
seconds=${SV_DEATHS_SECONDS:-20}
ways=9
truncate -s 16M "$work/disk"
cat >"$work/deaths.cfg" <<-END
	name = 'deaths'
	type = 'pvh'
	kernel = '$project/build/gcc-plain/procdom/block'
	memory = 64
	cmdline = 'ops=500 ms=$((seconds * 1000 / ways))'
	disk = ['$work/disk,raw,xvda,w']
END
check "the domain is created" xl create -q "$work/deaths.cfg"
check "it is at work" wait_for 20 console_has deaths 'block plain: connects ok'

# Workers by KILL and HUP, and parents.
declare -A shot=([KILL]=0 [HUP]=0 [parent]=0)
deadline=$((SECONDS + seconds * 2 + 300))
n=0
until over deaths || [ $SECONDS -ge $deadline ]; do
	sleep "0.$(printf %03d $((50 + RANDOM % 450)))"
	n=$((n + 1))
	if [ $((n % 8)) = 0 ]; then
		shoot sv-backend KILL && shot[parent]=$((shot[parent] + 1))
		# At times a worker dies while nobody is there to see it.
		[ $((n % 16)) = 0 ] && shoot sv-blkback KILL
		sv-backend >>"$work/parents.log" 2>&1 &
	elif [ $((n % 8)) = 4 ]; then
		shoot sv-backend HUP && shot[HUP]=$((shot[HUP] + 1))
	else
		shoot sv-blkback KILL && shot[KILL]=$((shot[KILL] + 1))
	fi
done
output=$(grep -ahE 'failed|error|FAILURE' "$(console_log deaths)"
	tail -n 20 "$work/parents.log" "$logs/sv-backend.log" 2>/dev/null)
console_has deaths '^SUCCESS'
ok $? "it has noticed nothing"
echo "# killed: ${shot[KILL]} workers, ${shot[parent]} parents;" \
	"replaced on purpose: ${shot[HUP]} times"
[ "${shot[KILL]}" -ge $((seconds / 2)) ] && [ "${shot[parent]}" -ge 1 ] &&
	[ "${shot[HUP]}" -ge 1 ]
ok $? "they were killed often enough"
! console_has deaths 'failed'
ok $? "nothing has failed on the way"
check "the domain goes" wait_for 10 gone deaths
