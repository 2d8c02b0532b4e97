"""Register dispatch."""

import pytest

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.device import Device, Reg, RegArray


class Panel(Device):
    compatible, size = "hospes,panel", 0x100
    plain = Reg(0x00, reset=7)
    upper = Reg(0x04)
    sink = Reg(0x08)
    wide = Reg(0x10, 8, partial=True)
    row = RegArray(0x20, 2, count=4, stride=8)
    seen: list[int]
    value: int = 0x1122_3344_5566_7788

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def read_upper(self) -> int:
        return self.plain >> 16

    def write_sink(self, value: int) -> None:
        self.seen.append(value)

    def read_wide(self) -> int:
        return self.value

    def write_wide(self, value: int) -> None:
        self.value = value

    def read_row(self, index: int) -> int:
        return 100 + index

    def write_row(self, index: int, value: int) -> None:
        self.seen.append(index << 16 | value)


def test_plain_register_stores_and_is_masked() -> None:
    panel = Panel()
    assert panel.read(0, 4) == 7
    panel.write(0, 4, 0x1_2345_6789)
    assert panel.read(0, 4) == panel.plain == 0x2345_6789
    assert panel.read(4, 4) == 0x2345


def test_one_sided_registers() -> None:
    panel = Panel()
    panel.write(4, 4, 1)
    panel.write(8, 4, 2)
    assert panel.read(8, 4) == 0
    assert panel.seen == [2]


def test_partial_access_reads_and_merges() -> None:
    panel = Panel()
    assert panel.read(0x14, 4) == 0x1122_3344
    assert panel.read(0x11, 1) == 0x77
    panel.write(0x14, 4, 0xAAAA_BBBB)
    panel.write(0x10, 1, 0xFF)
    assert panel.value == 0xAAAA_BBBB_5566_77FF


def test_rows() -> None:
    panel = Panel()
    assert [panel.read(0x20 + 8 * index, 2) for index in range(4)] == [100, 101, 102, 103]
    panel.write(0x38, 2, 5)
    assert panel.seen == [3 << 16 | 5]


@pytest.mark.parametrize(
    ("offset", "size"), [(0, 2), (2, 4), (0, 8), (0x16, 4), (0x22, 2), (0x40, 2), (0xC, 4)]
)
def test_what_is_no_register(offset: int, size: int) -> None:
    with pytest.raises(GuestError, match="hospes,panel has no"):
        Panel().read(offset, size)
    with pytest.raises(GuestError, match="hospes,panel has no"):
        Panel().write(offset, size, 0)


def test_snapshot_holds_plain_registers_and_annotated_fields() -> None:
    panel, other = Panel(), Panel()
    panel.write(0, 4, 9)
    panel.write(8, 4, 3)
    wire.restore(other, wire.encode(panel))
    assert other.read(0, 4) == 9
    assert other.seen == [3]
    assert set(wire.state_fields(Panel)) == {"plain", "seen", "value"}
