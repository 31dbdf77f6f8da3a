# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# What the examples' run scripts share. Source it after `set -euo pipefail`.

examples=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
root=${examples%/*}
build=${BUILD_DIR:-$root/build/release}
work=$(mktemp -d)
started=()

die() { echo "${0##*/}: error: $*" >&2; exit 1; }

# Ends what the example started, and nothing else, however the example ends.
cleanup() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for file in libksmalloc.so ksmalloc; do
	[[ -e $build/$file ]] ||
		die "$build/$file is missing: cmake --preset release && cmake --build --preset release"
done

# start_waiting COMMAND...: starts it in the background with an input that stays open, and returns
# when it has printed its first line (to standard output, as the example's own).
start_waiting() {
	local number=${#started[@]} line
	mkfifo "$work/in.$number" "$work/out.$number"
	"$@" <"$work/in.$number" >"$work/out.$number" &
	started+=($!)
	# Both ends stay open in this shell until it exits; the program reads no end of file before.
	exec {input}>"$work/in.$number" {output}<"$work/out.$number"
	read -r -t 30 line <&"$output" || die "$1 did not start"
	echo "$line"
}

# expect FILE REGEX: the output of the example must have such a line.
expect() {
	grep -Eq -- "$2" "$1" || die "the output has no line like: $2"
}
