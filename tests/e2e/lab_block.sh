#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_block.sh - the disks of unmodified Debian guests, thoroughly.
#
# An image file and a block device; the checks are tests/guest-linux/block.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# enlarge NAME - when the guest waits for it; loop devices look again, too.
enlarge() {
	wait_for 240 facts_have "$1" 'waits for a larger disk' || return
	truncate -s +16M "$work/file.img"
	[ -z "${loop:-}" ] || losetup -c "$loop"
}

facts_have() { facts "$1" | grep -q "$2"; }

# guest NAME KERNEL VCPUS DISK [SECONDS] - boot, then report each check of the guest.
guest() {
	local name=$1 line

	enlarge "$name" &
	output=$(boot "$(config "$name" "$2" "$2-none" "run:/block${5:+:$5}" \
		"memory = 256" "vcpus = $3" "disk = ['$4,raw,xvda,w']")" \
		"$name" $((240 + ${5:-0})) 2>&1)
	ok $? "$name: boots and runs its checks"
	output=$(facts "$name"; tail -n 20 "$logs/sv-backend.log")
	while read -r line; do
		line=${line#SPLITVISOR-BLKCHECK }
		[[ $line == *" ok" ]]
		ok $? "$name: ${line% *}"
	done < <(facts "$name" | grep 'BLKCHECK .* \(ok\|failed\)$')
	facts "$name" | grep -q 'BLKCHECK all done'
	ok $? "$name: ran to the end"
	check "$name: is gone after it powered off" wait_for 30 gone "$name"
}

truncate -s 64M "$work/file.img"
guest file-6.12 6.12-cloud 2 "$work/file.img"
guest file-6.1 6.1-cloud 1 "$work/file.img"
loop=$(losetup -f --show "$work/file.img")
guest device-6.12 6.12-cloud 2 "$loop"
losetup -d "$loop"

# Another disk comes and goes, and is taken by force while it is read.
hot="hot-6.12"
truncate -s 64M "$work/hot.img"
at_work() { facts "$hot" | grep -q "BLKCHECK $1 is at work"; }
ended() { facts "$hot" | grep -q "BLKCHECK turn $1 ok"; }
come() { # TURN
	check "$hot: a disk is attached, turn $1" \
		xl block-attach "$hot" "$work/hot.img,raw,xvdb,w"
	check "$hot: it works" wait_for 120 at_work "$1"
}
check "$hot: is created" xl create -q "$(config "$hot" 6.12-cloud \
	6.12-cloud-none run:/block:hot,idle "memory = 256" "vcpus = 2" \
	"disk = ['$work/file.img,raw,xvda,w']")"
for turn in 1 2; do
	come $turn
	check "$hot: it is detached" wait_for 60 xl block-detach "$hot" xvdb
	check "$hot: the guest has seen it go" wait_for 120 ended $turn
done
come 3
check "$hot: it is taken by force" xl block-detach --force "$hot" xvdb
[ "$(xl block-list "$hot" | wc -l)" = 2 ]
ok $? "$hot: it is no longer listed"
check "$hot: another domain can have its image" \
	xl create -q "$(config heir 6.12-cloud 6.12-cloud-none idle \
		"memory = 256" "disk = ['$work/hot.img,raw,xvda,w']")"
check "$hot: is destroyed" xl destroy "$hot"
check "$hot: so is the other" xl destroy heir

# Workers are killed all the time, and at times their parent: the guest, which has
# an unmodified frontend, sees nothing of it.
killer() {
	local n=0

	until [ -e "$work/enough" ]; do
		sleep "$((RANDOM % 2)).$((RANDOM % 8 + 1))"
		shoot sv-blkback KILL && echo worker
		n=$((n + 1))
		[ $((n % 10)) = 0 ] || continue
		shoot sv-backend KILL && echo parent
		sv-backend >>"$logs/sv-backend.log" 2>&1 &
	done
}
killer >"$work/killed" 2>/dev/null &
guest killed-6.12 6.12-cloud 2 "$work/file.img" 60
touch "$work/enough"
wait
echo "# killed: $(grep -c worker "$work/killed") workers," \
	"$(grep -c parent "$work/killed") parents;" \
	"$(facts killed-6.12 | grep BLKTURNS)"
[ "$(grep -c worker "$work/killed")" -ge 20 ] && grep -q parent "$work/killed"
ok $? "workers and parents were killed"
console_has killed-6.12 SPLITVISOR-DONE &&
	! console_has killed-6.12 'I/O error|blkfront.*error'
ok $? "killed-6.12: its kernel tells of no error"
! grep -E 'refused|broken|cannot|fail' "$logs/sv-backend.log"
ok $? "workers had nothing to complain of"
