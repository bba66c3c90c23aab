#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/metrics.sh - sv-metrics: what Prometheus reads, and clients that would hold
# it up.
#
# It listens on TCP in a network namespace of the test's own.
[ -n "${METRICS_TEST_NETNS:-}" ] ||
	METRICS_TEST_NETNS=1 exec unshare --net "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

host_without_guests
ip link set lo up

rules=$project/tests/lib/metrics.awk
url=http://127.0.0.1:9748/metrics
get() { curl -s -m 60 "$@"; }
value() { sed -n "s/^$1 \([0-9.]*\)\$/\1/p" page; } # NAME{LABELS}

start store sv-xenstored --foreground
start backend sv-backend --no-console
guest 3 three
check "a domain" wait_for 10 named 3 three
give_disk 3 disk.img
check "a disk connects" tell 3 "disk 0 1"
check "and is read" tell 3 "read 100"

start metrics sv-metrics --port 9748
ok $? "sv-metrics on a port"
sockets() { find "/proc/${procs[metrics]}/fd" -lname 'socket:*' | wc -l; }
holds_sockets() { [ "$(sockets)" = "$1" ]; }
idle=$(sockets)
get -H 'Accept: application/openmetrics-text;version=1.0.0' -D headers $url >page
output=$(cat headers; awk -v open=1 -f "$rules" page)
awk -v open=1 -f "$rules" page && grep -q '^Content-Type: application/openmetrics-text; version=1.0.0' headers
ok $? "OpenMetrics, for who asks for it"
get -D headers $url >old
output=$(cat headers; awk -f "$rules" old)
awk -f "$rules" old && grep -q '^Content-Type: text/plain; version=0.0.4' headers
ok $? "the older text format, for others"
who='domid="3",domain="three"'
# A VMM that has had no time to answer is asked again.
all_told() {
	get -H 'Accept: application/openmetrics-text' $url >page
	[ "$(value splitvisor_domains)" = 1 ] && [ "$(value splitvisor_domains_silent)" = 0 ] &&
		[ "$(value "splitvisor_block_requests_total{$who,device=\"vbd\/51712\",op=\"read\"}")" = 100 ] &&
		[ "$(value "splitvisor_block_bytes_total{$who,device=\"vbd\/51712\",op=\"read\"}")" = 51200 ] &&
		[ "$(value "splitvisor_block_request_seconds_count{$who,device=\"vbd\/51712\",op=\"read\"}")" = 100 ] &&
		[ "$(value "splitvisor_device_worker_restarts_total{$who,device=\"vbd\/51712\"}")" = 0 ] &&
		[ "$(value "splitvisor_domain_kvm_events_total{$who,event=\"exits\"}")" = 7 ]
}
check "what went through the disk" wait_for 10 all_told
read -r worker < <(pgrep -P "${procs[backend]}")
kill -9 "$worker"
check "the disk is read after its worker was killed" tell 3 "read 10"
told() {
	get $url >page
	[ "$(value "splitvisor_device_worker_restarts_total{$who,device=\"vbd\/51712\"}")" = 1 ] &&
		[ "$(value "splitvisor_block_requests_total{$who,device=\"vbd\/51712\",op=\"read\"}")" = 110 ]
}
check "a worker that died is told, and nothing is lost" wait_for 10 told
output=$(sv-metrics --once)
awk -v open=1 -f "$rules" <<<"$output"
ok $? "--once"

# ---- Requests that are none -------------------------------------------------------

# says STATUS TEXT - what is answered to those bytes.
says() {
	exec {s}<>/dev/tcp/127.0.0.1/9748
	printf '%b' "$2" >&"$s" || :
	output=$(timeout 60 head -n 1 <&"$s")
	exec {s}>&-
	[[ $output = "HTTP/1.1 $1 "* ]]
	ok $? "$1: ${3:-${2:0:30}}"
}
says 200 'GET /metrics HTTP/1.0\r\n\r\n'
says 200 'GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n'
says 200 'HEAD /metrics HTTP/1.1\r\n\r\n'
says 404 'GET / HTTP/1.1\r\n\r\n'
says 404 'GET /metrics/../etc HTTP/1.1\r\n\r\n'
says 405 'POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc'
says 400 'GET /metrics\r\n\r\n'
says 400 '\r\n\r\n'
says 400 '\0377\0376 \01 \02\r\n\r\n' "bytes"
says 431 "$(printf 'GET /metrics HTTP/1.1\\r\\nX: %04070d' 0)" "too long"
[ "$(get -I $url | grep -c .)" -ge 4 ]
ok $? "HEAD has no body"

# ---- Clients that would hold it up --------------------------------------------------

# One too many may be disconnected while it writes; that is not our end.
trap : PIPE
slow=()
for _ in $(seq 20); do
	exec {s}<>/dev/tcp/127.0.0.1/9748
	{ printf 'GET /metrics HTTP/1.1\r\nX: ' >&"$s"; } 2>/dev/null
	slow+=("$s")
done
drip() { # a byte now and then
	local i s

	trap '' PIPE
	for i in $(seq 300); do
		for s in "${slow[@]}"; do
			printf x >&"$s"
		done
		sleep 0.2
	done 2>/dev/null
}
drip &
procs[drip]=$!
fds() { find "/proc/${procs[metrics]}/fd" -type l | wc -l; }
output=$(fds)
[ "$output" -le 30 ]
ok $? "twenty clients that never end take few descriptors"
for s in "${slow[@]}"; do exec {s}>&-; done
answers() { get $url >page && grep -q '^splitvisor_domains 1' page; }
check "they do not keep it from answering another" wait_for 60 answers
kill "${procs[drip]}"
unset "procs[drip]"
check "they are gone" wait_for 60 holds_sockets "$idle"
exec {s}<>/dev/tcp/127.0.0.1/9748
check "one that says nothing" wait_for 10 holds_sockets $((idle + 1))
check "is disconnected" wait_for 30 holds_sockets "$idle"
exec {s}>&-

halt "${procs[guest3]}"
sleep_over() { get $url >page; [ "$(value splitvisor_domains_silent)" = 1 ]; }
check "a VMM that hangs is counted" wait_for 10 sleep_over
awk -f "$rules" page
ok $? "and holds up nobody"
kill -CONT "${procs[guest3]}"
check "it is told again when it answers" wait_for 10 told

# ---- Where it listens ----------------------------------------------------------------

output=$(ss -tlnH 2>/dev/null | awk '{ print $4 }')
[ "$output" = 127.0.0.1:9748 ]
ok $? "on no other address"
output=$(sv-metrics --port 9748 2>&1)
[ $? = 1 ] && grep -q '^metrics: 127.0.0.1:9748: Address already in use' <<<"$output"
ok $? "a port that is taken"
kill "${procs[metrics]}"
wait "${procs[metrics]}"
ok $? "it ends when told to"
start metrics sv-metrics
ok $? "sv-metrics on its socket"
socket=$SPLITVISOR_RUN_DIR/metrics.sock
[ "$(stat -c %a "$socket")" = 600 ] &&
	get --unix-socket "$socket" http://localhost/metrics | awk -f "$rules"
ok $? "answers its owner there"
output=$(sv-metrics 2>&1)
[ $? = 1 ] && grep -q "socket '$socket': Address already in use" <<<"$output"
ok $? "a socket that is taken"
for bad in '--port 0' '--port x' '--port 65536' '--port 1 --socket x' 'x' '--ready-fd x'; do
	# shellcheck disable=SC2086 # words
	output=$(sv-metrics $bad 2>&1)
	[ $? = 1 ] && [ "$(wc -l <<<"$output")" = 1 ]
	ok $? "'$bad' is refused with one line"
done
end 3
check "the dashboard is JSON" jq -e '.panels | length > 5' "$project/docs/grafana.json"
names=$(jq -r '.. | .expr? // empty' "$project/docs/grafana.json" | grep -oE 'splitvisor_[a-z_]+' | sort -u)
output=$(for n in $names; do grep -qE "^(# TYPE )?${n}[ {]" old || echo "$n is no metric"; done)
[ -n "$names" ] && [ -z "$output" ]
ok $? "and shows what there is"
echo "1..$tests_done"
