#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/xl_json.sh - --json: one document on standard output, what is wrong as
# objects on standard error, the same exit statuses.
[ -n "${XL_TEST_NETNS:-}" ] ||
	XL_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
cd "$work" || exit 1

ip link set lo up
ip link add xenbr0 type bridge
echo a kernel >kernel
truncate -s 4M disk.img
cat >g1.cfg <<-EOF
	name = "g1"
	kernel = "$work/kernel"
	memory = 16
	maxvcpus = 2
	uuid = "11111111-2222-3333-4444-555555555555"
	disk = [ '$work/disk.img,raw,xvda,rw' ]
	vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0,vifname=vg1' ]
EOF
check "a domain" xl create -q g1.cfg

# holds NAME FILTER VERB ARG... - the document is one, and fulfils the filter.
holds() {
	local name=$1 filter=$2 status

	shift 2
	xl "$@" >document 2>errors
	status=$?
	output=$(cat document errors; jq -n "[inputs] | length" document 2>&1)
	[ $status = 0 ] && [ ! -s errors ] && [ "$(tail -n 1 <<<"$output")" = 1 ] &&
		jq -e "$filter" document >/dev/null 2>&1
	ok $? "$name"
}
uuid='"11111111-2222-3333-4444-555555555555"'
holds "list" 'map(.name) == ["Domain-0", "g1"] and (.[1] | .domid == 1 and
	.mem_kib == 16384 and .vcpus == 1 and .cpu_s == 0 and .state == "ready" and
	.uuid == '"$uuid"' and (has("shutdown_reason") | not))' list --json
xl pause g1
holds "list of one" 'length == 1 and .[0].state == "paused"' list --json g1
xl unpause g1
holds "list: the option may be first, or last" 'length == 1' list g1 --json
holds "list: what is wanted for people is no matter" '.[1].name == "g1"' list -v --json
holds "list -l is JSON anyway" '.[0].domid == 1 and .[0].config.c_info.name == "g1"' \
	list -l --json g1
holds "vm-list" '. == [{"domid": 1, "name": "g1", "uuid": '"$uuid"'}]' vm-list --json
# Threads that have just begun may still be on their way to sleep.
asleep() { xl vcpu-list --json g1 | jq -e '.[0].blocked'; }
wait_for 10 asleep
holds "vcpu-list" 'map(.vcpu) == [0, 1] and (.[0] | .online and .blocked and
	(.running | not) and (.cpu | type) == "number" and .hard_affinity == "all") and
	.[1] == {"domid": 1, "name": "g1", "vcpu": 1, "online": false, "running": false,
	"blocked": false, "cpu": null, "cpu_s": 0, "hard_affinity": "all"}' vcpu-list --json g1
holds "vcpu-list of all" '[.[] | select(.domid == 0)] | length == '"$(nproc)" vcpu-list --json
holds "uptime" '.[0].name == "Domain-0" and .[0].uptime_s > 0 and
	.[1].domid == 1 and .[1].uptime_s < 3600' uptime --json
xenstore-write /local/domain/1/device/vif/0/tx-ring-ref 77 \
	/local/domain/1/device/vbd/51712/event-channel '"; rm' \
	/local/domain/0/backend/vif/1/0/carrier 0 \
	/local/domain/0/backend/vif/1/0/hotplug-error 'no bridge'
holds "block-list" '. == [{"domid": 1, "devid": 51712, "backend_domid": 0, "state": 1,
	"event_channel": null, "ring_ref": null,
	"backend_path": "/local/domain/0/backend/vbd/1/51712"}]' block-list --json g1
holds "network-list" 'length == 1 and (.[0] | .mac == "00:16:3e:00:00:01" and
	.devid == 0 and .tx_ring_ref == 77 and .rx_ring_ref == null and
	.carrier == 0 and .hotplug_error == "no bridge")' network-list --json g1
holds "info" '.nr_cpus == '"$(nproc)"' and .xen_major == 4 and .total_memory_kib > 65536 and
	(.cpu_mhz | type) == "number" and .xend_config_format == 4 and
	(has("cpu_topology") | not)' info --json
holds "info -nx" '(.cpu_topology | length) >= '"$(nproc)"' and .numa_info[0].memory_kib > 65536
	and .xenstore_features == "0x0000000f"' info -nx --json
holds "domid" '. == {"domid": 1, "name": "g1"}' domid --json g1
holds "domname" '. == {"domid": 1, "name": "g1"}' domname 1 --json
holds "domname of this host" '. == {"domid": 0, "name": "Domain-0"}' domname 0 --json
holds "cpupool-list" '. == [{"name": "Pool-0", "cpus": '"$(nproc)"', "scheduler": "credit2",
	"active": true, "domains": 2}]' cpupool-list -c --json
holds "sharing" '. == [{"domid": 1, "name": "g1", "mem_kib": 16384, "shared_kib": 0}]' \
	sharing --json g1
holds "claims" '.[1] == {"domid": 1, "name": "g1", "mem_kib": 16384, "claimed_kib": 0}' claims --json
holds "xenstore-quota-get" 'map(select(.name == "nodes")) == [{"name": "nodes", "value": 1000}]' \
	xenstore-quota-get --json g1
vmm_of() { cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/dom/$(xl domid "$1")/hv.pid"; }
kill -USR1 "$(vmm_of g1)"
wait_for 10 gone g1
xl create -q g1.cfg "on_crash='preserve'"
id=$(xl domid g1)
kill -ALRM "$(vmm_of g1)"
crashed() { xl list g1 | grep -q -- '---sc-'; }
wait_for 10 crashed
holds "list: one that has crashed" '.[0].state == "shutdown" and .[0].shutdown_reason == "crash"' \
	list --json g1

# ---- What is wrong -------------------------------------------------------------------

# errs NAME STATUS FILTER ARG... - nothing but whole documents come out, and one error.
errs() {
	local name=$1 status=$2 filter=$3

	shift 3
	xl "$@" >document 2>errors
	[ $? = "$status" ] && [ "$(wc -l <errors)" = 1 ] && jq . document >/dev/null 2>&1 &&
		jq -e "$filter" errors >/dev/null 2>&1
	status=$?
	output=$(cat document errors)
	ok $status "$name"
}
none='.error == "nosuch is an invalid domain identifier (rc=-6)" and .object == "nosuch" and
	(.remedy | contains("xl list"))'
for verb in list vcpu-list uptime block-list network-list sharing xenstore-quota-get; do
	errs "$verb: a domain that there is not" 1 "$none" $verb --json nosuch
done
errs "domid: a domain that there is not" 1 '.object == "nosuch"' domid --json nosuch
errs "domname: what is no number" 1 '.object == "x" and .remedy == "a number is wanted"' \
	domname --json x
errs "cpupool-list: a pool that there is not" 1 '.object == "p"' cpupool-list --json p
errs "too few arguments" 1 '.remedy == "xl help block-list"' block-list --json
errs "an option that there is not" 1 '(.error | contains("--nonsense")) and
	.remedy == "xl help list"' list --json --nonsense
output=$(xl list -- --json 2>&1)
[ $? = 1 ] && [ "$output" = "--json is an invalid domain identifier (rc=-6)" ]
ok $? "behind -- it is a name"
output=$(xl pause --json g1 2>&1)
[ $? = 1 ] && grep -q -- "--json" <<<"$output" && ! grep -q '{' <<<"$output"
ok $? "a verb that lists nothing has no such option"
xl vcpu-list --json nosuch g1 >document 2>errors
[ $? = 1 ] && jq -e 'length == 2' document >/dev/null && jq -e "$none" errors >/dev/null
ok $? "one error does not spoil the document"
halt "$(vmm_of g1)"
xl list --json >document 2>errors
output=$(cat document errors)
jq -e '.[1].name == "g1"' document >/dev/null &&
	jq -e '(.warning | contains("does not answer")) and .object == "domain g1 ('"$id"')" and
	.remedy == "`xl destroy g1` ends it"' errors >/dev/null
ok $? "a warning is told as one"
for name in h1 h2 h3; do
	xl create -q g1.cfg "name='$name'" "disk=[]" "vif=[]" \
		"uuid='11111111-2222-3333-4444-0000000000${name/h/0}'"
	kill -STOP "$(vmm_of $name)"
done
since=$SECONDS
xl list --json >document 2>errors
took=$((SECONDS - since))
output="took $took s: $(cat document errors)"
jq -e 'length == 5' document >/dev/null && [ "$(grep -c 'does not answer' errors)" = 4 ] &&
	[ $took -lt 14 ]
ok $? "four VMMs that hang take the time of one"
for name in g1 h1 h2 h3; do
	kill -CONT "$(vmm_of $name)"
	xl destroy $name
done
xl create -q g1.cfg "disk=[]" "vif=[]"
output=$(XENSTORED_PATH=$work/none xl block-list --json g1 2>&1)
[ $? = 1 ] && jq -e '.error | contains("'"$work/none"'")' <<<"$output" >/dev/null
ok $? "so is a store that is not there"
output=$(xl list --json 2>&1 >/dev/full)
[ $? = 1 ]
ok $? "an output that takes nothing"

# ---- Help and completion ---------------------------------------------------------------

missing=
for verb in list vm-list vcpu-list uptime block-list network-list info domid domname \
	cpupool-list sharing claims xenstore-quota-get; do
	xl help "$verb" | grep -q '^--json ' || missing="$missing $verb"
done
output=$missing
[ -z "$missing" ]
ok $? "the help of each verb has it"
output=$(xl help pause)
! grep -q json <<<"$output"
ok $? "and no other's"
# shellcheck source=packaging/xl.bash
output=$(. "$project/packaging/xl.bash"
	COMP_WORDS=(xl vm-list --) COMP_CWORD=2
	_xl xl
	echo "${COMPREPLY[@]}")
[ "$output" = --json ]
ok $? "completion offers it"
