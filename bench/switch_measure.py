"""Measurements of two guests of one program in one network: a stream of bytes, and pings."""

import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.guest import PROMPT, LinuxGuest
from bench.measure import Measure, Samples, run_command
from bench.process import MachineProcess
from bench.programs import Program
from bench.workloads import SCRIPT
from hospes.base.errors import HospesError

STREAM: Final = "l_stream"
PING: Final = "l_ping"
STREAM_BYTES: Final = 256 << 20
PIECE_BYTES: Final = 64 << 10
PINGS: Final = 100
PORT: Final = 9000
CARD_WORD: Final = "hospes.network"
"""Has the image's own init load the card's driver."""
# busybox's nc passes on 1 KiB at a time; a program it hands the connection to writes by itself.
LISTEN: Final = (
    f"(nc -l -p {PORT} -e dd of=/dev/null bs={PIECE_BYTES} >/dev/null 2>&1 &); "
    f"until netstat -ltn | grep -q :{PORT}; do :; done"
)
SEND: Final = (
    f"nc 10.7.0.2 {PORT} -e dd if=/dev/zero bs={PIECE_BYTES} "
    f"count={STREAM_BYTES // PIECE_BYTES} 2>/dev/null"
)


def measure_switch(guest: LinuxGuest) -> Measure:
    """The stream's bytes per second as seconds per byte, and a ping's round trip in seconds."""

    def measure(program: Program, samples: Samples) -> None:
        append = f"{guest.append} {CARD_WORD}"
        with tempfile.TemporaryDirectory(prefix="hospes-bench-") as name:
            place = Path(name)
            with MachineProcess(program.cabled(guest, append, place, True)) as first:
                _join(first, 2)
                with MachineProcess(program.cabled(guest, append, place, False)) as second:
                    _join(second, 3)
                    _measure_pings(second, samples)
                    run_command(first, LISTEN)
                    before = _cpu_seconds(place, first, second)
                    seconds = run_command(second, SEND)
                    cpu = _cpu_seconds(place, first, second) - before
                    samples.add(STREAM, seconds / STREAM_BYTES, cpu)

    return measure


def _cpu_seconds(place: Path, *machines: MachineProcess) -> float:
    """Processor time of the machines, and of what they have started to serve their network."""
    spent = sum(machine.cpu_seconds() for machine in machines)
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"hospes.network" in words and os.fsencode(place) in words:
                spent += time.clock_gettime((~int(entry.name) << 3) | 2)
    return spent


def _join(process: MachineProcess, number: int) -> None:
    """Give a guest its address."""
    process.wait_for(PROMPT)
    run_command(process, f". /{SCRIPT}")
    run_command(process, f"ip addr add 10.7.0.{number}/24 dev eth0 && ip link set eth0 up")


def _measure_pings(process: MachineProcess, samples: Samples) -> None:
    start = len(process.output)
    run_command(process, f"ping -c {PINGS} -i 0.01 10.7.0.2 | tail -1")
    found = re.search(rb"min/avg/max = [\d.]+/([\d.]+)/", bytes(process.output[start:]))
    if found is None:
        raise HospesError("the guests do not ping each other; see that they do by hand")
    samples.add(PING, float(found[1]) / 1000)
