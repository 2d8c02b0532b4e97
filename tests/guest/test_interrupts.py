"""A stock kernel takes its interrupts by either architecture, on several harts."""

import re
from typing import Final

import pytest

from hospes import Machine
from hospes.guests.store import Image

pytestmark = pytest.mark.guest

COMMAND_SECONDS: Final = 120
CPUS: Final = 3
LOOK: Final = "dmesg | grep -E 'IPIs using|AIA'; cat /proc/interrupts"
WORK: Final = """
    for hart in $(seq 0 {last}); do
        taskset $((1 << hart)) sh -c 'tar c /bin | sha256sum' &
    done
    wait
    for hart in $(seq 0 {last}); do taskset $((1 << hart)) true; done"""


def counts(table: str, label: str) -> list[int]:
    """The numbers in a line of /proc/interrupts, one per hart."""
    found = re.search(rf"^ *{label}:((?: +\d+)+)", table, re.MULTILINE)
    assert found, table
    return [int(number) for number in found[1].split()]


@pytest.fixture(params=["aia", "plic"])
def machine(tiny: Image, request: pytest.FixtureRequest) -> Machine:
    with Machine("tiny", cpus=CPUS, interrupts=request.param) as machine:
        yield machine


def test_interrupts_arrive(machine: Machine) -> None:
    aia = machine.spec.interrupts == "aia"
    results = machine.run(WORK.format(last=CPUS - 1), COMMAND_SECONDS, check=True).stdout.split()
    assert len(set(results)) == 2
    seen = machine.run(LOOK, COMMAND_SECONDS, check=True).stdout
    controller = r"APLIC-MSI\S* +10 +Level +-fasteoi" if aia else r"SiFive PLIC +10 +Edge"
    console = rf"{controller} +ttyS0"
    assert re.search(console, seen)
    assert ("64 local interrupts mapped using AIA" in seen) == aia
    assert f"providing IPIs using {'interrupt 1' if aia else 'SBI IPI extension'}" in seen
    assert all(counts(seen, "10")), "a hart has no timer interrupts"
    assert all(first + second for first, second in zip(
        counts(seen, "IPI0"), counts(seen, "IPI1"), strict=True)), "a hart has no IPIs"
    assert ("IPI" in machine.stats.hypercalls) != aia
    assert ("imsic" in machine.stats.devices) == aia
