#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/xenstore_tools.sh - Debian's xenstore-* programs against sv-xenstored.
#
# Runs anywhere: the store has a directory of its own.  What the programs print
# is compared with what they print on Xen.
set -u
cd "$(dirname "$0")/../.." || exit 1

daemon=${XENSTORED:-build/gcc-plain/bin/sv-xenstored}
work=$(mktemp -d /tmp/sv-xs.XXXXXX)
export XENSTORED_PATH=$work/socket
n=0
pid=

# shellcheck disable=SC2329 # called by the trap
cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

ok() { # STATUS NAME [OUTPUT]
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		printf '%s\n' "${3:-}" | sed 's/^/# /'
	fi
}

# is NAME WANT COMMAND... - stdout and stderr, then "rc N", compared.
is() {
	local name=$1 want=$2 got
	shift 2
	got=$(timeout 60 "$@" 2>&1)$'\n'"rc $?"
	[ "$got" = "$want" ]
	ok $? "$name" "got:
$got
want:
$want"
}

start() {
	local fifo=$work/ready
	rm -f "$fifo"
	mkfifo "$fifo"
	"$daemon" --ready-fd 9 9>"$fifo" 2>"$work/log" &
	pid=$!
	timeout 60 head -c 1 "$fifo" >/dev/null
}

start
ok $? "serves when --ready-fd says so" "$(cat "$work/log")"

is "ls of a new store" 'tool = ""
 xenstored = ""
rc 0' xenstore-ls
is "list /" 'tool
rc 0' xenstore-list /
is "exists: yes" '
rc 0' xenstore-exists /tool
is "exists: no" '
rc 1' xenstore-exists /nope
is "read: nothing there" "xenstore-read: couldn't read path /nope
rc 1" xenstore-read /nope
is "write makes parents" '
rc 0' xenstore-write /a/b c
is "read" 'c
rc 0' xenstore-read /a/b
is "chmod" '
rc 0' xenstore-chmod /a r0 b1
is "ls -p" 'b = "c"  . . . . . . . . . . . . . . . . . . . . . . . . . .  (n0)
rc 0' xenstore-ls -p /a
is "ls -f -p" '/tool = ""   (n0)
/tool/xenstored = ""   (n0)
/a = ""   (r0,b1)
/a/b = "c"   (n0)
rc 0' xenstore-ls -f -p
is "ls -f" '/a/b = "c"
rc 0' xenstore-ls -f /a
is "list with -p of permissions" 'b
rc 0' xenstore-list /a
is "write several in one transaction" '
rc 0' xenstore-write /a/x 1 /a/y 2 /a/z 3
is "read several" '1
2
3
rc 0' xenstore-read /a/x /a/y /a/z
is "read -p shows the path" '/a/x: 1
rc 0' xenstore-read -p /a/x
is "children in order of creation" 'b
x
y
z
rc 0' xenstore-list /a
is "chmod -r" '
rc 0' xenstore-chmod -r /a n0 r5
is "chmod -r went down" '/a/b = "c"   (n0,r5)
/a/x = "1"   (n0,r5)
/a/y = "2"   (n0,r5)
/a/z = "3"   (n0,r5)
rc 0' xenstore-ls -f -p /a
is "new nodes inherit" '
rc 0' xenstore-write /a/new ''
is "as their parent" '/a/new = ""   (n0,r5)
rc 0' sh -c 'xenstore-ls -f -p /a | grep new'
is "values may hold any byte" 'line\ntab\t\001
rc 0' sh -c 'xenstore-write /a/raw "line\\ntab\\t\\x01"; xenstore-read /a/raw'
is "rm" '
rc 0' xenstore-rm /a/x
is "rm again: the parent is there" '
rc 0' xenstore-rm /a/x
is "rm: no such parent" 'xenstore-rm: could not remove path /q/x/y
rc 1' xenstore-rm /q/x/y
is "rm of several" '
rc 0' xenstore-rm /a/y /a/z
is "rm -t of the last child takes empty parents along" '
rc 0' sh -c 'xenstore-write /t/u/v 1 && xenstore-rm -t /t/u/v'
is "and they are gone" '
rc 1' xenstore-exists /t
is "relative paths are dom0's" '
rc 0' xenstore-write backend/vbd 1
is "below /local/domain/0" '1
rc 0' xenstore-read /local/domain/0/backend/vbd
is "bad path" "xenstore-read: couldn't read path /a//b
rc 1" xenstore-read /a//b

# Watches: the first event at once, then one for each change.
xenstore-watch -n 4 /w >"$work/watch" 2>&1 &
watcher=$!
for _ in $(seq 1200); do
	grep -q /w "$work/watch" && break
	sleep 0.05
done
xenstore-write /w 1
for _ in $(seq 1200); do
	[ "$(wc -l <"$work/watch")" -ge 2 ] && break
	sleep 0.05
done
xenstore-write /w/below 2
for _ in $(seq 1200); do
	[ "$(wc -l <"$work/watch")" -ge 3 ] && break
	sleep 0.05
done
xenstore-rm /w
timeout 60 tail --pid=$watcher -f /dev/null
is "watch -n" '/w
/w
/w/below
/w
rc 0' cat "$work/watch"

# More children than one message holds: xs_directory() asks in parts.
long=$(printf 'x%.0s' $(seq 60))
for i in $(seq 150); do
	printf '/dir/%s%s\n%s\n' "$long" "$i" "$i"
done | xargs -d '\n' -n 40 xenstore-write
is "a directory of more than 4096 bytes" '150
rc 0' sh -c 'xenstore-list /dir | wc -l'
is "and as a whole" '150
rc 0' sh -c 'xenstore-ls /dir | wc -l'

# xenstore-control is in another package, and a link to nothing without it.
if command -v xenstore-control >/dev/null; then
	is "control print" 'OK
rc 0' xenstore-control print hi
	is "control check" 'OK
rc 0' xenstore-control check
fi

second=$(timeout 60 "$daemon" 2>&1)
[ $? = 1 ] && grep -q 'another store serves there' <<<"$second"
ok $? "a second store on the same socket says so" "$second"
second=$(timeout 60 "$daemon" --nonsense 2>&1)
[ $? = 1 ]
ok $? "unknown options are refused" "$second"
second=$(timeout 60 "$daemon" --socket /proc/nowhere/socket 2>&1)
[ $? = 1 ] && [ "$(wc -l <<<"$second")" = 1 ] && grep -q /proc/nowhere <<<"$second"
ok $? "a socket that cannot be made: one line that names it" "$second"

kill "$pid"
wait "$pid"
ok $? "ends in order on SIGTERM" "$(cat "$work/log")"
output=$(timeout 60 xenstore-read /tool 2>&1)
[ $? = 1 ] && grep -q 'refused\|No such file' <<<"$output"
ok $? "and whoever wants to connect hears of it" "$output"
pid=

start
is "the next one goes on" 'tool
a
local
dir
rc 0' xenstore-list /
# A store that was killed leaves a socket file: the next one replaces it.
kill -9 "$pid"
wait "$pid" 2>/dev/null
start
is "so does one after a dead one, over its socket" 'tool
a
local
dir
rc 0' xenstore-list /
kill "$pid"
wait "$pid"
rm "$XENSTORED_PATH.d/journal"
start
is "without its journal it is empty" 'tool
rc 0' xenstore-list /
echo "1..$n"
