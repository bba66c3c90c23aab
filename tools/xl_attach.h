/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_attach.h - devices that come and go while a domain lives. */
#ifndef TOOLS_XL_ATTACH_H
#define TOOLS_XL_ATTACH_H

#include "tools/xl_cfg.h"

/*
 * How it works
 *
 * A device is an entry of a list in the domain's kept configuration.  To attach
 * one, the configuration is parsed anew with one entry more, so that all the
 * rules of a configuration file hold; then its nodes are written as at creation,
 * and when the backend offers it, the longer configuration replaces the kept one.
 * A domain that restarts is made from what is kept.
 */

/** enum xl_kind - Which devices can come and go. */
enum xl_kind { XL_DISK, XL_VIF };

/**
 * xl_attach() - Give a domain a device more.
 * @spec:   As an entry of disk= or vif=; a path in it must be absolute.
 * @dryrun: Check only, and print the device as JSON.
 *
 * Return: 0, -EEXIST if there is one of that name, or -errno; reported, and
 * nothing is left behind.
 */
int xl_attach(unsigned int domid, enum xl_kind kind, const char *spec,
	      bool dryrun) must_check;

/**
 * xl_detach() - Take a device away.
 * @force: Do not ask the guest; what it had in flight fails.
 *
 * Without @force the guest has 10 s to give it back.  With it the device is gone
 * after 10 s even if its backend does not answer.
 *
 * Return: 0, -ENODEV if there is none, -ETIMEDOUT if the guest keeps it, or
 * -errno; reported, but -ENODEV.
 */
int xl_detach(unsigned int domid, enum xl_kind kind, unsigned int devid,
	      bool force) must_check;

#endif
