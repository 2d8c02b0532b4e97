"""State of annotated objects: round trips, versions, damage."""

from typing import Any, ClassVar

import msgspec
import pytest

from hospes.base import wire
from hospes.base.errors import HospesError


class Lamp:
    version: ClassVar[int] = 2
    level: int = 0
    name: str = "lamp"
    history: list[int]
    raw: bytes = b""

    def __init__(self) -> None:
        self.history = []
        self.cache = object()

    @staticmethod
    def upgrade_state(values: dict[str, Any], version: int) -> dict[str, Any]:
        assert version == 1
        return {**values, "raw": b"new"}


def test_round_trip_takes_annotated_fields_only() -> None:
    lamp, other = Lamp(), Lamp()
    lamp.level, lamp.history, lamp.raw = 2**64 - 1, [1, 2], b"\0\xff"
    wire.restore(other, wire.encode(lamp))
    assert (other.level, other.history, other.raw) == (2**64 - 1, [1, 2], b"\0\xff")
    assert set(wire.state_fields(Lamp)) == {"level", "name", "history", "raw"}


def test_older_version_is_upgraded() -> None:
    data = msgspec.msgpack.encode(["Lamp", 1, {"level": 3, "name": "x", "history": []}])
    lamp = Lamp()
    wire.restore(lamp, data)
    assert (lamp.level, lamp.raw) == (3, b"new")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xc1", "damaged"),
        (b"\x93\xa4Lamp\x02\x81\xa1a" + b"\x91" * 9000, "damaged"),
        (msgspec.msgpack.encode(["Lamp", 2, {"level": "x"}]), "fields history, name, raw"),
        (msgspec.msgpack.encode(["Door", 2, {}]), "is of Door, not of Lamp"),
        (msgspec.msgpack.encode(["Lamp", 3, {}]), "has version 3"),
        (
            msgspec.msgpack.encode(
                ["Lamp", 2, {"level": "x", "name": "", "history": [], "raw": b""}]
            ),
            "damaged",
        ),
    ],
)
def test_bad_state_is_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(HospesError, match=words):
        wire.restore(Lamp(), data)
