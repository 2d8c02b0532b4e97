"""The dirty log from Python's side; tests/engine/threaded/test_dirty.py has the guest's."""

from collections.abc import Iterator

import pytest

from hospes.memory.nested import CODE, CODE_DIRTY, DIRTY, TAGGED
from hospes.memory.space import RAM_BASE, Memory


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory(1 << 20)
    yield memory
    memory.close()


def test_nothing_is_dirty_at_first(memory: Memory) -> None:
    assert memory.dirty.take() == []


def test_peek_leaves_the_flags(memory: Memory) -> None:
    memory.store(RAM_BASE + 0x5000, 8, 1)
    epoch = memory.nested.shared.epoch
    assert memory.dirty.peek() == memory.dirty.peek() == [RAM_BASE + 0x5000]
    assert memory.nested.shared.epoch == epoch


def test_take_clears_only_what_is_its_own(memory: Memory) -> None:
    memory.nested.entries[2] |= CODE | CODE_DIRTY | DIRTY | TAGGED
    assert memory.dirty.take() == [RAM_BASE + 0x2000]
    assert memory.nested.entries[2] & 0xFFF == CODE | CODE_DIRTY


def test_take_makes_every_hart_forget_its_tags(memory: Memory) -> None:
    """Even when nothing was dirty: a write tag may be older than the last take."""
    epoch = memory.nested.shared.epoch
    memory.dirty.take()
    assert memory.nested.shared.epoch == epoch + 1


def test_a_large_store_lists_its_pages_in_order(memory: Memory) -> None:
    memory.write(RAM_BASE + 0x800, bytes(0x5000))
    assert memory.dirty.take() == [RAM_BASE + 0x1000 * n for n in range(6)]


def test_an_empty_store_dirties_nothing(memory: Memory) -> None:
    memory.write(RAM_BASE, b"")
    assert memory.dirty.take() == []
