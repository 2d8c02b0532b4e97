"""Runs a target's cases in a child process, within bounds of time and memory, and names the seed.

First the seeds in `fuzz/corpus/NAME.txt`, then others one after another. A case may take
CASE_SECONDS of processor time, whatever else the host does; without an end after STUCK_SECONDS it
is killed, with a traceback of every thread. Memory that grows by more than MEMORY_BYTES, in one
case or over many, fails too.
"""

import argparse
import faulthandler
import os
import random
import resource
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Final, NoReturn

Case = Callable[[random.Random], None]

CASE_SECONDS: Final = 1.0
STUCK_SECONDS: Final = 20.0
MEMORY_BYTES: Final = 256 << 20
CORPUS: Final = Path(__file__).with_name("corpus")
_NOTES: Final = struct.Struct("<QQQ")


@dataclass(frozen=True)
class Bounds:
    """What a case may use."""

    case_seconds: float = CASE_SECONDS
    stuck_seconds: float = STUCK_SECONDS
    memory_bytes: int = MEMORY_BYTES


class Notes:
    """What both processes know: the seed, cases done, and by how many bytes memory has grown."""

    def __init__(self) -> None:
        self._shared = mmap(-1, _NOTES.size)

    def write(self, seed: int, count: int, grown_bytes: int) -> None:
        """Before a case."""
        _NOTES.pack_into(self._shared, 0, seed, count, grown_bytes)

    def read(self) -> tuple[int, int, int]:
        """Seed, count and growth."""
        seed, count, grown_bytes = _NOTES.unpack_from(self._shared)
        return seed, count, grown_bytes


def corpus(name: str) -> list[int]:
    """The seeds kept for a target, one a line; what follows a # is for readers."""
    path = CORPUS / f"{name}.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [int(text) for line in lines if (text := line.partition("#")[0].strip())]


def seeds(kept: list[int], first: int, seconds: float) -> Iterator[int]:
    """Those kept, and then others until the time is over."""
    yield from kept
    end, seed = time.monotonic() + seconds, first
    while time.monotonic() < end:
        yield seed
        seed += 1


def grown_since(peak_bytes: int) -> int:
    """By how much the most memory this process has ever had exceeds an earlier most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - peak_bytes


def run(case: Case, chosen: Iterator[int], notes: Notes, bounds: Bounds) -> None:
    """All cases, until one fails."""
    before = grown_since(0)
    grown = 0
    for count, seed in enumerate(chosen):
        notes.write(seed, count, grown)
        began = time.process_time()
        case(random.Random(seed))
        took = time.process_time() - began
        grown = max(0, grown_since(before))
        notes.write(seed, count + 1, grown)
        if took > bounds.case_seconds:
            raise AssertionError(f"it takes {took:.1f} s of processor time")
        if grown > bounds.memory_bytes:
            raise AssertionError(f"memory grows by {grown >> 20} MiB")


def limit_memory(more_bytes: int) -> None:
    """Refuse this process more private memory; what is shared is measured after each case."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (data,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmData:"))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (1024 * int(data) + more_bytes, most))


def child(case: Case, chosen: Iterator[int], notes: Notes, bounds: Bounds) -> NoReturn:
    """What the child process does."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable(all_threads=True)
        limit_memory(bounds.memory_bytes)
        run(case, chosen, notes, bounds)
        code = 0
    except BaseException:
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def supervise(case: Case, chosen: Iterator[int], bounds: Bounds) -> str:
    """Run all cases in a child; a sentence that begins with "seed" when one fails."""
    notes = Notes()
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        child(case, chosen, notes, bounds)
    ended = os.pidfd_open(process)
    seen, since, stuck = notes.read(), time.monotonic(), False
    while not select.select([ended], [], [], 0.2)[0]:
        if (now := notes.read()) != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > bounds.stuck_seconds:
            os.kill(process, signal.SIGKILL if stuck else signal.SIGABRT)
            since, stuck = time.monotonic(), True
    os.close(ended)
    _, status = os.waitpid(process, 0)
    seed, count, grown_bytes = notes.read()
    if stuck:
        return f"seed {seed} has not ended after {bounds.stuck_seconds:g} s"
    if os.WIFSIGNALED(status):
        return f"seed {seed} ends with {signal.Signals(os.WTERMSIG(status)).name}"
    if os.waitstatus_to_exitcode(status):
        return f"seed {seed} fails"
    return f"{count} cases, none failed; memory grew by {grown_bytes >> 20} MiB"


def main(case: Case, bounds: Bounds | None = None) -> None:
    """The command line of a target."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0, help="after the corpus")
    parser.add_argument("--seed", type=int, default=0, help="the first after the corpus")
    parser.add_argument("--only", type=int, help="just this seed")
    given = parser.parse_args()
    kept = corpus(Path(case.__code__.co_filename).stem)
    chosen = seeds(kept, given.seed, given.seconds) if given.only is None else iter([given.only])
    outcome = supervise(case, chosen, bounds or Bounds())
    if outcome.startswith("seed"):
        sys.exit(outcome)
    print(outcome)
