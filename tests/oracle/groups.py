"""The groups of instructions that are judged together, and what runs them."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import pytest
from tests.oracle.compare import Verdict, compare
from tests.oracle.compute import BITS, CONDITIONAL, FLOATING, INTEGER, compute_block, computing
from tests.oracle.control import INDIRECT, RELATIVE, control_block
from tests.oracle.exceptions import QEMU, UNICORN
from tests.oracle.image import Block, Image
from tests.oracle.judges import QEMU as QEMU_PROGRAM
from tests.oracle.judges import Outcome, run_hospes, run_qemu, run_unicorn
from tests.oracle.memory import (
    ATOMIC,
    CACHE,
    LOADING,
    STORING,
    atomic_block,
    cache_block,
    memory_block,
    reservation_block,
)
from tests.oracle.mixture import MIXTURES, mixture_block

from hospes.isa.insn import Insn
from hospes.isa.riscv.profile import RV64

CASES: Final = int(os.environ.get("HOSPES_CASES", "300"))
"""Cases per instruction in `make test`."""
SOAK_CASES: Final = max(CASES, 6000)
"""Cases per instruction in `make soak`: more than a million in all."""
REFERENCE: Final = "reference"

Builder = Callable[[Image, Insn, int], Block]


@dataclass(frozen=True)
class Group:
    """Instructions with the builder of their blocks and the judges that know them.

    `share` scales the number of cases.
    """

    name: str
    build: Builder
    instructions: tuple[Insn, ...]
    judges: tuple[str, ...] = (REFERENCE, QEMU, UNICORN)
    share: float = 1.0


CONDITIONAL_STORES: Final = (*RV64.by_name["sc.w"], *RV64.by_name["sc.d"])
GROUPS: Final = (
    Group("integer", compute_block, tuple(computing(INTEGER))),
    Group("bits", compute_block, tuple(computing(BITS)), (REFERENCE, QEMU)),
    Group("conditional", compute_block, tuple(computing(CONDITIONAL))),
    Group("floating", compute_block, tuple(computing(FLOATING))),
    Group("loads", memory_block, tuple(LOADING)),
    Group("stores", memory_block, tuple(STORING)),
    Group("atomics", atomic_block, tuple(ATOMIC)),
    Group("reservations", reservation_block, CONDITIONAL_STORES, share=4),
    Group("cache", cache_block, tuple(CACHE)),
    Group("branches", control_block, tuple(RELATIVE)),
    Group("indirect", control_block, tuple(INDIRECT)),
    Group("mixtures", mixture_block, MIXTURES, (REFERENCE, QEMU), share=0.2),
)


@lru_cache(maxsize=1)
def built(group: Group, cases: int, *, stand_ins: bool) -> Image:
    """The image of a group."""
    image = Image(group.name, stand_ins=stand_ins)
    for made in group.instructions:
        group.build(image, made, int(cases * group.share))
    image.finish()
    return image


@lru_cache(maxsize=1)
def threaded(group: Group, cases: int) -> Outcome:
    """What the threaded engine makes of a group."""
    return run_hospes(built(group, cases, stand_ins=False), threaded=True)


@cache
def judge(group: Group, cases: int, name: str) -> Verdict:
    """The threaded engine's outcome compared with a judge's."""
    ours = threaded(group, cases)
    image = built(group, cases, stand_ins=False)
    if name == REFERENCE:
        return compare(image, ours, run_hospes(image, threaded=False), name)
    if name == QEMU and shutil.which(QEMU_PROGRAM) is None:
        pytest.skip(f"{QEMU_PROGRAM} is not installed; it is in the package qemu-system-misc")
    run = run_qemu if name == QEMU else run_unicorn
    return compare(image, ours, run(built(group, cases, stand_ins=True)), name)
