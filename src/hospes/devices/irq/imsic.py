"""IMSIC: where messages for the harts' interrupt files arrive, a page for each hart (AIA, 3.5).

The files themselves are words of the harts, so that claiming an interrupt takes no device access.
"""

from collections.abc import Sequence

from hospes.base.bits import bswap64
from hospes.base.errors import GuestError
from hospes.devices.device import Device, RegArray
from hospes.devices.irq.line import MessagePort

FILE_BYTES = 0x1000
"""An interrupt file's page."""
FILES_MAX = 4096


class Imsic(Device):
    """Supervisor-level files: hart n's page is at n * FILE_BYTES; what is read is zero."""

    compatible, size = "riscv,imsics", FILES_MAX * FILE_BYTES
    seteipnum_le = RegArray(0x0, count=FILES_MAX, stride=FILE_BYTES)
    seteipnum_be = RegArray(0x4, count=FILES_MAX, stride=FILE_BYTES)

    def __init__(self, ports: Sequence[MessagePort]) -> None:
        super().__init__()
        self.ports = ports

    def read_seteipnum_le(self, hart: int) -> int:
        """Always zero."""
        self._check(hart)
        return 0

    def write_seteipnum_le(self, hart: int, value: int) -> None:
        """Make an identity pending; one that does not exist is ignored."""
        self._check(hart)
        self.ports[hart](value)

    def read_seteipnum_be(self, hart: int) -> int:
        """Always zero."""
        self._check(hart)
        return 0

    def write_seteipnum_be(self, hart: int, value: int) -> None:
        """The same, from a writer whose bytes are in the other order."""
        self._check(hart)
        self.ports[hart](bswap64(value) >> 32)

    def _check(self, hart: int) -> None:
        if hart >= len(self.ports):
            raise GuestError(f"there is no interrupt file {hart} among {len(self.ports)}")
