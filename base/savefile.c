// SPDX-License-Identifier: GPL-2.0-or-later
// base/savefile.c - the stream that holds a saved domain: records, checked.
#include "base/savefile.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/fd.h"

#define MAGIC "SVsaved\n"
#define ORDER 0x01020304u /* as the writer's CPU stores it */

/** struct header - How a stream begins; @crc is of all before it. */
struct header {
	char magic[8];
	uint32_t version, order, zero, crc;
};
_Static_assert(sizeof(struct header) == 24, "stream format");

/** struct head - How a record begins; @crc is of all before it and the body. */
struct head {
	uint32_t type, seq;
	uint64_t len;
	uint32_t zero, crc;
};
_Static_assert(sizeof(struct head) == 24, "stream format");

#define POLYNOMIAL 0xedb88320u /* CRC-32 of IEEE 802.3, bits reversed */

/* What a byte leaves behind when 0 to 7 more follow it. */
static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		crc_table[0][i] = crc;
	}
	for (int n = 1; n < 8; n++) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t crc = crc_table[n - 1][i];

			crc_table[n][i] = crc >> 8 ^ crc_table[0][crc & 255];
		}
	}
}

uint32_t savefile_crc(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t eight;

	pthread_once(&crc_once, crc_init);
	crc = ~crc;
	for (; len >= sizeof(eight); len -= sizeof(eight)) {
		memcpy(&eight, p, sizeof(eight));
		p += sizeof(eight);
		eight ^= crc;
		crc = 0;
		for (int n = 7; n >= 0; n--, eight >>= 8)
			crc ^= crc_table[n][eight & 255];
	}
	while (len--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 255];
	return ~crc;
}

static int write_all(const struct savefile *s, const void *buf, size_t len)
{
	return s->stop ? fd_write_peer(s->fd, buf, len, s->stop)
		       : fd_write_all(s->fd, buf, len);
}

static int read_all(const struct savefile *s, void *buf, size_t len)
{
	return s->stop ? fd_read_peer(s->fd, buf, len, s->stop)
		       : fd_read_all(s->fd, buf, len);
}

int savefile_begin(struct savefile *s, int fd)
{
	struct header h = { .version = SAVEFILE_VERSION, .order = ORDER };

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	h.crc = savefile_crc(0, &h, offsetof(struct header, crc));
	*s = (struct savefile){ .fd = fd };
	return write_all(s, &h, sizeof(h));
}

int savefile_put(struct savefile *s, uint32_t type, const struct iovec *v,
		 size_t n)
{
	struct head h = { .type = type, .seq = s->seq + 1 };
	int ret;

	for (size_t i = 0; i < n; i++)
		h.len += v[i].iov_len;
	if (h.len > SAVEFILE_MAX)
		return -EMSGSIZE;
	h.crc = savefile_crc(0, &h, offsetof(struct head, crc));
	for (size_t i = 0; i < n; i++)
		h.crc = savefile_crc(h.crc, v[i].iov_base, v[i].iov_len);
	ret = write_all(s, &h, sizeof(h));
	for (size_t i = 0; i < n && !ret; i++)
		ret = write_all(s, v[i].iov_base, v[i].iov_len);
	s->seq = h.seq;
	return ret;
}

/* No byte beyond is taken: another process reads on from there. */
int savefile_open_peer(struct savefile *s, int fd, bool (*stop)(void))
{
	struct header h;
	int ret;

	*s = (struct savefile){ .fd = fd, .stop = stop };
	ret = read_all(s, &h, sizeof(h));
	if (ret)
		return ret;
	if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0)
		return -EPROTO;
	if (savefile_crc(0, &h, offsetof(struct header, crc)) != h.crc ||
	    h.order != ORDER || h.zero)
		return -EBADMSG;
	if (h.version != SAVEFILE_VERSION)
		return -EPROTONOSUPPORT;
	return 0;
}

int savefile_open(struct savefile *s, int fd)
{
	return savefile_open_peer(s, fd, NULL);
}

static bool is_known(uint32_t type)
{
	return type == SAVE_END ||
	       (type >= SAVE_CONFIG && type <= SAVE_WATCHES) ||
	       (type >= SAVE_VM && type <= SAVE_VCPU) || type == SAVE_HOST ||
	       type == SAVE_PACKED;
}

/* One record, whatever it is. */
static int get_any(struct savefile *s, uint32_t *type, void *buf, size_t *len)
{
	struct head h;
	uint32_t crc;
	int ret = read_all(s, &h, sizeof(h));

	if (ret)
		return ret;
	if (h.len > SAVEFILE_MAX || h.zero)
		return -EBADMSG;
	ret = read_all(s, buf, h.len);
	if (ret)
		return ret;
	crc = savefile_crc(0, &h, offsetof(struct head, crc));
	if (savefile_crc(crc, buf, h.len) != h.crc)
		return -EBADMSG;
	if (h.seq != s->seq + 1)
		return -EILSEQ;
	s->seq = h.seq;
	*type = h.type;
	*len = h.len;
	return 0;
}

int savefile_get(struct savefile *s, uint32_t *type, void *buf, size_t *len)
{
	int ret;

	do {
		ret = get_any(s, type, buf, len);
		if (ret)
			return ret;
	} while (!is_known(*type) && *type & SAVE_OPTIONAL);
	return is_known(*type) ? 0 : -ENOTSUP;
}

const char *savefile_error(int err)
{
	switch (err) {
	case -EPROTO:
		return "not a saved domain";
	case -EPROTONOSUPPORT:
		return "saved by a later version";
	case -EPIPE:
		return "cut short";
	case -EBADMSG:
		return "damaged";
	case -EILSEQ:
		return "a part is missing or out of place";
	case -ENOTSUP:
		return "holds a part that this version does not know";
	case -EINVAL:
		return "holds what no saved domain does";
	default:
		return strerror(-err);
	}
}
