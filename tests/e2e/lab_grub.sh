#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_grub.sh - GRUB, as Debian ships it, in the guest: it boots the kernel on
# the guest's own disk, which the guest can change.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SPLITVISOR_FIRMWARE_DIR=$guests/grub/usr/lib/grub-xen

ip link add xenbr0 type bridge
ip addr add 10.99.0.1/24 dev xenbr0
ip link set xenbr0 up

# A disk as an installed system has one: a kernel in /boot, and a newer one in /new.
# GRUB of Debian 12 does not know the two newest features of its file systems.
put() {
	mkdir -p "$work/root/$2"
	cp "$(kernel_of "$1")" "$work/root/$2/vmlinuz"
	cp "$guests/$1-gzip" "$work/root/$2/initrd.img"
}
put 6.1-cloud boot
put 6.12-cloud new
mkdir "$work/root/boot/grub"
cat >"$work/root/boot/grub/grub.cfg" <<END
set timeout=1
menuentry 'The only one' {
	linux /boot/vmlinuz console=hvc0 quiet panic=1 svtest=info,net:10.99.0.2/24:10.99.0.1,run:/update
	initrd /boot/initrd.img
}
END
truncate -s 64M "$work/disk.img"
mke2fs -q -t ext4 -O ^metadata_csum_seed,^orphan_file -d "$work/root" \
	"$work/disk.img"
rm -r "$work/root"

cat >"$work/grub.cfg" <<END
name = 'grub'
firmware = 'pvgrub64'
memory = 256
vcpus = 2
disk = ['$work/disk.img,raw,xvda,w']
vif = ['bridge=xenbr0']
END
check "a guest without a kernel on the host is created" xl create -q "$work/grub.cfg"
first=$(xl domid grub)
check "GRUB shows its menu" wait_for 60 console_has grub 'The only one'
check "the kernel of its disk does its work" \
	wait_for 180 console_has grub 'SPLITVISOR-UPDATED'
facts=$(facts grub)
output=$facts
grep -q '^SPLITVISOR-KERNEL release=6\.1\..* cpus=2 .*hypervisor=xen' <<<"$facts"
ok $? "it is the kernel that was there, with both vCPUs, on Xen"
grep -q '^SPLITVISOR-BLOCK name=xvda sectors=131072 ro=0 driver=vbd' <<<"$facts"
ok $? "it has the disk that GRUB had"
rebooted() { [ "$(xl domid grub)" -gt "$first" ]; }
check "it begins anew when it reboots" wait_for 30 rebooted
check "and does its work again" wait_for 180 console_has grub 'SPLITVISOR-DONE'
facts=$(facts grub | sed '1,/^SPLITVISOR-UPDATED/d')
output=$facts
grep -q '^SPLITVISOR-KERNEL release=6\.12\..* cpus=2 .*hypervisor=xen' <<<"$facts"
ok $? "the kernel that it has put there is booted"
grep -q '^SPLITVISOR-DONE passed=3 failed=0$' <<<"$facts"
ok $? "which does its work, too"
check "it is gone when it has powered off" wait_for 30 gone grub

# With nothing to boot, GRUB has a prompt.
printf '%s\n' "name = 'prompt'" "memory = 64" \
	"kernel = '$SPLITVISOR_FIRMWARE_DIR/grub-i386-xen_pvh.bin'" >"$work/prompt.cfg"
check "GRUB without a disk is created" xl create -q "$work/prompt.cfg"
check "it has a prompt" wait_for 30 console_has prompt 'grub> '
tells() { echo "$2" >"$(tty_of "$(xl domid "$1")")"; }
tells prompt 'echo before-"saving"'
check "which can be typed at" wait_for 30 console_has prompt 'before-saving'
check "it is saved, without paging as it is" xl save prompt "$work/prompt.save"
check "it is restored" xl restore "$work/prompt.save"
wait_for 30 has_tty "$(xl domid prompt)"
tells prompt 'echo after-"saving"'
check "it goes on where it was" wait_for 30 console_has prompt 'after-saving'
tells prompt halt
check "it is gone when it was told to halt" wait_for 30 gone prompt
output=$(cat "$logs/hv-prompt.log")
grep -q 'poweroff' <<<"$output"
ok $? "and that was a poweroff"
