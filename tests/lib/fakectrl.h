/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakectrl.h - a card's control ring, both ends. */
#ifndef TESTS_LIB_FAKECTRL_H
#define TESTS_LIB_FAKECTRL_H

#include <stdint.h>

#include "dom0-backend/net_ctrl.h"
#include "tests/lib/fakedom.h"

/**
 * struct fakectrl - A frontend's half of the ring in a domain without a vCPU, and
 * the backend's, which the test's own thread serves. Mistakes of the test abort.
 * @steer:    What the backend's half changes.
 * @ring:     The ring's page, granted as @ring_ref.
 * @page:     A page for keys and tables, granted read-only as @page_ref.
 * @id:       Of the last request.
 */
struct fakectrl {
	struct net_steer steer;
	struct net_ctrl back;
	struct net_ctrl_ring_front front;
	void *ring, *page;
	uint32_t ring_ref, page_ref;
	uint16_t id;
	struct log_limit limit;
};

/** fakectrl_front() - Make the frontend's half alone, for a real backend. */
void fakectrl_front(struct fakectrl *c, struct fakedom *dom);

/** fakectrl_init() - Make both ends, for @nqueues queues. */
void fakectrl_init(struct fakectrl *c, struct fakedom *dom, struct gnt_map *gnt,
		   unsigned int nqueues);
void fakectrl_fini(struct fakectrl *c);

/** fakectrl_restart() - An empty ring in the same place, nothing set. */
void fakectrl_restart(struct fakectrl *c, struct gnt_map *gnt,
		      unsigned int nqueues);

/** fakectrl_put() - Put and push a request; Return: its id. */
uint16_t fakectrl_put(struct fakectrl *c, uint16_t type, uint32_t d0,
		      uint32_t d1, uint32_t d2);

/**
 * fakectrl_ask() - Put a request, serve it, and check that its answer is one.
 * @data: Receives the answer's, or NULL.
 *
 * Return: the status.
 */
uint32_t fakectrl_ask(struct fakectrl *c, uint16_t type, uint32_t d0,
		      uint32_t d1, uint32_t d2, uint32_t *data);

/** fakectrl_hash() - Ask for all types of hash with @key, and a table. */
void fakectrl_hash(struct fakectrl *c, const uint8_t *key, uint32_t len,
		   const uint32_t *map, uint32_t n);

#endif
