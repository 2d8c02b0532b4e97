"""Records: there and back, as files and as messages, and what is none."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.base.record import pack, read_record, unpack, write_record


@dataclass(frozen=True)
class Thing:
    """Something with a path."""

    name: str
    place: Path | None = None
    more: tuple[Path, ...] = ()


THING = Thing("one", Path("/a b"), (Path("c"),))


def test_there_and_back(tmp_path: Path) -> None:
    assert unpack(pack(THING), Thing) == THING
    write_record(tmp_path / "thing.json", THING)
    assert read_record(tmp_path / "thing.json", Thing) == THING
    assert [path.name for path in tmp_path.iterdir()] == ["thing.json"]


def test_nothing_there(tmp_path: Path) -> None:
    assert read_record(tmp_path / "thing.json", Thing) is None


@pytest.mark.parametrize("data", [b"", b"{", b'{"name": 1}', b'{"name": "x", "place": 3}', b"\xff",
                                  b'{"x":' * 9000])  # fmt: skip
def test_damage_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "thing.json").write_bytes(data)
    with pytest.raises(HospesError, match=r"thing\.json is damaged"):
        read_record(tmp_path / "thing.json", Thing)
    with pytest.raises(HospesError, match="should be Thing is not"):
        unpack(data, Thing)
