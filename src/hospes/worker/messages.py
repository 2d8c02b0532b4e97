"""What is said over a machine's socket: requests, each answered by one reply.

A message is four bytes of length, the most significant first, and what base/asking.py has. After
the reply to `console` the connection is the console's byte stream; the reply to `port` comes with a
descriptor, one end of the port's own byte stream, and `done` says that the port was left in order.
"""

from typing import Final

import msgspec

from hospes.base.asking import Reply, Request, decoded
from hospes.spec.net import Publication

LENGTH_BYTES: Final = 4
LONGEST_REQUEST_BYTES: Final = 64 * 1024
LONGEST_REPLY_BYTES: Final = 1 << 20


class Info(Request, frozen=True):
    """How is the machine? Answered by a MachineInfo."""


class Stop(Request, frozen=True):
    """Pull the plug."""


class Pause(Request, frozen=True):
    """Execute no more guest instructions; answered when that is so."""


class Resume(Request, frozen=True):
    """Go on after a pause."""


class Statistics(Request, frozen=True):
    """Answered by rows of group, name and value."""


class Wait(Request, frozen=True):
    """Answered by the Ended, when the machine has stopped."""


class Console(Request, frozen=True):
    """Look at the console and type on it, beginning with so many of its last lines.

    The line that is not finished comes besides, and -1 is everything remembered.
    """

    lines: int = 0


class Port(Request, frozen=True):
    """Have a port of the guest to oneself; answered by a PortInfo."""

    name: str


class Done(Request, frozen=True):
    """The port that this connection has asked for is left in order.

    The client has ended its side of the stream before; the guest gets all that was said.
    """


class Publish(Request, frozen=True):
    """Lead a port of the host to one of the guest's."""

    publication: Publication


class Withdraw(Request, frozen=True):
    """Lead it there no more."""

    publication: Publication


class Published(Request, frozen=True):
    """Answered by the Publications there are."""


class Guard(Request, frozen=True):
    """Filter what the network card sends and receives by these rules, or no more."""

    firewall: tuple[str, ...] | None


class Firewall(Request, frozen=True):
    """Answered by the FirewallStatus there is, or by none: a list of up to one."""


class SetLink(Request, frozen=True):
    """Pull the network cable out, or put it back."""

    up: bool


class LinkUp(Request, frozen=True):
    """Is it plugged in? Answered by true or false."""


AnyRequest = (
    Info | Stop | Pause | Resume | Statistics | Wait | Console | Port | Done
    | Publish | Withdraw | Published | Guard | Firewall
    | SetLink | LinkUp
)  # fmt: skip


class MachineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A machine in its worker: `agent` is the kind of agent in the guest, "" for none.

    `remarks` are sentences for the user, such as that the host's disk is full.
    """

    state: str
    agent: str
    restarts: int
    process: int
    when_s: float
    remarks: tuple[str, ...] = ()


class PortInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A port that was opened.

    `opening` is the first that the guest has said there since it was switched on; `abandoned` is
    true when whoever had the port before has vanished without a word.
    """

    opening: bytes = b""
    abandoned: bool = False


def unpack_request(data: bytes) -> AnyRequest:
    """The request in a message; HospesError when it is none."""
    request: AnyRequest = decoded(
        data,
        AnyRequest,
        "the machine does not understand the request ({}); it may have been started by another "
        "version of Hospes: stop it and start it again",
    )
    return request


def unpack_reply(data: bytes) -> Reply:
    """The reply in a message; HospesError when it is none."""
    reply: Reply = decoded(data, Reply, "the machine's answer is no reply ({}); stop it")
    return reply
