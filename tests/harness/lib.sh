# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the test scripts share. A script sources it and ends with `finish`.

set -uo pipefail
export LC_ALL=C

: "${KSM_LIBRARY:?is set by ctest; see tests/README.md}" "${KSM_TESTS:?}" "${KSM_TEST_WORK:?}"

failures=0
fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }
skip() { echo "skipped: $*" >&2; exit 77; }
finish() { ((failures == 0)); exit; }

# need COMMAND...: without them the test cannot be tried.
need() {
	local name
	for name in "$@"; do
		command -v "$name" >/dev/null || skip "$name is not installed (packaging/install-packages test)"
	done
}
need_root() { ((EUID == 0)) || skip "this needs root"; }

[[ -e $KSM_LIBRARY ]] || { echo "$KSM_LIBRARY is not built" >&2; exit 1; }

# A folder of this test's own, and what must be undone at the end in any case, last first.
work=$(mktemp -d "$KSM_TEST_WORK/${0##*/}.XXXXXX")
undo_list=()
on_exit() { undo_list=("$*" "${undo_list[@]}"); }
undo() {
	local step
	for step in "${undo_list[@]}"; do
		eval "$step"
	done
	rm -rf "$work"
}
trap undo EXIT
# A signal must run the undo list as well: ctest sends SIGTERM at a time-out.
trap 'exit 1' INT TERM HUP

# short_folder: $short is a folder for sockets, whose paths may have 107 bytes: $work is below the folder
# of the build, which may be anywhere.
short_folder() {
	short=$(mktemp -d /tmp/ksmalloc.XXXXXX)
	on_exit "rm -rf '$short'"
}

# with_library COMMAND...: runs it under the library; standard error goes to $work/stderr without
# the library's own lines. It fails unless the library says at least once that it was loaded.
with_library() {
	local status=0
	KSMALLOC_VERBOSE=1 LD_PRELOAD=$KSM_LIBRARY "$@" 2>"$work/stderr.all" || status=$?
	grep -q '^ksmalloc: ' "$work/stderr.all" || fail "the library was not loaded into: $*"
	grep -v '^ksmalloc: ' "$work/stderr.all" >"$work/stderr"
	return $status
}

# is_mapped PID: is the library in the process?
is_mapped() { grep -q '/libksmalloc\.so' "/proc/$1/maps"; }

# same_output COMMAND...: the same output and status with and without the library.
same_output() {
	local wanted got wanted_status=0 got_status=0
	wanted=$("$@" 2>"$work/stderr.without") || wanted_status=$?
	got=$(with_library "$@") || got_status=$?
	[[ $wanted_status == "$got_status" ]] || {
		fail "status $got_status instead of $wanted_status: $*"
		tail -n 20 "$work/stderr.all" >&2
	}
	[[ $wanted == "$got" ]] || {
		fail "another output: $*"
		diff <(echo "$wanted") <(echo "$got") | head -n 20 >&2
	}
	[[ -n $wanted ]] || fail "no output to compare: $*"
}

# hold_segment: starts a process with a segment, which waits until it is killed; its pid is $holder.
hold_segment() {
	local i
	[[ -p $work/never ]] || mkfifo "$work/never"
	# Nobody writes to it; it is opened for both so that the open does not wait either.
	LD_PRELOAD=$KSM_LIBRARY /usr/bin/python3 -c 'blocks = [bytes(1 << 20) for i in range(4)]
print(flush=True)
input()' <>"$work/never" >"$work/ready" 2>&1 &
	holder=$!
	on_exit "kill -9 $holder 2>/dev/null"
	for ((i = 0; i < 1200; i++)); do
		[[ -s $work/ready ]] && break
		sleep 0.05
	done
	rm "$work/ready"
}
