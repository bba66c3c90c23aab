#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/sandbox.sh - what a device's worker can still do: all of its work, and
# nothing else.
#
# Process domains have a device each, and each worker is without one of the system
# calls that its sources name: it must die for want of it, and say so.
# Interfaces are made in a network namespace of the test's own.
[ -n "${SANDBOX_TEST_NETNS:-}" ] ||
	SANDBOX_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
out=$project/build/gcc-plain
workers=(sv-blkback sv-netback)
pid=

# Each worker has a log of its own, which is too long already, and does without the
# calls in a file by its domain's name, until it has missed them.
mkdir "$work"/{real,without,worker,domid}
cat >"$work/wrapper" <<-'END'
	#!/bin/sh
	work=${0%/bin/*}
	domid=${*#*--domid }
	name=$(xenstore-read "/local/domain/${domid%% *}/name")
	log=$work/worker/$name
	echo "${domid%% *}" >"$work/domid/$name"
	[ -e "$log" ] || truncate -s 17M "$log"
	exec 2>>"$log"
	without=$(cat "$work/without/$name" 2>/dev/null)
	if [ "$name" = hopeless ] || { [ -n "$without" ] &&
		! tail -qc 20000 "$log" "$log.1" 2>&1 |
			grep -qa 'is not allowed'; }; then
		export LD_PRELOAD="$ONECALL" WITHOUT="${without:-recvmsg}"
	fi
	exec "$work/real/${0##*/}" "$@"
END
export ONECALL=$out/tests/lib/onecall.so
for w in "${workers[@]}"; do
	mv "$work/bin/$w" "$work/real/"
	install "$work/wrapper" "$work/bin/$w"
done

# What a guest says whose work went well.  A network may lose frames, and a machine
# that is busy does.
declare -A well=(
	[sv-blkback]='^SUCCESS'
	[sv-netback]='^netstream sent=[1-9].* twice=0 bad=0 .* unanswered=0 '
)

# domain NAME WORKER - one with a device at work until it must have been seen, or has
# been looked at.
domain() {
	local ms=60000 each=500 # kind of disk work: there are nine

	[[ $1 != look-* ]] || ms=30000 each=2500
	{
		printf '%s\n' "name = '$1'" "type = 'pvh'" "memory = 64"
		case $2 in
		sv-blkback)
			truncate -s 16M "$work/disk-$1"
			printf '%s\n' "kernel = '$out/procdom/block'" \
				"cmdline = 'ops=20 ms=$each'" \
				"disk = ['$work/disk-$1,raw,xvda,w']"
			;;
		sv-netback)
			printf '%s\n' "kernel = '$out/procdom/netstream'" \
				"cmdline = 'queues=2 ms=$ms'" \
				"vif = ['bridge=svecho0']"
			;;
		esac
	} >"$work/$1.cfg"
	xl create -q "$work/$1.cfg"
}

# each_worker WORKER - "PID DOMID" of each that runs here.
each_worker() {
	local p cmd

	for p in $(our_processes); do
		grep -sqx "$1" "/proc/$p/comm" || continue
		cmd=$(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline")
		cmd=${cmd#*--domid }
		echo "$p ${cmd%% *}"
	done
}
serves() { # WORKER DOMID [OTHER_PID] - sets pid
	pid=$(each_worker "$1" | sed -n "s/ $2\$//p")
	[ -n "$pid" ] && [ "$pid" != "${3:-}" ] && [ "$(status Seccomp)" = 2 ]
}
status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"; }
finished() { console_has "$1" '^(SUCCESS|FAILURE|ERROR)'; }

# ---- What the kernel says of one --------------------------------------------

no_odd_calls() { # PROGRAM MORE
	output=$(sed -n 's/.*{ SYS_\([a-z0-9_]*\), 0, .*/\1/p' "$out/calls/$1.c")
	[ -n "$output" ] && ! grep -xE "(open|exec|v?fork|ptrace|process_vm|mount|\
umount|pivot|set[ug]id|kill|tkill|bpf|init_module|finit|keyctl|add_key|unshare|setns|\
userfault|perf|mknod|chmod|chown|symlink|link|rename|bind|listen|pidfd|$2).*" \
		<<<"$output"
	ok $? "$1: no call is allowed that has no place in it"
}

looks() { # WORKER
	local name=look-$1 domid set space failed=0 root

	output=$(domain "$name" "$1" 2>&1)
	ok $? "$1: has a guest"
	domid=$(xl domid "$name")
	wait_for 20 serves "$1" "$domid"
	ok $? "$1: serves it, with a filter of system calls"
	output=$(cat "/proc/$pid/status" "/proc/$pid"/task/*/status)
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$(status $set)" = 0000000000000000 ] || failed=1
	done
	ok $failed "$1: has no capability and cannot get one"
	[ "$(status NoNewPrivs)" = 1 ] &&
		! grep -hE '^Seccomp:' "/proc/$pid"/task/*/status | grep -qv 2
	ok $? "$1: no new privileges, and each thread has the filter"
	failed=0
	for space in mnt ipc uts net; do
		output+=$(readlink "/proc/$pid/ns/$space")
		[ "$(readlink "/proc/$pid/ns/$space")" != \
			"$(readlink /proc/self/ns/$space)" ] || failed=1
	done
	ok $failed "$1: has namespaces of its own"
	output=$(cat "/proc/$pid/limits")
	[ "$(grep -cE '^Max (core file size|msgqueue size) +0 +0 ' \
		<<<"$output")" = 2 ]
	ok $? "$1: no core files or queues"
	root=/proc/$pid/root
	output=$(ls -A "$root" "$root/tmp" 2>&1)
	[ "$(ls -A "$root" "$root/tmp")" = "$(printf '%s\n' "$root:" tmp '' \
		"$root/tmp:" "${work#/tmp/}")" ]
	ok $? "$1: of files it sees the store's directory alone"
	output=$(ls -lR "$root$work" 2>&1)
	[ -S "$root$XENSTORED_PATH" ] &&
		[ -z "$(find "$root$SPLITVISOR_RUN_DIR"/{dom,journal} -mindepth 1)" ]
	ok $? "$1: and in it no domain's socket, and no journal"
	output=$(touch "$root/x" "$root$SPLITVISOR_RUN_DIR/"{x,dom/x} 2>&1)
	[ "$(grep -c 'Read-only' <<<"$output")" = 3 ]
	ok $? "$1: where it can make nothing"
	output=$(find -L "/proc/$pid/fd/" -mindepth 1 -type d -exec ls -ld {} +)
	[ -z "$output" ]
	ok $? "$1: it holds no directory"
	no_odd_calls "$1" 'unlink|accept|memfd|prctl'
	kill "$pid"
	wait_for 20 serves "$1" "$domid" "$pid"
	ok $? "$1: another goes on when it has ended"
	check "$1: the guest finishes its work" wait_for 60 finished "$name"
	output=$(tr -d '\0' <"$work/worker/$name"; cat "$(console_log "$name")")
	console_has "$name" "${well[$1]}" &&
		! grep -aE 'not allowed|namespaces' "$work/worker/$name"
	ok $? "$1: which went well"
	output=$(ls -l "$work/worker")
	[ "$(stat -c %s "$work/worker/$name")" -lt 100000 ] &&
		[ "$(stat -c %s "$work/worker/$name.1")" -gt 17000000 ]
	ok $? "$1: its log was moved aside when it was full"
}

# ---- Each call is needed ----------------------------------------------------

name_of() { tr / + <<<"no-$1"; } # CALL
log_of() { tail -qc 20000 "$work/worker/$(name_of "$1")"{,.1} 2>&1 | tr -d '\0'; }
domid_of() { cat "$work/domid/$(name_of "$1")"; }

# Whether it was missed.  Where all signals are blocked, as in libevent's handlers and
# where threads begin and end, nothing can be said; nor by who cannot write.
silent="rt_sigreturn|write|clone/clone3|exit|mprotect|munmap|getpid|tgkill|rt_sigprocmask"
missed() { # CALL
	log_of "$1" | grep -qE "\((${1//\//|})\) is not allowed" && return
	[[ $1 =~ ^($silent)$ ]] && grep -q \
		"domain $(domid_of "$1"), was ended by signal 31" \
		"$logs/sv-backend.log"
}

# Whether all were; else, each second, all workers that are left end: others follow.
all_missed() { # WORKER CALL...
	local call left=() id worker=$1

	shift
	for call in "$@"; do
		missed "$call" || left+=("$(domid_of "$call")")
	done
	[ ${#left[@]} -gt 0 ] || return 0
	[ $SECONDS != "${ended_at:-}" ] || return 1
	ended_at=$SECONDS
	while read -r pid id; do
		[[ " ${left[*]} " = *" $id "* ]] && kill "$pid"
	done < <(each_worker "$worker")
	return 1
}

few_needed() { # WORKER CALL...
	local call name

	for call in "${@:2}"; do
		name=$(name_of "$call")
		echo "$call" >"$work/without/$name"
		domain "$name" "$1" 2>>"$work/create.err"
	done
	wait_for 60 all_missed "$@"
	for call in "${@:2}"; do
		output=$(tail -n 5 "$work/create.err"; log_of "$call")
		missed "$call"
		ok $? "$1: $call is needed"
		xl destroy "$(name_of "$call")" 2>/dev/null
	done
}

# Not more at once than can be at work before it is their turn to end.
all_needed() { # WORKER
	local calls i

	mapfile -t calls < <(make -s -C "$project" "print-calls-$1")
	for ((i = 0; i < ${#calls[@]}; i += 6)); do
		few_needed "$1" "${calls[@]:i:6}"
	done
}

# A worker that does so each time is not tried for ever.
gives_up() { # WORKER
	output=$(domain hopeless "$1" 2>&1)
	grep -q "$1 makes a system call that its sandbox does not allow" \
		<<<"$output" || wait_for 20 gave_up
	ok $? "$1: after many deaths the device is given up, and the reason told"
}
gave_up() { grep -q 'does not allow' "$logs/sv-backend.log"; }

echo_bridge

# What its VMM is like is told where there is one (lab_life.sh).
no_odd_calls sv-hypervisor 'socket|connect|accept$|io_uring'

for w in ${SANDBOX_TEST_WORKERS:-"${workers[@]}"}; do
	looks "$w"
	all_needed "$w"
	gives_up "$w"
done
kill "$echo"
