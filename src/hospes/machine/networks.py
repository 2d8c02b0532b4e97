"""The network of each kind that a user may ask for, opened for one machine."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hospes.base.errors import HospesError
from hospes.spec.net import NetworkSpec, Publication, TransportKind

if TYPE_CHECKING:
    from hospes.devices.backends import NetworkBackend
    from hospes.network import published

Remark = Callable[[str], None]


class NatNetwork:
    """User-mode NAT, with ports of the guest's on the host, and a capture if one is wanted.

    `ring` and `remark` may be called by any thread. HospesError when a port or the capture's file
    cannot be had.
    """

    def __init__(self, spec: NetworkSpec, ring: Callable[[], None], remark: Remark) -> None:
        # Here, for they cost a machine without a network a part of its start.
        from hospes.network.pcap import Capture
        from hospes.network.plan import Plan
        from hospes.network.user_network import UserNetwork

        self._remark = remark
        self._file = None if spec.capture is None else _create(spec.capture)
        self._nat = UserNetwork(Plan(allow_host=spec.allow_host), ring=ring, remark=remark)
        self._capture = None if self._file is None else Capture(self._nat, self._file)
        self._backend: NetworkBackend = self._capture or self._nat
        try:
            for publication in spec.publish:
                self.publish(publication)
        except BaseException:
            self.close()
            raise

    @property
    def waiting(self) -> bool:
        """Whether there are frames for the guest."""
        return self._backend.waiting

    @property
    def link_up(self) -> bool:
        """Whether the cable is plugged in."""
        return self._backend.link_up

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames from the guest; never waits."""
        self._backend.send(frames)

    def receive(self, limit: int) -> list[bytes]:
        """Up to limit frames for the guest, in order."""
        return self._backend.receive(limit)

    def accept(self, offloads: int) -> None:
        """What of Offload the driver wants from here on."""
        self._backend.accept(offloads)

    @property
    def publications(self) -> tuple[Publication, ...]:
        """The ports that are published."""
        return tuple(
            Publication(one.address, one.port, one.guest_port, TransportKind(one.protocol))
            for one in self._nat.publications
        )

    def publish(self, publication: Publication) -> None:
        """Offer a port of the guest on the host; HospesError when the host's port is in use."""
        self._nat.publish(self._wired(publication))

    def withdraw(self, publication: Publication) -> None:
        """Offer it no more, but leave its connections; HospesError when it is not offered."""
        self._nat.withdraw(self._wired(publication))

    @property
    def name_servers(self) -> tuple[bytes, ...]:
        """Our own, packed; it passes on what it does not know."""
        plan = self._nat.plan
        return tuple(filter(None, (plan.dns4, plan.dns6)))

    def reset(self) -> None:
        """The guest has been reset: hosts see its connections end; published ports stay."""
        self._nat.reset()

    def close(self) -> None:
        """End every connection, and the capture."""
        self._nat.close()
        if self._capture is None or self._file is None:
            return
        self._capture.stop()
        error = self._capture.error
        try:
            self._file.close()
        except OSError as late:
            error = error or late
        if error is not None:
            why = (error.strerror or str(error)).lower()
            self._remark(f"the capture {self._file.name} is not complete: {why}; free some space")

    def _wired(self, wanted: Publication) -> "published.Publication":
        from hospes.network.published import Publication as Wired

        guest = socket.inet_ntoa(self._nat.plan.guest4)
        protocol = str(wanted.protocol)
        return Wired(protocol, wanted.host_address, wanted.host_port, guest, wanted.guest_port)


def open_network(spec: NetworkSpec, ring: Callable[[], None], remark: Remark) -> NatNetwork:
    """What a spec asks for; HospesError if it cannot be had."""
    return NatNetwork(spec, ring, remark)


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HospesError(
            f"the capture {path} cannot be made: {reason}; name another file"
        ) from error
