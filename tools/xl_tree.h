/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_tree.h - the nodes of one domain in the store. */
#ifndef TOOLS_XL_TREE_H
#define TOOLS_XL_TREE_H

#include <stdint.h>

#include "tools/xl_cfg.h"
#include "tools/xl_store.h"

/*
 * How it works
 *
 * Nodes, values and permissions are those that Xen 4.17's xl makes, because
 * guests, backends and scripts know them:
 *
 *	/local/domain/D			what the guest reads and, in a few places,
 *					writes
 *	/local/domain/0/backend/T/D/N	what the backends read and write
 *	/vm/UUID			name and start time
 *	/libxl/D			the toolstack's own copy, which no domain can
 *					touch
 *
 * Only the last one is believed when devices are listed or removed: a guest may
 * write anything into its own nodes (XSA-175).
 */

/** xl_tree_base() - Everything but rings and devices; fills a transaction. */
void xl_tree_base(struct xl_txn *x, unsigned int domid, const struct xl_cfg *c);

/**
 * struct xl_rings - Where the VMM has put the guest's two special rings.
 * @own_console: As of struct xl_cfg.
 */
struct xl_rings {
	uint64_t store_gfn, console_gfn;
	uint32_t store_port, console_port;
	bool own_console;
};

/** xl_tree_rings() - Store and console 0; fills a transaction. */
void xl_tree_rings(struct xl_txn *x, unsigned int domid,
		   const struct xl_rings *r);

/** xl_tree_disk(), xl_tree_vif() - One device; fill a transaction. */
void xl_tree_disk(struct xl_txn *x, unsigned int domid,
		  const struct xl_disk *d);
void xl_tree_vif(struct xl_txn *x, unsigned int domid, const struct xl_vif *v);

/**
 * xl_tree_wait_device() - Wait until a backend offers a device to the guest.
 * @type: "vbd" or "vif".
 *
 * Return: 0, -EIO if the backend reports an error, -ETIMEDOUT, -EINTR, or
 * -errno; reported, except -EINTR.
 */
int xl_tree_wait_device(struct xs_handle *h, unsigned int domid,
			const char *type, unsigned int devid) must_check;

/**
 * xl_tree_identity() - Change a domain's name and UUID; fills a transaction.
 * @uuid: NULL keeps the UUID.
 */
void xl_tree_identity(struct xl_txn *x, unsigned int domid, const char *name,
		      const char *uuid);

/**
 * xl_tree_devices() - The devices of one type, by the toolstack's own copy.
 * @n: Number of devices.
 *
 * Return: *owned* by the caller, free() it; NULL if there are none.
 */
unsigned int *xl_tree_devices(struct xs_handle *h, unsigned int domid,
			      const char *type, size_t *n);

/** xl_tree_has() - Whether there is such a device, by the same. */
bool xl_tree_has(struct xs_handle *h, unsigned int domid, const char *type,
		 unsigned int devid);

/**
 * xl_tree_take() - Have one device closed, and remove its nodes.
 * @force:      Whether the guest is not asked.
 * @timeout_ms: For the guest and the backend.
 *
 * Return: 0; -ETIMEDOUT: asked for, but not closed; with @force its nodes are
 * gone all the same; -EINTR or -errno.  Not reported.
 */
int xl_tree_take(struct xs_handle *h, unsigned int domid, const char *type,
		 unsigned int devid, bool force, int timeout_ms) must_check;

/**
 * xl_tree_let_go() - Take all devices of one type, without asking the guest.
 * @any: Set if there was one, which is gone even if this fails.
 *
 * Return: 0 or -errno; reported.
 */
int xl_tree_let_go(struct xs_handle *h, unsigned int domid, const char *type,
		   bool *any) must_check;

/**
 * xl_tree_detach() - Have the backends give up all devices, and wait for them.
 * @timeout_ms: After which the rest is given up.
 */
void xl_tree_detach(struct xs_handle *h, unsigned int domid, int timeout_ms);

/** xl_tree_remove() - Remove all nodes; Return: 0 or -errno, not reported. */
int xl_tree_remove(struct xs_handle *h, unsigned int domid) must_check;

#endif
