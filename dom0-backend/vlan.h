/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/vlan.h - the VLANs of a port, as vlan= has them. */
#ifndef DOM0_BACKEND_VLAN_H
#define DOM0_BACKEND_VLAN_H

#include <stdint.h>

#include "base/util.h"

/*
 * The syntax is Xen's, from 4.20 on (xl-network-configuration(5)): terms with '/'
 * between, each "VID", "FIRST-LAST" or "VID+STEPxCOUNT".  A single VID followed by
 * 'p' is the port's own VLAN (its PVID): what comes without a tag belongs to it, and
 * leaves without one.  'u' behind any term: leaves without a tag.  A single VID that
 * is all there is needs no 'p'.  COUNT is of all entries, as Xen's script counts.
 */
#define VLAN_MAX 4094u

/** enum vlan_member - What a port is to a VLAN. */
enum vlan_member { VLAN_NONE, VLAN_TAGGED, VLAN_UNTAGGED };

/**
 * struct vlan_set - VLANs of a port.
 * @pvid:   Its own, or 0; it is VLAN_UNTAGGED.
 * @member: Of each VID an enum vlan_member.
 */
struct vlan_set {
	uint16_t pvid;
	uint8_t member[VLAN_MAX + 1];
};

/**
 * vlan_parse() - Read vlan=.
 * @out: Written only on success.
 * @why: On failure a constant string: what is wrong, and the remedy.
 *
 * Return: 0 or -EINVAL.
 */
int vlan_parse(const char *text, struct vlan_set *out,
	       const char **why) must_check;

/**
 * vlan_run() - Find the next VLANs in a row that a port is the same to.
 * @from:  First VID to look at, 1 or more.
 * @first: The first of them.
 * @last:  The last of them.
 *
 * The port's own VLAN is a run of its own.
 *
 * Return: an enum vlan_member; VLAN_NONE if there is none any more.
 */
enum vlan_member vlan_run(const struct vlan_set *set, unsigned int from,
			  unsigned int *first, unsigned int *last);

#endif
