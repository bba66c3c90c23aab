#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_bad_input.sh - every mistake gets one clear line and leaves
# nothing behind.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

kernel=$(kernel_of 6.12-cloud)
initramfs=$guests/6.12-cloud-none
truncate -s 16M "$work/disk.img"
ip link add xenbr0 type bridge

census() {
	our_processes | wc -l
	ip -o link | wc -l
	find "$SPLITVISOR_RUN_DIR/dom" 2>/dev/null | sort
	xenstore-ls -f / 2>/dev/null | grep -v '^/local/domain/0'
}

# The daemons of this host are running from here on.
good() {
	echo "name = 'bad'"
	echo "kernel = '$kernel'"
	echo "ramdisk = '$initramfs'"
	echo "memory = 128"
	printf '%s\n' "$@"
}
good >"$work/first.cfg"
check "a good file is accepted" xl create -q -p "$work/first.cfg"
xl destroy bad
wait_for 10 only_daemons
wait_for 10 at_rest census
baseline=$(census)

# refused NAME PATTERN [LINE...] - lines are added to a good file.
refused() {
	local name=$1 pattern=$2 status=0 errors

	shift 2
	good "$@" >"$work/bad.cfg"
	output=$(xl create -q "$work/bad.cfg" 2>&1) || status=$?
	errors=$(grep -vc '^Parsing config' <<<"$output")
	[ $status != 0 ] && [ "$errors" = 1 ] && grep -qiE "$pattern" <<<"$output"
	ok $? "$name: one line, about /$pattern/"
	settled() { [ "$(census)" = "$baseline" ]; }
	wait_for 10 settled
	output=$(diff <(echo "$baseline") <(census))
	ok $? "$name: nothing is left behind"
	xl destroy bad 2>/dev/null
}

head -c 4096 /dev/urandom >"$work/noise"
head -c 3000000 "$kernel" >"$work/short"
: >"$work/empty"
cp "$kernel" "$work/broken"
printf '\377\377\377\377\377\377\377\377' |
	dd of="$work/broken" bs=1 seek=6000000 conv=notrunc status=none
cp /bin/busybox "$work/program"

refused "kernel missing" "$work/none.*(no such|not exist|missing|not found)" "kernel = '$work/none'"
refused "kernel is a directory" "$work.*(directory|regular)" "kernel = '$work'"
refused "kernel not a kernel" "$work/noise.*not a" "kernel = '$work/noise'"
refused "kernel empty" "$work/empty.*empty" "kernel = '$work/empty'"
refused "kernel truncated" "$work/short.*(truncated|missing|short)" "kernel = '$work/short'"
refused "kernel payload corrupt" "$work/broken.*(corrupt|damaged|unpack|decompress)" "kernel = '$work/broken'"
refused "kernel without PVH note" "$work/program.*(PVH|note|not a)" "kernel = '$work/program'"
refused "initramfs missing" "$work/none" "ramdisk = '$work/none'"
truncate -s 200M "$work/large"
refused "initramfs larger than memory" "$work/large.*(200|memory)" "ramdisk = '$work/large'"
refused "memory too small" 'memory.*\b1\b' "memory = 1"
refused "memory beyond the host" 'memory.*99999999' "memory = 99999999"
refused "no vCPU" 'vcpus.*\b0\b' "vcpus = 0"
refused "too many vCPUs" 'vcpus.*5000' "vcpus = 5000"
refused "disk missing" "$work/nodisk" "disk = ['$work/nodisk,raw,xvda,w']"
refused "bridge missing" 'nobr0' "vif = ['bridge=nobr0']"
refused "syntax error" 'bad.cfg:5' "disk = [ 'x"

good "frobnicate = 1" >"$work/unknown.cfg"
output=$(xl create -q -p "$work/unknown.cfg" 2>&1)
grep -q 'unknown.cfg:5.*frobnicate' <<<"$output"
ok $? "an unknown key is warned about with file and line"
output=$(xl create -q -p "$work/unknown.cfg" 2>&1)
status=$?
[ $status != 0 ] && grep -q "bad" <<<"$output"
ok $? "a name that is taken is refused"
xl destroy bad

# Disks: in use, read-only.
good "disk = ['$work/disk.img,raw,xvda,w']" >"$work/one.cfg"
check "a disk in use: the first user" xl create -q -p "$work/one.cfg"
output=$(xl create -q -p "$work/one.cfg" name='"other"' 2>&1)
status=$?
[ $status != 0 ] && grep -qE "$work/disk.img.*(in use|locked|used by)" <<<"$output"
ok $? "a disk in use: the second is refused"
xl destroy bad
mkdir "$work/ro" && cp "$work/disk.img" "$work/ro/" &&
	mount --bind "$work/ro" "$work/ro" && mount -o remount,ro,bind "$work/ro"
refused "read-only file opened for writing" "$work/ro/disk.img.*read-only" \
	"disk = ['$work/ro/disk.img,raw,xvda,w']"
umount "$work/ro"

# The host itself. Each in a mount namespace of its own.
host_lacks() { # NAME PATTERN SETUP
	# shellcheck disable=SC2016 # $1 is the inner shell's
	output=$(unshare -m sh -c "$3"'; xl create -q "$1"' sh "$work/one.cfg" 2>&1)
	local status=$?
	[ $status != 0 ] && grep -qE "$2" <<<"$output"
	ok $? "$1"
	xl destroy bad 2>/dev/null
}
host_lacks "no /dev/kvm" '/dev/kvm' \
	'cp -a /dev/null /dev/zero /dev/urandom /run/ && mount -t tmpfs dev /dev &&
		cp -a /run/null /run/zero /run/urandom /dev/'
host_lacks "no right to use KVM" '/dev/kvm' \
	'mount --bind /dev/null /dev/kvm'
host_lacks "run directory not writable" "$SPLITVISOR_RUN_DIR|/proc" \
	'export SPLITVISOR_RUN_DIR=/proc/nowhere XENSTORED_PATH=/proc/nowhere/x'

# sv-backend sees what this script mounts: they share a mount namespace.
mount --bind /dev/null /dev/net/tun
ip link set xenbr0 up
refused "no /dev/net/tun" '/dev/net/tun' "vif = ['bridge=xenbr0']"
umount /dev/net/tun

store=$(our_processes | while read -r pid; do
	[ "$(cat "/proc/$pid/comm")" != sv-xenstored ] || echo "$pid"
done)
halt "$store"
output=$(timeout 60 xl create -q "$work/first.cfg" 2>&1)
status=$?
kill -CONT "$store"
[ $status != 0 ] && [ $status != 124 ] && grep -qiE 'store' <<<"$output"
ok $? "a store that does not answer is named"
