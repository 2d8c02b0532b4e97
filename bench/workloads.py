"""What is timed in a booted guest: shell commands, each from the line typed to the marker seen."""

from dataclasses import dataclass
from typing import Final

DONE: Final = b"bench-done 0"
FAILED: Final = b"bench-failed"
FLOAT_PROGRAM: Final = "bench-float"
SCRIPT: Final = "bench-workloads"
DATA: Final = "/tmp/bench-data"


@dataclass(frozen=True)
class Workload:
    """One command; `must` is the largest ratio to QEMU's time that is allowed."""

    key: str
    title: str
    command: str
    must: float | None = None


PREPARE: Final = f"""
answer() {{ [ $? = 0 ] && echo bench-done 0 || echo bench-failed; }}
mkdir -p /tmp
for i in 1 2 3 4 5; do cat /bin/busybox; done > {DATA}
seq 1 30000 | awk '{{ print $1 * 7919 % 30011, $1 }}' > {DATA}.lines
"""

WORKLOADS: Final = (
    Workload(
        "w_fork", "300 fork + exec",
        "i=0; while [ $i -lt 300 ]; do /bin/true || return 1; i=$((i+1)); done", must=1.0,
    ),
    Workload(
        "w_syscalls", "dd of 600k one-byte blocks",
        "dd if=/dev/zero of=/dev/null bs=1 count=600000 2>/dev/null", must=1.0,
    ),
    Workload("w_sha256", "sha256sum, 8 MB", f"sha256sum {DATA} > /dev/null"),
    Workload("w_gzip", "gzip, 8 MB", f"gzip -c {DATA} > /dev/null"),
    Workload("w_sort", "sort, 30k lines", f"sort {DATA}.lines > /dev/null"),
    Workload(
        "w_awk", "awk, 200k rounds of integers",
        "awk 'BEGIN { for (i = 0; i < 200000; i++) s += i * i % 7; print s }' > /dev/null",
    ),
    Workload(
        "w_awk_float", "awk, 100k rounds of fractions",
        "awk 'BEGIN { for (i = 1; i < 100000; i++) s += i / 3.7 * 1.3; print s }' > /dev/null",
    ),
    Workload(
        "w_shell", "shell loop, 60k rounds",
        "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done",
    ),
    Workload("w_console", "console output, 200 kB", "tr '\\0' x < /dev/zero | head -c 200000"),
    Workload("w_float", "float loop (Mandelbrot set)", f"/{FLOAT_PROGRAM}"),
)  # fmt: skip


def script() -> bytes:
    """A shell script to source: it prepares the data and defines a function per workload."""
    functions = [f"{one.key}() {{ {one.command}; }}\n" for one in WORKLOADS]
    return "".join([PREPARE, *functions]).encode()
