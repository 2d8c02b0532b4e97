"""Starting a command in a guest: ports are claimed, and its agent joins the command to them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import HospesError, PortBusy
from hospes.guests.execution.command import Command, StreamNames, starting
from hospes.guests.execution.marked import random_mark
from hospes.guests.ports import PORTS_DIRECTORY, GuestPorts
from hospes.guests.qga import CALL_SECONDS, CONNECT_SECONDS, open_agent
from hospes.guests.qga_protocol import printable

# What bash says when another process in the guest still has the port open.
HELD: Final = (b"Too many open files", b"Device or resource busy")


@dataclass(frozen=True)
class Joined:
    """A running command's ports, open on both sides."""

    mark: str
    output: socket.socket
    control: socket.socket
    input: socket.socket | None

    def close(self) -> None:
        """Leave; the command that still runs is hung up on."""
        for connection in filter(None, (self.output, self.input, self.control)):
            connection.close()


def start(
    ports: GuestPorts,
    command: Command,
    wants_input: bool,
    seconds: float = CONNECT_SECONDS,
    directory: str = PORTS_DIRECTORY,
) -> Joined:
    """Start a command; waits so long for the guest's agent.

    A port that somebody in the guest still holds is passed over, as one held on the host is.
    """
    names = iter(ports.stream_names())
    while True:
        with ExitStack() as opened:
            claimed = [_claim(ports, names, opened) for _ in range(2 + wants_input)]
            mark = random_mark()
            streams = StreamNames(*(name for name, _ in claimed))
            with open_agent(ports, seconds) as agent:
                path, *arguments = starting(command, streams, mark, directory)
                began = agent.capture(path, arguments, CALL_SECONDS)
            if not began.errors and began.exit_code == 0:
                opened.pop_all()
                output, control, *rest = (connection for _, connection in claimed)
                return Joined(mark, output, control, rest[0] if rest else None)
            if not any(reason in began.errors for reason in HELD):
                reason = printable(began.errors) or f"{path} ended with {began.exit_code}"
                raise HospesError(f"{command.text!r} cannot be started in the guest: {reason}.")


def _claim(ports: GuestPorts, names: Iterator[str], opened: ExitStack) -> tuple[str, socket.socket]:
    for name in names:
        try:
            connection = opened.enter_context(ports.open_port(name))
        except PortBusy:
            continue
        connection.setblocking(False)
        return name, connection
    raise HospesError(
        f"All {len(ports.stream_names())} streams of the guest are in use; "
        "wait for a command in it to end, or end one."
    )
