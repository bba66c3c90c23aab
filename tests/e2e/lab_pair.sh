#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_pair.sh - two guests at once on one bridge, and NAT.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

ip link add xenbr0 type bridge
ip link set xenbr0 up

a=$(config left 6.12-cloud 6.12-cloud-none net:10.98.0.1/24:10.98.0.2,sleep:30 \
	"memory = 256" "vif = ['bridge=xenbr0,mac=00:16:3e:00:00:01']")
b=$(config right 6.1-cloud 6.1-cloud-none net:10.98.0.2/24:10.98.0.1,sleep:30 \
	"memory = 256" "vif = ['bridge=xenbr0,mac=00:16:3e:00:00:02']")
check "the first guest is created" xl create -q "$a"
check "the second guest is created beside it" xl create -q "$b"
for g in left right; do
	check "$g: its tests are done" wait_for 120 console_has "$g" SPLITVISOR-DONE
	output=$(facts $g)
	check "$g: reaches the other through the bridge" \
		console_has "$g" 'DONE passed=2 failed=0'
	check "$g: is gone" wait_for 30 gone $g
done

nat=$(config nat 6.12-cloud 6.12-cloud-none net:dhcp:192.168.231.1 \
	"memory = 256" "vif = ['net=nat']")
check "NAT: boots" boot "$nat" nat 120
output=$(cat "$(console_log nat)")
check "NAT: gets an address by DHCP and reaches the host" \
	console_has nat 'DONE passed=1 failed=0'
check "NAT: is gone" wait_for 30 gone nat
no_nat_left() { ! ip -o link | grep -E 'sv-nat|vif[0-9]' && ! nft list tables | grep -qi splitvisor; }
check "NAT: bridge and rules are gone with the last guest" \
	wait_for 10 no_nat_left
