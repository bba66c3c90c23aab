/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest-linux/kexec.c - start another kernel in place of this one.
 *
 * usage: kexec [-p] KERNEL INITRAMFS CMDLINE
 *
 * With -p it is kept for when this one crashes.
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long flags = 0;
	int kernel, initramfs;

	if (argc > 1 && !strcmp(argv[1], "-p")) {
		flags = KEXEC_FILE_ON_CRASH;
		argc--;
		argv++;
	}
	if (argc != 4) {
		fputs("usage: kexec [-p] KERNEL INITRAMFS CMDLINE\n", stderr);
		return 2;
	}
	kernel = open(argv[1], O_RDONLY);
	initramfs = open(argv[2], O_RDONLY);
	if (kernel < 0 || initramfs < 0 ||
	    syscall(SYS_kexec_file_load, kernel, initramfs, strlen(argv[3]) + 1,
		    argv[3], flags) < 0) {
		perror("kexec");
		return 1;
	}
	if (flags)
		return 0;
	sync();
	reboot((int)LINUX_REBOOT_CMD_KEXEC);
	perror("kexec");
	return 1;
}
