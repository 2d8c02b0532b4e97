"""The assembler: layout, symbols, macros and its complaints, with RISC-V as the dialect."""

import random

import pytest

from hospes.isa.assembler import AssemblyError
from hospes.isa.riscv.dialect import ALIASES
from hospes.isa.riscv.hart import SINK, Hart
from hospes.isa.riscv.profile import RV64

BASE = 0x8000_0000


def words(text: str, pc: int = BASE) -> list[int]:
    code = RV64.assemble(text, pc)
    return [int.from_bytes(code[i : i + 4], "little") for i in range(0, len(code), 4)]


def listing(text: str, pc: int = BASE) -> list[str]:
    return [RV64.disassemble(word, pc + 4 * i) for i, word in enumerate(words(text, pc))]


def run(text: str, pc: int = BASE) -> Hart:
    """The hart after straight-line code."""
    h = Hart()
    for i, word in enumerate(words(text, pc)):
        decoded = RV64.decode(word)
        assert decoded is not None
        h.pc, h.next_pc = pc + 4 * i, pc + 4 * i + 4
        decoded.insn.function(h, *decoded.operands)
    return h


def test_known_words() -> None:
    """Encodings as GNU as produces them."""
    assert words("addi sp, sp, -16") == [0xFF010113]
    assert words("sd ra, 8(sp)") == [0x00113423]
    assert words("lui a0, 0x12345") == [0x12345537]
    assert words("amoadd.d a0, a0, (a5)") == [0x00A7B52F]
    assert words("amoadd.d.aqrl a0, a0, (a5)") == [0x06A7B52F]
    assert words("csrr t0, mstatus") == [0x300022F3]
    assert words("fence.tso") == [0x8330000F]
    assert words("fadd.d fa0, fa1, fa0, rne") == [0x02A58553]
    assert words("ret") == [0x00008067]
    assert RV64.assemble("c.addi16sp sp, 32; c.jr ra").hex() == "05618280"


def test_labels_and_targets() -> None:
    text = """
    start:  beqz a0, end        # forwards
    1:      addi a0, a0, -1
            bnez a0, 1b
            j 1f
    end:
    1:      jal start
            blt a0, a1, 0x80000000
    """
    assert listing(text) == [
        "beqz a0, 0x80000010",
        "addi a0, a0, -1",
        "bnez a0, 0x80000004",
        "j 0x80000010",
        "jal 0x80000000",
        "blt a0, a1, 0x80000000",
    ]


def test_data_and_layout() -> None:
    program = RV64.program(
        """
        size = 3 * 4
        .equ half, size / 2
        .byte 1, -1, 'x', size
        .half 0x1234
        .align 2
        here: .word here, half
        .dword end - here
        .asciz "a,b;#\\n"
        .balign 8
        .space 2
        .org 0x80000030
        end:
        """,
        BASE,
    )
    assert program.symbols["here"] == BASE + 8
    assert program.symbols["end"] == BASE + 0x30
    assert program.code == (
        bytes([1, 255, ord("x"), 12, 0x34, 0x12, 0, 0])
        + (BASE + 8).to_bytes(4, "little")
        + (6).to_bytes(4, "little")
        + (0x28).to_bytes(8, "little")
        + b"a,b;#\n\0"
        + bytes(1 + 16)
    )


def test_symbols_from_outside() -> None:
    assert RV64.assemble("li a0, uart", symbols={"uart": 5}) == RV64.assemble("li a0, 5")


def test_address_macros() -> None:
    h = run("la a0, data; lla a1, data - 0x2000\nnop; data:")
    assert h.x[10] == BASE + 20
    assert h.x[11] == BASE + 20 - 0x2000
    assert listing("call 0x80001800") == ["auipc ra, 2", "jalr -0x800(ra)"]
    assert listing("tail 0x80000800") == ["auipc t1, 1", "jr -0x800(t1)"]
    far = "lui a0, %hi(0x12345fff); addi a0, a0, %lo(0x12345fff)"
    assert run(far).x[10] == 0x12345FFF


def test_load_immediate() -> None:
    edges = [0, 1, -1, 2047, 2048, -2048, -2049, 0x7FFF_F7FF, 0x7FFF_F800, 0x7FFF_FFFF]
    edges += [-(1 << 31), 1 << 31, 0x8000_0800, (1 << 32) - 1, 1 << 32, 1 << 62, (1 << 63) - 1]
    edges += [-(1 << 63), (1 << 64) - 1, 0x8000_0000_0000_0800, 0x1234_5678_9ABC_DEF0]
    rng = random.Random(1)
    edges += [rng.getrandbits(rng.randrange(1, 65)) for _ in range(500)]
    for value in edges:
        h = run(f"li a0, {value}")
        assert h.x[10] == value & (1 << 64) - 1, hex(value)
        assert h.x[SINK] == 0
        assert len(words(f"li a0, {value}")) <= 8


def test_optional_parts() -> None:
    assert words("lw a0, (sp)") == words("lw a0, 0(sp)")
    assert words("jr 4(a0)") == words("jalr zero, 4(a0)")
    assert words("jalr ra, a0, 4") == words("jalr 4(a0)")
    assert words("bgt a0, a1, 0x80000000") == words("blt a1, a0, 0x80000000")
    assert words("fadd.s fa0, fa1, fa2") == words("fadd.s fa0, fa1, fa2, dyn")
    assert words("fcvt.d.w fa0, a0") == words("fcvt.d.w fa0, a0, rne")
    assert words("csrw 0x305, x5") == words("csrw mtvec, t0")
    assert words("mv fp, a0") == words("addi s0, a0, 0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("addi a0, a1, 5000", r"0x1388 does not fit imm \(-2048 to 2047\)"),
        ("foo a0", "there is no instruction foo"),
        ("add.aq a0, a0, a0", r"there is no instruction add\.aq"),
        ("addi a0, a1", r"it should look like 'addi \{rd\}, \{rs1\}, \{imm\}'"),
        ("j nowhere", "nowhere is not defined"),
        ("li a0, later\nlater = 1", "later is not defined"),
        ("x: x:", "label x is defined twice"),
        ("lw a0, 8(q)", "'q' is not an integer register"),
        ("fmv.d a0, fa0", "'a0' is not a floating-point register"),
        ("fadd.d fa0, fa0, fa0, up", "up is not defined"),
        ("beq a0, a1, 0x80003000", "0x3000 does not fit imm"),
        ("beq a0, a1, 0x80000001", "0x1 does not fit imm"),
        ("lui a0, 0x100000", "0x100000 does not fit 20 bits"),
        ("fence rx, w", "'rx' is not a set of the letters iorw"),
        ("c.addi zero, 1", r"c\.addi cannot have these operands"),
        ("c.lw a0, 2(a1)", "does not fit uimm"),
        ("li a0, 1 << 64", "does not fit 64 bits"),
        (".byte 256", "0x100 does not fit 1 bytes"),
        (".blah", r"there is no directive \.blah"),
        (".org 0x7fffffff", "it would go back 1 bytes"),
        (".asciz hello", "hello is not a string in double quotes"),
        ("lui a0, %high(3)", "there is no function %high"),
    ],
)
def test_complaints(text: str, reason: str) -> None:
    with pytest.raises(AssemblyError, match=reason) as raised:
        RV64.assemble(text, BASE)
    assert str(raised.value).startswith("line 1, '")


def test_a_missing_operand() -> None:
    with pytest.raises(AssemblyError, match=r"line 2, 'addi a0,, a1': an operand is missing"):
        RV64.assemble("nop\naddi a0,, a1")


def test_the_dialect_is_complete() -> None:
    """Every alias of the dialect has a target in the profile and reads back."""
    for alias in ALIASES:
        assert alias.target in RV64.by_name, alias
