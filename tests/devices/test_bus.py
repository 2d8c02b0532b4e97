"""The bus: look-up, counting, the guard around devices."""

import logging
import timeit

import pytest

from hospes.base.errors import GuestError
from hospes.devices.bus import PAGES_REMEMBERED, Bus
from hospes.devices.device import Device, Reg


class Thing(Device):
    compatible, size = "hospes,thing", 0x2000
    cell = Reg(0x1004)
    bad = Reg(0x0)
    due: int | None = None

    def read_bad(self) -> int:
        raise GuestError("the guest asked for the impossible")

    write_bad = None

    def due_in_ns(self) -> int | None:
        return self.due


def make() -> tuple[Bus, Thing]:
    bus, thing = Bus(), Thing()
    bus.map("thing", 0x1000_0000, thing)
    bus.map("other", 0x1000_4000, Thing(), size=0x100)
    return bus, thing


def test_finds_devices_and_counts() -> None:
    bus, thing = make()
    assert bus.write(0x1000_1004, 4, 42)
    assert bus.read(0x1000_1004, 4) == thing.cell == 42
    assert bus.exits() == {"thing": 2}


def test_absent_addresses_fault() -> None:
    bus, _ = make()
    for gpa in (0, 0x0FFF_FFFF, 0x1000_2000, 0x1000_4100, 0x1000_40FE, 1 << 63, 0x1000_1FFE):
        assert bus.read(gpa, 4) is None
        assert not bus.write(gpa, 4, 0)


def test_guest_errors_are_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    bus, _ = make()
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            assert bus.read(0x1000_0000, 4) == 0
            assert bus.write(0x1000_0800, 4, 1)
    assert bus.mappings[0].guest_errors == 200
    assert len(caplog.records) == 9
    assert "the impossible" in caplog.text


def test_overlap_and_misplacement_are_refused() -> None:
    bus, _ = make()
    with pytest.raises(ValueError, match="overlaps other"):
        bus.map("late", 0x1000_4000, Thing())
    with pytest.raises(ValueError, match="page boundary"):
        bus.map("late", 0x1000_8010, Thing())


def test_devices_move_and_leave() -> None:
    bus, thing = make()
    mapping = bus.attach("guest", thing2 := Thing())
    assert bus.read(0x1001_1004, 4) is None
    bus.place(mapping, 0x1001_0000)
    assert bus.write(0x1001_1004, 4, 7)
    with pytest.raises(ValueError, match="overlaps thing"):
        bus.place(mapping, 0x1000_1000)
    assert bus.read(0x1001_1004, 4) == 7
    bus.place(mapping, 0x1001_1000)
    assert bus.read(0x1001_2004, 4) == thing2.cell == 7
    bus.displace(mapping)
    assert bus.read(0x1001_2004, 4) is None
    assert (mapping.reads, mapping.writes, thing.cell) == (2, 1, 0)


def test_one_behind_answers_where_no_other_does() -> None:
    bus, thing = make()
    behind = Thing()
    bus.map("window", 0x1000_0000, behind, size=0x10_0000, behind=True)
    with pytest.raises(ValueError, match="overlaps window"):
        bus.map("window2", 0x100F_F000, Thing(), behind=True)
    bus.write(0x1000_1004, 4, 5)
    assert (thing.cell, behind.cell) == (5, 0)
    bus.displace(bus.mappings[0])
    bus.write(0x1000_1004, 4, 6)
    assert (thing.cell, behind.cell) == (5, 6)


def test_looking_everywhere_keeps_little() -> None:
    bus, _ = make()
    for page in range(3 * PAGES_REMEMBERED):
        assert bus.read(page << 12, 4) is None
    assert len(bus._pages) <= PAGES_REMEMBERED


def test_due_is_the_earliest() -> None:
    bus, thing = make()
    assert bus.due_in_ns() is None
    thing.due = 30
    assert bus.due_in_ns() == 30


def test_an_access_costs_well_under_five_microseconds() -> None:
    bus, _ = make()
    runs = timeit.repeat(lambda: bus.read(0x1000_1004, 4), number=20_000, repeat=3)
    assert min(runs) / 20_000 < 5e-6
