# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts of this part share: messages, the cache, the names of what lies in it.
#
# Everything that is slow to make lies in $cache/kernel, under names that are hashes of what it
# was made from:
#
#   base-KEY/           the package, unpacked
#   tree-KEY/           a copy of it (hard links) with patches applied
#   tree-KEY/build-.../ what a configuration of that tree was built into
#   guest-KEY/          the first program of a guest
#
# An entry is complete when its file .complete exists. It is made under an exclusive lock on
# NAME.lock and never changed afterwards.

# shellcheck disable=SC2034 # used by those who source this file
kernel=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
me=${0##*/}
cache=${KSMALLOC_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ksmalloc}
base_file=${KSMALLOC_KERNEL_BASE:-$kernel/BASE}
quiet=false

# The last patch of an unpatched kernel: those up to here make User Mode Linux run and measure,
# and repair tests. None of them touches mm/.
stock_upto=0009

say() { $quiet || echo "$me: $*" >&2; }
warn() { echo "$me: warning: $*" >&2; }
die() { echo "$me: error: $*" >&2; exit 3; }
misuse() { echo "$me: $* (see --help)" >&2; exit 2; }

need_tools() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null ||
			die "'$tool' is missing; packaging/install-packages kernel installs it"
	done
}

# need_space MEGABYTES WHAT: one line now instead of a compiler's complaint later.
need_space() {
	local have
	have=$(df --output=avail -BM "$cache" 2>/dev/null | tail -n 1 | tr -dc 0-9)
	[[ -z $have ]] || ((have >= $1)) ||
		die "$2 needs $1 MB in $cache, only $have MB are free (KSMALLOC_CACHE names another folder)"
}

open_cache() {
	mkdir -p "$cache/kernel" "$cache/sources" 2>/dev/null || die "cannot create $cache/kernel"
	cache=$(cd "$cache" && pwd)
}

# lock FILE: held until this process and its children end or `unlock` is called.
lock() {
	exec 9>"$1" || die "cannot write $1"
	flock -n 9 || { say "waiting for another run"; flock 9; }
}

unlock() { exec 9>&-; }

# Sets base_name, base_version and base_sum.
read_base() {
	read -r base_name base_version base_sum < <(grep -v '^#' "$base_file" 2>/dev/null) ||
		die "$base_file is missing or empty"
	[[ ${base_sum-} =~ ^[0-9a-f]{64}$ ]] || die "$base_file: expected PACKAGE VERSION SHA256"
}

# The patches up to number $1 (all without one), in order.
list_patches() {
	local file number
	for file in "$kernel"/patches/[0-9]*.patch; do
		[[ -e $file ]] || continue
		number=${file##*/}
		number=${number%%-*}
		[[ -z ${1-} || ! $number > $1 ]] && echo "$file"
	done
}

# The files below src/ that the patch $1 brings along ("New-file: mm/x.c" in its changelog).
new_files_of() { sed -n '/^---$/q; s/^New-file: *//p' "$1"; }

# The key of a tree: the version of the package that is really there, and what is put upon it.
# $1 version, $2 last patch or empty
tree_key() {
	local patch file
	{
		echo "$base_name $1"
		while read -r patch; do
			sha256sum <"$patch"
			while read -r file; do
				echo "$file"
				sha256sum <"$kernel/src/$file"
			done < <(new_files_of "$patch")
		done < <(list_patches "${2-}")
		cat "$kernel/scripts/apply"
	} | sha256sum | cut -c1-16
}
