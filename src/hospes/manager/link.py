"""A connection to the process that runs a machine."""

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self, TypeVar

from hospes.base import unix
from hospes.base.asking import decoded, pack_request
from hospes.base.errors import HospesError, PortBusy, os_reason
from hospes.manager.store import MachineDirectory
from hospes.spec.kept import SOCKET_FILE, Ended
from hospes.spec.net import Publication
from hospes.spec.ports import STREAM_PORTS
from hospes.worker.frames import receive_message, receive_with_descriptor, send_message
from hospes.worker.messages import (
    LONGEST_REPLY_BYTES,
    AnyRequest,
    Console,
    Done,
    Firewall,
    Guard,
    Info,
    LinkUp,
    MachineInfo,
    Pause,
    Port,
    PortInfo,
    Publish,
    Published,
    Resume,
    SetLink,
    Statistics,
    Stop,
    Wait,
    Withdraw,
    unpack_reply,
)

if TYPE_CHECKING:
    from hospes.spec.firewall import FirewallStatus

Value = TypeVar("Value")

ANSWER_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.02
ERRORS: Final[dict[str, type[HospesError]]] = {"PortBusy": PortBusy}


class Link:
    """Requests to one running machine, answered one after the other."""

    def __init__(self, machine: MachineDirectory) -> None:
        self.machine = machine
        self._connection = _connected(machine)
        self._connection.settimeout(ANSWER_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def info(self) -> MachineInfo:
        """How the machine is."""
        return self._ask(Info(), MachineInfo)

    def stop(self) -> None:
        """Pull the plug; returns before the machine has stopped."""
        self._ask(Stop(), type(None))

    def pause(self) -> None:
        """Return when no guest instruction is executed any more."""
        self._ask(Pause(), type(None))

    def resume(self) -> None:
        """Go on after a pause."""
        self._ask(Resume(), type(None))

    def statistics(self) -> list[tuple[str, str, str]]:
        """Rows of group, name and value."""
        return self._ask(Statistics(), list[tuple[str, str, str]])

    def wait(self, seconds: float | None) -> Ended | None:
        """Wait for the end of the machine and of its process; None when the time is over."""
        deadline = time.monotonic() + seconds if seconds is not None else None
        self._connection.settimeout(seconds)
        with suppress(HospesError):
            try:
                self._ask(Wait(), Ended)
            except TimeoutError:
                return None
        while self.machine.runs:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            time.sleep(PAUSE_SECONDS)
        return self.machine.ended

    def console(self, lines: int) -> socket.socket:
        """Turn this connection into the console's stream, beginning with so many last lines."""
        self._ask(Console(lines), type(None))
        self._connection.settimeout(None)
        return self._connection

    def port(self, name: str) -> tuple[PortInfo, socket.socket]:
        """A port of the guest, for this connection alone until `done` or the end of both."""
        data, descriptor = self._exchange(Port(name), with_descriptor=True)
        info = _value(data, PortInfo)
        if descriptor is None:
            raise self._silent("did not hand over the port")
        return info, socket.socket(fileno=descriptor)

    def done(self) -> None:
        """The port is left in order."""
        self._ask(Done(), type(None))

    def publish(self, publication: Publication) -> None:
        """Lead a port of the host to one of the guest's."""
        self._ask(Publish(publication), type(None))

    def withdraw(self, publication: Publication) -> None:
        """Lead it there no more."""
        self._ask(Withdraw(publication), type(None))

    def published(self) -> tuple[Publication, ...]:
        """The ports of the host that lead to the guest's."""
        return self._ask(Published(), tuple[Publication, ...])

    def guard(self, firewall: tuple[str, ...] | None) -> None:
        """Filter what the network card sends and receives by these rules, or no more."""
        self._ask(Guard(firewall), type(None))

    def firewall(self) -> "FirewallStatus | None":
        """The rules, and what they have done; None if there are none."""
        # Here, for most machines have no firewall.
        from hospes.spec.firewall import FirewallStatus

        return next(iter(self._ask(Firewall(), tuple[FirewallStatus, ...])), None)

    def set_link(self, up: bool) -> None:
        """Put the network cable in, or pull it out."""
        self._ask(SetLink(up), type(None))

    def link_up(self) -> bool:
        """Whether it is plugged in."""
        return self._ask(LinkUp(), bool)

    def _ask(self, request: AnyRequest, kind: type[Value]) -> Value:
        return _value(self._exchange(request)[0], kind)

    def _exchange(
        self, request: AnyRequest, with_descriptor: bool = False
    ) -> tuple[bytes, int | None]:
        waiting = isinstance(request, Wait)
        try:
            send_message(self._connection, pack_request(request))
            if with_descriptor:
                data, descriptor = receive_with_descriptor(self._connection, LONGEST_REPLY_BYTES)
            else:
                data = receive_message(self._connection, LONGEST_REPLY_BYTES)
                descriptor = None
        except TimeoutError:
            if waiting:
                raise
            raise self._silent(f"has not answered for {ANSWER_SECONDS:g} s") from None
        except OSError:
            raise self._silent("has just ended") from None
        if data is None:
            raise self._silent("has just ended")
        return data, descriptor

    def _silent(self, what: str) -> HospesError:
        name = self.machine.name
        return HospesError(
            f"the process of the machine {name!r} {what}; see 'hospes inspect {name}'"
        )


class WorkerPorts:
    """The ports of a guest, each opened over a connection of its own."""

    def __init__(self, machine: MachineDirectory) -> None:
        self._machine = machine

    def stream_names(self) -> Sequence[str]:
        """The ports that nothing in the guest listens on of its own accord."""
        return STREAM_PORTS

    def open_port(self, name: str) -> socket.socket:
        """The host's end of a port; PortBusy when someone else has it."""
        with Link(self._machine) as link:
            return link.port(name)[1]


def _connected(machine: MachineDirectory) -> socket.socket:
    """A connection, waiting a moment for a machine that is just being started."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            return unix.connect(machine.path / SOCKET_FILE, CONNECT_SECONDS)
        except OSError as error:
            if not machine.runs:
                raise not_running(machine) from error
            if time.monotonic() >= deadline:
                raise HospesError(
                    f"the process of the machine {machine.name!r} does not answer "
                    f"({os_reason(error)}); try again, or end it with "
                    f"'hospes stop --force {machine.name}'"
                ) from error
            time.sleep(PAUSE_SECONDS)


def not_running(machine: MachineDirectory) -> HospesError:
    """The error that a machine has to run for what is wanted of it."""
    return HospesError(
        f"the machine {machine.name!r} does not run; start it with 'hospes start {machine.name}'"
    )


def _value(data: bytes, kind: type[Value]) -> Value:
    reply = unpack_reply(data)
    if reply.error:
        raise ERRORS.get(reply.kind, HospesError)(reply.complaint)
    value: Value = decoded(
        reply.value,
        kind,
        "the machine's answer does not fit this version of Hospes ({}); stop it and start it again",
    )
    return value
