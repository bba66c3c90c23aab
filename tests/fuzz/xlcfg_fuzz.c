// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/xlcfg_fuzz.c - xl.cfg files and the languages inside them.
//
// FUZZ: F9 F17; max_len 1024
//
// The first byte says whether the rest is a file, an entry of disk= or one of
// vif=.  What is accepted says what libxlutil says it does, printed and parsed
// again it is the same, and its JSON is JSON, in UTF-8; what is refused is
// refused by a message that begins with the file's name.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libxlutil.h>
#include <yajl/yajl_parse.h>

#include "base/log.h"
#include "tests/lib/fuzz.h"
#include "tools/xl_cfg.h"
#include "tools/xl_json.h"

/* Xen's parser forgets what it has read of a file that it refuses. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:xlu__cfg";
}

static int said = -1; /* memfd that messages go to */

static void listen_to_log(void)
{
	if (said < 0) {
		said = memfd_create("log", MFD_CLOEXEC);
		assert(said >= 0);
		log_init("", LOG_LVL_WARN);
		log_to_fd(dup(said));
	}
	assert(!ftruncate(said, 0) && !lseek(said, 0, SEEK_SET));
}

/* Something was said, and it names the file. */
static void check_said(const char *where)
{
	char text[8192] = "";

	assert(pread(said, text, sizeof(text) - 1, 0) > 0);
	assert(strstr(text, where));
}

static void check_json(const struct xl_cfg *c, char **text)
{
	for (int live = 1; live >= 0; live--) {
		yajl_handle y = yajl_alloc(NULL, NULL, NULL);

		assert(!xl_json_config(c, live, text));
		assert(yajl_parse(y, (const unsigned char *)*text,
				  strlen(*text)) == yajl_status_ok);
		assert(yajl_complete_parse(y) == yajl_status_ok);
		yajl_free(y);
		if (live)
			free(*text);
	}
}

/* ---- Files ---------------------------------------------------------------- */

/* As a string of xl.cfg; false if there is no way to write it. */
static bool put_text(FILE *f, const char *key, const char *value)
{
	char quote = value && strchr(value, '"') ? '\'' : '"';

	if (!value)
		return true;
	if (strchr(value, quote) || strpbrk(value, "\\\n"))
		return false;
	fprintf(f, "%s = %c%s%c\n", key, quote, value, quote);
	return true;
}

static bool put_disks(FILE *f, const struct xl_cfg *c)
{
	if (c->ndisks)
		fprintf(f, "disk = [\n");
	for (size_t i = 0; i < c->ndisks; i++) {
		const struct xl_disk *d = &c->disks[i];

		if (strpbrk(d->path, "'\"\\\n") || d->script)
			return false;
		fprintf(f, "'vdev=%s,access=%s%s%s%s%s%s%s%s,target=%s',\n",
			d->vdev, d->writable ? "rw" : "ro",
			d->cdrom ? ",devtype=cdrom" : "",
			d->removable ? ",removable" : "",
			d->direct_io_safe ? ",direct-io-safe" : "",
			!d->discard_given ? ""
			: d->discard	  ? ",discard"
					  : ",no-discard",
			d->backend ? ",backendtype=" : "",
			d->backend ? d->backend : "", "", d->path);
		if (!d->trusted)
			return false;
	}
	if (c->ndisks)
		fprintf(f, "]\n");
	return true;
}

static bool put_vifs(FILE *f, const struct xl_cfg *c)
{
	if (c->nvifs)
		fprintf(f, "vif = [\n");
	for (size_t i = 0; i < c->nvifs; i++) {
		const struct xl_vif *v = &c->vifs[i];
		const char *const keys[] = { "bridge", "net",	  "ip",
					     "script", "vifname", "gatewaydev",
					     "model",  "type" };
		const char *const values[] = { v->bridge,  v->net,
					       v->ip,	   v->script,
					       v->vifname, v->gatewaydev,
					       v->model,   v->type };

		fprintf(f, "'devid=%u,mac=%02x:%02x:%02x:%02x:%02x:%02x",
			v->devid, v->mac[0], v->mac[1], v->mac[2], v->mac[3],
			v->mac[4], v->mac[5]);
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			if (!values[k])
				continue;
			if (strpbrk(values[k], "'\"\\\n,") || !*values[k] ||
			    values[k][strlen(values[k]) - 1] <= ' ')
				return false;
			fprintf(f, ",%s=%s", keys[k], values[k]);
		}
		if (v->mtu)
			fprintf(f, ",mtu=%u", v->mtu);
		fprintf(f, ",trusted=%d',\n", v->trusted);
		if (v->rate_bytes || !memcmp(v->mac, "\0\0\0\0\0", 6))
			return false;
	}
	if (c->nvifs)
		fprintf(f, "]\n");
	return true;
}

static const char *const on_names[XL_NEVENTS] = {
	[XL_ON_POWEROFF] = "on_poweroff",     [XL_ON_REBOOT] = "on_reboot",
	[XL_ON_CRASH] = "on_crash",	      [XL_ON_WATCHDOG] = "on_watchdog",
	[XL_ON_SOFT_RESET] = "on_soft_reset",
};

/* Print what was understood; false if the language cannot say it. */
static bool print(FILE *f, const struct xl_cfg *c)
{
	char uuid[XL_UUID_LEN];

	if (!put_text(f, "name", c->name) ||
	    !put_text(f, "kernel", c->kernel) ||
	    !put_text(f, "ramdisk", c->ramdisk) ||
	    !put_text(f, "cmdline", c->cmdline) ||
	    !put_text(f, "tsc_mode", c->tsc_mode) ||
	    !put_text(f, "uuid", xl_uuid_format(uuid, c->uuid)))
		return false;
	fprintf(f, "memory = %llu\nmaxmem = %llu\nvcpus = %u\nmaxvcpus = %u\n",
		(unsigned long long)c->memory_kib / 1024,
		(unsigned long long)c->maxmem_kib / 1024, c->vcpus,
		c->maxvcpus);
	if (c->max_grant_frames)
		fprintf(f, "max_grant_frames = %u\n", c->max_grant_frames);
	for (int i = 0; i < XL_NEVENTS; i++)
		if (!put_text(f, on_names[i], xl_action_name(c->on[i])))
			return false;
	return put_disks(f, c) && put_vifs(f, c);
}

static void parse_again(const struct xl_cfg *c, const char *json)
{
	char *text = NULL, *again = NULL;
	struct xl_cfg d;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool can;

	assert(f);
	can = print(f, c);
	assert(!fclose(f));
	if (can) {
		if (xl_cfg_parse(&d, "again.cfg", text, 1000)) {
			fprintf(stderr, "refused:\n%s", text);
			abort();
		}
		check_json(&d, &again);
		if (strcmp(json, again) != 0) {
			fprintf(stderr, "%s\n%s\n%s\n", json, text, again);
			abort();
		}
		free(again);
		xl_cfg_free(&d);
	}
	free(text);
}

/* The same file, read by libxlutil alone. */
static void check_values(const struct xl_cfg *c, const char *text)
{
	FILE *null = fopen("/dev/null", "we");
	XLU_Config *x = xlu_cfg_init(null, "x");
	const char *v = NULL;
	long n;

	assert(!xlu_cfg_readdata(x, text, (int)strlen(text)));
	assert(!xlu_cfg_get_string(x, "name", &v, 1) && !strcmp(v, c->name));
	if (!xlu_cfg_get_long(x, "vcpus", &n, 1))
		assert(c->vcpus == (unsigned long)n);
	if (!xlu_cfg_get_long(x, "memory", &n, 1))
		assert(c->memory_kib == (uint64_t)n * 1024);
	xlu_cfg_destroy(x);
	fclose(null);
}

static void file(const char *text)
{
	struct xl_cfg c;
	char *json;

	if (xl_cfg_parse(&c, "fuzz.cfg", text, 1000)) {
		check_said("fuzz.cfg");
		return;
	}
	check_values(&c, text);
	check_json(&c, &json);
	parse_again(&c, json);
	free(json);
	xl_cfg_free(&c);
}

/* ---- Entries -------------------------------------------------------------- */

static void disk(const char *spec)
{
	libxl_device_disk x = { 0 };
	struct xl_disk d = { 0 };
	FILE *null = fopen("/dev/null", "we");
	XLU_Config *cfg = xlu_cfg_init(null, "x");
	/* Xen's scanner may end the process at a line break. */
	int err = strchr(spec, '\n') ? EINVAL
				     : xlu_disk_parse(cfg, 1, &spec, &x);

	if (xl_disk_parse(&d, spec, "fuzz.cfg:7")) {
		check_said("fuzz.cfg:7");
	} else {
		assert(!err && d.path[0] == '/' && d.devid < 1u << 29);
		assert(!strcmp(d.vdev, x.vdev));
		assert(d.cdrom == !!x.is_cdrom);
		assert(d.removable == !!x.removable);
		assert(d.writable == (x.readwrite && !x.is_cdrom));
		assert(!d.script == !x.script);
	}
	xl_disk_free(&d);
	xlu_cfg_destroy(cfg);
	fclose(null);
	free(x.backend_domname);
	free(x.pdev_path);
	free(x.vdev);
	free(x.script);
}

static void vif(const char *spec)
{
	static const uint8_t uuid[16] = { 1 };
	struct xl_vif v = { 0 };

	if (xl_vif_parse(&v, spec, 3, uuid, "fuzz.cfg:7")) {
		check_said("fuzz.cfg:7");
	} else {
		assert(!(v.mac[0] & 1) && v.devid <= 1000);
		assert(v.bridge || v.net);
		assert(!v.bridge || strlen(v.bridge) < 16);
		assert(!v.vifname || !strpbrk(v.vifname, "/ \t"));
		assert(!v.mtu || (v.mtu >= 68 && v.mtu <= 65535));
	}
	xl_vif_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(const char *) = { file, disk, vif };
	char *text;

	if (!size || memchr(data + 1, '\0', size - 1))
		return 0;
	listen_to_log();
	text = malloc(size);
	assert(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	parts[*data % ARRAY_SIZE(parts)](text);
	free(text);
	return 0;
}
