#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lab/selftest.sh - the lab's own test; prints TAP.
#
# Five boots: one for all that a single command can show, two at the same time,
# one for the time limit, one for the instruction clock. --force, so that the
# emulation is tested on every machine.
#
# shellcheck disable=SC2016 # single quotes: the lab's shell is to expand these

set -uo pipefail
cd "$(dirname -- "$0")/../.." || exit 1
lab=tests/lab/lab
mkdir -p build/test
work=$(mktemp -d "$PWD/build/test/lab-selftest.XXXXXX")
elsewhere=$PWD/tests/lab/.selftest.$$
trap 'rm -rf -- "$work" "$elsewhere"' EXIT
count=0 failed=0

# check NAME COMMAND... - one TAP line; what COMMAND says is shown on failure.
check()
{
	local name=$1 output

	shift
	count=$((count + 1))
	if output=$("$@" 2>&1); then
		echo "ok $count - $name"
	else
		failed=$((failed + 1))
		echo "not ok $count - $name"
		printf '%s\n' "# failed: $*" "${output//$'\n'/$'\n'# }"
	fi
}

is()
{
	[[ $1 == "$2" ]] || { echo "got '$1', wanted '$2'"; return 1; }
}

has() # FILE REGEX
{
	grep -Eq -- "$2" "$1" || { cat "$1"; return 1; }
}

refused() # REGEX ARGUMENT... - status 125 and one line that says why
{
	local regex=$1 out status=0

	shift
	out=$("$lab" "$@" 2>&1) || status=$?
	echo "$out"
	is "$status" 125 && is "$(wc -l <<<"$out")" 1 && [[ $out =~ $regex ]]
}

elapsed_below() # SECONDS
{
	((EPOCHSECONDS - begun < $1)) || {
		echo "took $((EPOCHSECONDS - begun)) s"
		return 1
	}
}

# ---- What needs no boot ---------------------------------------------------

check 'no command is refused' refused 'no command'
check 'an unknown option is refused' refused '--nonsense' --nonsense -- true
check 'a bad memory size is refused' refused '--memory 4X' --memory 4X -- true
check 'zero CPUs are refused' refused '--smp 0' --smp 0 -- true
check 'a kernel name of nonsense is refused' refused 'no kernel package no-such' \
	--kernel no-such -- true

# ---- One boot for all that one command can show ---------------------------

# Every byte value, and bytes that terminals and shells treat specially.
# shellcheck disable=SC2059 # the format is the data
for i in $(seq 0 255); do
	printf "\\$(printf %o "$i")"
done >"$work/bytes"
args=('two  spaces' "quote'" 'double"' $'new\nline' "\$HOME \`x\` \\" '' '*'
	$'\377\001' --smp -e)
printf '%s\0' "${args[@]}" >"$work/args"
cc -o "$work/kvm_ok" tests/lab/kvm_ok.c || exit 1
cat >"$work/inside" <<'EOF'
work=$1 elsewhere=$2
shift 2
printf '%s\0' "$@" >"$work/args.seen"
cat "$work/bytes"
echo to- >&2
echo stderr >/dev/stderr
{
	echo "cwd $PWD"
	echo "env <$SELFTEST_VALUE>"
	echo "make <${MAKEFLAGS-unset}>"
	echo "hostname $(hostname)"
	echo "release $(uname -r)"
	"$work/kvm_ok"
	echo "cpus $(nproc)"
	ip -br addr show dev lo
	modprobe nft_masq && modprobe nft_chain_nat && echo 'modules ok'
	modprobe null_blk nr_devices=1 && echo "null_blk $(ls /dev/nullb0)"
	ip link add br9 type bridge && ip link add v0 type veth peer name v1 &&
		ip tuntap add dev tap9 mode tap && echo 'links ok'
	: <>/dev/vhost-net && echo 'vhost ok'
	ls /sys/fs/cgroup/cgroup.procs /sys/kernel/debug/kvm/exits /dev/ptmx
	echo "run has $(ls /run | tr '\n' ' ')"
	touch "$elsewhere" /etc/lab-selftest && echo 'root writable'
	(setsid sleep 1000 &)
	(true &) # an orphan to reap
	zombies() { grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l; }
	for _ in $(seq 200); do
		[ "$(zombies)" != 0 ] || break
		sleep 0.3
	done
	echo "zombies $(zombies)"
} >"$work/seen" 2>&1
exit 3
EOF
begun=$EPOCHSECONDS
SELFTEST_VALUE=$'a "b"\nc' MAKEFLAGS=-j9 "$lab" --force --timeout 300 -- \
	bash "$work/inside" "$work" "$elsewhere" "${args[@]}" \
	>"$work/out" 2>"$work/err"
status=$?
check 'exit status passed through' is "$status" 3
check 'a process left behind does not hold the lab' elapsed_below 280
check 'stdout intact, every byte value' cmp "$work/bytes" "$work/out"
check 'stderr intact and apart' is "$(cat "$work/err")" $'to-\nstderr'
check 'arguments intact' cmp "$work/args" "$work/args.seen"
check 'environment passed on' \
	is "$(sed -n '/^env/,/>$/p' "$work/seen")" $'env <a "b"\nc>'
check "make's own variables left behind" has "$work/seen" '^make <unset>$'
check 'working directory kept' has "$work/seen" "^cwd $PWD\$"
check 'host name' has "$work/seen" '^hostname lab$'
check 'the kernel that was asked for' is "release \
$(tests/lab/kernel --print release 6.12-generic)" \
	"$(grep '^release' "$work/seen")"
check 'KVM with all of its Xen support' has "$work/seen" \
	'^KVM_CAP_XEN_HVM 511$'
check 'one CPU' has "$work/seen" '^cpus 1$'
check 'loopback up' has "$work/seen" '^lo .*127\.0\.0\.1/8'
check 'modules load after the switch of roots' has "$work/seen" '^modules ok'
check 'null_blk' has "$work/seen" '^null_blk /dev/nullb0'
check 'bridge, veth and tap' has "$work/seen" '^links ok'
check 'vhost-net' has "$work/seen" '^vhost ok'
check 'cgroup2, debugfs and pseudo terminals' \
	is "$(grep -cE '^/(sys|dev)/(fs|kernel|ptmx)' "$work/seen")" 3
check 'an empty /run' has "$work/seen" '^run has lab lock $'
check 'the root is writable inside' has "$work/seen" '^root writable'
check 'and unchanged outside' test ! -e "$elsewhere" -a \
	! -e /etc/lab-selftest
check 'orphans are reaped' has "$work/seen" '^zombies 0$'

# ---- Two at once, of different shapes -------------------------------------

"$lab" --force --timeout 300 --smp 2 --memory 600M -- sh -c \
	"grep MemTotal /proc/meminfo; nproc; kill -TERM \$\$" \
	>"$work/out1" 2>"$work/err1" &
first=$!
"$lab" --force --timeout 300 --append 'selftest=yes' -- sh -c \
	'for i in 1 2 3; do echo o$i; echo e$i >&2; done; cat /proc/cmdline' \
	>"$work/out2" 2>&1
check 'two labs at once: success is 0' is $? 0
wait "$first"
check 'a signal shows as 128 and its number' is $? 143
check '--memory and --smp' is "$(awk '
	/MemTotal/ { print ($2 > 450000 && $2 < 614400) } /^2$/' "$work/out1")" \
	$'1\n2'
check 'stdout and stderr of one file keep their order' \
	is "$(head -n 6 "$work/out2" | tr '\n' ' ')" 'o1 e1 o2 e2 o3 e3 '
check '--append' has "$work/out2" ' selftest=yes'

# ---- The time limit ---------------------------------------------------------

begun=$EPOCHSECONDS
"$lab" --force --timeout 15 -- sleep 1234 >"$work/out3" 2>&1
check 'the time limit shows as 124' is $? 124
check 'and strikes in time' elapsed_below 120
check 'with one line that says so' is "$(cat "$work/out3")" \
	'lab: time limit of 15 s reached: sleep 1234'

# ---- The clock of instructions ----------------------------------------------

# A loop of a known number of instructions takes the same time twice, whatever
# this machine does meanwhile.
"$lab" --icount --timeout 240 -- bash -c '
	loop() { local i t=$EPOCHREALTIME
		for ((i = 0; i < 20000; i++)); do :; done
		echo $((${EPOCHREALTIME/./} - ${t/./})); }
	nproc; loop >/dev/null; loop; loop' >"$work/out4" 2>&1
check '--icount: one CPU' is "$(head -n 1 "$work/out4")" 1
check '--icount: the same work takes the same time' \
	is "$(awk 'NR == 2 { a = $1 } NR == 3 { b = $1 } END {
		d = a > b ? a - b : b - a
		print (a > 0 && d <= a / 20) ? "same" : a " and " b }' \
		"$work/out4")" same

echo "1..$count"
((failed == 0))
