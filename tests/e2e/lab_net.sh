#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_net.sh - a Linux guest's network card under load, and behind NAT.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

mib=24
bb=/bin/busybox
ip link add svnet0 type bridge
ip addr add 10.96.0.1/24 dev svnet0
ip link set svnet0 up

mkdir "$work/www"
awk -v n="$((mib * 1024))" 'BEGIN {
	for (i = 0; i < n; i++)
		printf "%01023d\n", i * 7 + 1
}' >"$work/www/stream"

counter() { cat "/sys/class/net/svguest/statistics/$1"; }

# What tests/guest-linux/transfer wants of its host; then, with both directions
# done, the card's counters.
serve() {
	wait_for 200 $bb wget -q -O "$work/received" http://10.96.0.2:7001/stream
	wait_for 200 $bb wget -q -O "$work/fetched" http://10.96.0.2:7001/fetched
	echo "$(counter rx_packets) $(counter rx_bytes)" \
		"$(counter tx_packets) $(counter tx_bytes)" >"$work/counters"
	touch "$work/www/finished"
}

# average NUMERATOR DENOMINATOR AT_LEAST - more than the MTU a packet, with the
# acknowledgements: most are longer.
average() {
	local n

	read -ra n <"$work/counters" || return 1
	echo "packets and bytes from the guest ${n[*]:0:2}, to it ${n[*]:2:2}"
	[ $((n[$1] / n[$2])) -ge "$3" ]
}

guest=$(config net 6.12-cloud 6.12-cloud-none \
	"net:10.96.0.2/24:10.96.0.1,run:/transfer:10.96.0.1:$mib" \
	"memory = 512" "vcpus = 2" \
	"vif = ['bridge=svnet0,vifname=svguest,mac=00:16:3e:00:00:0a']")
$bb httpd -f -p 10.96.0.1:7002 -h "$work/www" &
server=$!
serve &
check "a guest with two vCPUs boots and transfers" boot "$guest" net 240
output=$(facts net)
check "it receives what the host sent" \
	console_has net 'DONE passed=2 failed=0'
kill $server
wait $server
check "the host receives what it sent" cmp "$work/received" "$work/www/stream"
check "packets from the guest are not segmented before the host" \
	average 1 0 1600
check "packets to the guest are not segmented before the guest" \
	average 3 2 1600
check "the guest uses a queue for each of its vCPUs" \
	grep -q 'serving 2 queue(s); the guest takes sg csum4 csum6 tso4 tso6' \
	"$logs"/sv-backend.log
check "its card is gone with it" wait_for 20 test ! -e /sys/class/net/svguest

# The same again, while the card's worker is killed all the time.
mortal() {
	until console_has mortal 'SPLITVISOR-DONE' 2>/dev/null; do
		sleep 2
		console_has mortal 'TEST net ok' 2>/dev/null &&
			shoot sv-netback KILL &&
			echo killed >>"$work/killed"
	done
}
rm -f "$work/received" "$work/fetched" "$work/www/finished"
guest=$(config mortal 6.12-cloud 6.12-cloud-none \
	"net:10.96.0.2/24:10.96.0.1,run:/transfer:10.96.0.1:$mib" \
	"memory = 512" "vcpus = 2" \
	"vif = ['bridge=svnet0,vifname=svguest,mac=00:16:3e:00:00:0a']")
$bb httpd -f -p 10.96.0.1:7002 -h "$work/www" &
server=$!
serve &
mortal &
check "a guest whose card's worker dies on and on transfers" \
	boot "$guest" mortal 240
output=$(facts mortal)
check "it receives what the host sent" \
	console_has mortal 'DONE passed=2 failed=0'
kill $server
wait $server
check "the host receives what it sent" cmp "$work/received" "$work/www/stream"
output=$(cat "$work/killed"; tail -n 20 "$logs/sv-backend.log")
[ "$(wc -l <"$work/killed")" -ge 3 ]
ok $? "it died $(wc -l <"$work/killed") times"
no_reconnect() {
	[ "$(grep -c 'dom[0-9]*/vif0.*serving 2 queue' "$logs"/sv-backend.log)" = 2 ]
}
check "and the guest never connected again" no_reconnect
check "the card is gone with it" wait_for 20 test ! -e /sys/class/net/svguest

# A world behind the host, which knows no way back to the guest's network.
ip netns add world
ip link add svup type veth peer name svdown netns world
ip addr add 203.0.113.1/24 dev svup
ip link set svup up
ip -n world addr add 203.0.113.2/24 dev svdown
ip -n world link set svdown up
forward=$(cat /proc/sys/net/ipv4/ip_forward)
nat=$(config behind 6.12-cloud 6.12-cloud-none net:dhcp:203.0.113.2,idle \
	"memory = 256" "vif = ['net=nat:10.95.0.1/24,mac=00:16:3e:00:00:0b']")
check "a guest behind NAT is created" xl create -q "$nat"
check "it reaches a host beyond ours" \
	wait_for 120 console_has behind 'TEST net ok'
ip -n world route add 10.95.0.0/24 via 203.0.113.1
address=$(xenstore-ls -f /local/domain/0/backend/vif |
	sed -n 's/.*\/ip = "\(.*\)"/\1/p')
check "our own host reaches it at the address in the store" \
	ping -c 2 -W 20 "$address"
unreachable() { ! ip netns exec world ping -c 2 -W 2 "$address"; }
check "nobody beyond reaches it first" unreachable
check "the guest is destroyed" xl destroy behind
no_nat_left() {
	[ ! -e /sys/class/net/sv-nat ] &&
		! nft list tables | grep -q splitvisor &&
		[ "$(cat /proc/sys/net/ipv4/ip_forward)" = "$forward" ]
}
check "bridge, rules and forwarding are gone with it" wait_for 10 no_nat_left
