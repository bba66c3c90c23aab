#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/run.sh - xl run and xl image, without a guest: the command runs in a process
# domain (sv-runguest), that is, on this host.
# shellcheck disable=SC2016 # the commands' shells expand
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
export SPLITVISOR_IMAGE_DIR=$work/images TMPDIR=$work/tmp
mkdir -p "$SPLITVISOR_IMAGE_DIR/toy" "$TMPDIR"
cp "$project/build/bin/sv-runguest" "$SPLITVISOR_IMAGE_DIR/toy/vmlinuz"
: >"$SPLITVISOR_IMAGE_DIR/toy/run.cpio"
truncate -s 1M "$SPLITVISOR_IMAGE_DIR/toy/root.img"
out=$work/out err=$work/err

# run STATUS ARG... - xl run has that exit status; $out and $err are what it printed.
run() {
	local want=$1 status=0

	shift
	xl run "$@" >"$out" 2>"$err" || status=$?
	output="status $status"$'\n'$(head -c 2000 "$out" "$err")
	[ "$status" = "$want" ]
}
printed() { [ "$(cat "$out" && echo .)" = "$1." ]; }
complained() { [ "$(wc -l <"$err")" = 1 ] && grep -qF -- "$1" "$err"; }

domains() { ls "$SPLITVISOR_RUN_DIR/dom" 2>/dev/null; }
keepers() { our_processes | xargs -I{} cat /proc/{}/comm 2>/dev/null | grep -x xl; }
# none_left - no domain, process, file or node of one.
none_left() {
	output=$(domains; keepers; find "$TMPDIR" -mindepth 1; find "$logs" -name '*run-*'
		xenstore-ls -f / | grep -E '/(domain|vbd|vif|console)/[1-9][0-9]*|run-[0-9]')
	[ -z "$output" ]
}
clean() {
	wait_for 10 none_left || {
		none_left
		echo "$output"
		return 1
	}
}

# ---- What it is for ----------------------------------------------------------------

run 7 toy -- /bin/sh -c 'echo out; echo err >&2; exit 7' && printed $'out\n' &&
	[ "$(cat "$err")" = err ]
ok $? "output, errors and exit status are the command's"
check "nothing is left of it" clean

run 0 toy printf '%s|' 'two words' '' "it's" '"' '$(x)`y`*' $'a\nb' 'ä€' -- -e &&
	printed $'two words||it\'s|"|$(x)`y`*|a\nb|ä€|--|-e|'
ok $? "arguments are what they were"
head -c 300000 /dev/urandom >"$work/in"
xl run toy cat <"$work/in" >"$out" 2>"$err" && cmp "$out" "$work/in"
ok $? "what goes in comes out"
run 0 -e A=1 -e 'B=x y' -e A=2 -w /usr toy -- sh -c 'echo "$A,$B,$HOME,$PWD"' &&
	printed $'2,x y,/root,/usr\n'
ok $? "environment and directory"
run 137 toy sh -c 'kill -9 $$'
ok $? "a command that is killed"
run 127 toy /no/such && complained "xl run: /no/such: No such file"
ok $? "a command that is not there"
run 126 toy /dev/null && complained "xl run: /dev/null: Permission denied"
ok $? "a command that is none"
xl run toy sh -c 'echo first; exec 2>/dev/null; yes' 2>"$err" | head -n 1 >"$out"
[ "${PIPESTATUS[0]}" = 141 ] && printed $'first\n'
ok $? "who does not read on ends it"
check "nothing is left of these" clean

# ---- Bundles -----------------------------------------------------------------------

mkdir -p "$work/bundle/rootfs"
bundle() { echo "$1" >"$work/bundle/config.json"; }
bundle '{"process": {"args": "sh"}}'
run 125 "$work/bundle" && complained "config.json': process.args must be an array of strings"
ok $? "a bundle that is wrong"
bundle '{"process": {"args": []}}'
run 125 "$work/bundle" && complained "no command"
ok $? "a bundle without a command"
bundle '{"process": {"args": ["true"]}, "root": {"path": "/etc"}}'
run 125 "$work/bundle" && complained "root.path: must lie in the bundle"
ok $? "a bundle with somebody else's root"

# ---- Guests that end early ---------------------------------------------------------

run 125 toy sh -c 'kill -9 $PPID; sleep 60' &&
	grep -q "^xl run: domain 'run-[0-9]*': it has shut down (crash) before the command had ended" "$err"
ok $? "a guest that crashes"
RUNGUEST=lie run 125 toy true && grep -q "what the guest says makes no sense" "$err"
ok $? "a guest that says what is not its to say"
RUNGUEST=index run 125 toy true && grep -q "makes no sense" "$err"
ok $? "a guest with an impossible ring"
check "nothing is left of these" clean

# started - a command runs that has told so.
started() { [ -s "$work/started" ]; }
begin() {
	rm -f "$work/started"
	xl run toy sh -c "echo yes >'$work/started'; exec sleep 600" \
		>"$out" 2>"$err" </dev/null &
	pid=$!
	wait_for 30 started
}
ended() { # STATUS
	wait "$pid"
	status=$?
	output="status $status"$'\n'$(cat "$err")
	[ "$status" = "$1" ]
}
vmm() { cut -d' ' -f1 "$SPLITVISOR_RUN_DIR"/dom/*/hv.pid; }

begin
ok $? "one that takes its time"
name=$(xl list | awk 'NR == 3 { print $1 }')
touch "$logs/hv-$name.log.1" # as a VMM moves its log aside
[ "$name" = "run-$pid" ]
ok $? "is listed"
[ "$(xenstore-read "/local/domain/$(xl domid "$name")/console/type")" = xl ] &&
	[ -z "$(xenstore-read "/local/domain/$(xl domid "$name")/console/tty")" ]
ok $? "its console is xl's"
kill -9 "$(vmm)"
ended 125 && grep -q "its VMM has ended before" "$err"
ok $? "its VMM is killed"
check "nothing is left of it" clean
begin
ok $? "one that is interrupted"
kill -INT "$pid"
ended 130
ok $? "ends with 130"
check "nothing is left of it" clean
begin
ok $? "one that is destroyed"
check "by its name" xl destroy "run-$pid"
ended 125
ok $? "ends with 125"
check "nothing is left of it" clean
begin
ok $? "one whose xl is killed"
kill -9 "$pid"
ended 137
check "nothing is left of that, either" clean

# ---- What is not started -----------------------------------------------------------

refused() { # MESSAGE ARG...
	local text=$1

	shift
	run 125 "$@" && complained "$text"
	ok $? "xl run $*: is refused"
}
refused "no command" toy
refused "must be NAME=VALUE" -e A toy true
refused "must be NAME=VALUE" -e =1 toy true
refused "must be a number from 1" -m 0 toy true
refused "must be a number from 1 to 64" --vcpus 65 toy true
refused "must be nat, user or none" --net bridge toy true
refused "no such image" nothing true
refused "no directory, disk or image" ./nothing true
refused "--rw is for disks" --rw "$work" true
echo text >"$work/text"
refused "is no Linux kernel" --kernel "$work/text" toy true
refused "no such kernel" --kernel "$work/none" toy true
check "nothing is left of these" clean

# ---- Images ------------------------------------------------------------------------

output=$(xl image ls)
[ "$(sed -n 2p <<<"$output" | awk '{ print $1, $3 }')" = "toy 1.0M" ]
ok $? "xl image ls: names and sizes"
output=$(xl image build fedora 2>&1)
[ $? = 1 ] && grep -q "must be debian:SUITE" <<<"$output"
ok $? "xl image build: what it can make"
output=$(xl image build -n ../x debian:sid 2>&1)
[ $? = 1 ] && grep -q "a name has letters" <<<"$output"
ok $? "xl image build: a name is no path"
output=$(xl image rm .. 2>&1)
[ $? = 1 ] && grep -q "a name has letters" <<<"$output"
ok $? "xl image rm: nor there"
check "xl image rm" xl image rm toy
[ ! -e "$SPLITVISOR_IMAGE_DIR/toy" ]
ok $? "is gone"

# A root disk has what the directory has.
if command -v debugfs >/dev/null; then
	mkdir -p "$work/dir/sub dir"
	echo content >"$work/dir/sub dir/a file"
	chmod 4711 "$work/dir/sub dir/a file"
	mkdir "$work/private"
	output=$(sv-image prepare "$work/private" "$work/dir" "$work/text" 2>&1)
	[ "$(debugfs -R 'cat "/sub dir/a file"' "$work/private/root.img" 2>/dev/null)" = content ] &&
		debugfs -R 'stat "/sub dir/a file"' "$work/private/root.img" 2>/dev/null | grep -q 'Mode: *04711'
	ok $? "a root disk has what the directory has"
fi
