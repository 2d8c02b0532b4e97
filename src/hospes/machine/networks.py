"""The network of each kind that a user may ask for, opened for one machine."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from hospes.base.errors import HospesError, os_reason
from hospes.machine.cable import Network
from hospes.spec.net import NetworkKind, NetworkSpec, Publication, TransportKind

if TYPE_CHECKING:
    from hospes.devices.backends import NetworkBackend
    from hospes.network import published
    from hospes.network.bridge.bridged_end import BridgedEnd

Remark = Callable[[str], None]


class Captured:
    """A network behind a capture, if one is wanted; HospesError when its file cannot be had."""

    def __init__(self, spec: NetworkSpec, remark: Remark, network: Callable[[], Network]) -> None:
        # Here, for it costs a machine without a network a part of its start.
        from hospes.network.pcap import Capture

        self._remark = remark
        self._file = None if spec.capture is None else _create(spec.capture)
        try:
            self._network = network()
            self._capture = None if self._file is None else Capture(self._network, self._file)
        except BaseException:
            if self._file is not None:
                self._file.close()
            raise
        self._backend: NetworkBackend = self._capture or self._network

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

    def close(self) -> None:
        """End the network, and the capture."""
        self._network.close()
        if self._capture is None or self._file is None:
            return
        self._capture.stop()
        error = self._capture.error
        try:
            self._file.close()
        except OSError as late:
            error = error or late
        if error is not None:
            why = os_reason(error)
            self._remark(f"the capture {self._file.name} is not complete: {why}; free some space")


class NatNetwork(Captured):
    """User-mode NAT, with ports of the guest's on the host.

    `ring` and `remark` may be called by any thread. HospesError when a port cannot be had.
    """

    def __init__(self, spec: NetworkSpec, ring: Callable[[], None], remark: Remark) -> None:
        # Here, for they cost a machine without a network a part of its start.
        from hospes.network.plan import Plan
        from hospes.network.user_network import UserNetwork

        def nat() -> UserNetwork:
            self._nat = UserNetwork(Plan(allow_host=spec.allow_host), ring=ring, remark=remark)
            return self._nat

        super().__init__(spec, remark, nat)
        _publish_all(self, spec)

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
        return self._nat.plan.name_servers

    def reset(self) -> None:
        """The guest has been reset: hosts see its connections end; published ports stay."""
        self._nat.reset()

    def _wired(self, wanted: Publication) -> "published.Publication":
        from hospes.network.published import Publication as Wired

        guest = socket.inet_ntoa(self._nat.plan.guest4)
        protocol = str(wanted.protocol)
        return Wired(protocol, wanted.host_address, wanted.host_port, guest, wanted.guest_port)


class SwitchNetwork(Captured):
    """A network that machines of this host share, with ports of the guest's on the host.

    Whether that is a switch of ours or a bridge of the host's, is the network's own affair.
    """

    def __init__(self, spec: NetworkSpec, ring: Callable[[], None], remark: Remark) -> None:
        # Here, for they cost a machine without a network a part of its start.
        from hospes.network.lan.cable_end import CableEnd
        from hospes.network.lan.directory import LanDirectory, plan_of

        def cable() -> "CableEnd | BridgedEnd":
            directory = LanDirectory.find(spec.name)
            lan = directory.spec
            self._plan = plan_of(lan)
            end = _bridged_end() if lan.bridge else CableEnd
            self._end = end(directory, spec.mac or "", spec.station, ring=ring, remark=remark)
            return self._end

        super().__init__(spec, remark, cable)
        _publish_all(self, spec)

    @property
    def publications(self) -> tuple[Publication, ...]:
        """The ports that are published."""
        return self._end.publications

    def publish(self, publication: Publication) -> None:
        """Offer a port of the guest on the host; HospesError when the host's port is in use."""
        self._end.publish(publication)

    def withdraw(self, publication: Publication) -> None:
        """Offer it no more, but leave its connections; HospesError when it is not offered."""
        self._end.withdraw(publication)

    @property
    def name_servers(self) -> tuple[bytes, ...]:
        """The gateway's, packed."""
        return self._plan.name_servers


class TapNetwork(Captured):
    """A TAP device of the host's, alone or in a bridge: the guest is on a network of the host."""

    def __init__(self, spec: NetworkSpec, ring: Callable[[], None], remark: Remark) -> None:
        # Here, for it costs a machine without a network a part of its start.
        from hospes.network.tap import Tap

        device, bridge = (spec.name, "") if spec.kind == NetworkKind.TAP else ("", spec.name)
        super().__init__(spec, remark, lambda: Tap(device, bridge, ring=ring, remark=remark))


class PasstNetwork(Captured):
    """What the program passt of the host's makes; its ports are published once and for all."""

    def __init__(self, spec: NetworkSpec, ring: Callable[[], None], remark: Remark) -> None:
        # Here, for they cost a machine without a network a part of its start.
        from hospes.network.passt import Passt
        from hospes.network.published import Publication as Wired

        self.publications = spec.publish
        wanted = [
            Wired(str(one.protocol), one.host_address, one.host_port, "", one.guest_port)
            for one in spec.publish
        ]

        def passt() -> Passt:
            return Passt(wanted, allow_host=spec.allow_host, ring=ring, remark=remark)

        super().__init__(spec, remark, passt)

    def publish(self, publication: Publication) -> None:
        """HospesError: passt takes no ports while it runs."""
        raise HospesError(
            f"port {publication.host_port} cannot be published while passt runs; start the machine "
            f"with --publish {publication.host_port}:{publication.guest_port}, or with --network "
            "nat"
        )

    def withdraw(self, publication: Publication) -> None:
        """HospesError: passt keeps its ports while it runs."""
        raise HospesError(
            f"port {publication.host_port} stays as it is while passt runs; stop the machine first"
        )


KINDS: Final[dict[NetworkKind, Callable[[NetworkSpec, Callable[[], None], Remark], Network]]] = {
    NetworkKind.NAT: NatNetwork,
    NetworkKind.SWITCH: SwitchNetwork,
    NetworkKind.BRIDGE: TapNetwork,
    NetworkKind.TAP: TapNetwork,
    NetworkKind.PASST: PasstNetwork,
}


def open_network(spec: NetworkSpec, ring: Callable[[], None], remark: Remark) -> Network:
    """What a spec asks for; HospesError if it cannot be had."""
    return KINDS[NetworkKind(spec.kind)](spec, ring, remark)


def _bridged_end() -> "type[BridgedEnd]":
    # Here, for most networks are no bridges.
    from hospes.network.bridge.bridged_end import BridgedEnd

    return BridgedEnd


def _publish_all(network: NatNetwork | SwitchNetwork, spec: NetworkSpec) -> None:
    """All ports, or none and no network."""
    try:
        for publication in spec.publish:
            network.publish(publication)
    except BaseException:
        network.close()
        raise


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        reason = os_reason(error)
        raise HospesError(
            f"the capture {path} cannot be made: {reason}; name another file"
        ) from error
