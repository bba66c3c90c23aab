/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/events.pml - V10: an event that was raised is handled. */

/*
 * Two ports, two vCPUs.  Port 0 is raised twice and port 1 once, while their
 * handlers mask and unmask them and port 0 is moved from vCPU 0 to vCPU 1.  A
 * handler does all the work there is: when nothing moves any more, there must be
 * none left.
 *
 * KVM's steps are those of kvm_xen_set_evtchn_fast() and of the SRCU that guards
 * its routing; the guest's are those of Linux with 2-level events
 * (drivers/xen/events): mask, clear, work, unmask; a mask has reasons.  All
 * bitmaps are changed by locked instructions, so that no store is delayed.
 *
 * PROOF: safety
 * BROKEN: safety tests/proofs/events.pml s/^\t:: was -> tell(p, table\[p\])/\t:: was -> skip/
 * BROKEN: safety tests/proofs/events.pml s/^\tunder\[0\] == 0;/\tskip;/
 * BROKEN: safety tests/proofs/events.pml s/^\tatomic { was = pending\[q\][^@]*$/\tif :: masked[q] -> was = true :: else -> was = pending[q]; pending[q] = true fi;/
 * BROKEN: safety tests/proofs/events.pml s/^\t\t\tpending\[p\] = false;/\t\t\tskip;/; s/^\t\t\twork\[p\] = false;/& pending[p] = false;/
 * BROKEN: safety tests/proofs/events.pml s/^\tupcall\[v\] = false;/\tskip;/; s/^\tselector\[v\] = false };/& upcall[v] = false;/
 */

#define EOI 1 /* reasons to mask */
#define MOVE 2

bool pending[2], masked[2];  /* of ports, in shared_info */
bool selector[2], upcall[2]; /* of vCPUs, in vcpu_info: one word of ports */
byte route[2];		     /* KVM's: the vCPU of a port */
byte under[2];		     /* raises under way to a vCPU: SRCU's readers */
byte table[2];		     /* ours: struct evtchn_port.vcpu */
bool vm_lock;		     /* hypercalls are made one at a time */
byte bound[2];		     /* the guest's: whose port it is */
byte reason[2];
bool guest_lock[2];	     /* of a port's reasons */
bool work[2];		     /* what an event is about */

/*
 * KVM: the pending bit, then the mask, then the vCPU is told.
 * MODELS: hypervisor/engine_xen.c if (ioctl(vm->fd, KVM_XEN_HVM_EVTCHN_SEND, &ev) < 0)
 */
inline tell(q, vcpu)
{
	atomic { was = pending[q]; pending[q] = true };
	if
	:: was || masked[q] -> skip /* told before; or unmasking will tell */
	:: else ->
		selector[vcpu] = true;
		upcall[vcpu] = true
	fi
}

/* A backend's eventfd: the route that was read is used to the end. */
proctype sender(byte q; byte n)
{
	byte vcpu;
	bool was;

	do
	:: n > 0 ->
		n--;
		work[q] = true;
		atomic { vcpu = route[q]; under[vcpu]++ };
		tell(q, vcpu);
		atomic { under[vcpu]--; vcpu = 0; was = false }
	:: else -> break
	od
}

/* evtchn_unmask(): both bits, each by one locked instruction, then raise. */
inline unmask(p)
{
	atomic { !vm_lock -> vm_lock = true };
	/* MODELS: hypervisor/evtchn.c if (shinfo_clear_mask(vm, port) && shinfo_clear_pending(vm, port)) */
	masked[p] = false;
	atomic { was = pending[p]; pending[p] = false };
	if
	/* MODELS: hypervisor/evtchn.c return vm->engine->raise(vm, port, p->vcpu); */
	:: was -> tell(p, table[p])
	:: else
	fi;
	vm_lock = false
}

/* evtchn_bind_vcpu(), of an eventfd's port. */
inline bind_vcpu(p, to)
{
	atomic { !vm_lock -> vm_lock = true };
	/* MODELS: hypervisor/engine_xen.c if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, r->table) == 0) */
	route[p] = to;
	/* KVM returns when nobody uses the old table: synchronize_srcu(). */
	under[0] == 0;
	/* MODELS: hypervisor/evtchn.c p->vcpu = (uint8_t)vcpu; */
	table[p] = to;
	/* MODELS: hypervisor/evtchn.c if (shinfo_clear_pending(vm, port)) */
	atomic { was = pending[p]; pending[p] = false };
	if
	/* MODELS: hypervisor/evtchn.c return vm->engine->raise(vm, port, vcpu); */
	:: was -> tell(p, to)
	:: else
	fi;
	vm_lock = false
}

/* Linux, do_mask() and do_unmask(). */
inline do_mask(p, why)
{
	atomic { !guest_lock[p] -> masked[p] = true; reason[p] = reason[p] | why }
}

inline do_unmask(p, why)
{
	atomic { !guest_lock[p] -> guest_lock[p] = true };
	reason[p] = reason[p] & (EOI | MOVE) - why;
	if
	:: reason[p] == 0 -> unmask(p)
	:: else
	fi;
	guest_lock[p] = false
}

/* Linux, evtchn_2l_handle_events() and a handler that ends with an EOI. */
proctype vcpu(byte v)
{
	byte p;
	bool was, sel;

end:	do
	:: upcall[v] ->
	upcall[v] = false;
	atomic { sel = selector[v];
	selector[v] = false };
	p = 0;
	do
	:: sel && p < 2 ->
		if
		:: pending[p] && !masked[p] && bound[p] == v ->
			do_mask(p, EOI);
			pending[p] = false;
			work[p] = false;
			do_unmask(p, EOI)
		:: else
		fi;
		p++
	:: else -> break
	od;
	atomic { p = 0; was = false; sel = false }
	od
}

/* Linux, rebind_evtchn_to_cpu(). */
proctype mover()
{
	bool was;

	do_mask(0, MOVE);
	bind_vcpu(0, 1);
	bound[0] = 1;
	do_unmask(0, MOVE)
}

proctype watch()
{
end:	timeout -> assert(!work[0] && !work[1])
}

init {
	atomic {
		route[1] = 1;
		table[1] = 1;
		bound[1] = 1;
		run watch();
		run sender(0, 2);
		run sender(1, 1);
		run vcpu(0);
		run vcpu(1);
		run mover()
	}
}
