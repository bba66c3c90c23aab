# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# packaging/sv-initramfs.sh - what goes into an initramfs, and as what; sourced.
#
# die MESSAGE... is the script's own.

# need_busybox - a busybox that runs in an empty root.
need_busybox()
{
	if ! [[ -x /bin/busybox ]] || ldd /bin/busybox >/dev/null 2>&1; then
		die 'no static /bin/busybox; apt-get install busybox-static'
	fi
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

# kernel_release BZIMAGE - the `uname -r` of a kernel: its setup header says where the
# version's text is (Linux boot protocol 2.00).
kernel_release()
{
	local at release

	at=$(od -An -tu2 -j $((0x20e)) -N2 -- "$1" 2>/dev/null) ||
		die "$1: is no Linux kernel (bzImage)"
	release=$(dd if="$1" bs=1 skip=$((at + 512)) count=128 status=none |
		tr '\0' '\n' | awk 'NR == 1 { print $1 }')
	[[ $release =~ ^[A-Za-z0-9][A-Za-z0-9.+_~-]*$ ]] ||
		die "$1: is no Linux kernel (bzImage)"
	echo "$release"
}

# module_files BASE RELEASE MODULE... - the files to load for MODULEs, in order,
# each once, dependencies first. Names built into the kernel yield nothing.
module_files()
{
	local dir=$1 release=$2 mod

	shift 2
	for mod; do
		modprobe -d "$dir" -S "$release" --show-depends "$mod" ||
			die "kernel $release has no module $mod in $dir/lib/modules"
	done | awk '/^insmod / {
		sub(/^insmod /, "")
		sub(/ *$/, "")
		if (!seen[$0]++)
			print
	}'
}

# unpack_module FILE TO
unpack_module()
{
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac >"$2"
}

# stage_modules BASE RELEASE TO MODULE... - copy MODULEs and what they need to
# the folder TO and list their names, in load order, in TO/order. Signatures,
# symbols and type information go: checking and parsing them costs an emulated
# CPU more than all the rest of loading.
stage_modules()
{
	local dir=$1 release=$2 to=$3 files file name real

	shift 3
	mkdir -p "$to"
	files=$(module_files "$dir" "$release" "$@") || return
	real=$(readlink -f -- "$dir")
	while read -r file; do
		[[ $file ]] || continue
		# A link in somebody's root must not lead to files of this host.
		[[ $(readlink -f -- "$file") == "${real%/}"/* ]] ||
			die "$file: leads out of $dir"
		name=${file##*/}
		name=${name%.ko*}.ko
		unpack_module "$file" "$to/$name"
		! command -v objcopy >/dev/null ||
			objcopy --strip-debug -R .BTF -R .BTF.base "$to/$name"
		echo "$name"
	done <<<"$files" >"$to/order"
}

# pack_cpio ROOT - an initramfs archive of ROOT on stdout, owned by root and
# independent of time stamps and inode numbers.
pack_cpio()
{
	(cd -- "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet -0 -o -H newc -R 0:0 --reproducible)
}
