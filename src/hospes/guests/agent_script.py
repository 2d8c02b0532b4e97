"""The guest's end of the agent protocol (`agent.py`): a script for busybox's shell."""

from typing import Final

# A command costs four forks: itself, `cat` for its output, a shell that frames its standard error
# (through a FIFO, for a pipeline has only one stream) and the `dd` that this shell reads with. A
# piece of standard error is what one read(2) returned, so it is sent as soon as it is written;
# `echo` is used for frames because busybox writes its whole line with one write(2).
#
# Listening and executing are the two ends of a pipeline and not a background job, for in a shell
# without job control a background job's programs start with SIGINT ignored. Descriptor 5 is the
# terminal; the command itself inherits 0, 1 and 2 only.
AGENT_SCRIPT: Final = r"""#!/bin/sh
# Runs commands that the host sends over a terminal: hospes-agent hvc0
terminal=/dev/$1
state=${2:-/run/hospes}
tries=250
until ( : <>"$terminal" ) 2>/dev/null; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || exit 1
	usleep 20000
done
mkdir -p "$state"
rm -f "$state/errors"
mkfifo "$state/errors"
: >"$state/process"
exec <>"$terminal" >&0 5>&0 2>/dev/null
stty raw -echo
set -o pipefail

listen() {
	while read -r verb first second; do
		case $verb in
		run) forward "$first" "$second" ;;
		signal) send_signal "$first" ;;
		poweroff) sync; poweroff -f ;;
		esac
	done
}

forward() {
	echo "$1 $2"
	lines=$2
	while [ "$lines" -gt 0 ] && IFS= read -r line; do
		printf '%s\n' "$line"
		lines=$((lines - 1))
	done
}

send_signal() {
	tries=50
	until read -r process <"$state/process" && kill -"$1" -"$process"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return
		usleep 10000
	done
}

execute() {
	while read -r mark lines; do
		IFS= read -r command
		lines=$((lines - 1))
		while [ "$lines" -gt 0 ] && IFS= read -r line; do
			command=$command$newline$line
			lines=$((lines - 1))
		done
		echo "$mark b"
		start 2>"$state/errors" </dev/null 5>&- | cat >&5 | frame_errors <"$state/errors" >&5
		status=$?
		: >"$state/process"
		echo "$mark x $status"
	done
}

start() {
	read -r process rest </proc/self/stat
	echo "$process" >"$state/process"
	exec setsid sh -c -- "$command" sh
}

frame_errors() {
	while dd bs=32768 count=1 of="$state/piece" && [ -s "$state/piece" ]; do
		piece=$(base64 -w 0 "$state/piece")
		echo "$mark e $piece"
	done 2>/dev/null
	return 0
}

newline='
'
echo "hospes-agent 1"
listen | execute >&5
"""
