"""QEMU's disk tools as judges; tests that need them are skipped where they are not installed."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

needs_qemu = pytest.mark.skipif(
    not (shutil.which("qemu-img") and shutil.which("qemu-io")),
    reason="qemu-img and qemu-io are not installed (package qemu-utils)",
)


def qemu_img(*words: object, codes: tuple[int, ...] = (0,)) -> str:
    """Run qemu-img; returns what it printed."""
    done = subprocess.run(
        ["qemu-img", *map(str, words)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in codes, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def qemu_io(path: Path, *commands: str, options: tuple[str, ...] = ()) -> str:
    """Run qemu-io's commands on an image."""
    words = ["qemu-io", "-t", "unsafe", *options]
    for command in commands:
        words += ["-c", command]
    done = subprocess.run(
        [*words, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "failed" not in done.stdout, (commands, done.stdout)
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout


def qemu_check(path: Path) -> dict[str, Any]:
    """What `qemu-img check` found; only corruptions, leaks and errors of its own matter."""
    found: dict[str, Any] = json.loads(
        qemu_img("check", "-f", "qcow2", "--output=json", path, codes=(0, 2, 3))
    )
    return found


def assert_sound(path: Path) -> None:
    """QEMU finds nothing wrong, not even a leak."""
    found = qemu_check(path)
    problems = found.get("corruptions", 0), found.get("leaks", 0), found["check-errors"]
    assert problems == (0, 0, 0), found


def qemu_read(path: Path, format: str = "qcow2") -> bytes:
    """The disk's content as QEMU sees it."""
    raw = path.with_suffix(".content")
    qemu_img("convert", "-f", format, "-O", "raw", path, raw)
    data = raw.read_bytes()
    raw.unlink()
    return data
