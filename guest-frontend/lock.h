/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/lock.h - a spin lock, for a few instructions at a time. */
#ifndef GUEST_FRONTEND_LOCK_H
#define GUEST_FRONTEND_LOCK_H

#include <stdbool.h>

/** struct lock - Free when zeroed.  Never taken by an interrupt. */
struct lock {
	bool held;
};

static inline void lock_take(struct lock *l)
{
	while (__atomic_exchange_n(&l->held, true, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED))
			__builtin_ia32_pause();
	}
}

static inline void lock_drop(struct lock *l)
{
	__atomic_store_n(&l->held, false, __ATOMIC_RELEASE);
}

#endif
