"""Privileged programs tell the same over the UART on both engines as in QEMU."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from tests.oracle import (
    scenario_interrupts,
    scenario_paging,
    scenario_pmp,
    scenario_traps,
)
from tests.oracle.judges import QEMU
from tests.oracle.transcript import hospes_transcript, qemu_transcript
from tests.oracle.transcript_exceptions import CORRECTIONS, corrected

from hospes.spec.vm import EngineKind

PAGING: Final = {"sv39": 8, "sv48": 9, "sv57": 10}
STEPS: Final = {"sv39": 1, "sv48": 7, "sv57": 7}
PRIORITIES: Final = ",x-smaia=true,x-ssaia=true"
"""Without these QEMU 7.2 takes interrupts in the order of their numbers, against section 3.1.9."""


@dataclass(frozen=True)
class Scenario:
    """A program, the features of QEMU's CPU it wants, and whether it is long for `reference`."""

    name: str
    source: Callable[[], str]
    features: str = ""
    long: bool = False


SCENARIOS: Final = (
    *(
        Scenario(
            f"permissions-{name}",
            partial(scenario_paging.permissions, mode, STEPS[name]),
            long=True,
        )
        for name, mode in PAGING.items()
    ),
    *(
        Scenario(f"{program.__name__}-{name}", partial(program, mode))
        for program in (
            scenario_paging.faults,
            scenario_paging.across,
            scenario_paging.spaces,
            scenario_paging.supervisor,
        )
        for name, mode in PAGING.items()
    ),
    Scenario("exceptions", scenario_traps.exceptions),
    Scenario("returns", scenario_traps.returns),
    Scenario("vectored", scenario_traps.vectored),
    Scenario("changing code", scenario_traps.changing_code),
    Scenario("floating state", scenario_traps.floating_state),
    *(
        Scenario(
            f"priorities {delegated:#x}",
            partial(scenario_interrupts.priorities, delegated),
            PRIORITIES,
        )
        for delegated in (0, 0x20, 0x222)
    ),
    Scenario("views", scenario_interrupts.views),
    Scenario("timers", scenario_interrupts.timers),
    Scenario("waiting", scenario_interrupts.waiting),
    Scenario("pmp permissions", scenario_pmp.permissions),
    Scenario("pmp priority", scenario_pmp.priority),
    Scenario("pmp locked", scenario_pmp.locked),
    Scenario("pmp tables", scenario_pmp.tables),
)
IDS: Final = [scenario.name for scenario in SCENARIOS]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=IDS)
def test_transcript(scenario: Scenario, tmp_path: Path) -> None:
    """Line by line QEMU's, where QEMU is right."""
    source = scenario.source()
    ours = hospes_transcript(source, EngineKind.THREADED)
    assert ours.count("\n") > 3
    if not scenario.long:
        assert ours == hospes_transcript(source, EngineKind.REFERENCE)
    if shutil.which(QEMU) is None:
        pytest.skip(f"{QEMU} is not installed; it is in the package qemu-system-misc")
    theirs, unused = corrected(scenario.name, qemu_transcript(source, tmp_path, scenario.features))
    assert ours.splitlines() == theirs.splitlines()
    assert not unused


@pytest.mark.soak
@pytest.mark.parametrize("name", PAGING)
def test_every_permission_on_the_reference_engine(name: str) -> None:
    """The whole matrix, which takes the reference engine a while."""
    source = scenario_paging.permissions(PAGING[name], 1)
    assert hospes_transcript(source, EngineKind.THREADED) == hospes_transcript(
        source, EngineKind.REFERENCE
    )


def test_every_correction_belongs_to_a_scenario() -> None:
    assert {correction.scenario for correction in CORRECTIONS} <= set(IDS)
