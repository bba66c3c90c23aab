// SPDX-License-Identifier: GPL-2.0-or-later
// tools/doctor.c - what this host has for running guests, and what it lacks.
#include "tools/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <yajl/yajl_gen.h>

#include "base/fd.h"
#include "base/paths.h"

#define MIN_NOFILE   1024
#define MIN_FREE_MIB 256

void doctor_add(struct doctor *d, enum doctor_level level, const char *check,
		const char *remedy, const char *fmt, ...)
{
	struct doctor_line *l = &d->line[d->n];
	va_list ap;

	if (d->n == ARRAY_SIZE(d->line))
		return;
	d->n++;
	l->level = level;
	l->check = check;
	snprintf(l->remedy, sizeof(l->remedy), "%s", remedy ? remedy : "");
	va_start(ap, fmt);
	vsnprintf(l->found, sizeof(l->found), fmt, ap);
	va_end(ap);
}

const char *doctor_path(const struct doctor *d, char *buf, const char *path)
{
	snprintf(buf, PATH_MAX, "%s%s", d->root, path);
	return buf;
}

/* The first line of a small file, without its newline; "" if there is none. */
static char *read_line(const struct doctor *d, const char *file, char *buf,
		       size_t size)
{
	char path[PATH_MAX];
	FILE *f = fopen(doctor_path(d, path, file), "re");

	buf[0] = '\0';
	if (f && fgets(buf, (int)size, f))
		buf[strcspn(buf, "\n")] = '\0';
	if (f)
		fclose(f);
	return buf;
}

static bool exists(const struct doctor *d, const char *file)
{
	char path[PATH_MAX];

	return access(doctor_path(d, path, file), F_OK) == 0;
}

/* Whether a line of @file that begins with @start contains @word. */
static bool line_has(const struct doctor *d, const char *file,
		     const char *start, const char *word)
{
	char path[PATH_MAX], *line = NULL;
	FILE *f = fopen(doctor_path(d, path, file), "re");
	bool found = false;
	size_t room = 0;

	while (f && !found && getline(&line, &room, f) > 0)
		found = !strncmp(line, start, strlen(start)) &&
			strstr(line, word);
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* ---- Processor and memory -------------------------------------------------- */

static void check_cpu(struct doctor *d)
{
	bool vmx = line_has(d, "/proc/cpuinfo", "flags", " vmx");
	bool svm = line_has(d, "/proc/cpuinfo", "flags", " svm");
	bool guest = line_has(d, "/proc/cpuinfo", "flags", " hypervisor");

	if (vmx || svm)
		doctor_add(d, DOCTOR_OK, "cpu", NULL, "%s%s",
			   vmx ? "Intel VT-x (vmx)" : "AMD-V (svm)",
			   guest ? ", in a virtual machine" : "");
	else if (guest)
		doctor_add(
			d, DOCTOR_FAIL, "cpu",
			"switch nested virtualisation on in the outer hypervisor",
			"no vmx or svm: this is a virtual machine without nested virtualisation");
	else
		doctor_add(d, DOCTOR_FAIL, "cpu",
			   "switch VT-x or AMD-V on in the firmware",
			   "no vmx or svm flag in /proc/cpuinfo");
}

static void check_nested(struct doctor *d)
{
	char intel[16], amd[16];
	bool on;

	read_line(d, "/sys/module/kvm_intel/parameters/nested", intel,
		  sizeof(intel));
	read_line(d, "/sys/module/kvm_amd/parameters/nested", amd, sizeof(amd));
	on = strchr("Y1", intel[0] ? intel[0] : amd[0] ? amd[0] : 'N');
	doctor_add(d, DOCTOR_OK, "nested", NULL, "%s",
		   on ? "nested virtualisation is on"
		      : "nested virtualisation is off (not needed)");
}

static void check_memory(struct doctor *d)
{
	char path[PATH_MAX], line[128];
	FILE *f = fopen(doctor_path(d, path, "/proc/meminfo"), "re");
	static const char name[] = "MemAvailable:";
	unsigned long long kib = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		kib = strtoull(line + strlen(name), NULL, 10);
		break;
	}
	if (f)
		fclose(f);
	if (kib / 1024 >= MIN_FREE_MIB)
		doctor_add(d, DOCTOR_OK, "memory", NULL, "%llu MiB are free",
			   kib / 1024);
	else
		doctor_add(d, DOCTOR_WARN, "memory",
			   "end something, or add memory",
			   "only %llu MiB are free", kib / 1024);
}

static void check_hugepages(struct doctor *d)
{
	char modes[128], *on, *end;

	read_line(d, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", modes,
		  sizeof(modes));
	on = strchr(modes, '[');
	end = on ? strchr(on, ']') : NULL;
	if (!end) {
		doctor_add(d, DOCTOR_WARN, "hugepages",
			   "boot a kernel with CONFIG_TRANSPARENT_HUGEPAGE=y",
			   "no transparent huge pages for shared memory");
		return;
	}
	*end = '\0';
	on++;
	if (strcmp(on, "never") != 0 && strcmp(on, "deny") != 0)
		doctor_add(d, DOCTOR_OK, "hugepages", NULL,
			   "for shared memory: %s", on);
	else
		doctor_add(
			d, DOCTOR_WARN, "hugepages",
			"echo advise >/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			"for shared memory: %s (guests are slower)", on);
}

/* ---- Network ---------------------------------------------------------------- */

static void check_tun(struct doctor *d)
{
	char path[PATH_MAX];
	int fd = open(doctor_path(d, path, "/dev/net/tun"), O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		doctor_add(d, DOCTOR_OK, "tun", NULL, "%s can be opened", path);
	else
		doctor_add(d, DOCTOR_WARN, "tun",
			   errno == ENOENT ? "modprobe tun" : "run as root",
			   "%s: %s (guests have no network)", path,
			   strerror(errno));
	fd_close(&fd);
}

/* A kernel module that is loaded, built in, or there to be loaded. */
static void check_module(struct doctor *d, const char *check, const char *dir,
			 const char *file, const char *lost)
{
	char list[PATH_MAX];
	struct utsname u;

	if (exists(d, dir)) {
		doctor_add(d, DOCTOR_OK, check, NULL, "in the kernel");
		return;
	}
	if (uname(&u) == 0) {
		snprintf(list, sizeof(list), "/lib/modules/%s/modules.builtin",
			 u.release);
		if (line_has(d, list, "", file)) {
			doctor_add(d, DOCTOR_OK, check, NULL, "in the kernel");
			return;
		}
		snprintf(list, sizeof(list), "/lib/modules/%s/modules.dep",
			 u.release);
		if (line_has(d, list, "", file)) {
			doctor_add(d, DOCTOR_OK, check, NULL,
				   "a module, loaded when needed");
			return;
		}
	}
	doctor_add(d, DOCTOR_WARN, check,
		   "boot a kernel that has it, for example Debian's",
		   "not in this kernel (%s)", lost);
}

static void check_network(struct doctor *d)
{
	check_tun(d);
	check_module(d, "bridge", "/sys/module/bridge", "/bridge.ko",
		     "vif = ['bridge=...'] and net=nat do not work");
	check_module(d, "nftables", "/sys/module/nf_tables", "/nf_tables.ko",
		     "vif = ['net=nat'] reaches this host only");
}

/* ---- Limits and places ------------------------------------------------------ */

static void check_io_uring(struct doctor *d)
{
	struct io_uring_params p = { 0 };
	char value[16];
	int fd;

	read_line(d, "/proc/sys/kernel/io_uring_disabled", value,
		  sizeof(value));
	if (value[0] == '2') {
		doctor_add(d, DOCTOR_FAIL, "io_uring",
			   "sysctl kernel.io_uring_disabled=0",
			   "kernel.io_uring_disabled is 2: no disks");
		return;
	}
	fd = (int)syscall(SYS_io_uring_setup, 1, &p);
	if (fd >= 0)
		doctor_add(d, DOCTOR_OK, "io_uring", NULL, "can be used");
	else
		doctor_add(
			d, DOCTOR_FAIL, "io_uring",
			errno == EPERM
				? "run as root, or allow io_uring in the container's seccomp profile"
				: "boot a kernel with CONFIG_IO_URING=y",
			"io_uring_setup: %s: no disks", strerror(errno));
	fd_close(&fd);
}

static void check_limits(struct doctor *d)
{
	struct rlimit files = { 0 };

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max >= MIN_NOFILE)
		doctor_add(d, DOCTOR_OK, "files", NULL,
			   "%llu open files in a process",
			   (unsigned long long)files.rlim_max);
	else
		doctor_add(d, DOCTOR_WARN, "files", "raise ulimit -Hn",
			   "only %llu open files in a process",
			   (unsigned long long)files.rlim_max);
}

static void check_memlock(struct doctor *d)
{
	struct rlimit r = { 0 };

	getrlimit(RLIMIT_MEMLOCK, &r);
	if (r.rlim_max == RLIM_INFINITY || geteuid() == 0)
		doctor_add(d, DOCTOR_OK, "memlock", NULL, "not limited");
	else
		doctor_add(d, r.rlim_max < (8u << 20) ? DOCTOR_WARN : DOCTOR_OK,
			   "memlock", "raise ulimit -Hl",
			   "%llu KiB can be locked",
			   (unsigned long long)r.rlim_max / 1024);
}

/* Where limits for VMMs are made (tools/xl_sched.h). */
static void check_cgroup(struct doctor *d)
{
	static const char remedy[] =
		"set SPLITVISOR_CGROUP to one of version 2 with memory and pids, for guests alone";
	const char *dir = getenv("SPLITVISOR_CGROUP");
	char file[PATH_MAX], path[PATH_MAX];

	if (!dir || !*dir) {
		doctor_add(d, DOCTOR_WARN, "cgroup", remedy,
			   "VMMs have no limits of memory and processes");
		return;
	}
	snprintf(file, sizeof(file), "%s/cgroup.controllers", dir);
	snprintf(path, sizeof(path), "%s%s/cgroup.subtree_control", d->root,
		 dir);
	if (!line_has(d, file, "", "memory") || !line_has(d, file, "", "pids"))
		doctor_add(d, DOCTOR_WARN, "cgroup", remedy,
			   "%.200s does not control memory and pids", dir);
	else if (access(path, W_OK) < 0)
		doctor_add(d, DOCTOR_WARN, "cgroup", remedy,
			   "%.200s cannot be written: %s", dir,
			   strerror(errno));
	else
		doctor_add(d, DOCTOR_OK, "cgroup", NULL,
			   "%.200s limits memory and processes of VMMs", dir);
}

/* A directory that can be written, or that can be made. */
static void check_dir(struct doctor *d, const char *check, const char *dir,
		      const char *variable)
{
	char path[PATH_MAX], self[PATH_MAX + 2], remedy[160];
	char *slash;

	snprintf(path, sizeof(path), "%s", dir);
	while (access(path, F_OK) < 0 && (slash = strrchr(path, '/')) &&
	       slash != path)
		*slash = '\0';
	snprintf(self, sizeof(self), "%s/.", path); /* only of a directory */
	if (access(self, W_OK) == 0) {
		doctor_add(d, DOCTOR_OK, check, NULL, "%s can be written", dir);
		return;
	}
	snprintf(remedy, sizeof(remedy), "run as root, or set %s", variable);
	doctor_add(d, DOCTOR_FAIL, check, remedy, "%s: %s", path,
		   strerror(errno));
}

static void check_programs(struct doctor *d)
{
	static const char *const names[] = { "sv-hypervisor", "sv-xenstored",
					     "sv-backend",    "sv-blkback",
					     "sv-blksource",  "sv-netback",
					     "sv-usernet",    "sv-console" };
	char path[PATH_MAX], lacks[128] = "";
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (access(paths_program(path, names[i]), X_OK) < 0)
			at += (size_t)snprintf(lacks + at, sizeof(lacks) - at,
					       " %s", names[i]);
	}
	if (at)
		doctor_add(d, DOCTOR_FAIL, "programs",
			   "make install, or set SPLITVISOR_LIBEXEC_DIR",
			   "not found:%s", lacks);
	else
		doctor_add(d, DOCTOR_OK, "programs", NULL,
			   "all found, such as %s", path);
}

void doctor_run(struct doctor *d, const char *root)
{
	memset(d, 0, sizeof(*d));
	d->root = root;
	check_cpu(d);
	doctor_kvm(d);
	check_nested(d);
	check_memory(d);
	check_hugepages(d);
	check_network(d);
	check_io_uring(d);
	check_limits(d);
	check_memlock(d);
	check_cgroup(d);
	check_dir(d, "run-dir", paths_run(), "SPLITVISOR_RUN_DIR");
	check_dir(d, "log-dir", paths_log(), "SPLITVISOR_LOG_DIR");
	check_dir(d, "cache-dir", paths_cache(), "SPLITVISOR_CACHE_DIR");
	check_programs(d);
}

enum doctor_level doctor_worst(const struct doctor *d)
{
	enum doctor_level worst = DOCTOR_OK;

	for (size_t i = 0; i < d->n; i++)
		worst = MAX(worst, d->line[i].level);
	return worst;
}

/* ---- Printing ---------------------------------------------------------------- */

static const char *const level_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "FAIL",
};
_Static_assert(ARRAY_SIZE(level_names) == DOCTOR_NLEVELS, "a name per level");

static void member(yajl_gen g, const char *name, const char *value)
{
	yajl_gen_string(g, (const unsigned char *)name, strlen(name));
	yajl_gen_string(g, (const unsigned char *)value, strlen(value));
}

static void print_json(const struct doctor *d)
{
	static const char can[] = "guests_can_run", checks[] = "checks";
	yajl_gen g = yajl_gen_alloc(NULL);
	const unsigned char *buf;
	size_t len;

	if (!g)
		return;
	yajl_gen_config(g, yajl_gen_beautify, 1);
	yajl_gen_config(g, yajl_gen_indent_string, "    ");
	yajl_gen_map_open(g);
	yajl_gen_string(g, (const unsigned char *)can, strlen(can));
	yajl_gen_bool(g, doctor_worst(d) != DOCTOR_FAIL);
	yajl_gen_string(g, (const unsigned char *)checks, strlen(checks));
	yajl_gen_array_open(g);
	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_line *l = &d->line[i];

		yajl_gen_map_open(g);
		member(g, "check", l->check);
		member(g, "status",
		       l->level == DOCTOR_FAIL ? "fail"
					       : level_names[l->level]);
		member(g, "found", l->found);
		if (l->level != DOCTOR_OK)
			member(g, "remedy", l->remedy);
		yajl_gen_map_close(g);
	}
	yajl_gen_array_close(g);
	yajl_gen_map_close(g);
	if (yajl_gen_get_buf(g, &buf, &len) == yajl_gen_status_ok)
		fwrite(buf, 1, len, stdout);
	yajl_gen_free(g);
}

void doctor_print(const struct doctor *d, bool json)
{
	if (json) {
		print_json(d);
		return;
	}
	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_line *l = &d->line[i];

		printf("%-4s  %-10s %s%s%s\n", level_names[l->level], l->check,
		       l->found, l->level == DOCTOR_OK ? "" : "; remedy: ",
		       l->level == DOCTOR_OK ? "" : l->remedy);
	}
	printf("%s\n", doctor_worst(d) == DOCTOR_FAIL
			       ? "Guests cannot run on this host."
			       : "Guests can run on this host.");
}
