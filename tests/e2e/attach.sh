#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/attach.sh - disks and cards that come and go while a domain lives: the
# toolstack and the backends, without a guest (for one see lab_block.sh).
#
# Interfaces and bridges are made in a network namespace of the test's own.
[ -n "${ATTACH_TEST_NETNS:-}" ] ||
	ATTACH_TEST_NETNS=1 exec unshare --net --mount "$0" "$@"
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stand_in
cd "$work" || exit 1
ip link set lo up
ip link add xenbr0 type bridge
echo a kernel >kernel
truncate -s 4M a.img b.img c.img
cat >g.cfg <<-EOF
	name = "g"
	kernel = "kernel"
	memory = 16
	videoram = 8
	nosuchkey = 1
	disk = [ 'a.img,raw,xvda,rw' ]
	vif = [ 'bridge=xenbr0' ]
EOF

# fails PATTERN COMMAND... - it does, with one line that says why.
fails() {
	local pattern=$1

	shift
	output=$("$@" 2>&1) && return 1
	grep -qE "$pattern" <<<"$output" && [ "$(wc -l <<<"$output")" = 1 ]
}
disks() { xl block-list g | awk 'NR > 1 { printf "%s ", $1 }'; }
cards() { xl network-list g | awk 'NR > 1 { printf "%s ", $1 }'; }
vdevs() { sed -n 's/.*"vdev": "\(.*\)".*/\1/p' | paste -sd' '; }
kept() { xl list -l g | vdevs; }
fe() { echo "/local/domain/$(xl domid g)/device/$1/$2"; }
be() { echo "/local/domain/0/backend/$1/$(xl domid g)/$2"; }

check "a domain is created" xl create -q g.cfg
wait_for 10 has_tty "$(xl domid g)"
nodes() { xenstore-ls -fp | grep -v 'backend/.*/statistics'; }
before=$(nodes)

# ---- Disks ------------------------------------------------------------------------

output=$(xl block-attach g "$work/b.img,raw,xvdb,w" 2>&1) && [ -z "$output" ]
ok $? "a disk is attached, and nothing said"
[ "$(disks)" = "51712 51728 " ]
ok $? "block-list shows it"
[ "$(xenstore-read "$(be vbd 51728)/state")" = 2 ] &&
	[ "$(xenstore-read "$(be vbd 51728)/hotplug-status")" = connected ] &&
	[ "$(xenstore-read "$(fe vbd 51728)/state")" = 1 ]
ok $? "the backend offers it, the frontend has it before it"
[ "$(kept)" = "xvda xvdb" ]
ok $? "list -l shows it"
check "one more, in words of its own, read-only" \
	xl block-attach g vdev=xvdc format=raw access=ro "target=$work/c.img"
[ "$(xenstore-read "$(be vbd 51744)/mode")" = r ]
ok $? "and read-only it is"
fails "xvdb.*used twice" xl block-attach g "$work/c.img,raw,xvdb,w"
ok $? "a name that is taken is refused"
fails "in use by domain" xl block-attach g "$work/a.img,raw,xvdd,w"
ok $? "an image in use is refused by the backend"
fails "relative paths" xl block-attach g b.img,raw,xvdd,w
ok $? "a relative path is refused"
fails "$work/none.img.*No such file" xl block-attach g "$work/none.img,raw,xvdd,w"
ok $? "an image that is not there is refused"
fails "nosuch is an invalid domain" xl block-attach nosuch "$work/b.img,raw,xvdd,w"
ok $? "a domain that is not there"
fails "domain 0" xl block-attach 0 "$work/b.img,raw,xvdd,w"
ok $? "domain 0 is refused"
fails "nothing" xl block-attach g
grep -q "requires at least 2 arguments" <<<"$output"
ok $? "a disk must be named"
[ "$(disks)" = "51712 51728 51744 " ] && [ "$(kept)" = "xvda xvdb xvdc" ]
ok $? "what was refused has left nothing"
output=$(xl -N block-attach g "$work/b.img,raw,xvde,w" 2>&1)
[ "$(head -n 1 <<<"$output")" = "disk: {" ] &&
	[ "$(vdevs <<<"$output")" = xvde ] && [ "$(kept)" = "xvda xvdb xvdc" ]
ok $? "-N prints what would be, and does nothing"

# The guest's answer, by hand: nobody else gives one here.
closes() { # TYPE DEVID
	wait_for 20 sh -c "[ \"\$(xenstore-read $(be "$1" "$2")/state)\" = 5 ]" &&
		xenstore-write "$(fe "$1" "$2")/state" 6
}
xenstore-write "$(fe vbd 51744)/state" 5
closes vbd 51744 &
check "a disk is detached by its name" xl block-detach g xvdc
wait $!
[ "$(disks)" = "51712 51728 " ] && [ "$(kept)" = "xvda xvdb" ] &&
	! xenstore-exists "$(be vbd 51744)" && ! xenstore-exists "$(fe vbd 51744)"
ok $? "it is gone everywhere"
check "its image is free" xl block-attach g "$work/c.img,raw,xvdc,w"
check "one whose guest does not answer is taken by force" \
	xl block-detach --force g 51744
[ "$(disks)" = "51712 51728 " ] && [ "$(kept)" = "xvda xvdb" ]
ok $? "it is gone everywhere, too"
check "its image is free" xl block-attach g "$work/c.img,raw,xvdc,w"
xenstore-write "$(fe vbd 51744)/state" 4
fails "not given back within 10 s" xl block-detach g xvdc
ok $? "one whose guest does not answer is not taken without"
[ "$(disks)" = "51712 51728 51744 " ]
ok $? "it is still there"
xenstore-write "$(fe vbd 51744)/state" 6
wait_for 20 sh -c "[ \"\$(xenstore-read $(be vbd 51744)/state)\" = 6 ]"
check "when the guest has answered after all, it can be had" \
	timeout 60 xl block-detach g xvdc
check "and attached again" xl block-attach g "$work/c.img,raw,xvdc,w"
halt "$(pid_of sv-backend)"
output=$(xl block-detach --force g xvdc 2>&1) &&
	[[ $output == *"vbd 51744 is taken away, but its backend has not closed it" ]]
ok $? "force ends also when the backend does not answer, and says so"
kill -CONT "$(pid_of sv-backend)"
[ "$(disks)" = "51712 51728 " ] && [ "$(kept)" = "xvda xvdb" ]
ok $? "and it is not kept"
for name in xvdx nonsense 51744; do
	fails "Device $name not connected" xl block-detach g $name
	ok $? "block-detach $name: not connected"
done

# ---- CD-ROM drives ----------------------------------------------------------------

truncate -s 2M "one, two.iso"
medium() { xenstore-read "$(be vbd 51776)/params"; } # of xvde
check "a medium is inserted" xl cd-insert g xvde "$work/c.img"
[ "$(medium)" = "$work/c.img" ] && [ "$(xenstore-read "$(be vbd 51776)/device-type")" = cdrom ] &&
	[ "$(xenstore-read "$(be vbd 51776)/mode")" = r ] &&
	[ "$(xenstore-read "$(be vbd 51776)/state")" = 2 ]
ok $? "in a drive that is read-only"
check "one that cannot be read" fails "medium '/none': No such file" xl cd-insert g xvde /none
check "nor one by a relative path" fails 'relative paths' xl cd-insert g xvde c.img
[ "$(medium)" = "$work/c.img" ]
ok $? "leave it where it is"
check "another disk is no drive" fails 'no CD-ROM drive' xl cd-insert g xvda "$work/c.img"
check "nor can it be ejected" fails 'no CD-ROM drive' xl cd-eject g xvda
xenstore-write "$(fe vbd 51776)/state" 5
closes vbd 51776 &
check "the next medium" xl cd-insert g xvde "$work/one, two.iso"
wait $!
[ "$(medium)" = "$work/one, two.iso" ] && [ "$(disks)" = "51712 51728 51776 " ]
ok $? "takes its place"
xenstore-write "$(fe vbd 51776)/state" 5
closes vbd 51776 &
check "it is ejected" xl cd-eject g xvde
wait $!
[ "$(disks)" = "51712 51728 " ] && [ "$(kept)" = "xvda xvdb" ]
ok $? "and gone"
check "there is none to be ejected now" fails 'there is no medium in xvde' xl cd-eject g xvde
check "no drive of such a name" fails "'no-disk' is no name of a disk" xl cd-eject g no-disk
check "this host has none" fails 'domain 0 is the host' xl cd-eject 0 xvde
output=$(xl channel-list g)
read -ra words <<<"$output"
[ "${words[*]}" = "Idx BE state evt-ch ring-ref connection" ] &&
	[ "$(xl channel-list --json g | jq -c .)" = "[]" ]
ok $? "channel-list: there are none"

# ---- Cards ------------------------------------------------------------------------

output=$(xl network-attach g bridge=xenbr0 vifname=hot1 2>&1) &&
	[ -z "$output" ] && [ "$(cards)" = "0 1 " ] &&
	ip -o link show hot1 | grep -q 'master xenbr0'
ok $? "a card is attached, on the bridge"
check "another" xl network-attach g mac=00:16:3e:00:00:77 bridge=xenbr0 vifname=hot2
fails "nosuch" xl network-attach g bridge=nosuch
ok $? "a bridge that is not there is refused"
xenstore-write "$(fe vif 1)/state" 4
closes vif 1 &
check "a card is detached by its number" xl network-detach g 1
wait $!
[ "$(cards)" = "0 2 " ] && ! ip link show hot1 2>/dev/null
ok $? "it is gone, and its interface"
check "a card is taken away by its MAC address" \
	xl network-detach -f g 00:16:3E:00:00:77
[ "$(cards)" = "0 " ] && ! ip link show hot2 2>/dev/null
ok $? "it is gone, and its interface"
fails "Device 00:16:3e:00:00:77 not connected" xl network-detach g 00:16:3e:00:00:77
ok $? "network-detach: not connected"

# ---- The rest of the domain ---------------------------------------------------------

check "the last one is taken away" xl block-detach -f g xvdb
# The backend that did not answer may still be at it.
as_before() { diff <(echo "$before") <(nodes); }
wait_for 10 as_before
output=$(as_before)
ok $? "the store is as it was before"

# All at once.
for i in e f g h i j k l; do
	truncate -s 1M "hot$i.img"
	xl block-attach g "$work/hot$i.img,raw,xvd$i,w" &
done
wait
[ "$(disks | wc -w)" = 9 ] && [ "$(kept | wc -w)" = 9 ]
ok $? "eight are attached at once, and none is lost"
# What came and went counts in the next life; relative paths are still the first
# configuration's, wherever the toolstack works.
check "one of them goes" xl block-detach -f g xvdf
check "a card comes" xl network-attach g bridge=xenbr0 vifname=hot3
check "and the first one goes" xl network-detach -f g 0
domid=$(xl domid g)
before=$(kept)
kill -USR2 "$(cut -d' ' -f1 "$SPLITVISOR_RUN_DIR/dom/$domid/hv.pid")"
again() { [ "$(xl domid g)" != "$domid" ] && [ "$(kept)" = "$before" ]; }
check "the domain begins anew, with the same disks" wait_for 20 again
wait_for 20 sh -c 'xl list g | grep -q "^g .* ------ "'
[ "$(disks | wc -w)" = 8 ] && [ "$(cards)" = "1 " ] &&
	ip -o link show hot3 | grep -q 'master xenbr0'
ok $? "and with the card that had come, under its number"
check "it can lose another" xl block-detach -f g xvdg
check "it is destroyed" xl destroy g
check "it is gone" wait_for 20 gone g
