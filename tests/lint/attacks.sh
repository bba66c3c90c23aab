#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lint/attacks.sh - every test that the table of attacks names exists.
#
# usage: tests/lint/attacks.sh [TABLE]     (default: tests/hostile/README.md)
# shellcheck disable=SC2016 # the backquotes are the table's
set -u
cd "$(dirname "$0")/../.." || exit 1
table=${1:-tests/hostile/README.md}
bad=0

complain() {
	echo "$table: $*"
	bad=1
}

# suite::name of each Criterion test; a long declaration has several lines.
mapfile -t sources < <(git ls-files --cached --others --exclude-standard \
	'tests/unit/*.c' 'tests/hostile/*.c')
declare -A tests=()
while read -r name; do
	tests[$name]=1
done < <(cat "${sources[@]}" | tr -s '\n\t ' ' ' |
	grep -oE '\b(Test\(|ParameterizedTest\([^,()]*,) ?[a-z0-9_]+, ?[a-z0-9_]+' |
	sed -E 's/.*[(,] ?([a-z0-9_]+), ?([a-z0-9_]+)$/\1::\2/')

exists() { # NAME, as the table has it
	local file=${1%%: *}

	case $1 in
	*/*:\ *) [ -f "$file" ] && grep -qF -- "${1#*: }" "$file" ;;
	*::*) [ -n "${tests[$1]:-}" ] ;;
	*/*) [ -f "$1" ] ;;
	*) return 0 ;; # some other word of code
	esac
}

declare -A seen=()
rows=0
while IFS='|' read -r _ row _ names _; do
	row=${row// /}
	[[ $row =~ ^[A-Z]+-[0-9]+$ ]] || continue
	rows=$((rows + 1))
	[ -z "${seen[$row]:-}" ] || complain "$row comes twice"
	seen[$row]=1
	found=0
	while read -r name; do
		exists "$name" || complain "$row: there is no $name"
		found=1
	done < <(grep -oE '`[^`]+`' <<<"$names" | tr -d '`')
	[ $found = 1 ] || [[ $names = " none: "?* ]] ||
		complain "$row: neither a test nor a reason"
done <"$table"
[ $rows -gt 0 ] || complain "no rows"
exit $bad
