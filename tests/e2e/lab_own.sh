#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_own.sh - guests of our own make, tests/guest/*.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

images=$project/build/gcc-plain/guest

truncate -s 16M "$work/disk"
own "$images/hello.elf" hello "cmdline = 'one two'"
grep -qa '^hello cmdline=one two' "$(console_log hello)"
ok $? "hello: its command line"
own_gdb "$images"
own "$images/xenbus.elf" xenbus
own "$images/events.elf" events
own "$images/grants.elf" grants
own "$images/timer.elf" timer
own "$images/smp.elf" smp "vcpus = 4" "cmdline = 'vcpus=4'"
own "$images/block.elf" block "disk = ['$work/disk,raw,xvda,w']" \
	"cmdline = 'ops=200'"
own "$images/reconnect.elf" reconnect "disk = ['$work/disk,raw,xvda,w']"
own_power "$images/power.elf"
own_suspend "$images/suspend.elf" suspend 10 \
	"disk = ['$work/disk,raw,xvda,w']"
with_card own_suspend "$images/suspend.elf" suspend-card 5 \
	"disk = ['$work/disk,raw,xvda,w']" \
	"cmdline = 'net=1 persistent=1 queues=0'"
with_card own_reset "$images/suspend.elf" reset 3 \
	"disk = ['$work/disk,raw,xvda,w']" "cmdline = 'net=1 resets=3'"
own_suspend "$images/smpsuspend.elf" smpsuspend 5 "vcpus = 4" \
	"cmdline = 'vcpus=4'"
own_net "$images/net.elf" net "cmdline = 'step=11 packets=500'"
own_net "$images/netbench.elf" netbench "cmdline = 'ms=200'"
