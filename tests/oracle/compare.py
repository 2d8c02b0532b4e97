"""Compares what two judges made of an image, in every case, with the known exceptions."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tests.oracle.exceptions import (
    EXCEPTIONS,
    TRAP_EXCEPTIONS,
    Case,
    OracleException,
    Trap,
    TrapException,
)
from tests.oracle.image import RESULTS, Block, Image
from tests.oracle.judges import Outcome

from hospes.isa.riscv.profile import RV64

SHOWN = 5
TRAP_NAMES = ("cause", "value", "address", "mode")
ADDRESS = 2


@dataclass
class Verdict:
    """Differences that nothing explains, as text, and the exceptions that explained others."""

    cases: int = 0
    traps: int = 0
    excused: int = 0
    unexplained: list[str] = field(default_factory=list)
    used: list[OracleException | TrapException] = field(default_factory=list)

    def check(self) -> None:
        """Fail if anything is unexplained."""
        shown = "\n".join(self.unexplained[:SHOWN])
        assert not self.unexplained, f"{len(self.unexplained)} differences, the first:\n{shown}"


def compare(image: Image, ours: Outcome, theirs: Outcome, judge: str) -> Verdict:
    """Every case's results, every trap, and the data window."""
    verdict = Verdict(cases=image.cases, traps=len(ours.traps))
    for block in image.blocks:
        _compare_block(verdict, block, _of(block, ours), _of(block, theirs), judge)
    _compare_traps(verdict, image, ours, theirs, judge)
    if ours.data != theirs.data and not verdict.unexplained:
        place = next(i for i in range(len(ours.data)) if ours.data[i] != theirs.data[i])
        pair = f"ours {ours.data[place]:#x}, {judge} {theirs.data[place]:#x}"
        verdict.unexplained.append(f"data at offset {place:#x}: {pair}")
    return verdict


def _of(block: Block, outcome: Outcome) -> npt.NDArray[np.uint64]:
    """The results of a block: rows, words, fields."""
    start = (block.results_gpa - RESULTS) // 8
    shape = (len(block.rows), len(block.words), len(block.fields))
    return outcome.results[start : start + shape[0] * shape[1] * shape[2]].reshape(shape)


def _compare_block(
    verdict: Verdict,
    block: Block,
    ours: npt.NDArray[np.uint64],
    theirs: npt.NDArray[np.uint64],
    judge: str,
) -> None:
    for row, number in np.argwhere((ours != theirs).any(axis=2)).tolist():
        operands = tuple(block.rows[row].tolist())
        answer = tuple(theirs[row, number].tolist())
        label = block.labels[number] if block.labels else ""
        case = Case(block.made, block.words[number], operands, answer, label)
        mine = tuple(ours[row, number].tolist())
        if _explained(verdict, case, mine, judge):
            verdict.excused += 1
        else:
            verdict.unexplained.append(_describe(block, case, mine, judge))


def _explained(verdict: Verdict, case: Case, mine: tuple[int, ...], judge: str) -> bool:
    """Whether exceptions turn the judge's answer into ours."""
    applied = []
    for exception in EXCEPTIONS:
        if exception.judge != judge or not exception.applies(case):
            continue
        applied.append(exception)
        answer = mine if exception.right is None else exception.right(case)
        case = case._replace(answer=answer)
        if answer == mine:
            verdict.used.extend(known for known in applied if known not in verdict.used)
            return True
    return False


def _describe(block: Block, case: Case, mine: tuple[int, ...], judge: str) -> str:
    pairs = "; ".join(
        f"{name}: ours {a:#x}, {judge} {b:#x}"
        for name, a, b in zip(block.fields, mine, case.answer, strict=True)
        if a != b
    )
    operands = ", ".join(f"{value:#x}" for value in case.operands)
    text = case.label or RV64.disassemble(case.word)
    return f"{text} ({case.word:#x}) with {operands}: {pairs}"


def _compare_traps(
    verdict: Verdict, image: Image, ours: Outcome, theirs: Outcome, judge: str
) -> None:
    """Both logs, entry by entry, up to the first unexplained difference."""
    words = {
        place: word for b in image.blocks for place, word in zip(b.places, b.words, strict=True)
    }
    for index, (a, b) in enumerate(_pairs(ours, theirs)):
        if a == b:
            continue
        word = words.get((a or b or (0, 0, 0, 0))[ADDRESS], 0)
        known = a is not None and b is not None and _trap_explained(verdict, word, a, b, judge)
        if known:
            verdict.excused += 1
            continue
        address = (a or b or (0, 0, 0, 0))[ADDRESS]
        verdict.unexplained.append(
            f"trap {index} at {_word_at(image, address)}: ours {_trap(a)}, {judge} {_trap(b)}"
        )
        return


def _trap_explained(
    verdict: Verdict, word: int, ours: tuple[int, ...], theirs: tuple[int, ...], judge: str
) -> bool:
    """Whether exceptions turn the judge's trap into ours."""
    for exception in TRAP_EXCEPTIONS:
        if exception.judge != judge:
            continue
        answer = exception.right(Trap(*theirs), Trap(*ours), RV64.find(word))
        if tuple(answer) == ours:
            if exception not in verdict.used:
                verdict.used.append(exception)
            return True
    return False


def _pairs(
    ours: Outcome, theirs: Outcome
) -> Iterator[tuple[tuple[int, ...] | None, tuple[int, ...] | None]]:
    logs = [list(map(tuple, outcome.traps.tolist())) for outcome in (ours, theirs)]
    for index in range(max(map(len, logs))):
        yield tuple(log[index] if index < len(log) else None for log in logs)  # type: ignore[misc]


def _trap(entry: tuple[int, ...] | None) -> str:
    if entry is None:
        return "none"
    return " ".join(f"{name} {value:#x}" for name, value in zip(TRAP_NAMES, entry, strict=True))


def _word_at(image: Image, address: int) -> str:
    for block in image.blocks:
        if address in block.places:
            word = block.words[block.places.index(address)]
            return f"{address:#x} {RV64.disassemble(word)} ({word:#x})"
    return f"{address:#x}"
