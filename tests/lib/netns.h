/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/netns.h - a network namespace of the test's own. */
#ifndef TESTS_LIB_NETNS_H
#define TESTS_LIB_NETNS_H

/**
 * netns_enter() - Move this process into a new network namespace, loopback up.
 *
 * A test that is not run as root also gets a user namespace, in which it is.
 * Aborts if the host does not allow it: such a test cannot be passed.
 */
void netns_enter(void);

#endif
