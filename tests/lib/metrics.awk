# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lib/metrics.awk - whether a text is what Prometheus reads: the rules of its
# text format 0.0.4, or with -v open=1 those of OpenMetrics 1.0.  Says what is wrong.

function wrong(why) {
	print FILENAME ":" FNR ": " why ": " $0
	bad = 1
}

# The labels between braces, which must be NAME="VALUE" with commas between them.
function check_labels(s,   name, seen) {
	while (s != "") {
		if (!match(s, /^[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*"(,|$)/)) {
			wrong("labels")
			return
		}
		name = substr(s, 1, index(s, "=") - 1)
		if (name in seen)
			wrong("a label twice")
		seen[name] = 1
		s = substr(s, RLENGTH + 1)
	}
}

# What a family's samples may be called.
function belongs(name) {
	if (type[family] == "histogram")
		return name == family "_bucket" || name == family "_sum" || name == family "_count"
	if (type[family] == "counter" && open)
		return name == family "_total"
	return name == family
}

# A histogram's buckets rise up to the count.
function check_histogram(name, labels, value,   edge, rest) {
	rest = labels
	if (name ~ /_bucket$/) {
		edge = labels
		if (!match(labels, /,?le="[^"]*"/))
			wrong("a bucket without an edge")
		edge = substr(labels, RSTART, RLENGTH)
		gsub(/,?le="|"/, "", edge)
		sub(/,?le="[^"]*"/, "", rest)
		if ((family rest) in below && below[family rest] > value)
			wrong("a bucket with less than the one below")
		if ((family rest) in last && (last[family rest] == "+Inf" ||
		    (edge != "+Inf" && last[family rest] + 0 >= edge + 0)))
			wrong("edges do not rise")
		below[family rest] = value
		last[family rest] = edge
	} else if (name ~ /_count$/) {
		if (last[family rest] != "+Inf" || below[family rest] != value)
			wrong("the count is not what is below infinity")
	}
}

ended { wrong("behind the end") }
/^# EOF$/ { ended = 1; if (!open) wrong("only OpenMetrics has an end"); next }
/^# HELP / { if ($3 in help || NF < 4) wrong("help"); help[$3] = 1; next }
/^# TYPE / {
	if ($3 in type || NF != 4 || $4 !~ /^(counter|gauge|histogram)$/)
		wrong("type")
	if ($4 == "counter" && open == ($3 ~ /_total$/))
		wrong("name of a counter")
	family = $3
	type[family] = $4
	next
}
/^#/ { wrong("comment"); next }
{
	if (!match($0, /^[a-zA-Z_:][a-zA-Z0-9_:]*/)) {
		wrong("name")
		next
	}
	name = substr($0, 1, RLENGTH)
	rest = substr($0, RLENGTH + 1)
	labels = ""
	if (rest ~ /^\{/) {
		end = match(rest, /"?\} [^ ]*$/)
		if (!end)
			wrong("braces")
		labels = substr(rest, 2, end - 1)
		sub(/\}$/, "", labels)
		check_labels(labels)
		rest = substr(rest, end + length(substr(rest, end)) - length($NF) - 1)
	}
	if ($NF !~ /^[0-9]+(\.[0-9]+)?$/)
		wrong("value")
	if (!belongs(name))
		wrong("not of the family " family)
	if ((name labels) in seen)
		wrong("told twice")
	seen[name labels] = 1
	if (type[family] == "histogram")
		check_histogram(name, labels, $NF + 0)
}
END {
	for (f in type) {
		if (!(f in help)) {
			print FILENAME ": no help for " f
			bad = 1
		}
	}
	if (open && !ended) {
		print FILENAME ": no end"
		bad = 1
	}
	exit bad
}
