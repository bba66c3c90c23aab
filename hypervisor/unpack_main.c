// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/unpack_main.c - sv-unpack: unpack a bzImage in a sandbox.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "hypervisor/bzimage.h"

/*
 * How it works
 *
 * usage: sv-unpack NAME <bzImage >ELF
 *
 * Unpackers are large and meet files from anywhere, so they run here: a process
 * that has nothing but these two files and memory, with limits, and that ends
 * when it is done.  NAME is for messages; there is one, on stderr, on failure.
 */

/* The largest window of a packed kernel is 128 MiB (zstd -22 --ultra). */
#define MEMORY_LIMIT (512u << 20)
#define CPU_LIMIT_S  120

static void limit(__rlimit_resource_t what, rlim_t value)
{
	struct rlimit r = { value, value };

	/* A limit that is lower already stays. */
	(void)setrlimit(what, &r);
}

#define ALLOW(nr)                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int sandbox(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		ALLOW(__NR_pread64),
		ALLOW(__NR_read),
		ALLOW(__NR_write),
		ALLOW(__NR_brk),
		ALLOW(__NR_mmap),
		ALLOW(__NR_munmap),
		ALLOW(__NR_mremap),
		ALLOW(__NR_madvise),
		ALLOW(__NR_futex),
		ALLOW(__NR_clock_gettime),
		ALLOW(__NR_rt_sigreturn),
		ALLOW(__NR_exit_group),
#if SANITIZED
		ALLOW(__NR_sigaltstack),
#endif
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	static const struct sock_fprog prog = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return -errno;
	return 0;
}

static int run(const char *name, struct why *why)
{
	struct image_src src = { .fd = STDIN_FILENO, .name = name };
	struct bzimage bz;
	struct stat st;
	int ret;

	if (fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
		return why_set(why, -EINVAL, "%s: must be a regular file",
			       name);
	src.size = (uint64_t)st.st_size;
	ret = sandbox();
	if (ret)
		return why_set(why, ret, "sv-unpack: no sandbox: %s",
			       strerror(-ret));
	ret = bzimage_find(&src, &bz, why);
	if (!ret)
		ret = bzimage_unpack(&bz, STDOUT_FILENO, why);
	return ret;
}

int main(int argc, char **argv)
{
	struct why why = { "" };
	size_t len;

	if (argc != 2) {
		fputs("usage: sv-unpack NAME <BZIMAGE >ELF\n", stderr);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, CPU_LIMIT_S);
	limit(RLIMIT_FSIZE, IMAGE_MAX_FILE);
#if !SANITIZED /* whose shadow is data, too */
	limit(RLIMIT_DATA, MEMORY_LIMIT);
#endif
	if (!run(argv[1], &why))
		_exit(0);
	/* Not by stdio, which would ask the sandbox for more than write. */
	len = strlen(why.text);
	why.text[len] = '\n';
	_exit(write(STDERR_FILENO, why.text, len + 1) < 0 ? 2 : 1);
}
