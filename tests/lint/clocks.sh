#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lint/clocks.sh - no program waits by a clock that somebody may set.
#
# The host's time of day jumps: a timeout, a rate or a back-off has to be counted on
# the monotonic clock. Each line of code that knows the time of day, or a wait that
# goes by it unless told otherwise, has to be in tests/lint/clocks.allow with what it
# is good for; an entry there that fits no line is a finding as well. Then the check
# is checked: it has to see each of the ways to ask. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1

realtime='CLOCK_(REALTIME|TAI)[A-Z_]*|TIME_UTC'
calls='time|gettimeofday|ftime|timespec_get|evutil_gettimeofday'
calls+='|event_base_gettimeofday_cached|pthread_cond_timedwait'
calls+='|pthread_(mutex|rwlock_(rd|wr))(_)?timed(_)?lock|sem_timedwait|mq_timed[a-z]+'

# Lines of code, without comments, as "FILE: LINE".
look() { # FILE...
	local f
	for f; do
		gcc -fpreprocessed -dD -E -P -w "$f" |
			grep -E "\<($realtime)\>|\<($calls)\(" |
			sed -E "s|^[[:space:]]*|$f: |"
	done | sort -u
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mapfile -t src < <(git ls-files '*.c' '*.h' ':!tests')
look "${src[@]}" >"$dir/found"
sed -n 's/^\([^#].*[^ ]\)  # .*/\1/p' tests/lint/clocks.allow | sort >"$dir/allowed"

bad=0
while IFS= read -r line; do
	bad=1
	echo "# a clock that jumps: $line"
done < <(comm -23 "$dir/found" "$dir/allowed")
while IFS= read -r line; do
	bad=1
	echo "# allowed, but not there: $line"
done < <(comm -13 "$dir/found" "$dir/allowed")
[ "$bad" = 0 ] || printf 'not '
echo "ok 1 - no wait goes by the time of day ($(wc -l <"$dir/found") lines allowed)"

ways=('now = time(NULL);' 'gettimeofday(&tv, NULL);'
	'clock_gettime(CLOCK_REALTIME, &ts);' 'timespec_get(&ts, TIME_UTC);'
	'fd = timerfd_create(CLOCK_REALTIME_ALARM, 0);' 'sem_timedwait(&s, &ts);'
	'pthread_cond_timedwait(&c, &m, &ts);')
printf '%s\n' "${ways[@]}" '/* time(NULL) */' 'uptime(0);' >"$dir/ways.c"
seen=$(look "$dir/ways.c" | wc -l)
if [ "$seen" != ${#ways[@]} ]; then
	bad=1
	echo "# $seen lines of ${#ways[@]} seen"
	printf 'not '
fi
echo "ok 2 - each way to ask for the time of day is seen"
echo 1..2
exit "$bad"
