#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/console_sandbox.sh - what sv-console can still do: all of its work, and
# nothing else.
#
# Each system call that its sources name is left out in turn: the same work must
# end it then, with the name of that call in its log.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
host_without_guests
out=$project/build/gcc-plain
log=$logs/console/guest-three.log
: >"$work/secret"

# prepare - a store, and for the console a log that is so long that it is moved to LOG.1
prepare() {
	rm -rf "$XENSTORED_PATH"* "$SPLITVISOR_RUN_DIR"/{dom,log} \
		"$work"/{*.err,*.err.1,screen,in.3,out.3}
	start store sv-xenstored --no-sandbox || return 1
	truncate -s 17M "$work/console.err"
}
console() { # ARG...
	prepare && start console sv-console --log-max 65536 "$@"
}
pid() { echo "${procs[console]}"; }
child() { pgrep -P "$(pid)" -x sv-consolepty; }
says() { cat "$work"/console.err{.1,} 2>/dev/null | tr -d '\0'; }

# Whatever makes it ask the kernel for something: a guest that comes, prints, is typed
# to and goes, readers, logs that are full or begun anew, its end.
work() {
	local tty reader

	guest 3 three
	wait_for 10 has_tty 3 || return 1
	tty=$(tty_of 3)
	tell 3 'say first' && wait_for 10 grep -qa first "$log" || return 1
	echo 'typed text' >"$tty"
	wait_for 10 grep -qa 'typed text' "$work/out.3" || return 1
	kill -HUP "$(pid)"
	cat "$tty" >"$work/screen" 2>/dev/null &
	reader=$!
	wait_for 10 grep -qa first "$work/screen" && tell 3 'print 3000' &&
		wait_for 10 test -e "$log.1" && tell 3 'mute last words' &&
		end 3 && wait_for 10 no_process $reader &&
		grep -qa 'last words' "$work/screen" && kill "$(pid)"
}

# ended - how it did; 124 if it has not in five minutes
ended() {
	local status=0

	timeout 300 tail -f --pid="$(pid)" /dev/null || return 124
	wait "$(pid)" || status=$?
	unset "procs[console]"
	return $status
}
end_all() {
	mapfile -t rest < <(our_processes)
	[ ${#rest[@]} = 0 ] || kill -KILL "${rest[@]}" 2>/dev/null
	wait_for 10 none_left
	wait "${procs[@]}" 2>/dev/null
	procs=()
}
none_left() { [ -z "$(our_processes)" ]; }

console
ok $? "it starts"
work >"$work/said" 2>&1
ok $? "it does its work"
helper=$(child)
ended
ok $? "and ends when told"
check "and with it the process that opens terminals" wait_for 10 no_process "$helper"
output=$(ls -l "$work")
[ "$(stat -c %s "$work/console.err.1")" -gt 17000000 ] &&
	[ "$(stat -c %s "$work/console.err")" -lt 2000 ]
ok $? "its log was moved aside when it was full"
output=$(says)
! grep -E 'not allowed|namespaces' <<<"$output"
ok $? "and tells nothing of it"
end_all

# ---- What the kernel says of it ---------------------------------------------

status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
is_confined() { # NAME PID
	local set failed=0

	output=$(cat "/proc/$2/status")
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$(status "$2" $set)" = 0000000000000000 ] || failed=1
	done
	ok $failed "$1: has no capability and cannot get one"
	[ "$(status "$2" NoNewPrivs)" = 1 ] &&
		! grep -hE '^Seccomp:' "/proc/$2"/task/*/status | grep -qv 2
	ok $? "$1: no new privileges, and each thread has a filter of system calls"
	output=$(find -L "/proc/$2/fd/" -mindepth 1 -type d -exec ls -ld {} +)
	[ -z "$output" ]
	ok $? "$1: holds no directory"
}

console
guest 3 three
wait_for 10 has_tty 3
ok $? "another one"
helper=$(child)
is_confined console "$(pid)"
is_confined helper "$helper"
output=$(ls -l "/proc/$helper/fd")
[ "$(find "/proc/$helper/fd" -type l | wc -l)" = 4 ]
ok $? "helper: has nothing open but its socket"
for space in mnt ipc uts net; do
	output=$(readlink "/proc/$(pid)/ns/$space")
	[ "$output" != "$(readlink /proc/self/ns/$space)" ]
	ok $? "$space: a namespace of its own"
done
output=$(cat "/proc/$(pid)/limits")
[ "$(grep -cE '^Max (core file size|locked memory|msgqueue size) +0 +0 ' \
	<<<"$output")" = 3 ]
ok $? "no core files, locked memory or queues"
root=/proc/$(pid)/root
output=$(ls -A "$root" "$root/dev" "$root/tmp")
[ "$output" = "$(printf '%s\n' "$root:" dev tmp '' "$root/dev:" pts '' "$root/tmp:" \
	"${work#/tmp/}")" ] && [ "$(ls -A "$root$work")" = run ]
ok $? "of files it sees the directories of sockets and of its logs alone"
output=$(touch "$root/x" "$root$SPLITVISOR_RUN_DIR/"{x,dom/x,log/x} \
	"$root/dev/x" 2>&1)
[ "$(grep -c 'Read-only' <<<"$output")" = 5 ]
ok $? "where it can make nothing"
check "but logs" touch "$root$logs/console/x"
output=$(cat "$root$(tty_of 3)" 2>&1)
grep -q 'Permission denied' <<<"$output"
ok $? "it can open no terminal by its name"
output=$(make -s -C "$project" print-calls-sv-console)
[ -n "$output" ] && ! grep -xE "(open|exec|v?fork|ptrace|process_vm|mount|umount|pivot|\
set[ug]id|kill|tkill|bpf|init_module|finit|keyctl|add_key|unshare|setns|prctl|\
io_uring|userfault|perf|mknod|chmod|chown|symlink|link|unlink|bind|listen|accept|\
memfd|pidfd).*" <<<"$(grep -vx openat <<<"$output")"
ok $? "no call is allowed that has no place in it"
output=$(sed -n 's/.*{ SYS_openat, //p' "$out/calls/sv-console.c")
[ "$output" = '0, O_WRONLY },' ]
ok $? "files are opened for writing alone"
kill -KILL "$helper"
ended
[ $? = 1 ] && grep -q 'opens terminals has ended' <<<"$(says)"
ok $? "without its helper it ends, and says why"
end_all

console
helper=$(child)
kill "$helper"
kill -KILL "$(pid)"
ended 2>/dev/null
check "killed, it leaves no helper" wait_for 10 no_process "$helper"
end_all

console --no-sandbox
ok $? "--no-sandbox: starts"
output=$(cat "/proc/$(pid)/status")
[ "$(status "$(pid)" Seccomp)" = 0 ] && ! child &&
	[ "$(status "$(pid)" CapEff)" = 0000000000000000 ] &&
	[ "$(readlink "/proc/$(pid)/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]
ok $? "--no-sandbox: keeps all but its capabilities"
work >"$work/said" 2>&1 && ended
ok $? "--no-sandbox: does its work"
end_all

# ---- One of somebody else -----------------------------------------------------

as_user=(setpriv --reuid 12345 --regid 12345 --clear-groups)
if "${as_user[@]}" unshare --user true 2>/dev/null; then
	mkdir "$work/bin"
	cp "$project/build/bin/"sv-{xenstored,console,consoleguest} "$work/bin"
	chmod 755 "$work"
	install -d -o 12345 -g 12345 "$work/user"
	mkfifo "$work/user/in"
	export SPLITVISOR_RUN_DIR=$work/user XENSTORED_PATH=$work/user/socket
	start store "${as_user[@]}" "$work/bin/sv-xenstored" &&
		start console "${as_user[@]}" "$work/bin/sv-console"
	ok $? "not root: it starts"
	"${as_user[@]}" "$work/bin/sv-consoleguest" 3 three <>"$work/user/in" \
		>"$work/out.3" 2>&1 &
	procs[guest3]=$!
	user_tty() {
		[ -c "$("${as_user[@]}" xenstore-read /local/domain/3/console/tty)" ]
	}
	check "not root: serves a guest" wait_for 10 user_tty
	output=$(says)
	grep -qE '^CapBnd:\s0+$' "/proc/$(pid)/status" &&
		! grep -q 'namespaces' <<<"$output"
	ok $? "not root: it has no capability, and namespaces of its own"
	output=$(find "/proc/$(pid)/root/etc" 2>&1)
	[ $? = 1 ]
	ok $? "not root: it sees no other files"
	end_all
	export SPLITVISOR_RUN_DIR=$work/run XENSTORED_PATH=$work/run/xenstored.sock
else
	ok 0 "not root: # SKIP this host gives users no namespaces"
fi

# ---- Each call is needed ------------------------------------------------------

# left_out PROCESS CALL - it dies of that, as with all of them it did not.  The console
# says so where signals are not blocked, as they are in libevent's handlers and where
# threads begin and end; the helper always.
left_out() { # PROCESS CALL
	local worker status call=$2

	prepare
	OF=$1 WITHOUT=$call LD_PRELOAD=$out/tests/lib/onecall.so \
		sv-console --log-max 65536 2>>"$work/console.err" &
	procs[console]=$!
	work >/dev/null 2>&1 &
	worker=$!
	ended
	status=$?
	kill "$worker" 2>/dev/null
	wait "$worker" 2>/dev/null
	missed() { says | grep -qE "^consolepty: .*\($call\) is not allowed"; }
	[ "$1" = sv-console ] || wait_for 10 missed
	end_all
	echo "ended with $status"
	says | tee -a "$work/all"
	if [ "$1" = sv-console ]; then
		[ $status = 159 ]
	else
		missed
	fi
}
mapfile -t calls < <(make -s -C "$project" print-calls-sv-console)
for call in "${calls[@]}"; do
	check "$call is needed" left_out sv-console "$call"
done
mapfile -t calls < <(sed -n 's/.*{ .nr = SYS_\([a-z_0-9]*\).*/\1/p' \
	"$project/dom0-backend/ptmx.c" | sort -u)
for call in "${calls[@]}"; do
	[[ $call =~ ^(write|rt_sigreturn|restart_syscall)$ ]] ||
		check "helper: $call is needed" left_out sv-consolepty "$call"
done
output=$(grep -c '^console: .* is not allowed' "$work/all")
[ "$output" -gt 10 ]
ok $? "its log has the names of most"
echo "1..$tests_done"
