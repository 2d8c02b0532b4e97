"""Handlers in print."""

import pytest

from hospes.engine.threaded.listing import listings
from hospes.isa.riscv.profile import RV64


@pytest.mark.parametrize("name", ["div", "beq", "csrrw", "fadd.d", "c.lwsp", "amoadd.w", "fence.i"])
def test_each_handler_has_ir_and_assembly(name: str) -> None:
    found = listings(RV64.by_name[name], RV64.insns)
    assert found
    for one in found:
        assert one.ir.startswith(f'define preserve_nonecc void @"{one.symbol}"(')
        assert one.ir.endswith("}")
        assert one.assembly
        assert "\n    ." not in one.assembly


def test_only_the_lengths_asked_for_are_listed() -> None:
    assert [one.symbol for one in listings(RV64.by_name["lw"], RV64.insns)] == ["rv_i.lw.4"]
    assert [one.symbol for one in listings(RV64.by_name["c.lw"], RV64.insns)] == ["rv_i.lw.2"]


def test_branches_have_a_near_and_a_far_handler() -> None:
    symbols = [one.symbol for one in listings(RV64.by_name["beq"], RV64.insns)]
    assert symbols == ["rv_i.beq.4", "rv_i.beq.4.near"]


COMMON = (
    "add addi addiw sub and or xor slli srli lui auipc slt sltu mul "
    "lb lbu lh lw lwu ld sb sh sw sd beq bne blt bge bltu bgeu jal jalr fadd.d fmul.d fld fsd"
)


@pytest.mark.parametrize("name", COMMON.split())
def test_a_common_handler_has_no_stack_frame(name: str) -> None:
    for handler in listings(RV64.by_name[name], RV64.insns):
        assert "push" not in handler.assembly
        assert "%rsp" not in handler.assembly
        assert "call" not in handler.assembly
