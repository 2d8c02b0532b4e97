"""The finisher register."""

import pytest

from hospes.devices.power import PowerEvent, PowerKind, TestFinisher


@pytest.mark.parametrize(
    ("value", "event"),
    [
        (0x5555, PowerEvent(PowerKind.OFF)),
        (0x3333, PowerEvent(PowerKind.OFF, 1)),
        (0x0007_3333, PowerEvent(PowerKind.OFF, 7)),
        (0x7777, PowerEvent(PowerKind.RESET)),
    ],
)
def test_finisher_values(value: int, event: PowerEvent) -> None:
    events: list[PowerEvent] = []
    TestFinisher(events.append).write(0, 4, value)
    assert events == [event]


def test_half_word_writes_work_and_other_values_do_nothing() -> None:
    events: list[PowerEvent] = []
    device = TestFinisher(events.append)
    device.write(0, 4, 0x1234)
    assert device.read(0, 4) == 0
    device.write(0, 2, 0x7777)
    assert events == [PowerEvent(PowerKind.RESET)]
