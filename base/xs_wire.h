/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/xs_wire.h - xenstore's wire numbers, with those that are newer than Debian's. */
#ifndef BASE_XS_WIRE_H
#define BASE_XS_WIRE_H

#include <errno.h> /* first: xs_wire.h lists the errors that are known here */
#include <xen/io/xs_wire.h>

/* xen/io/xs_wire.h of Xen 4.22; Debian 12 has that of 4.17. */
#define XS_GET_FEATURE			   23
#define XS_SET_FEATURE			   24
#define XS_GET_QUOTA			   25
#define XS_SET_QUOTA			   26
#define XENSTORE_SERVER_FEATURE_WATCHDEPTH 4
#define XENSTORE_SERVER_FEATURE_DOMID_ANY  8

#endif
