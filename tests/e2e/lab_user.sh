#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_user.sh - a Linux guest's card of net=user: passt in place of an
# interface, both ways.  IPv6 has tests/unit.
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
