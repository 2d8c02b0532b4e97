"""The guest's end of a command: a script for bash that joins it to three ports."""

from typing import Final

# Its arguments: mark, directory of the ports, names of the ports for output, for errors and
# control, for input (or nothing), the user (or nothing), the working directory (or nothing),
# "terminal" (or nothing), then the command.
#
# The command never holds a port itself, for a port is not a pipe: it cannot be opened again by the
# name /dev/stderr, and a write to one that the host has left waits for the host to come back. So
# `cat` stands between, or `script` where there is a terminal. When the host leaves, `watch` reads
# the end of its port, hangs up on the command and ends the relays; nothing is left at the ports.
#
# Until both marks are written, errors go to the agent, which captures them. `env` gives back the
# signals that a shell takes from what it runs in the background. `reach` waits for a command that
# has not become the leader of its group yet.
SUPERVISOR: Final = r"""
mark=$'\377'$1 ports=$2 output=$3 control=$4 input=$5 user=$6 directory=$7 terminal=$8
shift 8
{ exec 6<>"$ports/$control" && exec 5>"$ports/$output"; } || exit
{ exec 4<"${input:+$ports/}${input:-/dev/null}"; } || exit
identity=()
if [ "$user" ]; then
	group=$(id -g -- "$user") || exit
	identity=(--reuid "$user" --regid "$group" --init-groups)
fi
if [ -z "$directory" ]; then
	eval "directory=~$user"
	[ -d "$directory" ] || directory=/
fi
set -- setpriv --reset-env "${identity[@]}" env --default-signal -u TERM -C "$directory" "$@"
printf %s "$mark" >&5
printf %s "$mark" >&6
exec >/dev/null 2>&1 </dev/null

join_pipes() {
	if [ "$input" ]; then
		exec 7< <(exec cat <&4 4<&- 5>&- 6>&-)
		feeder=$!
	else
		exec 7<&4
	fi
	exec 8> >(exec cat >&5 4<&- 5>&- 6>&- 7<&-)
	relays=$!
	exec 9> >(exec cat >&6 4<&- 5>&- 6>&- 7<&- 8>&-)
	relays="$relays $!"
	if [ "$user" ]; then
		chown -- "$user" ${input:+/dev/fd/7} /dev/fd/8 /dev/fd/9
	fi
	setsid "$@" <&7 >&8 2>&9 4<&- 5>&- 6>&- 7<&- 8>&- 9>&- &
	command=$! session=$!
	exec 4<&- 5>&- 7<&- 8>&- 9>&-
}

join_terminal() {
	exec 7< <(exec "$@" 9>&1 <&4 >&5 2>&6 4<&- 5>&- 6>&-)
	command=$!
	exec 4<&- 5>&-
	read -r session terminal <&7 || session=$command
	exec 7<&-
}

reach() {
	until kill -s "$1" -- "-$session"; do
		kill -s 0 "$session" || return
		sleep 0.01
	done
}

watch() {
	while read -r verb first second; do
		case $verb in
		signal) reach "$first" ;;
		size) stty -F "$terminal" rows "$first" cols "$second" ;;
		esac
	done
	reach HUP
	reach CONT
	kill -s KILL 0
}

is_child() {
	read -r _ _ _ parent _ <"/proc/$1/stat" && [ "$parent" = $$ ]
}

if [ "$terminal" ]; then
	join_terminal "$@"
else
	join_pipes "$@"
fi
watch <&6 &
watcher=$!
wait "$command"
status=$?
if [ "$feeder" ] && is_child "$feeder"; then
	kill "$feeder"
fi
if [ "$relays" ]; then
	wait $relays
fi
kill "$watcher"
printf '%s%d\n' "$mark" "$status" >&6
"""

# For the shell in the terminal: tell the supervisor where it is, then become the command. Until
# then SHELL is this shell and not the user's, which may refuse to run anything.
TERMINAL_LINE: Final = """
trap "exit 130" INT
stty rows {rows} cols {columns}
echo "$$ $(tty)" >&9
exec 9>&-
account=$(getent passwd "$(id -u)")
SHELL=${{account##*:}}
exec {command}
"""
TERMINAL_SHELL: Final = "/bin/sh"
