"""Tables in memory: packing, which sectors are written, what a cache drops."""

from array import array

import pytest
from tests.storage.memory_files import MemoryFile

from hospes.storage.errors import DamagedImageError
from hospes.storage.qcow2.tables import Table, TableCache, pack, read_words, runs, unpack


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        (0, [1, 0, 0, 0, 1, 0, 0, 0] * 8),
        (1, [1, 0, 1, 0] * 8),
        (2, [1, 1] * 8),
        (3, [0x11] * 8),
        (4, [0x1111] * 4),
        (5, [0x11111111] * 2),
        (6, [0x1111111111111111]),
    ],
)
def test_numbers_of_every_width(order: int, numbers: list[int]) -> None:
    assert unpack(b"\x11" * 8, order).tolist() == numbers


def test_numbers_are_big_endian() -> None:
    assert unpack(b"\0\0\0\0\0\0\1\2").tolist() == [0x102]
    assert pack(array("H", [0x102, 3])) == b"\1\2\0\3"


def test_only_changed_sectors_are_written() -> None:
    file = MemoryFile("f", bytes(4096))
    table = Table(0, read_words(file, 0, 512))
    table[0], table[64], table[500] = 1, 2, 3
    table.write_to(file)
    assert [(c.offset, len(c.data or b"")) for c in file.disk.log] == [(0, 1024), (3584, 512)]
    assert not table.is_dirty
    assert read_words(file, 0, 512) == table.words


def test_a_fresh_table_is_written_whole_until_it_is_in_use() -> None:
    file = MemoryFile("f")
    table = Table(512, array("Q", bytes(1024)), fresh=True)
    table.write_to(file)
    assert table.is_dirty
    assert file.size() == 1536


def test_a_table_beyond_the_end_of_the_file() -> None:
    with pytest.raises(DamagedImageError, match="ends within a table at 8"):
        read_words(MemoryFile("f", bytes(16)), 8, 2)


def test_a_cache_drops_what_is_clean_and_was_not_used_for_longest() -> None:
    cache = TableCache(2)
    tables = [cache.add(Table(n * 512, array("Q", bytes(512)))) for n in range(4)]
    tables[0][0] = 1
    cache.find(512)
    assert cache.trim()
    assert [cache.find(table.offset) is table for table in tables] == [True, True, False, False]
    tables[1][0] = 1
    cache.add(tables[2])[0] = 1
    assert not cache.trim()
    assert cache.dirty() == tables[:3]


def test_runs_of_numbers() -> None:
    assert list(runs([])) == []
    assert list(runs([1, 2, 3, 7, 9, 10])) == [(1, 3), (7, 7), (9, 10)]
