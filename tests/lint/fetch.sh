#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lint/fetch.sh - shm_fetch() loads each byte once; ring/ is freestanding.
#
# gcc turns a memcpy from shared memory followed by a switch into two loads of
# the same byte (threats BE-01, BE-02). The generated code is looked at, for both
# compilers and every optimisation level; so is what whole users of it do when
# they run (fetch.c). Then the checks are checked: with a plain memcpy both must
# find gcc's double fetch. Last, clang has to refuse a look at shared memory that
# goes round ring/shm.h. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 bad=0

result() { # status, name
	n=$((n + 1))
	[ "$1" = 0 ] || { bad=1; printf 'not '; }
	echo "ok $n - $2"
}

cat >"$dir/use.c" <<'C'
#include "ring/shm.h"

struct msg { uint8_t op; uint8_t pad[7]; uint64_t arg, more[3]; };
int f0(uint64_t), f1(uint64_t), f2(uint64_t), f3(uint64_t), f4(uint64_t);
int use(const struct msg *shared);

int use(const struct msg *shared)
{
	struct msg m;

	FETCH(&m, shared, sizeof(m));
	switch (m.op) {
	case 0: return f0(m.arg);
	case 1: return f1(m.arg);
	case 2: return f2(m.arg);
	case 3: return f3(m.arg) + 1;
	case 4: return f4(m.arg);
	case 5: return f0(m.arg) + f1(1);
	}
	return -1;
}
C

# Instructions that read the first byte by the argument, itself or (rep movs) moved
# to the source register.
loads() { # compiler, level, FETCH
	"$1" -std=gnu17 "$2" -I. "-DFETCH=$3" -c -o "$dir/use.o" "$dir/use.c" &&
		objdump -d --no-show-raw-insn "$dir/use.o" |
		grep -cE '[[:space:],]\(%rdi\)|%ds:\(%rsi\)'
}

for cc in gcc clang; do
	for level in -O1 -O2 -O3 -Os; do
		c=$(loads "$cc" "$level" shm_fetch)
		[ "$c" = 1 ]
		result $? "$cc $level: shm_fetch loads once (seen: $c)"
	done
done
c=$(loads gcc -O2 __builtin_memcpy)
[ "$c" -ge 2 ]
result $? "the check sees gcc's double fetch of a plain memcpy (seen: $c)"

# What fetch.c finds, with and without the blessed copy.
users() { # compiler, level, FETCH
	"$1" -std=gnu17 "$2" -D_GNU_SOURCE -I. -Wno-noderef "-DFETCH=$3" \
		-o "$dir/users" tests/lint/fetch.c base/fd.c base/util.c &&
		"$dir/users" >"$dir/found" 2>&1
}

for cc in gcc clang; do
	for level in -O0 -O1 -O2 -O3 -Os; do
		users "$cc" "$level" shm_fetch
		result $? "$cc $level: its users read each byte once"
		grep -v '^#' "$dir/found" | sed 's/^/# /'
	done
done
! users gcc -O2 __builtin_memcpy && grep -q '^shm_fetch: .* read 2 times' "$dir/found"
result $? "running it shows gcc's double fetch of a plain memcpy"

# The pattern once more, without a copy; clang's word for it is the lint's.
sed 's/FETCH(&m, shared, sizeof(m));/m = *shared;/; s/struct msg \*sh/struct msg SHM *sh/' \
	"$dir/use.c" >"$dir/raw.c"
grep -q 'm = \*shared' "$dir/raw.c" &&
	clang -std=gnu17 -I. -c -o /dev/null "$dir/raw.c" 2>&1 | grep -q Wnoderef
result $? "clang warns of a look at SHM memory"

for cc in gcc clang; do
	for f in ring stream; do
		"$cc" -std=c17 -O2 -ffreestanding -mgeneral-regs-only -I. \
			-c -o "$dir/$f.o" "ring/$f.c"
		undefined=$(nm -u "$dir/$f.o" | awk '{print $2}' |
			grep -vxE 'memcpy|memset')
		[ -z "$undefined" ]
		result $? "$cc: ring/$f.c needs nothing but memcpy and memset $undefined"
	done
done
echo "1..$n"
exit $bad
