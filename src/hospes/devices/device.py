"""A device: registers at offsets, dispatched to methods, its annotated fields being its snapshot.

A register `name = Reg(offset)` is served by the methods `read_name()` and `write_name(value)`. With
only one of them, the other direction reads as zero or is ignored; with neither, the register is
plain storage and part of the snapshot. `RegArray` is the same for registers in a row, whose methods
take the index first. Everything runs on the machine's thread.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

from hospes.base.errors import GuestError

Reader = Callable[[], int]
Writer = Callable[[int], None]

_MASK = [(1 << 8 * size) - 1 for size in range(9)]


class Reg:
    """One register: byte offset, width in bytes, value at reset; `partial` allows narrow access."""

    count = 1
    stride = 0

    def __init__(
        self, offset: int, width: int = 4, *, reset: int = 0, partial: bool = False
    ) -> None:
        self.offset, self.width, self.reset, self.partial = offset, width, reset, partial
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, owner: object, kind: type) -> int:
        value: int = owner.__dict__.get(self.name, self.reset)
        return value

    def __set__(self, owner: object, value: int) -> None:
        owner.__dict__[self.name] = value & _MASK[self.width]

    def index_of(self, offset: int, size: int) -> int | None:
        """Which register of the row an access lies in (0 for a single one), None if in none."""
        start = offset - self.offset
        index = start // self.stride if self.stride else 0
        within = start - index * self.stride
        if not 0 <= index < self.count or not 0 <= within <= self.width - size:
            return None
        return index if size == self.width or self.partial else None


class RegArray(Reg):
    """Registers in a row, `stride` bytes apart (the width when not given)."""

    def __init__(
        self, offset: int, width: int = 4, *, count: int, stride: int = 0, partial: bool = False
    ) -> None:
        super().__init__(offset, width, partial=partial)
        self.count, self.stride = count, stride or width


class Device:
    """Base of every device; the bus calls `read` and `write` with offsets inside `size`.

    `compatible`, `also_compatible`, `node` (its generic name there, where it is not the board's
    name for it) and `properties` are what a device tree says; `hart_lines` are the mip bits that it
    drives in every hart.
    """

    compatible: ClassVar[str] = ""
    also_compatible: ClassVar[tuple[str, ...]] = ()
    node: ClassVar[str] = ""
    properties: ClassVar[Mapping[str, int | str]] = MappingProxyType({})
    hart_lines: ClassVar[tuple[int, ...]] = ()
    size: ClassVar[int] = 0x1000
    version: ClassVar[int] = 1
    registers: ClassVar[tuple[Reg, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = [field for field in vars(cls).values() if isinstance(field, Reg)]
        cls.registers = (*cls.registers, *own)
        plain = {reg.name: int for reg in own if _is_plain(cls, reg)}
        cls.__annotations__ = {**cls.__annotations__, **plain}

    def __init__(self) -> None:
        self._readers: dict[int, Reader] = {}
        self._writers: dict[int, Writer] = {}

    def read(self, offset: int, size: int) -> int:
        """The guest reads size bytes; GuestError where there is no such register."""
        reader = self._readers.get(offset << 4 | size)
        if reader is None:
            reader = self._readers[offset << 4 | size] = self._find_reader(offset, size)
        return reader()

    def write(self, offset: int, size: int, value: int) -> None:
        """The guest writes size bytes; GuestError where there is no such register."""
        writer = self._writers.get(offset << 4 | size)
        if writer is None:
            writer = self._writers[offset << 4 | size] = self._find_writer(offset, size)
        writer(value & _MASK[size])

    def tick(self) -> None:
        """Do what has become due: timers, batched output, input that has arrived."""

    def drain(self) -> None:
        """Before a pause: return when what goes on beside the machine's thread is done."""

    def due_in_ns(self) -> int | None:
        """Nanoseconds until `tick` has something to do (0: now); None if nothing is planned."""
        return None

    def _find_reader(self, offset: int, size: int) -> Reader:
        reg, index = self._locate(offset, size)
        reader = self._whole_reader(reg, index)
        if size == reg.width:
            return reader
        shift = 8 * (offset - reg.offset - index * reg.stride)
        return lambda: reader() >> shift & _MASK[size]

    def _find_writer(self, offset: int, size: int) -> Writer:
        reg, index = self._locate(offset, size)
        writer = self._whole_writer(reg, index)
        if size == reg.width:
            return writer
        reader = self._whole_reader(reg, index)
        shift = 8 * (offset - reg.offset - index * reg.stride)
        keep = ~(_MASK[size] << shift)
        return lambda value: writer(reader() & keep | value << shift)

    def _locate(self, offset: int, size: int) -> tuple[Reg, int]:
        for reg in self.registers:
            index = reg.index_of(offset, size)
            if index is not None:
                return reg, index
        raise GuestError(f"{self.compatible} has no {size}-byte register at offset {offset:#x}")

    def _whole_reader(self, reg: Reg, index: int) -> Reader:
        if _is_plain(type(self), reg):
            return partial(getattr, self, reg.name)
        method = getattr(self, "read_" + reg.name, None)
        if method is None:
            return int
        return partial(method, index) if isinstance(reg, RegArray) else method

    def _whole_writer(self, reg: Reg, index: int) -> Writer:
        if _is_plain(type(self), reg):
            return partial(setattr, self, reg.name)
        method = getattr(self, "write_" + reg.name, None)
        if method is None:
            return _ignore
        return partial(method, index) if isinstance(reg, RegArray) else method


def _is_plain(kind: type, reg: Reg) -> bool:
    """Whether a register has no methods at all and so stores what is written."""
    return not hasattr(kind, "read_" + reg.name) and not hasattr(kind, "write_" + reg.name)


def _ignore(value: int) -> None:
    """What writing a read-only register does."""
