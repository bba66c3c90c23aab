#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/xl.sh - the toolstack with the real store and backends, and domains
# whose VMM is a stand-in (sv-fakehv): life and death without KVM.
#
# Interfaces and bridges are made in a network namespace of the test's own.
[ -n "${XL_TEST_NETNS:-}" ] ||
	XL_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
cd "$work" || exit 1

features=15 # that the store offers

ip link set lo up
ip link add xenbr0 type bridge
echo a kernel >kernel
echo a kernel >kernel-refuse
echo a kernel >kernel-hang
truncate -s 4M disk.img
cat >g1.cfg <<-EOF
	name = "g1"
	type = "pvh"
	kernel = "$work/kernel"
	memory = 16
	vcpus = 1
	maxvcpus = 2
	uuid = "11111111-2222-3333-4444-555555555555"
	disk = [ '$work/disk.img,raw,xvda,rw' ]
	vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0,vifname=vg1' ]
EOF
cat >bare.cfg <<-EOF
	name = "bare"
	kernel = "kernel"
	memory = 16
EOF

pid_of() { cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/$1.pid"; }
store_pid() { # whoever is the store now
	local pid

	for pid in $(our_processes); do
		[ "$(cat "/proc/$pid/comm")" != sv-xenstored ] || echo "$pid"
	done
}
vmm_of() { pid_of "dom/$(xl domid "$1")/hv"; }
state() { xl list "$1" 2>/dev/null | awk 'NR == 2 { print $5 }'; }
state_is() { [ "$(state "$1")" = "$2" ]; }
store_of_guests() {
	xenstore-ls -fp | grep -vE '^/(tool|local/domain/0/(control|domid|name|memory)|local/pool)'
}
# Everything that a domain could leave behind.
census() {
	our_processes | wc -l
	our_processes | xargs -I{} find /proc/{}/fd -lname '/memfd:*' 2>/dev/null | wc -l
	ip -o link | wc -l
	ls "$SPLITVISOR_RUN_DIR/dom"
	store_of_guests
}
settles() { [ "$(census)" = "$baseline" ]; }
is_clean() { # NAME
	wait_for 5 settles
	output=$(diff <(echo "$baseline") <(census))
	ok $? "$1: nothing is left behind"
}

# ---- The first domain brings up the daemons ---------------------------------

# The ends of pipes that lead out of a process, and the file that the caller holds.
of_others() {
	local pid

	for pid in $(our_processes); do
		case $(cat "/proc/$pid/comm") in
		sv-*) find "/proc/$pid/fd" -lname "$work/held" -printf '%p %l\n'
			find "/proc/$pid/fd" -lname 'pipe:*' -printf '%l\n' | sort | uniq -u ;;
		esac
	done
}
output=$({ xl create g1.cfg 2>&1 && xl pause g1; } 8>held)
ok $? "create, with daemons started on the way"
[ "$output" = "Parsing config from g1.cfg" ]
ok $? "create prints what xl prints"
output=$(of_others)
[ -z "$output" ]
ok $? "what runs on has nothing open of who called xl, or started it"
output=$(xl list)
[ "$(sed 1d <<<"$output" | awk '{ print NF }' | sort -u)" = 6 ] &&
	grep -qE '^Domain-0 +0 +[0-9]+ +[0-9]+     r-----  +[0-9.]+$' <<<"$output" &&
	grep -qxF 'g1                                           1    16     1     --p---       0.0' <<<"$output"
ok $? "list shows it, in the columns that scripts split"

# The nodes that Xen's xl makes for such a domain; backends add their own.
expected() {
	cat <<-EOF
		/libxl = ""   (n0)
		/libxl/1 = ""   (n0)
		/libxl/1/device = ""   (n0)
		/libxl/1/device/console = ""   (n0)
		/libxl/1/device/console/0 = ""   (n0)
		/libxl/1/device/console/0/backend = "/local/domain/0/backend/console/1/0"   (n0)
		/libxl/1/device/console/0/frontend = "/local/domain/1/console"   (n0)
		/libxl/1/device/console/0/frontend-id = "1"   (n0)
		/libxl/1/device/console/0/online = "1"   (n0)
		/libxl/1/device/console/0/protocol = "vt100"   (n0)
		/libxl/1/device/console/0/state = "1"   (n0)
		/libxl/1/device/vbd = ""   (n0)
		/libxl/1/device/vbd/51712 = ""   (n0)
		/libxl/1/device/vbd/51712/backend = "/local/domain/0/backend/vbd/1/51712"   (n0)
		/libxl/1/device/vbd/51712/bootable = "1"   (n0)
		/libxl/1/device/vbd/51712/dev = "xvda"   (n0)
		/libxl/1/device/vbd/51712/device-type = "disk"   (n0)
		/libxl/1/device/vbd/51712/discard-enable = "1"   (n0)
		/libxl/1/device/vbd/51712/frontend = "/local/domain/1/device/vbd/51712"   (n0)
		/libxl/1/device/vbd/51712/frontend-id = "1"   (n0)
		/libxl/1/device/vbd/51712/mode = "w"   (n0)
		/libxl/1/device/vbd/51712/online = "1"   (n0)
		/libxl/1/device/vbd/51712/params = "$work/disk.img"   (n0)
		/libxl/1/device/vbd/51712/removable = "0"   (n0)
		/libxl/1/device/vbd/51712/script = "/etc/xen/scripts/block"   (n0)
		/libxl/1/device/vbd/51712/specification = "xen"   (n0)
		/libxl/1/device/vbd/51712/state = "1"   (n0)
		/libxl/1/device/vbd/51712/type = "phy"   (n0)
		/libxl/1/device/vif = ""   (n0)
		/libxl/1/device/vif/0 = ""   (n0)
		/libxl/1/device/vif/0/frontend = "/local/domain/1/device/vif/0"   (n0)
		/libxl/1/device/vif/0/backend = "/local/domain/0/backend/vif/1/0"   (n0)
		/libxl/1/device/vif/0/frontend-id = "1"   (n0)
		/libxl/1/device/vif/0/online = "1"   (n0)
		/libxl/1/device/vif/0/state = "1"   (n0)
		/libxl/1/device/vif/0/script = "/etc/xen/scripts/vif-bridge"   (n0)
		/libxl/1/device/vif/0/vifname = "vg1"   (n0)
		/libxl/1/device/vif/0/mac = "00:16:3e:00:00:01"   (n0)
		/libxl/1/device/vif/0/bridge = "xenbr0"   (n0)
		/libxl/1/device/vif/0/handle = "0"   (n0)
		/libxl/1/device/vif/0/type = "vif"   (n0)
		/libxl/1/device/vif/0/hotplug-status = ""   (n0)
		/local/domain/0/backend/vif = ""   (n0)
		/local/domain/0/backend/vif/1 = ""   (n0)
		/local/domain/0/backend/vif/1/0 = ""   (n0,r1)
		/local/domain/0/backend/vif/1/0/frontend = "/local/domain/1/device/vif/0"   (n0,r1)
		/local/domain/0/backend/vif/1/0/frontend-id = "1"   (n0,r1)
		/local/domain/0/backend/vif/1/0/online = "1"   (n0,r1)
		/local/domain/0/backend/vif/1/0/state = "2"   (n0,r1)
		/local/domain/0/backend/vif/1/0/script = "/etc/xen/scripts/vif-bridge"   (n0,r1)
		/local/domain/0/backend/vif/1/0/vifname = "vg1"   (n0,r1)
		/local/domain/0/backend/vif/1/0/mac = "00:16:3e:00:00:01"   (n0,r1)
		/local/domain/0/backend/vif/1/0/bridge = "xenbr0"   (n0,r1)
		/local/domain/0/backend/vif/1/0/handle = "0"   (n0,r1)
		/local/domain/0/backend/vif/1/0/type = "vif"   (n0,r1)
		/local/domain/0/backend/vif/1/0/hotplug-status = "connected"   (n0,r1)
		/local/domain/1/device/vif = ""   (n0,r1)
		/local/domain/1/device/vif/0 = ""   (n1,r0)
		/local/domain/1/device/vif/0/backend = "/local/domain/0/backend/vif/1/0"   (n1,r0)
		/local/domain/1/device/vif/0/backend-id = "0"   (n1,r0)
		/local/domain/1/device/vif/0/state = "1"   (n1,r0)
		/local/domain/1/device/vif/0/handle = "0"   (n1,r0)
		/local/domain/1/device/vif/0/mac = "00:16:3e:00:00:01"   (n1,r0)
		/local/domain/1/device/vif/0/trusted = "1"   (n1,r0)
		/local/domain/1/device/vif/0/mtu = "1500"   (n0,r1)
		/libxl/1/dm-version = "qemu_xen"   (n0)
		/libxl/1/type = "pvh"   (n0)
		/local = ""   (n0)
		/local/domain = ""   (n0)
		/local/domain/0 = ""   (n0)
		/local/domain/0/backend = ""   (n0)
		/local/domain/0/backend/console = ""   (n0)
		/local/domain/0/backend/console/1 = ""   (n0)
		/local/domain/0/backend/console/1/0 = ""   (n0,r1)
		/local/domain/0/backend/console/1/0/frontend = "/local/domain/1/console"   (n0,r1)
		/local/domain/0/backend/console/1/0/frontend-id = "1"   (n0,r1)
		/local/domain/0/backend/console/1/0/online = "1"   (n0,r1)
		/local/domain/0/backend/console/1/0/protocol = "vt100"   (n0,r1)
		/local/domain/0/backend/console/1/0/state = "1"   (n0,r1)
		/local/domain/0/backend/vbd = ""   (n0)
		/local/domain/0/backend/vbd/1 = ""   (n0)
		/local/domain/0/backend/vbd/1/51712 = ""   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/bootable = "1"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/dev = "xvda"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/device-type = "disk"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/discard-enable = "1"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/frontend = "/local/domain/1/device/vbd/51712"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/frontend-id = "1"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/mode = "w"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/online = "1"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/params = "$work/disk.img"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/removable = "0"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/script = "/etc/xen/scripts/block"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/specification = "xen"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/state = "2"   (n0,r1)
		/local/domain/0/backend/vbd/1/51712/type = "phy"   (n0,r1)
		/local/domain/1 = ""   (n0,r1)
		/local/domain/1/attr = ""   (n1)
		/local/domain/1/console = ""   (n0,r1)
		/local/domain/1/console/backend = "/local/domain/0/backend/console/1/0"   (n0,r1)
		/local/domain/1/console/backend-id = "0"   (n1,r0)
		/local/domain/1/console/limit = "1048576"   (n0,r1)
		/local/domain/1/console/output = "pty"   (n0,r1)
		/local/domain/1/console/port = "2"   (n0,r1)
		/local/domain/1/console/ring-ref = "1044479"   (n0,r1)
		/local/domain/1/console/tty = "TTY"   (n0,r1)
		/local/domain/1/console/type = "xenconsoled"   (n0,r1)
		/local/domain/1/control = ""   (n0,r1)
		/local/domain/1/control/feature-poweroff = ""   (n1)
		/local/domain/1/control/feature-reboot = ""   (n1)
		/local/domain/1/control/feature-suspend = ""   (n1)
		/local/domain/1/control/platform-feature-multiprocessor-suspend = "1"   (n0,r1)
		/local/domain/1/control/platform-feature-xs_reset_watches = "1"   (n0,r1)
		/local/domain/1/control/shutdown = ""   (n1)
		/local/domain/1/control/sysrq = ""   (n1)
		/local/domain/1/cpu = ""   (n0,r1)
		/local/domain/1/cpu/0 = ""   (n0,r1)
		/local/domain/1/cpu/0/availability = "online"   (n0,r1)
		/local/domain/1/cpu/1 = ""   (n0,r1)
		/local/domain/1/cpu/1/availability = "offline"   (n0,r1)
		/local/domain/1/data = ""   (n1)
		/local/domain/1/device = ""   (n0,r1)
		/local/domain/1/device/suspend = ""   (n0,r1)
		/local/domain/1/device/suspend/event-channel = ""   (n1)
		/local/domain/1/device/vbd = ""   (n0,r1)
		/local/domain/1/device/vbd/51712 = ""   (n1,r0)
		/local/domain/1/device/vbd/51712/backend = "/local/domain/0/backend/vbd/1/51712"   (n1,r0)
		/local/domain/1/device/vbd/51712/backend-id = "0"   (n1,r0)
		/local/domain/1/device/vbd/51712/device-type = "disk"   (n1,r0)
		/local/domain/1/device/vbd/51712/state = "1"   (n1,r0)
		/local/domain/1/device/vbd/51712/trusted = "1"   (n1,r0)
		/local/domain/1/device/vbd/51712/virtual-device = "51712"   (n1,r0)
		/local/domain/1/domid = "1"   (n0,r1)
		/local/domain/1/drivers = ""   (n1)
		/local/domain/1/error = ""   (n1)
		/local/domain/1/feature = ""   (n1)
		/local/domain/1/memory = ""   (n0,r1)
		/local/domain/1/memory/static-max = "16384"   (n0,r1)
		/local/domain/1/memory/target = "16384"   (n0,r1)
		/local/domain/1/memory/videoram = "0"   (n0,r1)
		/local/domain/1/name = "g1"   (n0,r1)
		/local/domain/1/store = ""   (n0,r1)
		/local/domain/1/store/port = "1"   (n0,r1)
		/local/domain/1/store/ring-ref = "1044476"   (n0,r1)
		/local/domain/1/vm = "/vm/11111111-2222-3333-4444-555555555555"   (n0,r1)
		/vm = ""   (n0)
		/vm/11111111-2222-3333-4444-555555555555 = ""   (n0,r1)
		/vm/11111111-2222-3333-4444-555555555555/name = "g1"   (n0,r1)
		/vm/11111111-2222-3333-4444-555555555555/start_time = "TIME"   (n0,r1)
		/vm/11111111-2222-3333-4444-555555555555/uuid = "11111111-2222-3333-4444-555555555555"   (n0,r1)
	EOF
}
has_tty() { [ -n "$(xenstore-read /local/domain/1/console/tty)" ]; }
wait_for 10 has_tty
output=$(diff <(expected | sort) <(store_of_guests |
	sed -E 's|(console/tty = ")/dev/pts/[0-9]+|\1TTY|
		s|(start_time = ")[0-9]+\.[0-9]+|\1TIME|' |
	grep -vE '^/local/domain/0/backend/(vbd/1/51712|vif/1/0)/(feature-|multi-queue|max-ring|physical-|discard-[^e]|sector|info|carrier|statistics)' |
	grep -v 'vbd/1/51712/hotplug-status' |
	sort))
ok $? "the store holds Xen's nodes, values and permissions"

# ---- Verbs on a domain that lives --------------------------------------------

output=$(xl domid g1; xl domname 1)
[ "$output" = $'1\ng1' ]
ok $? "domid and domname"
check "unambiguous beginnings of verbs" sh -c 'xl unp g1 && xl l g1 && xl block-l g1'
check "unpause" state_is g1 ------
output=$(xl list -l g1)
grep -qx '    {' <<<"$output" && grep -qx '        "domid": 1,' <<<"$output" &&
	grep -q '^                "name": "g1",$' <<<"$output" &&
	grep -q '^                    "pdev_path": ' <<<"$output"
ok $? "list -l in the layout that xendomains greps"
output=$(xl list -v g1 | tail -n 1)
[ "$output" = 'g1                                           1    16     1     ------       0.0 11111111-2222-3333-4444-555555555555        -                -' ]
ok $? "list -v"
xenstore-write /local/domain/1/device/vbd/51712/backend /evil \
	/local/domain/1/device/vbd/51712/state 99999999999999999999
output=$(xl block-list g1)
[ "$output" = "$(printf '%s\n' 'Vdev  BE  handle state evt-ch ring-ref BE-path                       ' \
	'51712 0   1      -1    -1     -1       /local/domain/0/backend/vbd/1/51712')" ]
ok $? "block-list does not believe the guest"
output=$(xl network-list g1)
[ "$output" = "$(printf '%s\n' 'Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       ' \
	'0   0  00:16:3e:00:00:01     0     1     -1    -1/-1          /local/domain/0/backend/vif/1/0')" ] &&
	ip -o link show vg1 | grep -q 'master xenbr0'
ok $? "network-list, and the card's interface on the bridge"
for name in nosuch 77; do
	output=$(xl list $name 2>&1)
	[ $? = 1 ] && [ "$output" = "$name is an invalid domain identifier (rc=-6)" ]
	ok $? "list $name: as xl says it"
done
output=$(xl create -q g1.cfg 2>&1)
[ $? = 3 ] && [[ $output = "domain name 'g1' is taken by domain 1"* ]] &&
	[ "$(wc -l <<<"$output")" = 1 ]
ok $? "a taken name is refused with one line"
output=$(xl create -q g1.cfg name='"g2"' 'vif=[]' 2>&1)
[ $? = 3 ] && [[ $output = *"$work/disk.img"*"in use by domain 1"* ]] &&
	[ "$(wc -l <<<"$output")" = 1 ] && gone g2
ok $? "a disk in use is refused with one line"
output=$(xl shutdown g1 2>&1)
[ $? = 1 ] && grep -q 'PV control interface not available' <<<"$output"
ok $? "shutdown of a guest that has not said that it listens"
check "destroy" xl destroy g1
output=$(xl list g1 2>&1)
[ $? = 1 ]
ok $? "list NAME fails once it is destroyed"
wait_for 10 only_daemons
wait_for 10 at_rest census
baseline=$(census)
xl create -q bare.cfg && xl destroy bare
is_clean "create and destroy"

# ---- Failures undo everything --------------------------------------------------

output=$(xl create -q bare.cfg "kernel='$work/kernel-refuse'" 2>&1)
[ $? = 3 ] && [ "$output" = "kernel '$work/kernel-refuse': not a kernel (a test says so)" ]
ok $? "what the VMM says of a bad kernel is the one line that the user sees"
is_clean "a refused kernel"
vmm_there() { kill -0 "$(vmm_of bare)"; }
xl create -q bare.cfg "kernel='$work/kernel-hang'" 2>interrupted &
pid=$!
wait_for 10 vmm_there
kill -INT $pid
wait $pid
[ $? = 3 ] && grep -q 'interrupted, not created' interrupted
ok $? "an interrupted create says so"
is_clean "an interrupted create"
xl create -q bare.cfg "kernel='$work/kernel-hang'" 2>killed &
pid=$!
wait_for 10 vmm_there
kill -9 "$(vmm_of bare)"
wait $pid
[ $? = 3 ] && grep -q 'ended by signal 9' killed
ok $? "a VMM that dies while starting"
is_clean "a VMM that dies while starting"
xl create -q bare.cfg "kernel='$work/kernel-hang'" 2>/dev/null &
pid=$!
wait_for 10 vmm_there
stale=$(vmm_of bare)
kill -9 $pid "$stale"
wait $pid
# It takes the kernel a moment to end the VMM.
check "after a killed create the name can be used again" wait_for 5 xl create -q bare.cfg
xl destroy bare
is_clean "a killed create"

# ---- How domains end -----------------------------------------------------------

signal_guest() { kill "-$2" "$(vmm_of "$1")"; }

xl create -q bare.cfg
signal_guest bare USR1
check "poweroff: is destroyed" wait_for 5 gone bare
is_clean "poweroff"

xl create -q bare.cfg && first=$(xl domid bare)
uuid=$(xenstore-read "$(xenstore-read "/local/domain/$first/vm")/uuid")
signal_guest bare USR2
restarted() { [ "$(xl domid bare 2>/dev/null || echo 0)" -gt "$first" ] && state_is bare ------; }
check "reboot: restarts under a new domid" wait_for 5 restarted
[ "$(xenstore-read "$(xenstore-read "/local/domain/$(xl domid bare)/vm")/uuid")" = "$uuid" ]
ok $? "reboot: keeps its UUID"
kill -9 "$(vmm_of bare)"
check "a VMM that is killed is gone from the list" wait_for 2 gone bare
is_clean "a VMM that is killed"

# The monitor waits a second before it restarts what has lived so shortly.
back=0
for delay in 0 0.5 0.95 1 1.05 1.1; do
	xl create -q bare.cfg
	signal_guest bare USR2
	sleep "$delay"
	until xl destroy bare 2>/dev/null; do sleep 0.01; done
	sleep 1.5
	gone bare || { back=$((back + 1)); xl destroy bare; }
done
output="$back of 6 came back"
ok "$back" "reboot: who is destroyed meanwhile does not come back"
is_clean "reboot and destroy"

# Nodes are written in steps; none may come after the domain has been destroyed.
for delay in 0.01 0.02 0.03 0.04 0.05 0.06 0.07 0.08 0.10 0.12; do
	xl create -q bare.cfg 2>/dev/null &
	sleep "$delay"
	xl destroy bare 2>/dev/null
	wait $!
	xl destroy bare 2>/dev/null
done
is_clean "destroyed while it is created"

xl create -q bare.cfg "on_poweroff='preserve'"
signal_guest bare USR1
check "preserve: stays, listed as ---s--" wait_for 5 state_is bare ---s--
sleep 0.3
check "preserve: until it is destroyed" xl destroy bare
is_clean "preserve"

xl create -q bare.cfg "on_crash='rename-restart'" "disk=['$work/disk.img,raw,xvda,w']"
first=$(xl domid bare)
signal_guest bare ALRM
check "rename-restart: the successor runs" wait_for 10 restarted
kept=$(xl domname "$first")
[[ $kept = bare-20*Z ]] && state_is "$kept" ---sc-
ok $? "rename-restart: the crashed domain is kept under another name"
xl destroy bare
check "rename-restart: both can be destroyed" xl destroy "$kept"
is_clean "rename-restart"

xl create -q bare.cfg "on_crash='coredump-destroy'"
signal_guest bare ALRM
check "coredump-destroy: is destroyed" wait_for 5 gone bare
check "coredump-destroy: the log says why there is no dump" \
	grep -q 'has no vCPUs to be dumped' "$logs/xl-bare.log"
check "coredump-destroy: and nothing is left of it" \
	rmdir "$SPLITVISOR_RUN_DIR/dump"
is_clean "coredump-destroy"

xl create -q bare.cfg
kill -9 "$(monitor_of bare)"
check "destroy without a monitor" xl destroy bare
is_clean "destroy without a monitor"

xl create -q -e bare.cfg
[ -z "$(monitor_of bare)" ]
ok $? "create -e leaves no monitor"
signal_guest bare USR1
check "create -e: stays after poweroff" wait_for 5 state_is bare ---s--
xl destroy bare
is_clean "create -e"

xl create -q bare.cfg
halt "$(vmm_of bare)"
output=$(timeout 60 xl list 2>&1) &&
	grep -q 'does not answer' <<<"$output" && grep -q '^bare ' <<<"$output"
ok $? "a VMM that hangs does not hang the list"
check "a VMM that hangs can be destroyed" timeout 60 xl destroy bare
is_clean "a VMM that hangs"

# ---- What the store grants a domain ------------------------------------------

quota_of() { # DOMAIN NAME
	xl xenstore-quota-get "$1" | awk -v q="$2" '$1 == q { print $2 }'
}
quota_is() { [ "$(quota_of "$1" "$2" 2>/dev/null)" = "$3" ]; }
cat bare.cfg - >granted.cfg <<-EOF
	xenstore_quota = [ "nodes=50", "watches=0x10" ]
	xenstore_feature_mask = 2
EOF
xl create -q granted.cfg
quota_is bare nodes 50 && quota_is bare watches 16 && quota_is bare transactions 10
ok $? "xenstore_quota: the domain has its own, and for the rest the global ones"
check "xenstore_quota: the global ones stay" quota_is -g nodes 1000
output=$(xl xenstore-quota-get -g)
[ "$(head -n 3 <<<"$output")" = "$(printf 'Quota name           Quota value\n--------------------------------\nnodes                    1000')" ]
ok $? "xenstore-quota-get prints what xl prints"
output=$(xl xenstore-quota-set bare nodes=60 node-size=0 2>&1) && [ -z "$output" ] &&
	quota_is bare nodes 60 && quota_is bare node-size 0
ok $? "xenstore-quota-set"
output=$(xl xenstore-quota-set bare apples=1 2>&1)
[ $? = 1 ] && grep -q '^Quota could not be set. (apples=1: no such quota' <<<"$output"
ok $? "xenstore-quota-set: a quota that there is not"
output=$(xl xenstore-quota-set bare apples 2>&1)
[ $? = 1 ] && [ "$output" = 'Quota specification "apples" lacks "=".' ]
ok $? "xenstore-quota-set: what is no quota"
output=$(xl xenstore-quota-get nobody 2>&1)
[ $? = 1 ] && [ "$output" = 'nobody is an invalid domain identifier (rc=-6)' ]
ok $? "xenstore-quota-get: a domain that there is not"
xl xenstore-quota-set -g nodes=900 && quota_is -g nodes 900
ok $? "xenstore-quota-set -g"
xl xenstore-quota-set -g nodes=1000
kill -9 "$(store_pid)"
check "quotas outlive the store" wait_for 5 quota_is bare nodes 60
output=$(xl info -x | grep -A1 '^xenstore_features')
[ "$output" = "$(printf 'xenstore_features      : 0x%08x\nxend_config_format     : 4' "$features")" ]
ok $? "info -x tells what the store offers"
signal_guest bare USR1
check "xenstore_quota: poweroff" wait_for 5 gone bare
is_clean "xenstore_quota"
xl create -q bare.cfg
check "xenstore_quota: the next domain does not have it" quota_is bare nodes 1000
xl destroy bare
cat bare.cfg - >granted.cfg <<-EOF
	xenstore_quota = [ "apples=50" ]
EOF
output=$(xl create -q granted.cfg 2>&1)
[ $? = 3 ] && grep -q "xenstore_quota 'apples=50': the store refuses it" <<<"$output"
ok $? "xenstore_quota: a quota that there is not refuses the domain"
is_clean "xenstore_quota that is refused"

xl create -q -F bare.cfg &
pid=$!
check "create -F: runs" wait_for 5 state_is bare ------
signal_guest bare USR1
wait $pid
ok $? "create -F: ends with the domain"
is_clean "create -F"

# ---- Shutdown ----------------------------------------------------------------

can() { xenstore-write "/local/domain/$(xl domid "$1")/control/feature-poweroff" 1; }
told_to() { [ "$(xenstore-read "$1")" = "$2" ]; } # NODE WORD
# The stand-in does what a guest does: reads the word, acknowledges, powers off.
obey() {
	local node
	node=/local/domain/$(xl domid "$1")/control/shutdown
	wait_for 10 told_to "$node" poweroff
	signal_guest "$1" USR1
}
xl create -q bare.cfg
xl create -q bare.cfg name='"bare2"'
id=$(xl domid bare) id2=$(xl domid bare2)
can bare && can bare2
obey bare &
output=$(xl shutdown -w bare 2>&1) && [ "$output" = "$(printf '%s\n' "Shutting down domain $id" \
	"Waiting for 1 domains" "Domain $id has been shut down, reason code 0")" ]
ok $? "shutdown -w waits and prints what xl prints"
wait_for 5 gone bare
obey bare2 &
output=$(xl shutdown -a -w 2>&1) && grep -q "Domain $id2 has been shut down" <<<"$output"
ok $? "shutdown -a -w"
wait_for 5 gone bare2
is_clean "shutdown"
xl create -q bare.cfg && can bare
node=/local/domain/$(xl domid bare)/control/shutdown
(wait_for 10 told_to "$node" poweroff; xl destroy bare) &
output=$(xl shutdown -w bare 2>&1)
grep -q 'has been destroyed' <<<"$output"
ok $? "shutdown -w of a domain that is destroyed meanwhile"
wait
is_clean "shutdown and destroy"

# ---- Suspend ---------------------------------------------------------------------

# refuses NAME TEXT VERB DOMAIN - it fails, with one line that says TEXT.
refuses() {
	output=$(timeout 60 xl "$3" "$4" 2>&1)
	[ $? = 1 ] && grep -q "$2" <<<"$output" && [ "$(wc -l <<<"$output")" = 1 ]
	ok $? "$3: $1"
}
for verb in suspend resume; do
	refuses "a domain that is not there" 'nowhere' $verb nowhere
	refuses "this host" 'domain 0 is this host' $verb 0
done
xl create -q bare.cfg
node=/local/domain/$(xl domid bare)/control
refuses "a domain that runs" 'is not suspended' resume bare
refuses "a guest that cannot" 'has not said that it can be' suspend bare
xenstore-write "$node/feature-suspend" 1
xl pause bare
refuses "a paused domain" 'is paused and cannot suspend itself' suspend bare
xl unpause bare
xl suspend bare 2>interrupted &
pid=$!
check "suspend: the guest is asked" wait_for 5 told_to "$node/shutdown" suspend
kill -INT $pid
wait $pid
[ $? = 1 ] && grep -q 'not suspended: Interrupted' interrupted
ok $? "suspend: one that waits for its guest can be interrupted"
output=$(xenstore-read "$node/shutdown")
[ -z "$output" ]
ok $? "suspend: which is not asked any more then"
xl suspend bare 2>ended &
pid=$!
wait_for 5 told_to "$node/shutdown" suspend
xenstore-write "$node/shutdown" ''
signal_guest bare ALRM
wait $pid
[ $? = 1 ] && grep -q 'has not suspended itself but shut down: crash' ended
ok $? "suspend: a guest that crashes instead"
wait_for 5 gone bare
xl create -q bare.cfg "on_poweroff='preserve'"
signal_guest bare USR1
wait_for 5 state_is bare ---s--
refuses "a domain that has shut down" 'has shut down: poweroff' suspend bare
refuses "a domain that has shut down" 'is not suspended' resume bare
halt "$(vmm_of bare)"
for verb in suspend resume; do
	refuses "a VMM that hangs" 'its VMM does not' $verb bare
done
kill -CONT "$(vmm_of bare)"
xl destroy bare
is_clean "suspend"

# ---- Console --------------------------------------------------------------------

xl create -q bare.cfg
output=$(printf '\035' | timeout 60 xl console bare 2>&1)
ok $? "console: the escape character leaves it"
# Its output and input are not a terminal here, and end at different times.
timeout 60 xl console bare </dev/null >/dev/null 2>&1 &
pid=$!
sleep 0.5
kill -0 $pid
ok $? "console: stays without input"
xl destroy bare
wait $pid
ok $? "console: ends with the domain"
is_clean "console"
output=$(printf '\035' | timeout 60 xl create -q -c bare.cfg 2>&1) &&
	state_is bare ------
ok $? "create -c: attaches, and lets the domain run"
xl destroy bare
is_clean "create -c"

# ---- The other verbs ---------------------------------------------------------------

# says NAME STATUS TEXT ARG... - xl ARG... prints exactly that, on both channels.
says() {
	local name=$1 status=$2 text=$3

	shift 3
	output=$(xl "$@" 2>&1)
	[ $? = "$status" ] && [ "$output" = "$text" ]
	ok $? "$name"
}
sed 's/bare/two/' bare.cfg >two.cfg
printf 'vcpus = 2\nmaxvcpus = 3\n' >>two.cfg
xl create -q two.cfg "on_reboot='restart'"
id=$(xl domid two)
vcpus() { # what vcpu-list shows of domain two; the CPU and the affinity of each
	xl vcpu-list two | sed -E '1d; s/^(.{44}) +[0-9]+ /\1     N /'
}
vcpus_are() { [ "$(vcpus)" = "$1" ]; }
hard() { vcpus | sed 's/.*  \(.*\) \/ all$/\1/' | xargs; }
row() { printf 'two %34u %5u %5s %5s %9.1f  %s / all\n' "$id" "$@"; }
# Threads that have just begun may still be on their way to sleep.
wait_for 10 vcpus_are "$(row 0 N '-b-' 0 all; row 1 N '-b-' 0 all; row 2 - '--p' 0 all)"
status=$?
output=$(vcpus)
ok $status "vcpu-list: a row for each, as xl has it"
output=$(xl vcpu-list)
[ "$(head -n 1 <<<"$output")" = 'Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)' ] &&
	[ "$(grep -cE '^Domain-0 +0 +[0-9]+ +[0-9]+   r-- +[0-9.]+  all / all$' <<<"$output")" = "$(nproc)" ]
ok $? "vcpu-list: this host's CPUs are domain 0's"
xl pause two
[ "$(vcpus | head -n 1)" = "$(row 0 N '---' 0 all)" ]
ok $? "vcpu-list: a paused domain's neither run nor wait"
xl unpause two
again() { [ "$(xl domid "$1" 2>/dev/null || echo 0)" -gt "$id" ] && state_is "$1" ------; }
thread() { # the thread of domain two's vCPU
	grep -lx "vcpu $1" "/proc/$(vmm_of two)/task"/*/comm | cut -d/ -f5
}
allowed() { awk '/^Cpus_allowed_list/ { print $2 }' "/proc/$(thread "$1")/status"; }
first_cpu=$(awk '/^Cpus_allowed_list/ { split($2, c, "[-,]"); print c[1] }' /proc/self/status)
if [ "$(nproc)" -gt 1 ]; then
	check "vcpu-pin" xl vcpu-pin two 1 "$first_cpu"
	output=$(hard; allowed 0; allowed 1)
	[ "$(hard)" = "all $first_cpu all" ] && [ "$(allowed 1)" = "$first_cpu" ] &&
		[ "$(allowed 0)" != "$first_cpu" ]
	ok $? "vcpu-pin: that thread, and no other, runs there"
	says "vcpu-pin -N only tells" 0 "cpumap: $first_cpu" -N vcpu-pin two all "$first_cpu"
	signal_guest two USR2
	wait_for 10 again two
	[ "$(hard)" = "all $first_cpu all" ] && [ "$(allowed 1)" = "$first_cpu" ]
	ok $? "vcpu-pin: a restart keeps it"
	id=$(xl domid two)
	check "vcpu-pin all" xl vcpu-pin two all "^$first_cpu,all,^$first_cpu"
	output=$(hard; allowed 0)
	[ "$(allowed 0)" = "$(allowed 1)" ] && [ "$(allowed 0)" != "$first_cpu" ]
	ok $? "vcpu-pin all: all of them run there"
fi
xl vcpu-pin two all all && [ "$(hard)" = 'all all all' ]
ok $? "vcpu-pin: to all CPUs again"
for cpus in 4000 x 1- 0- '' ^all 0,,0 5-3 node:999; do
	output=$(xl vcpu-pin two 0 "$cpus" 2>&1)
	[ $? = 1 ] && [ "$(wc -l <<<"$output")" = 1 ] && [ "$(hard)" = 'all all all' ]
	ok $? "vcpu-pin '$cpus' is refused"
done
says "vcpu-pin: what is no vCPU" 1 "Error: Invalid argument one as VCPU." vcpu-pin two one 0
says "vcpu-pin: a vCPU that there is not" 1 "domain $id: there is no vCPU 3, but 0 to 2" \
	vcpu-pin two 3 0
output=$(xl vcpu-list nowhere 2>&1 >/dev/null)
[ $? = 1 ] && [ "$output" = 'nowhere is an invalid domain identifier (rc=-6)' ]
ok $? "vcpu-list: a domain that there is not"

# Its size.  This guest has no drivers: the store is given their watches for it.
is_refused() { # WORDS VERB ARG... - in one or two lines
	local words=$1

	shift
	xl "$@" >"$work/said" 2>&1
	[ $? = 1 ] && grep -q "$words" "$work/said" && [ "$(wc -l <"$work/said")" -le 2 ]
}
sizes() { xl list -l two | grep -E '"(max_vcpus|max_memkb|target_memkb)"' | tr -dc '0-9\n' | xargs; }
node() { xenstore-read "/local/domain/$(xl domid two)/$1"; }
for bad in x 1x -1 '' 1mb 99999999999999; do
	says "mem-set '$bad'" 1 "invalid memory size: $bad" mem-set two "$bad"
done
check "mem-set: no balloon driver" is_refused \
	"does not watch 'memory/target': it has no balloon driver" mem-set two 12
check "mem-set: says what it could not" is_refused \
	"^cannot set domid $id dynamic max memory to : 12$" mem-set two 12
check "mem-set: more than maxmem" is_refused '16384 KiB' mem-set two 17
check "mem-set: less than the least" is_refused '8192 KiB' mem-set two 8191k
check "mem-set: this host" is_refused 'domain 0 is this host' mem-set 0 512
check "mem-max: more than maxmem" is_refused '16384 KiB' mem-max two 17
check "mem-max: less than the target" is_refused 'mem-set comes first' mem-max two 15
check "vcpu-set: no driver" is_refused "does not watch 'cpu/0/availability'" vcpu-set -i two 3
check "vcpu-set: more than maxvcpus" is_refused 'however maxcpus is 3' vcpu-set -i two 4
check "vcpu-set: none" is_refused 'Requested 0 VCPUs' vcpu-set two 0
says "vcpu-set: no number" 1 'Error: Invalid argument.' vcpu-set two x
check "vcpu-set: more than this host has" is_refused 'Aborting, use --ignore-host' \
	vcpu-set two 4000
output="$(sizes) $(node memory/target) $(node cpu/1/availability)"
[ "$output" = '3 16384 16384 16384 online' ]
ok $? "what is refused changes nothing"
watches() { # PATH...
	for path; do
		sv-domctl "$(xl domid two)" watch "$path" || return
	done
}
check "the guest watches its size" watches memory/target cpu
check "mem-set" xl mem-set two 12288k
check "vcpu-set" xl vcpu-set two 1
output="$(sizes) $(node memory/target) $(node memory/static-max) $(node cpu/0/availability) $(node cpu/1/availability)"
[ "$output" = '3 16384 12288 12288 16384 online offline' ]
ok $? "mem-set, vcpu-set: the guest is told, and it is kept"
check "mem-max" xl mem-max two 14
check "mem-set: more than mem-max" is_refused 'mem-max allows, 14336 KiB' mem-set two 15
check "mem-set: as much" xl mem-set two 14
signal_guest two USR2
check "a domain that was made smaller restarts" wait_for 10 again two
output="$(sizes) $(node memory/target) $(node memory/static-max) $(node cpu/1/availability)"
[ "$output" = '3 16384 14336 14336 16384 offline' ]
ok $? "and has that size, and can grow"
check "the guest watches its size once more" watches memory cpu
xl mem-set two 16 && xl vcpu-set -i two 2
ok $? "mem-set: mem-max has ended with its life"
id=$(xl domid two)

check "rename" xl rename two zwei
output=$(xl list zwei; xenstore-read "/local/domain/$id/name" "$(xenstore-read "/local/domain/$id/vm")/name")
[ "$(xl domid zwei)" = "$id" ] && gone two && [ "$(tail -n 2 <<<"$output")" = $'zwei\nzwei' ] &&
	xl list -l zwei | grep -q '"name": "zwei"'
ok $? "rename: in the list, in the store, in the configuration"
xl create -q bare.cfg
output=$(xl rename zwei bare 2>&1)
[ $? = 1 ] && grep -q "name 'bare' is taken" <<<"$output" &&
	grep -qx "Can't rename domain 'zwei'." <<<"$output" && listed zwei
ok $? "rename: to a name that is taken"
for bad in 12 'a b' a/b .x Domain-0 "$(printf 'a\nmemory=1')"; do
	xl rename zwei "$bad" 2>/dev/null || listed zwei
	output=$(xl list)
	listed zwei
	ok $? "rename: to '${bad//[^a-zA-Z0-9 ]/.}', which cannot be a name"
done
signal_guest zwei USR2
check "rename: a restart keeps the name" wait_for 10 again zwei
id=$(xl domid zwei)

uuid=$(xl vm-list | awk '$3 == "zwei" { print $1 }')
output=$(xl vm-list)
[ "$(head -n 1 <<<"$output")" = 'UUID                                  ID    name' ] &&
	grep -qx "[0-9a-f-]\{36\}  $id    zwei *" <<<"$output" && ! grep -q Domain-0 <<<"$output"
ok $? "vm-list"
cat bare.cfg - >later.cfg <<-EOF
	maxvcpus = 4
	uuid = "99999999-2222-3333-4444-555555555555"
EOF
output=$(xl config-update zwei later.cfg 2>&1)
ok $? "config-update"
grep -qx 'Parsing config from later.cfg' <<<"$output" && [ "$(wc -l <<<"$output")" = 2 ]
ok $? "config-update says what xl says"
signal_guest zwei USR2
check "config-update: the restarted domain" wait_for 10 again zwei
[ "$(xl vcpu-list zwei | wc -l)" = 5 ] && xl vm-list | grep -q "^$uuid .* zwei *$"
ok $? "config-update: is as the new configuration says, with its old name and UUID"
id=$(xl domid zwei)
output=$(xl config-update zwei later.cfg "memory='x'" 2>&1)
[ $? = 1 ] && grep -q "memory = 'x'" <<<"$output" && xl list -l zwei | grep -q '"max_vcpus": 4'
ok $? "config-update: a bad configuration changes nothing"
xl config-update 2>/dev/null | grep -q '^Usage: xl \[-vtTfN\] config-update '
ok $? "config-update without a domain shows how"

output=$(xl uptime)
[ "$(head -n 1 <<<"$output")" = 'Name                                ID Uptime' ] &&
	grep -qE '^Domain-0                             0 ([0-9]+ days?, )?[ 0-9]{2}:[0-9]{2}:[0-9]{2}$' <<<"$output" &&
	grep -qE "^zwei {26,34}$id  0:0[0-5]:[0-9]{2}$" <<<"$output"
ok $? "uptime"
output=$(xl uptime -s zwei)
grep -qE "^ [0-9]{2}:[0-9]{2}:[0-9]{2} up  0:0[0-5], zwei \($id\)$" <<<"$output"
ok $? "uptime -s"

check "sysrq" xl sysrq zwei s
[ "$(xenstore-read "/local/domain/$id/control/sysrq")" = s ]
ok $? "sysrq: the guest is told"
output=$(xl sysrq zwei sync 2>&1)
[ $? = 1 ] && grep -qx 'Invalid sysrq.' <<<"$output" &&
	[ "$(xenstore-read "/local/domain/$id/control/sysrq")" = s ]
ok $? "sysrq: one letter"
says "trigger: what there is not" 1 'Invalid trigger "bang"' trigger zwei bang
says "trigger: what is not possible" 1 "trigger power: not possible for a PVH guest here (\`xl shutdown\`, \`xl reboot\` and \`xl sysrq\` ask it)" \
	trigger zwei power
says "trigger: a guest without vCPUs" 1 \
	"xl trigger: domain $id, vCPU 0: a process plays this guest: it has no vCPUs" \
	trigger zwei nmi
says "trigger: no vCPU's number" 1 "xl trigger: 'first' is not a vCPU's number" \
	trigger zwei nmi first
output=$(xl dump-core zwei core 2>&1)
[ $? = 1 ] && grep -q "domain $id has no vCPUs to be dumped" <<<"$output" &&
	[ ! -e core ] && [ ! -e core.part ]
ok $? "dump-core: a guest without vCPUs"
output=$(xl dump-core zwei no/core 2>&1)
[ $? = 1 ] && grep -q "no/core.part: No such file or directory" <<<"$output"
ok $? "dump-core: nowhere to write it"
output=$(xl gdb zwei 2>&1 </dev/null)
[ $? = 1 ] && grep -q "domain $id has no vCPUs to be debugged" <<<"$output"
ok $? "gdb: a guest without vCPUs"
output=$(xl gdb 0 2>&1 </dev/null)
[ $? = 1 ] && grep -q 'xl gdb: domain 0 is this host' <<<"$output"
ok $? "gdb: domain 0"
for verb in cpupool-create cpupool-migrate debug-keys devd \
	set-parameters button-press; do
	refuses "one line says why not" "^xl $verb: " $verb ""
done
says "cpupool-list" 0 "$(printf '%s\n' 'Name               CPUs   Sched     Active   Domain count' \
	"$(printf 'Pool-0             %3u   credit2       y          3' "$(nproc)")")" cpupool-list
output=$(xl claims; xl sharing zwei)
grep -qx 'Name                                        ID   Mem VCPUs.State.Time(s)  Claimed' <<<"$output" &&
	grep -qE "^zwei +$id +16 +1 +------ +[0-9.]+     0$" <<<"$output" &&
	[ "$(tail -n 2 <<<"$output")" = "$(printf 'Name                                        ID   Mem Shared\nzwei %41u    16      0' "$id")" ]
ok $? "claims and sharing"
output=$(xl list -Z zwei | head -n 1)
[ "$output" = "$(printf 'Name                                        ID   Mem VCPUs\tState\tTime(s)   Security Label')" ]
ok $? "list -Z"
says "-N of a verb that has none" 1 'command does not implement -N (dryrun) option' -N rename zwei x
xl destroy bare
xl destroy zwei
is_clean "the other verbs"

# ---- Many at once, many in turn --------------------------------------------------

pids=()
for _ in 1 2 3 4; do
	xl create -q bare.cfg 2>/dev/null &
	pids+=($!)
done
won=0
for pid in "${pids[@]}"; do
	wait "$pid" && won=$((won + 1))
done
[ $won = 1 ]
ok $? "of four creates of one name, one succeeds"
xl destroy bare
is_clean "creates at once"

failures=0
for _ in $(seq 50); do
	xl create -q g1.cfg && xl destroy g1 || failures=$((failures + 1))
done
output="$failures of 50 failed"
ok $failures "50 cycles of create and destroy"
is_clean "50 cycles"

# ---- What guests and backends write is not believed ------------------------------

xl create -q g1.cfg
id=$(xl domid g1)
fe=/local/domain/$id/device be=/local/domain/0/backend
lists() { # all but what the guest says of itself
	xl block-list g1 | awk '{ print $1, $2, $3, $NF }'
	xl network-list g1 | awk '{ print $1, $2, $3, $4, $NF }'
	xl list -l g1
}
lie() { # TYPE DEVID
	xenstore-write -- "$fe/$1/$2/backend" /evil "$fe/$1/$2/backend-id" 77 \
		"$fe/$1/$2/state" '\x1b[31m4' "$fe/$1/$2/event-channel" '\n\xff\xfe' \
		"$fe/$1/$2/ring-ref" -1 "$fe/$1/$2/tx-ring-ref" '9" : {' \
		"$fe/$1/$2/mac" x "$be/$1/$id/$2/frontend" /evil \
		"$be/$1/$id/$2/params" /etc/shadow
}
told=$(lists)
output=$(lie vbd 51712 2>&1 && lie vif 0 2>&1)
ok $? "the nodes of a domain are rewritten"
now=$(lists)
output=$(diff <(echo "$told") <(echo "$now"))
ok $? "lists show what the toolstack knows"
output=$(xl block-list g1; xl network-list g1)
! LC_ALL=C grep -q '[^ -~]' <<<"$output" && grep -q ' -1 *-1 ' <<<"$output"
ok $? "numbers that are none, and no byte that steers a terminal"
xenstore-write "/local/domain/$id/console/tty" /etc/shadow
output=$(timeout 60 xl console g1 </dev/null 2>&1)
[ $? = 1 ] && grep -q "'/etc/shadow' cannot be opened: Invalid" <<<"$output"
ok $? "a tty that is no pty is not opened"
xl destroy g1
is_clean "a domain whose nodes lie"
failures=0
for _ in $(seq 15); do
	xl create -q g1.cfg "kernel='$work/kernel-refuse'" 2>/dev/null &&
		failures=$((failures + 1))
done
ok $failures "15 creates that fail"
is_clean "creates that fail"

# ---- Logs -----------------------------------------------------------------------

echo '2026-01-01T00:00:02.000000Z second' >"$logs/hv-a.log.1"
echo '2026-01-01T00:00:03.000000Z third' >"$logs/hv-a.log"
printf '2026-01-01T00:00:01.000000Z first\n\033[31mits second line\n' >"$logs/hv-b.log"
output=$(xl dmesg | grep -A 3 first)
[ "$output" = "$(printf '%s\n' '2026-01-01T00:00:01.000000Z first' '\x1b[31mits second line' \
	'2026-01-01T00:00:02.000000Z second' '2026-01-01T00:00:03.000000Z third')" ]
ok $? "dmesg merges the logs by time and shows no escape sequences"
xl dmesg -c >/dev/null
[ -z "$(xl dmesg)" ]
ok $? "dmesg -c clears"

# ---- The store -------------------------------------------------------------------

halt "$(store_pid)"
output=$(timeout 60 xl create -q bare.cfg 2>&1)
[ $? = 3 ] && grep -q "^store '.*': not answering" <<<"$output" &&
	[ "$(wc -l <<<"$output")" = 1 ]
ok $? "a store that does not answer: one line"
kill -CONT "$(store_pid)"
is_clean "a store that does not answer"

mapfile -t pids < <(our_processes)
kill "${pids[@]}"
none_left() { [ "$(our_processes | wc -l)" = 0 ]; }
wait_for 10 none_left
xl create -q bare.cfg &
xl create -q bare.cfg name='"bare2"' &
wait
[ "$(our_processes | xargs -I{} cat /proc/{}/comm | grep -c sv-xenstored)" = 1 ] &&
	listed bare && listed bare2
ok $? "two creates at once start one store"
check "domains after a new start can be destroyed" sh -c 'xl destroy bare && xl destroy bare2'

# For two seconds more its lock is held, as by one that is slow to die.
kill -9 "$(pid_of sv-backend)"
flock "$SPLITVISOR_RUN_DIR" sh -c 'touch held; exec sleep 2' &
wait_for 10 test -e held
xl create -q g1.cfg && xl destroy g1
ok $? "a parent of backends that was killed is started again"
wait $!
consoles() { our_processes | xargs -I{} cat /proc/{}/comm | grep -cx sv-console; }
one_console() { [ "$(consoles)" = 1 ]; }
check "its console has ended with it" wait_for 5 one_console

# ---- No permission ----------------------------------------------------------------

output=$(SPLITVISOR_RUN_DIR=/proc/nowhere xl create -q bare.cfg 2>&1)
[ $? = 3 ] && [[ $output = "run directory '/proc/nowhere': "*"(run as root, "* ]] &&
	[ "$(wc -l <<<"$output")" = 1 ]
ok $? "a run directory that cannot be made: one line"
