# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts share that ask doctor about groups in the shared layout, beyond harness/lib.sh:
# workers that wait until the script ends, and questions to the findings.
# shellcheck source=../harness/lib.sh
source "${KSM_SOURCE:?}/tests/harness/lib.sh"
command=${KSMALLOC_COMMAND:?}
need setarch /usr/bin/python3
setarch -R true 2>/dev/null || skip "personality(ADDR_NO_RANDOMIZE) is not allowed here"

mkdir -m 700 "$work/segments"
export KSMALLOC_STATS_DIR=$work/segments
"$command" run --library "$KSM_LIBRARY" --layout=shared --group=seed --seed-file "$work/seed" --renew-seed -- true ||
	fail "no seed could be made"
# Only this script holds the writing end, so that the workers end with it in any case.
mkfifo "$work/input"
exec {input}<>"$work/input"
started=0
pids=()

start() { # command...; adds to `pids`
	local out=$work/out.$((++started)) i
	: >"$out"
	"$@" <"$work/input" >"$out" 2>&1 {input}>&- &
	pids+=($!)
	on_exit "kill $! 2>/dev/null"
	for ((i = 0; i < 1200; i++)); do
		grep -q '^ready' "$out" && return
		sleep 0.05
	done
	fail "no start: $*: $(cat "$out")"
	exit 1
}

run() { # group, command...
	local group=$1
	shift
	start "$command" run --library "$KSM_LIBRARY" --layout=shared --group="$group" \
		--seed-file "$work/seed" -- "$@"
}

end_all() {
	kill "${pids[@]}"
	wait "${pids[@]}" 2>/dev/null
	pids=()
}

doctor() { # arguments
	"$command" doctor --json "$@" >"$work/doctor.json" 2>"$work/stderr"
	[[ $? == [01] ]] || fail "doctor $*: $(cat "$work/stderr")"
}

value() { # expression; level(KEY) is the worst level of a finding, text(KEY) all of its texts
	/usr/bin/python3 -c "
import json
r = json.load(open('$work/doctor.json'))
def level(key):
    levels = [x['level'] for x in r['findings'] if x['key'] == key]
    return max(levels, key=['ok', 'warn', 'bad'].index) if levels else 'none'
def text(key):
    return ' | '.join(x['finding'] for x in r['findings'] if x['key'] == key)
print($1)"
}

expect() { # what, expression, value
	local got
	got=$(value "$2")
	[[ $got == "$3" ]] || fail "$1: $2 is $got, expected $3: $(cat "$work/doctor.json")"
}
