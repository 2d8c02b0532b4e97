"""User-mode NAT under a stock kernel: a guest's programs and servers of the host, both ways."""

import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.machine.test_networks import free_port

from hospes import Machine
from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

SECONDS = 120.0
MEBIBYTES = 16
GUEST_PORT = 8000
# What busybox's DHCP client leaves to a script of the system's.
CONFIGURE = """
cat >/tmp/bound <<'E'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
ip route add default via $router
for one in $dns; do echo nameserver $one; done >/etc/resolv.conf
E
chmod +x /tmp/bound
ip link set lo up; ip link set eth0 up
udhcpc -q -f -n -i eth0 -s /tmp/bound && ip addr show dev eth0"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """A web server that says nothing of it."""

    def log_message(self, *words: object) -> None:
        """Nothing."""


def answer_with_digest(listening: socket.socket) -> None:
    """Take one connection to its end, and then say what came."""
    connection, _ = listening.accept()
    digest = hashlib.md5()
    with connection:
        while data := connection.recv(1 << 20):
            digest.update(data)
        connection.sendall(digest.hexdigest().encode())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A web server on the host's loopback: its port, and the directory that it shows."""
    place = tmp_path_factory.mktemp("www")
    (place / "data").write_bytes(os.urandom(MEBIBYTES << 20))
    handler = partial(Handler, directory=str(place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made.server_address[1], place
        made.shutdown()


@pytest.fixture(scope="module")
def published() -> int:
    """The host's port that leads to the guest's."""
    return free_port()


@pytest.fixture(scope="module")
def vm(tiny: Image, published: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    capture = tmp_path_factory.mktemp("capture") / "out.pcap"
    with Machine(
        "tiny", network="nat", allow_host=True, publish=[f"{published}:{GUEST_PORT}"],
        capture=capture,
    ) as machine:  # fmt: skip
        assert "inet 10.0.2.15/24" in machine.run(CONFIGURE, SECONDS, check=True).stdout
        yield machine
    assert capture.stat().st_size > MEBIBYTES << 20
    assert machine.remarks == ()


def test_pings_and_names(vm: Machine) -> None:
    assert "3 packets received" in vm.run("ping -c 3 -i 0.2 10.0.2.2", SECONDS).stdout
    assert "10.0.2.2" in vm.run("nslookup host.internal", SECONDS).stdout


def test_a_download_arrives_whole(vm: Machine, server: tuple[int, Path]) -> None:
    port, place = server
    digest = hashlib.md5((place / "data").read_bytes()).hexdigest()
    got = vm.run(f"wget -q -O - http://10.0.2.2:{port}/data | md5sum", SECONDS, check=True)
    assert got.stdout.split()[0] == digest


def test_an_upload_arrives_whole_and_is_answered_after_its_end(vm: Machine) -> None:
    make = f"dd if=/dev/urandom of=/tmp/data bs=1M count={MEBIBYTES}; md5sum /tmp/data"
    digest = vm.run(make, SECONDS, check=True).stdout.split()[0]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer_with_digest, args=(listening,), daemon=True).start()
        send = f"nc 10.0.2.2 {listening.getsockname()[1]} </tmp/data; rm /tmp/data"
        assert vm.run(send, SECONDS, check=True).stdout == digest


def test_many_connections_one_after_the_other(vm: Machine, server: tuple[int, Path]) -> None:
    port, place = server
    (place / "small").write_text("small\n")
    script = f"for n in $(seq 100); do wget -q -O - http://10.0.2.2:{port}/small; done | uniq -c"
    assert vm.run(script, SECONDS, check=True).stdout.split() == ["100", "small"]


def test_a_refusal(vm: Machine) -> None:
    refused = vm.run(f"wget -q -O - http://10.0.2.2:{free_port()}/", SECONDS)
    assert refused.exit_code == 1
    assert "refused" in refused.stderr


def test_a_published_port_leads_to_the_guest(vm: Machine, published: int) -> None:
    serve = f"nc -l -p {GUEST_PORT} -e sh -c 'read line; echo got $line'"
    heard = f"until netstat -ltn | grep -q :{GUEST_PORT}; do :; done"
    vm.run(f"({serve} &) >/dev/null 2>&1 </dev/null; {heard}", SECONDS, check=True)
    with closing(socket.create_connection(("127.0.0.1", published), SECONDS)) as client:
        client.sendall(b"hello\n")
        client.settimeout(SECONDS)
        assert client.makefile("rb").read() == b"got hello\n"


def test_the_host_is_out_of_reach_unless_it_is_allowed(tiny: Image) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, Machine("tiny", network="nat") as vm:
        vm.run(CONFIGURE, SECONDS, check=True)
        port = listening.getsockname()[1]
        assert vm.run(f"nc -w 3 10.0.2.2 {port} </dev/null", SECONDS).exit_code == 1
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
        assert "packets received" in vm.run("ping -c 1 10.0.2.2", SECONDS).stdout
