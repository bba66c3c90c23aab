#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/top.sh - xl top: lines that programs cut up as xentop's, and the screen.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

host_without_guests
start store sv-xenstored --foreground
start backend sv-backend --no-console
guest 3 three
guest 4 four
check "a domain" wait_for 10 named 3 three-with-a-name
check "another one" wait_for 10 named 4 four
give_disk 3 disk.img
check "a disk connects" tell 3 "disk 0 1"
check "and is read" tell 3 "read 100"

# ---- In lines ---------------------------------------------------------------------

head='      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID'
output=$(xl top -b -i 1)
[ "$(head -n 1 <<<"$output")" = "$head" ] && [ "$(wc -l <<<"$output")" = 4 ]
ok $? "-b: the head, and a line for each domain and this host"
grep -qE '^  Domain-0 -----r +[0-9]+ +0\.0 +[0-9]+ +100\.0   no limit       n/a +[0-9]+    0        0        0    0        0        0        0          0          0    0$' <<<"$output"
ok $? "this host is Domain-0"
grep -qE '^three-with ----p-          0    0\.0       1024    0\.0       1024       0\.0     1    0        0        0    1        0      100        0        100          0    0$' <<<"$output"
ok $? "a guest, its name cut, and what its disk has done"
[ "$(awk '{ print NF }' <<<"${output/no limit/nolimit}" | sort -u)" = 19 ]
ok $? "nineteen words in each"
output=$(xl top -b -i 1 -f)
grep -q '^three-with-a-name ' <<<"$output"
ok $? "-f: the whole name"
output=$(xl top -b -i 2 -d 0.1)
[ "$(grep -cxF "$head" <<<"$output")" = 2 ] && [ "$(wc -l <<<"$output")" = 8 ]
ok $? "-i: that many looks"
output=$(xl top -b -i 1 -r)
[ "$(grep -cxF "$head" <<<"$output")" = 3 ]
ok $? "-r: the head above each"
output=$(xl top -b -i 1 -nvx)
grep -qE '^VBD BlkBack 51712 \[ca: 0\]  OO: +0   RD: +100   WR: +0  RSECT: +100  WSECT: +0$' <<<"$output" &&
	! grep -q '^Net' <<<"$output"
ok $? "-x: a line for its disk; it has no card"
output=$(xl top -b -i 1 -s name | awk '{ print $1 }' | paste -sd' ')
[ "$output" = "NAME Domain-0 four three-with" ]
ok $? "-s: sorted by a column of words"
output=$(xl top -b -i 1 -s vbd_rd | awk '{ print $1 }' | paste -sd' ')
[ "$output" = "NAME three-with Domain-0 four" ]
ok $? "-s: by one of numbers, the largest first"
output=$(xl top -b -i 1 -z -s vbd_rd | awk '{ print $1 }' | paste -sd' ')
[ "$output" = "NAME Domain-0 three-with four" ]
ok $? "-z: but this host before all"
output=$(xl top --json -i 1 -s vbd_rd)
[ "$(wc -l <<<"$output")" = 1 ] && jq -e 'map(.name) == ["three-with-a-name", "Domain-0", "four"] and
	(.[0] | .domid == 3 and .state == "----p-" and .mem_kib == 1024 and .vbds == 1 and
		.vbd_rd == 100 and .vbd_rsect == 100 and .cpu_percent == 0 and length == 20) and
	(.[1] | .maxmem_kib == null and .maxmem_percent == null and .mem_kib > 1000)' \
	<<<"$output" >/dev/null
ok $? "--json: an array, sorted, with the figures"
output=$(xl top --json -i 3 -d 0.1)
[ "$(jq -s 'length == 3 and all(length == 3)' <<<"$output")" = true ] &&
	[ "$(wc -l <<<"$output")" = 3 ]
ok $? "--json: one for each look"
exec {json}< <(exec xl top --json -d 3600)
procs[json]=$!
read -r -t 60 output <&"$json"
[ "$(jq length <<<"$output")" = 3 ]
ok $? "--json: each when it is made"
stop json TERM
exec {json}<&-
xl top --json -i 2 -d 0.1 >/dev/full 2>/dev/null
[ $? = 1 ]
ok $? "--json: what cannot be written is no success"
output=$(xl top -i 1 | head -n 1)
[ "$output" = "$head" ]
ok $? "lines also where there is no terminal"
for bad in '-d 0' '-d nan' '-i 0' '-i x' '-s x' '-q' 'x'; do
	# shellcheck disable=SC2086 # words
	output=$(xl top $bad 2>&1)
	[ $? = 2 ]
	ok $? "'$bad' is refused"
done
halt "${procs[guest4]}"
output=$(xl top -b -i 1)
grep -qE '^      four ------ +0 ' <<<"$output" && grep -q '^three-with' <<<"$output"
ok $? "a VMM that hangs is shown without figures, and holds up nobody"
kill -CONT "${procs[guest4]}"

# ---- On a terminal ----------------------------------------------------------------

# screen KEYS ARG... - what xl top shows in two looks; a key is typed when it is seen.
screen() {
	local keys=$1

	shift
	mkfifo keys
	: >shown
	exec {k}<>keys
	TERM=vt100 timeout 60 script -qec "stty rows 20 cols 180; xl top $*" /dev/null \
		<keys >shown 2>&1 &
	procs[screen]=$!
	wait_for 20 grep -qa 'four' shown
	printf '%s' "$keys" >&"$k"
	wait "${procs[screen]}"
	local status=$?
	unset "procs[screen]"
	exec {k}>&-
	rm keys
	output=$(tr -d '\r\017' <shown)
	return $status
}
screen q -d 100
ok $? "q leaves"
grep -qa 'VBD_WSECT SSID PAST' <<<"$output" &&
	grep -qaE '^.*3 domains: [0-9] running' <<<"$output" &&
	grep -qaE 'Mem: +[0-9]+k total, [0-9]+k used' <<<"$output"
ok $? "a summary, and the columns' names"
screen sq -d 100 -s name
grep -qa 'sorted by NAME' <<<"$output" && [ "$(grep -ao STATE <<<"$output" | wc -l)" = 2 ]
ok $? "s sorts by the next column"
screen bq -d 100
grep -qa 'VBD BlkBack 51712' <<<"$output"
ok $? "b shows disks"
output=$(TERM=none script -qec "xl top" /dev/null </dev/null)
[ $? = 1 ] && grep -qa "terminal 'none': not known" <<<"$output"
ok $? "a terminal that is not known is named"
end 3
end 4
echo "1..$tests_done"
