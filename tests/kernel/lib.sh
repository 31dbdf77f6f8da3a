# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the tests of the kernel part share.

set -uo pipefail
export LC_ALL=C
: "${KSM_SOURCE:?is set by ctest; see tests/README.md}" "${KSM_TESTS:?}" "${KSM_TEST_WORK:?}"
kernel=$KSM_SOURCE/kernel

failures=0 failed=()
fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); failed+=("$*"); }
skip() { echo "skipped: $*" >&2; exit 77; }
# What failed comes last, once more: guests say much, and a log may be cut.
finish() {
	((failures == 0)) && exit
	printf 'FAILED: %s\n' "${failed[@]}" >&2
	exit 1
}

[[ $(uname -m) == x86_64 ]] || skip "the kernel part is for x86_64 only"

work=$(mktemp -d "$KSM_TEST_WORK/${0##*/}.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

# need_sources: without the package there is nothing to test, which is no fault of the kernel part.
need_sources() {
	local missing
	missing=$("$KSM_SOURCE/packaging/install-packages" --list kernel 2>/dev/null)
	[[ -z $missing ]] || skip "not installed: ${missing//$'\n'/ } (packaging/install-packages kernel)"
	"$kernel/scripts/fetch" --quiet >"$work/fetch" 2>&1 || skip "$(tail -n 1 "$work/fetch")"
}

# need_kernel uml|qemu|kasan [--stock]: a build takes minutes, so that it is made only where
# somebody asked for it (tests/all does), or found.
need_kernel() {
	need_sources
	if [[ -z ${KSM_TEST_KERNEL-} ]] && ! "$kernel/scripts/build" "$@" --cached >/dev/null 2>&1; then
		skip "this kernel is not built: kernel/scripts/build $*"
	fi
	"$kernel/scripts/build" "$@" >"$work/build" 2>&1 || { tail -n 2 "$work/build" >&2; exit 1; }
}

# guest uml|qemu [option...] -- COMMAND...: standard error goes to $work/stderr, the kernel's
# messages to $work/messages. A complaint of the kernel is a failure whatever COMMAND says.
guest() {
	local which=$1 status=0
	shift
	(cd "$work" && "$kernel/run-$which" --quiet --log "$work/messages" "$@") 2>"$work/stderr" </dev/null || status=$?
	local line
	if line=$(grep -m1 -E 'BUG:|WARNING:|Oops|INFO: task|possible recursive|possible circular|inconsistent lock|suspicious RCU|KASAN:|UBSAN:' "$work/messages" 2>/dev/null); then
		fail "the kernel complained: $line"
		grep -A 30 -F "$line" "$work/messages" | head -n 60 >&2
	fi
	return $status
}
