"""Sets of instructions: the overlap check and the order of decoding."""

import types
from collections.abc import Callable

import pytest

from hospes.base.errors import HospesError
from hospes.isa.insn import Insn, compressed, insn
from hospes.isa.instruction_set import InstructionSet, overlap
from hospes.isa.riscv.dialect import RiscvDialect
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64

Semantics = Callable[..., None]


def semantics() -> Semantics:
    """A function that has not been declared yet."""

    def nothing(h: Hart, rd: int) -> None:
        """No effect."""

    return nothing


def declare(
    pattern: str, syntax: str, where: str = "", overrides: tuple[str, ...] = ()
) -> Semantics:
    return insn(pattern, syntax, where=where, overrides=overrides)(semantics())


def make(*values: Semantics | Insn) -> InstructionSet:
    module = types.ModuleType(__name__)
    for number, value in enumerate(values):
        vars(module)[f"value{number}"] = value
    return InstructionSet("test", [module], RiscvDialect)


WIDE = "imm[11:0] rs1 000 rd 0010011"
NARROW = "000000000000 rs1 000 rd 0010011"


def test_a_planted_overlap_is_refused() -> None:
    with pytest.raises(HospesError, match=r"one .* and two .* overlap"):
        make(declare(WIDE, "one {rd}"), declare(NARROW, "two {rd}"))


def test_an_overlap_with_a_real_instruction_is_refused() -> None:
    planted = declare("0000001 00000 rs1 100 rd 0110011", "planted {rd}")
    with pytest.raises(HospesError, match=r"div .* and planted .* overlap"):
        make(RV64.by_name["div"][0], planted)


def test_an_override_comes_first() -> None:
    wide, narrow = declare(WIDE, "one {rd}"), declare(NARROW, "two {rd}", overrides=("one",))
    for chosen in (make(wide, narrow), make(narrow, wide)):
        assert [made.name for made in chosen.insns] == ["two", "one"]
        for word, name in ((0x13, "two"), (0x100013, "one")):
            decoded = chosen.decode(word)
            assert decoded is not None
            assert decoded.insn.name == name


@pytest.mark.parametrize(
    ("first", "second", "disjoint"),
    [
        ("", "", False),
        ("rd == 0", "rd != 0", True),
        ("rd == 1", "rd == 2", True),
        ("rd != 1", "rd != 2", False),
        ("rd == 1 and imm == 0", "imm != 0", True),
        ("imm == 3", "rd != 0", False),
    ],
)
def test_conditions_separate(first: str, second: str, disjoint: bool) -> None:
    one, two = declare(WIDE, "one {rd}", first), declare(WIDE, "two {rd}", second)
    if disjoint:
        assert len(make(one, two).insns) == 2
    else:
        with pytest.raises(HospesError, match="overlap"):
            make(one, two)


def test_a_condition_against_fixed_bits_separates() -> None:
    base = declare(WIDE, "one {rd}")
    left = compressed("011 imm[5] rd imm[4:0] 01", "c.a {rd}", base, rd="rd", where="rd != 2")
    right = compressed("011 imm[5] 00010 imm[4:0] 01", "c.b", base, rd=2)
    assert not overlap(left, right)
    assert len(make(base, left, right).insns) == 3


def test_decode_uses_only_the_bits_of_the_instruction() -> None:
    assert RV64.decode(0xDEAD_4505) is RV64.decode(0x4505)
    assert RV64.decode(0xFFFF_FFFF_0000_0013) is RV64.decode(0x13)


@pytest.mark.parametrize("word", [0, 0xFFFF_FFFF, 0x0000_4002, 0x8002, 0x2001, 0x6101])
def test_illegal_words(word: int) -> None:
    assert RV64.decode(word) is None


def test_the_native_decoders_model_is_complete() -> None:
    """mask, match, fields and where decide alone, as a generated decoder uses them."""
    for made in RV64.insns:
        assert made.match & ~made.mask == 0
        assert {condition.field for condition in made.where} <= {f.name for f in made.fields}
        for field in made.fields:
            assert field.mask & made.mask == 0, (made.name, field.name)
