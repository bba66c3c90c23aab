#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/migrate.sh - domains are saved and migrated, and what is left when that fails:
# the toolstack and the backends, without a guest (for some see lab_migrate.sh). The
# other host is another run directory.
#
# Interfaces and bridges are made in a network namespace of the test's own.
[ -n "${MIGRATE_TEST_NETNS:-}" ] ||
	MIGRATE_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

there=$work/run-there
mkdir "$there"
there() { at "$there" "$@"; }
trap 'finish_at "$there"' EXIT

stand_in
cd "$work" || exit 1
ip link set lo up
ip link add xenbr0 type bridge
echo a kernel >kernel
truncate -s 4M a.img b.img c.img d.img
cat >g.cfg <<-EOF
	name = "g"
	kernel = "kernel"
	memory = 16
	disk = [ 'a.img,raw,xvda,rw', 'b.img,raw,xvdb,rw' ]
	vif = [ 'bridge=xenbr0,vifname=svg' ]
EOF
# Both are on one machine: each has disks and an interface of its own.
sed 's/a.img/c.img/; s/b.img/d.img/; s/=svg/=svt/; $a on_reboot = "destroy"' g.cfg >there.cfg
receive="SPLITVISOR_RUN_DIR=$there XENSTORED_PATH=$there/xenstored.sock xl migrate-receive"

state_is() { xl list "$1" | awk -v want="$2" 'NR == 2 && $5 == want { ok = 1 } END { exit !ok }'; }
# ram NAME - the file of its memory.
ram() {
	local pid

	pid=$(cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/dom/$(xl domid "$1")/hv.pid") &&
		find "/proc/$pid/fd" -lname '/memfd:fake-ram*'
}
remembers() { [ "$(dd if="$(ram "$1")" bs=1M skip=7 count=1 2>/dev/null | head -c 9)" = "remember " ]; }
nothing_there() {
	! find "$there/dom" -mindepth 1 2>/dev/null | grep -q .
}
# is_whole NAME INTERFACE - it runs, with all that it had.
is_whole() {
	state_is "$1" ------ && remembers "$1" && [ "$(xl domid "$1")" = "$id" ] &&
		[ "$(xl block-list "$1" | awk 'NR > 1 { printf "%s ", $1 }')" = "51712 51728 " ] &&
		[ "$(xl network-list "$1" | awk 'NR > 1 { printf "%s ", $1 }')" = "0 " ] &&
		ip -o link show "$2" | grep -q 'master xenbr0'
}

check "a domain" xl create -q g.cfg
id=$(xl domid g)
echo "remember me" | dd of="$(ram g)" bs=1M seek=7 conv=notrunc 2>/dev/null
check "is whole" is_whole g svg

# ---- Files and hosts ----------------------------------------------------------------

check "is saved" xl save g saved
check "is gone" gone g
check "is restored" xl restore saved
check "is whole again" is_whole g svg
output=$(xl restore saved 2>&1)
[ $? = 1 ] && grep -q "name 'g' is taken" <<<"$output"
ok $? "is not restored beside itself"
sed 's/"g"/"h"/' g.cfg >h.cfg
check "is saved" xl save g saved
check "is restored with another configuration" xl restore h.cfg saved
output=$(xenstore-ls -f "/local/domain/$id")
uuid=$(xl vm-list | awk '$3 == "h" { print $1 }')
[ -n "$uuid" ] && grep -qx "/local/domain/$id/name = \"h\"" <<<"$output" &&
	grep -qx "/local/domain/$id/vm = \"/vm/$uuid\"" <<<"$output"
ok $? "its name and UUID are those of that"
check "is destroyed" xl destroy h
check "is restored" xl restore saved
check "is whole as it was" is_whole g svg
check "goes there" xl migrate -C there.cfg -s '' g "$receive"
check "is gone here" gone g
check "is whole there" there is_whole g svt
check "is destroyed there" there xl destroy g
check "is restored here" xl restore saved
check "and whole" is_whole g svg

# Who looked after it notices its end late, when another has its number.
old=$(monitor_of g)
halt "$old"
check "is saved" xl save g saved
check "is restored before its monitor has ended" xl restore saved
kill -CONT "$old"
check "which ends" wait_for 20 no_process "$old"
check "and has left it alone" is_whole g svg

# ---- By one at a time ---------------------------------------------------------------

# It has begun when it is asked whether it is ready, and waits for the answer.
mkfifo gate
xl migrate -s '' g "touch asked; read -r line <gate; exit 1" 2>/dev/null &
pid=$!
check "is on its way" wait_for 10 test -e asked
for verb in "save g other" "migrate -s '' g true"; do
	eval "output=\$(xl $verb 2>&1)"
	[ $? = 1 ] && grep -qx "domain $id: another xl is saving or migrating it .*" <<<"$output"
	ok $? "xl ${verb%% *}: not by another at the same time"
done
echo >gate
wait $pid
[ $? = 1 ] && [ ! -e other ] && [ ! -e other.part ]
ok $? "nothing is left of the others"
check "it is whole still" is_whole g svg
check "and can be saved now" xl save -c g saved

# ---- Nobody knows -------------------------------------------------------------------

granted=$(printf '%s\n%s\0' "xl migration receiver ready, send binary domain data." \
	"domain received, ready to unpause" | wc -c)
# loses LINE - the answer is cut off, and what is said then has that line.
loses() {
	output=$(xl migrate -C there.cfg -s '' g "$receive | dd bs=1 count=$granted 2>/dev/null" 2>&1)
	status=$?
	said=$output
	[ $status = 1 ] && grep -q 'Migration failed during final handshake' <<<"$output" &&
		grep -qxF "  $1" <<<"$output"
	ok $? "the answer is lost: says what to do"
	check "it is paused here, under another name" state_is g--migratedaway --p---
	check "it runs there" there state_is g ------
	check "with the configuration for there" there kept_has on_reboot
	check "it is destroyed there" there xl destroy g
}
dump=$SPLITVISOR_RUN_DIR/dump
copy=$dump/g--migratedaway
kept_has() { grep -q "$1" "$SPLITVISOR_RUN_DIR/dom/$id/xl.cfg"; }

# Where no copy can be made all else is as it would be.
echo >"$dump"
loses 'xl rename g--migratedaway g; xl save g FILE; xl restore FILE'
output=$said
grep -qx "$copy.part: Not a directory" <<<"$output"
ok $? "no place for a copy: says so"
rm "$dump"
check "it is destroyed here" xl destroy g--migratedaway
check "it is restored" xl restore saved

loses "xl destroy g--migratedaway; xl restore $copy"
[ "$(stat -c %a "$copy")" = 600 ]
ok $? "the copy is for its owner alone"
xl destroy g--migratedaway
check "the copy is restored" xl restore "$copy"
check "it is whole by its own name" is_whole g svg
! kept_has on_reboot
ok $? "with its own configuration"
rm "$copy"

# The guest takes no answer, and the store has more to tell it than there is room for: it
# could not be saved again.
loses "xl destroy g--migratedaway; xl restore $copy"
check "it is told of its devices" sv-domctl "$id" watch device
for i in $(seq 50); do
	xenstore-write "/local/domain/$id/device/vbd/51712/state" "$i"
done
check "what was said is done: destroy" xl destroy g--migratedaway
check "what was said is done: restore" xl restore "$copy"
check "it is whole again by its own name" is_whole g svg
check "it is destroyed" xl destroy g
check "nothing is there" nothing_there
