/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/bzimage.c - V8: a kernel's setup header that says anything. */
#include "tests/proofs/env.h"

#include "hypervisor/bzimage.c"

/*
 * PROOF: found
 * OPTIONS: found --unwind 14
 * BROKEN: found hypervisor/bzimage.c s/if (end > src->size)/if (end > src->size + 1)/
 * BROKEN: found hypervisor/bzimage.c s/pe > SETUP_END - PE_CERTS - 8 ||//
 * BROKEN: found hypervisor/bzimage.c s/end = MAX(bz.payload.base - src->base + /end = MAX(/
 */

int why_set(struct why *why, int err, const char *fmt, ...)
{
	(void)why;
	(void)fmt;
	return err;
}

const char *why_size(char buf[WHY_SIZE_MAX], uint64_t bytes)
{
	PROVE(bytes <= UINT64_MAX / 2, "a size, not a negative one");
	buf[0] = '\0';
	return buf;
}

/* What bytes are equal to does not matter; any answer is possible. */
int memcmp(const void *a, const void *b, size_t n)
{
	PROVE(__CPROVER_r_ok(a, n) && __CPROVER_r_ok(b, n), "bytes of ours");
	return any_bool();
}

static uint64_t file_end;

/* Any bytes; V8 of image.c shows that none beyond the source's end is read. */
int image_read(const struct image_src *src, uint64_t offset, void *buf,
	       uint64_t len)
{
	PROVE(src->base <= file_end && src->size <= file_end - src->base,
	      "a part of the file");
	PROVE(offset <= src->size && len <= src->size - offset,
	      "no offset that was not checked");
	PROVE(__CPROVER_w_ok(buf, len), "into the caller's memory only");
	__CPROVER_havoc_object(buf);
	return any_bool() ? -EIO : 0;
}

/* The payload that is found lies in the file, and unpacks to a bounded size. */
void found(void)
{
	struct image_src src = { .fd = 3,
				 .base = any_u64(),
				 .size = any_u64() };
	struct bzimage bz;

	ASSUME(src.base <= IMAGE_MAX_FILE && src.size <= IMAGE_MAX_FILE);
	file_end = src.base + src.size;
	if (bzimage_find(&src, &bz, NULL))
		return;
	PROVE(bz.payload.base >= src.base &&
		      bz.payload.base - src.base <= src.size &&
		      bz.payload.size <=
			      src.size - (bz.payload.base - src.base),
	      "the payload is a part of the file");
	PROVE(bz.unpacked > 0 && bz.unpacked <= IMAGE_MAX_FILE,
	      "as much as is allowed");
	PROVE(bz.packing < BZIMAGE_NPACKINGS, "a packing that is known");
}
