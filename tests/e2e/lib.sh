# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lib.sh - TAP output and a "host" of its own for tests with guests.

set -u
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$project/build/bin:$PATH
tests_done=0
work=$(mktemp -d /tmp/sv-e2e.XXXXXX)
export SPLITVISOR_RUN_DIR=$work/run
export SPLITVISOR_CACHE_DIR=${SPLITVISOR_CACHE_DIR:-/tmp/sv-kernel-cache}
export XENSTORED_PATH=$work/run/xenstored.sock
logs=$SPLITVISOR_RUN_DIR/log
guests=$project/build/test/guests

# ok STATUS NAME - one result; on failure what $output holds is shown.
output=
ok() {
	tests_done=$((tests_done + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests_done - $2"
	else
		echo "not ok $tests_done - $2"
		printf '%s\n' "$output" | tail -n 60 | sed 's/^/# /'
	fi
}

# check NAME COMMAND... - one result from a command's status.
check() {
	local name=$1 status=0

	shift
	output=$("$@" 2>&1) || status=$?
	ok "$status" "$name"
}

# Limits are for real machines; the lab's emulated CPU shares one with others.
patience=${SPLITVISOR_LAB:+3}

# wait_for SECONDS COMMAND... - until the command succeeds; a machine that is busy
# has a minute for what takes less: only a test that fails waits that long.
wait_for() {
	local deadline=$((SECONDS + ($1 < 60 ? 60 : $1) * ${patience:-1}))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.1
	done
}

# stand_in - from now on the VMM is sv-fakehv, which needs no KVM.  Programs look
# for each other beside themselves: a directory of their own.
stand_in() {
	local p

	mkdir "$work/bin"
	for p in xl sv-xenstored sv-backend sv-blkback sv-blksource sv-netback sv-usernet \
		sv-console sv-netecho sv-image sv-initramfs.sh sv-oneshot sv-udhcpc; do
		cp "$project/build/bin/$p" "$work/bin/"
	done
	cp "$project/build/bin/sv-fakehv" "$work/bin/sv-hypervisor"
	PATH=$work/bin:$PATH
}

# own KERNEL NAME [LINE...] - run a guest of ours (tests/guest/NAME) to its end;
# it must say SUCCESS.
boot_own() {
	xl create -q "$2" || return 1
	wait_for 600 over "$1" && return
	counters "$1"
	tail -n 10 "$logs/hv-$1.log"
}
own() {
	local kernel=$1 name=$2 file=$work/$2.cfg

	shift 2
	{
		echo "name = '$name'"
		echo "type = 'pvh'"
		echo "kernel = '$kernel'"
		echo "memory = 64"
		printf '%s\n' "$@"
	} >"$file"
	output=$(boot_own "$name" "$file" 2>&1; cat "$(console_log "$name")")
	grep -qa '^SUCCESS' <<<"$output"
	ok $? "$name: succeeds"
	check "$name: is gone" wait_for 10 gone "$name"
}

# own_power KERNEL - tests/guest/power does what it is asked.
own_power() {
	printf '%s\n' "name = 'power'" "type = 'pvh'" "kernel = '$1'" \
		"memory = 64" >"$work/power.cfg"
	waits() {
		[ "$(grep -ac '^power waits' "$(console_log power)")" = "$1" ]
	}
	check "power: is created" xl create -q "$work/power.cfg"
	check "power: waits" wait_for 20 waits 1
	check "power: is asked to reboot" xl reboot power
	check "power: has begun anew" wait_for 30 waits 2
	check "power: shuts down when asked" xl shutdown -w power
	check "power: is gone" wait_for 10 gone power
	# Its last words may still be on their way into the log.
	check "power: did it by itself" wait_for 10 console_has power '^SUCCESS'
}

# debug KERNEL NAME [COMMAND...] - GDB attaches to a guest and does that; the number of
# the process that it talks to is in $work/NAME.gdb.
debug() {
	local kernel=$1 name=$2 command args=()

	shift 2
	for command in "$@"; do args+=(-ex "$command"); done
	timeout 300 gdb -batch -nx "$kernel" -ex 'set confirm off' \
		-ex "target remote | echo \$\$ >$work/$name.gdb; exec xl gdb $name" \
		"${args[@]}" 2>&1
}

# own_gdb IMAGES - guests of ours under a debugger, that go on when it leaves.
own_gdb() {
	printf '%s\n' "name = 'stepped'" "type = 'pvh'" "kernel = '$1/hello.elf'" \
		"memory = 64" "cmdline = 'before'" >"$work/stepped.cfg"
	check "gdb: a guest waits for it" xl create -q -p "$work/stepped.cfg"
	# shellcheck disable=SC2016 # the dollars are GDB's
	output=$(debug "$1/hello.elf" stepped 'shell xl unpause stepped' \
		'break guest_main' 'continue' 'printf "is %s\n", cmdline' \
		'set {char[7]}cmdline = "after!"' 'x/s cmdline' \
		'break events_sleep' 'continue' 'print ns' 'set $was = $pc' 'stepi' \
		'printf "stepped %d\n", $pc != $was' 'delete' 'finish' 'detach')
	grep -q 'Breakpoint 1, guest_main' <<<"$output" && grep -q '^is before$' <<<"$output"
	ok $? "gdb: stops where it was told, and reads memory"
	grep -q '"after!"' <<<"$output"
	ok $? "gdb: writes memory"
	grep -q 'Breakpoint 2, events_sleep' <<<"$output" &&
		grep -q '= 20000000$' <<<"$output"
	ok $? "gdb: goes on to the next, and reads a register"
	grep -q '^stepped 1$' <<<"$output" && grep -q '^guest_main (' <<<"$output" &&
		grep -q 'detached\]$' <<<"$output"
	ok $? "gdb: steps, runs to the end of a function, and detaches"
	check "gdb: the guest goes on" wait_for 30 console_has stepped '^SUCCESS'
	check "gdb: with what was written" console_has stepped '^hello cmdline=after!'
	check "gdb: the guest is gone" wait_for 10 gone stepped

	printf '%s\n' "name = 'left'" "type = 'pvh'" "kernel = '$1/power.elf'" \
		"memory = 64" >"$work/left.cfg"
	check "gdb: another guest" xl create -q "$work/left.cfg"
	check "gdb: it waits" wait_for 20 console_has left '^power waits'
	# It has a breakpoint where it will come to when it is asked.
	output=$(debug "$1/power.elf" left 'set breakpoint always-inserted on' \
		'break events_upcall' 'info threads' \
		"shell xl gdb left </dev/null 2>&1" \
		"shell kill -9 \$(cat $work/left.gdb)")
	grep -q 'Thread 1 .vcpu 0' <<<"$output" &&
		grep -q 'has a debugger; there can be but one' <<<"$output"
	ok $? "gdb: one that runs is stopped, for one debugger"
	check "gdb: killed, it leaves nothing behind" xl shutdown -w left
	check "gdb: that guest goes on" wait_for 30 console_has left '^SUCCESS'
	check "gdb: and is gone" wait_for 10 gone left

	printf '%s\n' "name = 'many'" "type = 'pvh'" "kernel = '$1/smp.elf'" \
		"memory = 64" "vcpus = 4" "cmdline = 'vcpus=4'" >"$work/many.cfg"
	check "gdb: a guest with four vCPUs" xl create -q -p "$work/many.cfg"
	output=$(debug "$1/smp.elf" many 'shell xl unpause many' 'watch ncpus' \
		'continue' 'delete' 'break work' 'continue' 'info threads' \
		'continue' 'delete' 'continue')
	grep -q '^New value = 4' <<<"$output"
	ok $? "gdb: a variable is watched"
	[ "$(grep -o 'Thread [1-4] hit Breakpoint' <<<"$output" | sort -u | wc -l)" = 2 ] &&
		grep -q 'Thread 4 .vcpu 3' <<<"$output"
	ok $? "gdb: two of them come to the same place"
	grep -q 'exited normally' <<<"$output"
	ok $? "gdb: sees the end"
	check "gdb: all four have done their work" wait_for 10 console_has many '^SUCCESS'
	check "gdb: and they are gone" wait_for 10 gone many
}

# said NAME PATTERN N - there are N such lines on its console.
said() { [ "$(grep -acE "$2" "$(console_log "$1")")" = "$3" ]; }

# right_time NAME SINCE - what it said last of the time of day is so: it was then,
# or later.
right_time() {
	local t now

	now=$(date +%s)
	t=$(sed -n 's/.* wall=\([0-9]*\).*/\1/p' "$(console_log "$1")" | tail -n 1)
	[ $((now - t)) -ge -2 ] && [ $((t - $2)) -ge -2 ]
}

# own_suspend KERNEL NAME TIMES [LINE...] - tests/guest/suspend is suspended and
# resumed in both ways, at work.
own_suspend() {
	local kernel=$1 name=$2 times=$3 i failed=0 since

	shift 3
	printf '%s\n' "name = '$name'" "type = 'pvh'" "kernel = '$kernel'" \
		"memory = 64" "$@" >"$work/$name.cfg"
	check "$name: is created" xl create -q "$work/$name.cfg"
	check "$name: waits" wait_for 20 said "$name" '^suspend waits' 1
	check "$name: is suspended" xl suspend "$name"
	check "$name: is listed as suspended" \
		sh -c "xl list $name | grep -qE -- ' ---ss- '"
	output=$(xl suspend "$name" 2>&1)
	[ $? = 1 ] && grep -q 'is suspended already' <<<"$output"
	ok $? "$name: a second request is refused"
	sleep 2
	check "$name: nothing has happened to it" xl list "$name"
	since=$(date +%s)
	check "$name: is resumed" xl resume "$name"
	check "$name: goes on" wait_for 20 said "$name" '^suspend cancelled' 1
	check "$name: knows the time" right_time "$name" "$since"
	output=$(xl resume "$name" 2>&1)
	[ $? = 1 ] && grep -q 'is not suspended' <<<"$output"
	ok $? "$name: is not resumed when it runs"
	for i in $(seq "$times"); do
		xl suspend "$name" && sv-domctl "$(xl domid "$name")" anew &&
			wait_for 30 said "$name" '^suspend anew' "$i" &&
			xl suspend "$name" && since=$(date +%s) &&
			xl resume "$name" &&
			wait_for 30 said "$name" '^suspend cancelled' \
				$((i + 1)) || failed=$((failed + 1))
	done
	output=$(tail -n 20 "$(console_log "$name")" "$logs/hv-$name.log")
	ok $failed "$name: goes on anew, and after a cancelled one, $times times"
	check "$name: knows the time in another life" right_time "$name" "$since"
	check "$name: is suspended and paused" \
		sh -c "xl suspend $name && xl pause $name && xl resume $name &&
			xl list $name | grep -qE -- ' --p--- ' && xl unpause $name"
	check "$name: goes on then, too" \
		wait_for 20 said "$name" '^suspend cancelled' $((times + 2))
	check "$name: shuts down when asked" xl shutdown -w "$name"
	check "$name: is gone" wait_for 10 gone "$name"
	wait_for 10 over "$name"
	output=$(cat "$(console_log "$name")")
	grep -qa '^SUCCESS' <<<"$output"
	ok $? "$name: succeeds"
}

# own_reset KERNEL NAME TIMES [LINE...] - tests/guest/suspend asks for soft resets at
# work: the same domain goes on, and so do its devices.
own_reset() {
	local kernel=$1 name=$2 times=$3 domid pid

	shift 3
	printf '%s\n' "name = '$name'" "type = 'pvh'" "kernel = '$kernel'" \
		"memory = 64" "$@" >"$work/$name.cfg"
	check "$name: is created" xl create -q "$work/$name.cfg"
	domid=$(xl domid "$name")
	pid=$(cut -d ' ' -f 1 "$SPLITVISOR_RUN_DIR/dom/$domid/hv.pid")
	check "$name: goes on after each of $times soft resets" \
		wait_for 60 said "$name" '^suspend waits' 1
	check "$name: there were so many" said "$name" '^suspend reset' "$times"
	[ "$(xl domid "$name")" = "$domid" ] && kill -0 "$pid"
	ok $? "$name: is the same domain, of the same VMM"
	check "$name: shuts down when asked" xl shutdown -w "$name"
	check "$name: is gone" wait_for 10 gone "$name"
	wait_for 10 over "$name"
	output=$(cat "$(console_log "$name")" "$logs/xl-$name.log")
	grep -qa '^SUCCESS' <<<"$output" &&
		[ "$(grep -c 'has been reset' <<<"$output")" = "$times" ]
	ok $? "$name: succeeds"
}

# hears PID INTERFACE - that process takes its frames: a packet socket is bound to it.
hears() {
	local index

	index=$(ip -o link show "$2" | cut -d: -f1) &&
		awk -v i="$index" '$5 == i { found = 1 } END { exit !found }' \
			"/proc/$1/net/packet"
}

# echo_bridge - a bridge svecho0, where an echo sends all frames back; its process is
# $echo.
echo_bridge() {
	ip link add svecho0 address 02:00:00:00:00:01 type bridge
	sysctl -q net.ipv6.conf.svecho0.disable_ipv6=1
	ip link set svecho0 up
	sv-netecho svecho0 &
	echo=$!
	wait_for 10 hears "$echo" svecho0
}

# with_card HOW ARG... - the same, with a card whose frames come back.
with_card() {
	echo_bridge
	"$@" "vif = ['bridge=svecho0,mac=00:16:3e:00:00:0c']"
	kill "$echo"
	ip link del svecho0
}

own_net() { with_card own "$@"; }

kernel_of() { echo "$guests/vmlinuz-$1"; }

console_log() { echo "$logs/console/guest-$1.log"; }

# over NAME - its test has come to its end.
over() { console_has "$1" '^(SUCCESS|SKIP|ERROR|FAILURE)'; }

console_has() { grep -qaE "$2" "$(console_log "$1")"; }

listed() { xl list "$1" >/dev/null 2>&1; }

gone() { ! listed "$1"; }

# at RUN_DIR COMMAND... - the same, on another host.
at() {
	local run=$1

	shift
	SPLITVISOR_RUN_DIR=$run XENSTORED_PATH=$run/xenstored.sock logs=$run/log "$@"
}

# finish_at RUN_DIR... - what finish() does, when other hosts have ended.
finish_at() {
	local d host

	for host; do
		for d in "$host"/dom/*/; do
			[ -d "$d" ] && at "$host" xl destroy "$(basename "$d")" 2>/dev/null
		done
		at "$host" our_processes | xargs -r kill 2>/dev/null
	done
	finish
}

# config NAME KERNEL_ALIAS INITRAMFS SVTEST [LINE...] - write and print a file.
config() {
	local name=$1 kernel=$2 initramfs=$3 svtest=$4 file=$work/$1.cfg

	shift 4
	{
		echo "name = '$name'"
		echo "type = 'pvh'"
		echo "kernel = '$(kernel_of "$kernel")'"
		echo "ramdisk = '$guests/$initramfs'"
		echo "cmdline = 'console=hvc0 quiet svtest=$svtest'"
		printf '%s\n' "$@"
	} >"$file"
	echo "$file"
}

# hear_stream ADDRESS - from now on a bridge of this host has it, and what comes of
# a guest's test "stream" to its port 7003 is kept.
hear_stream() {
	ip link add xenbr0 type bridge
	ip addr add "$1/24" dev xenbr0
	ip link set xenbr0 up
	# It has nothing to say, and goes on.
	mkfifo "$work/mute"
	busybox nc -l -p 7003 <>"$work/mute" >"$work/stream" 2>/dev/null &
	listener=$!
}

lines() { wc -l <"$work/stream"; }
more_lines() { [ "$(lines)" -gt "$1" ]; }

# stream_flows LABEL - more of it comes.
stream_flows() {
	check "$1: its connection goes on" wait_for 60 more_lines $(($(lines) + 10))
}

# whole_stream - each of its lines once, in order; the last may not be whole.
whole_stream() {
	local n

	n=$(lines)
	[ "$n" -gt 100 ] || return 1
	cmp <(head -n "$n" "$work/stream") <(seq -f 'line %.0f of the stream' "$n")
}

# counters NAME - what the VMM counts and the vCPUs do, twice: does the guest
# sleep, spin or work?
counters() {
	local i domid

	domid=$(xl domid "$1") || return
	xl list "$1"
	for i in 1 2; do
		echo "counters, $i:"
		sv-domctl "$domid" stats | paste -sd' '
		sv-domctl "$domid" vcpus
		sleep 2
	done
}

# boot FILE NAME SECONDS - create, then wait until the guest's tests are done.
boot() {
	xl create -q "$1" || return 1
	wait_for "$3" console_has "$2" 'SPLITVISOR-DONE' || {
		echo "no SPLITVISOR-DONE in $3 s times ${patience:-1}"
		tail -n 30 "$(console_log "$2")"
		tail -n 10 "$logs/hv-$2.log"
		counters "$2"
		return 1
	}
}

# facts NAME - what the guest said of itself.
facts() { tr -d '\r' <"$(console_log "$1")" | grep -a '^SPLITVISOR-'; }

# belongs FILE... - which of such environ files are of this run directory's processes;
# others may have one whose name only begins alike.
belongs() { grep -szlxF "SPLITVISOR_RUN_DIR=$SPLITVISOR_RUN_DIR" "$@"; }

# our_processes - pids of everything that belongs to this run directory.
our_processes() {
	local env

	for env in $(belongs /proc/[0-9]*/environ); do
		env=${env#/proc/}
		env=${env%/environ}
		case $(cat "/proc/$env/comm" 2>/dev/null) in
		sv-* | xl*) echo "$env" ;;
		esac
	done
}

# pid_of PROGRAM - a process of that name here; first those of the name, for there
# are many others.
pid_of() {
	local dir

	for dir in $(grep -sxl "$1" /proc/[0-9]*/comm); do
		dir=${dir%/comm}
		if belongs "$dir/environ" >/dev/null; then
			echo "${dir#/proc/}"
			return
		fi
	done
	return 1
}

# monitor_of NAME - the process that looks after it: it holds the owner lock.
monitor_of() {
	local fd

	fd=$(find /proc/[0-9]*/fd -lname "$SPLITVISOR_RUN_DIR/dom/$(xl domid "$1")/owner" \
		2>/dev/null | head -n 1)
	fd=${fd#/proc/}
	echo "${fd%%/*}"
}

# shoot PROGRAM SIGNAL - whether there was one to send it to.
shoot() {
	local pid

	pid=$(pid_of "$1") && kill "-$2" "$pid" 2>/dev/null
}

# halt PID... - stop each; what one thread is told the others hear a moment later.
halted() {
	local pid

	for pid in "$@"; do
		! grep -sL '^State:.[Tt]' "/proc/$pid/task"/*/status | grep -q . ||
			return 1
	done
}
halt() { kill -STOP "$@" && wait_for 10 halted "$@"; }

# only_daemons - who has been destroyed may take a moment to end for good: its
# monitor, its workers.
only_daemons() {
	! our_processes | xargs -I{} cat /proc/{}/comm |
		grep -vE '^sv-(xenstored|storekeeper|storespare|backend|console|consolepty)$'
}

# at_rest COMMAND... - for a second it has had the same to say.
at_rest() {
	local was

	was=$("$@")
	sleep 1
	[ "$("$@")" = "$was" ]
}

finish() {
	local pids

	for d in "$SPLITVISOR_RUN_DIR"/dom/*/; do
		[ -d "$d" ] && xl destroy "$(basename "$d")" 2>/dev/null
	done
	mapfile -t pids < <(our_processes)
	[ -z "${listener:-}" ] || kill "$listener" 2>/dev/null
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
	if [ -n "${KEEP_LOGS:-}" ] && [ -d "$logs" ]; then
		mkdir -p "$KEEP_LOGS/$(basename "$0" .sh)"
		cp -r "$logs"/. "$KEEP_LOGS/$(basename "$0" .sh)/"
	fi
	ip link del xenbr0 2>/dev/null
	rm -rf "$work"
	echo "1..$tests_done"
}
trap finish EXIT
mkdir -p "$SPLITVISOR_RUN_DIR"

# ---- daemons without xl, and domains without a vCPU (sv-consoleguest) -------

declare -A to=() procs=()

# host_without_guests - instead of what finish() does: nothing of xl's runs.
host_without_guests() {
	cd "$work" || exit 1
	trap 'kill "${procs[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT
}

# start NAME PROGRAM ARG... - run until it says that it is ready.
start() {
	local name=$1 rd

	shift
	mkfifo "$work/$name.ready"
	exec {rd}<>"$work/$name.ready"
	"$@" --ready-fd 9 9>"$work/$name.ready" 2>>"$work/$name.err" &
	procs[$name]=$!
	[ "$(timeout 60 head -c 1 <&"$rd" | wc -c)" = 1 ]
	local status=$?
	exec {rd}>&-
	rm "$work/$name.ready"
	return $status
}

stop() { # NAME SIGNAL
	kill "-$2" "${procs[$1]}"
	wait "${procs[$1]}" 2>/dev/null
	unset "procs[$1]"
}

# no_process PID
no_process() { ! kill -0 "$1" 2>/dev/null; }

guest() { # DOMID NAME [half]
	mkfifo "$work/in.$1"
	: >"$work/out.$1"
	# Nobody waits for another to open the other end, who may have been killed.
	exec {fd}<>"$work/in.$1"
	sv-consoleguest "$@" >"$work/out.$1" 2>&1 <"$work/in.$1" {fd}>&- &
	procs[guest$1]=$!
	to[$1]=$fd
}

# named DOMID NAME - xl knows it by that name.
named() {
	printf '%s' "$2" >"$SPLITVISOR_RUN_DIR/dom/$1/name" && listed "$2"
}

# give_disk DOMID FILE - as xl does; then it can be told "disk O Q".
give_disk() {
	local fe=/local/domain/$1/device/vbd/51712
	local be=/local/domain/0/backend/vbd/$1/51712

	truncate -s 1M "$2"
	xenstore-write "$fe/backend-id" 0 "$fe/backend" "$be" "$fe/state" 1 \
		"$be/params" "$(realpath "$2")" "$be/frontend-id" "$1" \
		"$be/online" 1 "$be/type" phy "$be/mode" w \
		"$be/device-type" disk "$be/frontend" "$fe" "$be/state" 1
}

tell() { # DOMID COMMAND; waits until it is obeyed
	local before
	before=$(grep -ac "^done" "$work/out.$1")
	echo "$2" >&"${to[$1]}"
	wait_for 20 obeyed "$1" "$before"
}
obeyed() { [ "$(grep -ac '^done' "$work/out.$1")" -gt "$2" ]; }

end() { # DOMID
	echo end >&"${to[$1]}"
	wait "${procs[guest$1]}"
	unset "procs[guest$1]"
}

tty_of() { xenstore-read "/local/domain/$1/console/tty" 2>/dev/null; }
has_tty() { [ -c "$(tty_of "$1")" ]; }
