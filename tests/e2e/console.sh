#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/console.sh - sv-console as a program, with sv-xenstored and domains
# that are nothing but a console: store nodes, signals, death and restart.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

host_without_guests
no_tty() { [ -z "$(tty_of "$1")" ]; }
log_has() { grep -qaF -- "$2" "$logs/console/guest-$1.log"; }

# Every line from 0 to N-1 once and in order, from one or more files.
lines_are() { # N FILE...
	local n=$1
	shift
	cat "$@" | tr -d '\r' | grep -a '^line ' |
		awk -v n="$n" '$2 != NR - 1 { exit 1 } END { exit NR != n }'
}

start store sv-xenstored --foreground
ok $? "sv-xenstored starts"
guest 3 early
wait_for 5 test -S "$SPLITVISOR_RUN_DIR/dom/3/hv.sock"
start console sv-console
ok $? "sv-console starts"
check "a domain that was there first gets a tty" wait_for 5 has_tty 3
grep -q '^CapEff:[[:space:]]*0*$' "/proc/${procs[console]}/status"
ok $? "it keeps no capability"
guest 4 later
check "a domain that comes later gets a tty" wait_for 5 has_tty 4
output=$(xenstore-ls -p /local/domain/4/console)
grep -q "tty = \"$(tty_of 4)\".*(n0,r4)" <<<"$output"
ok $? "the tty node is read-only to the guest"

# A toolstack is at work on 5 while 6 comes; only then it makes 5's tty node.
guest 5 half half
wait_for 5 test -S "$SPLITVISOR_RUN_DIR/dom/5/hv.sock"
guest 6 whole
wait_for 5 has_tty 6
[ ! -e "$logs/console/guest-half.log" ]
ok $? "a domain whose nodes are still to be made is left alone"
tell 5 complete
check "a domain seen before its nodes were made gets a tty" wait_for 5 has_tty 5
end 6
end 5

tell 3 "say hello from three"
check "output is logged" wait_for 5 log_has early "hello from three"
timeout 60 grep -qaF "hello from three" "$(tty_of 3)"
ok $? "a reader sees what came before it"
echo "typed text" >"$(tty_of 3)"
check "what is typed reaches the guest" wait_for 5 grep -qa "typed text" out.3

tell 3 "print 500"
mv "$logs/console/guest-early.log" "$work/moved.log"
tell 3 "print 500"
kill -HUP "${procs[console]}"
wait_for 5 test -e "$logs/console/guest-early.log"
tell 3 "print 500"
check "SIGHUP begins a new log and loses nothing" \
	wait_for 5 lines_are 1500 moved.log "$logs/console/guest-early.log"

# Killed: the guest prints on (2 KiB fit its ring), the successor finds all.
old=$(tty_of 3)
stop console KILL
tell 3 "print 50"
start console sv-console
ok $? "sv-console starts again after kill -9"
tell 3 "print 450"
check "its successor lost nothing" \
	wait_for 5 lines_are 2000 moved.log "$logs/console/guest-early.log"
check "the tty node names the new terminal (was $old)" wait_for 5 has_tty 3
tell 3 "say again"
timeout 60 grep -qaF again "$(tty_of 3)"
ok $? "and it works"

tell 4 lie
tell 3 "say still here"
check "a liar's neighbours go on" wait_for 5 log_has early "still here"
check "the liar is named once" \
	wait_for 5 grep -qa 'domain 4: console ring index impossible' console.err
[ "$(grep -ac impossible console.err)" = 1 ]
ok $? "and only once"

# Out of descriptors: who is served stays served, who comes is served later.
prlimit --pid "${procs[console]}" --nofile="$(find "/proc/${procs[console]}/fd" | wc -l):"
guest 7 third
check "a lack of descriptors is told" \
	wait_for 5 grep -qa 'domain 7: no console: .*; tried again' console.err
tell 3 "say not disturbed"
check "and disturbs nobody" wait_for 5 log_has early "not disturbed"
prlimit --pid "${procs[console]}" --nofile=1024:
check "it is made good later" wait_for 20 has_tty 7
end 7

cat "$(tty_of 3)" >screen.3 2>/dev/null &
reader=$!
reads() { [ -n "$(find "/proc/$reader/fd" -lname "$1")" ]; }
wait_for 5 reads "$(tty_of 3)"
tell 3 "print 3000"
tell 3 "mute last words"
end 3
check "the reader ends with the domain" wait_for 10 no_process "$reader"
output=$(tail -n 3 screen.3)
tail -n 1 screen.3 | grep -qa 'last words'
ok $? "the reader saw the last words"
check "so did the log" log_has early "last words"
check "no tty node is left" no_tty 3

stop console TERM
check "ended by SIGTERM, it withdraws its tty nodes" no_tty 4
end 4
stop store TERM
echo "1..$tests_done"
