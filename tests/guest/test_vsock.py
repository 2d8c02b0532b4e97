"""Stock Debian's kernel and python3 talk with the host over vsock, both ways."""

import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.guest.images import image

from hospes.api import Machine
from hospes.base.errors import HospesError

pytestmark = pytest.mark.guest

IMAGE: Final = "userland"
SCRIPT: Final = Path(__file__).parent / "scripts" / "vsock.py"
PORT, PACKET_PORT = 1000, 1001
BOOT_SECONDS: Final = 300
SECONDS: Final = 240
MIB: Final = 1 << 20
PIECE: Final = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine in which the script listens; its Unix socket is beside `door`."""
    image(IMAGE)
    door = tmp_path_factory.mktemp("vsock") / "door"
    with Machine(IMAGE, vsock=door) as vm:
        vm.run(f"cat >/root/v.py <<'END'\n{SCRIPT.read_text()}END\n", BOOT_SECONDS, check=True)
        vm.run("python3 /root/v.py >/root/log 2>&1 &", check=True)
        with vm.vsock.connect(PORT, timeout=BOOT_SECONDS):
            yield vm
        print(vm.run("cat /root/log").stdout)
    assert not door.exists()


def asked(vm: Machine, line: str) -> socket.socket:
    """A connection whose first line says what is wanted."""
    client = vm.vsock.connect(PORT)
    client.settimeout(SECONDS)
    client.sendall(f"{line}\n".encode())
    return client


def rest(client: socket.socket) -> bytes:
    """All until the end."""
    with client:
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_echo_and_half_close(vm: Machine) -> None:
    client = asked(vm, "echo")
    client.sendall(b"there and back")
    assert client.recv(100) == b"there and back"
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert rest(client) == b"last words"


def test_16_mib_to_the_guest(vm: Machine) -> None:
    data = b"".join(number.to_bytes(4) + PIECE[4:] for number in range(16 * MIB // len(PIECE)))
    client = asked(vm, "sink")
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    assert int(rest(client)) == zlib.crc32(data)


def test_16_mib_from_the_guest(vm: Machine) -> None:
    data = rest(asked(vm, f"source {16 * MIB}"))
    assert len(data) == 16 * MIB
    for number in range(0, 256):
        piece = data[number * 65536 : (number + 1) * 65536]
        assert piece == number.to_bytes(4, "big") + PIECE[4:]


def test_the_guest_calls_the_host(vm: Machine) -> None:
    with vm.vsock.listen(7000) as listener:
        client = asked(vm, "call 7000")
        with listener.accept(SECONDS) as called:
            assert b"".join(iter(lambda: called.recv(100), b"")) == b"guest here"
            called.sendall(b"host here")
        assert rest(client) == b"host here"
    assert rest(asked(vm, "call 7000")) == b"ECONNRESET"


def test_the_guest_calls_a_unix_socket(vm: Machine) -> None:
    door = vm.spec.vsock.socket
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{door}_7001")
        server.listen()
        server.settimeout(SECONDS)
        client = asked(vm, "call 7001")
        called, _ = server.accept()
        with called:
            assert called.recv(100) == b"guest here"
            called.sendall(b"by a Unix socket")
        assert rest(client) == b"by a Unix socket"


def test_a_unix_socket_leads_to_the_guest(vm: Machine) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(str(vm.spec.vsock.socket))
        client.sendall(f"CONNECT {PORT}\necho\nat once".encode())
        client.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: client.recv(100), b""))
    assert said.startswith(b"OK 1")
    assert said.endswith(b"\nat once")


def test_nobody_listens_there(vm: Machine) -> None:
    with pytest.raises(HospesError, match="port 4321"):
        vm.vsock.connect(4321, timeout=0.3)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(vm.spec.vsock.socket))
        client.sendall(b"CONNECT 4321\n")
        assert client.recv(10) == b""


def test_messages_keep_their_boundaries(vm: Machine) -> None:
    with vm.vsock.connect(PACKET_PORT, packets=True) as client:
        client.settimeout(SECONDS)
        for message in (b"a", b"bc" * 30_000, b"def"):
            client.send(message)
            assert client.recv(70_000) == message[::-1]
    with vm.vsock.listen(7002, packets=True) as listener:
        client = asked(vm, "call 7002 packets")
        with listener.accept(SECONDS) as called:
            assert called.recv(100) == b"guest here"
            called.send(b"one")
        assert rest(client) == b"one"


def test_200_connections_at_once(vm: Machine) -> None:
    """Those of the host first, all open together; then as many of the guest's."""
    clients = [asked(vm, "echo") for _ in range(200)]
    for number, client in enumerate(clients):
        client.sendall(number.to_bytes(4))
    for number, client in enumerate(clients):
        assert client.recv(4) == number.to_bytes(4)
        client.close()
    with vm.vsock.listen(7003) as listener:
        client = asked(vm, "many 200 7003")
        called = [listener.accept(SECONDS) for _ in range(200)]
        for one in called:
            one.settimeout(SECONDS)
            one.sendall((int.from_bytes(one.recv(4)) + 1).to_bytes(4))
        assert rest(client) == b"200"
        for one in called:
            one.close()


def test_a_reader_that_sleeps_makes_the_guest_wait(vm: Machine) -> None:
    client = asked(vm, f"source {4 * MIB}")
    other = asked(vm, "echo")
    other.sendall(b"others go on")
    assert other.recv(100) == b"others go on"
    other.close()
    assert len(rest(client)) == 4 * MIB


def test_a_pause_loses_nothing(vm: Machine) -> None:
    client = asked(vm, "echo")
    vm.pause()
    client.sendall(b"while it sleeps")
    threading.Timer(0.3, vm.resume).start()
    assert client.recv(100) == b"while it sleeps"
    client.close()
