# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What kernel/run-uml and kernel/run-qemu share: the work folder, the lines for output, the end.
# kernel/guest/init.c says what lies in the work folder.

# shellcheck disable=SC2034,SC2154 # used by those who source this file, or set by lib.sh
image='' memory='' log='' seconds='' writable=() options=() words=()
build=("$kernel/scripts/build")
pids=()

# The arguments that both take. Sets `taken` to how many words were taken, 0 for none.
take_argument() {
	taken=2
	case $1 in
	--stock) build+=(--stock); taken=1 ;;
	--upto) [[ ${2-} ]] || misuse "--upto needs a number"; build+=(--upto "$2") ;;
	--tree) [[ ${2-} ]] || misuse "--tree needs a folder"; build+=(--tree "$2") ;;
	--kernel) [[ -r ${2-} ]] || misuse "--kernel needs the file of a kernel"; image=$(realpath "$2") ;;
	--mem) [[ ${2-} =~ ^[1-9][0-9]*[MG]$ ]] || misuse "--mem needs a size such as 512M or 4G"; memory=$2 ;;
	--rw) [[ -d ${2-} ]] || misuse "--rw needs a folder"; writable+=("$(cd "$2" && pwd -P)") ;;
	--log) [[ ${2-} ]] || misuse "--log needs a file"; log=$2 ;;
	--timeout) [[ ${2-} =~ ^[1-9][0-9]*$ ]] || misuse "--timeout needs seconds"; seconds=$2 ;;
	--append) [[ ${2-} ]] || misuse "--append needs words for the kernel's command line"; options+=("$2") ;;
	--quiet|-q) quiet=true; build+=(--quiet); taken=1 ;;
	*) taken=0 ;;
	esac
}

# Below the cache only if there is no better place: the guest's memory may lie here.
make_work() {
	local into
	for into in "${XDG_RUNTIME_DIR-}" /tmp "$cache"; do
		[[ -d $into && -w $into ]] || continue
		work=$(mktemp -d "$into/ksmalloc-guest.XXXXXX") && break
	done
	[[ ${work-} ]] || die "no folder can be made in /tmp"
	mkdir "$work/memory"
	printf '%s\0' "${words[@]}" >"$work/command"
	env -0 >"$work/environment"
	pwd -P | tr -d '\n' >"$work/cwd"
	((${#writable[@]})) || writable=("$(pwd -P)")
	# The whole host is never passed through, not even from its root folder.
	local folder
	: >"$work/rw"
	for folder in "${writable[@]}"; do
		[[ $folder == / ]] || printf '%s\0' "$folder" >>"$work/rw"
	done
}

# Kernel and terminals write into pipes of ours: User Mode Linux makes what it gets
# non-blocking, and our standard output may be shared with others.
open_lines() {
	mkfifo "$work/out" "$work/err" "$work/messages"
	cat <"$work/out" 9>&- &
	pids+=($!)
	cat <"$work/err" >&2 9>&- &
	pids+=($!)
	tr -d '\r' <"$work/messages" >"$work/log" 9>&- &
	pids+=($!)
}

# guest_exit: passes the status on, or says why there is none.
guest_exit() {
	local pid line
	for pid in "${pids[@]}"; do
		wait "$pid" 2>/dev/null
	done
	[[ -z $log ]] || cp "$work/log" "$log"
	if [[ -s $work/status ]]; then
		line=$(grep -m1 -E 'BUG:|WARNING:|Oops|possible recursive locking|circular locking|KASAN:' "$work/log")
		[[ -z $line ]] || warn "the guest's kernel complained: $line${log:+ (see $log)}"
		exit "$(<"$work/status")"
	fi
	line=$(grep -m1 -aE 'Kernel panic|guest: |Out of memory|ptrace|failed' "$work/log" || tail -n 1 "$work/log")
	[[ -z ${timed_out-} ]] || die "the guest did not end within $seconds seconds and was killed"
	[[ -n $log ]] || { log=$cache/kernel/last-guest.log; cp "$work/log" "$log" 2>/dev/null; }
	die "the guest ended without an answer: ${line:-no message} (see $log)"
}

# run_guest COMMAND...: in a process group of its own, so that nothing else is ever killed.
run_guest() {
	local waited=0
	setsid "$@" &
	guest=$!
	trap 'kill -KILL -- "-$guest" 2>/dev/null; exit 130' INT TERM HUP
	# The shell would tell how the guest ended, among the guest's own output.
	{
		while [[ $seconds ]] && kill -0 "$guest"; do
			((waited >= seconds * 5)) && { timed_out=true; kill -KILL -- "-$guest"; break; }
			sleep 0.2
			waited=$((waited + 1))
		done
		wait "$guest"
	} 2>/dev/null
	# A guest that died may leave processes of its own programs behind.
	kill -KILL -- "-$guest" 2>/dev/null
	trap - INT TERM HUP
}
