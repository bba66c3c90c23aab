# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lab/common.sh - what the lab's scripts share; sourced, never run.
# shellcheck shell=bash

lab_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
project_dir=$(cd -- "$lab_dir/../.." && pwd -P)
# shellcheck source=packaging/sv-initramfs.sh
. "$project_dir/packaging/sv-initramfs.sh"
cache_dir=${SPLITVISOR_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/splitvisor}

# die MESSAGE... - one clear line, then exit 125: the lab's own failure, which
# must not be taken for the command's.
die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 125
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
