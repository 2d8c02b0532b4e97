"""Every instruction on the threaded engine against the reference engine, QEMU and unicorn.

HOSPES_CASES sets the number of cases per instruction. Differences are listed in exceptions.py with
the section of the specification that settles them.
"""

import pytest
from tests.oracle.exceptions import EXCEPTIONS, TRAP_EXCEPTIONS
from tests.oracle.groups import CASES, GROUPS, SOAK_CASES, Group, built, judge

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
