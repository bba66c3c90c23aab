/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/xenbus.pml - V6: a device connects or closes, and maps no more. */

/*
 * One device or two of one domain: their frontends, their backends' workers, the
 * toolstack.  A worker's state machine is not modelled but run: xb_state.c is a
 * part of this model.  What it publishes reaches the store one state at a time,
 * while the others go on.  A watch's event says that something has changed, not
 * what.
 *
 * Anything of this may happen at any time, to either device: its worker is
 * killed and started again, the ring turns out broken, connecting fails, the
 * guest starts anew without closing, writes what no frontend writes, is
 * destroyed; the toolstack detaches one device, or all of the domain.
 *
 * Two devices share the store: here, all that one writes conflicts with the
 * other's open transaction, though most of it would not.  So that this stays
 * small, a kill is of the first device's worker, a lie of the second's frontend,
 * and not of a domain that is destroyed; all else is shown of one device.
 *
 * MODELS: dom0-backend/device.c (void)!xb_peer_is(&dev->xb, (unsigned int)peer);
 *
 * PROOF: safety
 * BROKEN: safety dom0-backend/xb_state.c s/\[XB_UNKNOWN\] = LEAVE(CLOSED)/[XB_UNKNOWN] = TO(CLOSED)/; s/\[XB_CLOSED\] = LEAVE(CLOSED)/[XB_CLOSED] = TO(CLOSED)/
 * BROKEN: safety dom0-backend/xb_state.c /\[XB_CLOSING\] = {/,/}/s/\[XB_CLOSED\] = LEAVE(CLOSED),//
 * BROKEN: safety dom0-backend/xb_state.c /\[XB_CLOSED\] = {/,/}/s/\[XB_INITIALISING\] = TO(INIT_WAIT),//
 * BROKEN: safety dom0-backend/xb_state.c /was > XB_INIT_WAIT/{n;s/enter(xb, XB_CLOSING)/xb->state = was/}
 * BROKEN: safety dom0-backend/xb_state.c s/xb->attached = !ret;/xb->attached = false;/
 * BROKEN: safety tests/proofs/xenbus.pml s/:: DEV.dir && !DEV.online &&/& (DEV.be == CLOSING || DEV.be == CLOSED) \&\&/
 *
 * PROOF: safety_two
 * OPTIONS: safety_two -DNDEV=2
 * BROKEN: safety_two tests/proofs/xenbus.pml s/:: DEV.txn == STALE ->/& next_write();/
 * BROKEN: safety_two tests/proofs/xenbus.pml s/dev\[i\]\.dir = false;/dev[0].dir = false; dev[NDEV - 1].dir = false;/
 * BROKEN: safety_two tests/proofs/xenbus.pml s/dev\[i\]\.online = false;/dev[NDEV - 1 - i].online = false;/
 * BROKEN: safety_two tests/proofs/xenbus.pml s/endlast: atomic { FREE(last) ->/endlast: atomic { FREE(first) ->/
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

#ifndef NDEV
#define NDEV 1
#endif

/* A transaction of the store; STALE: its commit will be refused. */
#define NONE 0
#define OPEN 1
#define STALE 2

typedef device {
	/* The store, and who has yet to hear of a change. */
	byte fe, be;
	bool online, dir;
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
	byte txn;

	bool lied; /* the frontend, at least once */
	bool detaching;
	bool cut; /* the frontend's nodes are gone */
};
device dev[NDEV];
#define DEV dev[d]

bool dead; /* the domain */
byte peer, connects; /* arguments */
bool late;

/* How often each of these will happen to either device; init chooses. */
byte kills, failures, restarts, lies, deaths, detaches;
#if NDEV == 1
#define MANY 2
#define FEW 1
#else
#define MANY 1
#define FEW 0
#endif

/* Run xb_state.c on the worker's struct xb, and take back what it did. */
#define XB(call) \
	c_code { \
		xb.ops = &ops; \
		struct device *dev = &now.dev[Pworker->d]; \
		xb.state = dev->state; \
		xb.attached = dev->attached; \
		xb.final = dev->final; \
		maps = dev->held; \
		nout = 0; \
		call; \
		dev->state = xb.state; \
		dev->attached = xb.attached; \
		dev->final = xb.final; \
		dev->held = maps; \
		for (dev->nwrites = 0; dev->nwrites < nout; dev->nwrites++) \
			dev->writes[dev->nwrites] = out[dev->nwrites]; \
	}

/* The process is gone, and with it whatever it had mapped. */
inline die()
{
	DEV.alive = false;
	DEV.attached = false;
	DEV.held = 0;
	DEV.nwrites = 0;
	DEV.txn = NONE
}

/* Somebody has written about device i. */
inline wrote(i)
{
	if
	:: NDEV > 1 && dev[NDEV - 1 - i].txn == OPEN -> dev[NDEV - 1 - i].txn = STALE
	:: else
	fi
}

inline show_front(s)
{
	DEV.fe = s;
	DEV.fe_event = true;
	wrote(d)
}

/* ---- the worker and its parent ------------------------------------------- */

inline next_write()
{
	DEV.writes[0] = DEV.writes[1];
	DEV.writes[1] = DEV.writes[2];
	DEV.writes[2] = DEV.writes[3];
	DEV.writes[3] = 0;
	DEV.nwrites--
}

/* publish(): a transaction that sees that the directory is still there. */
inline publish()
{
	/* MODELS: dom0-backend/device.c if (!store_exists(s, "%s/frontend", p->dev->be)) */
	if
	:: DEV.dir ->
		DEV.be = DEV.writes[0];
		DEV.be_event = true;
		DEV.front_event = true;
		wrote(d)
	:: else -> DEV.gone = true
	fi;
	next_write()
}

/* The frontend's state is read, then xb_state.c decides at once. */
inline follow_frontend()
{
	peer = DEV.fe;
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
proctype worker(byte d)
{
end:	do
	/* The parent starts it, and again if it was killed. */
	:: atomic { !DEV.alive && !DEV.ended && DEV.dir && !dead ->
		/* MODELS: dom0-backend/device.c xb_init(&dev->xb, &xb_ops, dev, was); */
		peer = DEV.be;
		XB(xb_init(&xb, &ops, NULL, now.peer));
		peer = 0;
		DEV.alive = true;
		DEV.gone = false;
		DEV.fe_event = true; /* watches fire once at their start */
		DEV.be_event = true }
	:: atomic { DEV.alive && DEV.nwrites > 0 ->
		if
		:: DEV.txn == NONE && NDEV > 1 -> DEV.txn = OPEN
		:: DEV.txn == OPEN || NDEV == 1 -> publish(); DEV.txn = NONE
		/* MODELS: dom0-backend/xs_watch.c if (ret != -EAGAIN) */
		:: DEV.txn == STALE -> DEV.txn = NONE
		fi }
	/* MODELS: dom0-backend/device.c if (xb_done(&dev->xb)) */
	:: atomic { DEV.alive && DEV.nwrites == 0 && (DEV.gone || (DEV.final && DEV.state == CLOSED)) ->
		die();
		DEV.ended = true }
	/* on_domain(), or the parent that finds no domain */
	:: atomic { dead && !DEV.ended -> die(); DEV.ended = true }
	:: atomic { !DEV.dir && !DEV.ended && !DEV.alive -> DEV.ended = true }
	/* on_frontend() */
	:: atomic { DEV.alive && DEV.nwrites == 0 && !DEV.gone && DEV.fe_event ->
		DEV.fe_event = false;
		follow_frontend() }
	/* on_backend() */
	:: atomic { DEV.alive && DEV.nwrites == 0 && !DEV.gone && DEV.be_event ->
		DEV.be_event = false;
		if
		:: !DEV.dir -> DEV.gone = true
		/* MODELS: dom0-backend/device.c if (online || xb_done(&dev->xb)) */
		:: DEV.dir && !DEV.online && !(DEV.final && DEV.state == CLOSED) ->
			XB(xb_detach(&xb));
			late = DEV.nwrites > 0;
			if
			:: late -> publish()
			:: else
			fi;
			late = false;
			follow_frontend()
		:: else
		fi }
	/* on_failure() */
	:: atomic { DEV.alive && DEV.nwrites == 0 && !DEV.gone && DEV.attached && failures > 0 ->
		failures--;
		XB(xb_fail(&xb));
		DEV.fe_event = true }
	/* kill -9 */
	:: atomic { DEV.alive && kills > 0 && d == 0 -> kills--; die() }
	od
}

/* ---- the guest ------------------------------------------------------------ */

/* A frontend as Linux has them; and one that lies, once or twice. */
proctype front(byte d)
{
end:	do
	:: atomic { !dead && !DEV.cut && DEV.front_event ->
		DEV.front_event = false;
		if
		:: DEV.be == INIT_WAIT && DEV.fe == INITIALISING ->
			if
			:: d == 0 -> show_front(INITIALISED)
			:: d == NDEV - 1 -> show_front(CONNECTED) /* as netfront does */
			fi
		:: DEV.be == CONNECTED && DEV.fe == INITIALISED -> show_front(CONNECTED)
		:: DEV.be == CLOSING && DEV.fe != CLOSED && DEV.fe != CLOSING ->
			if
			:: show_front(CLOSING); DEV.front_event = true
			:: show_front(CLOSED)
			fi
		:: (DEV.be == CLOSING || DEV.be == CLOSED) && DEV.fe == CLOSING -> show_front(CLOSED)
		:: DEV.be == CLOSED && DEV.fe != CLOSED && DEV.fe != INITIALISING -> show_front(CLOSED)
		:: else
		fi }
	/* kexec, or a driver loaded again: from the start, nothing closed */
	:: atomic { !dead && !DEV.cut && restarts > 0 ->
		restarts--;
		show_front(INITIALISING);
		DEV.front_event = true }
	:: atomic { !dead && !DEV.cut && lies > 0 && d == NDEV - 1 ->
		lies--;
		DEV.lied = true;
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

inline detach(i)
{
	if
	/* MODELS: tools/xl_tree.c xl_txn_rm(x, FRONTEND, d->domid, d->type, d->devid); */
	:: dev[i].cut = true;
		dev[i].fe = UNKNOWN;
		dev[i].fe_event = true
	:: skip /* others leave them to the guest, which closes */
	fi;
	/* MODELS: tools/xl_tree.c xl_txn_put(x, "0", BACKEND "/online", d->type, d->domid, */
	dev[i].online = false;
	dev[i].be = CLOSING;
	dev[i].be_event = true;
	dev[i].front_event = true;
	dev[i].detaching = true;
	wrote(i)
}

/*
 * hotplug-status tells that the worker has ended.  For a guest that cannot or
 * will not close the toolstack waits for some seconds only.
 */
#define FREE(i) (dev[i].ended || dead || dev[i].lied)

inline remove(i)
{
	/* Whatever the worker has open on the host is closed before. */
	assert(FREE(i));
	dev[i].dir = false;
	dev[i].fe = UNKNOWN;
	dev[i].fe_event = true;
	dev[i].be_event = true;
	wrote(i)
}

proctype toolstack()
{
	byte first, last;

end:	atomic { detaches > 0 ->
		if
		/* MODELS: tools/xl_tree.c detach_type(h, domid, "vif", end, false); */
		:: last = NDEV - 1 /* xl, all of the domain */
		:: NDEV > 1 -> first = 1; last = 1 /* others, a single one */
		fi;
		detach(first) };
	if
	:: atomic { first != last -> detach(last) }
	:: first == last
	fi;
	/* MODELS: tools/xl_tree.c detach_type(h, domid, "vif", end, true); */
endfirst: FREE(first);
endlast: atomic { FREE(last) ->
		/* MODELS: tools/xl_tree.c xl_txn_rm(x, "/local/domain/0/backend/%s/%u", device_types[i], */
		remove(first);
		if
		:: first != last -> remove(last)
		:: else
		fi }
}

/* ---- what is to be shown --------------------------------------------------- */

/* At any time: connected once at most, and not when it says that it is closed. */
#define LEAK(i) \
	(dev[i].held > 1 || dev[i].held != dev[i].attached || \
	 (dev[i].held && dev[i].state != CONNECTED && dev[i].state != CLOSING) || \
	 (dev[i].held && !dev[i].alive))

/* When nothing moves any more. */
inline judge()
{
	/* A device that was to go has gone, and no other. */
	assert(DEV.detaching == !DEV.dir);
	assert(DEV.dir || (DEV.ended && !DEV.held));
	assert(!dead || (DEV.ended && !DEV.held));
	/* Else it is in use, or closed on both sides. */
	assert(!DEV.dir || dead || DEV.lied || DEV.ended ||
	       (DEV.held && DEV.be == CONNECTED && DEV.fe == CONNECTED) ||
	       (!DEV.held && DEV.be == CLOSED && DEV.fe == CLOSED))
}

proctype watch(byte d)
{
end:	if
	:: atomic { LEAK(d) -> assert(!LEAK(d)) }
	:: atomic { timeout -> judge() }
	fi
}

init {
	byte d;

	atomic {
		select(kills : 0 .. MANY);
		select(failures : 0 .. FEW);
		select(restarts : 0 .. FEW);
		select(lies : 0 .. MANY);
		if
		:: NDEV == 1 || lies == 0 -> select(deaths : 0 .. 1)
		:: else /* both with one device only */
		fi;
		select(detaches : 0 .. 1);
		for (d : 0 .. NDEV - 1) {
			DEV.fe = INITIALISING;
			DEV.be = INITIALISING;
			DEV.online = true;
			DEV.dir = true;
			run watch(d);
			run worker(d);
			run front(d)
		}
		run toolstack()
	}
}
