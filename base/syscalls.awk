# SPDX-License-Identifier: GPL-2.0-or-later
# base/syscalls.awk - the system calls that sources name (base/jail.h), as C.
#
# usage: awk -f base/syscalls.awk [-v more="CALL..."] [-v list=1] FILE...
#
# more: calls of the build's own.  list=1: what a test must see used, one a line,
# as it is written: alternatives stay together.
function take(text, i, n, word)
{
	n = split(text, word, /[ \t]+/)
	for (i = 1; i <= n; i++)
		if (word[i] != "")
			seen[word[i]] = 1
}
BEGIN { take(more) }
/SYSCALLS(, at times)?: / {
	if (list && /, at times/)
		next
	sub(/.*SYSCALLS(, at times)?: /, "")
	sub(/[ \t]*\*\/.*/, "")
	take($0)
}
END {
	if (list) {
		for (w in seen)
			print w | "sort"
		exit
	}
	print "// Made by base/syscalls.awk."
	print "#include \"base/jail.h\"\n\n#include <sys/syscall.h>\n"
	print "const int jail_calls[] = {"
	fflush()
	for (w in seen) {
		n = split(w, name, "/")
		for (i = 1; i <= n; i++)
			if (!done[name[i]]++)
				print "\tSYS_" name[i] "," | "sort"
	}
	close("sort")
	print "};\nconst size_t jail_ncalls = ARRAY_SIZE(jail_calls);"
}
