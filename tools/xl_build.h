/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_build.h - bringing a domain into being, and ending it. */
#ifndef TOOLS_XL_BUILD_H
#define TOOLS_XL_BUILD_H

#include "base/domsock.h"
#include "tools/xl_cfg.h"
#include "tools/xl_store.h"

/*
 * How it works
 *
 * A domain is made in this order, and taken apart by one function whatever was
 * reached, which is therefore also the undo of a failed creation, `xl destroy`,
 * and the end of the monitor:
 *
 *	directory and domid -> VMM started -> base nodes (while it loads the
 *	kernel) -> VMM ready -> rings' nodes -> INTRODUCE -> devices -> backends
 *	ready -> (paused domain)
 *
 *	pause -> devices closed -> VMM ended -> RELEASE -> nodes -> directory
 */

/** struct xl_built - A new domain, paused. */
struct xl_built {
	unsigned int domid;
	int owner;	 /* *owned*: the owner lock of xl_run.h, or -1 */
	struct dom *dom; /* *owned*: admin connection that gets events */
};

/**
 * xl_build() - Make a domain.
 * @c:    Checked by xl_cfg_check_host().
 * @text: The configuration as given, to be kept beside.
 * @out:  Filled on success only.
 *
 * Return: 0 or -errno; reported, and nothing is left behind.
 */
int xl_build(const struct xl_cfg *c, const char *text,
	     struct xl_built *out) must_check;

/**
 * struct xl_saved - What a saved domain is made of again, instead of a kernel.
 * @domid: It goes on with the same; @fd, @seq: as of sv-hypervisor's --restore.
 * @name:  What it is called as long as it is built; NULL: as it is.
 * @feed:  NULL, or has the VMM that was just started read what it has to, and knows
 *         the rest then.  Return: 0 or -errno, reported.
 * @fill:  Writes its nodes; @watch: gives it its watches once it is introduced,
 *         Return: 0 or -errno, reported.
 */
struct xl_saved {
	unsigned int domid;
	int fd;
	uint32_t seq;
	const char *name;
	int (*feed)(void *arg);
	void (*fill)(struct xl_txn *x, void *arg);
	int (*watch)(void *arg);
	void *arg;
};

/** xl_build_saved() - xl_build() of a saved domain. */
int xl_build_saved(const struct xl_cfg *c, const char *text,
		   const struct xl_saved *saved,
		   struct xl_built *out) must_check;

/**
 * xl_build_devices() - Give a saved domain its devices, again.
 *
 * Return: 0 or -errno; reported.
 */
int xl_build_devices(struct xs_handle *h, const struct xl_cfg *c,
		     const struct xl_saved *saved) must_check;

/**
 * xl_build_reset() - A soft reset: another life of a domain whose guest asked for it.
 * @c: With its devices.
 *
 * Memory, registers, domid, VMM and name stay; all else is as of a new domain.  Its
 * devices are let go of first: nothing of the old life is written into memory later.
 *
 * Return: 0 or -errno; reported, and of no use but to be destroyed.
 */
int xl_build_reset(const struct xl_cfg *c, const struct xl_built *b) must_check;

/**
 * xl_build_keep() - Keep a domain's configuration in its directory.
 *
 * Return: 0 or -errno; not reported.
 */
int xl_build_keep(const struct xl_cfg *c, unsigned int domid,
		  const char *text) must_check;

/**
 * xl_build_kept() - Read what was kept; xl_path_base() is the domain's then.
 * @text: *Owned* by the caller, also on failure.
 *
 * Return: 0 or -errno; not reported.
 */
int xl_build_kept(unsigned int domid, char **text, struct xl_cfg *c) must_check;

/**
 * xl_build_write() - Write nodes of a domain to the store.
 *
 * Nodes of a domain that is destroyed meanwhile would stay for ever: one who
 * does that waits.
 *
 * Return: 0, -ENOENT if it has been destroyed, or -errno; not reported.
 */
int xl_build_write(struct xs_handle *h, unsigned int domid,
		   void (*fill)(struct xl_txn *, void *), void *arg) must_check;

/** xl_built_close() - Close what a struct xl_built holds; the domain stays. */
void xl_built_close(struct xl_built *b);

/**
 * xl_teardown() - End a domain and remove all that belongs to it.
 *
 * Works with or without VMM, backends and monitor, and when another process
 * does the same: both return when it is done.
 *
 * Return: 0 or -errno; reported.  Then the directory is still there, and a
 * later call can go on.
 */
int xl_teardown(unsigned int domid) must_check;

/**
 * xl_teardown_mine() - xl_teardown() by the monitor, who may want a successor.
 * @owner: The owner lock that it holds: a domain of the same number that has
 *         another was restored since, and is not its own.  -1: any.
 *
 * Return: 1 if another has ended the domain, or asked for its end meanwhile:
 * there is to be no successor.
 */
int xl_teardown_mine(unsigned int domid, int owner) must_check;

/** xl_call() - Make one call without arguments, for example DOM_PAUSE. */
int xl_call(unsigned int domid, enum dom_msg_type type) must_check;

#endif
