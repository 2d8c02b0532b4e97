"""Chooses seeds for a target's corpus: few that together reach all lines that many reach.

`python -m fuzz.collect uart 1000` looks at so many seeds and adds to `fuzz/corpus/uart.txt` those
that reach lines of Hospes that the seeds kept there do not.
"""

import importlib
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from fuzz.runner import CORPUS, Case, corpus

import hospes

SOURCES: Final = str(Path(hospes.__file__).parent)
HEADING: Final = "# Together they reach what any of many seeds did (python -m fuzz.collect {} N).\n"

Lines = set[tuple[str, int]]


def reached(case: Case, seed: int) -> Lines:
    """The lines of Hospes that a case executes."""
    lines: Lines = set()

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
        name = frame.f_code.co_filename
        if not name.startswith(SOURCES):
            return None
        lines.add((name, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        case(random.Random(seed))
    finally:
        sys.settrace(None)
    return lines


def chosen(case: Case, kept: list[int], count: int) -> list[int]:
    """The seeds kept and those that add to them, the most fruitful first."""
    known: Lines = set().union(*(reached(case, seed) for seed in kept))
    left = {seed: reached(case, seed) - known for seed in range(count)}
    found = list(kept)
    while any(left.values()):
        best = max(left, key=lambda seed: len(left[seed]))
        new = left.pop(best)
        found.append(best)
        left = {seed: lines - new for seed, lines in left.items()}
    return found


def main() -> None:
    """Rewrite a corpus."""
    name, count = sys.argv[1], int(sys.argv[2])
    case: Case = importlib.import_module(f"fuzz.{name}").case
    path = CORPUS / f"{name}.txt"
    told = path.read_text(encoding="utf-8") if path.exists() else HEADING.format(name)
    kept = corpus(name)
    new = [seed for seed in chosen(case, kept, count) if seed not in kept]
    path.write_text(told + "".join(f"{seed}\n" for seed in new), encoding="utf-8")
    print(f"{name}: {len(kept)} seeds kept, {len(new)} new")


if __name__ == "__main__":
    main()
