"""A network card under a stock kernel's own driver, joined to a host that the test plays."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.guest.kernel_log import COMMAND, LINE
from tests.guest.network_peer import MAC as MAC_OF_PEER
from tests.guest.network_peer import SINK_PORT, SOURCE_PORT, Peer

from hospes import Machine
from hospes.devices.virtio.net import STATUS, VirtioNet
from hospes.guests.store import Image
from hospes.spec.net import NetworkKind, NetworkSpec

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

SECONDS = 120.0
DATA = random.Random(5).randbytes(10_000_000)
DIGEST = hashlib.sha256(DATA).hexdigest()
MAC = "02:00:00:12:34:56"
UP = "ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip addr show dev eth0"
ERROR_LEVEL = 3
FEATURES_OFFERED = (0, 1, 2, 5, 7, 8, 11, 12, 15, 16, 17, 18, 19, 22, 23, 28, 29, 32, 34, 40)
# What a stack drops for want of someone who takes it is no error.
COUNTS = "cd /sys/class/net/eth0/statistics; grep -v ^0 *_errors || echo none"


def errors(raw: str) -> list[str]:
    """The lines of a kernel's log that are errors or worse."""
    lines = [(line, LINE.match(line)) for line in raw.splitlines()]
    return [line for line, match in lines if match and int(match[1]) & 7 <= ERROR_LEVEL]


@dataclass
class Pair:
    """A guest and what it is joined to."""

    vm: Machine
    peer: Peer

    def run(self, command: str) -> str:
        return self.vm.run(command, SECONDS, check=True).stdout

    @property
    def card(self) -> VirtioNet:
        card = self.vm.core._powered.board.network
        assert card is not None
        return card


@pytest.fixture(scope="module")
def pair(tiny: Image) -> Iterator[Pair]:
    peers: list[Peer] = []

    def open_network(spec: NetworkSpec, ring, remark) -> Peer:
        peers.append(Peer(DATA, ring))
        return peers[-1]

    network = NetworkSpec(NetworkKind.NAT, MAC)
    with Machine("tiny", cpus=2, network=network, open_network=open_network) as vm:
        pair = Pair(vm, peers[0])
        assert f"link/ether {MAC}" in pair.run(UP)
        assert "inet 10.0.2.15/24" in pair.run("ip addr show dev eth0")
        yield pair
        assert errors(pair.run(COMMAND)) == []
        assert pair.run(COUNTS) == "none\n"
        assert pair.card.counts.sent_dropped == 0
    assert len(peers) == 1
    assert peers[0].closed


def test_the_driver_takes_what_is_offered(pair: Pair) -> None:
    device = "/sys/class/net/eth0/device"
    assert pair.run(f"cat {device}/device {device}/../device").split() == ["0x0001", "0x1041"]
    bits = pair.run(f"cat {device}/features").strip()
    assert tuple(n for n, bit in enumerate(bits) if bit == "1") == FEATURES_OFFERED
    queues = pair.run("ls /sys/class/net/eth0/queues").split()
    assert queues == ["rx-0", "rx-1", "tx-0", "tx-1"]
    assert pair.card.settings.pairs == 2
    assert pair.peer.offloads == [7]
    name = pair.run(f"readlink -f {device}").strip().rpartition("/")[2]
    assert pair.run(f"grep -c {name}-.*put /proc/interrupts").strip() == "4"


def test_pings(pair: Pair) -> None:
    for size in (0, 56, 1472):
        said = pair.run(f"ping -c 3 -i 0.2 -s {size} 10.0.2.2")
        assert "3 packets transmitted, 3 packets received" in said
    assert pair.vm.run("ping -c 1 -W 1 10.0.2.3", SECONDS).exit_code == 1


def test_ten_megabytes_to_the_guest(pair: Pair) -> None:
    """In frames of 60,000 bytes, which the driver takes as they are."""
    before = pair.card.counts.received_frames
    assert pair.run(f"nc 10.0.2.2 {SOURCE_PORT} </dev/null | sha256sum").split()[0] == DIGEST
    assert pair.card.counts.received_frames - before < 2000


def test_ten_megabytes_from_the_guest(pair: Pair) -> None:
    pair.run(f"nc 10.0.2.2 {SOURCE_PORT} </dev/null >/tmp/data")
    pair.run(f"nc 10.0.2.2 {SINK_PORT} -e cat /tmp/data; rm /tmp/data")
    assert pair.peer.digests == [DIGEST]
    assert (1, 1) in pair.peer.kinds
    assert pair.peer.longest > 30_000


def test_datagrams(pair: Pair) -> None:
    pair.peer.data = DATA[:1_000_000]
    digest = hashlib.sha256(pair.peer.data).hexdigest()
    got = pair.run("cd /tmp; tftp -g -b 1400 -r data 10.0.2.2; sha256sum data")
    assert got.split()[0] == digest
    pair.run("cd /tmp; tftp -p -b 1400 -l data -r data 10.0.2.2; rm data")
    assert hashlib.sha256(pair.peer.uploaded).hexdigest() == digest


def test_the_cable_is_pulled_and_put_back(pair: Pair) -> None:
    carrier = "cat /sys/class/net/eth0/carrier"
    for up in (False, True):
        pair.peer.plug(up)
        pair.run(f"until [ $({carrier}) = {int(up)} ]; do sleep 0.1; done")
    assert pair.card.driver_features & STATUS
    assert "1 packets received" in pair.run("ping -c 1 10.0.2.2")


def test_a_frame_for_another_card_is_seen_only_when_the_driver_asks_for_all(pair: Pair) -> None:
    others = bytes.fromhex("020000000099")
    frame = bytes(12) + others + MAC_OF_PEER + b"\x88\xb5" + bytes(60)
    for mode in ("off", "on", "off"):
        pair.run(f"ip link set eth0 promisc {mode}")
        before = pair.card.counts.received_frames
        pair.vm.core._call(lambda: pair.peer.queue.append(frame))
        pair.peer.ring()
        pair.run("ping -c 1 10.0.2.2")
        assert not pair.peer.queue
        assert pair.card.counts.received_frames - before == (mode == "on") + 1
        assert pair.card.settings.promiscuous == (mode == "on")


def test_a_new_address_and_a_driver_that_goes_and_comes(pair: Pair) -> None:
    other = "02:00:00:00:00:77"
    pair.run(f"ip link set eth0 down; ip link set eth0 address {other}; ip link set eth0 up")
    assert pair.card.settings.mac.hex(":") == other
    assert "1 packets received" in pair.run("ping -c 1 10.0.2.2")
    pair.run("rmmod virtio_net; modprobe virtio_net; until [ -d /sys/class/net/eth0 ]; do :; done")
    assert pair.card.settings.mac.hex(":") == MAC
    pair.run(f"{UP}; until [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do :; done")
    assert "1 packets received" in pair.run("ping -c 1 10.0.2.2")
