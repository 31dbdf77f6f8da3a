# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts of this folder share, beyond harness/lib.sh: a run-time folder of their own, in
# which the seeds lie, and the command.
source "${BASH_SOURCE[0]%/*}/../harness/lib.sh"

command=${KSM_COMMAND:?is set by ctest}
where=$KSM_TESTS/run/run-where
export XDG_RUNTIME_DIR=$work/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
seeds=$XDG_RUNTIME_DIR/ksmalloc
unset KSMALLOC_LAYOUT KSMALLOC_SEED KSMALLOC_STACK_LIMIT KSMALLOC_LAYOUT_PID

# shared GROUP [OPTION...] -- PROGRAM...: what it said goes to $work/said, but for the line on what is
# not random, which tests/run/show-layout looks at.
shared() {
	local group=$1 status=0
	shift
	"$command" run --layout=shared --group="$group" "$@" 2>"$work/said.all" || status=$?
	grep -v '^ksmalloc run: shared layout: ' "$work/said.all" >"$work/said"
	return $status
}

# said TEXT: exactly one line was said, and it has this text.
said() {
	[[ $(grep -c . "$work/said") == 1 ]] || fail "not one line but: $(<"$work/said")"
	grep -qF -- "$1" "$work/said" || fail "it does not say '$1' but: $(<"$work/said")"
}
silent() { [[ ! -s $work/said ]] || fail "it says: $(<"$work/said")"; }
