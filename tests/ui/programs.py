"""The `hospes` program as tests run it, and bare-metal programs to run in it."""

import os
import subprocess
import sys
from pathlib import Path

from hospes.isa.riscv.profile import RV64

BASE = 0x8000_0000
EQUATES = """
.equ TEST, 0x100000
.equ UART, 0x10000000
"""
SPIN = """
    csrw mie, x0
again:
    j again
"""
IDLE = """
    csrw mie, x0
again:
    wfi
    j again
"""
SAY = """
    li t0, UART
    li t1, 'o'
    sb t1, 0(t0)
    li t1, 'k'
    sb t1, 0(t0)
"""
END = """
    li t0, TEST
    li t1, ({code} << 16) | 0x3333
    sw t1, 0(t0)
hang:
    j hang
"""


def bare_metal(path: Path, source: str) -> Path:
    """A raw image of an assembled program, as `--bios` takes it."""
    path.write_bytes(RV64.program(EQUATES + source, BASE).code)
    return path


def command(*words: str) -> list[str]:
    """The command line that runs the program with these words."""
    return [sys.executable, "-m", "hospes", *words]


def hospes(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, without a terminal."""
    return subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | environment,
    )
