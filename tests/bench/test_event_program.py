"""The event program on Hospes, and its results read back."""

from pathlib import Path

import pytest
from bench.event_program import BEGIN, END, assemble_events, read_results
from bench.event_rows import EVENTS, ColdEvent

from hospes.machine.machine import EndKind, Machine
from hospes.spec.vm import EngineKind, VmSpec

MEMORY_BYTES = 128 << 20


@pytest.mark.parametrize(
    ("engine", "scale"), [(EngineKind.THREADED, 0.01), (EngineKind.REFERENCE, 0.0001)]
)
def test_every_row_appears(engine: EngineKind, scale: float, tmp_path: Path) -> None:
    image = tmp_path / "events.bin"
    image.write_bytes(assemble_events(scale, repetitions=2))
    spec = VmSpec(bios=image, memory_bytes=MEMORY_BYTES, engine=engine)
    with Machine(spec) as machine:
        ending = machine.run()
        output = machine.console.history
    assert (ending.kind, ending.exit_code) == (EndKind.GUEST, 0), output
    found = read_results(output, scale)
    assert list(found) == [event.key for event in EVENTS]
    assert all(len(values) == 2 and min(values) > 0 for values in found.values()), found


def test_results_are_read_as_nanoseconds_per_event() -> None:
    event = EVENTS[0]
    ticks = event.iterations * event.per_iteration
    found = read_results(b"noise\n" + BEGIN + b"0 %x \n" % ticks + END)
    assert found[event.key] == [100.0]


def test_templates_of_cold_code_have_as_many_instructions_as_they_say() -> None:
    for event in EVENTS:
        if isinstance(event, ColdEvent):
            lines = [line.partition(":")[2] or line for line in event.template.splitlines()]
            written = [line for line in lines if line.strip()]
            assert len(written) == event.template_instructions
