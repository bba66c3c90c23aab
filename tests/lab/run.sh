#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lab/run.sh - second half of the lab's first process: makes the root a
# working Linux host, runs the job's command and tells the caller how it ended.
#
# Output goes through pipes to appending writers on the job share, whose every
# write is a synchronous message to the caller's side: when the last writer has
# ended, nothing is on its way any more. A pipe and not the file itself is the
# command's stdout, so that it may open /dev/stdout again without truncating.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
bb=/run/lab/busybox
job=/run/lab/job

# finish STATUS - report and switch the machine off, by the debug-exit port
# when the machine has it: no waiting for devices to quiesce.
finish()
{
	echo "$1" >$job/status
	$bb sync
	$bb dd if=/dev/zero of=/dev/port bs=1 seek=$((0xf4)) count=1 2>/dev/null
	$bb reboot -f
}

# load_kvm - in the background, while the rest is set up.
load_kvm()
{
	while read -r module; do
		$bb insmod "/run/lab/kvm/$module" ||
			echo "lab: cannot load $module"
	done </run/lab/kvm/order
	# Polling for a wake-up would take the one emulated CPU from the thread
	# that is to wake.
	echo 0 >/sys/module/kvm/parameters/halt_poll_ns
}

mount_systems()
{
	$bb mkdir -p /dev/pts /dev/shm
	$bb mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
	$bb mount -t tmpfs -o mode=1777 shm /dev/shm
	$bb ln -sf /proc/self/fd /dev/fd
	$bb ln -sf /proc/self/fd/0 /dev/stdin
	$bb ln -sf /proc/self/fd/1 /dev/stdout
	$bb ln -sf /proc/self/fd/2 /dev/stderr
	$bb mount -t cgroup2 cgroup2 /sys/fs/cgroup
	$bb mount -t debugfs debugfs /sys/kernel/debug
	$bb mount -t tracefs tracefs /sys/kernel/tracing
	$bb mount -t bpf bpf /sys/fs/bpf
}

# Settings and shares that the job names: modules of the running kernel and the
# one writable folder.
mount_job()
{
	modules=$($bb cat $job/modules)
	build=$($bb cat $job/build)
	$bb mkdir -p "/lib/modules/${modules##*/}" "$build"
	$bb mount -o bind "$modules" "/lib/modules/${modules##*/}"
	$bb mount -t 9p -o \
		trans=virtio,version=9p2000.L,msize=512000,cache=loose \
		build "$build" || echo "lab: cannot mount $build"
	# What is written there reaches the caller within a second even when
	# the time limit strikes.
	echo 50 >/proc/sys/vm/dirty_writeback_centisecs
	echo 50 >/proc/sys/vm/dirty_expire_centisecs
}

set_host()
{
	echo lab >/proc/sys/kernel/hostname
	$bb ip link set lo up
	$bb ip addr show dev lo | $bb grep -q 127.0.0.1 ||
		$bb ip addr add 127.0.0.1/8 dev lo
	# The drivers behind these are loaded when they are first opened.
	$bb mkdir -p /dev/net
	$bb mknod -m 666 /dev/net/tun c 10 200
	$bb mknod -m 666 /dev/vhost-net c 10 238
	$bb mknod -m 660 /dev/loop-control c 10 237
}

# run_piped - the command with its two outputs carried to the job share. What
# it leaves running is killed when it ends: a lab is over with its command.
run_piped()
{
	$bb mkfifo -m 600 /run/lab/stdout /run/lab/stderr
	# Where the caller has one file for both, one pipe keeps the order.
	if [ -L $job/stderr ]; then
		$bb ln -sf stdout /run/lab/stderr
	else
		$bb cat /run/lab/stderr >>$job/stderr &
	fi
	err=$!
	$bb cat /run/lab/stdout >>$job/stdout &
	out=$!
	$bb setsid bash $job/command </dev/null \
		>/run/lab/stdout 2>/run/lab/stderr &
	wait $!
	status=$?
	for proc in /proc/[0-9]*; do
		case ${proc#/proc/} in
		1 | "$out" | "$err") ;;
		# Kernel threads have no program.
		*) [ -e "$proc/exe" ] && kill -9 "${proc#/proc/}" ;;
		esac
	done 2>/dev/null
	wait
}

# run_tty - the command on a terminal that is the caller's.
run_tty()
{
	# The size goes with the last descriptor, so it is set inside.
	$bb setsid -c $bb sh -c "$bb stty $($bb cat $job/tty)
		exec bash $job/command" </dev/hvc0 >/dev/hvc0 2>&1 &
	wait $!
	status=$?
}

load_kvm &
kvm=$!
mount_systems
mount_job
set_host
wait $kvm
$bb chmod 666 /dev/kvm
if [ -e $job/tty ]; then
	run_tty
else
	run_piped
fi
finish $status
