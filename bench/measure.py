"""Measurements of one program: a boot, the commands in a booted guest, the event program."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.event_program import BEGIN, END, TRAPPED, read_results
from bench.guest import FIRST_PROCESS, PROMPT, LinuxGuest
from bench.process import MachineProcess
from bench.programs import Program
from bench.workloads import DONE, FAILED, SCRIPT, WORKLOADS
from hospes.base.errors import HospesError

START: Final = "start"
BOOT: Final = "boot"
VERBOSE_BOOT: Final = "boot_verbose"
SHELL: Final = "boot_shell"
MEMORY: Final = "memory"
WORKED_MEMORY: Final = "memory_worked"
COMMAND_SECONDS: Final = 120.0


@dataclass
class Samples:
    """All values of one program, by row: seconds, nanoseconds or bytes; and processor seconds."""

    values: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, key: str, value: float, cpu: float | None = None) -> None:
        """Take one measurement."""
        self.values.setdefault(key, []).append(value)
        if cpu is not None:
            self.cpu.setdefault(key, []).append(cpu)


Measure = Callable[[Program, Samples], None]


def warm_up(programs: list[Program], guest: LinuxGuest) -> None:
    """Boot once without measuring, so that files are in memory and native code in its cache."""
    for program in programs:
        with MachineProcess(program.linux(guest, guest.append)) as process:
            process.wait_for(FIRST_PROCESS)


def measure_linux(guest: LinuxGuest, workloads: bool) -> Measure:
    """Boots to the first user process and the shell, then, if wanted, the workloads."""

    def measure(program: Program, samples: Samples) -> None:
        with MachineProcess(program.linux(guest, guest.verbose)) as process:
            at = process.wait_for(FIRST_PROCESS)
            samples.add(VERBOSE_BOOT, at - process.started, process.cpu_seconds())
        with MachineProcess(program.linux(guest, guest.append)) as process:
            at = process.wait_for(FIRST_PROCESS)
            samples.add(BOOT, at - process.started, process.cpu_seconds())
            at = process.wait_for(PROMPT, len(process.output))
            samples.add(SHELL, at - process.started, process.cpu_seconds())
            samples.add(MEMORY, process.resident_beyond(guest.memory_bytes))
            if workloads:
                _measure_workloads(process, samples)
                samples.add(WORKED_MEMORY, process.resident_beyond(guest.memory_bytes))

    return measure


def _measure_workloads(process: MachineProcess, samples: Samples) -> None:
    run_command(process, f". /{SCRIPT}")
    for workload in WORKLOADS:
        before = process.cpu_seconds()
        seconds = run_command(process, workload.key)
        samples.add(workload.key, seconds, process.cpu_seconds() - before)


def run_command(process: MachineProcess, command: str, limit: float = COMMAND_SECONDS) -> float:
    """Type a command; how many seconds, `limit` at most, until the guest said that it is done."""
    start = len(process.output)
    sent = process.send(f"{command}; answer\n")
    seconds = process.wait_for(DONE, start, limit, unless=FAILED) - sent
    process.wait_for(PROMPT, start)
    return seconds


def measure_events(image: Path, scale: float) -> Measure:
    """The event program, timed by itself, and how long its first instruction took to come."""

    def measure(program: Program, samples: Samples) -> None:
        with MachineProcess(program.bare(image)) as process:
            at = process.wait_for(BEGIN.strip())
            samples.add(START, at - process.started, process.cpu_seconds())
            process.wait_for_end()
            output = bytes(process.output).replace(b"\r", b"")
        if END not in output or TRAPPED in output:
            tail = output[-200:].decode("utf-8", "replace")
            raise HospesError(f"the event program failed under {program.name}: {tail!r}")
        for key, values in read_results(output, scale).items():
            for value in values:
                samples.add(key, value)

    return measure


def in_turn(
    programs: list[Program],
    measures: list[Measure],
    rounds: int,
    tell: Callable[[str], None],
) -> dict[str, Samples]:
    """A B A B ...: every round measures all programs one after another."""
    samples = {program.name: Samples() for program in programs}
    for number in range(1, rounds + 1):
        for measure in measures:
            for program in programs:
                tell(f"Round {number} of {rounds}: {program.name}")
                measure(program, samples[program.name])
    return samples
