// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/why.c - one line for the operator: what is wrong, what to do.
#include "hypervisor/why.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

int why_set(struct why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return err;
}

const char *why_size(char buf[WHY_SIZE_MAX], uint64_t bytes)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, WHY_SIZE_MAX, "%" PRIu64 " bytes", bytes);
		return buf;
	}
	while (value >= 1024 && i + 1 < ARRAY_SIZE(unit)) {
		value /= 1024;
		i++;
	}
	snprintf(buf, WHY_SIZE_MAX, "%.4g %s", value, unit[i]);
	return buf;
}
