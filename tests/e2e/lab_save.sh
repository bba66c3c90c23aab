#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_save.sh - guests that do not help are saved, and go on from a file.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

file=$work/saved

counted() {
	tr -d '\r' <"$(console_log "$1")" |
		sed -n 's/^SPLITVISOR-COUNT \([0-9]*\) .*/\1/p' | tail -n 1
}
beyond() { [ "$(counted "$1")" -gt "$2" ]; }

# The guest's own clock, as it last told, beside ours.
clock_is_right() {
	local t now

	t=$(sed -n 's/.*SPLITVISOR-COUNT .* date=\([0-9]*\).*/\1/p' \
		"$(console_log "$1")" | tail -n 1)
	now=$(date +%s)
	echo "the guest says $t, it is $now"
	[ $((now - t)) -ge -2 ] && [ $((now - t)) -le $((5 * ${patience:-1})) ]
}

state_is() { xl list "$1" | awk -v want="$2" 'NR == 2 && $5 == want { ok = 1 } END { exit !ok }'; }

# Each number once, in order: what was on its way was neither lost nor said twice.
no_number_twice() {
	tr -d '\r' <"$(console_log "$1")" |
		sed -n 's/^SPLITVISOR-COUNT \([0-9]*\) .*/\1/p' >"$work/numbers"
	diff "$work/numbers" <(seq "$(wc -l <"$work/numbers")")
}

no_complaint() {
	! grep -aE 'BUG|WARNING|Call Trace|rcu:|soft lockup|Clocksource|failed' \
		"$(console_log "$1")"
}

# saves LABEL KERNEL VCPUS
saves() {
	local id i n

	check "$1: is created" xl create -q "$(config "$1" "$2" "$2-none" count:1000 \
		"memory = 192" "vcpus = $3")"
	check "$1: counts" wait_for 90 beyond "$1" 3
	id=$(xl domid "$1")
	for i in 1 2 3; do
		check "$1: is saved, $i" xl save "$1" "$file"
		check "$1: is gone, $i" gone "$1"
		n=$(counted "$1")
		check "$1: is restored, $i" xl restore "$file"
		check "$1: has its domid, $i" test "$(xl domid "$1")" = "$id"
		check "$1: counts on, $i" wait_for 60 beyond "$1" $((n + 3))
		check "$1: its clock is right, $i" clock_is_right "$1"
	done
	# Left running, and packed.
	check "$1: is saved, and runs on" xl save -c "$1" "$work/plain"
	check "$1: is saved packed, and runs on" xl save -c --compress "$1" "$file"
	output=$(stat -c '%n %s' "$work/plain" "$file")
	[ "$(stat -c %s "$file")" -lt $(($(stat -c %s "$work/plain") * 2 / 3)) ]
	ok $? "$1: packed it is smaller"
	rm "$work/plain"
	n=$(counted "$1")
	check "$1: counts on in its place" wait_for 60 beyond "$1" $((n + 3))
	output=$(xl restore "$file" 2>&1)
	[ $? = 1 ] && grep -q "name '$1' is taken" <<<"$output"
	ok $? "$1: is not restored beside itself"
	check "$1: is saved packed, and stays paused" xl save -p --compress "$1" "$file"
	check "$1: is listed as paused" state_is "$1" --p---
	check "$1: is destroyed" xl destroy "$1"
	n=$(counted "$1")
	check "$1: is restored, paused" xl restore -p "$file"
	check "$1: is listed as paused once more" state_is "$1" --p---
	check "$1: is unpaused" xl unpause "$1"
	check "$1: counts on from there" wait_for 60 beyond "$1" $((n + 3))
	check "$1: no number is lost, none said twice" no_number_twice "$1"
	check "$1: its kernel does not complain" no_complaint "$1"
}

saves save-6.12 6.12-cloud 2

# A disk at work: every block that is written is read back and compared.
further() { [ "$(grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")")" -gt "$2" ]; }
truncate -s 16M "$work/disk.img"
truncate -s 16M "$work/second.img"
# works LABEL KERNEL VCPUS
works() {
	local i n

	check "$1: is created" xl create -q "$(config "$1" "$2" "$2-none" \
		again:1000:1 "memory = 192" "vcpus = $3" "disk = [\
		'$work/disk.img,raw,xvda,w', '$work/second.img,raw,xvdb,w']")"
	check "$1: its disk works" wait_for 90 further "$1" 0
	for i in 1 2 3 4 5; do
		check "$1: is saved, $i" xl save "$1" "$file"
		n=$(grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")")
		check "$1: is restored, $i" xl restore "$file"
		check "$1: its disk works on, $i" wait_for 60 further "$1" $((n + 1))
	done
	check "$1: is saved, and runs on" xl save -c "$1" "$work/again"
	n=$(grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")")
	check "$1: its disk works on" wait_for 60 further "$1" $((n + 1))
	output=$(tail -n 20 "$(console_log "$1")")
	! grep -qaE 'TEST again failed' "$(console_log "$1")"
	ok $? "$1: each block was what was written"
	check "$1: its kernel does not complain" no_complaint "$1"
	output=$(xl block-list "$1")
	[ "$(awk 'NR > 1 && $4 == 4' <<<"$output" | wc -l)" = 2 ]
	ok $? "$1: both disks are connected"
	check "$1: shuts down when asked" xl shutdown -w "$1"
	check "$1: is gone" wait_for 30 gone "$1"
}
works disk-6.12 6.12-cloud 2
works disk-6.1 6.1-cloud 1

# A card and a disk: a connection stays, and no packet comes twice.
hear_stream 10.97.0.1
ping -q -i 0.2 10.97.0.2 >"$work/pings" 2>&1 &
pings=$!
check "card: is created" xl create -q "$(config card 6.12-cloud 6.12-cloud-none \
	net:10.97.0.2/24:10.97.0.1,stream:10.97.0.1:7003,again:1000:1 \
	"memory = 192" "vcpus = 2" "disk = ['$work/disk.img,raw,xvda,w']" \
	"vif = ['bridge=xenbr0']")"
check "card: its disk works" wait_for 90 further card 0
stream_flows "card: before"
for i in 1 2; do
	check "card: is saved, $i" xl save card "$file"
	n=$(grep -ac 'SPLITVISOR-ROUND' "$(console_log card)")
	check "card: is restored, $i" xl restore "$file"
	check "card: its disk works on, $i" wait_for 60 further card $((n + 1))
	stream_flows "card: restored, $i"
done
check "card: is saved, and runs on" xl save -c card "$work/again"
stream_flows "card: in its place"
output=$(tail -n 3 "$work/stream")
check "card: each line of its stream came once, in order" whole_stream
kill -INT $pings
wait $pings
output=$(cat "$work/pings")
grep -qE '[1-9][0-9]* received' <<<"$output" && ! grep -qE 'duplicates|corrupted' <<<"$output"
ok $? "card: no packet came twice"
check "card: is destroyed" xl destroy card

# Files that are not what they should be, and nothing of them.
check "saved once more, for the files" xl save -c save-6.12 "$file"
check "hears of its store's nodes still: shuts down when asked" \
	xl shutdown -w save-6.12
check "is gone" wait_for 30 gone save-6.12
size=$(stat -c %s "$file")
refused() { # FILE WORDS
	local status

	xl restore "$1" >"$work/said" 2>&1
	status=$?
	cat "$work/said"
	[ $status != 0 ] && grep -qE "$2" "$work/said" && gone save-6.12
}
for cut in 10 1000 $((size / 2)) $((size - 1)); do
	head -c "$cut" "$file" >"$work/bad"
	check "cut after $cut bytes: refused" refused "$work/bad" 'cut short'
done
for at in 30 $((size / 2)) $((size - 5)); do
	cp "$file" "$work/bad"
	printf '\xa5\x5a\xa5' |
		dd of="$work/bad" bs=1 seek="$at" conv=notrunc 2>/dev/null
	check "changed at byte $at: refused" refused "$work/bad" \
		'damaged|cut short'
done
check "not a saved domain: refused" refused /etc/passwd 'not a saved domain'
output=$(find "$SPLITVISOR_RUN_DIR/dom" -mindepth 1; xenstore-ls /local/domain)
! find "$SPLITVISOR_RUN_DIR/dom" -mindepth 1 | grep -q .
ok $? "nothing of them is left"
check "the good one is restored" xl restore "$file"
n=$(counted save-6.12)
check "and counts" wait_for 60 beyond save-6.12 "$n"
check "and is destroyed" xl destroy save-6.12
