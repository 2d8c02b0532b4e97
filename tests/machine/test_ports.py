"""Sockets joined to a guest's ports, with a driver reduced to what opens and closes them."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hospes.base.errors import HospesError, PortBusy
from hospes.base.loop import Loop
from hospes.devices.virtio.ports import VirtioPorts
from hospes.machine.link import BUFFER_BYTES, Link
from hospes.machine.ports import Ports
from hospes.memory.space import Memory
from hospes.spec.ports import AGENT_PORT, PORT_NAMES, STREAM_PORTS

STREAM = STREAM_PORTS[0]


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop("test loop")
    yield made
    made.close()


def until(true: Callable[[], object]) -> None:
    limit = time.monotonic() + 10
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.001)


class Guest:
    """The machine's thread, with the device itself."""

    def __init__(self, loop: Loop) -> None:
        self.memory = Memory(1 << 20)
        self.ports = Ports(lambda: loop, lambda: None)
        self.device = VirtioPorts(self.memory, PORT_NAMES)

    def open(self, name: str = STREAM) -> tuple[socket.socket, Link]:
        client = self.ports.open(self.device, name)
        client.settimeout(10)
        link = self.device._ends[PORT_NAMES.index(name)]
        assert isinstance(link, Link)
        return client, link

    def state(self, name: str = STREAM):
        return self.device.ports[PORT_NAMES.index(name)]


@pytest.fixture
def guest(loop: Loop) -> Iterator[Guest]:
    made = Guest(loop)
    yield made
    made.ports.close()
    made.memory.close()


def test_a_megabyte_each_way(guest: Guest) -> None:
    client, link = guest.open()
    sent = bytes(range(256)) * 4096
    writer = threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(1)))
    writer.start()
    got = bytearray()
    while not link.ended:
        assert link.input_waiting <= BUFFER_BYTES + 64 * 1024
        got += link.take(3000)
    writer.join()
    assert got == sent
    back = bytearray()
    reader = threading.Thread(target=lambda: [back.extend(x) for x in iter(
        lambda: client.recv(5000), b"")])
    reader.start()
    at = 0
    while at < len(sent):
        at += link.put(sent[at : at + min(link.room, 7000)])
    link.finish()
    reader.join()
    assert back == sent
    client.close()


def test_a_client_that_does_not_read_makes_the_guest_wait(guest: Guest) -> None:
    client, link = guest.open()
    at = 0
    limit = time.monotonic() + 0.3
    while time.monotonic() < limit:
        at += link.put(bytes(min(link.room, 10_000)))
    assert link.room == 0
    assert at < 2 << 20
    assert sum(len(data) for data in iter(lambda: _read_some(client), b"")) == at
    client.close()


def _read_some(client: socket.socket) -> bytes:
    client.settimeout(0.2)
    try:
        return client.recv(1 << 16)
    except TimeoutError:
        return b""


def test_the_guest_closes_with_input_unread(guest: Guest) -> None:
    """The client reads an end, and no error; what it still writes is refused."""
    client, link = guest.open()
    client.sendall(b"never taken")
    until(lambda: link.input_waiting)
    client.sendall(b"nor this")
    link.put(b"last words")
    link.finish()
    assert client.recv(100) == b"last words"
    assert client.recv(100) == b""
    with pytest.raises(BrokenPipeError):
        client.sendall(b"too late")
    client.close()


def test_a_client_that_has_gone_lets_the_guest_write(guest: Guest) -> None:
    client, link = guest.open()
    client.close()
    until(lambda: link.ended)
    for _ in range(100):
        until(lambda: link.room)
        link.put(bytes(10_000))
    link.finish()
    assert link.closed.wait(10)


def test_busy_until_closed_for_good(guest: Guest) -> None:
    client, link = guest.open()
    with pytest.raises(PortBusy, match=STREAM):
        guest.open()
    client.shutdown(socket.SHUT_WR)
    until(lambda: link.ended)
    with pytest.raises(PortBusy):
        guest.open()
    client.close()
    guest.open()[0].close()


def test_a_stream_is_busy_while_the_guest_has_not_got_everything(guest: Guest) -> None:
    client, _ = guest.open()
    guest.state().guest_open = True
    client.sendall(b"for the guest")
    client.close()
    with pytest.raises(PortBusy):
        guest.open()


def test_a_stream_is_busy_while_an_old_reader_has_it_open_but_the_agents_port_is_not(
    guest: Guest,
) -> None:
    for name in (STREAM, AGENT_PORT):
        client, link = guest.open(name)
        guest.state(name).guest_open = True
        client.close()
        until(lambda link=link: link.ended)
        guest.device.tick()
        assert link.closed.wait(10)
    with pytest.raises(PortBusy, match="still open in the guest"):
        guest.open()
    guest.open(AGENT_PORT)[0].close()


def test_the_agents_port_can_be_opened_again_at_once(guest: Guest) -> None:
    guest.state(AGENT_PORT).guest_open = True
    for _ in range(50):
        client, _ = guest.open(AGENT_PORT)
        client.sendall(b"left over")
        client.close()
    client, link = guest.open(AGENT_PORT)
    client.sendall(b"new")
    until(lambda: link.input_waiting)
    assert link.take(100) == b"new"
    client.close()


def test_names(guest: Guest) -> None:
    with pytest.raises(HospesError, match=r"no port 'com1'.* org\.hospes\.stream\.23"):
        guest.open("com1")
    with pytest.raises(HospesError, match="ports=True"):
        guest.ports.open(None, STREAM)


def test_the_machine_stops(guest: Guest) -> None:
    clients = [guest.open(name)[0] for name in PORT_NAMES[:3]]
    for link in list(guest.device._ends.values()):
        link.put(b"the rest")
    guest.device.close()
    assert [client.recv(100) + client.recv(100) for client in clients] == [b"the rest"] * 3


def test_a_client_that_never_reads_does_not_hold_up_the_end(guest: Guest) -> None:
    client, link = guest.open()
    limit = time.monotonic() + 0.3
    while time.monotonic() < limit:
        link.put(bytes(min(link.room, 10_000)))
    began = time.monotonic()
    guest.ports.close()
    assert time.monotonic() - began < 5
    assert link.closed.is_set()
    client.close()


def test_when_the_guests_clock_may_be_wrong(loop: Loop) -> None:
    told: list[int] = []
    ports = Ports(lambda: loop, lambda: None, lambda: told.append(1))
    memory = Memory(1 << 20)
    device = VirtioPorts(memory, PORT_NAMES)
    ports.watch(device)
    ports.time_stood_still(device)
    device.on_guest_open(STREAM)
    assert told == []
    device.on_guest_open(AGENT_PORT)
    assert len(told) == 1
    device.ports[PORT_NAMES.index(AGENT_PORT)].guest_open = True
    ports.time_stood_still(device)
    assert len(told) == 2
    ports.watch(None)
    ports.time_stood_still(None)
    assert len(told) == 2
    memory.close()
