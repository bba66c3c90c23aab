#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# packaging/deps.sh - name every missing Debian package at once; as root,
# install them.
#
# usage: packaging/deps.sh GROUP...
# groups: build test lint coverage proofs bench fuzz deb
set -eu

declare -A group=(
	[build]="gcc libc6-dev pkg-config binutils libxen-dev libevent-dev
		libnl-3-dev libnl-route-3-dev liburing-dev libarchive-dev
		libnftables-dev libyajl-dev libgcrypt20-dev libncurses-dev
		libnbd-dev libseccomp-dev libzstd-dev systemtap-sdt-dev"
	[test]="clang libclang-rt-14-dev libcriterion-dev curl jq xenstore-utils
		busybox-static cpio kmod zstd xz-utils lz4 mmdebstrap e2fsprogs
		bpftrace gdb iproute2 iputils-ping nbdkit openvswitch-switch passt procps python3 qemu-block-extra
		qemu-utils socat tgt util-linux
		ca-certificates"
	[lint]="clang clang-format clang-tidy cppcheck shellcheck mandoc"
	[coverage]="gcovr"
	[proofs]="spin"
	[bench]="fio gnuplot-nox"
	[fuzz]="afl++"
	[deb]="debhelper dpkg-dev lintian"
)

want=()
for g in "$@"; do
	[ -n "${group[$g]:-}" ] || {
		echo "deps.sh: unknown group '$g' (known: ${!group[*]})" >&2
		exit 2
	}
	read -r -d '' -a list <<<"${group[$g]}" || true
	want+=("${list[@]}")
done

command -v dpkg-query >/dev/null || {
	echo "deps.sh: no dpkg here; needed (Debian's names): ${want[*]}" >&2
	exit 1
}

missing=()
for p in "${want[@]}"; do
	case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" in
	ii*) ;;
	*) missing+=("$p") ;;
	esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "Missing packages: ${missing[*]}" >&2
	echo "Install them:  apt-get install ${missing[*]}" >&2
	exit 1
fi

echo "Installing missing packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && apt-get install -y --no-install-recommends \
	"${missing[@]}"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "deps.sh: apt-get could not install: ${missing[*]}" >&2
	exit 1
fi
