"""The whole engine as LLVM makes it: what its hot code must not contain."""

import platform
import re
from collections.abc import Mapping

import pytest

from hospes.compiler.native import assembly
from hospes.engine.threaded.build import engine_text
from hospes.engine.threaded.ops import operations_of
from hospes.engine.threaded.pairs import PAIRS
from hospes.isa.riscv.profile import RV64

X86 = platform.machine() in {"x86_64", "AMD64"}
LABEL = re.compile(r'"?([^"\s.][^":]*)"?:')
FRAME = re.compile(r"\bpushq?\s|\bpopq?\s|%rsp|\bcall")
CALLING = {"rv_f.fmin_s", "rv_f.fmax_s", "rv_d.fmin_d", "rv_d.fmax_d"}
"""These compare by functions that keep the flags of both comparisons."""


@pytest.fixture(scope="module")
def bodies() -> Mapping[str, str]:
    """The assembly of every function, by symbol."""
    if not X86:
        pytest.skip("the words that are looked for are x86-64's")
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in assembly(engine_text(RV64)).splitlines():
        label = LABEL.match(line)
        if label and not line.startswith("."):
            current = found.setdefault(label[1], [])
        elif line.startswith(".Lfunc_end"):
            current = []
        current.append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def offences(bodies: Mapping[str, str], symbols: list[str]) -> list[str]:
    return [symbol for symbol in symbols if FRAME.search(bodies[symbol])]


def test_no_fast_handler_has_a_stack_frame_or_calls(bodies: Mapping[str, str]) -> None:
    """Whatever is rare leaves by a tail call (docs/ARCHITECTURE.md)."""
    symbols = []
    for operation in operations_of(RV64.insns):
        room = operation.function.__module__.rpartition(".")[2]
        stem = f"{room}.{operation.name}"
        if not operation.serial and stem not in CALLING:
            symbols += [f"{stem}.{length}" for length in operation.lengths]
    assert len(symbols) > 150
    symbols += [f"{symbol}.near" for symbol in symbols if f"{symbol}.near" in bodies]
    assert not offences(bodies, symbols)


def test_no_fused_handler_has_a_stack_frame_or_calls(bodies: Mapping[str, str]) -> None:
    symbols = ["+".join(line.split()) for line in PAIRS.split("\n") if line]
    assert len(symbols) > 100
    assert not offences(bodies, symbols)


@pytest.mark.parametrize("symbol", ["next_page", "pause", "rv_i.jalr.4", "rv_i.beq.4.near"])
def test_what_moves_between_pages_is_lean(bodies: Mapping[str, str], symbol: str) -> None:
    assert not offences(bodies, [symbol])
    assert bodies[symbol].count("\n") < 60


def test_the_search_finds_a_frame(bodies: Mapping[str, str]) -> None:
    assert offences(bodies, ["engine.threaded.attend.attend"])
