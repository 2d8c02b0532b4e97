"""Every instruction on the threaded engine against the reference engine, QEMU and unicorn.

HOSPES_CASES sets the number of cases per instruction. Differences are listed in exceptions.py with
the section of the specification that settles them.
"""

import pytest
from tests.oracle.exceptions import EXCEPTIONS, LACKING, QEMU, TRAP_EXCEPTIONS, UNICORN
from tests.oracle.groups import CASES, GROUPS, SOAK_CASES, Group, built, judge
from tests.oracle.image import DATA, Image, encode
from tests.oracle.judges import run_hospes
from tests.oracle.standins import STAND_INS

from hospes.isa.riscv.profile import RV64

PAIRS = [(group, name) for group in GROUPS for name in group.judges]
IDS = [f"{group.name}-{name}" for group, name in PAIRS]


@pytest.mark.parametrize(("group", "name"), PAIRS, ids=IDS)
def test_agrees_with(group: Group, name: str) -> None:
    """Results, flags, memory and traps are the judge's."""
    judge(group, CASES, name).check()


@pytest.mark.soak
@pytest.mark.parametrize(("group", "name"), PAIRS, ids=IDS)
def test_agrees_in_a_million_cases_with(group: Group, name: str) -> None:
    """The same with SOAK_CASES for each instruction."""
    judge(group, SOAK_CASES, name).check()


SYSTEM = {made.name for made in RV64.insns if made.serial} - {"cbo.inval", "cbo.clean", "cbo.flush"}
"""Instructions of the system; test_system.py and test_privileged.py have them."""


def test_judges_without_a_say_are_listed() -> None:
    listed = {(lacking.judge, lacking.group) for lacking in LACKING}
    for group in GROUPS:
        for name in {QEMU, UNICORN} - set(group.judges):
            assert (name, group.name) in listed
        stands_in = any(made.name in STAND_INS for made in group.instructions)
        assert not stands_in or {(QEMU, group.name), (UNICORN, group.name)} <= listed


@pytest.mark.parametrize("name", ["lr.w", "lr.d", "sc.w", "sc.d"])
def test_misaligned_reservations(name: str) -> None:
    """lr tells a misaligned load, sc a misaligned store, also when it would fail anyway."""
    size, cause = (4 if name.endswith("w") else 8), (4 if name.startswith("lr") else 6)
    image = Image(name)
    values = {} if name.startswith("lr") else {"rs2": 11}
    places = []
    for offset in range(-size, 2 * size):
        image.pointers(x10=DATA + 4096 + offset)
        if offset % size:
            places.append((cause, DATA + 4096 + offset, image.pc, 3))
        image.emit(encode(name, rd=12, rs1=10, **values))
    image.finish()
    for threaded in (True, False):
        traps = run_hospes(image, threaded=threaded).traps
        assert [tuple(trap) for trap in traps.tolist()] == places


def test_every_instruction_is_judged() -> None:
    judged = {made.name for group in GROUPS for made in group.instructions}
    assert {made.name for made in RV64.insns} - judged == SYSTEM | {"lr.w", "lr.d"}


@pytest.mark.soak
def test_there_are_a_million_cases() -> None:
    """For every judge."""
    for name in {name for _, name in PAIRS}:
        judged = [group for group in GROUPS if name in group.judges]
        cases = sum(built(group, SOAK_CASES, stand_ins=False).cases for group in judged)
        assert cases >= 1_000_000, name


@pytest.mark.soak
def test_every_exception_is_needed() -> None:
    """An exception that no case runs into any more is to be removed."""
    used = [known for group, name in PAIRS for known in judge(group, SOAK_CASES, name).used]
    unused = [known for known in (*EXCEPTIONS, *TRAP_EXCEPTIONS) if known not in used]
    assert not unused
