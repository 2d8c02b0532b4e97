"""The bench's command line; exit code 1 when Hospes misses what it must reach."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.environment import look_around
from bench.event_program import assemble_events
from bench.folder_measure import measure_folders
from bench.guest import linux_guest
from bench.measure import Measure, in_turn, measure_events, measure_linux, warm_up
from bench.network_measure import measure_network, network_files
from bench.network_server import NetworkServers
from bench.programs import hospes, qemu
from bench.report import WIDTH_WITHOUT_TERMINAL, Tables, as_json, show, write_document
from bench.rows import (
    EVENT_ROWS,
    FOLDER_ROWS,
    LINUX_ROWS,
    MEMORY_ROWS,
    NETWORK_ROWS,
    SWITCH_ROWS,
    SYSTEM_ROWS,
    results,
)
from bench.sockets import measure_sockets
from bench.switch_measure import measure_switch
from bench.system_guest import system_guest
from bench.system_measure import measure_system
from hospes.base.errors import HospesError
from hospes.base.programs import find_program
from hospes.spec.volume import VolumeKind
from hospes.ui.progress import ProgressLine

PARTS: Final = (
    "boot", "work", "events", "network", "switch", "vsock", "folders", "system", "disk",
)  # fmt: skip
ROUNDS: Final = 5
QUICK_SCALE: Final = 0.3
REPETITIONS: Final = 15
DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "PERFORMANCE.md"


def arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser("python -m bench", description="Compare Hospes with QEMU.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often all is measured")
    parser.add_argument("--quick", action="store_true", help="one round, and shorter events")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value there")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOCUMENT.name}")
    return parser.parse_args()


def main() -> int:
    """Measure and report; the exit code."""
    wanted = arguments()
    try:
        return run(wanted)
    except HospesError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def run(wanted: argparse.Namespace) -> int:
    """All that was asked for; 1 if Hospes misses what it must reach."""
    programs = [qemu(), hospes()]
    rounds = 1 if wanted.quick else wanted.rounds
    parts = wanted.only or list(PARTS)
    progress = ProgressLine(sys.stderr)
    if "vsock" in parts:
        for line in measure_sockets(progress):
            print(line)
    if parts == ["vsock"]:
        return 0
    with tempfile.TemporaryDirectory(prefix="hospes-bench-") as name, NetworkServers() as servers:
        directory = Path(name)
        guest = linux_guest(directory, progress, network_files(servers.ports))
        measures: list[Measure] = []
        if "boot" in parts or "work" in parts:
            measures.append(measure_linux(guest, workloads="work" in parts))
        if "events" in parts:
            scale = QUICK_SCALE if wanted.quick else 1.0
            image = directory / "events.bin"
            image.write_bytes(assemble_events(scale, REPETITIONS))
            measures.append(measure_events(image, scale))
        if "network" in parts:
            measures.append(measure_network(guest))
        if "switch" in parts:
            measures.append(measure_switch(guest))
        made_of = [guest.made_of]
        if "system" in parts or "disk" in parts:
            whole = system_guest(directory, progress)
            measures.append(measure_system(whole, loads="disk" in parts))
            made_of.append(whole.made_of)
        if "folders" in parts:
            kinds = list(VolumeKind) if find_program("virtiofsd") else [VolumeKind.NINEP]
            measures += [measure_folders(guest, directory, kind) for kind in kinds]
        environment = look_around(programs, "; ".join(made_of), rounds)
        tell("Warming up")
        warm_up(programs, guest)
        samples = in_turn(programs, measures, rounds, tell)
    tables: Tables = {
        "Start and work": results(LINUX_ROWS, samples),
        "User-mode network": results(NETWORK_ROWS, samples),
        "Two guests in one network": results(SWITCH_ROWS, samples),
        "A whole system": results(SYSTEM_ROWS, samples),
        "Shared folders": results(FOLDER_ROWS[VolumeKind.NINEP], samples),
        "Folders that virtiofsd serves": results(FOLDER_ROWS[VolumeKind.VIRTIOFS], samples),
        "Memory": results(MEMORY_ROWS, samples),
        "Events": results(EVENT_ROWS, samples),
    }
    tables = {title: rows for title, rows in tables.items() if rows}
    console = Console()
    show(tables, environment, console if console.is_terminal else _wide())
    if wanted.json:
        wanted.json.write_text(as_json(tables, environment), "utf-8")
    if wanted.write:
        write_document(DOCUMENT, tables, environment)
    return judge(tables)


def judge(tables: Tables) -> int:
    """Say what Hospes misses; 1 if anything."""
    failures = [result.failure for rows in tables.values() for result in rows if result.failure]
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


def tell(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def _wide() -> Console:
    return Console(width=WIDTH_WITHOUT_TERMINAL)


if __name__ == "__main__":
    sys.exit(main())
