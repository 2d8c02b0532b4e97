"""The rows of the result: what was measured, its unit, and what Hospes must reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.event_rows import EVENTS, Event
from bench.folder_loads import LOADS, key_of
from bench.measure import (
    BOOT,
    MEMORY,
    SHELL,
    START,
    VERBOSE_BOOT,
    WORKED_MEMORY,
    Samples,
)
from bench.network_measure import CONNECT, PING, RECEIVE, SEND
from bench.programs import HOSPES_NAME, QEMU_NAME
from bench.switch_measure import PING as SWITCH_PING
from bench.switch_measure import STREAM
from bench.system_loads import FIO_LOADS, PACKAGES, UNPACK
from bench.system_measure import SYSTEM_BOOT, SYSTEM_MEMORY
from bench.workloads import WORKLOADS
from hospes.spec.volume import VolumeKind

MEGABYTE: Final = 1_000_000
MILLION: Final = 1_000_000
NANOSECONDS: Final = 1_000_000_000
BOOT_MUST: Final = 1.3
BOOT_AIM: Final = 0.9
MEMORY_MUST: Final = 200.0
START_MUST: Final = 0.3
SYSTEM_BOOT_MUST: Final = 1.2
SYSTEM_BOOT_AIM: Final = 0.8
UNPACK_MUST: Final = 1.2
FIO_MUST: Final = 0.8
FIO_AIM: Final = 1.5
"""Of QEMU's bandwidth."""
NETWORK_AIM: Final = 2.0
MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True)
class Row:
    """One line of a table. Values are multiplied by `scale` to be shown in `unit`.

    With `rate`, values are shown as how many there are in `scale` instead. `must` is the largest
    ratio allowed, `must_value` the largest value of Hospes, `aim` what Hospes would like to reach,
    in words.
    """

    key: str
    title: str
    unit: str
    scale: float = 1.0
    rate: bool = False
    must: float | None = None
    must_value: float | None = None
    aim: str = ""


@dataclass(frozen=True)
class Result:
    """A row with what was measured, in the row's unit; below a ratio of 1, Hospes is better."""

    row: Row
    values: Mapping[str, tuple[float, ...]]
    cpu: Mapping[str, tuple[float, ...]]

    @property
    def ratio(self) -> float:
        """Hospes's median divided by QEMU's; of rates, QEMU's divided by Hospes's."""
        ours, theirs = (median(self.values[name]) for name in (HOSPES_NAME, QEMU_NAME))
        return theirs / ours if self.row.rate else ours / theirs

    @property
    def cpu_ratio(self) -> float | None:
        """The same for processor time, if it was measured and is not too little to tell."""
        if not self.cpu or not median(self.cpu[QEMU_NAME]):
            return None
        return median(self.cpu[HOSPES_NAME]) / median(self.cpu[QEMU_NAME])

    @property
    def failure(self) -> str:
        """A sentence if Hospes does not reach what it must; else ""."""
        row = self.row
        if row.must is not None and self.ratio > row.must:
            limit = f"{row.must:g} times" if row.must != 1 else "it"
            cpu = f" (processor time: {self.cpu_ratio:.2f} times)" if self.cpu_ratio else ""
            return f"{row.title}: {self.ratio:.2f} times QEMU's, and must not exceed {limit}{cpu}."
        ours = median(self.values[HOSPES_NAME])
        if row.must_value is not None and ours > row.must_value:
            return f"{row.title}: {ours:.3g} {row.unit}, and must not exceed {row.must_value:g}."
        return ""


LINUX_ROWS: Final = (
    Row(START, "start to first guest instruction", "s", must_value=START_MUST),
    Row(BOOT, "start to first user process", "s", must=BOOT_MUST, aim=f"{BOOT_AIM:g}x"),
    Row(VERBOSE_BOOT, "the same, kernel messages shown", "s", must=BOOT_MUST, aim=f"{BOOT_AIM:g}x"),
    Row(SHELL, "start to shell prompt", "s"),
    *(Row(one.key, one.title, "s", must=one.must) for one in WORKLOADS),
)
SYSTEM_ROWS: Final = (
    Row(
        SYSTEM_BOOT, "start to multi-user.target", "s",
        must=SYSTEM_BOOT_MUST, aim=f"{SYSTEM_BOOT_AIM:g}x",
    ),
    Row(UNPACK, f"dpkg --unpack of {len(PACKAGES)} packages", "s", must=UNPACK_MUST),
    *(
        Row(
            one.key, one.title, "MB/s", 1 / MEGABYTE, rate=True,
            must=1 / FIO_MUST, aim=f"{1 / FIO_AIM:.2g}x",
        )
        for one in FIO_LOADS
    ),
    Row(SYSTEM_MEMORY, "memory beyond the guest's, booted", "MB", 1 / MEGABYTE),
)  # fmt: skip
NETWORK_ROWS: Final = (
    *(
        Row(key, title, "MB/s", 1 / MEGABYTE, rate=True, must=1.0, aim=f"{1 / NETWORK_AIM:g}x")
        for key, title in ((SEND, "TCP, guest to host"), (RECEIVE, "TCP, host to guest"))
    ),
    Row(CONNECT, "connections, one after another", "1/s", rate=True, must=1.0),
    Row(PING, "ping", "µs", MICROSECONDS, must=1.0),
)
SWITCH_ROWS: Final = (
    Row(STREAM, "a stream from guest to guest", "MB/s", 1 / MEGABYTE, rate=True),
    Row(SWITCH_PING, "a ping from guest to guest", "ms", 1000),
)
FOLDER_ROWS: Final = {
    kind: tuple(
        Row(key_of(one, kind), one.title, one.unit, one.scale, rate=True) for one in LOADS
    )
    for kind in VolumeKind
}
MEMORY_ROWS: Final = (
    Row(MEMORY, "memory beyond the guest's, booted", "MB", 1 / MEGABYTE, must_value=MEMORY_MUST),
    Row(WORKED_MEMORY, "memory beyond the guest's, after work", "MB", 1 / MEGABYTE),
)


def _event_row(event: Event) -> Row:
    if event.rate:
        return Row(event.key, event.title, "M/s", NANOSECONDS / MILLION, rate=True)
    aim = "" if event.aim_ns is None else f"{event.aim_ns:g} ns"
    return Row(event.key, event.title, "ns", must=1.0 if event.must else None, aim=aim)


EVENT_ROWS: Final = tuple(_event_row(event) for event in EVENTS)


def results(rows: tuple[Row, ...], samples: Mapping[str, Samples]) -> list[Result]:
    """The rows that were measured."""
    return [_result(row, samples) for row in rows if samples[HOSPES_NAME].values.get(row.key)]


def _shown(row: Row, value: float) -> float:
    return row.scale / value if row.rate else row.scale * value


def _result(row: Row, samples: Mapping[str, Samples]) -> Result:
    values = {
        name: tuple(_shown(row, value) for value in one.values[row.key])
        for name, one in samples.items()
    }
    cpu = {name: tuple(one.cpu[row.key]) for name, one in samples.items() if row.key in one.cpu}
    return Result(row, values, cpu)
