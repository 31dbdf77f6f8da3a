# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The kernel's same-page merging, which belongs to the whole machine: one test at a time may use
# it, and finds it afterwards as it was. Source it after lib.sh.

ksm=/sys/kernel/mm/ksm

# use_ksm PAGES_TO_SCAN: takes the lock, saves the settings, and lets the scanner run.
use_ksm() {
	[[ -d $ksm ]] || skip "this kernel has no KSM (CONFIG_KSM)"
	[[ -w $ksm/run ]] && ( : >>$ksm/run ) 2>/dev/null || skip "$ksm/run cannot be written: KSM needs root"
	exec 8>/run/lock/ksmalloc-ksm.lock
	flock -w 300 8 || skip "another test holds /run/lock/ksmalloc-ksm.lock"
	local name
	for name in pages_to_scan sleep_millisecs smart_scan advisor_mode use_zero_pages; do
		[[ -w $ksm/$name ]] || continue
		local old
		old=$(<"$ksm/$name")
		# The advisor shows all its modes, the chosen one in brackets.
		[[ $name == advisor_mode ]] && old=$(grep -o '\[.*\]' <<<"$old" | tr -d '[]')
		on_exit "echo '$old' >$ksm/$name"
	done
	# Undone before the rest, so that a scanner that ran at full speed stops first.
	on_exit "echo $(<"$ksm/run") >$ksm/run"
	[[ -w $ksm/advisor_mode ]] && echo none >"$ksm/advisor_mode"
	echo "$1" >"$ksm/pages_to_scan"
	echo 10 >"$ksm/sleep_millisecs"
	# Pages that failed often would be left out for many scans.
	[[ -w $ksm/smart_scan ]] && echo 0 >"$ksm/smart_scan"
	echo 1 >"$ksm/run"
}

# full_scans COUNT: waits until the scanner has seen everything COUNT times more.
full_scans() {
	local target=$(($(<"$ksm/full_scans") + $1)) i
	for ((i = 0; i < 6000; i++)); do
		(($(<"$ksm/full_scans") >= target)) && return 0
		sleep 0.05
	done
	fail "no $1 full scans within five minutes"
	return 1
}
