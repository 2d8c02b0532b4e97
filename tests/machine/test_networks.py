"""The network of a machine as its user asked for it: ports, captures, and what cannot be had."""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.machine.cable import Publishing
from hospes.machine.networks import NatNetwork, open_network
from hospes.network import passt
from hospes.spec.net import NetworkKind, NetworkSpec, Publication, TransportKind

CARD = bytes.fromhex("020000000007")
GUEST, ROUTER = bytes((10, 0, 2, 15)), bytes((10, 0, 2, 2))
ARP = struct.pack(">HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, CARD, GUEST, bytes(6), ROUTER)
QUESTION = bytes(12) + b"\xff" * 6 + CARD + b"\x08\x06" + ARP


@pytest.fixture
def remarks() -> list[str]:
    return []


def nat(remarks: list[str], *publish: Publication, capture: Path | None = None) -> NatNetwork:
    spec = NetworkSpec(NetworkKind.NAT, publish=publish, capture=capture)
    return open_network(spec, lambda: None, remarks.append)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of the host that someone has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_ports_come_and_go(remarks: list[str]) -> None:
    first = Publication("127.0.0.1", free_port(), 80)
    network = nat(remarks, first)
    second = Publication("127.0.0.1", free_port(), 53, TransportKind.UDP)
    network.publish(second)
    assert network.publications == (first, second)
    network.withdraw(first)
    assert network.publications == (second,)
    with pytest.raises(HospesError, match="is not published"):
        network.withdraw(first)
    socket.create_server(("127.0.0.1", first.host_port)).close()
    network.close()
    with pytest.raises(HospesError, match="closed"):
        network.publish(first)


def test_a_port_that_is_taken(remarks: list[str], taken: int) -> None:
    other = Publication("127.0.0.1", free_port(), 80)
    with pytest.raises(HospesError, match=f"127.0.0.1:{taken} cannot be published"):
        nat(remarks, other, Publication("127.0.0.1", taken, 80))
    socket.create_server(("127.0.0.1", other.host_port)).close()


def test_a_capture_has_what_passed(remarks: list[str], tmp_path: Path) -> None:
    network = nat(remarks, capture=tmp_path / "out.pcap")
    network.send([QUESTION])
    assert network.waiting
    answers = network.receive(8)
    network.close()
    content = (tmp_path / "out.pcap").read_bytes()
    assert answers
    assert all(frame[12:] in content for frame in (QUESTION, *answers))
    assert remarks == []


def test_a_capture_that_cannot_be_made(remarks: list[str], tmp_path: Path) -> None:
    with pytest.raises(HospesError, match="cannot be made: no such file or directory; name"):
        nat(remarks, capture=tmp_path / "none" / "out.pcap")


def test_a_capture_without_space_ends_and_the_traffic_goes_on(remarks: list[str]) -> None:
    network = nat(remarks, capture=Path("/dev/full"))
    for _ in range(1000):
        network.send([QUESTION])
    assert network.receive(1)
    network.close()
    [remark] = remarks
    assert remark.startswith("the capture /dev/full is not complete: no space left on device")


def test_nothing_is_left_open(remarks: list[str], tmp_path: Path) -> None:
    nat(remarks).close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        nat(remarks, Publication("127.0.0.1", free_port(), 80), capture=tmp_path / "out").close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_what_is_asked_of_passt(
    monkeypatch: pytest.MonkeyPatch, remarks: list[str], tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair()
    asked = []

    def start(publications: list, *, allow_host: bool) -> socket.socket:
        asked.append((publications, allow_host))
        return theirs

    monkeypatch.setattr(passt, "start", start)
    published = Publication("127.0.0.1", 8080, 80, TransportKind.UDP)
    capture = tmp_path / "out.pcap"
    spec = NetworkSpec(
        NetworkKind.PASST, publish=(published,), allow_host=True, capture=capture
    )
    network = open_network(spec, lambda: None, remarks.append)
    assert [str(one) for one in asked[0][0]] == ["udp 127.0.0.1:8080"]
    assert (asked[0][0][0].guest_port, asked[0][1]) == (80, True)
    assert isinstance(network, Publishing)
    assert network.publications == (published,)
    with pytest.raises(HospesError, match=r"start the machine with --publish 8081:80"):
        network.publish(published._replace(host_port=8081))
    with pytest.raises(HospesError, match=r"port 8080 stays as it is.*stop the machine first"):
        network.withdraw(published)
    network.send([QUESTION])
    assert ours.recv(100) == len(QUESTION[12:]).to_bytes(4) + QUESTION[12:]
    ours.close()
    network.close()
    assert capture.read_bytes().count(ARP) == 1
