#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/remote_disks.sh - disks on NBD servers and in images that QEMU reads,
# used by process domains; what holds them dies, errs and comes back.
#
# Servers are in a network namespace of the test's own.
[ -n "${REMOTE_TEST_NETNS:-}" ] ||
	REMOTE_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
ip link set lo up
programs=$project/build/gcc-plain/procdom
backend_log=$logs/sv-backend.log
host=127.0.0.1

# serve ARG... - nbdkit on TCP's usual port, till unserve.
listens() { (exec 3<>"/dev/tcp/$host/10809") 2>/dev/null; }
serve() {
	nbdkit -f -i $host "$@" 2>>"$work/nbdkit.log" &
	server=$!
	wait_for 60 listens
}
unserve() {
	kill -9 "$server"
	wait "$server" 2>/dev/null
	# It may be another shell's child; only when it has gone its port is free.
	wait_for 60 no_process "$server"
}
remote="vdev=xvda,access=rw,target=nbd://$host"

logged() { grep -c "$1" "$backend_log"; }

# workers PROGRAM - their process ids.
workers() {
	local p

	for p in $(our_processes); do
		[ "$(cat "/proc/$p/comm")" = "$1" ] && echo "$p"
	done
}

# servers - process ids of each qemu-nbd of ours.
servers() {
	local p

	for p in $(pgrep -x qemu-nbd); do
		belongs "/proc/$p/environ" >/dev/null && echo "$p"
	done
}

# One that a failure leaves stopped, too.
trap 'kill -9 $(servers) 2>/dev/null; finish' EXIT

# ---- servers ----------------------------------------------------------------

serve memory 16M
own "$programs/block" nbd_tcp "disk = ['$remote/']"
unserve

nbdkit -f -U "$work/nbd.sock" memory 16M 2>>"$work/nbdkit.log" &
server=$!
check "a server at a Unix socket" wait_for 60 test -S "$work/nbd.sock"
own "$programs/block" nbd_unix \
	"disk = ['vdev=xvda,access=rw,target=nbd+unix:///?socket=$work/nbd.sock']"
unserve

# It is killed over and over while the guest checks each byte.
truncate -s 16M "$work/remote.img"
serve file "$work/remote.img"
(
	wait_for 20 console_has nbd_dies 'connects ok'
	for _ in 1 2 3 4 5 6; do
		sleep 0.4
		unserve
		sleep 0.1
		serve file "$work/remote.img"
	done
	wait_for 600 test -e "$work/over"
	unserve
) &
flipper=$!
own "$programs/block" nbd_dies "cmdline = 'ops=4000'" "disk = ['$remote/']"
touch "$work/over"
wait $flipper
[ "$(logged 'server is away')" -gt 0 ] && [ "$(logged 'server is back')" -gt 0 ]
ok $? "each time is in the log"

# What the server refuses, the guest hears.
serve --filter=error memory 16M error=EIO error-rate=100%
{
	echo "name = 'nbd_errs'"
	echo "type = 'pvh'"
	echo "kernel = '$programs/block'"
	echo "memory = 64"
	echo "disk = ['$remote/']"
} >"$work/nbd_errs.cfg"
check "a server that errs: the guest is made" xl create -q "$work/nbd_errs.cfg"
check "it hears of the errors" wait_for 60 console_has nbd_errs '^FAILURE'
grep -q 'disk: operation .*Input/output error' "$backend_log"
ok $? "so does the log"
wait_for 60 gone nbd_errs
unserve

# A server that takes whole blocks only; what does not fit it is told at once.
blocks=(--filter=blocksize-policy memory 16M blocksize-error-policy=error)
serve "${blocks[@]}" blocksize-minimum=4096
# disagrees OPTIONS WHY - a remote disk that must not be served.
disagrees() {
	sed "s/nbd_errs/no/; s#vdev#$1,vdev#" "$work/nbd_errs.cfg" \
		>"$work/no.cfg"
	! output=$(xl create -q "$work/no.cfg" 2>&1) && grep -q "$2" <<<"$output"
	ok $? "refused with the reason: $2"
}
disagrees sector-size=512 "write sector-size=4096, or leave it out"
disagrees physical-sector-size=512 "multiple of it"
# The guest knows sectors of 512 bytes only, and ends soon.
sed "s/nbd_errs/nbd_4k/; \$a on_poweroff = 'preserve'\\non_crash = 'preserve'" \
	"$work/nbd_errs.cfg" >"$work/nbd_4k.cfg"
check "blocks of 4096 bytes: a disk is made" xl create -q "$work/nbd_4k.cfg"
has_4k() {
	[ "$(xenstore-read "/local/domain/0/backend/vbd/$(xl domid nbd_4k)/51712/sector-size")" = 4096 ]
}
check "with sectors of 4096 bytes" wait_for 20 has_4k
check "it is destroyed" xl destroy nbd_4k
unserve
serve "${blocks[@]}" blocksize-minimum=8192 blocksize-preferred=8192
disagrees limit-iops=0 "blocks of 8192"
unserve

# An iSCSI target comes by the same door, with QEMU's driver for it.
mount -t tmpfs none /run # for tgtd's own socket
portal=127.0.0.1:3260
target=iqn.2026-11.splitvisor.test:disk
tgtd -f --iscsi portal=$portal 2>>"$work/tgtd.log" &
tgtd=$!
tgt() { tgtadm --lld iscsi --tid 1 "$@"; }
check "an iSCSI target" wait_for 60 timeout 60 tgtadm --lld iscsi --mode target \
	--op new --tid 1 --targetname $target
truncate -s 16M "$work/iscsi.img"
check "with a disk" tgt --mode logicalunit --op new --lun 1 \
	--backing-store "$work/iscsi.img"
check "for all" tgt --mode target --op bind --initiator-address ALL
qemu-nbd --persistent --shared=0 --format=raw --cache=none \
	-k "$work/iscsi.sock" "iscsi://$portal/$target/1" 2>>"$work/nbd.log" &
server=$!
check "its server" wait_for 60 test -S "$work/iscsi.sock"
own "$programs/block" iscsi \
	"disk = ['vdev=xvda,access=rw,target=nbd+unix:///?socket=$work/iscsi.sock']"
unserve
kill -9 $tgtd
wait $tgtd 2>/dev/null
! cmp -sn 65536 "$work/iscsi.img" /dev/zero
ok $? "what the guest wrote is on the target's disk"

# It goes for good, and the address says how long to wait for it.
serve memory 16M
sed "s/nbd_errs/nbd_late/; s#nbd://$host/#&?timeout=3#; \
	\$a cmdline = 'ops=1000000'" "$work/nbd_errs.cfg" >"$work/nbd_late.cfg"
check "timeout=3: a guest works" xl create -q "$work/nbd_late.cfg"
check "it is connected" wait_for 60 console_has nbd_late 'connects ok'
errors='disk: operation .*Input/output error'
before=$(logged "$errors")
began=${EPOCHREALTIME/./}
unserve
more_errors() { [ "$(logged "$errors")" -gt "$before" ]; }
check "its server is gone: requests fail" wait_for 60 more_errors
[ $((${EPOCHREALTIME/./} - began)) -ge 3000000 ]
ok $? "not before that time"
check "the guest hears of it" wait_for 60 console_has nbd_late '^FAILURE'
check "and ends" wait_for 60 gone nbd_late

# Nobody there: told at once.  Gone for good: the guest can still be ended.
sed "s/nbd_errs/nbd_none/" "$work/nbd_errs.cfg" >"$work/nbd_none.cfg"
! output=$(xl create -q "$work/nbd_none.cfg" 2>&1) &&
	grep -q "nbd://$host/.*refused" <<<"$output"
ok $? "no server: refused with the reason"
serve memory 16M
sed "s/nbd_errs/nbd_left/; \$a cmdline = 'ops=1000000'" \
	"$work/nbd_errs.cfg" >"$work/nbd_left.cfg"
check "a guest works" xl create -q "$work/nbd_left.cfg"
sleep 0.5
unserve
sleep 0.5
check "its server is gone; it is destroyed" timeout 60 xl destroy nbd_left
no_workers() { [ -z "$(workers sv-blkback)$(workers sv-blksource)$(servers)" ]; }
check "nothing of its disk is left" wait_for 60 no_workers

# ---- images -----------------------------------------------------------------

for format in qcow2 qcow vmdk vhdx vpc; do
	name=${format/vpc/vhd}
	image=$work/disk.$name
	qemu-img create -q -f $format "$image" 16M
	own "$programs/block" "$name" "disk = ['$image,$name,xvda,w']"
	check "$name: is in order" qemu-img info -f $format "$image"
done
check "the image is in order after all that" qemu-img check -q -f qcow2 \
	"$work/disk.qcow2"

# qemu-nbd dies at work, and so does what started it.
(
	wait_for 20 console_has qcow2_dies 'connects ok'
	for victim in nbd source nbd source; do
		sleep 0.4
		until source=$(pid_of sv-blksource) || over qcow2_dies; do
			sleep 0.1
		done
		[ -n "$source" ] || break # the guest is done
		case $victim in
		nbd) pkill -9 -P "$source" ;;
		source) kill -9 "$source" ;;
		esac
	done
) &
flipper=$!
own "$programs/block" qcow2_dies "cmdline = 'ops=4000 ms=2000'" \
	"disk = ['$work/disk.qcow2,qcow2,xvda,w']"
wait $flipper
grep -q 'qemu-nbd has ended' "$backend_log" &&
	grep -q 'sv-blksource of .* has ended; started again' "$backend_log"
ok $? "both deaths are in the log"

# The longest chain: the guest writes to the image only, and finds below it what
# the configuration names, whatever the images do.
head -c 16M /dev/urandom >"$work/base.img"
below=$work/base.img
form=raw
chain=
for i in 8 7 6 5 4 3 2 1; do
	chain=backing=$form:$below,$chain
	qemu-img create -q -u -f qcow2 -F raw -b /etc/passwd "$work/$i.qcow2" 16M
	below=$work/$i.qcow2
	form=qcow2
done
sums=$(cd "$work" && sha256sum base.img [2-8].qcow2)
own "$programs/block" chain "disk = ['${chain}vdev=xvda,format=qcow2,access=rw,target=$work/1.qcow2']"
output=$(cd "$work" && sha256sum -c <<<"$sums" 2>&1)
ok $? "the files below the image are as they were"

# The other formats that can build upon a file.
qemu-img create -q -u -f qcow -b "$work/base.img" -F raw "$work/child.qcow" 16M
qemu-img create -q -f vmdk -F vmdk -b "$work/disk.vmdk" "$work/child.vmdk" 16M
sums=$(cd "$work" && sha256sum base.img disk.vmdk)
for f in "qcow:raw:$work/base.img" "vmdk:vmdk:$work/disk.vmdk"; do
	format=${f%%:*}
	own "$programs/block" "child_$format" "cmdline = 'ops=50'" \
		"disk = ['$work/child.$format,$format,xvda,w,backing=${f#*:}']"
done
output=$(cd "$work" && sha256sum -c <<<"$sums" 2>&1)
ok $? "what is below them is as it was"

# refused IMAGE FORMAT WHY - a disk that must not be served.
refused() {
	{
		echo "name = 'no'"
		echo "type = 'pvh'"
		echo "kernel = '$programs/block'"
		echo "memory = 64"
		echo "disk = ['$1,$2,xvda,w']"
	} >"$work/no.cfg"
	! output=$(xl create -q "$work/no.cfg" 2>&1) && grep -q "$3" <<<"$output"
	ok $? "refused: $(basename "$1") as ${2//$work\//}: ${3//$work\//}"
}
truncate -s 16M "$work/raw.img"
refused "$work/raw.img" qcow2 "not of the format"
refused "$work/disk.qcow2" vmdk "not of the format"
refused "$work/disk.vhdx" vhd "not of the format"
# A guest wrote a header into its raw disk, which names a file of the host's.
qemu-img create -q -f qcow2 -F raw -b /etc/passwd "$work/evil.qcow2" 16M
refused "$work/evil.qcow2" qcow2 "backing file"
qemu-img create -q -f qcow2 -o data_file="$work/data" "$work/data.qcow2" 16M
refused "$work/data.qcow2" qcow2 "data_file"
qemu-img create -q -f vmdk -o subformat=monolithicFlat "$work/flat.vmdk" 16M
refused "$work/flat.vmdk" vmdk "other files"
refused "$work/child.vmdk" vmdk "backing file"
refused "$work/child.qcow" qcow "backing file"
refused "$work/disk.vhd" "vhd,backing=raw:$work/base.img" "cannot build upon"
refused "$work/disk.vhdx" "vhdx,backing=raw:$work/base.img" "cannot build upon"
refused "$work/disk.qcow2" "qcow2,backing=raw:$work/base.img" "no other file"
refused "$work/evil.qcow2" "qcow2,backing=vmdk:$work/disk.qcow2" \
	"backing file $work/disk.qcow2: .*not of the format"
refused "$work/evil.qcow2" "qcow2,backing=qcow2:$work/2.qcow2" \
	"backing file $work/2.qcow2: .*(a backing file)"
refused "$work/evil.qcow2" "qcow2,backing=raw:$work/none" "none.*No such file"
refused "$work/evil.qcow2" "qcow2,backing=qcow2:$work/evil.qcow2" "upon itself"
chmod 600 "$work/base.img"
chmod 755 "$work"
chown nobody "$work/evil.qcow2"
refused "$work/evil.qcow2" "qcow2,backing=raw:$work/base.img" \
	"base.img: the image's owner may not read it"
cp "$work/disk.qcow2" "$work/broken.qcow2"
printf '\xff' | dd of="$work/broken.qcow2" bs=1 seek=20 conv=notrunc status=none
refused "$work/broken.qcow2" qcow2 "broken.qcow2"

# What qemu-nbd may touch while it serves.
cp "$programs/block" "$work/bin/"
sed "s/'no'/'locked'/; s#^disk.*#disk = ['$work/8.qcow2,qcow2,xvda,w,backing=raw:$work/base.img']#; \
	\$a cmdline = 'ops=1000000'" "$work/no.cfg" >"$work/locked.cfg"
check "a guest with a qcow2 disk" xl create -q "$work/locked.cfg"
nbd=$(pgrep -P "$(workers sv-blksource)")
# past_cache - whether the image is open there past the page cache.
past_cache() {
	local fd flags

	for fd in "/proc/$nbd/fd/"*; do
		[ "$(readlink "$fd")" = /disk ] || continue
		flags=$(awk '/^flags/ { print $2 }' "/proc/$nbd/fdinfo/${fd##*/}")
		echo $(((8#$flags & 8#40000) != 0))
	done | sort -u
}
output=$(past_cache)
[ "$output" = 1 ]
ok $? "the page cache does not stand between"
output=$(ls "/proc/$nbd/root/")
[ "$(grep -vxE 'usr|bin|sbin|lib|lib64' <<<"$output" | xargs)" = "backing-1 disk sock" ]
ok $? "qemu-nbd sees programs, the image and what is below it, nothing else"
output=$(grep ' /backing-1 ' "/proc/$nbd/mountinfo")
[[ $output == *" /backing-1 ro,"* ]]
ok $? "what is below can only be read"
output=$(grep -E '^(Cap(Eff|Prm|Bnd)|NoNewPrivs)' "/proc/$nbd/status")
[ "$(grep -cE 'Cap...:.*[1-9a-f]' <<<"$output")" = 0 ] &&
	grep -q 'NoNewPrivs:.*1' <<<"$output"
ok $? "it has no capability"
output=$(tail -n +3 "/proc/$nbd/net/dev")
[ "$(wc -l <<<"$output")" = 1 ]
ok $? "it has no network"
# With a worker that is killed ends what may have its writes under way.
another_nbd() {
	[ ! -e "/proc/$nbd" ] && pgrep -P "$(workers sv-blksource)"
}
check "its guest is at work" wait_for 30 console_has locked 'connects ok'
check "its worker is killed" kill -9 "$(workers sv-blkback)"
check "another qemu-nbd takes over" wait_for 30 another_nbd
output=$(qemu-img check -f qcow2 "$work/disk.qcow2" 2>&1; xl block-list locked)
check "it is destroyed" xl destroy locked
check "and its qemu-nbd ended" wait_for 60 no_workers

# Through the page cache if that is asked for, or needed by any file of the chain.
cached() { # NAME DISK
	sed "s/'locked'/'$1'/; s#^disk.*#disk = ['$2']#" "$work/locked.cfg" \
		>"$work/cached.cfg"
	check "$1: a guest is made" xl create -q "$work/cached.cfg"
	nbd=$(servers)
	output=$(past_cache)
	[ "$output" = 0 ]
	ok $? "$1: its disk is in the page cache"
	check "$1: it is destroyed" xl destroy "$1"
	check "$1: its qemu-nbd has ended" wait_for 60 no_workers
}
mkdir "$work/ram"
mount -t ramfs none "$work/ram"
truncate -s 16M "$work/ram/base.img"
chain="backing=raw:$work/ram/base.img,vdev=xvda,format=qcow2,access=rw,target=$work/8.qcow2"
cached direct-io-0 "direct-io=0,vdev=xvda,format=qcow2,access=rw,target=$work/disk.qcow2"
cached ramfs "$chain"
sed "s#^disk.*#disk = ['direct-io=1,$chain']#" "$work/locked.cfg" >"$work/no.cfg"
! output=$(xl create -q "$work/no.cfg" 2>&1) &&
	grep -q 'ram/base.img cannot be used past the page cache' <<<"$output"
ok $? "direct-io=1: refused with the file that cannot"
umount "$work/ram"

# One server at a time: two would spoil an image.  The one that is there is
# stopped, as if its disk were slow, and what started it is killed.
single=$work/single.qcow2
qemu-img create -q -f qcow2 -o preallocation=metadata "$single" 16M
sed "s/'locked'/'single'/; s#^disk.*#disk = ['$single,qcow2,xvda,w']#" \
	"$work/locked.cfg" >"$work/single.cfg"
check "a guest with a qcow2 disk of its own" xl create -q "$work/single.cfg"
check "it is at work" wait_for 60 console_has single 'every size and place ok'
statistics=/local/domain/0/backend/vbd/$(xl domid single)/51712/statistics
# A new worker has not told them yet.
requests() { xenstore-read "$statistics/wr_req" 2>/dev/null || echo 0; }
works_on() { [ "$(requests)" -gt "$1" ]; }
no_others() { [ -z "$(workers sv-blkback)$(workers sv-blksource)" ]; }
another_server() { [ -n "$(servers)" ] && [ "$(servers)" != "$nbd" ]; }
another_source() { [ -n "$(workers sv-blksource)" ] && [ "$(workers sv-blksource)" != "$starter" ]; }
at_work_again() { wait_for 60 another_server && wait_for 60 works_on "$(requests)"; }
nbd=$(servers)
starter=$(workers sv-blksource)
halt "$nbd"
kill -9 "$starter" "$(workers sv-blkback)"
check "sv-blksource is killed: another follows" wait_for 60 another_source
sleep 1
output=$(servers)
[ "$output" = "$nbd" ]
ok $? "there is no other qemu-nbd while the last one lives"
kill -CONT "$nbd"
check "it ends: another serves, and the guest goes on" at_work_again
nbd=$(servers)
starter=$(workers sv-blksource)
halt "$nbd"
# Neither can start anything meanwhile.
halt "$(pid_of sv-backend)" "$starter"
kill -9 "$(pid_of sv-backend)" "$starter" "$(workers sv-blkback)"
check "all but qemu-nbd have died" wait_for 60 no_others
output=$(qemu-img info "$single" 2>&1)
grep -q 'Failed to .*lock' <<<"$output"
ok $? "the image is locked as long as it lives"
sv-backend >>"$work/parents.log" 2>&1 &
killed() { grep -q 'what served its disk does not end: killed' "$work/parents.log"; }
check "one that does not end in half a minute is killed" wait_for 90 killed
check "another serves, and the guest goes on" at_work_again
! console_has single failed
ok $? "it has noticed nothing"
check "it is destroyed" xl destroy single
check "and its qemu-nbd ended" wait_for 60 no_workers
