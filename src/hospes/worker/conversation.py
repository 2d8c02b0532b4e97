"""One client of a machine's socket: its requests, and how each is answered."""

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from hospes.base.asking import pack_error, pack_value
from hospes.base.errors import HospesError, PortBusy
from hospes.base.log import save_crash
from hospes.machine.life import MachineState
from hospes.machine.machine import Machine
from hospes.spec.kept import Ended, Started
from hospes.worker import agent_port, messages
from hospes.worker.agent_port import AgentPort
from hospes.worker.console_share import ConsoleShare
from hospes.worker.frames import MESSAGE_SECONDS, receive_message, send_message
from hospes.worker.messages import MachineInfo, PortInfo

LOOK_SECONDS: Final = 0.25
"""How often it is looked whether a port's guest has been started anew."""


class Served:
    """What requests are about; `finish` tells everyone who waits for the machine's end."""

    def __init__(self, machine: Machine, console: ConsoleShare, started: Started) -> None:
        self.machine, self.console, self.started = machine, console, started
        self.agent = AgentPort(machine)
        self.ended: Ended | None = None
        self.finished = False
        self.end_fd, self._end_fd = os.pipe()

    def finish(self) -> None:
        """The machine has stopped, and `ended` says how."""
        if not self.finished:
            self.finished = True
            os.close(self._end_fd)


class Conversation:
    """Answers the requests of one connection until it ends, or becomes a console."""

    def __init__(self, served: Served, connection: socket.socket) -> None:
        self._served, self._machine = served, served.machine
        self._connection = connection
        self._has_port = False
        self._given_away = False
        self._answers: dict[type, Callable[[Any], object]] = {
            messages.Info: self._info,
            messages.Stop: lambda _: self._machine.stop("by 'hospes stop'"),
            messages.Pause: lambda _: self._machine.pause(),
            messages.Resume: lambda _: self._machine.resume(),
            messages.Statistics: lambda _: self._machine.statistics().rows(),
            messages.Wait: self._wait,
            messages.Done: self._done,
            messages.Publish: lambda asked: self._machine.network.publish(asked.publication),
            messages.Withdraw: lambda asked: self._machine.network.withdraw(asked.publication),
            messages.Published: lambda _: self._machine.network.publications,
            messages.Guard: self._guard,
            messages.Firewall: self._firewall,
            messages.SetLink: lambda asked: self._machine.at_cable(
                lambda cable: cable.set_link(asked.up)
            ),
            messages.LinkUp: lambda _: self._machine.at_cable(lambda cable: cable.is_plugged_in),
        }

    def run(self) -> None:
        """Take one request after the other, until the other end is gone."""
        try:
            with suppress(OSError):
                while not self._given_away and self._next():
                    pass
        except Exception as error:
            save_crash(error)
        finally:
            if self._has_port:
                self._served.agent.close(abandoned=True)
            if not self._given_away:
                self._connection.close()

    def _next(self) -> bool:
        """Wait for a request and answer it; False when there is none any more."""
        if not self._await_request():
            return False
        try:
            data = receive_message(self._connection, messages.LONGEST_REQUEST_BYTES)
            if data is None:
                return False
            request = messages.unpack_request(data)
        except HospesError as error:
            self._send(pack_error(error))
            return False
        try:
            if isinstance(request, messages.Console):
                self._console(request)
            elif isinstance(request, messages.Port):
                self._port(request)
            else:
                self._send(pack_value(self._answers[type(request)](request)))
        except HospesError as error:
            self._send(pack_error(error))
        return True

    def _await_request(self) -> bool:
        """Wait for something to read, and meanwhile mind the port; False at the machine's end."""
        watched: list[Any] = [self._connection, self._served.end_fd]
        while True:
            ready, _, _ = select.select(watched, [], [], LOOK_SECONDS if self._has_port else None)
            if self._has_port and self._served.agent.outlived:
                self._give_back(abandoned=False)
            if self._connection in ready:
                return True
            if ready:
                return False

    def _send(self, data: bytes, descriptor: int | None = None) -> None:
        self._connection.settimeout(MESSAGE_SECONDS)
        send_message(self._connection, data, descriptor)
        self._connection.settimeout(None)

    def _info(self, request: messages.Info) -> MachineInfo:
        started = self._served.started
        return MachineInfo(
            state=str(self._machine.state),
            agent=started.agent,
            restarts=self._machine.restarts,
            process=started.process,
            when_s=started.when_s,
            remarks=self._machine.remarks,
        )

    def _guard(self, request: messages.Guard) -> None:
        # Here, for most machines have no firewall.
        from hospes.spec.firewall_rules import firewall_of

        rules = firewall_of(request.firewall)
        self._machine.at_cable(lambda cable: cable.guard(rules))

    def _firewall(self, request: messages.Firewall) -> list[object]:
        status = self._machine.at_cable(lambda cable: cable.firewall)
        return [] if status is None else [status]

    def _wait(self, request: messages.Wait) -> Ended:
        """Wait for the end, or for the client to lose patience."""
        watched: list[Any] = [self._connection, self._served.end_fd]
        select.select(watched, [], [])
        if self._served.ended is None:
            raise HospesError(f"the machine is {MachineState.RUNNING}; ask again to wait for it")
        return self._served.ended

    def _console(self, request: messages.Console) -> None:
        self._send(pack_value(None))
        self._given_away = True
        self._served.console.add(self._connection, request.lines)

    def _port(self, request: messages.Port) -> None:
        info, end = self._opened(request.name)
        with end:
            self._send(pack_value(info), end.fileno())

    def _opened(self, name: str) -> tuple[PortInfo, socket.socket]:
        if name != agent_port.NAME:
            return PortInfo(), self._machine.open_port(name)
        opened = self._served.agent.open()
        if opened is None:
            raise PortBusy(f"someone else uses the port {name!r} of the guest; wait for its end")
        self._has_port = True
        return opened

    def _done(self, request: messages.Done) -> None:
        if self._has_port:
            self._give_back(abandoned=False)

    def _give_back(self, abandoned: bool) -> None:
        self._has_port = False
        self._served.agent.close(abandoned)
