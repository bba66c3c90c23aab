#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/lab_wire.sh - wirings that need more of a kernel than a machine may have.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# wired TEST - a test of tests/unit/test_vif_setup.c, which must not be skipped.
wired() {
	"$project/build/gcc-plain/tests/unit/test_vif_setup" --verbose \
		--filter "vif_setup/$1" 2>&1 | tee "$work/wired"
	grep -q "Tested: 1 | Passing: 1 | Failing: 0" "$work/wired" &&
		! grep -qi skipped "$work/wired"
}

check "the VLANs of a bridge's ports are kept apart" wired vlans_are_kept_apart
