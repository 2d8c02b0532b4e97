"""Where a judge is wrong or has no say, case by case, with the section that says so.

Sections are those of the Unprivileged ISA, version 20240411, and of the Privileged ISA of the same
date. Unicorn 2.1 is the RISC-V model of QEMU 5.0; the other judge is QEMU 7.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tests.oracle.words import is_float

from hospes.base.ieee import BINARY32, BINARY64
from hospes.isa.insn import Insn
from hospes.isa.riscv.encoding import ECALL_FROM_U
from hospes.isa.riscv.fp_bits import BOX

UNICORN = "unicorn"
QEMU = "qemu"

FUSED = ("fmadd", "fmsub", "fnmadd", "fnmsub")
NV = 0x10
"""The flag of an invalid operation in fcsr."""

Result = tuple[int, ...]


class Case(NamedTuple):
    """A word that ran with operands, and the judge's answer: the block's fields in order."""

    made: Insn
    word: int
    operands: tuple[int, ...]
    answer: Result
    label: str = ""


class Trap(NamedTuple):
    """An entry of the log of traps; mode is mstatus.MPP."""

    cause: int
    value: int
    address: int
    mode: int


@dataclass(frozen=True)
class OracleException:
    """Cases in which a judge's answer is not the specification's.

    `applies` picks the cases. `right` turns the judge's answer into the specification's; without
    it the judge has no say, and another one must have it.
    """

    judge: str
    section: str
    reason: str
    applies: Callable[[Case], bool]
    right: Callable[[Case], Result] | None = None


@dataclass(frozen=True)
class TrapException:
    """Traps of which a judge gets a part wrong: `right` gives the specification's trap, from the
    judge's, ours and the instruction (None for words that are no case)."""

    judge: str
    section: str
    reason: str
    right: Callable[[Trap, Trap, Insn | None], Trap]


def _single_sources(made: Insn) -> list[int]:
    """The positions of operands that are singles in f registers."""
    if not made.name.endswith(".s") and made.name != "fcvt.d.s":
        return []
    return [slot for slot, name in enumerate(("rs1", "rs2", "rs3")) if is_float(made, name)]


def _badly_boxed(case: Case) -> bool:
    present = {name for name, _ in case.made.operands}
    return any(
        case.operands[slot] < BOX and f"rs{slot + 1}" in present
        for slot in _single_sources(case.made)
    )


def _writes_single(case: Case) -> bool:
    name = case.made.name
    if case.made.integer_destination:
        return False
    return name.startswith("fcvt.s.") or name == "fmv.w.x" or (
        name.endswith(".s") and not name.startswith("fcvt.")
    )  # fmt: skip


def _boxed(case: Case) -> Result:
    return case.answer[0] | BOX, *case.answer[1:]


def _floats(case: Case) -> tuple[int, ...]:
    """The operands, unboxed."""
    mask = 2 * BINARY32.sign - 1 if case.made.name.endswith(".s") else 2 * BINARY64.sign - 1
    return tuple(operand & mask for operand in case.operands[:3])


def _signalling_minimum(case: Case) -> bool:
    if not case.made.name.startswith(("fmin", "fmax")):
        return False
    f = BINARY32 if case.made.name.endswith(".s") else BINARY64
    a, b, _ = _floats(case)
    signalling = f.is_signalling(a) or f.is_signalling(b)
    return signalling and not (f.is_nan(a) and f.is_nan(b))


def _the_number(case: Case) -> Result:
    f = BINARY32 if case.made.name.endswith(".s") else BINARY64
    a, b, _ = _floats(case)
    box = BOX if f is BINARY32 else 0
    return (b if f.is_nan(a) else a) | box, case.answer[1]


def _nan_added_to_an_invalid_product(case: Case) -> bool:
    if case.made.name[:-2] not in FUSED:
        return False
    f = BINARY32 if case.made.name.endswith(".s") else BINARY64
    a, b, c = _floats(case)
    factors = {a & ~f.sign, b & ~f.sign}
    return factors == {0, f.infinity} and f.is_nan(c) and not f.is_signalling(c)


def _invalid(case: Case) -> Result:
    return case.answer[0], case.answer[1] | NV


def _trailing_zeros(case: Case) -> Result:
    return (32,)


def _trap_between(case: Case) -> bool:
    return "ecall" in case.label


def _narrower_store(case: Case) -> bool:
    return case.made.name == "sc.d" and case.label.endswith("sc.w x12, x13, (x11)")


EXCEPTIONS = (
    OracleException(
        UNICORN,
        '"NaN Boxing of Narrower Values"',
        "an operand that is not boxed counts as the canonical NaN; QEMU 5.0 takes its low half",
        _badly_boxed,
    ),
    OracleException(
        UNICORN,
        '"NaN Boxing of Narrower Values"',
        "a single's upper half is all ones; QEMU 5.0 leaves zeros",
        _writes_single,
        _boxed,
    ),
    OracleException(
        UNICORN,
        '"Single-Precision Floating-Point Computational Instructions"',
        "fmin and fmax are minimumNumber and maximumNumber since F 2.2: a number beats a "
        "signalling NaN; QEMU 5.0 has minNum and maxNum",
        _signalling_minimum,
        _the_number,
    ),
    OracleException(
        UNICORN,
        '"Single-Precision Floating-Point Computational Instructions"',
        "infinity times zero is invalid even when a quiet NaN is added; QEMU 5.0 forgets the flag",
        _nan_added_to_an_invalid_product,
        _invalid,
    ),
    OracleException(
        QEMU,
        '"Zbb: Basic bit-manipulation", ctzw',
        "ctzw counts in the low word only, 32 if that is zero; QEMU 7.2 goes on into the upper",
        lambda case: case.made.name == "ctzw" and case.operands[0] & 0xFFFF_FFFF == 0,
        _trailing_zeros,
    ),
    *(
        OracleException(
            judge,
            '"Eventual Success of Store-Conditional Instructions"',
            "nothing is said about a reservation after a trap between lr and sc: ours stays, QEMU "
            "drops it",
            _trap_between,
        )
        for judge in (UNICORN, QEMU)
    ),
    *(
        OracleException(
            judge,
            '"Load-Reserved/Store-Conditional Instructions"',
            "sc.w after lr.d of the same address may fail, but then it must not store; QEMU does",
            _narrower_store,
        )
        for judge in (UNICORN, QEMU)
    ),
)


def _atomic_cause(theirs: Trap, ours: Trap, made: Insn | None) -> Trap:
    if made is None or not made.name.startswith("amo") or theirs.cause != 4:
        return theirs
    return theirs._replace(cause=6)


def _own_address(theirs: Trap, ours: Trap, made: Insn | None) -> Trap:
    aligned = {ours.value & -size & (1 << 64) - 1 for size in (2, 4, 8)}
    below = theirs.cause in (5, 7) and theirs.value in aligned
    return theirs._replace(value=ours.value) if below else theirs


def _as_stopped(theirs: Trap, ours: Trap, made: Insn | None) -> Trap:
    trap = _atomic_cause(theirs, ours, made)
    if trap.cause == ECALL_FROM_U:
        trap = trap._replace(cause=ECALL_FROM_U + trap.mode)
    return trap._replace(value=ours.value)


TRAP_EXCEPTIONS = (
    TrapException(
        UNICORN,
        "none: it stops at a trap instead of taking it",
        "the trap value cannot be seen, an ecall's cause is without the mode, and misaligned "
        "atomics are told as loads, as by QEMU",
        _as_stopped,
    ),
    TrapException(
        QEMU,
        'Privileged ISA, "mcause", table of values after a trap',
        "a misaligned atomic memory operation has cause 6, store or AMO; QEMU 7.2 says 4, load",
        _atomic_cause,
    ),
    TrapException(
        QEMU,
        'Privileged ISA, "mtval"',
        "the trap value is the address of the access; QEMU 7.2 gives an aligned one below it",
        _own_address,
    ),
)


@dataclass(frozen=True)
class Lacking:
    """A judge that cannot have a say on a group of instructions, and what is done instead."""

    judge: str
    group: str
    reason: str
    instead: str


LACKING = (
    Lacking(UNICORN, "bits", "QEMU 5.0 has neither Zba nor Zbb nor Zbs", "QEMU 7.2 judges them"),
    Lacking(
        UNICORN, "conditional", "no Zicond",
        "base instructions that the chapter gives as equivalent run in its place (standins.py)",
    ),
    Lacking(QEMU, "conditional", "QEMU 7.2 has no Zicond", "base instructions, as for unicorn"),
    Lacking(
        UNICORN, "cache", "neither Zicbom nor Zicboz",
        "stores of zero in place of cbo.zero, nothing in place of the others (standins.py)",
    ),
    Lacking(
        QEMU, "cache", "QEMU 7.2 has neither Zicbom nor Zicboz",
        "as for unicorn; which modes may use them is judged by tests/isa/riscv/test_zicbo.py",
    ),
    Lacking(
        UNICORN, "mixtures", "in a sequence one result that is excused above spreads to others",
        "QEMU 7.2 judges them, without ctzw",
    ),
    Lacking(
        UNICORN, "misaligned reservations",
        "QEMU reports a failing sc without looking at its alignment, and lr's and sc's cause as 4",
        '"Load-Reserved/Store-Conditional Instructions": the address must be naturally aligned, '
        "or an address-misaligned or access-fault exception is raised; the traps are checked "
        "against the causes of the Privileged ISA's table",
    ),
    Lacking(QEMU, "misaligned reservations", "as in unicorn", "as for unicorn"),
)  # fmt: skip
