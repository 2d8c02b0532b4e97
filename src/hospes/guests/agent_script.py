"""The guest's end of the agent protocol (`agent.py`): a script for busybox's shell."""

from typing import Final

# Descriptors: 1 and 5 the terminal, 3 the command's standard error on its way to the framing loop,
# 4 the file for its exit status. The command itself inherits 0, 1 and 2 only.
#
# A piece of standard error is what one read(2) returned, so it is sent as soon as it is written;
# `echo` is used for frames because busybox writes its whole line with one write(2). Listening and
# executing are the two ends of a pipeline and not a background job, for in a shell without job
# control a background job's programs start with SIGINT ignored.
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
exec <>"$terminal" >&0 5>&0 2>/dev/null
stty raw -echo

frame_errors() {
	while dd bs=32768 count=1 of="$state/piece" 2>/dev/null && [ -s "$state/piece" ]; do
		piece=$(base64 -w 0 "$state/piece")
		echo "$1 e $piece"
	done
}

start() {
	read -r process rest </proc/self/stat
	echo "$process" >"$state/process"
	command=$(base64 -d <<-END
		$1
	END
	)
	exec setsid sh -c -- "$command" sh
}

run() {
	echo "$1 b"
	{
		{
			{
				( start "$2" ) </dev/null 2>&3 3>&- 4>&- 5>&-
				echo $? >&4
			} | cat >&5 4>&- 3>&-
		} 3>&1 | frame_errors "$1" >&5 4>&-
	} 4>"$state/status"
	: >"$state/process"
	read -r status <"$state/status"
	echo "$1 x $status"
}

send_signal() {
	tries=50
	until read -r process <"$state/process" && kill -"$1" -"$process" 2>/dev/null; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return
		usleep 10000
	done
}

listen() {
	while read -r verb first second; do
		case $verb in
		run) echo "$first $second" ;;
		signal) send_signal "$first" ;;
		poweroff) sync; poweroff -f ;;
		esac
	done
}

: >"$state/process"
echo "hospes-agent 1"
listen | while read -r mark command; do
	run "$mark" "$command" >&5
done
"""
