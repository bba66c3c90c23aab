/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/grants.pml - V11: a clear flag means that nobody uses the page. */

/*
 * Two threads of a backend pin and unpin pages by two references, while the
 * guest revokes each, reuses its page and grants another one.  The guest keeps
 * the rule of xen/grant_table.h: it reads the flags, gives up while they say that
 * the page is in use, else clears them by a compare-and-exchange.  One that does
 * not spoils only its own pages, whatever it writes.
 *
 * Each step is one access to shared memory, in the order of the code: all that
 * others wait for are locked instructions, but for pin_unlock(), which a store
 * buffer can only delay, and then the lock is held for longer.
 *
 * Counts are per process: of two processes with one reference the first to end
 * clears the flags for both.  A guest that gives one reference to two devices
 * has that; it is not proved, and not so.
 *
 * PROOF: safety
 * BROKEN: safety tests/proofs/grants.pml s/head\[r\] == seen -> head\[r\] = seen/true -> head[r] = seen/
 * BROKEN: safety tests/proofs/grants.pml s/^\t\tlocked(r);/skip;/
 * BROKEN: safety tests/proofs/grants.pml s/reads\[r\] + writes\[r\] == 0/true/
 * BROKEN: safety tests/proofs/grants.pml s/^\t\tmark(r/at = frame[r]; &/; s/^\t\t\tat = frame\[r\];//
 * BROKEN: safety tests/proofs/grants.pml s/!(head\[r\] & USED) ->/true ->/
 */

#define REFS 2
#define MAPPERS 2
#define ROUNDS 2 /* pins of a mapper, grants of a reference */

#define PERMIT 1
#define READING 2
#define WRITING 4
#define USED (READING | WRITING)

byte head[REFS];   /* struct entry: flags and domid, one word */
byte frame[REFS];
bool lock[REFS];   /* PIN_LOCK */
byte reads[REFS];  /* PIN_READS */
byte writes[REFS]; /* PIN_WRITES */

/* What is to be shown: who uses which page, and how. */
byte users[REFS], writers[REFS];

inline locked(r)
{
	/* MODELS: dom0-backend/gnt_map.c if (atomic_compare_exchange_weak_explicit(pin, &v, v | PIN_LOCK, */
	atomic { !lock[r] -> lock[r] = true }
}

inline unlocked(r)
{
	/* MODELS: dom0-backend/gnt_map.c atomic_store_explicit(pin, v, memory_order_release); */
	lock[r] = false
}

/* Until it is refused or done; giving up after MAX_TRIES is being refused. */
inline mark(r, bits, ok)
{
	/* MODELS: dom0-backend/gnt_map.c head = atomic_load_explicit(&e->head, memory_order_relaxed); */
	seen = head[r];
	do
	/* MODELS: dom0-backend/gnt_map.c if (!permits(head, us, access)) */
	:: !(seen & PERMIT) -> ok = false; break
	:: seen & PERMIT ->
		if
		/* MODELS: dom0-backend/gnt_map.c &e->head, &head, head | bits, memory_order_seq_cst, */
		:: atomic { head[r] == seen -> head[r] = seen | bits }; ok = true; break
		:: atomic { head[r] != seen -> seen = head[r] }
		:: ok = false; break
		fi
	od
}

inline unmark(r)
{
	atomic {
		/* MODELS: dom0-backend/gnt_map.c (v & (PIN_WRITES | PIN_READS) ? GTF_reading : 0); */
		drop = 0;
		if
		:: writes[r] == 0 -> drop = drop | WRITING
		:: else
		fi;
		if
		:: reads[r] + writes[r] == 0 -> drop = drop | READING
		:: else
		fi
	};
	/* MODELS: dom0-backend/gnt_map.c atomic_fetch_and_explicit(&e->head, ~drop, */
	head[r] = head[r] & (USED ^ drop | PERMIT)
}

/* gnt_get(), a use of the page, gnt_put(). */
proctype mapper()
{
	byte n = 0, r, bits, seen, at, drop;
	bool ok, write;

	do
	:: n < ROUNDS ->
		n++;
		if
		:: atomic { true -> r = 0; write = false; bits = READING }
		:: atomic { true -> r = 0; write = true; bits = USED }
		:: atomic { true -> r = 1; write = false; bits = READING }
		:: atomic { true -> r = 1; write = true; bits = USED }
		fi;
		/* MODELS: dom0-backend/gnt_map.c v = pin_lock(&g->pin[ref]); */
		locked(r);
		mark(r, bits, ok);
		if
		:: ok ->
			/* MODELS: dom0-backend/gnt_map.c p = dommem_page(&g->mem, */
			at = frame[r];
			if
			:: atomic {
				/* MODELS: dom0-backend/gnt_map.c v += one_pin(access); */
				if
				:: write -> writes[r]++; writers[r]++
				:: else -> reads[r]++
				fi;
				users[r]++
			   };
			   /* MODELS: dom0-backend/gnt_map.c pin_unlock(&g->pin[ref], v); */
			   unlocked(r);
			   assert(at == frame[r]); /* of the use: the page is ours */
			   atomic {
				users[r]--;
				writers[r] = writers[r] - write
			   };
			   locked(r);
			   /* MODELS: dom0-backend/gnt_map.c v -= one_pin(access); */
			   atomic {
				if
				:: write -> writes[r]--
				:: else -> reads[r]--
				fi
			   }
			:: skip /* the frame is not RAM, -EFAULT */
			fi;
			/* MODELS: dom0-backend/gnt_map.c unmark(e, v); */
			unmark(r)
		:: else
		fi;
		unlocked(r);
		d_step { seen = 0; at = 0; drop = 0; bits = 0; ok = 0; write = 0; r = 0 }
	:: n == ROUNDS -> break
	od
}

/* The guest, for one reference: grants, revokes, uses the page itself. */
proctype guest(byte r)
{
	byte n = 0, old;

	do
	:: n < ROUNDS ->
		n++;
		frame[r] = n;
		head[r] = PERMIT;
		do
		:: atomic {
			!(head[r] & USED) -> old = head[r] /* else busy */
		   };
		   if
		   :: atomic { head[r] == old -> head[r] = 0; old = 0 }; break
		   :: atomic { head[r] != old -> old = 0 }
		   fi
		od;
		/* Revoked: nobody may use it now. */
		assert(users[r] == 0)
	:: n == ROUNDS -> break
	od
}

/* At any time, and not only when the guest looks. */
proctype watch()
{
end:	atomic {
		(users[0] && !(head[0] & READING)) ||
		(users[1] && !(head[1] & READING)) ||
		(writers[0] && !(head[0] & WRITING)) ||
		(writers[1] && !(head[1] & WRITING)) -> assert(false)
	}
}

init {
	atomic {
		run watch();
		run guest(0);
		run guest(1);
		run mapper();
		run mapper()
	}
}
