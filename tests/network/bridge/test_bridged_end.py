"""A card in a bridged network, with stand-ins for the bridge and the network's process."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.network.bridge import bridged_end
from hospes.network.bridge.bridged_end import BridgedEnd
from hospes.network.bridge.ports import passed, port_of
from hospes.network.ethernet import frame
from hospes.network.lan.directory import LanDirectory
from hospes.network.statistics import Passed
from hospes.spec.lan import LanSpec

MAC = "02:00:00:00:00:07"
OWN, OTHER = (
    frame(b"\xff" * 6, bytes((2, 0, 0, 0, 0, number)), b"\x88\xb5", b"x") for number in (7, 8)
)


class Place:
    """The cable to the network's process."""

    address = "10.7.0.3"
    closed = 0

    def __init__(self, *words: object, **others: object) -> None:
        pass

    def close(self) -> None:
        type(self).closed += 1


class Port:
    """The device in the bridge."""

    def __init__(self, device: str, bridge: str, **others: object) -> None:
        self.device, self.bridge = device, bridge
        self.sent: list[bytes] = []

    def send(self, frames: Sequence[bytes]) -> None:
        self.sent += frames


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridged_end, "CableEnd", Place)
    monkeypatch.setattr(bridged_end, "Tap", Port)
    monkeypatch.setattr(bridged_end, "find_program", lambda name: "")
    monkeypatch.setattr(Place, "closed", 0)


def directory(path: Path, **wishes: bool) -> LanDirectory:
    made = LanDirectory(path)
    made.fill(LanSpec(subnet="10.7.0.0/24", ipv6="fd00:7::/64", bridge="hp-lab", **wishes))
    return made


@pytest.mark.parametrize("strict", [False, True])
def test_who_is_strict_sends_from_the_cards_own_address(
    stand_ins: None, tmp_path: Path, strict: bool
) -> None:
    end = BridgedEnd(directory(tmp_path, strict=strict), MAC, "web")
    end.send([OWN, OTHER, OWN])
    port = end._port
    assert isinstance(port, Port)
    assert port.sent == ([OWN, OWN] if strict else [OWN, OTHER, OWN])
    assert (port.device, port.bridge) == ("hp020000000007", "hp-lab")


def test_without_a_port_there_is_no_place(
    stand_ins: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **others: object) -> None:
        raise HospesError("no")

    monkeypatch.setattr(bridged_end, "Tap", refuse)
    with pytest.raises(HospesError, match="no"):
        BridgedEnd(directory(tmp_path), MAC, "web")
    assert Place.closed == 1


def test_what_has_passed_is_seen_from_the_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = bytes((2, 0, 0, 0, 0, 7))
    monkeypatch.setattr("hospes.network.bridge.ports.DEVICES", tmp_path)
    assert passed(card) == Passed()
    counts = tmp_path / port_of(card) / "statistics"
    counts.mkdir(parents=True)
    for name, count in (("rx_packets", 1), ("rx_bytes", 2), ("tx_packets", 3), ("tx_bytes", 4)):
        (counts / name).write_text(f"{count}\n")
    (counts / "tx_dropped").write_text("5\n")
    assert passed(card) == Passed(1, 2, 3, 4, 5)
