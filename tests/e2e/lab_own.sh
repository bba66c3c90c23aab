#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_own.sh - guests of our own make, tests/guest/*.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

images=$project/build/gcc-plain/guest

boot_own() {
	xl create -q "$2" || return 1
	wait_for 60 console_has "$1" '^(SUCCESS|SKIP|ERROR|FAILURE)' && return
	counters "$1"
	tail -n 10 "$logs/hv-$1.log"
}

# own NAME [LINE...] - run the guest to its end; it must say SUCCESS.
own() {
	local name=$1 file=$work/$1.cfg

	shift
	{
		echo "name = '$name'"
		echo "type = 'pvh'"
		echo "kernel = '$images/$name.elf'"
		echo "memory = 32"
		printf '%s\n' "$@"
	} >"$file"
	output=$(boot_own "$name" "$file" 2>&1; cat "$(console_log "$name")")
	grep -qa '^SUCCESS' <<<"$output"
	ok $? "$name: succeeds"
	check "$name: is gone" wait_for 10 gone "$name"
}

own hello "cmdline = 'one two'"
grep -qa '^hello cmdline=one two' "$(console_log hello)"
ok $? "hello: its command line"
own xenbus
own events
own grants
