"""The guest's end of the agent protocol (`agent.py`): a script for busybox's shell."""

from typing import Final

# The shell's `read` takes its bytes one by one, each with two system calls, so `dd` reads the
# command itself. Besides it a command costs five forks: its own, `cat` to read it, `cat` for its
# output, a shell that frames its standard error (through a FIFO, for a pipeline has only one
# stream) and the `dd` that this shell reads with. A piece of standard error is what one read(2)
# returned, so it is sent as soon as it is written; `echo` is used for frames because busybox
# writes its whole line with one write(2).
#
# Listening and executing are the two ends of a pipeline and not a background job, for in a shell
# without job control a background job's programs start with SIGINT ignored. Descriptor 5 is the
# terminal; the command itself inherits 0, 1 and 2 only.
AGENT_SCRIPT: Final = r"""#!/bin/sh
# Runs commands that the host sends over a terminal: hospes-agent hvc0
terminal=/dev/$1
state=${2:-/run/hospes}
tries=250
until [ -c "$terminal" ] && command exec <>"$terminal" 2>/dev/null; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || exit 1
	usleep 20000
done
exec >&0 5>&0
stty raw -echo
if [ ! -p "$state/errors" ]; then
	mkdir -p "$state"
	mkfifo "$state/errors"
fi
: >"$state/process"
set -o pipefail

listen() {
	while read -r verb first second; do
		case $verb in
		run)
			dd bs="$second" count=1 iflag=fullblock of="$state/command" 2>/dev/null
			echo "$first"
			;;
		signal) send_signal "$first" ;;
		poweroff) sync; poweroff -f ;;
		esac
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
	while read -r mark; do
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
	exec setsid sh -c -- "$(cat "$state/command")" sh
}

frame_errors() {
	while dd bs=32768 count=1 of="$state/piece" && [ -s "$state/piece" ]; do
		piece=$(base64 -w 0 "$state/piece")
		echo "$mark e $piece"
	done 2>/dev/null
	return 0
}

echo "hospes-agent 1"
listen | execute >&5
"""
