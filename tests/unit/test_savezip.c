/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_savezip.c - memory is packed, and comes out as it was or not at all. */
#include "base/savezip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEN 65536u

static struct savezip *z;
static uint8_t in[LEN], packed[LEN], out[LEN + 1];

static void setup(void)
{
	cr_assert_eq(savezip_new(&z), 0);
	for (size_t i = 0; i < LEN; i++)
		in[i] = (uint8_t)(i / 97);
}

static void teardown(void)
{
	savezip_free(z);
}

TestSuite(savezip, .init = setup, .fini = teardown);

Test(savezip, what_is_packed_comes_out_as_it_was)
{
	for (size_t len = 1; len <= LEN; len *= 4) {
		size_t n = savezip_pack(z, in, len, packed, LEN);

		cr_assert_gt(n, 0);
		memset(out, 0xee, sizeof(out));
		cr_expect_eq(savezip_unpack(z, packed, n, out, len), 0);
		cr_expect_arr_eq(out, in, len);
		cr_expect_eq(out[len], 0xee, "nothing behind");
	}
}

Test(savezip, what_does_not_become_less_is_not_packed)
{
	uint64_t x = 1;

	for (size_t i = 0; i < LEN; i++) {
		x = x * UINT64_C(6364136223846793005) + 1;
		in[i] = (uint8_t)(x >> 56);
	}
	cr_expect_eq(savezip_pack(z, in, LEN, packed, LEN - LEN / 8), 0);
}

Test(savezip, anything_else_is_refused)
{
	size_t n = savezip_pack(z, in, LEN, packed, LEN);

	cr_expect_eq(savezip_unpack(z, packed, n, out, LEN - 1), -EINVAL);
	cr_expect_eq(savezip_unpack(z, packed, n, out, LEN + 1), -EINVAL);
	cr_expect_eq(savezip_unpack(z, packed, n - 1, out, LEN), -EINVAL);
	cr_expect_eq(savezip_unpack(z, packed, 0, out, LEN), -EINVAL);
	cr_expect_eq(savezip_unpack(z, in, LEN, out, LEN), -EINVAL);
	packed[0] ^= 1;
	cr_expect_eq(savezip_unpack(z, packed, n, out, LEN), -EINVAL);
}
