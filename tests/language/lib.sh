# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts share that ask whose memory a script's is, beyond harness/lib.sh. The script under test says "ready" and
# waits for the end of its input.
# shellcheck source=../harness/lib.sh
source "${KSM_SOURCE:?}/tests/harness/lib.sh"
export KSMALLOC_LANGUAGE=on
# Many small blocks are looked at, so that each function has some.
export KSMALLOC_MARK_BYTES=1024

# origins_of COMMAND...: its origins, as tests/language/origins.c prints them, in $work/origins; with
# stacks_of=-s all of their frames. While it waits, $meanwhile is evaluated. pid is the process that it was.
origins_of() {
	local i out=$work/out
	rm -f "$work/input" "$out"
	mkfifo "$work/input"
	exec {input}<>"$work/input"
	: >"$out"
	LD_PRELOAD=$KSM_LIBRARY "$@" <"$work/input" >"$out" 2>&1 {input}>&- &
	pid=$!
	on_exit "kill -9 $pid 2>/dev/null"
	for ((i = 0; i < 1200 * ${KSM_TEST_SLOWER:-1}; i++)); do
		grep -q '^ready' "$out" && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	grep -q '^ready' "$out" || fail "no start: $*: $(cat "$out")"
	"$KSM_TESTS/language/language-origins" ${stacks_of:+"$stacks_of"} "$pid" >"$work/origins" || fail "no origins: $*"
	[[ -z ${meanwhile:-} ]] || eval "$meanwhile"
	exec {input}>&-
	# It is to end well, too.
	wait "$pid" || fail "status $? at the end of: $*: $(cat "$out")"
}

# has TEXT: an origin has these frames, one behind the other.
has() {
	grep -qF -- "$1" "$work/origins" || fail "no origin with: ${1//$'\t'/ < } ($2)"
}

has_not() {
	! grep -qF -- "$1" "$work/origins" || fail "an origin has: $1 ($2)"
}

# has_made LANGUAGE FUNCTION WHAT: code that was made 40 times from one text, each time for the next line, and thrown away, is at its own
# line each time, though it lies where that before it did.
has_made() {
	local line
	for ((line = 101; line <= 140; line++)); do
		has "$1|made|$2|$line" "$3"
	done
}

# has_once FUNCTION LINE WHAT: some origin has a frame of the function at this line, and none two.
has_once() {
	has "|$1|$2" "$3"
	! grep -qE "\|$1\|$2"$'\t'"(.*\\|)?$1\|$2"$'(\t|$)' "$work/origins" || fail "an origin with $1 at line $2 twice ($3)"
}

# line_of FILE TEXT: the number of the line that has the text.
line_of() { grep -nF -- "$2" "$1" | head -1 | cut -d: -f1; }

# at LANGUAGE FUNCTION TEXT: there is an origin in the function, at the line of $script that has the text.
at() { has "$1|$script|$2|$(line_of "$script" "$3")" "$1"; }

# called LANGUAGE FUNCTION TEXT: the same, of a function that calls another one.
called() { has "$(printf '\t%s|%s|%s|%s' "$1" "$script" "$2" "$(line_of "$script" "$3")")" "$1"; }
