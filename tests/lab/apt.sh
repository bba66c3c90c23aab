# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lab/apt.sh - Debian packages by name, without installing; sourced.
# shellcheck shell=bash
#
# How it works: apt runs with a state directory, lists and sources of its own
# under the cache, one per suite, so the machine's own apt configuration is
# read (for the mirror and the keys) and never changed.

# mirrors - "URI RELEASE" of the machine's Debian sources.
mirrors()
{
	# shellcheck disable=SC2016 # apt's own format language
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
		'Created-By: Packages' 'Origin: Debian' | sort -u
}

# write_sources SUITE FILE - the suite, with its security updates where the
# machine has a source for such; backports with the release they are for.
write_sources()
{
	local suite=$1 uri release main='' security=''
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg

	while read -r uri release; do
		case $release in
		*-security) security=$uri ;;
		*-updates | *-backports) ;;
		*) main=$uri ;;
		esac
	done < <(mirrors)
	[[ $main ]] || die 'no Debian source known to apt: run apt-get update'
	[[ -r $keys ]] || die "no $keys: apt-get install debian-archive-keyring"
	echo "deb [arch=amd64 signed-by=$keys] $main $suite main" >"$2"
	case $suite in
	*-backports)
		echo "deb [arch=amd64 signed-by=$keys] $main ${suite%-backports} main" >>"$2"
		;;
	sid | *-*) ;;
	*)
		[[ -z $security ]] ||
			echo "deb [arch=amd64 signed-by=$keys] $security $suite-security main" >>"$2"
		;;
	esac
}

# apt_in SUITE_DIR TOOL ARG... - run an apt tool on the private state; of a
# package in backports and release, backports' version counts.
apt_in()
{
	local dir=$1 tool=$2 prefer=''

	shift 2
	[[ $dir != *-backports ]] || prefer=${dir##*/}
	"$tool" -qq -o APT::Default-Release="$prefer" -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State="$dir" -o Dir::State::lists="$dir/lists" \
		-o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir/cache" -o APT::Architecture=amd64 \
		-o APT::Sandbox::User= "$@"
}

# suite_state SUITE - prepare and refresh the private apt state; prints its
# directory.
suite_state()
{
	# shellcheck disable=SC2154 # from common.sh
	local dir=$cache_dir/apt/$1

	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	write_sources "$1" "$dir/sources.list"
	apt_in "$dir" apt-get update >&2 ||
		die "cannot read suite $1 from the machine's Debian mirror"
	echo "$dir"
}

# package_version STATE PACKAGE
package_version()
{
	apt_in "$1" apt-cache show --no-all-versions "$2" |
		sed -n 's/^Version: //p'
}

# unpack_packages STATE DIR PACKAGE...
unpack_packages()
{
	local state=$1 dir=$2 deb

	shift 2
	(cd "$dir" && apt_in "$state" apt-get download "$@") >&2 ||
		die "cannot download $*"
	for deb in "$dir"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
		rm "$deb"
	done
}

# unpack_closure STATE DIR PACKAGE... - the packages of the state's suite with
# all that they depend on, the C library included.
unpack_closure()
{
	local state=$1 dir=$2
	local -a names

	shift 2
	mapfile -t names < <(apt_in "$state" apt-get install --simulate \
		--no-install-recommends "$@" |
		sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p')
	((${#names[@]})) || die "cannot resolve $*"
	unpack_packages "$state" "$dir" "${names[@]}"
}
