#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_user.sh - a Linux guest's card of net=user: passt in place of an
# interface, both ways.  IPv6 has tests/unit.  And xl run, with such a card, too.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

mib=4
bb=/bin/busybox
# What passt goes by: an uplink with addresses and default routes, nobody behind it.
ip link add svup0 type bridge
ip addr add 10.99.0.2/24 dev svup0
ip addr add fd99::2/64 dev svup0 nodad
ip link set svup0 up
ip -6 route add default via fe80::1 dev svup0
ip route add default via 10.99.0.1
links() { ip -o link show | wc -l; }
before=$(links)

mkdir "$work/www"
awk -v n="$((mib * 1024))" 'BEGIN {
	for (i = 0; i < n; i++)
		printf "%01023d\n", i * 7 + 1
}' >"$work/www/stream"

fetch() { # FILE URL
	wait_for 200 $bb wget -q -O "$work/$1" "$2"
}
# What tests/guest-linux/transfer wants of its host.
serve() {
	fetch received http://127.0.0.1:7001/stream &&
		fetch fetched http://127.0.0.1:7001/fetched
	links >"$work/links"
	touch "$work/www/finished"
}

guest=$(config user 6.12-cloud 6.12-cloud-none \
	"net:dhcp,run:/transfer:10.99.0.1:$mib" "memory = 512" "vcpus = 2" \
	"vif = ['net=user:host+tcp:7001,mac=00:16:3e:00:00:0d']")
$bb httpd -f -p 127.0.0.1:7002 -h "$work/www" &
server=$!
serve &
check "a guest behind passt boots and transfers" boot "$guest" user 240
output=$(facts user)
check "it was given the host's address and gateway" \
	console_has user 'DHCP ip=10.99.0.2/24 router=10.99.0.1'
check "it receives what the host serves on its loopback alone" \
	console_has user 'DONE passed=2 failed=0'
kill $server
wait $server
check "the host receives what it sent" cmp "$work/received" "$work/www/stream"
[ "$(cat "$work/links")" = "$before" ]
ok $? "it had no interface of the host's"
no_passt() { ! our_processes | xargs -I{} cat /proc/{}/comm | grep -x sv-usernet &&
	! pgrep passt; }
check "nothing of it is left" wait_for 20 no_passt

# ---- xl run ------------------------------------------------------------------------

export TMPDIR=$work/tmp
root=$work/root disk=$work/root.ext4
mkdir -p "$TMPDIR" "$root/bin"
for applet in busybox sh cat md5sum printf tail ip sleep; do
	ln -f "$root/bin/busybox" "$root/bin/$applet" 2>/dev/null ||
		cp $bb "$root/bin/$applet"
done
truncate -s 16M "$disk"
mke2fs -q -F -t ext4 -d "$root" "$disk"
# Each byte; a console may take some of them for its own.
for i in {0..255}; do
	printf '%b' "\\$(printf '0%o' "$i")"
done >"$work/bytes"
for i in {1..40}; do cat "$work/bytes"; done >"$work/in"

# runs STATUS ARG...
runs() {
	local want=$1 status=0

	shift
	xl run -m 256 --kernel "$(kernel_of 6.12-cloud)" "$@" \
		<"$work/in" >"$work/out" 2>"$work/err" || status=$?
	output="status $status"$'\n'$(tail -n 40 "$work/out" "$work/err")
	[ "$status" = "$want" ]
}
# shellcheck disable=SC2016 # the guest's shell expands
runs 7 "$root" -- /bin/sh -c 'cat >/seen; echo err >&2; md5sum </seen
	printf "%s|" "$@"; exit 7' sh 'a  b' '' "'\"\$x\`" $'new\nline' 'ä€' &&
	[ "$(cat "$work/out")" = "$(md5sum <"$work/in")"$'\n'"a  b||'\"\$x\`|"$'new\nline|ä€|' ] &&
	[ "$(cat "$work/err")" = err ]
ok $? "xl run, a directory: input, output, errors, arguments and status"
[ ! -e "$root/seen" ]
ok $? "xl run, a directory: is not written to"
# shellcheck disable=SC2016
runs 0 --rw "$disk" -- sh -c 'tail /dev/zero; echo $?; echo kept >/kept' &&
	[ "$(cat "$work/out")" = 137 ]
ok $? "xl run, a disk: what takes all memory is killed, the guest goes on"
# shellcheck disable=SC2016
runs 125 --net=user "$disk" -- sh -c 'cat /kept; echo lost >/kept; ip -4 -o addr show eth0
	echo c >/proc/sysrq-trigger; sleep 600' \
	&& grep -qx kept "$work/out" && grep -q 'inet 10.99.0.2/24' "$work/out"
ok $? "xl run, a disk: what was written to it is there; a card has an address"
grep -q 'sysrq triggered crash' "$work/err" &&
	tail -n 1 "$work/err" | grep -q "it has shut down (crash) before the command had ended"
ok $? "xl run: a kernel that crashes has the last word but one"
[ "$(debugfs -R 'cat /kept' "$disk" 2>/dev/null)" = kept ]
ok $? "xl run, a disk: is not written to without --rw"
nothing_left() {
	local left

	left=$(find "$SPLITVISOR_RUN_DIR/dom" "$TMPDIR" -mindepth 1
		find "$logs" -name '*run-*')
	echo "$left"
	[ -z "$left" ] && only_daemons
}
check "xl run: nothing is left" wait_for 20 nothing_left
