#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/install.sh - what `make install` puts where, and what starts guests with
# the host.
[ -n "${INSTALL_TEST_NETNS:-}" ] ||
	INSTALL_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
root=$work/root
check "make install" make -s -C "$project" install DESTDIR="$root" PREFIX=/usr XL_MAN=sv
installed() { (cd "$root" && find . -type f | sort); }
output=$(installed)
for file in usr/bin/xl usr/lib/splitvisor/sv-hypervisor usr/lib/splitvisor/sv-guests \
	usr/share/man/man1/xl.1sv usr/share/man/man5/xl.cfg.5sv usr/share/man/man8/sv-backend.8 \
	usr/lib/splitvisor/sv-oneshot usr/lib/splitvisor/sv-image \
	usr/lib/splitvisor/sv-initramfs.sh usr/lib/splitvisor/sv-udhcpc \
	usr/lib/splitvisor/sv-metrics usr/bin/xentop usr/share/doc/splitvisor/grafana.json \
	usr/share/splitvisor/disks.bt \
	usr/lib/systemd/system/splitvisor-metrics.service \
	usr/lib/systemd/system/splitvisor-guests.service usr/lib/tmpfiles.d/splitvisor.conf \
	usr/lib/sysusers.d/splitvisor.conf \
	usr/share/bash-completion/completions/xl.bash etc/default/splitvisor \
	etc/logrotate.d/splitvisor; do
	[ -s "$root/$file" ]
	ok $? "/$file is installed"
done
output=$(grep -rn '@[A-Z]*@' "$root/usr/lib/systemd" "$root/usr/lib/tmpfiles.d")
[ -z "$output" ]
ok $? "nothing is left to be filled in"
echo "SV_AUTO=/mine" >"$root/etc/default/splitvisor"
make -s -C "$project" install DESTDIR="$root" PREFIX=/usr XL_MAN=sv &&
	[ "$(cat "$root/etc/default/splitvisor")" = "SV_AUTO=/mine" ]
ok $? "settings are not overwritten"
check "the installed programs run" "$root/usr/bin/xl" help

[ "$(awk '$1 == "u" { print $2 }' "$root/usr/lib/sysusers.d/splitvisor.conf")" = \
	"$(sed -n 's/^#define STOREUSER_NAME "\(.*\)"/\1/p' "$project/base/storeuser.h")" ]
ok $? "the store's user is the one it looks for"
if command -v systemd-analyze >/dev/null; then
	# It looks for programs and units on this machine: those that were installed.
	sed -i "s|=/usr/lib/splitvisor|=$root/usr/lib/splitvisor|" \
		"$root"/usr/lib/systemd/system/*
	output=$(systemd-analyze verify --man=no --recursive-errors=no \
		"$root"/usr/lib/systemd/system/*.service 2>&1)
	status=$?
	[ $status = 0 ] && ! grep -q splitvisor <<<"$output"
	ok $? "systemd accepts the units"
fi

# ---- Readiness ---------------------------------------------------------------------

cat >"$work/bin/systemd-notify" <<-EOF
	#!/bin/sh
	echo "\$@" >"$work/notified"
EOF
chmod +x "$work/bin/systemd-notify"
cp "$project"/packaging/sv-{service,guests} "$work/bin/"
sv-service sv-xenstored 2>/dev/null &
store=$!
told() { [ "$(cat "$work/notified")" = --ready ]; }
check "systemd is told that a daemon serves" wait_for 10 told
[ "$(cat /proc/$store/comm)" = sv-xenstored ]
ok $? "which is the process that systemd has started"
rm "$work/notified"
! output=$(sv-service sv-xenstored --nonsense 2>&1) && [ ! -e "$work/notified" ]
ok $? "one that ends while it starts is not said to serve"

# ---- Guests that start with the host -----------------------------------------------

export SV_AUTO=$work/auto SV_STOP_SECONDS=15
mkdir "$SV_AUTO" "$SV_AUTO/directory"
echo a kernel >"$work/kernel"
for name in one two; do
	printf '%s\n' "name = '$name'" "kernel = '$work/kernel'" "memory = 16" \
		>"$SV_AUTO/$name"
done
check "sv-guests start" sv-guests start
names=$(xl list | awk 'NR > 2 { print $1 }' | xargs)
[ "$names" = "one two" ]
ok $? "all of the directory run"
output=$(sv-guests start 2>&1) &&
	[ "$output" = $'one: is there already\ntwo: is there already' ]
ok $? "a second start changes nothing"
echo "name = 'bad'" >"$SV_AUTO/bad"
output=$(sv-guests start 2>&1)
[ $? = 1 ] && grep -q "bad: not a guest that can be started" <<<"$output" && listed one
ok $? "a bad file is told, and does not keep the others from starting"

# One listens; the other has to be ended.
node=/local/domain/$(xl domid one)/control
xenstore-write "$node/feature-poweroff" 1
asked() { [ "$(xenstore-read "$node/shutdown")" = poweroff ]; }
sv-guests stop >"$work/stopped" 2>&1 &
pid=$!
check "stop asks" wait_for 10 asked
kill -USR1 "$(cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/dom/$(xl domid one)/hv.pid")"
wait $pid
ok $? "sv-guests stop"
output=$(cat "$work/stopped")
gone one && gone two && grep -q '^two: did not shut down within 15 s' <<<"$output" &&
	grep -q 'Domain [0-9]* has been shut down, reason code 0' <<<"$output"
ok $? "stop: all are gone, and those that did not listen are named"
check "stop without guests" sv-guests stop
output=$(sv-guests nonsense 2>&1)
[ $? = 2 ] && [ "$(wc -l <<<"$output")" = 1 ]
ok $? "one line says how it is used"
kill $store
wait $store

# ---- Completion --------------------------------------------------------------------

completes() { # WORD... - what the last one can become
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _xl xl
		echo "${COMPREPLY[*]}"' - "$project/packaging/xl.bash" "$@"
}
output=$(completes xl block-)
[ "$output" = "block-attach block-list block-detach" ]
ok $? "completion: commands"
output=$(completes xl list --)
[ "$output" = "--long --verbose --context --cpupool --numa --json" ]
ok $? "completion: options"
output=$(completes xl image b)
[ "$output" = build ]
ok $? "completion: what is done with images"
mkdir -p "$work/images/debian:sid" && touch "$work/images/debian:sid/root.img"
output=$(SPLITVISOR_IMAGE_DIR=$work/images completes xl run debian)
[ "$output" = debian:sid ]
ok $? "completion: images"
xl create -q "$SV_AUTO/one"
output=$(completes xl destroy o)
[ "$output" = one ]
ok $? "completion: domains"
for verb in $(xl help | sed -n 's/^ \([a-z][a-z-]*\) .*/\1/p'); do
	[[ " $(completes xl "$verb") " = *" $verb "* ]] || break
done
[[ $verb = xenstore-quota-set ]]
ok $? "completion: every command that there is"
