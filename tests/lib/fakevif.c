// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakevif.c - a card of a domain without a vCPU, at the real daemons.
#include "tests/lib/fakevif.h"

#include <stdio.h>

#define MS   5000
#define POST 200u /* pages */

void fakevif_init(struct fakevif *v, struct stack *s, unsigned int domid)
{
	*v = (struct fakevif){ .stack = s, .domid = domid };
	snprintf(v->be, sizeof(v->be), "/local/domain/0/backend/vif/%u/0",
		 domid);
	snprintf(v->fe, sizeof(v->fe), "/local/domain/%u/device/vif/0", domid);
}

static void write_num(struct fakevif *v, uint32_t n, const char *dir,
		      const char *name)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	stack_write(v->stack, text, "%s/%s", dir, name);
}

/* In the order of reference listings. */
void fakevif_attach(struct fakevif *v, const char *key, const char *value)
{
	const char *be = v->be, *fe = v->fe;
	struct stack *s = v->stack;

	stack_write(s, "test", "/local/domain/%u/name", v->domid);
	stack_write(s, be, "%s/backend", fe);
	stack_write(s, "0", "%s/backend-id", fe);
	stack_write(s, "1", "%s/state", fe);
	stack_write(s, "0", "%s/handle", fe);
	stack_write(s, FAKEVIF_MAC, "%s/mac", fe);
	write_num(v, v->domid, be, "frontend-id");
	stack_write(s, "1", "%s/online", be);
	stack_write(s, "/etc/xen/scripts/vif-bridge", "%s/script", be);
	stack_write(s, FAKEVIF_MAC, "%s/mac", be);
	stack_write(s, value, "%s/%s", be, key);
	stack_write(s, "0", "%s/handle", be);
	stack_write(s, "vif", "%s/type", be);
	stack_write(s, fe, "%s/frontend", be);
	stack_write(s, "1", "%s/state", be);
}

void fakevif_write_keys(struct fakevif *v, struct fakenet *const *q,
			unsigned int nqueues)
{
	static const char *const on[] = {
		"request-rx-copy",   "feature-rx-notify",
		"feature-sg",	     "feature-gso-tcpv4",
		"feature-gso-tcpv6", "feature-ipv6-csum-offload"
	};
	char dir[160];

	write_num(v, nqueues, v->fe, "multi-queue-num-queues");
	for (unsigned int i = 0; i < nqueues; i++) {
		const struct net_keys *k = &q[i]->keys;

		snprintf(dir, sizeof(dir), nqueues == 1 ? "%s" : "%s/queue-%u",
			 v->fe, i);
		write_num(v, k->tx_ref, dir, "tx-ring-ref");
		write_num(v, k->rx_ref, dir, "rx-ring-ref");
		if (k->tx_port == k->rx_port) {
			write_num(v, k->tx_port, dir, "event-channel");
		} else {
			write_num(v, k->tx_port, dir, "event-channel-tx");
			write_num(v, k->rx_port, dir, "event-channel-rx");
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(on); i++)
		write_num(v, 1, v->fe, on[i]);
}

bool fakevif_connect(struct fakevif *v, struct fakenet *const *q,
		     unsigned int nqueues)
{
	if (!stack_wait(v->stack, MS, "2", "%s/state", v->be))
		return false;
	fakevif_write_keys(v, q, nqueues);
	stack_write(v->stack, "4", "%s/state", v->fe);
	for (unsigned int i = 0; i < nqueues; i++)
		fakenet_post(q[i], POST);
	return stack_wait(v->stack, MS, "4", "%s/state", v->be);
}

bool fakevif_step(struct fakevif *v, const char *mine, const char *answer)
{
	stack_write(v->stack, mine, "%s/state", v->fe);
	return stack_wait(v->stack, MS, answer, "%s/state", v->be);
}

bool fakevif_detach(struct fakevif *v)
{
	stack_write(v->stack, "5", "%s/state", v->be);
	stack_write(v->stack, "0", "%s/online", v->be);
	return fakevif_step(v, "6", "6");
}

void fakevif_remove(struct fakevif *v)
{
	stack_rm(v->stack, v->be);
	stack_rm(v->stack, v->fe);
}
