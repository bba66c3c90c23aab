/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakevif.h - a card of a domain without a vCPU, at the real daemons. */
#ifndef TESTS_LIB_FAKEVIF_H
#define TESTS_LIB_FAKEVIF_H

#include <stdbool.h>

#include "tests/lib/fakenet.h"
#include "tests/lib/stack.h"

#define FAKEVIF_MAC "00:16:3e:01:02:03"

/**
 * struct fakevif - Both directories of a device.
 *
 * Plays the toolstack and the frontend's driver, as tests/lib/fakevbd.h does;
 * the rings are queues of tests/lib/fakenet.h.
 */
struct fakevif {
	struct stack *stack;
	unsigned int domid;
	char be[128], fe[128];
};

/** fakevif_init() - Name the directories; nothing is written yet. */
void fakevif_init(struct fakevif *v, struct stack *s, unsigned int domid);

/** fakevif_attach() - Write what xl does for a card, with one key more. */
void fakevif_attach(struct fakevif *v, const char *key, const char *value);

/** fakevif_write_keys() - The keys of Linux' xen-netfront, but for its state. */
void fakevif_write_keys(struct fakevif *v, struct fakenet *const *q,
			unsigned int nqueues);

/**
 * fakevif_connect() - Wait for InitWait, connect, post pages.
 *
 * Return: whether it is connected.
 */
bool fakevif_connect(struct fakevif *v, struct fakenet *const *q,
		     unsigned int nqueues);

/** fakevif_step() - As fakevbd_step(). */
bool fakevif_step(struct fakevif *v, const char *mine, const char *answer);

/** fakevif_detach() - Toolstack and frontend close in good order. */
bool fakevif_detach(struct fakevif *v);

/** fakevif_remove() - Remove both directories, as xl destroy does. */
void fakevif_remove(struct fakevif *v);

#endif
