"""A hart with a few bytes of memory, enough to call an instruction's function as plain Python."""

from collections.abc import Callable

from hospes.base.bits import U64_MAX, s32, s64, u32
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64
from hospes.isa.subset import Trap

PC = 0x8000_0000
DATA = 0x1000
LOAD_PAGE_FAULT = 13
EDGES = (
    0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
    0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 1 << 63, (1 << 63) + 1, U64_MAX - 1, U64_MAX,
    0x0123_4567_89AB_CDEF, 0x8080_8080_8080_8080, 0x00FF_0000_0100_8000, 63, 64, 31, 32,
)  # fmt: skip

COMBINE: dict[str, Callable[[int, int, int], int]] = {
    "swap": lambda old, value, bits: value,
    "add": lambda old, value, bits: old + value,
    "xor": lambda old, value, bits: old ^ value,
    "and": lambda old, value, bits: old & value,
    "or": lambda old, value, bits: old | value,
    "min": lambda old, value, bits: min(old, value, key=s32 if bits == 32 else s64),
    "max": lambda old, value, bits: max(old, value, key=s32 if bits == 32 else s64),
    "minu": lambda old, value, bits: min(old, value),
    "maxu": lambda old, value, bits: max(old, value),
}


class Bytes:
    """The memory operations of a Port over 64 bytes at DATA; other addresses fault."""

    def __init__(self) -> None:
        self.content = bytearray(64)

    def _offset(self, gva: int, size_bytes: int) -> int:
        if not DATA <= gva <= DATA + len(self.content) - size_bytes:
            raise Trap(LOAD_PAGE_FAULT, gva)
        return gva - DATA

    def load(self, gva: int, size_bytes: int) -> int:
        offset = self._offset(gva, size_bytes)
        return int.from_bytes(self.content[offset : offset + size_bytes], "little")

    def store(self, gva: int, size_bytes: int, value: int) -> None:
        offset = self._offset(gva, size_bytes)
        self.content[offset : offset + size_bytes] = value.to_bytes(size_bytes, "little")

    def amo(self, operation: str, gva: int, size_bytes: int, value: int) -> int:
        old = self.load(gva, size_bytes)
        bits = 8 * size_bytes
        self.store(gva, size_bytes, COMBINE[operation](old, value, bits) & (1 << bits) - 1)
        return old

    def compare_exchange(self, gva: int, size_bytes: int, expected: int, value: int) -> bool:
        same = self.load(gva, size_bytes) == expected
        if same:
            self.store(gva, size_bytes, value)
        return same


def hart(**registers: int) -> Hart:
    """A hart at PC with these registers and 64 bytes of zeros at DATA."""
    h = Hart()
    h.port = Bytes()  # type: ignore[assignment]
    h.pc = PC
    for name, value in registers.items():
        h.x[int(name[1:])] = value
    return h


def execute(h: Hart, text: str) -> Hart:
    """Assemble one instruction at the pc, decode it and call its function; moves the pc."""
    code = RV64.assemble(text, h.pc)
    decoded = RV64.decode(int.from_bytes(code, "little"))
    assert decoded is not None
    h.next_pc = h.pc + len(code)
    decoded.insn.function(h, *decoded.operands)
    h.pc = h.next_pc
    return h


def result(text: str, a: int = 0, b: int = 0) -> int:
    """x10 after one instruction, with a in x11 and b in x12."""
    h = hart(x11=a, x12=b)
    before = list(h.x)
    value = execute(h, text).x[10]
    h.x[10] = before[10]
    assert list(h.x) == before, "another register changed"
    return value


def sext(value: int) -> int:
    """The low word, sign-extended, as a u64."""
    return s32(u32(value)) & U64_MAX
