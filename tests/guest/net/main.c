/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/net/main.c - every kind of packet, each byte checked.
 *
 * Needs sv-netecho on the host, on a bridge with PEER's address that card 0 is a
 * port of.  What is sent comes back: as it was, or with the work done by the host
 * that this guest has not asked for itself, checksum and segments.
 *
 *	step=N		from one length to the next
 *	packets=N	of the random part, for each way to connect
 */
#define XEN_NETIF_DEFINE_TOEPLITZ
#include <stddef.h>
#include <stdint.h>
#include <xen/errno.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/netfront.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define MS	  UINT64_C(1000000)
#define PATIENCE  (20000 * MS)
#define DEPTH	  16u
#define MEM_PAGES (NETFRONT_MAX_SLOTS + 1)
#define ETH	  14u
#define MTU_LEN	  (ETH + 1500u)
#define MSS	  1400u

/* Ways to connect; each is tried, with all that was before left behind. */
static const struct {
	const char *name;
	struct netfront_want want;
} ways[] = {
	{ "plain", { 0 } },
	{ "checksums", { .csum4 = true, .csum6 = true } },
	{ "sg", { .sg = true, .csum4 = true } },
	{ "segments",
	  { .sg = true,
	    .csum4 = true,
	    .csum6 = true,
	    .tso4 = true,
	    .tso6 = true } },
	{ "split", { .split = true, .sg = true, .csum6 = true, .tso6 = true } },
	{ "two queues", { .queues = 2, .sg = true } },
	{ "two queues, split",
	  { .queues = 2,
	    .split = true,
	    .sg = true,
	    .csum4 = true,
	    .csum6 = true,
	    .tso4 = true,
	    .tso6 = true } },
	{ "copies",
	  { .queues = 1,
	    .copy = true,
	    .sg = true,
	    .csum4 = true,
	    .tso4 = true } },
	{ "queues by a hash",
	  { .queues = 4,
	    .split = true,
	    .hash = true,
	    .sg = true,
	    .csum4 = true,
	    .csum6 = true,
	    .tso4 = true } },
};

static const uint8_t PEER[6] = { 0x02, 0, 0, 0, 0, 0x01 };

static struct netfront card;
static uint64_t seed = 88172645463325252u;
static unsigned int failed;

static void check(bool good, const char *way, const char *what)
{
	say("net %s: %s %s", way, what, good ? "ok" : "failed");
	failed += !good;
}

static unsigned long ms_since(uint64_t began)
{
	return (unsigned long)((events_now() - began) / MS);
}

/* Marsaglia's xorshift. */
static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(any() % n);
}

/* ---- Frames ---------------------------------------------------------------- */

enum kind { RAW, UDP4, UDP6, TCP4, TCP6, NKINDS };

/*
 * Where things lie in a frame of each kind.  All carry their number: RAW at the
 * beginning of the payload, the others as source port.
 */
static const struct layout {
	uint16_t type, l4, csum, payload;
	uint8_t proto;
	bool v6, tcp;
} layouts[NKINDS] = {
	[RAW] = { .type = 0x88b5, .l4 = ETH, .payload = ETH + 2 },
	[UDP4] = { 0x0800, 34, 40, 42, 17, false, false },
	[UDP6] = { 0x86dd, 54, 60, 62, 17, true, false },
	[TCP4] = { 0x0800, 34, 50, 54, 6, false, true },
	[TCP6] = { 0x86dd, 54, 70, 74, 6, true, true },
};

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t sum16(const uint8_t *p, uint32_t n, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	if (i < n)
		sum += (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo_sum(const struct layout *l, const uint8_t *f,
			   uint32_t len)
{
	uint32_t rest = l->proto + (len - l->l4);

	return l->v6 ? sum16(f + ETH + 8, 32, rest)
		     : sum16(f + ETH + 12, 8, rest);
}

static uint8_t pattern(uint32_t id, uint32_t i)
{
	return (uint8_t)(id * 31 + i * 7 + (i >> 8) * 3);
}

static void put_ip(const struct layout *l, uint8_t *ip, uint32_t len)
{
	static const uint8_t nets[2][4] = { { 192, 0, 2, 2 },
					    { 192, 0, 2, 1 } };

	if (!l->v6) {
		ip[0] = 0x45;
		put16(ip + 2, len - ETH);
		ip[8] = 64;
		ip[9] = l->proto;
		memcpy(ip + 12, nets, sizeof(nets));
		put16(ip + 10, ~sum16(ip, 20, 0));
		return;
	}
	ip[0] = 0x60;
	put16(ip + 4, len - l->l4);
	ip[6] = l->proto;
	ip[7] = 64;
	for (unsigned int i = 0; i < 2; i++) {
		ip[8 + i * 16] = 0xfd;
		ip[23 + i * 16] = (uint8_t)(i + 1);
	}
}

static void put_l4(const struct layout *l, uint8_t *f, uint32_t len,
		   uint32_t id)
{
	uint8_t *l4 = f + l->l4;

	put16(l4, id);
	put16(l4 + 2, 9);
	if (l->tcp) {
		l4[12] = 5 << 4;
		l4[13] = 0x10; /* an acknowledgement, of nothing */
		put16(l4 + 14, 1000);
	} else {
		put16(l4 + 4, len - l->l4);
	}
	put16(f + l->csum, pseudo_sum(l, f, len));
}

/* Frame number @id; @blank: with a pseudo-header's checksum. */
static void build(uint8_t *f, enum kind kind, uint32_t len, uint32_t id,
		  bool blank)
{
	const struct layout *l = &layouts[kind];

	memset(f, 0, l->payload);
	memcpy(f, PEER, sizeof(PEER));
	memcpy(f + 6, card.mac, sizeof(card.mac));
	put16(f + 12, l->type);
	for (uint32_t i = l->payload; i < len; i++)
		f[i] = pattern(id, i - l->payload);
	if (kind == RAW) {
		put16(f + ETH, id);
		return;
	}
	put_ip(l, f + ETH, len);
	put_l4(l, f, len, id);
	if (!blank)
		put16(f + l->csum, ~sum16(f + l->l4, len - l->l4, 0));
}

/* ---- Hashes ---------------------------------------------------------------- */

#define TABLE 128u
#define KEY   40u

/* What we have asked for: a hash of every type unless @on is false. */
static struct {
	bool on;
	uint8_t key[KEY];
	uint32_t table[TABLE], n;
} hashed;

static struct netfront_meta mark_of(enum kind kind, const uint8_t *f)
{
	const struct layout *l = &layouts[kind];
	uint32_t at = l->v6 ? ETH + 8 : ETH + 12, n = l->v6 ? 32 : 8;
	struct netfront_meta m = { 0 };
	uint8_t buf[36];

	if (!hashed.on || kind == RAW)
		return m;
	memcpy(buf, f + at, n);
	if (l->tcp) {
		memcpy(buf + n, f + l->l4, 4);
		n += 4;
	}
	m.hashed = true;
	m.hash_type = (uint8_t)(2 * l->v6 + l->tcp);
	m.hash = xen_netif_toeplitz_hash(hashed.key, KEY, buf, n);
	return m;
}

/* It has come to the queue that it should, with the hash that it has. */
static bool steered(unsigned int queue, enum kind kind, const uint8_t *f,
		    const struct netfront_meta *m)
{
	struct netfront_meta want = mark_of(kind, f);
	uint32_t to = hashed.n ? hashed.table[want.hash % hashed.n]
			       : want.hash % card.nqueues;

	return m->hashed == want.hashed && m->hash_type == want.hash_type &&
	       m->hash == want.hash && (!hashed.on || to == queue);
}

/* ---- Frames on their way --------------------------------------------------- */

/**
 * struct job - A frame that was sent and will come back.
 * @mem:  MEM_PAGES where it lies, in up to as many pieces.
 * @left: Bytes of the payload that have not come back.
 */
struct job {
	struct netfront_packet p;
	struct netfront_piece piece[NETFRONT_MAX_SLOTS + 1];
	uint8_t *mem;
	enum kind kind;
	uint32_t len, id, left;
	bool sending;
};

static struct job jobs[DEPTH];
static uint8_t *flat, *in, *expected;
static uint32_t next_id, got_on[NETFRONT_MAX_QUEUES];
static unsigned int bad, strays, whole, parts;

static bool busy(const struct job *j)
{
	return j->sending || j->left;
}

/* What has been sent has a good checksum or is allowed to have none. */
static bool sum_is_good(const struct layout *l, const uint8_t *f, uint32_t len,
			const struct netfront_meta *m)
{
	uint32_t pseudo = pseudo_sum(l, f, len);

	if (m->csum_blank)
		return get16(f + l->csum) == pseudo &&
		       (l->v6 ? card.want.csum6 : card.want.csum4);
	return sum16(f + l->l4, len - l->l4, pseudo) == 0xffff;
}

static void expect(const struct job *j)
{
	build(expected, j->kind, j->len, j->id, true);
	memcpy(expected, card.mac, sizeof(card.mac));
	memcpy(expected + 6, PEER, sizeof(PEER));
}

/* It has come back as it was. */
static bool same(const struct job *j, uint32_t len,
		 const struct netfront_meta *m)
{
	const struct layout *l = &layouts[j->kind];

	if (len != j->len || m->gso != j->p.meta.gso ||
	    m->mss != j->p.meta.mss || j->left != len - l->payload)
		return false;
	if (j->kind != RAW && !sum_is_good(l, in, len, m))
		return false;
	expect(j);
	if (j->kind != RAW)
		put16(expected + l->csum, get16(in + l->csum));
	return !memcmp(in, expected, len);
}

/* It has come back as segments, of which this is one; they come in order. */
static bool segment(const struct job *j, uint32_t len,
		    const struct netfront_meta *m)
{
	const struct layout *l = &layouts[j->kind];
	uint32_t at = j->len - l->payload - j->left, n = len - l->payload;

	if (m->gso || (n != MSS && n != j->left) || n > j->left ||
	    get16(in + l->l4 + 6) != (at & 0xffff) ||
	    get16(in + ETH + (l->v6 ? 4 : 2)) != len - (l->v6 ? l->l4 : ETH) ||
	    (!l->v6 && sum16(in + ETH, 20, 0) != 0xffff) ||
	    !sum_is_good(l, in, len, m))
		return false;
	expect(j);
	return !memcmp(in + l->payload, expected + l->payload + at, n);
}

static bool wants_gso(uint8_t gso)
{
	return gso == XEN_NETIF_GSO_TYPE_TCPV4 ? card.want.tso4
					       : card.want.tso6;
}

static void take_reply(struct job *j, uint32_t len,
		       const struct netfront_meta *m)
{
	const struct layout *l = &layouts[j->kind];

	if (!j->p.meta.gso || wants_gso(j->p.meta.gso)) {
		bad += !same(j, len, m);
		whole++;
		j->left = 0;
		return;
	}
	if (!segment(j, len, m)) {
		bad++;
		j->left = 0;
		return;
	}
	j->left -= len - l->payload;
	parts++;
}

/* Return: what came back, or NULL if it is none of ours. */
static struct job *find(uint32_t len)
{
	struct job *j;
	enum kind k = RAW;

	while (k < NKINDS &&
	       (layouts[k].type != get16(in + 12) || len < layouts[k].payload ||
		(layouts[k].proto &&
		 layouts[k].proto != in[ETH + (layouts[k].v6 ? 6 : 9)])))
		k++;
	if (k == NKINDS)
		return NULL;
	j = &jobs[get16(in + layouts[k].l4) % DEPTH];
	return j->kind == k && j->left && get16(in + layouts[k].l4) == j->id
		       ? j
		       : NULL;
}

static void reap(void)
{
	struct netfront_meta m;
	struct netfront_packet *p;
	struct netfront_queue *q;
	struct job *j;
	int n;

	for (unsigned int i = 0; i < card.nqueues; i++) {
		q = card.queue[i];
		while ((p = netfront_done(q))) {
			((struct job *)(void *)p)->sending = false;
			bad += p->status != 0;
		}
		while ((n = netfront_receive(q, in, NETFRONT_MAX_RX, &m)) > 0) {
			if (memcmp(in, card.mac, 6) != 0)
				continue; /* the host's own: to everybody */
			j = find((uint32_t)n);
			if (j) {
				bad += !steered(i, j->kind, in, &m);
				take_reply(j, (uint32_t)n, &m);
			}
			strays += !j;
			got_on[i]++;
		}
		bad += n < 0;
		netfront_push(q);
	}
}
_Static_assert(offsetof(struct job, p) == 0, "the first member");

/* Wait until job @j, or with NULL every one, is done; it may be lost. */
static bool settle(const struct job *j)
{
	uint64_t until = events_deadline(PATIENCE);
	unsigned int turn = 0, left;

	do {
		reap();
		left = 0;
		for (unsigned int i = 0; i < DEPTH; i++)
			left += (!j || j == &jobs[i]) && busy(&jobs[i]);
		if (!left)
			return true;
		(void)netfront_wait_packet(card.queue[turn++ % card.nqueues],
					   MS);
	} while (events_now() < until);
	return false;
}

/* Place the frame in @flat as @n pieces, each in a page of its own if many. */
static void scatter(struct job *j, unsigned int n, uint32_t off)
{
	uint32_t at = 0, end;

	j->p.piece = j->piece;
	j->p.npieces = n;
	for (unsigned int i = 0; i < n; i++, at = end) {
		uint8_t *to = j->mem + (size_t)i * PAGE_BYTES;

		end = j->len * (i + 1) / n;
		to += n > 1 ? below(PAGE_BYTES - (end - at) + 1) : off;
		j->piece[i] = (struct netfront_piece){ to, end - at };
		memcpy(to, flat + at, end - at);
	}
}

static struct netfront_meta checksum(enum kind kind, bool blank)
{
	return (struct netfront_meta){ .csum_blank = blank && kind != RAW };
}

/* The next job, with its frame in @flat. */
static struct job *new_job(enum kind kind, uint32_t len, struct netfront_meta m)
{
	struct job *j = &jobs[++next_id % DEPTH];

	if (busy(j) && !settle(j))
		bad++;
	next_id &= 0xffff;
	j->kind = kind;
	j->len = len;
	j->id = next_id;
	j->p = (struct netfront_packet){ .meta = m };
	build(flat, kind, len, j->id, m.csum_blank);
	return j;
}

static void send(struct netfront_queue *q, struct job *j)
{
	int ret = netfront_send(q, &j->p);

	if (ret == -XEN_ENOSPC && settle(NULL))
		ret = netfront_send(q, &j->p);
	bad += ret != 0;
	j->sending = !ret;
	j->left = ret ? 0 : j->len - layouts[j->kind].payload;
	netfront_push(q);
}

static void begin(void)
{
	bad = strays = whole = parts = 0;
	memset(got_on, 0, sizeof(got_on));
}

/* ---- What is tried --------------------------------------------------------- */

/* The host's bridge begins to forward a moment after the cable is plugged in. */
static bool warm_up(void)
{
	struct job *j;

	for (unsigned int i = 0; i < 400; i++) {
		j = new_job(RAW, 60, (struct netfront_meta){ 0 });
		scatter(j, 1, 0);
		send(card.queue[0], j);
		for (unsigned int k = 0; k < 50 && busy(j); k++) {
			(void)netfront_wait_packet(card.queue[0], MS);
			reap();
		}
		if (!busy(j)) {
			events_sleep(100 * MS); /* for what was on its way */
			reap();
			return true;
		}
		j->left = 0;
	}
	return false;
}

static void sizes(const char *way, uint32_t step)
{
	struct job *j;
	uint32_t off = 0;

	begin();
	for (enum kind kind = RAW; kind < NKINDS; kind++) {
		for (uint32_t len = layouts[kind].payload + 1; len <= MTU_LEN;
		     len += step) {
			/* Every place in a page, but within if it must be. */
			off = (off + 1021) % (PAGE_BYTES - len + 1);
			j = new_job(kind, len, checksum(kind, len & 1));
			scatter(j, 1, off);
			send(card.queue[len % card.nqueues], j);
		}
	}
	check(settle(NULL) && !bad && !strays && !parts, way, "every length");
}

static void splits(const char *way, uint32_t step)
{
	struct job *j;
	uint32_t len;

	enum kind kind;

	begin();
	for (unsigned int n = 2; n <= NETFRONT_MAX_SLOTS; n++) {
		for (uint32_t i = 0; i < NKINDS * 8; i += step) {
			kind = (enum kind)(i % NKINDS);
			len = layouts[kind].payload + 4 + below(MTU_LEN - 200);
			j = new_job(kind, len, checksum(kind, any() & 1));
			scatter(j, n, 0);
			send(card.queue[i % card.nqueues], j);
		}
	}
	check(settle(NULL) && !bad && !strays && !parts, way,
	      "every number of pieces");
}

/* TCP to be segmented: by the host for us, or by us. */
static void segments(const char *way, uint32_t step)
{
	static const uint32_t len[] = { 74 + MSS + 1, 4096,  10000,
					32768,	      60000, NETFRONT_MAX_LEN };
	bool good;
	struct job *j;

	struct netfront_meta m = { .csum_blank = true, .mss = MSS };

	for (enum kind kind = TCP4; kind <= TCP6; kind++) {
		m.gso = kind == TCP4 ? XEN_NETIF_GSO_TYPE_TCPV4
				     : XEN_NETIF_GSO_TYPE_TCPV6;
		begin();
		for (uint32_t i = 0; i < 48; i += step) {
			j = new_job(kind, len[i % 6], m);
			scatter(j, 1, below(PAGE_BYTES));
			send(card.queue[i % card.nqueues], j);
			bad += !settle(NULL);
		}
		good = !bad && !strays;
		good &= (kind == TCP4 ? card.want.tso4 : card.want.tso6)
				? whole && !parts
				: parts && !whole;
		check(good, way,
		      kind == TCP4 ? "TCPv4 segments" : "TCPv6 segments");
	}
}

static void many(const char *way, uint32_t packets)
{
	struct job *j;
	uint32_t len;
	bool all = true;

	begin();
	for (uint32_t i = 0; i < packets && !bad; i++) {
		enum kind kind = (enum kind)below(NKINDS);

		len = layouts[kind].payload + 1 +
		      below(MSS - 1 - layouts[kind].payload + ETH);
		j = new_job(kind, len, checksum(kind, any() & 1));
		scatter(j, 1 + below(below(3) ? 1 : 18), below(PAGE_BYTES));
		send(card.queue[i % card.nqueues], j);
		if (!below(4))
			reap();
	}
	all = settle(NULL);
	for (unsigned int i = 0; i < card.nqueues; i++) {
		all &= got_on[i] > 0;
		bad += netfront_dropped(card.queue[i]) != 0;
	}
	check(all && !bad && !strays, way, "many at once");
}

/* Tell the backend what to hash; nothing is on its way meanwhile. */
static bool set_hash(const char *key, uint32_t n)
{
	bool good = settle(NULL);

	memset(hashed.key, 0, KEY);
	memcpy(hashed.key, key, strlen(key));
	hashed.n = n;
	good &= !netfront_hash_key(&card, hashed.key, (uint32_t)strlen(key)) &&
		!netfront_hash_table_size(&card, n);
	/* In two parts, as if it did not fit. */
	good &= !netfront_hash_table(&card, hashed.table, n / 2, 0) &&
		!netfront_hash_table(&card, hashed.table + n / 2, n - n / 2,
				     n / 2);
	return good;
}

/* From now on, every frame that comes is judged by its hash. */
static void start_hash(const char *way)
{
	uint32_t types = 0, most = 0;
	bool good;

	for (uint32_t i = 0; i < TABLE; i++)
		hashed.table[i] = i % card.nqueues;
	good = card.ctrl && card.caps.hash &&
	       netfront_hash_offered(&card, &types) == -XEN_EOPNOTSUPP &&
	       !netfront_hash_algorithm(
		       &card, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ) &&
	       !netfront_hash_offered(&card, &types) && types == 15 &&
	       !netfront_hash_table_max(&card, &most) && most == TABLE &&
	       set_hash("bytes, and not as many as forty", TABLE) &&
	       !netfront_hash_types(&card, types);
	hashed.on = good;
	check(good, way, "sets a hash");
}

/* The table leads TCP and other frames to queues; also what they are sent with. */
static bool follow_table(const char *key, uint32_t n)
{
	struct netfront_meta m = { .csum_blank = true };
	struct job *j;
	bool good;

	begin();
	good = set_hash(key, n);
	for (uint32_t i = 0; i < 200; i++) {
		enum kind kind = (enum kind)(i % NKINDS);

		m = checksum(kind, i & 1);
		m.hashed = i & 4;
		m.hash_type = (uint8_t)(i % 4);
		m.hash = i * 0x9e3779b1u;
		if (kind == TCP4 && i & 2) {
			m.gso = XEN_NETIF_GSO_TYPE_TCPV4;
			m.mss = MSS;
			m.csum_blank = true;
		}
		j = new_job(kind, m.gso ? 20000 : 200, m);
		scatter(j, 1, 0);
		send(card.queue[i % card.nqueues], j);
	}
	return settle(NULL) && good && !bad && !strays;
}

static void refused_hashes(const char *way)
{
	uint32_t other = card.nqueues;
	uint8_t key[KEY + 1] = { 0 };

	check(netfront_hash_algorithm(&card, 2) == -XEN_EINVAL &&
		      netfront_hash_types(&card, 16) == -XEN_EINVAL &&
		      netfront_hash_key(&card, key, KEY + 1) == -XEN_E2BIG &&
		      netfront_hash_table_size(&card, TABLE + 1) ==
			      -XEN_EINVAL &&
		      netfront_hash_table(&card, &other, 1, 0) == -XEN_EINVAL &&
		      netfront_hash_table(&card, hashed.table, 1, TABLE) ==
			      -XEN_EINVAL &&
		      netfront_hash_table(&card, hashed.table, 2, UINT32_MAX) ==
			      -XEN_EINVAL,
	      way, "hashes that the backend refuses");
}

static void hashes(const char *way)
{
	static const char other[] = "another key than there was before";
	bool good = true;

	refused_hashes(way);
	check(follow_table(other, TABLE), way, "another key");
	for (unsigned int i = 0; i < card.nqueues; i++)
		good &= got_on[i] > 0;
	check(good, way, "every queue of a table");
	for (uint32_t i = 0; i < TABLE; i++)
		hashed.table[i] = card.nqueues - 1 - i % 2;
	check(follow_table(other, 7) && !got_on[0] && !got_on[1], way,
	      "a table of two queues");
	check(follow_table(other, 0), way, "no table");
	hashed.table[0] = 2;
	check(follow_table("", 1) && !got_on[0] && !got_on[1] && !got_on[3],
	      way, "no key");
	good = !netfront_hash_algorithm(&card,
					XEN_NETIF_CTRL_HASH_ALGORITHM_NONE);
	hashed.on = false;
	hashed.n = 0;
	begin();
	for (uint32_t i = 0; i < 50; i++) {
		struct job *j = new_job(TCP4, 200, checksum(TCP4, true));

		scatter(j, 1, 0);
		send(card.queue[i % card.nqueues], j);
	}
	check(settle(NULL) && good && !bad && !strays, way, "no hash any more");
}

/* What netfront_send() says of the frame in @flat's @n pieces. */
static int refusal(uint32_t len, unsigned int n, struct netfront_meta m)
{
	struct job *j = &jobs[0];

	j->len = len;
	scatter(j, n, 0);
	j->p.meta = m;
	return netfront_send(card.queue[0], &j->p);
}

static void refused(const char *way)
{
	struct netfront_meta none = { 0 }, odd = { .gso = 3, .mss = 1 };
	struct netfront_packet filter = {
		.filter = XEN_NETIF_EXTRA_TYPE_MCAST_ADD
	};
	struct job *j;

	check(refusal(13, 1, none) == -XEN_EINVAL &&
		      refusal(NETFRONT_MAX_LEN + 1, 1, none) == -XEN_EINVAL &&
		      refusal(190, 19, none) == -XEN_EINVAL,
	      way, "what no packet can be");
	check(refusal(2000, 1, odd) == -XEN_EOPNOTSUPP &&
		      netfront_send(card.queue[0], &filter) ==
			      -XEN_EOPNOTSUPP &&
		      netfront_mcast(&card, true) == -XEN_EOPNOTSUPP,
	      way, "what the backend does not take");
	/* There is no checksum in it that could be blank. */
	j = new_job(RAW, 100, (struct netfront_meta){ .csum_blank = true });
	scatter(j, 1, 0);
	begin();
	send(card.queue[0], j);
	j->left = 0;
	check(settle(NULL) && bad == 1 && j->p.status == -XEN_EIO, way,
	      "what the backend refuses");
}

/* All the pages and references that a connection took have come back. */
static void one_way(const char *way, const struct netfront_want *want,
		    uint32_t step, uint32_t packets)
{
	size_t pages = pages_left();
	unsigned int refs = grants_free_refs();
	int ret = netfront_again(&card, want);
	uint64_t began;
	struct netfront_meta none = { 0 };
	struct job *j;
	uint32_t most;

	if (ret)
		say("net %s: error %d", way, ret);
	check(!ret && card.nqueues == (want->queues ? want->queues : 1) &&
		      card.split == want->split && card.caps.sg &&
		      card.caps.tso4 && card.caps.tso6 && card.caps.csum4 &&
		      card.caps.csum6,
	      way, "connects");
	if (ret)
		return;
	began = events_now();
	check(warm_up(), way, "reaches its peer");
	say("net %s: after ms=%lu", way, ms_since(began));
	check((want->hash ? 0 : -XEN_EOPNOTSUPP) ==
		      netfront_hash_table_max(&card, &most),
	      way, "has a control ring if it asks for one");
	if (want->hash)
		start_hash(way);
	sizes(way, step);
	splits(way, step);
	segments(way, step);
	many(way, packets);
	if (want->hash)
		hashes(way);
	refused(way);
	j = new_job(RAW, 100, none);
	scatter(j, 1, 0);
	ret = netfront_send(card.queue[0], &j->p);
	check(!ret && netfront_inflight(card.queue[0]) == 1 &&
		      !netfront_stop(&card) && j->p.status == -XEN_EIO,
	      way, "closes, with a packet in flight");
	check(pages_left() == pages && grants_free_refs() == refs, way,
	      "gives all back");
}

enum verdict guest_main(const char *cmdline)
{
	uint32_t step = (uint32_t)arg_u64(cmdline, "step", 1);
	uint32_t packets = (uint32_t)arg_u64(cmdline, "packets", 3000);
	uint64_t began;

	flat = pages_alloc(MEM_PAGES);
	in = pages_alloc(MEM_PAGES);
	expected = pages_alloc(MEM_PAGES);
	for (unsigned int i = 0; i < DEPTH; i++)
		jobs[i].mem = pages_alloc(MEM_PAGES);
	if (xenbus_init() || !expected || !jobs[DEPTH - 1].mem || !step)
		return VERDICT_ERROR;
	if (netfront_open(&card, 0, &ways[0].want) || netfront_stop(&card))
		return VERDICT_FAILURE;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		began = events_now();
		one_way(ways[i].name, &ways[i].want, step, packets);
		say("net %s: ms=%lu", ways[i].name, ms_since(began));
	}
	(void)netfront_close(&card);
	return failed ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
