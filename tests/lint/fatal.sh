#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lint/fatal.sh - nothing that a peer can cause ends a program.
#
# Whatever serves guests is compiled without optimisation and its calls are read
# from the machine code. What a peer can set going is called through a pointer
# (a row of a table, a libevent callback, a thread's start), or by one of the
# loops below, so all that these reach counts; what is called from main() only is
# start-up. A place among them that ends the program (assert(), abort(), exit(),
# die() and so on) has to be in tests/lint/fatal.allow with the reason why no peer
# gets there; an entry there that fits no place is a finding as well. Then the
# check is checked: it has to see an assertion about a request. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1

src=(ring/*.c base/*.c hypervisor/*.c xenstore-lite/*.c dom0-backend/*.c)
# What main() calls, and serves guests: its loop, and how it ends.
loops='hypervisor/main.c:serve xenstore-lite/main.c:serve
	dom0-backend/device.c:follow dom0-backend/device.c:tear_down
	dom0-backend/main.c:tear_down vm_free domctl_free console_xs_fini
	console_hub_fini domain_free_all conn_run'
# die() and require() are ours: their callers are what matters.
fatal='abort exit _exit _Exit quick_exit __assert_fail __assert err errx
	die require raise'

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
flags=$(make -s print-cppflags)

object() { echo "$dir/$(echo "$1" | tr / %).o"; } # source

compile() { # source, what is compiled in its place
	# shellcheck disable=SC2086 # a list
	gcc -std=gnu17 $flags -O0 -g -ffunction-sections -fno-jump-tables \
		-c -o "$(object "$1")" "${2:-$1}"
}

# Of one object: "def F FILE", "call F G", "ref G" and "end F LINE" lines; functions
# of one file alone are named FILE:F.
facts() { # source
	local o
	o=$(object "$1")
	{
		objdump -t "$o"
		objdump -r "$o"
		objdump -drl --no-show-raw-insn "$o"
	} | awk -v src="$1" -v fatal="$fatal" '
	function name(f) { return f in mine || f == "main" ? src ":" f : f }
	function target(value) { # of a relocation
		sub(/[-+]0x[0-9a-f]+$/, "", value)
		sub(/^\.text\./, "", value)
		return value
	}
	BEGIN { n = split(fatal, f); for (i = 1; i <= n; i++) ends[f[i]] }
	/ F \.text/ { if ($2 == "l") mine[$NF]; fn[$NF]; print "def", name($NF), src }
	/^RELOCATION RECORDS FOR/ {
		data = $4 !~ /^\[\.(text|debug|eh_frame)/
		next
	}
	/^Disassembly/ { data = 0 }
	data && /R_X86_64/ { print "ref", name(target($3)) }
	/^[0-9a-f]+ <.*>:$/ {
		at = $2
		gsub(/[<>:]/, "", at)
	}
	/^\/.*:[0-9]+/ { sub(/.*:/, "", $1); line = $1 }
	/^ +[0-9a-f]+:\t/ {
		op = $2
		if (op == "ud2" && !(at in ends))
			print "end", name(at), line
	}
	/^\t\t\t.*R_X86_64/ && !data {
		to = target($3)
		if (op !~ /^(call|jmp)/)
			print "ref", name(to)
		else if (to in ends && !(at in ends))
			print "end", name(at), line
		else
			print "call", name(at), name(to)
	}'
}

# Reachable places: "FILE LINE how it is reached".
reach() {
	awk -v loops="$loops" '
	$1 == "def" { def[$2] = $3 }
	$1 == "call" { calls[$2] = calls[$2] " " $3; called[$3] }
	$1 == "ref" { ref[$2] }
	$1 == "end" { ends[$2] = ends[$2] " " $3 }
	function enter(f, from) {
		if (!(f in def) || f in via)
			return
		via[f] = from
		queue[++last] = f
	}
	END {
		n = split(loops, l)
		for (i = 1; i <= n; i++) {
			if (!(l[i] in def)) {
				print "fatal.sh: no such function: " l[i]
				exit
			}
			enter(l[i], "")
		}
		for (f in ref)
			enter(f, "")
		for (f in def) # for tests, or for nobody
			if (!(f in called) && f !~ /:main$/)
				enter(f, "")
		for (i = 1; i <= last; i++) {
			n = split(calls[queue[i]], c)
			for (j = 1; j <= n; j++)
				enter(c[j], queue[i])
		}
		for (f in ends) {
			if (!(f in via))
				continue
			path = f
			for (g = via[f]; g; g = via[g])
				path = g " > " path
			n = split(ends[f], c)
			for (j = 1; j <= n; j++)
				print def[f], c[j], path
		}
	}'
}

# The statement at a line, on one line.
statement() { # file, line
	tail -n "+$2" "$1" | awk '{ gsub(/^[ \t]+|[ \t]*\/\*.*\*\//, "")
		s = s (s ? " " : "") $0 } /;/ { exit } END {
		sub(/;.*/, ";", s); print s }'
}

# Fill $dir/places ("FILE FUNCTION: STATEMENT", tab, how it is reached) and
# $dir/found (the first half).
look() {
	local f file line path
	for f in "${src[@]}"; do facts "$f"; done >"$dir/facts"
	while read -r file line path; do
		f=${path##* }
		printf '%s %s: %s\t%s\n' "$file" "${f##*:}" \
			"$(statement "${body[$file]:-$file}" "$line")" "$path"
	done < <(reach <"$dir/facts" | sort -u) | sort -u >"$dir/places"
	cut -f 1 "$dir/places" | sort -u >"$dir/found"
}

declare -A body
for f in "${src[@]}"; do
	compile "$f" || { echo "not ok 1 - $f compiles"; exit 1; }
done
look
sed -n 's/^\([^#].*\)  # .*/\1/p' tests/lint/fatal.allow | sort >"$dir/allowed"

bad=0
while IFS= read -r place; do
	bad=1
	echo "# a peer may get here: $place"
	grep -F "$place" "$dir/places" | cut -f 2 | sed 's/^/#     by /'
done < <(comm -23 "$dir/found" "$dir/allowed")
while IFS= read -r place; do
	bad=1
	echo "# allowed, but not there: $place"
done < <(comm -13 "$dir/found" "$dir/allowed")
[ "$bad" = 0 ] || printf 'not '
echo "ok 1 - no peer ends a program ($(wc -l <"$dir/found") places allowed)"

f=dom0-backend/blkback.c
body[$f]=$dir/blkback.c
sed 's/^\tn = blkback_check_segs(/\tassert(req->nseg <= 11);\n&/' "$f" >"${body[$f]}"
compile "$f" "${body[$f]}" && look
if ! grep -qx "$f prepare_rw: assert(req->nseg <= 11);" "$dir/found"; then
	bad=1
	printf 'not '
fi
echo "ok 2 - an assertion about a request is seen"
echo 1..2
exit "$bad"
