"""Completes a hart's load or store to a device without executing the instruction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from hospes.base.bits import s8, s16, s32
from hospes.isa.riscv.hart import SINK, Hart

Extend = Callable[[int], int]


class DeviceBus(Protocol):
    """Where devices answer; None and False: there is none at that address."""

    def read(self, gpa: int, size: int) -> int | None: ...
    def write(self, gpa: int, size: int, value: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class Access:
    """What a load or store instruction moves: register x[register], size bytes."""

    size: int
    register: int
    length: int
    extend: Extend | None = None
    store: bool = False


LOADS: Final[dict[str, tuple[int, Extend | None]]] = {
    "lb": (1, s8),
    "lh": (2, s16),
    "lw": (4, s32),
    "ld": (8, None),
    "lbu": (1, None),
    "lhu": (2, None),
    "lwu": (4, None),
}
STORES: Final = {"sb": 1, "sh": 2, "sw": 4, "sd": 8}
"""By the name of the function that is the instruction's meaning, compressed or not."""


class Mmio:
    """The instructions seen at device exits so far, and the bus that answers them."""

    def __init__(self, bus: DeviceBus) -> None:
        self._read, self._write = bus.read, bus.write
        self._accesses: dict[int, Access | None] = {0: None}

    def complete(self, hart: Hart) -> bool:
        """Do what the hart's device exit asks for and go on to the next instruction.

        False, with nothing done, if it takes the instruction itself: an AMO, a misaligned access,
        no device there.
        """
        word = hart.exit_instruction
        try:
            access = self._accesses[word]
        except KeyError:
            access = self._accesses[word] = self._find(word)
        if access is None:
            return False
        gpa, size = hart.exit_gpa, access.size
        if gpa & (size - 1):
            return False
        if access.store:
            if not self._write(gpa, size, hart.x[access.register] & ((1 << 8 * size) - 1)):
                return False
        else:
            value = self._read(gpa, size)
            if value is None:
                return False
            hart.x[access.register] = value if access.extend is None else access.extend(value)
        hart.pc += access.length
        hart.instret += 1
        return True

    @staticmethod
    def _find(word: int) -> Access | None:
        """What an instruction moves; None if it is not a plain integer load or store."""
        # Here, for many machines reach their first device before anything else decodes.
        from hospes.isa.riscv.accesses import ACCESSES

        decoded = ACCESSES.decode(word)
        if decoded is None:
            return None
        insn = decoded.insn
        name = insn.function.__name__
        operands = dict(zip((name for name, _ in insn.operands), decoded.operands, strict=True))
        if name in LOADS:
            size, extend = LOADS[name]
            return Access(size, operands.get("rd", SINK), insn.length, extend)
        if name in STORES:
            return Access(STORES[name], operands["rs2"], insn.length, store=True)
        return None
