"""RV64I at the edges: signs, wrapping, shift amounts, links, loads and stores."""

import pytest
from tests.isa.riscv.plain_hart import DATA, EDGES, PC, execute, hart, result

from hospes.base.bits import U64_MAX
from hospes.isa.riscv.hart import SINK
from hospes.isa.subset import Trap

MINIMUM = 1 << 63
MAXIMUM = MINIMUM - 1


@pytest.mark.parametrize(
    ("text", "a", "b", "expected"),
    [
        ("add a0, a1, a2", U64_MAX, 1, 0),
        ("sub a0, a1, a2", 0, 1, U64_MAX),
        ("addi a0, a1, -2048", 0, 0, U64_MAX - 2047),
        ("lui a0, 0x80000", 0, 0, 0xFFFF_FFFF_8000_0000),
        ("lui a0, 0x7ffff", 0, 0, 0x7FFF_F000),
        ("auipc a0, 0xfffff", 0, 0, PC - 0x1000),
        ("slti a0, a1, -1", MINIMUM, 0, 1),
        ("slti a0, a1, -1", U64_MAX, 0, 0),
        ("sltiu a0, a1, -1", U64_MAX, 0, 0),
        ("sltiu a0, a1, -1", MAXIMUM, 0, 1),
        ("seqz a0, a1", 0, 0, 1),
        ("snez a0, a2", 0, 0, 0),
        ("slt a0, a1, a2", MINIMUM, MAXIMUM, 1),
        ("sltu a0, a1, a2", MINIMUM, MAXIMUM, 0),
        ("not a0, a1", 0, 0, U64_MAX),
        ("ori a0, a1, -1", 0, 0, U64_MAX),
        ("andi a0, a1, -16", U64_MAX, 0, U64_MAX - 15),
        ("xor a0, a1, a2", MINIMUM, U64_MAX, MAXIMUM),
        ("or a0, a1, a2", MINIMUM, 1, MINIMUM | 1),
        ("and a0, a1, a2", MINIMUM, MAXIMUM, 0),
        ("slli a0, a1, 63", 3, 0, MINIMUM),
        ("srli a0, a1, 63", MINIMUM, 0, 1),
        ("srai a0, a1, 63", MINIMUM, 0, U64_MAX),
        ("sll a0, a1, a2", 1, 64 + 3, 8),
        ("srl a0, a1, a2", U64_MAX, U64_MAX, 1),
        ("sra a0, a1, a2", MINIMUM, 64 + 62, U64_MAX - 1),
        ("addiw a0, a1, 1", 0x7FFF_FFFF, 0, 0xFFFF_FFFF_8000_0000),
        ("sext.w a0, a1", 0x1_8000_0000, 0, 0xFFFF_FFFF_8000_0000),
        ("addw a0, a1, a2", 0xFFFF_FFFF, 0xFFFF_FFFF_0000_0001, 0),
        ("subw a0, a1, a2", 0, 1, U64_MAX),
        ("slliw a0, a1, 31", 3, 0, 0xFFFF_FFFF_8000_0000),
        ("srliw a0, a1, 0", 0x8000_0000, 0, 0xFFFF_FFFF_8000_0000),
        ("srliw a0, a1, 1", 0xF_8000_0000, 0, 0x4000_0000),
        ("sraiw a0, a1, 31", 0x8000_0000, 0, U64_MAX),
        ("sllw a0, a1, a2", 1, 32, 1),
        ("srlw a0, a1, a2", 0xFFFF_FFFF_8000_0000, 31, 1),
        ("sraw a0, a1, a2", 0x8000_0000, 32 + 30, U64_MAX - 1),
    ],
)
def test_arithmetic(text: str, a: int, b: int, expected: int) -> None:
    assert result(text, a, b) == expected


def test_a_write_to_x0_goes_to_the_sink() -> None:
    h = execute(hart(x11=5), "addi zero, a1, 1")
    assert (h.x[0], h.x[SINK]) == (0, 6)


@pytest.mark.parametrize(
    ("mnemonic", "holds"),
    [
        ("beq", lambda a, b: a == b),
        ("bne", lambda a, b: a != b),
        ("blt", lambda a, b: a ^ MINIMUM < b ^ MINIMUM),
        ("bge", lambda a, b: a ^ MINIMUM >= b ^ MINIMUM),
        ("bltu", lambda a, b: a < b),
        ("bgeu", lambda a, b: a >= b),
    ],
)
def test_branches(mnemonic: str, holds: object) -> None:
    assert callable(holds)
    for a in EDGES:
        for b in EDGES:
            h = execute(hart(x11=a, x12=b), f"{mnemonic} a1, a2, {PC - 4096}")
            assert h.pc == (PC - 4096 if holds(a, b) else PC + 4), (hex(a), hex(b))


def test_jumps() -> None:
    h = execute(hart(), f"jal a0, {PC + 0xFFFFE}")
    assert (h.x[10], h.pc) == (PC + 4, PC + 0xFFFFE)
    h = execute(hart(x10=0x2001), "jalr a0, -1(a0)")
    assert (h.x[10], h.pc) == (PC + 4, 0x2000)
    h = execute(hart(x11=U64_MAX), "jalr zero, 3(a1)")
    assert (h.x[0], h.pc) == (0, 2)


def test_jumps_wrap_around_the_address_space() -> None:
    h = hart()
    h.pc = 0
    assert execute(h, f"j {U64_MAX - 15}").pc == U64_MAX - 15


@pytest.mark.parametrize(
    ("mnemonic", "size", "signed"),
    [("lb", 1, True), ("lbu", 1, False), ("lh", 2, True), ("lhu", 2, False), ("lw", 4, True),
     ("lwu", 4, False), ("ld", 8, True)],
)  # fmt: skip
def test_loads(mnemonic: str, size: int, signed: bool) -> None:
    for byte in (0x00, 0x7F, 0x80, 0xFF):
        h = hart(x11=DATA + 11)
        h.port.store(DATA + 3, size, int.from_bytes(bytes([byte] * size), "little"))
        value = int.from_bytes(bytes([byte] * size), "little", signed=signed)
        assert execute(h, f"{mnemonic} a0, -8(a1)").x[10] == value & U64_MAX


@pytest.mark.parametrize(("mnemonic", "size"), [("sb", 1), ("sh", 2), ("sw", 4), ("sd", 8)])
def test_stores(mnemonic: str, size: int) -> None:
    h = hart(x11=DATA, x12=0x8877_6655_4433_2211)
    execute(h, f"{mnemonic} a2, 9(a1)")
    assert h.port.load(DATA + 9, 8) == 0x8877_6655_4433_2211 & (1 << 8 * size) - 1


def test_addresses_wrap() -> None:
    h = hart(x11=U64_MAX)
    with pytest.raises(Trap) as raised:
        execute(h, "ld a0, 8(a1)")
    assert raised.value.tval == 7
    assert h.x[10] == 0


def test_no_operations() -> None:
    for text in ("fence", "fence rw, w", "fence.tso", "pause", "nop"):
        h = hart(x11=3)
        before = list(h.x)
        assert list(execute(h, text).x) == before
        assert h.pc == PC + 4


def test_prefetch_hints_are_ori_to_x0() -> None:
    h = execute(hart(x11=DATA), "ori zero, a1, 0x21")
    assert h.x[0] == 0
