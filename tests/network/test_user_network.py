"""A network with real sockets on the host's loopback, and the guest's frames by hand."""

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.network.frames import (
    ACK,
    GATEWAY4,
    GUEST4,
    RST,
    SYN,
    WORLD4,
    icmp4,
    ip,
    see,
    tcp,
    udp,
)
from tests.network.guest_tcp import GuestTcp

from hospes.base.clock import HostClock
from hospes.base.errors import HospesError
from hospes.network.host_address import OwnAddresses
from hospes.network.limits import Limits
from hospes.network.plan import Plan
from hospes.network.published import Publication
from hospes.network.user_network import UserNetwork, affordable

PATIENCE_SECONDS = 20


class Guest:
    """The card's end: waits for frames."""

    def __init__(self, plan: Plan, **more) -> None:
        self.rung = threading.Event()
        self.remarks: list[str] = []
        self.network = UserNetwork(plan, ring=self.rung.set, remark=self.remarks.append, **more)

    def send(self, *frames: bytes) -> None:
        self.network.send(frames)

    def frames(self) -> list[bytes]:
        """At least one frame, or none after PATIENCE_SECONDS."""
        self.rung.wait(PATIENCE_SECONDS)
        self.rung.clear()
        return self.network.receive(1000)

    def carry(self, connection: GuestTcp) -> None:
        """Both ends talk until the guest's is done."""
        connection.closing = True
        self.send(connection.syn())
        end = time.monotonic() + PATIENCE_SECONDS
        while not connection.done and not connection.reset and time.monotonic() < end:
            for frame in self.frames():
                self.send(*connection.deliver(frame))
            self.send(*connection.transmit())
            connection.unread = 0


@pytest.fixture
def guest() -> Iterator[Guest]:
    made = Guest(Plan(allow_host=True))
    yield made
    made.network.close()


def serve_once(received: list[bytes], answer: bytes) -> int:
    """A server for one connection, which answers when all has come; returns its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server, server.accept()[0] as connection:
            while data := connection.recv(1 << 16):
                received.append(data)
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("offloads", [0, 7])
def test_a_conversation_over_tcp(guest: Guest, offloads: int) -> None:
    received: list[bytes] = []
    answer = os.urandom(300_000)
    port = serve_once(received, answer)
    guest.network.accept(offloads)
    connection = GuestTcp(os.urandom(200_000), 12345, 100_000, remote=(GATEWAY4, port))
    guest.carry(connection)
    assert b"".join(received) == connection.data
    assert connection.received == answer
    assert connection.done


def test_a_port_where_nobody_listens(guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    guest.send(tcp((GUEST4, 4000), (GATEWAY4, port), 100, 0, SYN))
    (frame,) = guest.frames()
    assert see(frame).tcp[:3] == (0, 101, RST | ACK)
    assert guest.network.connections == 0


def test_the_hosts_reset_is_the_guests() -> None:
    guest = Guest(Plan(allow_host=True))
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = GuestTcp(b"x", 5, 1000, remote=(GATEWAY4, server.getsockname()[1]))
        guest.send(connection.syn())
        accepted = server.accept()[0]
        for frame in guest.frames():
            guest.send(*connection.deliver(frame))
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        for frame in guest.frames():
            connection.deliver(frame)
    assert connection.reset
    guest.network.close()


def test_datagrams_and_a_port_where_nobody_listens(guest: Guest) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE_SECONDS)
        port = server.getsockname()[1]
        guest.send(udp((GUEST4, 4000), (GATEWAY4, port), b"question"))
        data, client = server.recvfrom(100)
        assert data == b"question"
        server.sendto(b"answer", client)
        (frame,) = guest.frames()
        seen = see(frame)
        assert (seen.valid, seen.source, seen.ports) == (True, GATEWAY4, (port, 4000))
        assert seen.udp_data == b"answer"
    guest.send(udp((GUEST4, 4000), (GATEWAY4, port), b"question"))
    seen = see(guest.frames()[0])
    assert (seen.valid, seen.payload[:2]) == (True, b"\x03\x03")


def test_a_published_port_of_tcp(guest: Guest) -> None:
    asked = Publication("tcp", "127.0.0.1", 0, "10.0.2.15", 22)
    published = guest.network.publish(asked)
    assert guest.network.publications == [published]
    guest.send(udp((GUEST4, 1), (bytes((10, 0, 2, 3)), 9), b""))  # shows its MAC address
    guest.frames()
    with socket.create_connection(("127.0.0.1", published.port)) as client:
        seen = see(guest.frames()[0])
        assert (seen.source, seen.ports[1], seen.tcp[2]) == (GATEWAY4, 22, SYN)
        assert seen.ports[0] == client.getsockname()[1]
        back = (GATEWAY4, seen.ports[0])
        guest.send(tcp((GUEST4, 22), back, 0, seen.tcp[0] + 1, RST | ACK))
        client.settimeout(PATIENCE_SECONDS)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    guest.network.withdraw(published)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", published.port))
    with pytest.raises(HospesError, match="nothing to remove"):
        guest.network.withdraw(published)


def test_a_published_port_of_udp(guest: Guest) -> None:
    published = guest.network.publish(Publication("udp", "127.0.0.1", 0, "10.0.2.15", 53))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.sendto(b"question", ("127.0.0.1", published.port))
        seen = see(guest.frames()[-1])
        assert (seen.ports[1], seen.udp_data) == (53, b"question")
        guest.send(udp((GUEST4, 53), (GATEWAY4, seen.ports[0]), b"answer"))
        assert client.recvfrom(100) == (b"answer", ("127.0.0.1", published.port))


def test_a_port_that_is_taken_is_named_with_a_remedy(guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = Publication("tcp", "127.0.0.1", port, "10.0.2.15", 22)
        with pytest.raises(HospesError, match=rf"127\.0\.0\.1:{port} .*another program has it"):
            guest.network.publish(taken)
    foreign = Publication("tcp", "192.0.2.1", 0, "10.0.2.15", 22)
    with pytest.raises(HospesError, match=r"the host does not have this address"):
        guest.network.publish(foreign)
    for wrong in ("192.0.2", "nobody"):
        with pytest.raises(HospesError, match="correct it"):
            guest.network.publish(Publication("tcp", wrong, 0, "10.0.2.15", 22))
    for wrong in ("10.0.3.1", "10.0.2.2", "2001:db8::1"):
        with pytest.raises(HospesError, match="name the guest's own"):
            guest.network.publish(Publication("tcp", "127.0.0.1", 0, wrong, 22))
    with pytest.raises(HospesError, match="cannot be published"):
        guest.network.publish(Publication("tcp", "127.0.0.1", 70000, "10.0.2.15", 22))
    assert guest.network.publications == []


def test_the_hosts_own_addresses_are_the_host() -> None:
    own = OwnAddresses(HostClock())
    assert own.is_own(bytes((127, 0, 0, 1)))
    assert not own.is_own(WORLD4)
    assert not own.is_own(b"\xff" * 4)


def test_nothing_is_left_at_the_end() -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    threads = threading.active_count()
    for _ in range(3):
        guest = Guest(Plan(allow_host=True))
        network = guest.network
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            network.publish(Publication("tcp", "127.0.0.1", 0, "10.0.2.15", 22))
            network.publish(Publication("udp", "127.0.0.1", 0, "10.0.2.15", 22))
            for number in range(20):
                guest.send(tcp((GUEST4, 4000 + number), (GATEWAY4, port), 1, 0, SYN))
                guest.send(udp((GUEST4, 4000 + number), (GATEWAY4, 9), b""))
            guest.send(ip(GUEST4, GATEWAY4, 1, icmp4(8, 0, bytes(4))))
            assert guest.frames()
        network.close()
        network.close()
        guest.send(udp((GUEST4, 4000), (GATEWAY4, 9), b""))
        assert network.receive(9) == []
        with pytest.raises(HospesError, match="is closed"):
            network.publish(Publication("tcp", "127.0.0.1", 0, "10.0.2.15", 22))
    assert threading.active_count() == threads
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_guest_that_starts_anew_has_no_connections(guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        guest.send(tcp((GUEST4, 4000), (GATEWAY4, server.getsockname()[1]), 1, 0, SYN))
        accepted = server.accept()[0]
        assert guest.frames()
        assert guest.network.connections == 1
        guest.network.reset()
        accepted.settimeout(PATIENCE_SECONDS)
        with accepted, pytest.raises(ConnectionResetError):
            accepted.recv(1)
    assert (guest.network.connections, guest.network.waiting) == (0, False)


def test_a_cable_that_is_pulled_out(guest: Guest) -> None:
    ping = ip(GUEST4, GATEWAY4, 1, icmp4(8, 0, bytes(4)))
    guest.network.set_link(False)
    assert guest.rung.is_set()
    guest.send(ping)
    assert (guest.network.link_up, guest.network.waiting) == (False, False)
    guest.network.set_link(True)
    guest.send(ping)
    assert guest.network.waiting


def test_a_guest_that_takes_nothing_stops_the_host() -> None:
    limits = Limits(queue_bytes=100_000, connection_bytes=1 << 20)
    guest = Guest(Plan(allow_host=True), limits=limits)
    port = serve_once([], bytes(3_000_000))
    connection = GuestTcp(b"", 5, 1 << 18, remote=(GATEWAY4, port))
    guest.send(connection.syn())
    connection.closing = True
    for frame in guest.frames():
        guest.send(*connection.deliver(frame))
    guest.send(*connection.transmit())
    time.sleep(0.3)
    assert guest.network._cable._bytes < 100_000 + 70_000
    end = time.monotonic() + PATIENCE_SECONDS
    while not connection.done and time.monotonic() < end:
        for frame in guest.frames():
            guest.send(*connection.deliver(frame))
        connection.unread = 0
    assert connection.received == bytes(3_000_000)
    guest.network.close()


def test_limits_follow_the_descriptors_there_are() -> None:
    limits = affordable(Limits(connections=10**9, flows=10**9))
    assert 16 <= limits.connections < 10**9
    assert limits.flows < limits.connections
    assert affordable(Limits(connections=7)).connections == 7
