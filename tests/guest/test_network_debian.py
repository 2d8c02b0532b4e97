"""User-mode NAT under Debian's own tools: curl, dig, iperf3, nginx, ping, ssh; 1 GiB each way."""

import hashlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.guest.debian import PATIENT
from tests.guest.images import image
from tests.machine.test_networks import free_port

from hospes import Machine

pytestmark = [pytest.mark.guest, pytest.mark.soak]

IMAGE = "judge-network"
PACKAGES = ["curl", "bind9-dnsutils", "iperf3", "iputils-ping", "nginx", "openssh-server"]
SECONDS = 600.0
GIBIBYTE = 1 << 30
PIECE = bytes(range(256)) * 4096
CONNECTIONS = 200


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives 1 GiB; of what it is given it tells the digest."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(GIBIBYTE))
        self.end_headers()
        for _ in range(GIBIBYTE // len(PIECE)):
            self.wfile.write(PIECE)

    def do_PUT(self) -> None:
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            data = self.rfile.read(min(left, len(PIECE)))
            digest.update(data)
            left -= len(data)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(digest.hexdigest().encode())

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made.server_address[1]
        made.shutdown()


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    """The host's ports that lead to the guest's nginx and ssh."""
    return {"http": free_port(), "ssh": free_port()}


@pytest.fixture(scope="module")
def vm(ports: dict[str, int]) -> Iterator[Machine]:
    image(IMAGE, PACKAGES)
    publish = [f"{ports['http']}:80", f"{ports['ssh']}:22"]
    with Machine(
        IMAGE, network="nat", allow_host=True, publish=publish, append=PATIENT
    ) as machine:
        machine.run("systemctl is-system-running --wait", SECONDS)
        yield machine


def test_the_system_configures_itself(vm: Machine) -> None:
    assert vm.run("systemctl is-system-running").stdout == "running\n"
    assert "10.0.2.15/24" in vm.run("ip -4 addr show scope global").stdout
    assert "fd00::" in vm.run("ip -6 addr show scope global").stdout


def test_ping(vm: Machine) -> None:
    assert " 0% packet loss" in vm.run("ping -c 20 -i 0.05 10.0.2.2", SECONDS, check=True).stdout
    assert " 0% packet loss" in vm.run("ping -c 3 -s 8000 fd00::2", SECONDS, check=True).stdout


def test_dig(vm: Machine) -> None:
    assert vm.run("dig +short host.internal", SECONDS, check=True).stdout == "10.0.2.2\n"
    assert vm.run("dig +short host.internal AAAA", SECONDS, check=True).stdout == "fd00::2\n"
    assert "NXDOMAIN" in vm.run("dig nobody.internal", SECONDS, check=True).stdout


def test_a_gibibyte_down(vm: Machine, server: int) -> None:
    digest = hashlib.sha256()
    for _ in range(GIBIBYTE // len(PIECE)):
        digest.update(PIECE)
    got = vm.run(f"curl -sS http://10.0.2.2:{server}/ | sha256sum", SECONDS, check=True)
    assert got.stdout.split()[0] == digest.hexdigest()


def test_a_gibibyte_up(vm: Machine, server: int) -> None:
    make = "head -c 64M /dev/urandom >/var/tmp/part; "
    make += "for n in $(seq 16); do cat /var/tmp/part; done >/var/tmp/whole; rm /var/tmp/part"
    vm.run(make, SECONDS, check=True)
    tell = "stat -c %s /var/tmp/whole; sha256sum </var/tmp/whole"
    digest = vm.run(tell, SECONDS, check=True).stdout
    assert digest.split()[0] == str(GIBIBYTE)
    send = f"curl -sS -T /var/tmp/whole http://10.0.2.2:{server}/up; rm /var/tmp/whole"
    assert vm.run(send, SECONDS, check=True).stdout == digest.split()[1]


def test_nginx_serves_200_at_once(vm: Machine, ports: dict[str, int]) -> None:
    assert vm.run("systemctl is-active nginx").stdout == "active\n"
    together = threading.Barrier(CONNECTIONS)

    def fetch(_: int) -> bytes:
        with socket.create_connection(("127.0.0.1", ports["http"]), SECONDS) as link:
            together.wait(SECONDS)
            link.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return link.makefile("rb").read().partition(b"\r\n\r\n")[2]

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        pages = set(pool.map(fetch, range(CONNECTIONS)))
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['http']}/", timeout=SECONDS) as page:
        assert pages == {page.read()}
    assert b"nginx" in pages.pop()


@contextmanager
def iperf3_server() -> Iterator[int]:
    port = free_port()
    with subprocess.Popen(
        ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL
    ) as process:
        yield port
        process.terminate()


@pytest.mark.skipif(
    shutil.which("iperf3") is None,
    reason="there is no iperf3 on the host: install it with 'apt-get install iperf3'",
)
@pytest.mark.parametrize("words", ["", "-R", "-P 8", "-R -P 8", "-u -b 20M"])
def test_iperf3(vm: Machine, words: str) -> None:
    with iperf3_server() as port:
        told = vm.run(f"iperf3 -J -t 4 -c 10.0.2.2 -p {port} {words}", SECONDS)
    result = json.loads(told.stdout)
    assert "error" not in result, result["error"]
    end = result["end"]
    moved = end["sum" if "-u" in words else "sum_received"]
    assert moved["bytes"] > 1 << 20
    if "-u" in words:
        assert moved["lost_percent"] < 5


@pytest.mark.skipif(
    shutil.which("ssh") is None,
    reason="there is no ssh on the host: install it with 'apt-get install openssh-client'",
)
def test_ssh(vm: Machine, ports: dict[str, int], tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    vm.run(f"mkdir -p /root/.ssh && echo '{public}' >>/root/.ssh/authorized_keys", check=True)
    log_in = [
        "ssh", "-i", str(key), "-p", str(ports["ssh"]), "-o", "StrictHostKeyChecking=no",
        "-o", f"UserKnownHostsFile={tmp_path / 'known'}", "-o", "BatchMode=yes", "root@127.0.0.1",
    ]  # fmt: skip
    data = PIECE * 16
    done = subprocess.run(
        [*log_in, "sha256sum; uname -m"],
        input=data, capture_output=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [hashlib.sha256(data).hexdigest().encode(), b"-", b"riscv64"]
