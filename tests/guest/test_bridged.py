"""Stock kernels in networks that are bridges of the host: names, the world, and who is kept out."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guest.debian import PATIENT
from tests.guest.images import image
from tests.guest.test_network import CONFIGURE
from tests.guest.test_network_debian import IMAGE, PACKAGES
from tests.network.bridge.hosts import HOST4, HOST6, WORLD4, WORLD6, Host, host, needs_bridges
from tests.network.namespace import ip
from tests.worker.homes import own_home

from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, needs_bridges]

PORT = 9000
CONFIGURED = CONFIGURE.replace("ip route add", "[ -z $router ] || ip route add")
ROUTED6 = "until ip -6 route | grep -q default; do sleep 0.1; done"
WHO_ASKS = f"""
import socket
with socket.create_server(("::", {PORT}), family=socket.AF_INET6, dualstack_ipv6=True) as listening:
    print("listens", flush=True)
    while True:
        connection, (address, *_) = listening.accept()
        with connection:
            connection.sendall(address.removeprefix("::ffff:").encode() + b"\\n")
"""
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as client:
    print(client.recv(100).decode(), end="")
"""
FETCH = """
import hashlib, socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 20) as client:
    client.shutdown(socket.SHUT_WR)
    digest = hashlib.sha256()
    while data := client.recv(1 << 20):
        digest.update(data)
print(digest.hexdigest())
"""


SERVE = f"""
import hashlib, socket
data = bytes(range(256)) * (1 << 10)
with socket.create_server(("", {PORT + 1})) as listening:
    print("listens", flush=True)
    connection, _ = listening.accept()
    digest = hashlib.md5()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
        for _ in range(256):
            digest.update(data)
            connection.sendall(data)
print(digest.hexdigest(), flush=True)
"""


PLACES = {
    "web": ("switch:lab", "--publish", "8080:9001"),
    "db": ("switch:lab",),
    "far": ("switch:other",),
    "alone": ("switch:alone",),
}


class Guests:
    """A host with machines in its networks, started when they are first needed."""

    def __init__(self, made: Host) -> None:
        self.host = made
        self.started: list[str] = []

    def run(self, name: str, command: str) -> str:
        """What a command prints, which has to succeed."""
        done = self._execute(name, command)
        assert done.returncode == 0, (command, done)
        return done.stdout

    def fails(self, name: str, command: str) -> bool:
        """Whether a command does."""
        return self._execute(name, command).returncode != 0

    def start(self, name: str) -> None:
        """Have it run, with its address."""
        if name in self.started:
            return
        words = ("run", "tiny", "--name", name, "-d", "--network", *PLACES[name])
        done = self.host.hospes(*words)
        assert done.returncode == 0, done
        self.started.append(name)
        self.run(name, CONFIGURED)

    def _execute(self, name: str, command: str) -> subprocess.CompletedProcess[str]:
        self.start(name)
        return self.host.hospes("exec", name, "--", command)


@pytest.fixture(scope="module")
def guests(tiny: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, host() as made, own_home(place, patch):
        before = made.state()
        for words in (
            ("lab", "--subnet", "10.7.0.0/24", "--lease", "db=10.7.0.50"),
            ("other", "--subnet", "10.8.0.0/24", "--allow-host"),
            ("alone", "--subnet", "10.9.0.0/24", "--isolated"),
        ):
            said = made.hospes("network", "create", "--bridge", *words)
            assert said.returncode == 0, said
        guests = Guests(made)
        guests.start("web")
        guests.start("db")
        yield guests
        made.hospes("rm", "-f", *guests.started)
        assert made.hospes("network", "rm", "lab", "other", "alone").returncode == 0
        assert made.state() == before


@pytest.fixture(scope="module")
def world(guests: Guests) -> Iterator[None]:
    """A server in the world that says who it sees."""
    process = guests.host.python(WHO_ASKS, where=guests.host.world)
    assert process.stdout is not None
    assert process.stdout.readline() == "listens\n"
    yield
    process.kill()
    process.communicate()


def test_they_know_each_other_by_name(guests: Guests) -> None:
    assert "inet 10.7.0.3/24" in guests.run("web", "ip addr show dev eth0")
    assert "inet 10.7.0.50/24" in guests.run("db", "ip addr show dev eth0")
    assert "3 packets received" in guests.run("web", "ping -c 3 -i 0.2 db.internal")
    assert "1 packets received" in guests.run("db", "ping -c 1 web")
    assert "1 packets received" in guests.run("db", "ping -c 1 10.7.0.1")


def test_the_world_sees_the_host(guests: Guests, world: None) -> None:
    assert guests.run("web", f"nc {WORLD4} {PORT} </dev/null") == f"{HOST4}\n"
    guests.run("web", ROUTED6)
    assert guests.run("web", f"nc {WORLD6} {PORT} </dev/null") == f"{HOST6}\n"


def test_the_host_reaches_them_and_the_world_does_not(guests: Guests) -> None:
    ip("-n", guests.host.world, "route", "replace", "10.7.0.0/24", "via", HOST4)
    guests.run("db", "(while nc -l -p 9003 -e echo here; do :; done &) >/dev/null 2>&1 </dev/null; "
                     "until netstat -ltn | grep -q :9003; do :; done")  # fmt: skip
    for where, said in (("", "here\n"), (guests.host.world, ""), ("", "here\n")):
        asked = guests.host.python(ASK, "10.7.0.50", "9003", where=where)
        got, errors = asked.communicate(timeout=60)
        assert got == said, errors
        assert bool(said) or "No route to host" in errors or "denied" in errors, errors


def test_an_isolated_network_has_no_way_out(guests: Guests, world: None) -> None:
    assert "default" not in guests.run("alone", "ip route")
    guests.run("alone", "ip route add default via 10.9.0.1")
    assert "1 packets received" in guests.run("alone", "ping -c 1 10.9.0.1")
    for target in (WORLD4, "10.7.0.50"):
        assert guests.fails("alone", f"ping -c 1 -W 1 {target}")
    assert guests.fails("alone", f"nc -w 2 {WORLD4} {PORT} </dev/null")


@pytest.mark.soak
def test_a_whole_debian_is_part_of_it(guests: Guests, tmp_path: Path) -> None:
    """Its own systemd-networkd and resolver, bulk with the world, and what was written down."""
    image(IMAGE, PACKAGES)
    capture = tmp_path / "lab.pcap"
    words = ("--name", "whole", "-d", "--network", "switch:lab", "--pcap", str(capture))
    made = guests.host.hospes("run", IMAGE, *words, "--append", PATIENT)
    assert made.returncode == 0, made
    guests.started.append("whole")
    assert guests.run("whole", "systemctl is-system-running --wait").strip() == "running"
    assert "inet 10.7.0." in guests.run("whole", "ip -4 addr show scope global")
    assert guests.run("whole", "dig +short db.internal").strip() == "10.7.0.50"
    guests.run("whole", "ping -c 2 -i 0.2 web.internal")
    assert "Welcome to nginx" in guests.run("web", "wget -q -O - http://whole.internal/")
    server = guests.host.python(SERVE, where=guests.host.world)
    assert server.stdout is not None
    assert server.stdout.readline() == "listens\n"
    got = guests.run("whole", f"curl -sS http://{WORLD4}:{PORT + 1}/ | md5sum")
    assert server.stdout.readline().strip() == got.split()[0]
    server.communicate()
    assert guests.host.hospes("stop", "whole").returncode == 0
    if shutil.which("tshark"):
        words = ("-r", str(capture), "-Y", "_ws.malformed || dns.flags.rcode == 1")
        asked = subprocess.run(["tshark", *words], capture_output=True, text=True, check=True)
        assert asked.stdout == ""
        assert capture.stat().st_size > 64 << 20


@pytest.mark.soak
def test_other_networks_do_not_reach_them(guests: Guests) -> None:
    assert guests.fails("far", "ping -c 1 -W 1 10.7.0.50")
    assert guests.fails("web", "ping -c 1 -W 1 10.8.0.3")
    assert "1 packets received" in guests.run("far", f"ping -c 1 {WORLD4}")


@pytest.mark.soak
def test_the_host_is_reached_where_that_is_allowed(guests: Guests) -> None:
    server = guests.host.python(WHO_ASKS.replace(str(PORT), "9002"))
    assert server.stdout is not None
    assert server.stdout.readline() == "listens\n"
    try:
        assert guests.run("far", "nc 10.8.0.1 9002 </dev/null") == "10.8.0.3\n"
        for address in ("10.7.0.1", HOST4, "10.8.0.1"):
            assert guests.fails("web", f"nc -w 2 {address} 9002 </dev/null")
    finally:
        server.kill()
        server.communicate()


@pytest.mark.soak
def test_a_published_port_carries_bulk(guests: Guests) -> None:
    guests.run("web", "dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null")
    want = guests.run("web", "sha256sum /tmp/data").split()[0]
    guests.run("web", "(nc -l -p 9001 -e cat /tmp/data &) >/dev/null 2>&1 </dev/null; "
                      "until netstat -ltn | grep -q :9001; do :; done")  # fmt: skip
    got, errors = guests.host.python(FETCH, "127.0.0.1", "8080").communicate(timeout=60)
    assert got.strip() == want, errors
    assert want != hashlib.sha256().hexdigest()


@pytest.mark.soak
def test_a_firewall_and_the_cable(guests: Guests, world: None) -> None:
    ask = f"nc -w 2 {WORLD4} {PORT} </dev/null"
    for change, restore in (
        (("firewall", "db", "--deny", "out"), ("firewall", "db", "--reset")),
        (("link", "db", "down"), ("link", "db", "up")),
    ):
        assert guests.host.hospes(*change).returncode == 0
        assert guests.fails("db", ask)
        assert guests.host.hospes(*restore).returncode == 0
        # Linux takes notice of a carrier once a second, and neighbours were not found meanwhile.
        again = f"for n in $(seq 50); do {ask} 2>/dev/null && break; sleep 0.1; done"
        assert guests.run("db", again) == f"{HOST4}\n"
