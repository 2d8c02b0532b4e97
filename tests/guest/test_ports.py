"""Streams between the host and programs in a stock Linux, over the console with many ports."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from hospes import Machine
from hospes.base.errors import HospesError, PortBusy
from hospes.guests.store import Image
from hospes.spec.ports import PORT_NAMES, STREAM_PORTS

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

BIG_BYTES = 20_000_000
SECONDS = 120.0
LINKS = """
    mkdir -p /dev/virtio-ports; cd /sys/class/virtio-ports
    for port in *; do ln -sf /dev/$port /dev/virtio-ports/$(cat $port/name); done
    ls /dev/virtio-ports"""


@pytest.fixture(scope="module")
def vm(tiny: Image) -> Iterator[Machine]:
    with Machine("tiny", ports=True) as machine:
        listed = machine.run(LINKS, SECONDS, check=True).stdout.split()
        assert set(PORT_NAMES) <= set(listed)
        machine.run("head -c 1000000 /dev/urandom >/tmp/some", SECONDS, check=True)
        yield machine


@pytest.fixture
def together(vm: Machine) -> Callable[[str], Callable[[], str]]:
    """Runs a command in the guest beside the test; the result waits for its output."""

    def start(command: str) -> Callable[[], str]:
        output: list[str] = []
        thread = threading.Thread(
            target=lambda: output.append(vm.run(command, SECONDS).stdout), daemon=True
        )
        thread.start()

        def join() -> str:
            thread.join(SECONDS)
            return output[0]

        return join

    return start


def dev(name: str) -> str:
    return f"/dev/virtio-ports/{name}"


def connect(vm: Machine, name: str) -> socket.socket:
    client = vm.open_port(name)
    client.settimeout(SECONDS)
    return client


def read_all(client: socket.socket) -> bytes:
    with client:
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_twenty_megabytes_to_the_guest(vm: Machine, together) -> None:
    name, data = STREAM_PORTS[0], os.urandom(BIG_BYTES)
    with connect(vm, name) as client:
        digest = together(f"md5sum <{dev(name)}")
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert digest().split()[0] == hashlib.md5(data).hexdigest()


def test_twenty_megabytes_to_the_host(vm: Machine, together) -> None:
    name = STREAM_PORTS[1]
    vm.run(f"while cat /tmp/some; do :; done 2>/dev/null | head -c {BIG_BYTES} >/tmp/big", SECONDS)
    client = connect(vm, name)
    written = together(f"cat /tmp/big >{dev(name)}; md5sum </tmp/big")
    data = read_all(client)
    assert len(data) == BIG_BYTES
    assert hashlib.md5(data).hexdigest() == written().split()[0]


def test_a_port_is_used_again_and_again(vm: Machine) -> None:
    """What a client sends before anybody in the guest listens is there, and then the end."""
    name = STREAM_PORTS[2]
    for number in range(5):
        text = b"%d\n" % number
        client = connect(vm, name)
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        with pytest.raises(PortBusy):
            vm.open_port(name)
        assert vm.run(f"cat {dev(name)}; cat {dev(name)}", SECONDS).stdout_bytes == text
        assert read_all(client) == b""
        client = connect(vm, name)
        vm.run(f"echo {number} >{dev(name)}", SECONDS, check=True)
        assert read_all(client) == text


def test_nothing_of_an_earlier_client_reaches_a_later_one(vm: Machine) -> None:
    name = STREAM_PORTS[3]
    for text in (b"earlier", b"later"):
        client = connect(vm, name)
        client.sendall(text)
        client.close()
    assert vm.run(f"cat {dev(name)}", SECONDS).stdout_bytes == b"later"


def test_a_guest_that_does_not_read_makes_the_host_wait(vm: Machine, together) -> None:
    name, gate = STREAM_PORTS[4:6]
    client, closed_gate = connect(vm, name), connect(vm, gate)
    counted = together(f"exec 3<{dev(name)}; cat {dev(gate)}; wc -c <&3")
    client.settimeout(0.5)
    sent = 0
    with suppress(TimeoutError):
        while sent < BIG_BYTES:
            sent += client.send(bytes(50_000))
    assert sent < 2_000_000
    client.shutdown(socket.SHUT_WR)
    closed_gate.close()
    assert int(counted()) == sent
    client.close()


def test_a_host_that_does_not_read_makes_the_guest_wait(vm: Machine, together) -> None:
    name = STREAM_PORTS[7]
    client = connect(vm, name)
    written = together(f"cat /tmp/some /tmp/some /tmp/some >{dev(name)} & sleep 1; "
                       "kill -0 $! && echo waits; wait; md5sum /tmp/some")
    held = threading.Event()
    held.wait(2)
    data = read_all(client)
    assert len(data) == 3_000_000
    digest = hashlib.md5(data[:1_000_000]).hexdigest()
    assert written().split()[:2] == ["waits", digest]


def test_all_streams_at_once_in_both_directions(vm: Machine, together) -> None:
    size = 200_000
    names = STREAM_PORTS[8:]
    clients = {name: connect(vm, name) for name in names}
    echo = "\n".join(f"cat <>{dev(name)} >&0 &" for name in names)
    done = together(f"{echo}\nwait; echo done")
    data = {name: os.urandom(size) for name in names}
    for name, client in clients.items():
        threading.Thread(target=client.sendall, args=(data[name],), daemon=True).start()
    for name, client in clients.items():
        got = bytearray()
        while len(got) < size:
            got += client.recv(1 << 16)
        assert got == data[name]
        client.close()
    assert done() == "done\n"


def test_a_reboot_ends_what_is_open(tiny: Image) -> None:
    with Machine("tiny", ports=True) as vm:
        client = connect(vm, STREAM_PORTS[0])
        vm.session.ready(SECONDS)
        with pytest.raises(HospesError):
            vm.run("reboot -f", SECONDS)
        assert client.recv(1) == b""
        assert vm.session.ready(SECONDS)
        again = connect(vm, STREAM_PORTS[0])
    assert again.recv(1) == b""
