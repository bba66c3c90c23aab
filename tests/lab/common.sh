# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lab/common.sh - what the lab's scripts share; sourced, never run.
# shellcheck shell=bash

lab_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck disable=SC2034 # used by the scripts that source this file
project_dir=$(cd -- "$lab_dir/../.." && pwd -P)
cache_dir=${SPLITVISOR_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/splitvisor}

# die MESSAGE... - one clear line, then exit 125: the lab's own failure, which
# must not be taken for the command's.
die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 125
}

# need TOOL:PACKAGE... - refuse with the complete list of what is missing.
need()
{
	local item
	local -a missing=()

	for item; do
		command -v "${item%%:*}" >/dev/null || missing+=("${item#*:}")
	done
	if ((${#missing[@]})); then
		die "missing tools; apt-get install ${missing[*]}"
	fi
}

# need_busybox - a busybox that runs in an empty root.
need_busybox()
{
	if ! [[ -x /bin/busybox ]] || ldd /bin/busybox >/dev/null 2>&1; then
		die 'no static /bin/busybox; apt-get install busybox-static'
	fi
}

# cache_lock - hold the cache's lock until this process (or subshell) ends, so
# that labs started together fetch and build each thing once.
cache_lock()
{
	mkdir -p "$cache_dir" ||
		die "cannot create $cache_dir: set SPLITVISOR_CACHE_DIR"
	exec {cache_lock_fd}>"$cache_dir/lock"
	flock "$cache_lock_fd"
}

# kernel_release KERNEL_DIR - the `uname -r` of an unpacked kernel.
kernel_release()
{
	local vmlinuz

	vmlinuz=$(echo "$1"/boot/vmlinuz-*)
	echo "${vmlinuz##*/vmlinuz-}"
}

# module_files KERNEL_DIR MODULE... - the files to load for MODULEs, in order,
# each once, dependencies first. Names built into the kernel yield nothing.
module_files()
{
	local dir=$1 release mod

	release=$(kernel_release "$dir")
	shift
	for mod; do
		modprobe -d "$dir" -S "$release" --show-depends "$mod" ||
			die "kernel $release has no module $mod"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# stage_modules KERNEL_DIR TO MODULE... - copy MODULEs and what they need to
# the folder TO and list their names, in load order, in TO/order. Signatures,
# symbols and type information go: checking and parsing them costs an emulated
# CPU more than all the rest of loading.
stage_modules()
{
	local dir=$1 to=$2 file

	shift 2
	mkdir -p "$to"
	module_files "$dir" "$@" | while read -r file; do
		objcopy --strip-debug -R .BTF -R .BTF.base "$file" \
			"$to/${file##*/}"
		echo "${file##*/}"
	done >"$to/order"
}

# pack_cpio ROOT - an initramfs archive of ROOT on stdout, owned by root and
# independent of time stamps and inode numbers.
pack_cpio()
{
	(cd -- "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet -0 -o -H newc -R 0:0 --reproducible)
}
