# SPDX-License-Identifier: GPL-2.0-or-later
# base/syscalls.awk - the system calls that sources name (base/jail.h), as C.
#
# usage: awk -f base/syscalls.awk [-v more="CALL..."] [-v headers="HEADER..."]
#            [-v list=1] FILE...
#
# more: calls of the build's own.  headers: with the numbers of ioctl's requests.
# list=1: what a test must see used, one a line, as it is written: alternatives stay
# together; of ioctl without its requests.
function take(text, refused, i, n, word)
{
	n = split(text, word, /[ \t]+/)
	for (i = 1; i <= n; i++)
		if (word[i] != "" && !(word[i] in seen && refused))
			seen[word[i]] = refused
}
function rules(refused, w, n, i, name, part)
{
	for (w in seen) {
		n = seen[w] == refused ? split(w, name, "/") : 0
		for (i = 1; i <= n; i++) {
			if (done[name[i]]++)
				continue
			split(name[i] ":0", part, ":")
			print "\t{ SYS_" part[1] ", " refused ", " part[2] \
				" }," | "sort"
		}
	}
}
BEGIN { take(more, 0) }
/SYSCALLS(, at times|, refused)?: / {
	if (list && /SYSCALLS, /)
		next
	refused = /SYSCALLS, refused/
	sub(/.*SYSCALLS(, at times|, refused)?: /, "")
	sub(/[ \t]*\*\/.*/, "")
	take($0, refused)
}
END {
	if (list) {
		for (w in seen) {
			sub(/:.*/, "", w)
			if (!done[w]++)
				print w | "sort"
		}
		exit
	}
	print "// Made by base/syscalls.awk."
	print "#include \"base/jail.h\"\n"
	n = split(headers, word, /[ \t]+/)
	for (i = 1; i <= n; i++)
		print "#include " word[i]
	print "#include <sys/ioctl.h>\n#include <sys/syscall.h>\n"
	print "const struct jail_call jail_calls[] = {"
	fflush()
	rules(0)
	rules(1)
	close("sort")
	print "};\nconst size_t jail_ncalls = ARRAY_SIZE(jail_calls);"
}
