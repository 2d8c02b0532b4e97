"""Requests to a guest's QEMU agent, over the port it listens on, one client at a time."""

import base64
import binascii
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec

from hospes.base.errors import GuestError, HospesError, PortBusy
from hospes.guests.ports import GuestPorts
from hospes.guests.qga_protocol import AgentStream, Answer, decode, printable
from hospes.spec.ports import AGENT_PORT

CONNECT_SECONDS: Final = 20.0
CALL_SECONDS: Final = 30.0
FREEZE_SECONDS: Final = 120.0
RETRY_SECONDS: Final = 0.02
RESEND_SECONDS: Final = 0.5
PIECE_BYTES: Final = 1 << 16
SET_TIME_NS: Final = 5_000_000_000

T = TypeVar("T")
Shutdown = Literal["powerdown", "halt", "reboot"]


class AgentSilent(HospesError):  # noqa: N818 - a state, as PortBusy
    """The guest's agent does not answer: not yet, or there is none."""


class AgentRefusal(HospesError):  # noqa: N818 - what the agent says
    """The guest's agent did not do what it was asked."""


class ExecStatus(msgspec.Struct, frozen=True):
    """The agent's knowledge of a program it started (`GuestExecStatus`)."""

    exited: bool
    exitcode: int | None = None
    signal: int | None = None
    out_data: str = msgspec.field(name="out-data", default="")
    err_data: str = msgspec.field(name="err-data", default="")


class Started(msgspec.Struct, frozen=True):
    """The answer to guest-exec."""

    pid: int


class Command(msgspec.Struct, frozen=True):
    """One command that the agent knows."""

    name: str
    enabled: bool = True


class AgentInfo(msgspec.Struct, frozen=True):
    """The answer to guest-info."""

    version: str
    supported_commands: list[Command] = msgspec.field(default_factory=list)

    @property
    def enabled(self) -> frozenset[str]:
        return frozenset(command.name for command in self.supported_commands if command.enabled)


class OsInfo(msgspec.Struct, frozen=True):
    """What system the guest runs; a field the guest does not tell is empty."""

    id: str = ""
    name: str = ""
    version_id: str = msgspec.field(name="version-id", default="")
    pretty_name: str = msgspec.field(name="pretty-name", default="")
    kernel_release: str = msgspec.field(name="kernel-release", default="")
    machine: str = ""


@dataclass(frozen=True)
class Captured:
    """What a program that ran under the agent left."""

    exit_code: int
    output: bytes
    errors: bytes


class Agent:
    """The agent's answers to one client, who holds its port; `open_agent` makes one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = AgentStream()

    def synchronise(self, limit: float) -> None:
        """Put both ends in step; an agent that is still starting is asked again and again."""
        wait = RESEND_SECONDS
        while not self._stream.synchronised:
            if time.monotonic() >= limit:
                raise AgentSilent(
                    "The guest's agent does not answer; wait until the guest has booted, and see "
                    "that qemu-guest-agent is installed in it."
                )
            again = min(limit, time.monotonic() + wait)
            self._send(self._stream.synchronise(), again)
            while not self._stream.synchronised and self._receive(again) is not None:
                pass
            wait *= 2

    def ping(self) -> None:
        self._call("guest-ping", msgspec.Raw)

    def info(self) -> AgentInfo:
        """Its version and what it may be asked for."""
        return self._call("guest-info", AgentInfo)

    def os_info(self) -> OsInfo:
        return self._call("guest-get-osinfo", OsInfo)

    def execute(self, path: str, arguments: Sequence[str]) -> int:
        """Start a program as the agent's user, root; its process id. Its output is kept."""
        wanted = {"path": path, "arg": list(arguments), "capture-output": True}
        return self._call("guest-exec", Started, wanted).pid

    def status(self, pid: int) -> ExecStatus:
        """How a program is; once it has told that it exited, the agent forgets it."""
        return self._call("guest-exec-status", ExecStatus, {"pid": pid})

    def capture(self, path: str, arguments: Sequence[str], seconds: float) -> Captured:
        """Run a program with little output and wait for its end."""
        limit, wait = time.monotonic() + seconds, RETRY_SECONDS / 10
        pid = self.execute(path, arguments)
        while not (status := self.status(pid)).exited:
            if time.monotonic() >= limit:
                raise HospesError(f"{path} did not end within {seconds:g} s in the guest.")
            time.sleep(wait)
            wait = min(wait * 2, RETRY_SECONDS)
        code = 128 + status.signal if status.signal is not None else status.exitcode or 0
        return Captured(code, _data(status.out_data), _data(status.err_data))

    def shutdown(self, mode: Shutdown = "powerdown") -> None:
        """Begin to switch the guest off; that it goes is its only answer."""
        self._send(self._stream.request("guest-shutdown", {"mode": mode}), _soon(CALL_SECONDS))
        try:
            answer = self._receive(_soon(RESEND_SECONDS))
        except AgentSilent:
            return
        if answer is not None and answer.error is not None:
            raise _refusal("guest-shutdown", answer)

    def time_ns(self) -> int:
        """The guest's clock, in ns since 1970."""
        return self._call("guest-get-time", int)

    def set_time_ns(self, time_ns: int) -> None:
        """Set the guest's clock, in ns since 1970.

        The agent then writes the hardware clock too, by a program that Debian does not always have;
        that it could not does not matter here.
        """
        try:
            self._call("guest-set-time", msgspec.Raw, {"time": time_ns})
        except AgentRefusal:
            if not 0 <= self.time_ns() - time_ns < SET_TIME_NS:
                raise

    def freeze(self) -> int:
        """Write out and stop the guest's file systems; how many there are."""
        return self._call("guest-fsfreeze-freeze", int, seconds=FREEZE_SECONDS)

    def thaw(self) -> int:
        return self._call("guest-fsfreeze-thaw", int, seconds=FREEZE_SECONDS)

    def _call(
        self,
        command: str,
        kind: type[T],
        arguments: Mapping[str, Any] | None = None,
        seconds: float = CALL_SECONDS,
    ) -> T:
        limit = _soon(seconds)
        self._send(self._stream.request(command, arguments), limit)
        answer = self._receive(limit)
        if answer is None:
            raise AgentSilent(
                f"The guest's agent has not answered {command} within {seconds:g} s; the guest may "
                "be overloaded or stuck, so look at its console."
            )
        if answer.error is not None:
            raise _refusal(command, answer)
        try:
            return decode(answer, kind)
        except GuestError as error:
            raise HospesError(f"The guest cannot be spoken to: {error}.") from None

    def _send(self, line: bytes, limit: float) -> None:
        """Give the guest a line; what it does not take in time is cut off by the next 0xFF."""
        try:
            self._connection.settimeout(max(0.001, limit - time.monotonic()))
            self._connection.sendall(line)
        except TimeoutError:
            return
        except OSError:
            raise _gone() from None

    def _receive(self, limit: float) -> Answer | None:
        """The next answer; None once the ends are in step or the time is up."""
        while (left := limit - time.monotonic()) > 0:
            synchronised = self._stream.synchronised
            self._connection.settimeout(left)
            try:
                data = self._connection.recv(PIECE_BYTES)
            except TimeoutError:
                return None
            except OSError:
                data = b""
            if not data:
                raise _gone()
            try:
                answers = self._stream.feed(data)
            except GuestError as error:
                raise HospesError(f"The guest cannot be spoken to: {error}.") from None
            if answers:
                return answers[0]
            if self._stream.synchronised != synchronised:
                return None
        return None


@contextmanager
def open_agent(ports: GuestPorts, seconds: float = CONNECT_SECONDS) -> Iterator[Agent]:
    """The agent to oneself for a short while; waits so long for others, and for its answer."""
    limit = _soon(seconds)
    with _claim(ports, limit) as connection:
        agent = Agent(connection)
        agent.synchronise(limit)
        yield agent


def wait_ready(ports: GuestPorts, seconds: float) -> bool:
    """Wait for the agent of a guest that boots; False if it does not answer in time."""
    try:
        with open_agent(ports, seconds):
            return True
    except (AgentSilent, PortBusy):
        return False


def _claim(ports: GuestPorts, limit: float) -> socket.socket:
    while True:
        try:
            return ports.open_port(AGENT_PORT)
        except PortBusy:
            if time.monotonic() >= limit:
                raise
            time.sleep(RETRY_SECONDS)


def _soon(seconds: float) -> float:
    return time.monotonic() + seconds


def _gone() -> AgentSilent:
    return AgentSilent("The guest's agent has gone: the machine stopped or restarted.")


def _refusal(command: str, answer: Answer) -> AgentRefusal:
    error = answer.error
    if error is not None and error.kind == "CommandNotFound":
        return AgentRefusal(
            f"The guest's agent does not offer {command}; allow it in the guest's "
            "/etc/qemu/qemu-ga.conf."
        )
    reason = printable(error.description).rstrip(".") if error is not None else ""
    return AgentRefusal(f"The guest's agent refuses {command}: {reason or 'it gives no reason'}.")


def _data(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise HospesError("The guest cannot be spoken to: its agent sent damaged data.") from None
