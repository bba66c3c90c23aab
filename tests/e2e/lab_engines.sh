#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_engines.sh - what manages clusters of Xen hosts manages ours: Pacemaker's
# agent for Xen domains and Ganeti's module for Xen, as Debian has them. The other node
# is another run directory on the same machine.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

engines=$guests/engines
other=$work/other
mkdir -p "$other" "$work/ssh"

there() { at "$other" "$@"; }
trap 'finish_at "$other"' EXIT

rounds() { grep -ac 'SPLITVISOR-ROUND' "$(console_log "$1")"; }
further() { [ "$(rounds "$1")" -gt "$2" ]; }
works_on() { # NAME
	local n

	n=$(rounds "$1")
	wait_for 60 further "$1" $((n + 1))
}
memory_is() { xl list "$1" | awk -v m="$2" 'NR == 2 && $3 == m { ok = 1 } END { exit !ok }'; }
truncate -s 16M "$work/disk.img" "$work/disk:0"

# ---- Pacemaker: ocf:heartbeat:Xen ---------------------------------------------------

# The other node, for who reaches it by name.
cat >"$work/ssh/ssh" <<-EOF
	#!/bin/sh
	[ "\$1" = node-b ] || exit 255
	shift
	SPLITVISOR_RUN_DIR=$other XENSTORED_PATH=$other/xenstored.sock exec sh -c "\$*"
EOF
chmod +x "$work/ssh/ssh"

file=$(config clustered 6.12-cloud 6.12-cloud-none again:1000:1 "memory = 192" \
	"disk = ['$work/disk.img,raw,xvda,w']")

# agent ACTION [VARIABLE=VALUE...] - as a cluster's manager calls it.
agent() {
	local action=$1

	shift
	env PATH="$work/ssh:$PATH" OCF_ROOT="$engines/usr/lib/ocf" \
		OCF_FUNCTIONS_DIR="$engines/usr/lib/ocf/lib/heartbeat" \
		HA_RSCTMP="$work" OCF_RESOURCE_INSTANCE=clustered \
		OCF_RESKEY_xmfile="$file" OCF_RESKEY_CRM_meta_timeout=300000 \
		OCF_RESKEY_crm_feature_set=3.0 OCF_RESKEY_CRM_meta_interval=10000 \
		"$@" "$engines/usr/lib/ocf/resource.d/heartbeat/Xen" "$action"
}
# answers CODE WORDS... - an action's result: 0 is success, 7 is "not running".
answers() {
	local status=0 want=$1

	shift
	"$@" || status=$?
	echo "status $status"
	[ "$status" = "$want" ]
}
probe="OCF_RESKEY_CRM_meta_interval=0"

check "agent: is valid" answers 0 agent validate-all
check "agent: nothing runs yet" answers 7 agent monitor "$probe"
check "agent: starts it" answers 0 agent start
check "agent: sees it" answers 0 agent monitor
check "agent: to start it once more changes nothing" answers 0 agent start
check "its disk works" works_on clustered
check "is paused" xl pause clustered
check "agent: sees it all the same" answers 0 agent monitor
check "goes on" xl unpause clustered
id=$(xl domid clustered)
check "agent: migrates it" \
	answers 0 agent migrate_to OCF_RESKEY_CRM_meta_migrate_target=node-b
check "agent: which the other one sees" there answers 0 agent migrate_from
check "agent: and this one, too" answers 7 agent monitor "$probe"
check "has its domid there" test "$(there xl domid clustered)" = "$id"
check "its disk works there" there works_on clustered
check "agent: a node that cannot be reached is an error" there \
	answers 1 agent migrate_to OCF_RESKEY_CRM_meta_migrate_target=node-c
check "agent: and it is still there" there answers 0 agent monitor
check "agent: stops it" there answers 0 agent stop
check "agent: which is seen" there answers 7 agent monitor "$probe"
check "agent: to stop it once more changes nothing" there answers 0 agent stop
# With the memory of all others divided by their number.
check "agent: starts it with memory of its own choice" answers 0 agent start \
	OCF_RESKEY_allow_mem_management=1 OCF_RESKEY_reserved_Dom0_memory=1024
check "agent: its memory is as much" memory_is clustered 192
# What does not stop by itself is destroyed.
check "is paused" xl pause clustered
check "agent: stops it by force" answers 0 agent stop OCF_RESKEY_shutdown_timeout=2
check "is gone" gone clustered

# ---- Ganeti: hv_xen -----------------------------------------------------------------

export PYTHONPATH=$engines/usr/share/ganeti/3.0:$engines/usr/lib/python3/dist-packages
export INSTANCE_NAME=instance INSTANCE_DISK=$work/disk:0
INSTANCE_KERNEL=$(kernel_of 6.12-cloud)
INSTANCE_INITRD=$guests/6.12-cloud-none
INSTANCE_ARGS="console=hvc0 quiet svtest=again:1000:1"
export INSTANCE_KERNEL INSTANCE_INITRD INSTANCE_ARGS

# ganeti NODE OPERATION... - in a directory of the node's own.
ganeti() {
	local node=$1

	shift
	mkdir -p "$work/ganeti/$node"
	GANETI_ROOTDIR=$work/ganeti/$node GANETI_HOSTNAME=$node \
		"$project/tests/e2e/ganeti_node.py" "$@"
}

check "ganeti: the node is fit, and empty" ganeti a verify info none
check "ganeti: starts an instance" ganeti a start runs=256 info
check "its disk works" works_on instance
check "ganeti: reboots it" ganeti a reboot runs
check "its disk works anew" works_on instance
check "ganeti: gives it less memory" ganeti a balloon=192
check "has less" wait_for 30 memory_is instance 192
check "ganeti: nobody listens: it stays" ganeti a refused runs
check "ganeti: the other node waits for it" there ganeti b accept none
check "ganeti: it is migrated" ganeti a migrate none
check "ganeti: it has arrived" there ganeti b arrived runs=192
check "its disk works there" there works_on instance
check "ganeti: a user's shutdown is seen" there \
	sh -c 'xl shutdown -w instance && "$@"' sh \
	env GANETI_ROOTDIR="$work/ganeti/b" GANETI_HOSTNAME=b "$project/tests/e2e/ganeti_node.py" off
check "ganeti: and what is left is removed" there ganeti b force none
ip link add xenbr0 type bridge
ip link set xenbr0 up
check "ganeti: an instance with a card" env INSTANCE_BRIDGE=xenbr0 \
	GANETI_ROOTDIR="$work/ganeti/a" GANETI_HOSTNAME=a \
	"$project/tests/e2e/ganeti_node.py" start runs
check "ganeti: is stopped" ganeti a stop none
