"""Stock kernels in networks that they share: names, bulk, the world, a switch that is killed."""

import hashlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guest.test_network import CONFIGURE, SECONDS, answer_with_digest
from tests.machine.test_networks import free_port
from tests.ui.programs import hospes
from tests.worker.homes import own_home, switches_of

from hospes.guests.store import Image
from hospes.manager.networks import create_network, inspect_network

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

MEBIBYTES = 4
PORT = 9000
LISTEN = f"""
rm -f /tmp/got
(nc -l -p {PORT} -e sh -c 'sha256sum >/tmp/got' &) >/dev/null 2>&1 </dev/null
until netstat -ltn | grep -q :{PORT}; do :; done"""
HEARD = "until [ -s /tmp/got ]; do sleep 0.1; done; cat /tmp/got"
ADDRESSED6 = """
until ip -6 addr show dev eth0 | grep 'scope global' | grep -qv tentative; do sleep 0.1; done
"""
DATA = f"dd if=/dev/urandom of=/tmp/data bs=1M count={MEBIBYTES} 2>/dev/null"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, own_home(place, patch) as path:
        yield path


@pytest.fixture(scope="module")
def published() -> int:
    return free_port()


class Guest:
    """A machine in a process of its own, as users have them."""

    def __init__(self, name: str, *words: str) -> None:
        self.name = name
        done = hospes("run", "tiny", "--name", name, "-d", *words)
        assert done.returncode == 0, done.stderr

    def run(self, command: str, *, check: bool = True) -> str:
        """What a command prints; with check, it has to succeed."""
        done = hospes("exec", self.name, "--", command)
        assert not check or done.returncode == 0, (command, done)
        return done.stdout

    def fails(self, command: str) -> bool:
        """Whether a command does."""
        return hospes("exec", self.name, "--", command).returncode != 0


@pytest.fixture(scope="module")
def guests(tiny: Image, home: Path, published: int) -> dict[str, Guest]:
    """Web and db in the network lab, and one in another."""
    create_network("lab", "10.7.0.0/24", {"db": "10.7.0.50"}, allow_host=True)
    create_network("other", "10.8.0.0/24", {}, isolated=True)
    lab, port = ("--network", "switch:lab"), f"{published}:{PORT}"
    made = {
        "web": Guest("web", *lab, "--publish", port),
        "db": Guest("db", *lab),
        "far": Guest("far", "--network", "switch:other"),
    }
    for guest in made.values():
        guest.run(CONFIGURE.replace("ip route add", "[ -z $router ] || ip route add"))
    return made


def carried(sender: Guest, receiver: Guest, command: str, to: str) -> None:
    """What a command says on one guest arrives at the other, byte for byte."""
    sender.run(DATA)
    want = sender.run(f"({command}) | sha256sum")
    receiver.run(LISTEN)
    # The program itself writes to the connection: what nc passes on comes in small pieces.
    sender.run(f"nc {to} {PORT} -e sh -c '{command}'")
    assert receiver.run(HEARD) == want


def test_they_know_each_other_by_name(guests: dict[str, Guest]) -> None:
    web, db = guests["web"], guests["db"]
    assert "inet 10.7.0.2/24" in web.run("ip addr show dev eth0")
    assert "inet 10.7.0.50/24" in db.run("ip addr show dev eth0")
    assert "3 packets received" in web.run("ping -c 3 -i 0.2 db.internal")
    assert "1 packets received" in db.run("ping -c 1 web")
    assert "name = db.internal" in web.run("nslookup 10.7.0.50")
    assert "NXDOMAIN" in web.run("nslookup far.internal", check=False)
    for guest in (web, db):
        guest.run(ADDRESSED6)
    db.run("ping -6 -c 1 host.internal")  # It has shown the IPv6 address that it gave itself.
    assert "1 packets received" in web.run("ping -6 -c 1 db.internal")


def test_bulk_arrives_whole_and_in_long_frames(guests: dict[str, Guest]) -> None:
    web, db = guests["web"], guests["db"]
    before = inspect_network("lab").machines[1]
    carried(db, web, "for n in 1 2 3 4; do dd if=/tmp/data bs=256k; done 2>/dev/null", "web")
    after = inspect_network("lab").machines[1]
    sent = after.bytes_sent - before.bytes_sent
    assert sent > 4 * MEBIBYTES << 20
    assert sent / (after.frames_sent - before.frames_sent) > 2 * 1500
    carried(web, db, "cat /tmp/data", "10.7.0.50")


def test_other_networks_are_out_of_reach(guests: dict[str, Guest]) -> None:
    far = guests["far"]
    for target in ("10.7.0.2", "10.7.0.50"):
        assert far.fails(f"ping -c 1 -W 1 {target}")
    far.run("ip route add default via 10.8.0.1")
    before = inspect_network("lab")
    for target in ("10.7.0.2", "10.7.0.50"):
        assert far.fails(f"ping -c 1 -W 1 {target}")
    after = inspect_network("lab")
    assert [one.frames_received for one in before.machines] == [
        one.frames_received for one in after.machines
    ]
    assert "1 packets received" in far.run("ping -c 1 10.8.0.1")


def test_the_world_is_reached_and_reaches_them(guests: dict[str, Guest], published: int) -> None:
    web, db = guests["web"], guests["db"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer_with_digest, args=(listening,), daemon=True).start()
        to = listening.getsockname()[1]
        said = db.run(f"echo hello | nc 10.7.0.1 {to}")
        assert said == hashlib.md5(b"hello\n").hexdigest()
        assert guests["far"].fails(f"nc -w 2 10.8.0.1 {to} </dev/null")
    web.run(LISTEN)
    data = os.urandom(1 << 20)
    with socket.create_connection(("127.0.0.1", published), SECONDS) as client:
        client.sendall(data)
    got = web.run(HEARD)
    assert got.split()[0] == hashlib.sha256(data).hexdigest()


def test_connections_outlive_a_killed_switch(guests: dict[str, Guest], home: Path) -> None:
    web, db = guests["web"], guests["db"]
    process = inspect_network("lab").process
    counted = inspect_network("lab").machines[1].bytes_sent

    def kill() -> None:
        while inspect_network("lab").machines[1].bytes_sent - counted < MEBIBYTES << 20:
            time.sleep(0.02)
        os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    carried(db, web, "for n in 1 2 3 4 5; do cat /tmp/data; sleep 0.2; done", "web")
    killer.join(SECONDS)
    assert inspect_network("lab").process not in (process, None)
    assert len(switches_of(home)) == 2
