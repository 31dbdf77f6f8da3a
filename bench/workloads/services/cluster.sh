#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cluster.sh PORT WORKERS COMMAND...: so many processes, each on a port of its own from PORT on, until SIGTERM.
port=$1 last=$(($1 + $2)) pids=
shift 2
while [ "$port" -lt "$last" ]; do
	"$@" "$port" &
	pids="$pids $!"
	port=$((port + 1))
done
# shellcheck disable=SC2064,SC2086  # All are known by now.
trap "kill $pids" TERM
wait
wait
