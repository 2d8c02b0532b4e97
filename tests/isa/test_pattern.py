"""Patterns: bits, fields in pieces, signs, conditions."""

import pytest

from hospes.isa.pattern import Condition, Field, Piece, parse_conditions, parse_pattern


def field(text: str, name: str) -> Field:
    (found,) = [field for field in parse_pattern(text).fields if field.name == name]
    return found


def test_fixed_bits() -> None:
    pattern = parse_pattern("0000001 rs2 rs1 100 rd 0110.11")
    assert (pattern.bits, pattern.mask, pattern.match) == (32, 0xFE00707B, 0x02004033)
    assert [(f.name, f.pieces) for f in pattern.fields] == [
        ("rs2", (Piece(20, 5, 0),)),
        ("rs1", (Piece(15, 5, 0),)),
        ("rd", (Piece(7, 5, 0),)),
    ]


def test_scattered_immediate() -> None:
    imm = field("imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011", "imm")
    assert imm.signed
    assert (imm.width, imm.low, imm.high) == (13, -4096, 4094)
    assert imm.insert(-2) == imm.mask == 0xFE000F80
    assert imm.extract(0x8000_0000) == -4096
    assert imm.raw(0x8000_0000) == 4096
    for value in (-4096, -2, 0, 2, 2048, 4094):
        assert imm.extract(imm.insert(value)) == value
    for value in (-4098, 1, 4096):
        with pytest.raises(ValueError, match=r"does not fit imm \(-4096 to 4094\)"):
            imm.insert(value)


def test_unsigned_and_three_bit_fields() -> None:
    text = "000 uimm[5:4|9:6|2|3] rd' 00"
    uimm, register = field(text, "uimm"), field(text, "rd'")
    assert (uimm.low, uimm.high) == (0, 1020)
    assert uimm.extract(uimm.insert(1020)) == 1020
    assert (register.low, register.high) == (8, 15)
    assert register.insert(15) == 0b11100
    with pytest.raises(ValueError, match="rd'"):
        register.insert(7)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0000001 rs2 rs1 100 rd 011001", "has 31 bits"),
        ("imm rs1 000 rd 0010011", "needs explicit bits"),
        ("imm[4:0] imm[4:1] rs1 rd 0000000 00000", "has 31 bits"),
        ("imm[11:0] rs1 000 imm[4:0] 0010011", "a bit of imm twice"),
        ("Imm[11:0] rs1 000 rd 0010011", "neither bits nor a field"),
    ],
)
def test_faulty_patterns(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_pattern(text)


def test_conditions() -> None:
    fields = parse_pattern("011 imm[17] rd imm[16:12] 01").fields
    assert parse_conditions("", fields) == ()
    assert parse_conditions("rd != 2 and imm != 0x0", fields) == (
        Condition("rd", "!=", 2),
        Condition("imm", "!=", 0),
    )
    for wrong in ("rd < 2", "rs1 == 0", "rd != 2 or imm != 0", "rd"):
        with pytest.raises(ValueError, match="not a comparison"):
            parse_conditions(wrong, fields)
