"""`show`: an instruction as it is written."""

import pytest

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verbs.show import show


def test_an_instruction_has_its_encoding_and_source() -> None:
    shown = show(Manager(), "div")
    assert [e.pattern for e in shown.encodings] == ["0000001 rs2 rs1 100 rd 0110011"]
    (meaning,) = shown.meanings
    assert meaning.place.startswith("hospes/isa/riscv/rv_m.py:")
    assert "def div(" in meaning.source
    assert "sdiv(a, b)" in meaning.source


def test_a_compiled_instruction_shows_its_handlers() -> None:
    (handler,) = show(Manager(), "add").handlers
    assert "add i64" in handler.ir
    assert "addq" in handler.assembly or "add" in handler.assembly


def test_a_compressed_instruction_shows_what_it_expands_to() -> None:
    shown = show(Manager(), "C.LWSP")
    assert shown.encodings[0].where == "rd != 0"
    assert "def lw(" in shown.meanings[0].source


def test_an_unknown_name_is_refused_with_near_ones() -> None:
    with pytest.raises(HospesError, match="no instruction 'divv'; did you mean div"):
        show(Manager(), "divv")
