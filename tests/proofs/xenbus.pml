/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/xenbus.pml - V6: a device connects or closes, and maps no more. */

/*
 * One device: its frontend, its backend's worker, the toolstack.  The worker's
 * state machine is not modelled but run: xb_state.c is a part of this model.
 * What it publishes reaches the store one state at a time, while the others go
 * on.  A watch's event says that something has changed, not what.
 *
 * Anything of this may happen at any time: the worker is killed and started
 * again, the ring turns out broken, connecting fails, the guest starts anew
 * without closing, writes what no frontend writes, is destroyed; the toolstack
 * detaches the device.
 *
 * MODELS: dom0-backend/device.c (void)!xb_peer_is(&dev->xb, (unsigned int)peer);
 *
 * PROOF: safety
 * BROKEN: safety dom0-backend/xb_state.c s/\[XB_UNKNOWN\] = LEAVE(CLOSED)/[XB_UNKNOWN] = TO(CLOSED)/; s/\[XB_CLOSED\] = LEAVE(CLOSED)/[XB_CLOSED] = TO(CLOSED)/
 * BROKEN: safety dom0-backend/xb_state.c /\[XB_CLOSING\] = {/,/}/s/\[XB_CLOSED\] = LEAVE(CLOSED),//
 * BROKEN: safety dom0-backend/xb_state.c /\[XB_CLOSED\] = {/,/}/s/\[XB_INITIALISING\] = TO(INIT_WAIT),//
 * BROKEN: safety dom0-backend/xb_state.c /was > XB_INIT_WAIT/{n;s/enter(xb, XB_CLOSING)/xb->state = was/}
 * BROKEN: safety dom0-backend/xb_state.c s/xb->attached = !ret;/xb->attached = false;/
 * BROKEN: safety tests/proofs/xenbus.pml s/:: dir && !online &&/& (be == CLOSING || be == CLOSED) \&\&/
 */

c_decl {
\#include "dom0-backend/xb_state.c"

	static struct xb xb;
	static int connect_ret, nout, maps;
	static unsigned char out[4];

	static int do_connect(void *arg)
	{
		if (!connect_ret)
			maps++;
		return connect_ret;
	}

	static void do_disconnect(void *arg)
	{
		maps--;
	}

	static void do_publish(void *arg, enum xb_state state)
	{
		out[nout++] = state;
	}

	static const struct xb_ops ops = { do_connect, do_disconnect,
					   do_publish };
}

#define UNKNOWN 0
#define INITIALISING 1
#define INIT_WAIT 2
#define INITIALISED 3
#define CONNECTED 4
#define CLOSING 5
#define CLOSED 6
#define NSTATES 9

/* The store, and who has yet to hear of a change. */
byte fe = INITIALISING, be = INITIALISING;
bool online = true, dir = true;
bool fe_event, be_event; /* at the worker: of either state node */
bool front_event;

/* The worker: struct xb, and states on their way to the store. */
bool alive, ended;
bool gone; /* its directory, as it has seen */
byte state;
bool attached, final;
byte held; /* connects without a disconnect */
byte nwrites;
byte writes[4];
byte peer, connects; /* arguments */
bool late;

bool dead; /* the domain */
bool lied; /* the frontend, at least once */
bool detaching;
bool cut;  /* the frontend's nodes are gone */

/* How often each of these will happen; init chooses. */
byte kills, failures, restarts, lies, deaths, detaches;

/* Run xb_state.c on the worker's struct xb, and take back what it did. */
#define XB(call) \
	c_code { \
		xb.ops = &ops; \
		xb.state = now.state; \
		xb.attached = now.attached; \
		xb.final = now.final; \
		maps = now.held; \
		nout = 0; \
		call; \
		now.state = xb.state; \
		now.attached = xb.attached; \
		now.final = xb.final; \
		now.held = maps; \
		for (now.nwrites = 0; now.nwrites < nout; now.nwrites++) \
			now.writes[now.nwrites] = out[now.nwrites]; \
	}

/* The process is gone, and with it whatever it had mapped. */
inline die()
{
	alive = false;
	attached = false;
	held = 0;
	nwrites = 0
}

inline show_front(s)
{
	fe = s;
	fe_event = true
}

/* ---- the worker and its parent ------------------------------------------- */

/* publish(): a transaction that sees that the directory is still there. */
inline publish()
{
	/* MODELS: dom0-backend/device.c if (!store_exists(s, "%s/frontend", p->dev->be)) */
	if
	:: dir ->
		be = writes[0];
		be_event = true;
		front_event = true
	:: else -> gone = true
	fi;
	writes[0] = writes[1];
	writes[1] = writes[2];
	writes[2] = writes[3];
	writes[3] = 0;
	nwrites--
}

/* The frontend's state is read, then xb_state.c decides at once. */
inline follow_frontend()
{
	peer = fe;
	if
	:: connects = 0
	:: failures > 0 -> failures--; connects = 1
	fi;
	XB(connect_ret = -(int)now.connects; (void)!xb_peer_is(&xb, now.peer));
	peer = 0;
	connects = 0
}

/*
 * The main loop; one event at a time, and none while states are on their way.
 * A worker that has closed for good has done so when its last word is written.
 */
proctype worker()
{
end:	do
	/* The parent starts it, and again if it was killed. */
	:: atomic { !alive && !ended && dir && !dead ->
		/* MODELS: dom0-backend/device.c xb_init(&dev->xb, &xb_ops, dev, (enum xb_state)was); */
		peer = be;
		XB(xb_init(&xb, &ops, NULL, now.peer));
		peer = 0;
		alive = true;
		gone = false;
		fe_event = true; /* watches fire once at their start */
		be_event = true }
	:: atomic { alive && nwrites > 0 -> publish() }
	/* MODELS: dom0-backend/device.c if (xb_done(&dev->xb)) */
	:: atomic { alive && nwrites == 0 && (gone || (final && state == CLOSED)) ->
		die();
		ended = true }
	/* on_domain(), or the parent that finds no domain */
	:: atomic { dead && !ended -> die(); ended = true }
	:: atomic { !dir && !ended && !alive -> ended = true }
	/* on_frontend() */
	:: atomic { alive && nwrites == 0 && !gone && fe_event ->
		fe_event = false;
		follow_frontend() }
	/* on_backend() */
	:: atomic { alive && nwrites == 0 && !gone && be_event ->
		be_event = false;
		if
		:: !dir -> gone = true
		/* MODELS: dom0-backend/device.c if (online || xb_done(&dev->xb)) */
		:: dir && !online && !(final && state == CLOSED) ->
			XB(xb_detach(&xb));
			late = nwrites > 0;
			if
			:: late -> publish()
			:: else
			fi;
			late = false;
			follow_frontend()
		:: else
		fi }
	/* on_failure() */
	:: atomic { alive && nwrites == 0 && !gone && attached && failures > 0 ->
		failures--;
		XB(xb_fail(&xb));
		fe_event = true }
	/* kill -9 */
	:: atomic { alive && kills > 0 -> kills--; die() }
	od
}

/* ---- the guest ------------------------------------------------------------ */

/* A frontend as Linux has them; and one that lies, once or twice. */
proctype front()
{
end:	do
	:: atomic { !dead && !cut && front_event ->
		front_event = false;
		if
		:: be == INIT_WAIT && fe == INITIALISING ->
			if
			:: show_front(INITIALISED)
			:: show_front(CONNECTED) /* as netfront does */
			fi
		:: be == CONNECTED && fe == INITIALISED -> show_front(CONNECTED)
		:: be == CLOSING && fe != CLOSED && fe != CLOSING ->
			if
			:: show_front(CLOSING); front_event = true
			:: show_front(CLOSED)
			fi
		:: (be == CLOSING || be == CLOSED) && fe == CLOSING -> show_front(CLOSED)
		:: be == CLOSED && fe != CLOSED && fe != INITIALISING -> show_front(CLOSED)
		:: else
		fi }
	/* kexec, or a driver loaded again: from the start, nothing closed */
	:: atomic { !dead && !cut && restarts > 0 ->
		restarts--;
		show_front(INITIALISING);
		front_event = true }
	:: atomic { !dead && !cut && lies > 0 ->
		lies--;
		lied = true;
		if
		:: show_front(UNKNOWN)
		:: show_front(INIT_WAIT)
		:: show_front(CONNECTED)
		:: show_front(CLOSING)
		:: show_front(CLOSED)
		:: show_front(7) /* Reconfiguring */
		fi }
	:: atomic { !dead && deaths > 0 -> deaths--; dead = true }
	od
}

/* ---- the toolstack --------------------------------------------------------- */

proctype toolstack()
{
end:	atomic { detaches > 0 ->
		if
		/* MODELS: tools/xl_tree.c xl_txn_rm(x, FRONTEND, d->domid, d->type, d->devid); */
		:: cut = true; show_front(UNKNOWN)
		:: skip /* others leave them to the guest, which closes */
		fi;
		/* MODELS: tools/xl_tree.c xl_txn_put(x, "0", BACKEND "/online", d->type, d->domid, */
		online = false;
		be = CLOSING;
		be_event = true;
		front_event = true;
		detaching = true };
	/*
	 * hotplug-status tells that the worker has ended.  For a guest that
	 * cannot or will not close it waits for some seconds only.
	 */
endwait: atomic { ended || dead || lied ->
		dir = false;
		fe = UNKNOWN;
		fe_event = true;
		be_event = true }
}

/* ---- what is to be shown --------------------------------------------------- */

/* At any time: connected once at most, and not when it says that it is closed. */
#define LEAK (held > 1 || held != attached || (held && state != CONNECTED && \
	      state != CLOSING) || (held && !alive))

proctype watch()
{
end:	if
	:: atomic { LEAK -> assert(!LEAK) }
	/* When nothing moves any more. */
	:: atomic { timeout ->
		/* A device that was to go has gone. */
		assert(!detaching || !dir);
		assert(dir || (ended && !held));
		assert(!dead || (ended && !held));
		/* Else it is in use, or closed on both sides. */
		assert(!dir || dead || lied || ended ||
		       (held && be == CONNECTED && fe == CONNECTED) ||
		       (!held && be == CLOSED && fe == CLOSED)) }
	fi
}

init {
	atomic {
		select(kills : 0 .. 2);
		select(failures : 0 .. 1);
		select(restarts : 0 .. 1);
		select(lies : 0 .. 2);
		select(deaths : 0 .. 1);
		select(detaches : 0 .. 1);
		run watch();
		run worker();
		run front();
		run toolstack()
	}
}
