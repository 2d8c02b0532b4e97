"""How fast bytes go between guest and host over vsock, and how fast connections are made.

Of Hospes alone: QEMU's device is in the host's kernel and needs /dev/vhost-vsock, and so root.
"""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

from hospes.api import Machine
from hospes.base.progress import Progress

IMAGE: Final = "userland"
PORT: Final = 1000
TRANSFER_BYTES: Final = 32 << 20
CONNECTIONS: Final = 200
PIECE_BYTES: Final = 1 << 16
BOOT_SECONDS: Final = 300.0
ROUNDS: Final = 3

SCRIPT: Final = f"""
import socket
server = socket.socket(socket.AF_VSOCK)
server.bind((socket.VMADDR_CID_ANY, {PORT}))
server.listen(16)
piece, room = bytes({PIECE_BYTES}), bytearray({PIECE_BYTES})
while True:
    one, _ = server.accept()
    with one:
        kind = one.recv(1)
        while kind == b"r" and one.recv_into(room):
            pass
        if kind == b"s":
            for _ in range({TRANSFER_BYTES // PIECE_BYTES}):
                one.sendall(piece)
"""


def measure_sockets(progress: Progress) -> Iterator[str]:
    """A line for each figure: the best of a few, as others' work on the host only slows it."""
    with Machine(IMAGE, vsock=True, progress=progress) as vm:
        command = f"cat >/root/v.py <<'END'\n{SCRIPT}END\npython3 /root/v.py >/dev/null 2>&1 &"
        vm.run(command, BOOT_SECONDS, check=True)
        vm.vsock.connect(PORT, timeout=BOOT_SECONDS).close()
        mebibytes = TRANSFER_BYTES >> 20
        yield f"vsock, guest to host: {mebibytes / _best(vm, _receive):.0f} MiB/s"
        yield f"vsock, host to guest: {mebibytes / _best(vm, _send):.0f} MiB/s"
        yield f"vsock, connections: {CONNECTIONS / _best(vm, _connect):.0f} a second"


def _best(vm: Machine, action: Callable[[Machine], None]) -> float:
    """Seconds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        action(vm)
        times.append(time.perf_counter() - begun)
    return min(times)


def _receive(vm: Machine) -> None:
    with vm.vsock.connect(PORT) as one:
        one.sendall(b"s")
        while one.recv(1 << 20):
            pass


def _send(vm: Machine) -> None:
    """Until the guest has read all of it and closed."""
    with vm.vsock.connect(PORT) as one:
        one.sendall(b"r")
        data = bytes(1 << 20)
        for _ in range(TRANSFER_BYTES >> 20):
            one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        one.recv(1)


def _connect(vm: Machine) -> None:
    for _ in range(CONNECTIONS):
        with vm.vsock.connect(PORT) as one:
            one.sendall(b"x")
            one.recv(1)
