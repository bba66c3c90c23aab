# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# packaging/xl.bash - bash completion for xl: commands as `xl help` lists them,
# options as a command's own help does, domains by name.
_xl() {
	local cur=${COMP_WORDS[COMP_CWORD]} verb='' word i words

	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || {
			verb=${COMP_WORDS[i]}
			break
		}
	done
	COMPREPLY=()
	if [ -z "$verb" ] || [ "$verb" = help ]; then
		words=$("$1" help 2>/dev/null | sed -n 's/^ \([a-z][a-z-]*\) .*/\1/p')
		words+=" help"
	elif [[ $cur == -* ]]; then
		words=$("$1" help "$verb" 2>/dev/null |
			grep -oE '(^|[ ,])--?[a-zA-Z][a-z-]*' | tr -d ' ,')
	elif [ "$verb" = image ]; then
		words="build ls rm"
		[ $((COMP_CWORD - i)) -eq 1 ] ||
			words=$("$1" image ls 2>/dev/null | awk 'NR > 1 { print $1 }')
	elif [ "$verb" = run ]; then
		compopt -o default 2>/dev/null
		words=$("$1" image ls 2>/dev/null | awk 'NR > 1 { print $1 }')
	elif [ "$verb" = create ] || [ $((COMP_CWORD - i)) -gt 1 ]; then
		compopt -o default 2>/dev/null
		return
	else
		words=$("$1" list 2>/dev/null | awk 'NR > 1 { print $1 }')
	fi
	while read -r word; do
		COMPREPLY+=("$word")
	done < <(compgen -W "$words" -- "$cur")
}
complete -F _xl xl
