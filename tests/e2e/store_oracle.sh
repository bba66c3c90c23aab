#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/store_oracle.sh - sv-xenstored beside Debian's C xenstored.
#
# usage: store_oracle.sh [FIRST_SEED SEEDS STEPS]
#
# Each sequence of requests, by two clients of dom0 and three guests, is played to
# both, and every answer and event compared (tests/oracle/play.c says how).  What
# is meant to differ is in docs/store.md, and not in the sequences.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

first=${1:-1} seeds=${2:-6} steps=${3:-400}
oracle=$project/build/gcc-plain/tests/oracle

# play NAME SEED SOCKET COMMAND... - to a new store.
play() {
	local name=$1 seed=$2 socket=$3 pid

	shift 3
	rm -rf "${work:?}/$name"
	mkdir "$work/$name"
	"$@" "$work/$name" 2>"$work/$name.log" &
	pid=$!
	wait_for 20 test -S "$work/$name/$socket" &&
		XENSTORED_PATH=$work/$name/$socket \
			SPLITVISOR_RUN_DIR=$work/$name timeout 120 \
			"$oracle/play" "$seed" "$steps" >"$work/$name.txt" 2>&1
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}
sv-xenstored_in() { SPLITVISOR_RUN_DIR=$1 XENSTORED_PATH=$1/socket exec sv-xenstored; }

check "Debian's xenstored is there" "$project/tests/oracle/xenstored" --fetch
for seed in $(seq "$first" $((first + seeds - 1))); do
	play theirs "$seed" socket "$project/tests/oracle/xenstored"
	play ours "$seed" socket sv-xenstored_in
	output=$(diff -U2 "$work/theirs.txt" "$work/ours.txt" | head -n 40)
	[ -z "$output" ] && [ "$(wc -l <"$work/ours.txt")" -gt "$steps" ]
	ok $? "sequence $seed: $(wc -l <"$work/ours.txt") answers and events are the same"
done
