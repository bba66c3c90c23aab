#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_guests.sh - unmodified Debian guests with PV disk, card, console.
#
# Kernels x vCPUs x memory x initramfs compression: each value of each is met
# with each kernel.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

ip link add xenbr0 type bridge
ip addr add 10.99.0.1/24 dev xenbr0
ip link set xenbr0 up

# has TEXT PATTERN - a fact among the facts.
has() {
	grep -qE "$2" <<<"$1" || { echo "missing: $2"; echo "$1"; return 1; }
}

# guest KERNEL VCPUS MEMORY_MIB COMPRESSION
guest() {
	local name="g-$1-$2-$3-$4" said
	local label="$1, $2 vCPUs, $3 MiB, initramfs $4"
	local tests="info,mem:8,disk:4,net:10.99.0.2/24:10.99.0.1"

	truncate -s 64M "$work/disk.img"
	truncate -s 1M "$work/ro.img"
	[ "$4" = gzip ] && tests=info,readonly:xvdb
	output=$(boot "$(config "$name" "$1" "$1-$4" "$tests" \
		"memory = $3" "vcpus = $2" \
		"disk = ['$work/disk.img,raw,xvda,w', '$work/ro.img,raw,xvdb,r']" \
		"vif = ['bridge=xenbr0']")" "$name" 180 2>&1)
	ok $? "$label: boots and runs its tests"
	said=$(facts "$name")
	check "$label: all its tests pass" has "$said" 'DONE passed=[1-9][0-9]* failed=0$'
	check "$label: finds its vCPUs and Xen" \
		has "$said" "KERNEL release=6\.1.* cpus=$2 .*hypervisor=xen"
	check "$label: finds PV disks" \
		has "$said" 'BLOCK name=xvda sectors=131072 ro=0 driver=vbd'
	check "$label: the read-only disk is read-only" \
		has "$said" 'BLOCK name=xvdb sectors=2048 ro=1 driver=vbd'
	check "$label: finds a PV network card" \
		has "$said" 'NET name=eth0 mac=00:16:3e:.* driver=vif'
	output=$said
	! grep -q '^SPLITVISOR-PCI' <<<"$said"
	ok $? "$label: has no emulated device"
	awk -v want="$3" -F= '/MEM total_kib/ { found = $2 / 1024 }
		END { exit !(found > want * 0.55 - 20 && found <= want) }' <<<"$said"
	ok $? "$label: has its memory"
	check "$label: is gone after it powered off" wait_for 30 gone "$name"
}

guest 6.12-cloud 1 128 none
guest 6.12-cloud 2 1024 gzip
guest 6.12-cloud 4 5120 zstd
guest 6.1-cloud 1 1024 none
guest 6.1-cloud 2 128 gzip
guest 6.1-cloud 4 5120 zstd
guest 6.12-generic 1 5120 gzip
guest 6.12-generic 2 1024 none
guest 6.12-generic 4 128 zstd
