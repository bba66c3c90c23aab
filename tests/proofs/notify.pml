/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/notify.pml - V5: no wake-up is lost, though stores are delayed. */

/*
 * A frontend puts messages into a ring and tells the backend only if that asked
 * for it; the backend asks, looks once more and sleeps.  Each CPU has a store
 * buffer of one or two words, as x86 has (TSO): a plain store reaches memory
 * some time later, in order; xchg waits until the buffer is empty.  No thread
 * loads a word that it has stored, so that loads need not look into the buffer.
 *
 * Responses go the other way through the same shm_sync(); see
 * ring_back_push() and ring_front_arm().
 *
 * MODELS: ring/shm.h 	atomic_store_explicit((shm_word *)ours, v, memory_order_seq_cst);
 * MODELS: ring/shm.h 	seen = atomic_load_explicit(word, memory_order_seq_cst);
 *
 * PROOF: safety
 * BROKEN: safety tests/proofs/notify.pml s/sync(FRONT, PROD/weak(FRONT, PROD/
 * BROKEN: safety tests/proofs/notify.pml s/sync(BACK, EVENT/weak(BACK, EVENT/
 * BROKEN: safety tests/proofs/notify.pml s/:: prod - cons >= 1 -> skip/:: false -> skip/
 * BROKEN: safety tests/proofs/notify.pml s/event - old - 1 < sent - old/event == sent/
 * BROKEN: safety tests/proofs/notify.pml s/store(FRONT, put % NENT, put + 1)/skip/
 */

#define NENT 4 /* slots; then the two index words */
#define PROD NENT
#define EVENT (NENT + 1)
#define MSGS 4

#define FRONT 0
#define BACK 1

byte mem[NENT + 2];
byte room; /* of the store buffers */
chan buffer[2] = [2] of { byte, byte };
bool kick;  /* the eventfd's count is not 0 */
byte cons;  /* what the backend has taken */

inline store(cpu, word, value)
{
	atomic {
		len(buffer[cpu]) < room;
		buffer[cpu]!word, value
	}
}

/* A seq_cst store is one xchg; a seq_cst load is a plain one. */
inline sync(cpu, ours, value, theirs, got)
{
	atomic {
		empty(buffer[cpu]);
		mem[ours] = value
	};
	got = mem[theirs]
}

/* The same without the barrier, for the faults. */
inline weak(cpu, ours, value, theirs, got)
{
	store(cpu, ours, value);
	got = mem[theirs]
}

proctype drain(byte cpu)
{
	byte word, value;

end:	do
	:: atomic { buffer[cpu]?word, value -> mem[word] = value }
	od
}

proctype front()
{
	byte put = 0, sent = 0, old, event;

	do
	:: put < MSGS ->
		/* ring_front_put():
		 * MODELS: ring/ring.c slot_post(&r->area, r->req_prod, req, size);
		 */
		store(FRONT, put % NENT, put + 1);
		put++;
		if
		:: put < MSGS -> skip /* more of them with one push */
		:: old = sent;
		   sent = put;
		   /* ring_front_push():
		    * MODELS: ring/ring.c event = shm_sync(&r->area.shm->req_prod, r->req_prod,
		    */
		   sync(FRONT, PROD, sent, EVENT, event);
		   /* passes(), whose numbers wrap:
		    * MODELS: ring/ring.c return new - event < new - old;
		    */
		   if
		   :: event > old && event - old - 1 < sent - old -> kick = true
		   :: else -> skip
		   fi
		fi
	:: put == MSGS -> break
	od
}

proctype back()
{
	byte prod, data;

	do
	:: /* ring_back_take() until it has no more:
	    * MODELS: ring/ring.c prod = shm_acquire(&r->area.shm->req_prod);
	    */
		prod = mem[PROD];
		do
		:: cons < prod ->
			/* MODELS: ring/ring.c slot_fetch(&r->area, r->req_cons, req, size); */
			data = mem[cons % NENT];
			assert(data == cons + 1);
			cons++
		:: else -> break
		od;
		if
		:: cons == MSGS -> break
		:: else -> skip
		fi;
		/* ring_back_arm(), asking for the next one:
		 * MODELS: ring/ring.c prod = shm_sync(&r->area.shm->req_event, r->req_cons + after,
		 */
		sync(BACK, EVENT, cons + 1, PROD, prod);
		if
		/* MODELS: ring/ring.c return prod - r->req_cons >= after; */
		:: prod - cons >= 1 -> skip
		/* serve(), disk_queue_run(): sleeps until the eventfd can be read. */
		:: else -> atomic { kick -> kick = false }
		fi
	od
}

/* A backend that sleeps for ever is an invalid end state. */
init {
	atomic {
		mem[EVENT] = 1; /* MODELS: ring/ring.c shm_release(&area.shm->req_event, 1); */
		if
		:: room = 1
		:: room = 2
		fi;
		run drain(FRONT);
		run drain(BACK);
		run front();
		run back()
	}
}
