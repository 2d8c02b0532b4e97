"""A machine's card in a bridged network: a port of the bridge, and its place in the network."""

from collections.abc import Callable, Sequence

from hospes.base.programs import find_program, run_program
from hospes.network.bridge.ports import port_of
from hospes.network.ethernet import SOURCE
from hospes.network.lan.cable_end import CableEnd
from hospes.network.lan.directory import LanDirectory
from hospes.network.tap import Tap
from hospes.spec.net import Publication, mac_bytes


class BridgedEnd:
    """A NetworkBackend (devices/backends.py): frames pass a TAP device of the machine's own.

    The cable to the network's process carries none; it says that the machine is there, under which
    name, and which ports it publishes. When that process ends, frames still pass. HospesError when
    either cannot be had.
    """

    def __init__(
        self,
        directory: LanDirectory,
        mac: str,
        name: str,
        *,
        ring: Callable[[], None] = lambda: None,
        remark: Callable[[str], None] = lambda text: None,
    ) -> None:
        spec = directory.spec
        self._mac, self._strict = mac_bytes(mac), spec.strict
        # First, for its process makes the bridge when there is none.
        self._place = CableEnd(directory, mac, name, remark=remark)
        try:
            self._port = Tap(port_of(self._mac), spec.bridge, ring=ring, remark=remark)
        except BaseException:
            self._place.close()
            raise
        self.address = self._place.address
        _settle(self._port.device, mac)

    @property
    def link_up(self) -> bool:
        """Whether the cable leads anywhere."""
        return self._port.link_up

    @property
    def waiting(self) -> bool:
        """Whether a frame is there for the guest."""
        return self._port.waiting

    @property
    def publications(self) -> tuple[Publication, ...]:
        """The ports that are published."""
        return self._place.publications

    def accept(self, offloads: int) -> None:
        """What the guest's driver takes (vnet.Offloads)."""
        self._port.accept(offloads)

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames of the guest; with `strict`, from its own address only."""
        if self._strict:
            frames = [frame for frame in frames if frame[SOURCE] == self._mac]
        self._port.send(frames)

    def receive(self, limit: int) -> list[bytes]:
        """Up to limit frames for the guest."""
        return self._port.receive(limit)

    def publish(self, publication: Publication) -> None:
        """Offer a port of the guest on the host; HospesError when the host's port is in use."""
        self._place.publish(publication)

    def withdraw(self, publication: Publication) -> None:
        """Offer it no more, but leave its connections; HospesError when it is not offered."""
        self._place.withdraw(publication)

    def close(self) -> None:
        """Leave the bridge and the network; may be called again."""
        self._port.close()
        self._place.close()


def _settle(device: str, mac: str) -> None:
    """What is for the card goes to its port, whoever else shows its address (bridge(8), sticky).

    A kernel that knows no such entries finds cards by what they send, as any switch does.
    """
    program = find_program("bridge")
    if program:
        run_program(
            program, "fdb", "replace", mac, "dev", device, "master", "static", "sticky"
        )
