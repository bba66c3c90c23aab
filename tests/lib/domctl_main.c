// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/domctl_main.c - sv-domctl: one call on a domain's socket.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "base/domsock.h"
#include "base/log.h"
#include "base/paths.h"

/*
 * sv-domctl DOMID info | pause | unpause | destroy | stats | vcpus | anew
 *                 | wait SECONDS
 *
 * For tests of sv-hypervisor alone, without store and toolstack.  wait ends
 * when the guest has shut down, and prints the reason's number.  anew resumes a
 * suspended guest as one that was restored, and introduces it to the store.
 */
#define MAX_DOMID 0x7fef

static void print_info(const struct dom_info *i)
{
	printf("domid %u name %s state %#x reason %u vcpus %u/%u ram_kib %llu "
	       "cpu_ms %llu\n",
	       i->domid, i->name, i->state, i->reason, i->vcpus_online,
	       i->vcpus_max, (unsigned long long)i->ram_kib,
	       (unsigned long long)i->cpu_ns / 1000000);
}

static void print_stats(const struct dom_stats *s)
{
	for (uint32_t i = 0; i < MIN(s->n, DOM_MAX_STATS); i++)
		printf("%.*s %llu\n", (int)sizeof(s->stat[i].name),
		       s->stat[i].name, (unsigned long long)s->stat[i].value);
}

static int wait_down(struct dom *d, const char *seconds)
{
	struct pollfd pfd = { .fd = dom_fd(d), .events = POLLIN };
	struct dom_info info;
	struct dom_msg msg;
	uint64_t limit;
	int ret;

	if (util_u64(seconds, 3600, &limit))
		die("wait %s: must be a number of seconds up to 3600", seconds);
	ret = dom_info(d, &info);
	if (!ret && !(info.state & DOM_SHUTDOWN)) {
		if (poll(&pfd, 1, (int)limit * 1000) == 0)
			die("still running after %s s", seconds);
		ret = dom_event(d, &msg);
		if (ret == 1)
			ret = msg.type == DOM_EV_SHUTDOWN ? 0 : -EPROTO;
		info = msg.u.info;
	}
	if (!ret)
		printf("%u\n", info.reason);
	return ret;
}

static void print_words(const char *what, const uint32_t word[8])
{
	printf(" %s", what);
	for (unsigned int i = 0; i < 256; i++) {
		if (word[i / 32] >> i % 32 & 1)
			printf(" %#x", i);
	}
}

static void print_vcpu(const struct dom_vcpu *v)
{
	static const char *const name[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};
	uint64_t sel;

	printf("vcpu %u mp_state %u cs %#x rip %#llx rflags %#llx cr2 %#llx "
	       "cr3 %#llx\n",
	       v->id, v->mp_state, v->cs, (unsigned long long)v->rip,
	       (unsigned long long)v->rflags, (unsigned long long)v->cr2,
	       (unsigned long long)v->cr3);
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		printf("%s %#llx%c", name[i], (unsigned long long)v->gpr[i],
		       i % 8 == 7 ? '\n' : ' ');
	printf("injecting exception %d interrupt %d shadow %u tpr %#x",
	       v->exception, v->interrupt, v->shadow, v->tpr);
	print_words("irr", v->irr);
	print_words("isr", v->isr);
	memcpy(&sel, v->info + 8, sizeof(sel));
	printf("\nupcall vector %#x pending %u mask %u selector %#llx ports",
	       v->upcall_vector, v->info[0], v->info[1],
	       (unsigned long long)sel);
	for (uint32_t i = 0; i < MIN(v->npending, DOM_VCPU_PENDING); i++)
		printf(" %u", v->pending[i]);
	printf("\ntimer port %u at %llu now %llu\nstack", v->timer_port,
	       (unsigned long long)v->timer_ns, (unsigned long long)v->now_ns);
	for (uint32_t i = 0; i < MIN(v->nstack, DOM_VCPU_STACK); i++)
		printf(" %llx", (unsigned long long)v->stack[i]);
	printf("\n");
}

static int print_vcpus(struct dom *d)
{
	struct dom_msg msg = { .type = DOM_VCPU };
	struct dom_info info;
	int ret = dom_info(d, &info);

	for (uint32_t i = 0; !ret && i < info.vcpus_max; i++) {
		msg = (struct dom_msg){ .type = DOM_VCPU };
		msg.u.vcpu.id = i;
		ret = dom_call(d, &msg, NULL, NULL);
		if (!ret)
			print_vcpu(&msg.u.vcpu);
	}
	return ret;
}

static int anew(struct dom *d, unsigned int domid)
{
	struct dom_msg msg = { .type = DOM_RESUME, .u.anew = 1 };
	struct dom_info info;
	struct xs_handle *xs;
	int ret = dom_call(d, &msg, NULL, NULL);

	if (!ret)
		ret = dom_info(d, &info);
	if (ret)
		return ret;
	xs = xs_open(0);
	if (!xs ||
	    !xs_introduce_domain(xs, domid, info.store_gfn, info.store_port))
		ret = -errno;
	xs_close(xs);
	return ret;
}

/* Have the guest watch a node, as a driver of its would. */
static int watch(const char *domid, const char *path)
{
	struct xs_handle *xs = xs_open(0);
	char args[256], *answer = NULL;
	int n = snprintf(args, sizeof(args), "%s%c%u%c%s%c%s", domid, 0,
			 UINT32_MAX, 0, path, 0, "61");

	if (xs && n < (int)sizeof(args))
		answer = xs_control_command(xs, "watch", args,
					    (unsigned int)n + 1);
	n = answer ? 0 : -errno;
	free(answer);
	if (xs)
		xs_close(xs);
	return n;
}

static int simple(struct dom *d, uint16_t type)
{
	struct dom_msg msg = { .type = type };
	int ret = dom_call(d, &msg, NULL, NULL);

	if (!ret && type == DOM_INFO)
		print_info(&msg.u.info);
	if (!ret && type == DOM_STATS)
		print_stats(&msg.u.stats);
	return ret;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint16_t type;
	} calls[] = {
		{ "info", DOM_INFO },	    { "pause", DOM_PAUSE },
		{ "unpause", DOM_UNPAUSE }, { "destroy", DOM_DESTROY },
		{ "stats", DOM_STATS },
	};
	struct dom *d;
	uint64_t domid;
	int ret = -EINVAL;

	log_init("sv-domctl", LOG_LVL_INFO);
	paths_init();
	if (argc < 3 || util_u64(argv[1], MAX_DOMID, &domid))
		die("usage: sv-domctl DOMID info|pause|unpause|destroy|stats|"
		    "vcpus|anew|wait SECONDS|watch PATH");
	ret = dom_connect(&d, (unsigned int)domid, DOM_ROLE_ADMIN, NULL, true);
	if (ret)
		die("domain %s: %s", argv[1], strerror(-ret));
	if (!strcmp(argv[2], "wait") && argc == 4)
		ret = wait_down(d, argv[3]);
	if (!strcmp(argv[2], "vcpus"))
		ret = print_vcpus(d);
	if (!strcmp(argv[2], "anew"))
		ret = anew(d, (unsigned int)domid);
	if (!strcmp(argv[2], "watch") && argc == 4)
		ret = watch(argv[1], argv[3]);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!strcmp(argv[2], calls[i].name))
			ret = simple(d, calls[i].type);
	}
	dom_free(d);
	if (ret)
		die("domain %s: %s: %s", argv[1], argv[2], strerror(-ret));
	return EXIT_SUCCESS;
}
