// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_info.c - xl info.
#include <cpuid.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tools/json.h"
#include "tools/xl_cmd.h"
#include "tools/xl_host.h"
#include "tools/xl_limits.h"

/* What guests are told (hypervisor/version.h), and so what xl says, too. */
#define XEN_MAJOR 4
#define XEN_MINOR 17
#define XEN_EXTRA "-splitvisor"

/* What all of it becomes with --json; NULL for text. */
static yajl_gen json;

static void field(const char *name, const char *value)
{
	if (json)
		json_member_string(json, name, value);
	else
		printf("%-22s : %s\n", name, value);
}

static void number(const char *name, unsigned long long value)
{
	if (json)
		json_member_number(json, name, value);
	else
		printf("%-22s : %llu\n", name, value);
}

/* Text is in MiB, without a unit, as Xen has it. */
static void memory(const char *name, const char *json_name, uint64_t kib)
{
	number(json ? json_name : name, json ? kib : kib / 1024);
}

/* The CPUID words that Xen shows, in its order. */
static void print_hw_caps(void)
{
	unsigned int a, b, c, d, w[8] = { 0 };
	char text[80];

	if (__get_cpuid(1, &a, &b, &c, &d)) {
		w[0] = d;
		w[1] = c;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
		w[2] = d;
		w[3] = c;
	}
	if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d))
		w[4] = a;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		w[5] = b;
		w[6] = c;
	}
	if (__get_cpuid(0x80000007, &a, &b, &c, &d))
		w[7] = d;
	snprintf(text, sizeof(text), "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x",
		 w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]);
	field("hw_caps", text);
}

static void print_mhz(double mhz)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%.3f", mhz);

	if (json) {
		json_string(json, "cpu_mhz");
		yajl_gen_number(json, text, (size_t)n);
		return;
	}
	field("cpu_mhz", text);
}

static void print_host(const struct xl_host *h)
{
	char host[HOST_NAME_MAX + 1] = "(none)";
	struct utsname u;

	if (uname(&u) == 0) {
		gethostname(host, sizeof(host) - 1);
		field("host", host);
		field("release", u.release);
		field("version", u.version);
		field("machine", u.machine);
	}
	number("nr_cpus", h->cpus);
	number("max_cpu_id", h->max_cpu_id);
	number("nr_nodes", h->nodes);
	number("cores_per_socket", h->cores_per_socket);
	number("threads_per_core", h->threads_per_core);
	print_mhz(h->mhz);
	print_hw_caps();
	field("virt_caps", access("/dev/kvm", F_OK) ? "" : "hvm hap gnttab-v1");
	memory("total_memory", "total_memory_kib", h->total_kib);
	memory("free_memory", "free_memory_kib", h->free_kib);
	memory("sharing_freed_memory", "sharing_freed_memory_kib", 0);
	memory("sharing_used_memory", "sharing_used_memory_kib", 0);
	number("outstanding_claims", 0);
	number("free_cpus", 0);
}

static void json_topology(const struct xl_host *h)
{
	json_member_array(json, "cpu_topology");
	for (unsigned int i = 0; i <= h->max_cpu_id; i++) {
		yajl_gen_map_open(json);
		number("cpu", i);
		number("core", xl_host_topology(i, "core_id"));
		number("socket", xl_host_topology(i, "physical_package_id"));
		number("node", 0);
		yajl_gen_map_close(json);
	}
	yajl_gen_array_close(json);
	json_member_array(json, "numa_info");
	yajl_gen_map_open(json);
	number("node", 0);
	number("memory_kib", h->total_kib);
	number("free_memory_kib", h->free_kib);
	yajl_gen_map_close(json);
	yajl_gen_array_close(json);
}

static void print_topology(const struct xl_host *h)
{
	printf("cpu_topology           :\ncpu:    core    socket     node\n");
	for (unsigned int i = 0; i <= h->max_cpu_id; i++)
		printf("%3u:    %4u     %4u     %4u\n", i,
		       xl_host_topology(i, "core_id"),
		       xl_host_topology(i, "physical_package_id"), 0u);
	printf("device topology        :\nNo device topology data available\n");
	printf("numa_info              :\nnode:    memsize    memfree    distances\n");
	printf("%4d:    %6llu     %6llu      %s\n", 0,
	       (unsigned long long)(h->total_kib / 1024),
	       (unsigned long long)(h->free_kib / 1024), "10");
}

static void print_xen(void)
{
	char version[32];

	snprintf(version, sizeof(version), "%d.%d%s", XEN_MAJOR, XEN_MINOR,
		 XEN_EXTRA);
	number("xen_major", XEN_MAJOR);
	number("xen_minor", XEN_MINOR);
	field("xen_extra", XEN_EXTRA);
	field("xen_version", version);
	field("xen_caps", "hvm-3.0-x86_64 ");
	field("xen_scheduler", "credit2");
	number("xen_pagesize", 4096);
	field("platform_params", "virt_start=0xffff800000000000");
	field("xen_changeset", "");
	field("xen_commandline", "");
	field("cc_compiler", "cc " __VERSION__);
	field("cc_compile_by", "");
	field("cc_compile_domain", "");
	field("cc_compile_date", "");
	field("build_id", "");
}

/* None, if there is no store. */
static void print_store(void)
{
	uint32_t features;
	char text[16];

	if (xl_features_get(&features))
		features = 0;
	snprintf(text, sizeof(text), "0x%08x", features);
	field("xenstore_features", text);
}

static void print_info(const struct xl_host *h, bool topology, bool store)
{
	print_host(h);
	if (topology && json)
		json_topology(h);
	else if (topology)
		print_topology(h);
	print_xen();
	if (store)
		print_store();
	number("xend_config_format", 4);
}

int xl_cmd_info(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "numa", no_argument, NULL, 'n' },
		{ "xenstore", no_argument, NULL, 'x' },
		{ 0 },
	};
	bool topology = false, store = false;
	struct xl_host h;
	int opt, status = 0;

	while ((opt = xl_getopt(argc, argv, "nx", longs, 0, &status)) > 0) {
		topology |= opt == 'n';
		store |= opt == 'x';
	}
	if (!opt)
		return status;
	xl_host_read(&h);
	json = xl_opts.json ? json_begin(true) : NULL;
	if (xl_opts.json && !json)
		return XL_EXIT_FAIL;
	if (json)
		yajl_gen_map_open(json);
	print_info(&h, topology, store);
	if (!json)
		return 0;
	yajl_gen_map_close(json);
	return json_print(json, stdout) ? XL_EXIT_FAIL : 0;
}
