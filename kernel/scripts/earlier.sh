# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which of the builds in the cache a new one may start from: for kernel/scripts/build.

# headers_unlike TREE OTHER: how many headers that patches touch are not the same in both.
headers_unlike() {
	local file count=0
	while read -r file; do
		[[ $file != *.h ]] || cmp -s "$1/$file" "$2/$file" || count=$((count + 1))
	done < <(sort -u "$1/.touched" "$2/.touched")
	echo "$count"
}

# earlier_build TREES TREE NAME TARGET: the build of the target from another tree of the same version, with the objects of which
# least is to be made again; nothing if there is none. One of the same name has this one's configuration and compiler:
# with others make compiles nearly all anew, whatever the headers are. Of those it is the one with the fewest
# other headers, or the latest.
earlier_build() {
	local trees=$1 tree=$2 name=$3 target=$4
	local from latest='' unlike best=''
	for from in "$trees"/tree-*/build-"$target"-*/.complete; do
		from=${from%/.complete}
		[[ -e $from/.complete && ${from%/*} != "$tree" ]] || continue
		cmp -s "${from%/*}/.base" "$tree/.base" || continue
		unlike=$(headers_unlike "$tree" "${from%/*}")
		[[ ${from##*/} == "$name" ]] || unlike=$((unlike + 100000))
		[[ -n $best ]] && ((unlike > best)) && continue
		[[ -n $best ]] && ((unlike == best)) && [[ ! $from/.complete -nt $latest/.complete ]] && continue
		latest=$from best=$unlike
	done
	echo "$latest"
}
