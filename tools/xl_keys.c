// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_keys.c - the keys of xl.cfg files: known ones, their lines.
#include "tools/xl_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define USED(k)                \
	{                      \
		k, XL_KEY_USED \
	}
#define QUIET(k)                \
	{                       \
		k, XL_KEY_QUIET \
	}
#define INERT(k)                \
	{                       \
		k, XL_KEY_INERT \
	}
#define REFUSE(k)                \
	{                        \
		k, XL_KEY_REFUSE \
	}

/* Sorted by name: xl_key_find() searches by halving. */
static const struct xl_key keys[] = {
	QUIET("acpi"),
	QUIET("acpi_firmware"),
	QUIET("acpi_laptop_slate"),
	QUIET("acpi_s3"),
	QUIET("acpi_s4"),
	QUIET("altp2m"),
	QUIET("apic"),
	QUIET("autoballoon"),
	QUIET("bios"),
	QUIET("blkdev_start"),
	QUIET("boot"),
	USED("bootloader"),
	QUIET("bootloader_args"),
	USED("builder"),
	USED("cap"),
	INERT("channel"),
	QUIET("claim_mode"),
	USED("cmdline"),
	INERT("cpu"),
	USED("cpu_cap"),
	USED("cpu_weight"),
	INERT("cpuid"),
	USED("cpus"),
	INERT("cpus_soft"),
	QUIET("device_model_args"),
	QUIET("device_model_override"),
	QUIET("device_model_stubdomain_override"),
	QUIET("device_model_version"),
	USED("disk"),
	QUIET("dm_restrict"),
	REFUSE("driver_domain"),
	REFUSE("dtdev"),
	INERT("event_channels"),
	USED("extra"),
	USED("firmware"),
	QUIET("gfx_passthru"),
	QUIET("hap"),
	QUIET("hdtype"),
	QUIET("hpet"),
	QUIET("hvm"),
	REFUSE("iomem"),
	REFUSE("ioports"),
	REFUSE("irqs"),
	USED("kernel"),
	QUIET("keymap"),
	INERT("localtime"),
	INERT("max_event_channels"),
	USED("max_grant_frames"),
	QUIET("max_grant_version"),
	QUIET("max_maptrack_frames"),
	USED("maxmem"),
	USED("maxvcpus"),
	USED("memory"),
	QUIET("mmio_hole"),
	USED("name"),
	QUIET("nestedhvm"),
	INERT("nodes"),
	QUIET("nographic"),
	INERT("nomigrate"),
	QUIET("nx"),
	USED("on_crash"),
	USED("on_poweroff"),
	USED("on_reboot"),
	USED("on_soft_reset"),
	USED("on_watchdog"),
	QUIET("oos"),
	INERT("p9"),
	QUIET("pae"),
	USED("passthrough"),
	REFUSE("pci"),
	QUIET("pci_msitranslate"),
	QUIET("pci_permissive"),
	QUIET("pci_power_mgmt"),
	QUIET("pci_seize"),
	INERT("pool"),
	REFUSE("pvcalls"),
	QUIET("pvh"),
	QUIET("pvshim"),
	QUIET("pvshim_cmdline"),
	QUIET("pvshim_extra"),
	QUIET("pvshim_path"),
	USED("ramdisk"),
	REFUSE("rdm"),
	QUIET("rdm_mem_boundary"),
	USED("root"),
	INERT("rtc_timeoffset"),
	QUIET("sched"),
	QUIET("sdl"),
	REFUSE("seclabel"),
	INERT("serial"),
	QUIET("shadow_memory"),
	QUIET("soundhw"),
	QUIET("spice"),
	QUIET("stdvga"),
	QUIET("suppress_spurious_page_faults"),
	QUIET("timer_mode"),
	USED("tsc_mode"),
	USED("type"),
	QUIET("usb"),
	REFUSE("usbctrl"),
	REFUSE("usbdev"),
	QUIET("usbdevice"),
	USED("uuid"),
	USED("vcpus"),
	REFUSE("vdispl"),
	INERT("vfb"),
	QUIET("vga"),
	QUIET("videoram"),
	USED("vif"),
	QUIET("viridian"),
	REFUSE("virtio"),
	INERT("vkb"),
	QUIET("vm_watchdog"),
	QUIET("vnc"),
	QUIET("vncconsole"),
	QUIET("vncdisplay"),
	QUIET("vnclisten"),
	QUIET("vncpasswd"),
	QUIET("vncunused"),
	INERT("vnuma"),
	QUIET("vpmu"),
	REFUSE("vsnd"),
	REFUSE("vtpm"),
	QUIET("vuart"),
	QUIET("xen_platform_pci"),
	USED("xenstore_feature_mask"),
	USED("xenstore_quota"),
};

static int by_name(const void *name, const void *key)
{
	return strcmp(name, ((const struct xl_key *)key)->name);
}

const struct xl_key *xl_key_find(const char *name)
{
	return bsearch(name, keys, ARRAY_SIZE(keys), sizeof(keys[0]), by_name);
}

#define MAX_NAME 48

/* Letters to change, add or leave out to get from @a to @b (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[MAX_NAME + 1], la = strlen(a), lb = strlen(b);

	if (la > MAX_NAME || lb > MAX_NAME)
		return MAX_NAME;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t above = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			best = MIN(best, above + 1);
			best = MIN(best, row[j - 1] + 1);
			diagonal = above;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *xl_key_nearest(const char *name)
{
	/* Twice the distance, so that a key that we use wins over another. */
	size_t best = 2 * (MIN(strlen(name) / 3, 3u) + 1);
	const char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t d = 2 * distance(name, keys[i].name) +
			   (keys[i].use != XL_KEY_USED);

		if (d < best) {
			best = d;
			found = keys[i].name;
		}
	}
	return found;
}

/* One statement's end: a newline or ';' outside brackets and quotes. */
static const char *statement_end(const char *s, unsigned int *line)
{
	unsigned int depth = 0;
	char quote = '\0';

	for (; *s; s++) {
		if (*s == '\n')
			++*line;
		if (quote) {
			if (*s == '\\' && s[1])
				s++;
			else if (*s == quote || *s == '\n')
				quote = '\0';
		} else if (*s == '#') {
			while (s[1] && s[1] != '\n')
				s++;
		} else if (*s == '"' || *s == '\'') {
			quote = *s;
		} else if (*s == '[') {
			depth++;
		} else if (*s == ']' && depth) {
			depth--;
		} else if (!depth && (*s == '\n' || *s == ';')) {
			return s + 1;
		}
	}
	return s;
}

/* The key at the start of a statement; empty if it has none. */
static void read_key(const char *s, char *key, size_t size)
{
	const char *end;
	size_t len;

	key[0] = '\0';
	s += strspn(s, " \t\r");
	end = s;
	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	len = MIN((size_t)(end - s), size - 1);
	end += strspn(end, " \t");
	if (*end == '+')
		end++;
	if (*end != '=')
		return;
	memcpy(key, s, len);
	key[len] = '\0';
}

int xl_keys_scan(const char *text, struct xl_setting **out, size_t *n)
{
	struct xl_setting *list = NULL, *more;
	size_t used = 0, room = 0;
	unsigned int line = 1;

	while (*text) {
		struct xl_setting s = { .line = line };

		read_key(text, s.key, sizeof(s.key));
		text = statement_end(text, &line);
		if (!s.key[0])
			continue;
		if (used == room) {
			room = room ? room * 2 : 32;
			more = reallocarray(list, room, sizeof(*list));
			if (!more) {
				free(list);
				return -ENOMEM;
			}
			list = more;
		}
		list[used++] = s;
	}
	*out = list;
	*n = used;
	return 0;
}
