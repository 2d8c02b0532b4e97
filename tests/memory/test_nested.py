"""The nested page table: entries as generated code reads them, and the flags of a host's store."""

import ctypes

import pytest

from hospes.base.bits import U64_MAX
from hospes.memory.nested import (
    CODE,
    CODE_DIRTY,
    DIRTY,
    DIRTY_CODE_MAX,
    FRAME_MASK,
    NestedTable,
    Shared,
)

FRAMES = 0x7F00_0000_0000


@pytest.fixture
def table() -> NestedTable:
    return NestedTable(FRAMES, 300)


def test_pages_are_at_home_with_no_flags(table: NestedTable) -> None:
    assert len(table.entries) == 300
    for page in (0, 1, 299):
        assert table.frame(page) == FRAMES + page * 4096
        assert table.entries[page] == 0


def test_a_page_may_lie_elsewhere(table: NestedTable) -> None:
    """The entry holds the distance from home, also a negative one, beside the flags."""
    table.entries[7] = (-3 * 4096 & FRAME_MASK & U64_MAX) | CODE
    assert table.frame(7) == FRAMES + 4 * 4096


def test_the_address_is_that_of_the_entries(table: NestedTable) -> None:
    slot = ctypes.c_uint64.from_address(table.address + 8 * 5)
    assert slot.value == table.entries[5]
    slot.value |= CODE
    assert table.entries[5] & CODE


def test_a_store_marks_its_pages_dirty(table: NestedTable) -> None:
    table.mark_written(3, 5)
    assert [page for page in range(300) if table.entries[page] & DIRTY] == [3, 4, 5]
    assert table.shared.dirty_code_count == 0


def test_a_store_to_code_is_remembered_once(table: NestedTable) -> None:
    for page in (4, 9):
        table.entries[page] |= CODE
    table.mark_written(0, 10)
    table.mark_written(9, 9)
    assert table.shared.dirty_code_count == 2
    assert list(table.shared.dirty_code)[:2] == [4, 9]
    assert table.entries[9] & CODE_DIRTY


def test_the_list_of_stale_code_does_not_overflow(table: NestedTable) -> None:
    for page in range(300):
        table.entries[page] |= CODE
    words = list(table.shared.words)
    table.mark_written(0, 299)
    assert table.shared.dirty_code_count == 300
    assert list(table.shared.dirty_code) == list(range(DIRTY_CODE_MAX))
    assert len(table.shared.words) == len(words) == Shared.size_bytes // 8
