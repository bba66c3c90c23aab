// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cfg_dev.c - the entries of disk= and vif=.
#include "tools/xl_cfg.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxlutil.h>

#include "base/log.h"

/* ---- Device numbers ------------------------------------------------------- */

/* Letters as a number, a = 0, z = 25, aa = 26; -1 if there are none. */
static long read_letters(const char **s)
{
	long n = 0;

	while (**s >= 'a' && **s <= 'z' && n < 100000) {
		n = n * 26 + (**s - 'a') + 1;
		++*s;
	}
	return n - 1;
}

/* Digits up to @end; absent gives 0. */
static long read_digits(const char **s)
{
	long n = 0;

	while (**s >= '0' && **s <= '9' && n < 10000000) {
		n = n * 10 + (**s - '0');
		++*s;
	}
	return n;
}

static int number_xvd(long disk, long part, unsigned int *devid)
{
	if (disk >= 1 << 20 || part >= 1 << 8)
		return -EINVAL;
	if (disk < 16 && part < 16)
		*devid = (202u << 8) | ((unsigned int)disk << 4) |
			 (unsigned int)part;
	else
		*devid = (1u << 28) | ((unsigned int)disk << 8) |
			 (unsigned int)part;
	return 0;
}

static int number_hd(long disk, long part, unsigned int *devid)
{
	if (disk >= 4 || part >= 64)
		return -EINVAL;
	*devid = ((disk < 2 ? 3u : 22u) << 8) |
		 (((unsigned int)disk & 1) << 6) | (unsigned int)part;
	return 0;
}

static int number_sd(long disk, long part, unsigned int *devid)
{
	if (disk >= 16 || part >= 16)
		return -EINVAL;
	*devid = (8u << 8) | ((unsigned int)disk << 4) | (unsigned int)part;
	return 0;
}

/* dNpM */
static int number_plain(const char *s, unsigned int *devid)
{
	long disk = read_digits(&s), part = 0;

	if (*s == 'p') {
		s++;
		part = read_digits(&s);
	}
	return *s ? -EINVAL : number_xvd(disk, part, devid);
}

int xl_vdev_number(const char *name, unsigned int *devid)
{
	static const struct {
		char prefix[4];
		int (*number)(long, long, unsigned int *);
	} kinds[] = {
		{ "xvd", number_xvd },
		{ "hd", number_hd },
		{ "sd", number_sd },
	};
	uint64_t n;

	if (name[0] == 'd' && name[1] >= '0' && name[1] <= '9')
		return number_plain(name + 1, devid);
	if (!util_u64(name, (1u << 29) - 1, &n)) {
		*devid = (unsigned int)n;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *s = name;
		long disk, part;

		if (strncmp(s, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
			continue;
		s += strlen(kinds[i].prefix);
		disk = read_letters(&s);
		part = read_digits(&s);
		if (disk < 0 || *s)
			return -EINVAL;
		return kinds[i].number(disk, part, devid);
	}
	return -EINVAL;
}

/* ---- Disks ---------------------------------------------------------------- */

const char *const xl_disk_keys[XL_DISK_NKEYS] = {
	[XL_DISK_SECTOR] = "sector-size",
	[XL_DISK_PHYSICAL] = "physical-sector-size",
	[XL_DISK_DIRECT] = "direct-io",
	[XL_DISK_IOPS] = "limit-iops",
	[XL_DISK_IOPS_BURST] = "limit-iops-burst",
	[XL_DISK_BPS] = "limit-bps",
	[XL_DISK_BPS_BURST] = "limit-bps-burst",
};

/* As dom0-backend/throttle.h has it. */
#define DISK_LIMIT_MAX UINT64_C(1000000000000)

static const uint64_t disk_key_max[XL_DISK_NKEYS] = {
	[XL_DISK_SECTOR] = 4096,
	[XL_DISK_PHYSICAL] = 65536,
	[XL_DISK_DIRECT] = 1,
	[XL_DISK_IOPS] = DISK_LIMIT_MAX,
	[XL_DISK_IOPS_BURST] = DISK_LIMIT_MAX,
	[XL_DISK_BPS] = DISK_LIMIT_MAX,
	[XL_DISK_BPS_BURST] = DISK_LIMIT_MAX,
};

/* The value of one item of ours; @len bytes. */
static int read_own(const char *text, size_t len, uint64_t max, uint64_t *out)
{
	char value[24];

	if (len >= sizeof(value))
		return -EINVAL;
	memcpy(value, text, len);
	value[len] = '\0';
	return util_u64(value, max, out);
}

/* FORMAT:PATH, of @len bytes; its directory is added to PATH if it has none. */
static int take_backing(struct xl_disk *d, const char *text, size_t len,
			const char *where)
{
	const char *colon = memchr(text, ':', len);
	char *path = NULL;
	int ret;

	if (!colon || colon == text ||
	    memchr(text, '/', (size_t)(colon - text)) ||
	    colon + 1 == text + len) {
		log_err("%s: disk: 'backing=%.*s': it must be FORMAT:PATH, and each format be named (raw, qcow2, ...)",
			where, (int)len, text);
		return -EINVAL;
	}
	if (d->nbacking == XL_DISK_MAX_BACKING) {
		log_err("%s: disk: 'backing=%.*s': at most %u files can be below an image (merge some with qemu-img commit)",
			where, (int)len, text, XL_DISK_MAX_BACKING);
		return -EINVAL;
	}
	path = strndup(colon + 1, (size_t)(text + len - colon - 1));
	ret = path ? xl_path_absolute(&path) : -ENOMEM;
	if (!ret && asprintf(&d->backing[d->nbacking], "%.*s:%s",
			     (int)(colon - text), text, path) < 0)
		ret = -ENOMEM;
	d->nbacking += !ret;
	free(path);
	return ret ? ret : 1;
}

/*
 * One item of @len bytes.
 *
 * Return: 1 if it was ours, 0 if not, or -errno.
 */
static int take_own(struct xl_disk *d, const char *item, size_t len,
		    const char *where)
{
	static const char backing[] = "backing=";
	size_t n = strlen(backing);

	while (len && (item[len - 1] == ' ' || item[len - 1] == '\t'))
		len--;
	if (len >= n && !strncmp(item, backing, n))
		return take_backing(d, item + n, len - n, where);
	for (size_t i = 0; i < XL_DISK_NKEYS; i++) {
		n = strlen(xl_disk_keys[i]);
		if (len <= n || strncmp(item, xl_disk_keys[i], n) != 0 ||
		    item[n] != '=')
			continue;
		d->has[i] = true;
		if (!read_own(item + n + 1, len - n - 1, disk_key_max[i],
			      &d->key[i]))
			return 1;
		log_err("%s: disk: '%.*s': %s must be a number up to %llu",
			where, (int)len, item, xl_disk_keys[i],
			(unsigned long long)disk_key_max[i]);
		return -EINVAL;
	}
	return 0;
}

/*
 * Take our own items out of a specification, for libxlutil knows nothing of
 * them.  Behind "target=" all is a path, whatever it looks like.
 */
static int cut_own(struct xl_disk *d, char *spec, const char *where)
{
	char *at = spec, *item;
	size_t len;
	int ret;

	while (*at) {
		item = at + strspn(at, " \t");
		if (!strncmp(item, "target=", 7))
			return 0;
		len = strcspn(item, ",");
		ret = take_own(d, item, len, where);
		if (ret < 0)
			return ret;
		if (!ret) {
			at = item + len + (item[len] == ',');
		} else if (item[len]) {
			memmove(at, item + len + 1, strlen(item + len));
		} else {
			/* The last one goes with the comma before it. */
			at -= at > spec;
			*at = '\0';
		}
	}
	return 0;
}

static const char *backend_name(libxl_disk_backend backend)
{
	switch (backend) {
	case LIBXL_DISK_BACKEND_PHY:
		return "phy";
	case LIBXL_DISK_BACKEND_TAP:
		return "tap";
	case LIBXL_DISK_BACKEND_QDISK:
		return "qdisk";
	default:
		return NULL;
	}
}

/* With TLS and other transports too: sv-backend says which of them it serves. */
bool xl_disk_is_remote(const char *path)
{
	if (strncmp(path, "nbd", 3) != 0)
		return false;
	path += 3;
	path += *path == 's';
	if (*path == '+')
		path += 1 + strspn(path + 1, "abcdefghijklmnopqrstuvwxyz");
	return !strncmp(path, "://", 3);
}

/* Formats that libxlutil does not know: to it they are raw. */
static const char *const own_formats[] = { "vhdx", "vmdk" };

/*
 * Put "raw" in the place of a format of our own, as an item "format=X" or as the
 * second one without a name.  Behind "target=" all is a path.
 */
static void hide_format(struct xl_disk *d, char *spec)
{
	unsigned int plain = 0;
	char *at = spec, *value;
	size_t len;

	while (*at) {
		at += strspn(at, " \t");
		if (!strncmp(at, "target=", 7))
			return;
		len = strcspn(at, ",");
		value = !strncmp(at, "format=", 7) ? at + 7 : at;
		plain += !memchr(at, '=', len);
		for (size_t i = 0; i < ARRAY_SIZE(own_formats); i++) {
			if ((value == at && plain != 2) ||
			    (size_t)(at + len - value) != 4 ||
			    strncmp(value, own_formats[i], 4) != 0)
				continue;
			d->format = own_formats[i];
			memcpy(value, "raw", 3);
			memmove(value + 3, value + 4, strlen(value + 3));
			return;
		}
		at += len;
		at += *at == ',';
	}
}

/* The format as params has it; one that only QEMU's own tools have is none. */
static int take_format(struct xl_disk *d, libxl_disk_format format,
		       const char *spec, const char *where)
{
	static const struct {
		libxl_disk_format format;
		const char *name;
	} known[] = {
		{ LIBXL_DISK_FORMAT_UNKNOWN, "raw" },
		{ LIBXL_DISK_FORMAT_RAW, "raw" },
		{ LIBXL_DISK_FORMAT_EMPTY, "raw" },
		{ LIBXL_DISK_FORMAT_QCOW, "qcow" },
		{ LIBXL_DISK_FORMAT_QCOW2, "qcow2" },
		{ LIBXL_DISK_FORMAT_VHD, "vhd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known) && !d->format; i++) {
		if (known[i].format == format)
			d->format = known[i].name;
	}
	if (d->format)
		return 0;
	log_err("%s: disk '%s': images are raw, qcow, qcow2, vhd, vhdx or vmdk (qemu-img convert makes one)",
		where, spec);
	return -EINVAL;
}

/* What libxlutil found out, as far as we can do it. */
static int take_disk(struct xl_disk *d, const libxl_device_disk *x,
		     const char *spec, const char *where)
{
	if (x->backend_domname && strcmp(x->backend_domname, "0") != 0 &&
	    strcmp(x->backend_domname, "Domain-0") != 0) {
		log_err("%s: disk '%s': backend = %s: only this host serves disks (leave backend= out)",
			where, spec, x->backend_domname);
		return -EINVAL;
	}
	if (x->script && !strcmp(x->script, "block-nbd")) {
		log_err("%s: disk '%s': a disk of an NBD server is written 'vdev=xvda,access=rw,target=nbd://HOST/NAME'",
			where, spec);
		return -EINVAL;
	}
	if (take_format(d, x->format, spec, where))
		return -EINVAL;
	if (!x->vdev || xl_vdev_number(x->vdev, &d->devid)) {
		log_err("%s: disk '%s': no usable device name for the guest (xvda, xvdb1, sda, hda, d0p1, ...)",
			where, spec);
		return -EINVAL;
	}
	if (!x->pdev_path || !*x->pdev_path ||
	    x->format == LIBXL_DISK_FORMAT_EMPTY) {
		log_err("%s: disk '%s': no file or device is named (target=/path); an empty drive has nothing to serve",
			where, spec);
		return -EINVAL;
	}
	if (xl_disk_is_remote(x->pdev_path) && strcmp(d->format, "raw") != 0) {
		log_err("%s: disk '%s': an NBD server gives plain bytes: leave the format out",
			where, spec);
		return -EINVAL;
	}
	if (d->nbacking && !strcmp(d->format, "raw")) {
		log_err("%s: disk '%s': plain bytes build upon no other file: leave backing= out, or name the image's format",
			where, spec);
		return -EINVAL;
	}
	d->cdrom = x->is_cdrom;
	d->removable = x->removable;
	d->writable = x->readwrite && !x->is_cdrom;
	d->direct_io_safe = x->direct_io_safe;
	d->discard_given = x->discard_enable.val != 0;
	d->discard = d->discard_given ? x->discard_enable.val > 0 : d->writable;
	d->trusted = x->trusted.val >= 0;
	d->backend = backend_name(x->backend);
	return 0;
}

static int copy_disk(struct xl_disk *d, const libxl_device_disk *x)
{
	d->path = strdup(x->pdev_path);
	d->vdev = strdup(x->vdev);
	if (!d->path || !d->vdev)
		return -ENOMEM;
	if (x->script) {
		d->script = strdup(x->script);
		if (!d->script)
			return -ENOMEM;
	}
	return xl_disk_is_remote(d->path) ? 0 : xl_path_absolute(&d->path);
}

/* libxlutil's reason, without the specification that it repeats. */
static void report_disk(const char *spec, const char *where, const char *said)
{
	static const char intro[] = "disk specification: ";
	const char *why = strstr(said, intro), *end;

	why = why ? why + strlen(intro) : said;
	end = strstr(why, ": near");
	if (!end)
		end = why + strcspn(why, "\n");
	log_err("%s: disk '%s': %.*s (a disk looks like '/path,raw,xvda,w')",
		where, spec, (int)(end - why), why);
}

/*
 * libxlutil's scanner keeps a state for each byte of a word in a buffer for
 * 16384, and does not look at its end.
 */
#define DISK_MAX 8192

/* What is Xen's of a specification; @left is what libxlutil is to read. */
static int parse_disk(struct xl_disk *d, const char *left, const char *spec,
		      const char *where)
{
	libxl_device_disk x = { 0 };
	char *said = NULL;
	XLU_Config *cfg;
	FILE *report;
	size_t size;
	int err;

	report = open_memstream(&said, &size);
	cfg = report ? xlu_cfg_init(report, where) : NULL;
	err = cfg ? xlu_disk_parse(cfg, 1, &left, &x) : ENOMEM;
	if (cfg)
		xlu_cfg_destroy(cfg);
	if (report)
		fclose(report);
	if (err && err != ENOMEM)
		report_disk(spec, where, said);
	else if (!err)
		err = -take_disk(d, &x, spec, where);
	if (!err)
		err = -copy_disk(d, &x);
	free(said);
	free(x.backend_domname);
	free(x.pdev_path);
	free(x.vdev);
	free(x.script);
	return -err;
}

int xl_disk_parse(struct xl_disk *d, const char *spec, const char *where)
{
	char *left;
	int ret;

	if (strlen(spec) > DISK_MAX) {
		log_err("%s: disk '%.64s...' has %zu bytes (at most %d)", where,
			spec, strlen(spec), DISK_MAX);
		return -EINVAL;
	}
	/* Behind some characters libxlutil's scanner ends the process there. */
	if (strchr(spec, '\n')) {
		log_err("%s: disk: a line break cannot be part of it", where);
		return -EINVAL;
	}
	left = strdup(spec);
	if (!left)
		return -ENOMEM;
	ret = cut_own(d, left, where);
	if (!ret) {
		hide_format(d, left);
		ret = parse_disk(d, left, spec, where);
	}
	free(left);
	return ret;
}

void xl_disk_free(struct xl_disk *d)
{
	free(d->path);
	free(d->vdev);
	free(d->script);
	for (unsigned int i = 0; i < d->nbacking; i++)
		free(d->backing[i]);
}

/* ---- Network cards -------------------------------------------------------- */

/*
 * Xen's OUI and 23 bits that depend on the domain and the device only, so that
 * a guest that is started again finds the card it knows (FNV-1a).
 */
static void make_mac(uint8_t mac[6], const uint8_t uuid[16], unsigned int devid)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < 16; i++)
		h = (h ^ uuid[i]) * 16777619u;
	h = (h ^ devid) * 16777619u;
	mac[0] = 0x00;
	mac[1] = 0x16;
	mac[2] = 0x3e;
	mac[3] = (uint8_t)((h >> 16) & 0x7f);
	mac[4] = (uint8_t)(h >> 8);
	mac[5] = (uint8_t)h;
}

static int parse_mac(uint8_t mac[6], const char *s)
{
	for (int i = 0; i < 6; i++, s += 3) {
		int byte = xl_hex_byte(s);

		if (byte < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)byte;
	}
	return mac[0] & 1 ? -EINVAL : 0; /* a multicast address */
}

static int parse_rate(struct xl_vif *v, const char *s)
{
	libxl_device_nic nic = { 0 };
	FILE *null = fopen("/dev/null", "we");
	XLU_Config *cfg = null ? xlu_cfg_init(null, "") : NULL;
	int err = cfg ? xlu_vif_parse_rate(cfg, s, &nic) : ENOMEM;

	if (cfg)
		xlu_cfg_destroy(cfg);
	if (null)
		fclose(null);
	v->rate_bytes = nic.rate_bytes_per_interval;
	v->rate_usecs = nic.rate_interval_usecs;
	/* Whatever it finds wrong (EOVERFLOW, ...), the value is. */
	return err && err != ENOMEM ? -EINVAL : -err;
}

static int replace(char **at, const char *value)
{
	free(*at);
	*at = strdup(value);
	return *at ? 0 : -ENOMEM;
}

/* The name of an interface, as the kernel allows it. */
static int replace_ifname(char **at, const char *value)
{
	if (!*value || strlen(value) >= IF_NAMESIZE || strpbrk(value, "/ \t"))
		return -EINVAL;
	return replace(at, value);
}

/* With VLANs behind it if it is Open vSwitch's, for sv-backend to judge. */
static int replace_bridge(char **at, const char *value)
{
	size_t name = strcspn(value, ".:");

	if (!name || name >= IF_NAMESIZE || strpbrk(value, "/ \t") ||
	    (strlen(value) >= IF_NAMESIZE &&
	     value[name + strspn(value + name, ".:0123456789")]))
		return -EINVAL;
	return replace(at, value);
}

/* Only the kind is judged here; sv-backend knows the rest. */
static int replace_net(char **at, const char *value)
{
	static const char *const kinds[] = { "none", "nat", "route", "macvtap",
					     "user" };
	size_t len = strcspn(value, ":");

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (len == strlen(kinds[i]) && !strncmp(value, kinds[i], len))
			return replace(at, value);
	}
	return -EINVAL;
}

static int set_vif(struct xl_vif *v, const char *key, const char *value)
{
	uint64_t n;

	if (!strcmp(key, "mac"))
		return parse_mac(v->mac, value);
	if (!strcmp(key, "bridge"))
		return replace_bridge(&v->bridge, value);
	if (!strcmp(key, "vifname"))
		return replace_ifname(&v->vifname, value);
	if (!strcmp(key, "net"))
		return replace_net(&v->net, value);
	if (!strcmp(key, "ip"))
		return replace(&v->ip, value);
	if (!strcmp(key, "vlan"))
		return replace(&v->vlan, value);
	if (!strcmp(key, "script"))
		return replace(&v->script, value);
	if (!strcmp(key, "gatewaydev"))
		return replace(&v->gatewaydev, value);
	if (!strcmp(key, "model"))
		return replace(&v->model, value);
	if (!strcmp(key, "type"))
		return strcmp(value, "vif") != 0 ? -EINVAL
						 : replace(&v->type, value);
	if (!strcmp(key, "rate"))
		return parse_rate(v, value);
	if (!strcmp(key, "backend"))
		return strcmp(value, "0") != 0 && strcmp(value, "Domain-0") != 0
			       ? -EINVAL
			       : 0;
	if (!strcmp(key, "trusted")) {
		v->trusted = strcmp(value, "0") != 0 &&
			     strcmp(value, "false") != 0;
		return 0;
	}
	if (!strcmp(key, "mtu")) {
		if (util_u64(value, 65535, &n) || n < 68)
			return -EINVAL;
		v->mtu = (unsigned int)n;
		return 0;
	}
	if (!strcmp(key, "devid")) {
		if (util_u64(value, 1000, &n))
			return -EINVAL;
		v->devid = (unsigned int)n;
		return 0;
	}
	return -ENOENT;
}

/* One "key=value" of an entry; @item is cut in two. */
static int parse_vif_item(struct xl_vif *v, char *item, const char *where)
{
	char *value = strchr(item, '=');
	char *end;
	int ret;

	item += strspn(item, " \t");
	end = item + strlen(item);
	while (end > item && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (!*item)
		return 0;
	if (!value) {
		log_err("%s: vif: '%s' is not key=value", where, item);
		return -EINVAL;
	}
	*value++ = '\0';
	ret = set_vif(v, item, value);
	if (ret == -ENOENT)
		log_err("%s: vif: unknown key '%s' (mac, bridge, vlan, net, ip, script, vifname, rate, mtu, type, model, devid are known)",
			where, item);
	else if (ret == -EINVAL)
		log_err("%s: vif: %s='%s' is not possible (see vif in xl.cfg(5))",
			where, item, value);
	return ret;
}

/*
 * Xen's own scripts by their names are wirings of sv-backend's; any other, or one with
 * its path, is run.
 */
static int settle_script(struct xl_vif *v, const char *where)
{
	static const struct {
		const char *name, *net;
	} ours[] = {
		{ "vif-bridge", NULL },
		{ "vif-openvswitch", NULL },
		{ "vif-nat", "nat" },
		{ "vif-route", "route" },
	};

	if (!v->script)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		if (!strcmp(v->script, ours[i].name))
			return v->net || !ours[i].net
				       ? 0
				       : replace(&v->net, ours[i].net);
	}
	if (v->net) {
		log_err("%s: vif: script='%s' and net='%s' are two ways to wire a card: leave one out",
			where, v->script, v->net);
		return -EINVAL;
	}
	if (*v->script == '/')
		return replace(&v->hotplug, v->script);
	if (!*v->script || strchr(v->script, '/')) {
		log_err("%s: vif: script='%s': give its path, or the name of one in " XL_SCRIPT_DIR,
			where, v->script);
		return -EINVAL;
	}
	return asprintf(&v->hotplug, XL_SCRIPT_DIR "/%s", v->script) < 0
		       ? -ENOMEM
		       : 0;
}

int xl_vif_parse(struct xl_vif *v, const char *spec, unsigned int devid,
		 const uint8_t uuid[16], const char *where)
{
	static const uint8_t none[6];
	char *copy = strdup(spec), *rest = copy, *item;
	int ret = copy ? 0 : -ENOMEM;

	v->devid = devid;
	v->trusted = true;
	while (!ret && (item = strsep(&rest, ",")))
		ret = parse_vif_item(v, item, where);
	free(copy);
	if (ret)
		return ret;
	if (!memcmp(v->mac, none, sizeof(none)))
		make_mac(v->mac, uuid, v->devid);
	ret = settle_script(v, where);
	if (ret)
		return ret;
	if (!v->net && !v->bridge)
		return replace(&v->bridge, XL_DEFAULT_BRIDGE);
	return 0;
}

void xl_vif_free(struct xl_vif *v)
{
	free(v->bridge);
	free(v->vlan);
	free(v->net);
	free(v->ip);
	free(v->hotplug);
	free(v->script);
	free(v->vifname);
	free(v->gatewaydev);
	free(v->model);
	free(v->type);
}
