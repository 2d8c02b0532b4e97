"""The runner of fuzz targets: whatever is wrong with a case, its seed is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGET = """
import ctypes, mmap, os, random, time
from fuzz.runner import Bounds, main
kept = []
def case(chance):
    '''Seed 3 is known by the first number it gives.'''
    {always}
    if chance.random() == random.Random(3).random():
        {does}
main(case, Bounds(stuck_seconds={patience}, memory_bytes=64 << 20))
"""
SPIN = "began = time.process_time()\n        while time.process_time() < began + 1.1: pass"
SHARED = "kept.append(mmap.mmap(-1, 80 << 20)); [kept[0].write(b'x' * 4096) for _ in range(20480)]"


def run(
    directory: Path, *words: str, does: str = "pass", always: str = "pass", patience: float = 20.0
) -> subprocess.CompletedProcess[str]:
    path = directory / "strange.py"
    path.write_text(TARGET.format(does=does, always=always, patience=patience))
    return subprocess.run(
        [sys.executable, str(path), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_cases_that_are_well_are_counted(tmp_path: Path) -> None:
    done = run(tmp_path, "--seconds", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout.split()[0]) > 10


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("raise ValueError('strange')", "ValueError: strange"),
        ("raise SystemExit(0)", "SystemExit"),
        ("os._exit(7)", "fails"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("kept.append(bytearray(80 << 20))", "MemoryError"),
        ("kept.append(['x' * 1000 + str(n) for n in range(100_000)])", "MemoryError"),
        (SHARED, "memory grows by"),
        (SPIN, "of processor time"),
    ],
)
def test_a_case_that_is_wrong_fails_with_its_seed(tmp_path: Path, does: str, says: str) -> None:
    done = run(tmp_path, does=does)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.splitlines()[-1].startswith("seed 3 ")


@pytest.mark.parametrize("does", ["while True: pass", "time.sleep(60)"])
def test_a_hang_is_killed_and_shows_where(tmp_path: Path, does: str) -> None:
    done = run(tmp_path, does=does, patience=0.5)
    assert done.returncode == 1
    assert 'strange.py", line 9 in case' in done.stderr
    assert done.stderr.endswith("seed 3 has not ended after 0.5 s\n")


def test_a_leak_over_many_cases_fails(tmp_path: Path) -> None:
    done = run(tmp_path, always="kept.append(bytearray(5 << 20))")
    assert done.returncode == 1
    assert "MemoryError" in done.stderr


def test_time_that_others_take_is_not_counted(tmp_path: Path) -> None:
    """A loaded host makes all slow; here the case sleeps."""
    done = run(tmp_path, "--only", "3", does="time.sleep(1.2)")
    assert done.stdout.startswith("1 cases, none failed")
