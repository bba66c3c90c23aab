/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/domain.h - domains that were introduced to the store. */
#ifndef XENSTORE_LITE_DOMAIN_H
#define XENSTORE_LITE_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "xenstore-lite/node.h"

struct conn;
struct event_base;
struct record_domain;
struct record_ring;

/** domain_setup() - Once: the loop, and the tree that domains' ends change. */
void domain_setup(struct event_base *base, struct tree *live);

/**
 * domain_introduce() - Begin to serve a domain's ring.
 * @gfn, @port: As the toolstack says; must agree with the domain socket.
 *
 * For a domain that is introduced already (it rebooted in place, or another
 * kernel took over): its connection starts afresh.
 *
 * Return: 0, -ENOENT if there is no such domain, -EINVAL, or -errno.
 */
int domain_introduce(unsigned int domid, uint64_t gfn,
		     uint32_t port) must_check;

/**
 * domain_release() - The toolstack says that the domain is gone.
 *
 * Return: 0, or -ENOENT if it was not introduced; what rights it was given
 * end in any case.
 */
int domain_release(unsigned int domid) must_check;

/**
 * domain_features() - What a domain's ring page offers, or is to offer.
 * @domid: 0, an introduced domain, or one whose VMM answers.
 *
 * Return: 0 or -ENOENT.
 */
int domain_features(unsigned int domid, uint32_t *features) must_check;

/**
 * domain_set_features() - Offer a domain less; until it is introduced.
 * @features: Of WIRE_FEATURES.
 *
 * Return: 0, -ENOENT, -EBUSY if it is introduced, -EINVAL for features that there
 * are not.
 */
int domain_set_features(unsigned int domid, uint32_t features) must_check;

/**
 * domain_know() - Whether there is such a domain, as of domain_features().
 * @keep: What is said of it now is to last as long as it.
 *
 * Return: 0 or -ENOENT.
 */
int domain_know(unsigned int domid, bool keep) must_check;

/** domain_resume() - It runs again after a shutdown; Return: 0 or -ENOENT. */
int domain_resume(unsigned int domid) must_check;

/**
 * domain_set_target() - Give @domid the rights of @target, too.
 *
 * Return: 0, or -ENOENT if either is unknown.
 */
int domain_set_target(unsigned int domid, unsigned int target) must_check;

/** domain_record_all() - Note all domains and their connections in the journal. */
void domain_record_all(void);

/**
 * domain_restore(), domain_restore_features(), domain_restore_ring(),
 * domain_restore_gone() - As noted.
 * @r: NULL: it has no ring.
 *
 * A domain is served after domain_rejoin_all().  Return: 0, -ENOMEM, or -EPROTO for
 * a ring of a domain that was not noted, or that cannot be.
 */
int domain_restore(const struct record_domain *r) must_check;
int domain_restore_features(unsigned int domid, uint32_t features) must_check;
int domain_restore_ring(unsigned int domid,
			const struct record_ring *r) must_check;
void domain_restore_gone(unsigned int domid);

/** domain_conn() - A domain's connection, or NULL. */
struct conn *domain_conn(unsigned int domid);

/**
 * domain_rejoin_all() - Go on with the restored domains' rings.
 *
 * Those whose VMM has gone end; those whose VMM does not answer are tried again
 * later.  Return: how many there are now that are served.
 */
unsigned int domain_rejoin_all(void);

/** domain_is_introduced() - dom0 always is. */
bool domain_is_introduced(unsigned int domid);

/** domain_count() - How many are introduced, without dom0. */
unsigned int domain_count(void);

/** domain_free_all() - At the end of the process; announces nothing. */
void domain_free_all(void);

#endif
