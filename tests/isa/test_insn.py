"""Declaring instructions and binding compressed encodings to them."""

import types

import pytest

from hospes.isa.insn import SINK, Insn, compressed, declared, insn
from hospes.isa.riscv.hart import Hart


@insn("imm[11:0] rs1 000 rd 0010011", "addi {rd}, {rs1}, {imm}")
def addi(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Sum with an immediate."""
    h.x[rd] = h.x[rs1] + imm


@insn("imm[11:0] rs1 011 rd 0000111", "fld {rd:f}, {imm}({rs1})", serial=True)
def fld(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Stands for a load into a floating-point register."""
    h.f[rd] = h.x[rs1] + imm


def only(value: object) -> Insn:
    module = types.ModuleType(__name__)
    vars(module)["value"] = value
    (made,) = declared(module)
    return made


def test_declaration() -> None:
    made = only(addi)
    assert (made.name, made.length, made.mask, made.match) == ("addi", 4, 0x707F, 0x13)
    assert [operand.name for operand in made.operands] == ["rd", "rs1", "imm"]
    assert made.integer_destination
    assert not made.serial
    assert made.arguments(0xFFF50593) == (11, 10, -1)
    assert made.arguments(0x00000013) == (SINK, 0, 0)


def test_a_float_destination_is_not_mapped() -> None:
    made = only(fld)
    assert not made.integer_destination
    assert made.serial
    assert made.arguments(0x00003007) == (0, 0, 0)


def test_functions_stay_as_they_are() -> None:
    h = Hart()
    h.x[5] = 7
    addi(h, 6, 5, -8)
    assert h.x[6] == (1 << 64) - 1


def test_compressed_operands() -> None:
    pattern = "000 imm[5] rd imm[4:0] 01"
    made = compressed(pattern, "c.addi {rd}, {imm}", addi, rd="rd", rs1="rd", imm="imm")
    assert (made.name, made.length, made.function) == ("c.addi", 2, addi)
    assert made.arguments(0x1141) == (2, 2, -16)
    assert made.arguments(0x1001) == (SINK, 0, -32)


def test_a_constant_destination_of_zero_is_the_sink() -> None:
    made = compressed("101 imm[5:0] 00000 01", "c.x {imm}", addi, rd=0, rs1=0, imm="imm")
    assert made.operands[0] == ("rd", SINK)
    assert made.operands[1] == ("rs1", 0)
    floating = compressed("101 imm[5:0] 00000 01", "c.y {imm}", fld, rd=0, rs1=2, imm="imm")
    assert floating.operands[0] == ("rd", 0)
    assert floating.serial


def test_faulty_declarations() -> None:
    with pytest.raises(ValueError, match=r"addi: no field \['imm'\]"):
        insn("0000000 rs2 rs1 000 rd 0110011", "add")(addi)
    with pytest.raises(ValueError, match="must be a 16-bit pattern giving"):
        compressed("000 imm[5] rd imm[4:0] 01", "c.addi {rd}, {imm}", addi, rd="rd")


def test_encode() -> None:
    made = only(addi)
    assert made.encode({"rd": 11, "rs1": 10, "imm": -1}) == 0xFFF50593
    with pytest.raises(ValueError, match="does not fit imm"):
        made.encode({"imm": 2048})
    bound = compressed(
        "000 imm[5] rd imm[4:0] 01", "c.addi {rd}, {imm}", addi,
        rd="rd", rs1="rd", imm="imm", where="rd != 0",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"c\.addi cannot have these operands"):
        bound.encode({"rd": 0, "imm": 1})


def test_only_a_modules_own_functions_count() -> None:
    other = types.ModuleType("other")
    vars(other)["addi"] = addi
    assert declared(other) == []
