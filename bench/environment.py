"""Where and with what a run was made: date, host, versions."""

import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.programs import Program


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

    def lines(self) -> list[str]:
        """The facts as sentences of a report."""
        programs = ", ".join(f"{name} {number}" for name, number in self.programs.items())
        return [
            f"{self.date}; {programs}; {self.rounds} rounds, in turn, medians (least to most).",
            f"Host: {self.processor}, {self.cores} cores, {self.system}, "
            f"Python {self.python}, llvmlite {self.llvmlite}.",
            f"Guest: {self.guest}, one hart, 1 GiB.",
        ]


def look_around(programs: list[Program], guest: str, rounds: int) -> Environment:
    """The facts of this run."""
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
    )


def processor_name(cpuinfo: Path) -> str:
    """The host's processor as its kernel calls it."""
    for line in cpuinfo.read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
