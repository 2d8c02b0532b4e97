"""The kernel's own TCP/IP as the guest, in a network namespace: what a real guest would see."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.network.namespace import Bell, KernelGuest, ip, needs_namespaces

from hospes.network.plan import Plan
from hospes.network.published import Publication
from hospes.network.user_network import UserNetwork

pytestmark = needs_namespaces
BULK_BYTES = 50 << 20
HOSTS = ("10.0.2.2", "fd00::2")

CLIENT = """
import hashlib, socket, sys
host, port, what, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
with socket.create_connection((host, port)) as client:
    client.sendall(what.encode())
    seen = hashlib.sha256()
    if what == "u":
        block, left = bytes(range(256)) * 4096, count
        while left:
            piece = block[:left]
            client.sendall(piece)
            seen.update(piece)
            left -= len(piece)
    client.shutdown(socket.SHUT_WR)
    if what == "d":
        while data := client.recv(1 << 20):
            seen.update(data)
        print(seen.hexdigest())
    else:
        print(client.recv(64).decode() == seen.hexdigest())
"""

PARALLEL = """
import socket, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clients = [socket.create_connection((host, port)) for _ in range(count)]
for number, client in enumerate(clients):
    client.sendall(b"e" + str(number).encode() * 100)
    client.shutdown(socket.SHUT_WR)
good = 0
for number, client in enumerate(clients):
    answer = b""
    while data := client.recv(4096):
        answer += data
    good += answer == str(number).encode() * 100
    client.close()
print(good)
"""

PING = """
import os, socket, struct, sys
six = ":" in sys.argv[1]
family = socket.AF_INET6 if six else socket.AF_INET
pinger = socket.socket(family, socket.SOCK_RAW, 58 if six else 1)
pinger.settimeout(5)
data = b"x" * int(sys.argv[2])
head = struct.pack(">BBHHH", 128 if six else 8, 0, 0, 77, 1)
total = sum(struct.unpack(">%dH" % (len(head + data) // 2), head + data))
total = (total & 0xFFFF) + (total >> 16)
head = head[:2] + struct.pack(">H", (total ^ 0xFFFF) & 0xFFFF) + head[4:]
pinger.sendto(head + data, (sys.argv[1], 0))
while True:
    answer = pinger.recv(70000)
    answer = answer if six else answer[20:]
    if answer[0] in (0, 129) and answer[4:8] == head[4:8]:
        print(answer[8:] == data)
        break
"""

ERROR = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    print("connected")
except OSError as error:
    print(error.errno)
"""

DATAGRAM = """
import socket, sys
client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
data = bytes(range(256)) * 40
client.sendto(data, (sys.argv[1], int(sys.argv[2])))
print(client.recv(70000) == data)
"""

SERVER = """
import socket
with socket.create_server(("0.0.0.0", 8080)) as server:
    print("ready", flush=True)
    with server.accept()[0] as client:
        received = b""
        while data := client.recv(1 << 16):
            received += data
        client.sendall(received[::-1])
"""


class Server:
    """On the host's loopback, both IPs at one port: bytes for d, their sum for u, echo for e."""

    def __init__(self) -> None:
        self.sum = hashlib.sha256()
        four = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = four.getsockname()[1]
        six = socket.create_server(("::1", self.port), family=socket.AF_INET6, backlog=256)
        self._sockets = [four, six]
        for each in self._sockets:
            threading.Thread(target=self._accept, args=(each,), daemon=True).start()

    def close(self) -> None:
        for each in self._sockets:
            each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client = server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            what = client.recv(1)
            if what == b"d":
                for _ in range(BULK_BYTES >> 20):
                    client.sendall(block())
            seen = hashlib.sha256()
            while data := client.recv(1 << 18):
                seen.update(data)
                if what == b"e":
                    client.sendall(data)
            if what == b"u":
                client.sendall(seen.hexdigest().encode())


def block() -> bytes:
    return bytes(range(255)) * 4112 + bytes(16)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module", params=[7, 0], ids=["offloads", "plain"])
def guest(request) -> Iterator[KernelGuest]:
    bell = Bell()
    network = UserNetwork(Plan(allow_host=True), ring=bell.ring)
    made = KernelGuest(network, bell, request.param)
    with made:
        made.give_addresses()
        yield made
    network.close()
    bell.close()
    assert made.name not in ip("netns", "list")
    assert not Path("/sys/class/net", made.device).exists()
    assert network.statistics.malformed == 0


@pytest.mark.parametrize("host", HOSTS)
def test_bulk_up(guest: KernelGuest, server: Server, host: str) -> None:
    assert guest.run(CLIENT, host, str(server.port), "u", str(BULK_BYTES)) == "True\n"


@pytest.mark.parametrize("host", HOSTS)
def test_bulk_down(guest: KernelGuest, server: Server, host: str) -> None:
    want = hashlib.sha256(block() * (BULK_BYTES >> 20)).hexdigest()
    assert guest.run(CLIENT, host, str(server.port), "d", "0").strip() == want


@pytest.mark.parametrize("host", HOSTS)
def test_many_connections_at_once(guest: KernelGuest, server: Server, host: str) -> None:
    assert guest.run(PARALLEL, host, str(server.port), "200").strip() == "200"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("size", [56, 4000])
def test_ping(guest: KernelGuest, host: str, size: int) -> None:
    assert guest.run(PING, host, str(size)) == "True\n"


def test_refusals(guest: KernelGuest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    refused, unreachable = str(111), str(113)
    assert guest.run(ERROR, "10.0.2.2", port).strip() == refused
    assert guest.run(ERROR, "fd00::2", port).strip() == refused
    assert guest.run(ERROR, "10.0.2.77", "80").strip() == unreachable


@pytest.mark.parametrize("host", HOSTS)
def test_large_datagrams(guest: KernelGuest, host: str) -> None:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as echo:
        echo.bind(("::1" if ":" in host else "127.0.0.1", 0))
        echo.settimeout(10)
        process = guest.start(DATAGRAM, host, str(echo.getsockname()[1]))
        data, client = echo.recvfrom(70000)
        echo.sendto(data, client)
        assert process.communicate(timeout=20)[0] == "True\n"


def test_a_published_port(guest: KernelGuest) -> None:
    network = guest._network
    published = network.publish(Publication("tcp", "127.0.0.1", 0, "10.0.2.15", 8080))
    process = guest.start(SERVER)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    data = os.urandom(1 << 20)
    with socket.create_connection(("127.0.0.1", published.port)) as client:
        client.settimeout(30)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
    assert answer == data[::-1]
    assert process.wait(10) == 0
    network.withdraw(published)


def test_the_kernel_believes_the_router(guest: KernelGuest) -> None:
    """It makes itself an address from the advertised prefix, and takes the route."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        addresses = guest.ip("-6", "address", "show", "dev", guest.device)
        routes = guest.ip("-6", "route", "show", "default")
        if "fd00::" in addresses.replace("fd00::15", "") and "proto ra" in routes:
            return
        time.sleep(0.5)
    pytest.fail(f"no address or route of the router's: {addresses} {routes}")
