"""A network's process with cables and no machines: started once, ended, killed, started again."""

import gc
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.machine.test_networks import free_port
from tests.network.frames import see

from hospes.base import unix
from hospes.base.asking import pack_request
from hospes.base.errors import HospesError
from hospes.network import arp, dns, udp
from hospes.network.ethernet import IPV4, frame
from hospes.network.framing import with_length
from hospes.network.ipv4 import header
from hospes.network.lan.cable_end import CableEnd
from hospes.network.lan.connection import ask
from hospes.network.lan.directory import SOCKET_FILE, LanDirectory, plan_of
from hospes.network.lan.messages import LanState, Look, Plug
from hospes.network.udp import Datagram
from hospes.network.vnet import GSO_TCPV4, NEEDS_CSUM, PLAIN, VnetHeader
from hospes.spec.lan import LanSpec
from hospes.spec.net import Publication, mac_bytes

WEB, DB, OTHER = (f"02:00:00:00:00:0{number}" for number in (1, 2, 3))
EVERYBODY = b"\xff" * 6
SECONDS = 20.0
SUBNET, IPV6 = "10.7.0.0/24", "fd00:7::/64"


class Card:
    """A cable's end as a machine has it."""

    def __init__(self, directory: LanDirectory, mac: str, name: str = "") -> None:
        self.mac, self.rung = mac_bytes(mac), threading.Event()
        self.remarks: list[str] = []
        self.end = CableEnd(
            directory, mac, name, ring=self.rung.set, remark=self.remarks.append
        )
        self.end.accept(7)

    @property
    def address(self) -> bytes:
        return socket.inet_aton(self.end.address)

    def send(self, to: "Card | bytes", content: bytes = b"hello") -> None:
        target = to if isinstance(to, bytes) else to.mac
        self.end.send([frame(target, self.mac, b"\x88\xb5", content)])

    def take(self, seconds: float = SECONDS) -> list[bytes]:
        """Frames that have come; none when nothing has in time."""
        deadline = time.monotonic() + seconds
        while not (frames := self.end.receive(1000)) and time.monotonic() < deadline:
            self.rung.wait(0.05)
            self.rung.clear()
        return frames


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Callable[..., LanDirectory]]:
    """Makes networks; nothing of them may run afterwards."""
    made: list[LanDirectory] = []

    def make(name: str = "lab", **values) -> LanDirectory:
        directory = LanDirectory(tmp_path / name)
        directory.path.mkdir()
        directory.fill(LanSpec(**{"subnet": SUBNET, "ipv6": IPV6} | values))
        made.append(directory)
        return directory

    yield make
    for directory in made:
        eventually(lambda directory=directory: not directory.runs)
        assert not (directory.path / SOCKET_FILE).exists()


@pytest.fixture
def plugged() -> Iterator[Callable[..., Card]]:
    made: list[Card] = []

    def plug(*words) -> Card:
        made.append(Card(*words))
        return made[-1]

    yield plug
    for card in made:
        card.end.close()


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state_of(directory: LanDirectory) -> LanState:
    return ask(directory, Look(), LanState)


def test_frames_go_where_they_are_for(network, plugged) -> None:
    directory = network()
    web, db, other = (plugged(directory, mac) for mac in (WEB, DB, OTHER))
    web.send(db)
    assert [one[26:] for one in db.take()] == [b"hello"]
    web.send(EVERYBODY, b"all")
    assert [one[26:] for one in db.take()] == [b"all"]
    assert [one[26:] for one in other.take()] == [b"all"]
    assert web.end.receive(10) == []
    state = state_of(directory)
    assert [one.address for one in state.stations] == ["10.7.0.2", "10.7.0.3", "10.7.0.4"]
    assert [one.frames_sent for one in state.stations] == [2, 0, 0]
    assert [one.frames_received for one in state.stations] == [0, 2, 1]


def test_a_super_segment_and_its_header_arrive_as_they_were(network, plugged) -> None:
    directory = network()
    web, db = plugged(directory, WEB), plugged(directory, DB)
    vnet = VnetHeader(NEEDS_CSUM, GSO_TCPV4, 54, 1448, 34, 16).pack()
    whole = vnet + db.mac + web.mac + os.urandom(65_000)
    web.end.send([whole, whole])
    got: list[bytes] = []
    while len(got) < 2:
        got += db.take() or pytest.fail("nothing came")
    assert got == [whole, whole]


def test_everything_arrives_in_order(network, plugged) -> None:
    directory = network()
    web, db = plugged(directory, WEB), plugged(directory, DB)
    count, got = 3000, []
    sizes = [(number * 7919) % 60_000 for number in range(count)]
    for number, size in enumerate(sizes):
        web.send(db, struct.pack(">I", number) + bytes(size))
        if number % 20 == 19:
            while len(got) <= number:
                got += db.take() or pytest.fail(f"{len(got)} of {number}")
    assert [struct.unpack_from(">I", one, 26)[0] for one in got] == list(range(count))
    assert [len(one) - 30 for one in got] == sizes
    assert state_of(directory).stations[1].dropped == 0


def test_who_takes_nothing_holds_a_bounded_number_of_bytes(network, plugged) -> None:
    directory = network()
    web, db = plugged(directory, WEB), plugged(directory, DB)
    deadline = time.monotonic() + SECONDS
    while not state_of(directory).stations[1].dropped and time.monotonic() < deadline:
        for _ in range(100):
            web.send(db, bytes(60_000))
        time.sleep(0.02)
    assert state_of(directory).stations[1].dropped
    held = 0
    while frames := db.take(0.5):
        held += sum(map(len, frames))
    assert held < 24 << 20  # the sender's, the switch's, the receiver's
    web.send(db, b"again")
    assert db.take()[-1][26:] == b"again"


def test_networks_do_not_see_each_other(network, plugged) -> None:
    web = plugged(network("one"), WEB)
    db, third = (plugged(directory, DB) for directory in (network("two"), network("three")))
    for _ in range(3):
        web.send(EVERYBODY)
        web.send(db)
    assert db.take(0.3) == third.take(0.1) == []


def test_the_gateway_answers(network, plugged) -> None:
    directory = network()
    web, db = plugged(directory, WEB, "web"), plugged(directory, DB, "DB")
    gateway = socket.inet_aton("10.7.0.1")
    web.end.send([arp.request(web.mac, web.address, gateway)])
    (answer,) = web.take()
    assert answer[18:24] == plan_of(directory.spec).mac
    assert look_up(web, "db.internal") == [db.address]
    assert look_up(web, "web") == [web.address]
    assert look_up(web, "nobody.internal") == []
    db.end.close()
    eventually(lambda: len(state_of(directory).stations) == 1)
    assert look_up(web, "db.internal") == []


def look_up(card: Card, name: str) -> list[bytes]:
    """The addresses that the gateway tells of a name."""
    question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + dns.write_name(name)
    question += struct.pack(">HH", dns.A, 1)
    gateway = socket.inet_aton("10.7.0.1")
    content = udp.build(card.address, gateway, Datagram(4000, 53, question))
    packet = header(card.address, gateway, 17, len(content)) + content
    card.end.send([frame(bytes.fromhex("52550a070001"), card.mac, IPV4, packet)])
    (answer,) = card.take()
    seen = see(answer)
    assert seen.valid
    assert seen.udp_data[:2] == b"\0\7"
    count = int.from_bytes(seen.udp_data[6:8])
    return [seen.udp_data[-4:]] if count else []


def test_two_that_are_alike_are_refused(network, plugged) -> None:
    directory = network(subnet="10.7.0.0/30")
    plugged(directory, WEB, "web")
    with pytest.raises(HospesError, match=f"address {WEB} is in the network 'lab' already; give"):
        Card(directory, WEB)
    with pytest.raises(HospesError, match="'web' is in the network 'lab' already; rename"):
        Card(directory, DB, "web")
    with pytest.raises(HospesError, match=r"no address left in 10.7.0.0/30; stop a machine"):
        Card(directory, DB, "db")


def test_who_is_refused_leaves_no_descriptor_open(network, plugged) -> None:
    directory = network()
    plugged(directory, WEB)
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(HospesError, match="already; give"):
        CableEnd(directory, WEB, "")
    gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_one_process_for_all_who_come_at_once(network, plugged) -> None:
    directory = network()
    cards: list[Card] = []
    names = [f"02:00:00:00:01:{number:02x}" for number in range(8)]
    threads = [
        threading.Thread(target=lambda mac=mac: cards.append(plugged(directory, mac)))
        for mac in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(state_of(directory).stations) == len(cards) == 8
    assert len(processes_of(directory)) == 1


def processes_of(directory: LanDirectory) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"hospes.network.lan" in words and os.fsencode(directory.path) in words:
                found.append(int(entry.name))
    return found


def test_it_ends_with_the_last_machine_and_addresses_stay(network) -> None:
    directory = network()
    for _ in range(2):
        other, web = Card(directory, OTHER), Card(directory, WEB, "web")
        assert web.end.address == "10.7.0.3"
        other.end.close()
        web.end.close()
        eventually(lambda: not processes_of(directory))
    later = Card(directory, DB)
    assert later.end.address == "10.7.0.4"
    later.end.close()


def test_a_killed_process_is_followed_by_another(network, plugged) -> None:
    directory = network()
    web, db = plugged(directory, WEB, "web"), plugged(directory, DB, "db")
    port = free_port()
    web.end.publish(Publication("127.0.0.1", port, 80))
    for _ in range(2):
        [process] = processes_of(directory)
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + SECONDS
        while not db.end.receive(10):
            web.send(db)
            time.sleep(0.05)
            assert time.monotonic() < deadline
        assert (web.end.address, db.end.address) == ("10.7.0.2", "10.7.0.3")
        [again] = processes_of(directory)
        assert again != process
    eventually(lambda: any(one.published for one in state_of(directory).stations))
    socket.create_connection(("127.0.0.1", port), SECONDS).close()
    assert web.remarks == db.remarks == []


def test_ports_are_published_until_the_machine_is_gone(network, plugged) -> None:
    directory = network()
    web, db = plugged(directory, WEB), plugged(directory, DB)
    port = free_port()
    wanted = Publication("127.0.0.1", port, 80)
    web.end.publish(wanted)
    assert web.end.publications == (wanted,)
    with pytest.raises(HospesError, match=f"127.0.0.1:{port} cannot be published: another program"):
        db.end.publish(wanted)
    assert db.end.publications == ()
    with socket.create_connection(("127.0.0.1", port), SECONDS):
        assert see(web.take()[0]).kind == 0x0806  # who has the guest's address?
    web.end.withdraw(wanted)
    db.end.publish(wanted)
    db.end.close()
    eventually(lambda: len(state_of(directory).stations) == 1)
    socket.create_server(("127.0.0.1", port)).close()
    with pytest.raises(HospesError, match="is not published"):
        web.end.withdraw(wanted)


def test_a_network_that_is_removed(network, plugged) -> None:
    directory = network()
    web = plugged(directory, WEB)
    directory.path.rename(directory.path.with_name("gone"))
    moved = LanDirectory(directory.path.with_name("gone"))
    os.kill(state_of(moved).process, signal.SIGKILL)
    eventually(lambda: not web.end.link_up)
    assert web.remarks[0].startswith("the machine is cut off from the network 'lab': there is no")
    moved.path.rename(directory.path)
    eventually(lambda: web.end.link_up)


def test_rubbish_ends_a_connection_and_nothing_else(network, plugged) -> None:
    directory = network()
    web, db = plugged(directory, WEB), plugged(directory, DB)
    plug = with_length(pack_request(Plug(OTHER)))
    for said in (b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 100, plug + b"\0\0\0\1x", plug + b"\0\1\1\1"):
        with unix.connect(directory.path / SOCKET_FILE, SECONDS) as connection:
            connection.sendall(said)
            while connection.recv(4096):
                pass
    with unix.connect(directory.path / SOCKET_FILE, SECONDS) as connection:
        connection.sendall(with_length(b"\xc0"))
        assert b"does not understand" in connection.recv(4096)
    web.end.send([PLAIN + db.mac + bytes(6) + b"\0\0", PLAIN + db.mac + db.mac + b"\0\0"])
    web.send(db)
    assert [one[26:] for one in db.take()] == [b"hello"]
    assert state_of(directory).switch["spoofed"] == 2
    assert len(state_of(directory).stations) == 2
