"""A guest's sockets: its address, and where hosts find them."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError

CID_MIN, CID_MAX = 3, 0xFFFF_FFFE
"""0 to 2 and the last are reserved (virtio 1.2, section 5.10.4)."""
CID_BYTES: Final = 4
PORT_MAX: Final = 0xFFFF_FFFE
SSH_PORT: Final = 22
"""Where systemd has an SSH server listen in a virtual machine, if there is one."""


@dataclass(frozen=True)
class VsockSpec:
    """The guest has the address `cid`.

    Processes of the host find its ports by the Unix socket `socket`, and it finds theirs, such as
    number 7, by one with `_7` behind that name. Without it the machine's own process is the host.
    """

    cid: int
    socket: Path | None = None

    def __post_init__(self) -> None:
        if not CID_MIN <= self.cid <= CID_MAX:
            raise HospesError(
                f"a guest cannot have the vsock address {self.cid}; choose {CID_MIN} to {CID_MAX}"
            )


def new_cid(taken: Collection[int] = ()) -> int:
    """An address for a guest, by chance: whoever else chooses one now gets another."""
    while True:
        cid = int.from_bytes(os.urandom(CID_BYTES)) & 0x7FFF_FFFF
        if cid >= CID_MIN and cid not in taken:
            return cid


def check_port(port: int) -> int:
    """The port; HospesError if there is none such."""
    if not 0 <= port <= PORT_MAX:
        raise HospesError(f"there is no vsock port {port}; ports are 0 to {PORT_MAX}")
    return port
