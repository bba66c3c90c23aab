/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/xstree.h - what a domain's devices and toolstack keep in a store. */
#ifndef TESTS_LIB_XSTREE_H
#define TESTS_LIB_XSTREE_H

#include <stddef.h>

/** Nodes that one domain adds, and watches of dom0 on them. */
#define XSTREE_NODES   60u
#define XSTREE_WATCHES 10u
#define XSTREE_PATH    128u

/**
 * xstree_node() - The path of one of a domain's nodes.
 * @i: Below XSTREE_NODES; parents come before their children.
 * @buf: XSTREE_PATH bytes.
 */
void xstree_node(unsigned int domid, unsigned int i, char *buf);

/** xstree_watch() - The path of one of its watches; @i below XSTREE_WATCHES. */
void xstree_watch(unsigned int domid, unsigned int i, char *buf);

/* Some of them. */
#define XSTREE_DIR  "/local/domain/0/backend/vbd/%u/51712" /* 16 children */
#define XSTREE_READ "/local/domain/%u/name"
#define XSTREE_WRITE \
	"/local/domain/%u/data/%c" /* a to d; nobody watches them */
#define XSTREE_STATE "/local/domain/%u/device/vbd/51712/state" /* watched */

#endif
