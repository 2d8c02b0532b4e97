"""System instructions and CSRs in every mode against QEMU: what traps, and what CSRs keep."""

import shutil
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
import pytest
from tests.oracle.image import RESULTS, encode
from tests.oracle.judges import QEMU, Outcome, run_hospes, run_qemu
from tests.oracle.system import Key, Stage, SystemImage, reads, writes
from tests.oracle.system_exceptions import (
    EXCLUDED_PATTERNS,
    INSTRUCTIONS,
    LEGALITY,
    NOT_WRITTEN,
    Trap,
    uncompared,
)

from hospes.isa.riscv.csr import CSR_NUMBERS, CSRS
from hospes.isa.riscv.profile import RV64

pytestmark = pytest.mark.skipif(
    shutil.which(QEMU) is None, reason=f"{QEMU} is not installed (package qemu-system-misc)"
)

COUNTERS: Final = [*range(0xC00, 0xC20), CSR_NUMBERS["stimecmp"]]
OPEN_TO_S: Final = "li t0, 7; csrw mcounteren, t0"
OPEN_TO_U: Final = "li t0, 7; csrw scounteren, t0"
ONLY_TIME: Final = "li t0, 2; csrw mcounteren, t0; li t0, 5; csrw scounteren, t0"
STCE_ON: Final = "li t0, 1 << 63; csrs menvcfg, t0"
TVM_ON: Final = "li t0, 1 << 20; csrs mstatus, t0"
TVM_OFF: Final = "li t0, 1 << 20; csrc mstatus, t0"
TRAPS_ON: Final = "li t0, 3 << 21; csrs mstatus, t0"
TRAPS_OFF: Final = "li t0, 3 << 21; csrc mstatus, t0"
PENDING: Final = "li t0, 2; csrw mideleg, t0; csrs mie, t0; csrs mip, t0"
QUIET: Final = "csrw mie, zero"
FLOAT_OFF: Final = "li t0, 0x6000; csrc mstatus, t0"

SFENCES: Final = ("sfence.vma", "sinval.vma")
FENCES: Final = ("sfence.w.inval", "sfence.inval.ir")
RETURNS: Final = ("mret", "sret")
FLOATING: Final = [
    made
    for made in RV64.insns
    if made.function.__module__.startswith(("hospes.isa.riscv.rv_f", "hospes.isa.riscv.rv_d"))
]
PATTERNS: Final = (
    0, (1 << 64) - 1, 0x5555_5555_5555_5555, 0xAAAA_AAAA_AAAA_AAAA, 0x1800, 1 << 63, 0xFFFF,
    0x0F0F_0F0F_0F0F_0F0F, 0x1919_0909_1B1B_0B01, 1, 2, 3, 0x8000_0000_0000_0007, 0x1234_5678_9ABC,
    8 << 60 | 0x8_0123, 9 << 60 | 0x7 << 44, 10 << 60, 11 << 60, 1 << 60,
)  # fmt: skip


def words(*names: str) -> list[tuple[Key, int]]:
    """Instructions without operands, or on x0."""
    return [((name, 0), RV64.by_name[name][0].match) for name in names]


def legality_image() -> SystemImage:
    """Every CSR in every mode; then settings that open and close some."""
    image = SystemImage("legality")
    image.assemble("li x11, 0")
    for mode in "MSU":
        image.stage("", mode, reads(range(4096)))
        image.stage("", mode, writes(range(4096)))
        swaps = [(("swap", n), encode("csrrw", rd=10, csr=n, rs1=11)) for n in range(0xC00, 4096)]
        image.stage("", mode, swaps)
    for setting in (OPEN_TO_S, STCE_ON, OPEN_TO_U, ONLY_TIME):
        image.stage(setting, "S", [*reads(COUNTERS), *writes(COUNTERS)])
        image.stage("", "U", [*reads(COUNTERS), *writes(COUNTERS)])
    image.stage(TVM_ON, "S", [*reads([0x180]), *writes([0x180])])
    for mode in "MSU":
        image.stage(FLOAT_OFF, mode, [*reads(range(4)), *writes(range(4))])
    return image


def instruction_image() -> SystemImage:
    """System instructions where they trap or go on with the next instruction."""
    image = SystemImage("instructions")
    plain = words("ecall", "ebreak", "c.ebreak", "fence.i", "fence", *FENCES, *SFENCES)
    for mode in "MSU":
        image.stage("", mode, plain)
    image.stage(PENDING, "S", words("mret", "wfi"))
    image.stage("", "M", words("wfi"))
    image.stage(QUIET, "U", words(*RETURNS, "wfi"))
    image.stage(TVM_ON, "S", words(*SFENCES, *FENCES))
    image.stage("", "U", words(*SFENCES, *FENCES))
    image.stage("", "M", words(*SFENCES))
    image.stage(TVM_OFF + ";" + TRAPS_ON, "S", words("sret", "wfi"))
    image.stage("", "U", words("sret", "wfi"))
    operations = [((made.name, 0), made.match) for made in FLOATING]
    for mode in "MSU":
        image.stage(TRAPS_OFF + ";" + FLOAT_OFF, mode, operations)
    return image


def differences(image: SystemImage, ours: Outcome, theirs: Outcome) -> list[str]:
    """Accesses of which one side's trap is not the other's."""
    mine, other = _log(ours), _log(theirs)
    found = []
    for stage in image.stages:
        for place, key in stage.places.items():
            a, b = mine.get(place), other.get(place)
            if a != b and not _known(stage, key, a, b):
                found.append(f"{key} in {stage.mode} after '{stage.setting}': {a} and {b}")
    return found


def _log(outcome: Outcome) -> dict[int, Trap]:
    """Cause, value and mode of the trap at each address."""
    return {row[2]: (row[0], row[1], row[3]) for row in outcome.traps.tolist()}


def _known(stage: Stage, key: Key, ours: Trap | None, theirs: Trap | None) -> bool:
    if any(known.covers(key[0], stage.mode, ours, theirs) for known in INSTRUCTIONS):
        return True
    one_sided = ours is None or theirs is None
    return one_sided and any(known.covers(*key, stage.mode) for known in LEGALITY)


@pytest.mark.parametrize("make", [legality_image, instruction_image])
def test_what_traps(make: Callable[[], SystemImage]) -> None:
    """Cause, trap value and mode, in U, S and M, are QEMU's."""
    image = make()
    assert differences(image, run_hospes(image, threaded=True), run_qemu(image)) == []


@pytest.mark.parametrize(
    "make", [pytest.param(legality_image, marks=pytest.mark.soak), instruction_image]
)
def test_what_traps_on_the_reference_engine(make: Callable[[], SystemImage]) -> None:
    """The log of traps is the same on both engines."""
    image = make()
    ours, reference = (run_hospes(image, threaded=threaded) for threaded in (True, False))
    assert np.array_equal(ours.traps, reference.traps)


@cache
def values_image() -> tuple[SystemImage, list[tuple[str, int]]]:
    """Each CSR written with patterns and read back, then given its old value again."""
    image = SystemImage("values")
    image.pointers(x20=RESULTS)
    cases = []
    for found in CSRS.values():
        if found.number >= 0xC00 or found.name.startswith("mhpm") or found.name in NOT_WRITTEN:
            continue
        n = found.number
        for pattern in PATTERNS:
            if found.name in EXCLUDED_PATTERNS and EXCLUDED_PATTERNS[found.name][0](pattern):
                continue
            image.assemble(f"csrr x12, {n}; li x13, {pattern}; csrw {n}, x13; csrr x14, {n}")
            image.assemble(f"csrw {n}, x12; sd x14, 0(x20); addi x20, x20, 8")
            cases.append((found.name, pattern))
    image.results_gpa += 8 * len(cases)
    return image, cases


def test_what_csrs_keep() -> None:
    """What is read after a write is what QEMU reads, in the bits that both have."""
    image, cases = values_image()
    ours, theirs = run_hospes(image, threaded=True), run_qemu(image)
    assert len(ours.traps) == 0
    found = []
    for (name, pattern), a, b in zip(
        cases, ours.results.tolist(), theirs.results.tolist(), strict=True
    ):
        if (a ^ b) & ~uncompared(name):
            found.append(f"{name} after {pattern:#x}: ours {a:#x}, qemu {b:#x}")
    assert found == []
    reference = run_hospes(image, threaded=False)
    assert np.array_equal(ours.results, reference.results)
