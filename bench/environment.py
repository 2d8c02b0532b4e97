"""Where and with what a run was made: date, host, versions."""

import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.programs import Program

BUSY: Final = 0.5


@dataclass(frozen=True)
class Environment:
    """Facts without which numbers mean nothing."""

    date: str
    processor: str
    cores: int
    system: str
    python: str
    llvmlite: str
    programs: dict[str, str]
    guest: str
    rounds: int
    load: float
    """The load average before measuring: how much other work the host had."""

    @property
    def busy(self) -> bool:
        """Whether other work disturbs what is measured."""
        return self.load > BUSY * self.cores

    def lines(self) -> list[str]:
        """The facts as sentences of a report."""
        programs = ", ".join(f"{name} {number}" for name, number in self.programs.items())
        return [
            f"{self.date}; {programs}; {self.rounds} rounds, in turn, medians (least to most).",
            f"Host: {self.processor}, {self.cores} cores, {self.system}, "
            f"Python {self.python}, llvmlite {self.llvmlite}.",
            f"Guest: {self.guest}, one hart, 1 GiB.",
            f"Load before: {self.load:.1f} on {self.cores} cores"
            + ("; the host was busy, so trust processor time and least values." * self.busy or "."),
        ]


def look_around(programs: list[Program], guest: str, rounds: int) -> Environment:
    """The facts of a run that is about to begin."""
    return Environment(
        date=time.strftime("%Y-%m-%d"),
        processor=processor_name(Path("/proc/cpuinfo")),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.release()}",
        python=".".join(map(str, sys.version_info[:3])),
        llvmlite=version("llvmlite"),
        programs={program.name: program.version for program in programs},
        guest=guest,
        rounds=rounds,
        load=os.getloadavg()[0],
    )


def processor_name(cpuinfo: Path) -> str:
    """The host's processor as its kernel calls it."""
    for line in cpuinfo.read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
