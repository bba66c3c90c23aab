/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_cfg.h - what a configuration file asks for, checked. */
#ifndef TOOLS_XL_CFG_H
#define TOOLS_XL_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "tools/xl_limits.h"
#include "tools/xl_sched.h"

/*
 * How it works
 *
 * xl_cfg_load() reads the file and the "key=value" arguments behind it,
 * xl_cfg_parse() turns the text into struct xl_cfg (libxlutil knows the
 * syntax), xl_cfg_check_host() compares it with this host.  All three report by
 * log_err() and log_warn(), one line each, that begins with FILE:LINE where
 * there is one.  Relative paths are made absolute, because a restart happens in
 * another process.
 */
#define XL_MAX_VCPUS	      64
#define XL_MIN_MEMORY_KIB     8192
#define XL_DEFAULT_BRIDGE     "xenbr0"
#define XL_SCRIPT_DIR	      "/etc/xen/scripts"
#define XL_DEFAULT_VIF_SCRIPT XL_SCRIPT_DIR "/vif-bridge"
#define XL_BLOCK_SCRIPT	      "/etc/xen/scripts/block"

/** enum xl_action - What to do when a domain has shut down; 0 is "not set". */
enum xl_action {
	XL_ACTION_NONE,
	XL_ACTION_DESTROY,
	XL_ACTION_RESTART,
	XL_ACTION_RENAME_RESTART,
	XL_ACTION_PRESERVE,
	XL_ACTION_COREDUMP_DESTROY,
	XL_ACTION_COREDUMP_RESTART,
	XL_ACTION_SOFT_RESET,
	XL_NACTIONS,
};

/** xl_action_name() - As written in xl.cfg, for example "rename-restart". */
const char *xl_action_name(enum xl_action action);

/** enum xl_event - What an action is for, by SHUTDOWN_* of xen/sched.h. */
enum xl_event {
	XL_ON_POWEROFF,
	XL_ON_REBOOT,
	XL_ON_CRASH,
	XL_ON_WATCHDOG,
	XL_ON_SOFT_RESET,
	XL_NEVENTS,
};

/*
 * Items of a disk that are ours, not Xen's: numbers that become keys of the
 * backend's directory, by the names in xl_disk_keys[].
 */
enum xl_disk_key {
	XL_DISK_SECTOR,
	XL_DISK_PHYSICAL,
	XL_DISK_DIRECT,
	XL_DISK_IOPS,
	XL_DISK_IOPS_BURST,
	XL_DISK_BPS,
	XL_DISK_BPS_BURST,
	XL_DISK_NKEYS,
};

extern const char *const xl_disk_keys[XL_DISK_NKEYS];

/* As dom0-backend/image_format.h has it. */
#define XL_DISK_MAX_BACKING 8u

/**
 * struct xl_disk - One entry of disk=.
 * @key: Values of our own items; those with @has were given.
 * @format: As given, "raw" if it was not; of a disk on an NBD server always so.
 * @backing: "FORMAT:PATH" of @nbacking files below an image, nearest first; ours,
 *           too.
 */
struct xl_disk {
	char *path; /* absolute, or nbd://... or nbd+unix://... */
	const char *format;
	char *vdev; /* as given: xvda, sda1, hdc, d0p3, 51712 */
	char *script;
	const char *backend; /* phy, tap, qdisk as given, or NULL */
	unsigned int devid;
	bool removable, writable, cdrom, direct_io_safe, discard, trusted;
	bool discard_given;
	bool has[XL_DISK_NKEYS];
	uint64_t key[XL_DISK_NKEYS];
	unsigned int nbacking;
	char *backing[XL_DISK_MAX_BACKING];
};

/** struct xl_vif - One entry of vif=; NULL or 0 is "not given". */
struct xl_vif {
	unsigned int devid;
	uint8_t mac[6];
	char *bridge;  /* NULL with net= */
	char *net;     /* our own key: nat[:ADDR/LEN] or none */
	char *vlan;    /* sv-backend parses it */
	char *hotplug; /* path of a script that sv-backend is to run */
	char *ip, *script, *vifname, *gatewaydev, *model, *type;
	unsigned int mtu;
	uint64_t rate_bytes;
	uint32_t rate_usecs;
	bool trusted;
};

/** XL_FIRMWARE_IMAGE - GRUB as a PVH guest, as Debian's grub-xen-host names it. */
#define XL_FIRMWARE_IMAGE "grub-i386-xen_pvh.bin"

/** struct xl_cfg - A domain to be. */
struct xl_cfg {
	char *name;
	uint8_t uuid[16];
	char *kernel, *ramdisk, *cmdline;
	bool firmware; /* @kernel is GRUB, found for firmware= */
	uint64_t memory_kib, maxmem_kib;
	unsigned int vcpus, maxvcpus;
	unsigned int max_grant_frames; /* 0: the hypervisor's default */
	const char *tsc_mode;	       /* static, or NULL */
	enum xl_action on[XL_NEVENTS];
	struct xl_disk *disks;
	size_t ndisks;
	struct xl_vif *vifs;
	size_t nvifs;
	char **cpus; /* a set of xl_cpus.h for each of @ncpus vCPUs */
	size_t ncpus;
	struct xl_sched sched; /* weight 0: none was given */
	uint32_t hidden; /* features of the store that it is not offered */
	struct xl_limit *limits;
	size_t nlimits;
	bool own_console; /* its creator serves it, not sv-console; no key says so */
};

/**
 * xl_cfg_load() - Read a configuration file and add command-line settings.
 * @path:  The file; "/dev/null" for none.
 * @extra: "key=value" arguments, appended in order, so that the last wins.
 * @n:     Number of @extra.
 * @text:  *Owned* by the caller: NUL-terminated.
 * @lines: How many lines came from the file.
 *
 * Return: 0 or -errno; reported.
 */
int xl_cfg_load(const char *path, char *const *extra, size_t n, char **text,
		unsigned int *lines) must_check;

/**
 * xl_cfg_parse() - Turn a configuration into a struct xl_cfg.
 * @c:     Filled on success, to be freed by xl_cfg_free(); else left empty.
 * @path:  For messages.
 * @text:  NUL-terminated.
 * @lines: Lines of @text that are the file's; what follows is reported as
 *         coming from the command line.
 *
 * Return: 0 or -EINVAL or -ENOMEM; reported.
 */
int xl_cfg_parse(struct xl_cfg *c, const char *path, const char *text,
		 unsigned int lines) must_check;

/** xl_cfg_free() - Free what a struct xl_cfg holds; zeroed is fine. */
void xl_cfg_free(struct xl_cfg *c);

/**
 * xl_cfg_check_host() - Whether this host has what the configuration names.
 *
 * Kernel, initramfs, disks, bridges, memory.  Creates nothing.
 *
 * Return: 0 or -errno; reported.
 */
int xl_cfg_check_host(const struct xl_cfg *c) must_check;

/** xl_cfg_check_devices() - The same without kernel and initramfs. */
int xl_cfg_check_devices(const struct xl_cfg *c) must_check;

/** xl_disk_check_host(), xl_vif_check_host() - The same for one device. */
int xl_disk_check_host(const struct xl_disk *d) must_check;
int xl_vif_check_host(const struct xl_vif *v) must_check;

/**
 * xl_cfg_edit() - A configuration with another list of devices.
 * @name:   "disk" or "vif".
 * @add:    Another entry at the end, or NULL.
 * @drop:   Leave this entry out; SIZE_MAX for none.
 * @devids: Numbers to be written to entries that name none, @add's last; or NULL.
 * @out:    *Owned* by the caller: @text, and the list once more, which counts;
 *          one from an earlier change is left out.
 *
 * Return: 0, -EINVAL if an entry has control characters, or -ENOMEM.
 */
int xl_cfg_edit(const char *text, const char *name, const char *add,
		size_t drop, const unsigned int *devids, char **out) must_check;

/**
 * xl_cfg_set() - A configuration with another value of one key.
 * @n:   Of a list; 0: a single value, *@values.
 * @out: *Owned* by the caller: as xl_cfg_edit().
 *
 * Return: 0, -EINVAL if a value has control characters, or -ENOMEM.
 */
int xl_cfg_set(const char *text, const char *name, const char *const *values,
	       size_t n, char **out) must_check;

/**
 * xl_path_base() - What relative paths in a configuration are relative to: the
 * directory that was current when it was first asked for, or was set.
 *
 * Return: NULL if there is none.
 */
const char *xl_path_base(void);

/** xl_path_set_base() - For a configuration that comes from elsewhere. */
void xl_path_set_base(const char *dir);

/** xl_uuid_parse() - Read the usual form; Return: 0 or -EINVAL. */
int xl_uuid_parse(const char *s, uint8_t uuid[16]) must_check;

#define XL_UUID_LEN 37

/** xl_uuid_format() - Write the usual form and a NUL; Return: @buf. */
char *xl_uuid_format(char buf[XL_UUID_LEN], const uint8_t uuid[16]);

/**
 * xl_vdev_number() - The device number that belongs to a disk's name.
 * @name: As in xen-vbd-interface(7): xvda..., dNpM, sda..., hda..., a number.
 *
 * Return: 0 or -EINVAL.
 */
int xl_vdev_number(const char *name, unsigned int *devid) must_check;

/* The rest is for xl_cfg.c. */

/** xl_hex_byte() - Two hexadecimal digits; Return: 0 to 255, or -EINVAL. */
int xl_hex_byte(const char *s) must_check;

/**
 * xl_disk_parse() - Parse one entry of disk=.
 * @where: "FILE:LINE" for messages.
 *
 * Return: 0 or -errno; reported.
 */
int xl_disk_parse(struct xl_disk *d, const char *spec,
		  const char *where) must_check;

/**
 * xl_vif_parse() - Parse one entry of vif=.
 * @devid: Its number if the entry names none.
 * @uuid:  The domain's; a MAC address is made from it if none is given, so
 *         that it stays the same.
 */
int xl_vif_parse(struct xl_vif *v, const char *spec, unsigned int devid,
		 const uint8_t uuid[16], const char *where) must_check;

/**
 * xl_disk_is_remote() - Whether @path is the address of an NBD server's disk.
 *
 * Of any scheme that begins with nbd: or nbds:, or these and a transport (nbd+unix:).
 */
bool xl_disk_is_remote(const char *path);

/** xl_disk_free(), xl_vif_free() - Free what they hold. */
void xl_disk_free(struct xl_disk *d);
void xl_vif_free(struct xl_vif *v);

/**
 * xl_path_absolute() - Put xl_path_base() before a relative path.
 * @path: Its string is replaced; *owned* by the caller as before.
 *
 * Return: 0 or -ENOMEM.
 */
int xl_path_absolute(char **path) must_check;

#endif
