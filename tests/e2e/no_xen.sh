#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/no_xen.sh - a host whose KVM has no Xen support: Debian's 6.1.
#
# Always emulated, for this machine's own kernel may be a better one.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d /tmp/sv-e2e.XXXXXX)
trap 'rm -rf "$work"; echo "1..$n"' EXIT
n=0

ok() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$work/out"
	fi
}

has() { grep -qE "$1" "$work/out"; }

cat >"$work/guest.cfg" <<END
name = "guest"
kernel = "$(tests/lab/kernel --print vmlinuz 6.12-cloud)"
memory = 128
END
cat >"$work/run" <<END
export SPLITVISOR_RUN_DIR=/tmp/sv-run
build/bin/xl create -q $work/guest.cfg >/tmp/errors 2>&1
echo "status \$?"
sed 's/^/error: /' /tmp/errors
echo "left: \$(ls /tmp/sv-run/dom)"
build/bin/sv-doctor
echo "doctor \$?"
END
tests/lab/lab --kernel 6.1-generic --memory 2G -- sh "$work/run" >"$work/out" 2>&1
ok $? "such a host starts"
has '^status [1-9]'
ok $? "xl create fails"
[ "$(grep -c '^error: ' "$work/out")" = 1 ] && has '^error: .*Xen.*(6\.[0-9]|kernel|CONFIG)'
ok $? "one line says what the host lacks, and a remedy"
has '^left: $'
ok $? "nothing is left behind"
has '^doctor [1-9]' && sed '1,/^left/d' "$work/out" | grep -q Xen
ok $? "sv-doctor names it too"
