# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the tests of the shared layout share.

# shellcheck source=../harness/lib.sh
source "${BASH_SOURCE[0]%/*}/../harness/lib.sh"

# Seeds are this test's own.
export XDG_RUNTIME_DIR=$work/run
mkdir -m 0700 "$XDG_RUNTIME_DIR"

addresses=$KSM_TESTS/layout/layout-addresses

# shared GROUP COMMAND...: runs it in the shared layout of the group; it must have got it.
shared() {
	local group=$1
	shift
	"$KSM_BUILD/ksmalloc" run --layout=shared --group="$group" -- "$@"
}

# worker GROUP [OPTION...] -- COMMAND...: the same in the background; $worker is its pid, and it ends
# with the test.
worker() {
	local group=$1
	shift
	"$KSM_BUILD/ksmalloc" run --layout=shared --group="$group" "$@" &
	worker=$!
	on_exit "kill $worker 2>/dev/null"
}

setarch -R true 2>/dev/null || skip "personality(2) may not be used here"
