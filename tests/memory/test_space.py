"""Guest memory: bounds, numbers, dirty tracking, and code that went stale."""

import pytest

from hospes.base.errors import GuestError, HospesError
from hospes.memory.nested import CODE, CODE_DIRTY, DIRTY_CODE_MAX
from hospes.memory.space import RAM_BASE, Memory


@pytest.fixture
def memory():
    memory = Memory(1 << 20)
    yield memory
    memory.close()


def test_reads_back_what_was_written(memory):
    memory.write(RAM_BASE + 0xFFE, b"abcd")
    assert memory.read(RAM_BASE + 0xFFD, 6) == b"\0abcd\0"
    memory.store(RAM_BASE + 8, 4, -2)
    assert memory.load(RAM_BASE + 8, 8) == 0xFFFF_FFFE


@pytest.mark.parametrize(
    ("gpa", "size"), [(RAM_BASE - 1, 2), (RAM_BASE + (1 << 20) - 1, 2), (0, 1), (1 << 64, 8)]
)
def test_refuses_what_is_not_ram(memory, gpa, size):
    with pytest.raises(GuestError, match="not in RAM"):
        memory.read(gpa, size)
    assert not memory.contains(gpa, size)


def test_dirty_pages_are_taken_once(memory):
    memory.write(RAM_BASE + 0x1FFF, b"xy")
    epoch = memory.nested.shared.epoch
    assert memory.dirty.take() == [RAM_BASE + 0x1000, RAM_BASE + 0x2000]
    assert memory.dirty.take() == []
    assert memory.nested.shared.epoch > epoch
    memory.store(RAM_BASE, 1, 0)
    assert memory.dirty.peek() == [RAM_BASE]


def test_a_store_to_code_is_noted_once(memory):
    memory.nested.entries[3] |= CODE
    for _ in range(2):
        memory.store(RAM_BASE + 0x3004, 4, 0)
    assert memory.nested.shared.dirty_code_count == 1
    assert memory.nested.shared.dirty_code[0] == 3
    assert memory.nested.entries[3] & CODE_DIRTY


def test_too_many_stale_pages_only_count(memory):
    for page in range(256):
        memory.nested.entries[page] |= CODE
    memory.nested.mark_written(0, 255)
    assert memory.nested.shared.dirty_code_count == 256 > DIRTY_CODE_MAX


def test_size_must_be_whole_pages():
    with pytest.raises(HospesError, match="multiple of 4096"):
        Memory(4097)


def test_discarded_pages_read_as_zeros_and_count_as_written(memory):
    memory.write(RAM_BASE, b"x" * 0x5000)
    memory.dirty.take()
    memory.nested.entries[2] |= CODE
    memory.discard(RAM_BASE + 0x1000, 0x3000)
    assert memory.read(RAM_BASE, 0x5000) == b"x" * 0x1000 + bytes(0x3000) + b"x" * 0x1000
    assert memory.dirty.take() == [RAM_BASE + page for page in (0x1000, 0x2000, 0x3000)]
    assert memory.nested.entries[2] & CODE_DIRTY
    memory.write(RAM_BASE + 0x2000, b"again")
    assert memory.read(RAM_BASE + 0x2000, 6) == b"again\0"


@pytest.mark.parametrize(
    ("gpa", "size"),
    [(RAM_BASE + 1, 0x1000), (RAM_BASE, 0xFFF), (RAM_BASE - 0x1000, 0x2000),
     (RAM_BASE + (1 << 20), 0x1000), (1 << 62, 0x1000)],
)
def test_discard_refuses_what_is_not_whole_pages_of_ram(memory, gpa, size):
    memory.write(RAM_BASE, b"kept")
    with pytest.raises(GuestError):
        memory.discard(gpa, size)
    assert memory.read(RAM_BASE, 4) == b"kept"
