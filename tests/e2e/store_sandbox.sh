#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/store_sandbox.sh - what the store can still do: all of its work, and
# nothing else.
#
# Each system call that its sources name is left out in turn: the same work must
# end it then, with the name of that call in its log.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
host_without_guests
out=$project/build/gcc-plain
place=$XENSTORED_PATH.d
journal=$place/journal
lines=$(printf 'x%.0s' {1..1500})

store() { # COMMAND... - a store whose log is so long that it is moved to LOG.1
	rm -rf "$XENSTORED_PATH"* "$work"/{store.*,in.5,out.5}
	truncate -s 17M "$work/store.err"
	start store "$@"
}
pid() { echo "${procs[store]}"; }

# pairs N - that many nodes of 1.5 KiB, as arguments
pairs() {
	local i

	for i in $(seq "$1"); do echo "/big/$i" "$lines"; done
}
names() { seq -f '/big/n%.0f x' "$1"; }
inode() { stat -c %i "$journal"; }

# Whatever makes it ask the kernel for something: a domain that comes, asks and
# goes, a journal that is made anew, a log that is full, its end.
# shellcheck disable=SC2046 # words are what pairs gives
work() {
	local before

	guest 5 five
	tell 5 "ask 10" || return 1
	before=$(inode)
	for _ in {1..12}; do
		xenstore-write $(pairs 120) || return 1
		[ "$(inode)" = "$before" ] || break
	done
	xenstore-write $(names 600) && [ "$(xenstore-list /big | wc -l)" = 720 ] ||
		return 1
	[ "$(inode)" != "$before" ] && xenstore-rm /big && end 5 &&
		kill "$(pid)"
}

# ended - how it did; 124 if it has not in five minutes
ended() {
	local status=0

	timeout 300 tail -f --pid="$(pid)" /dev/null || return 124
	wait "$(pid)" || status=$?
	unset "procs[store]"
	return $status
}

store sv-xenstored
ok $? "it starts"
work >"$work/said" 2>&1
ok $? "it does its work"
ended
ok $? "and ends when told"
output=$(ls -l "$work")
[ "$(stat -c %s "$work/store.err.1")" -gt 17000000 ] &&
	[ "$(stat -c %s "$work/store.err")" -lt 2000 ]
ok $? "its log was moved aside when it was full"
output=$(cat "$work/store.err")
! grep -E 'not allowed|namespaces' <<<"$output"
ok $? "and tells nothing of it"

# ---- What the kernel says of it ---------------------------------------------

store sv-xenstored
ok $? "another one"
status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(pid)/status"; }
output=$(cat "/proc/$(pid)/status")
failed=0
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	[ "$(status $set)" = 0000000000000000 ] || failed=1
done
ok $failed "it has no capability and cannot get one"
[ "$(status NoNewPrivs)" = 1 ] && [ "$(status Seccomp)" = 2 ]
ok $? "no new privileges, and a filter of system calls"
for space in mnt ipc uts net; do
	output=$(readlink "/proc/$(pid)/ns/$space")
	[ "$output" != "$(readlink /proc/self/ns/$space)" ]
	ok $? "$space: a namespace of its own"
done
output=$(cat "/proc/$(pid)/limits")
[ "$(grep -cE '^Max (core file size|processes|locked memory|msgqueue size) +0 +0 ' \
	<<<"$output")" = 4 ]
ok $? "no core files, processes, locked memory or queues"
root=/proc/$(pid)/root
seen() { find "$root/" | sed "s|^$root||" | sort; }
expected() {
	local d=$SPLITVISOR_RUN_DIR

	find "$place" "$d/dom"
	echo "$d"
	while d=${d%/*} && [ -n "$d" ]; do echo "$d"; done
	echo /
}
output=$(diff <(seen) <(expected | sort) 2>&1)
ok $? "of files it sees its own directory and that of the domains alone"
output=$(touch "$root$SPLITVISOR_RUN_DIR/dom/x" 2>&1)
grep -q 'Read-only' <<<"$output"
ok $? "and changes nothing where the domains' sockets are"
output=$(touch "$root/x" 2>&1)
grep -q 'Read-only' <<<"$output"
ok $? "nor makes anything elsewhere"
output=$(find -L "/proc/$(pid)/fd/" -mindepth 1 -type d -exec ls -ld {} +)
[ -z "$output" ]
ok $? "it holds no directory"

# ---- Its user -----------------------------------------------------------------

user=$(status Uid | cut -f1)
output=$(cat "/proc/$(pid)/status")
[ "$user" -ge 65520 ] && [ "$(status Uid)" = "$(printf '%s\t%s\t%s\t%s' "$user"{,,,})" ] &&
	[ "$(status Gid)" = "$(status Uid)" ]
ok $? "it is another user than root, in every way"
[ -z "$(status Groups | tr -d ' ')" ]
ok $? "in no group but its own"
of_user() { grep -lE "^Uid:.*\s$user\s" /proc/[0-9]*/status 2>/dev/null; }
output=$(of_user)
[ "$output" = "/proc/$(pid)/status" ]
ok $? "no other process is that one's"
output=$(ls -la "$place")
[ "$(find "$place" ! -uid "$user" -o -perm /077)" = "" ]
ok $? "its files are its own, and nobody else's"
sv-backend --no-console --ready-fd 9 9>"$work/backend.ready" 2>"$work/backend.err" &
procs[backend]=$!
check "sv-backend serves beside it" wait_for 10 test -s "$work/backend.ready"

# What somebody could do who had its user id, even without its sandbox.
as_store=(setpriv --reuid "$user" --regid "$user" --clear-groups)
check "a program can be run as that user" "${as_store[@]}" true
echo secret >"$work/secret"
chmod 600 "$work/secret"
chmod 711 "$work" "$SPLITVISOR_RUN_DIR"
refused() { # TEXT COMMAND...
	local text=$1

	shift
	output=$("$@" 2>&1) && return 1
	grep -q "$text" <<<"$output"
}
refused 'Permission denied' "${as_store[@]}" cat "$work/secret"
ok $? "it cannot read what is for root alone"
refused 'not permitted' "${as_store[@]}" bash -c "kill -0 ${procs[backend]}"
ok $? "nor signal sv-backend"
refused 'Permission denied' "${as_store[@]}" ls "/proc/${procs[backend]}/fd"
ok $? "nor look into it"
refused 'Permission denied' "${as_store[@]}" xenstore-read /tool/xenstored
ok $? "nor connect to the store, as root may"
refused 'Permission denied' "${as_store[@]}" touch "$SPLITVISOR_RUN_DIR/dom/x"
ok $? "nor change anything where the domains' sockets are"
as_other=(setpriv --reuid 12345 --regid 12345 --clear-groups)
refused 'Permission denied' "${as_other[@]}" ls "$place"
ok $? "other users cannot look at its files"
refused 'Permission denied' "${as_other[@]}" touch "$place/x"
ok $? "nor make any there"
refused 'Permission denied' "${as_other[@]}" xenstore-read /tool/xenstored
ok $? "nor connect to it"
stop backend TERM

mapfile -t calls < <(make -s -C "$project" print-calls-sv-xenstored)
output=$(printf '%s\n' "${calls[@]}")
! grep -xE "(exec|clone|v?fork|ptrace|process_vm|mount|umount|pivot|set[ug]id|kill|\
tg?kill|bpf|init_module|finit|open_by|keyctl|add_key|unshare|setns|prctl|ioctl|\
io_uring|userfault|perf|mknod|chmod|chown|symlink|link|bind|listen|sendto).*" \
	<<<"$output"
ok $? "no call is allowed that has no place in it"
kill "$(pid)"
ended
ok $? "it ends when told"

# ---- What others left ---------------------------------------------------------

again() { # COMMAND... - a store that goes on where the one before ended
	rm -f "$work"/store.err*
	start store "$@"
}
read_x() { [ "$(xenstore-read /x)" = "$1" ]; }

again sv-xenstored --no-sandbox
xenstore-write /x root
kill "$(pid)"
ended
[ "$(find "$place" -name journal -uid 0 | wc -l)" = 1 ]
ok $? "a journal of root's"
again sv-xenstored
check "is read" read_x root
[ "$(find "$place" ! -uid "$user")" = "" ]
ok $? "and is the store's own user's then"
xenstore-write /x user
kill "$(pid)"
ended
mv "$journal" "$XENSTORED_PATH.journal"
rm -r "$place"
chown root: "$XENSTORED_PATH.journal"
again sv-xenstored --keep
check "so is one of a store before, beside the socket" read_x user
[ ! -e "$XENSTORED_PATH.journal" ]
ok $? "which has gone from there"
wait_for 10 pid_of sv-storespare
output=$(of_user)
[ "$output" = "/proc/$(pid)/status" ] &&
	[ "$(sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "/proc/$(pid_of sv-storekeeper)/status")" = 0 ]
ok $? "its keeper and spare are other users"
kill "$(pid)"
ended
echo precious >"$work/precious"
ln -s "$work/precious" "$journal.new"
again sv-xenstored --no-sandbox
kill "$(pid)"
ended
[ "$(cat "$work/precious")" = precious ]
ok $? "no link in its directory is followed, also by root's"
rm -r "$place"
ln -s "$work" "$place"
refused 'Not a directory' timeout 60 sv-xenstored
ok $? "nor one in that one's place"
rm "$place"
install -d -o 12345 "$place"
refused 'a directory of user' timeout 60 sv-xenstored
ok $? "somebody else's directory is refused"
rm -r "$place"

# A store that somebody had taken over leaves a journal, and hands over what he likes.
mkdir -m 700 "$place"
mkfifo "$journal"
chown -R "$user:$user" "$place"
sv-xenstored 2>"$work/reads.err" &
procs[store]=$!
reading() { [ "$(status Seccomp)" = 2 ]; }
check "before it has opened its journal it is in the sandbox" wait_for 10 reading
kill -KILL "$(pid)"
ended 2>/dev/null
rm "$journal"
output=$(WITHOUT=newfstatat/fstat LD_PRELOAD=$out/tests/lib/onecall.so \
	sv-xenstored --update 3 --check 3<"$work/said" 2>&1)
[ $? = 159 ]
ok $? "and before it reads what it is to go on with, also if that is a trial"

store sv-xenstored --no-sandbox
ok $? "--no-sandbox: starts"
output=$(cat "/proc/$(pid)/status")
[ "$(status Seccomp)" = 0 ] && [ "$(status CapEff)" != 0000000000000000 ] &&
	[ "$(readlink "/proc/$(pid)/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]
ok $? "--no-sandbox: keeps all"
kill "$(pid)"
ended
ok $? "--no-sandbox: ends when told"

# ---- A store of somebody else -----------------------------------------------

as_user=(setpriv --reuid 12345 --regid 12345 --clear-groups)
if "${as_user[@]}" unshare --user true 2>/dev/null; then
	cp "$(command -v sv-xenstored)" "$work"
	chmod 755 "$work"
	install -d -o 12345 -g 12345 "$work/user"
	export SPLITVISOR_RUN_DIR=$work/user XENSTORED_PATH=$work/user/socket
	start user "${as_user[@]}" "$work/sv-xenstored"
	ok $? "not root: it starts"
	output=$(cat "/proc/${procs[user]}/status" "$work/user.err")
	grep -qE '^CapEff:\s0+$' <<<"$output" && grep -qE '^CapBnd:\s0+$' <<<"$output" &&
		! grep -q 'namespaces' <<<"$output"
	ok $? "not root: it has no capability, and namespaces of its own"
	output=$(find "/proc/${procs[user]}/root/etc" 2>&1)
	[ $? = 1 ]
	ok $? "not root: it sees no other files"
	check "not root: serves its user" "${as_user[@]}" xenstore-read /tool/xenstored
	! xenstore-read /tool/xenstored 2>/dev/null
	ok $? "not root: and no other"
	stop user TERM
else
	ok 0 "not root: # SKIP this host gives users no namespaces"
fi
export SPLITVISOR_RUN_DIR=$work/run XENSTORED_PATH=$work/run/xenstored.sock

# ---- Each call is needed ----------------------------------------------------

# left_out CALL - the store dies of it, and says so.
left_out() {
	local worker status

	store env WITHOUT="$1" LD_PRELOAD="$out/tests/lib/onecall.so" sv-xenstored
	work >/dev/null 2>&1 &
	worker=$!
	ended
	status=$?
	kill "$worker" 2>/dev/null
	wait "$worker" 2>/dev/null
	mapfile -t rest < <(our_processes)
	[ ${#rest[@]} = 0 ] || kill -KILL "${rest[@]}" 2>/dev/null
	echo "ended with $status"
	tail -qc 2000 "$work"/store.err* | tr -d '\0' | tee "$work/said"
	# libevent blocks all signals in its handlers: nothing can be said there.
	[ $status = 159 ] && [ "$1" = rt_sigreturn ] && return
	[ $status = 159 ] && grep -qE "\((${1//\//|})\) is not allowed" "$work/said"
}
for call in "${calls[@]}"; do
	# Without that one it can say nothing, nor that it is ready.
	[ "$call" != write ] || continue
	check "$call is needed" left_out "$call"
done
echo "1..$tests_done"
