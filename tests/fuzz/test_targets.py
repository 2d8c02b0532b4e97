"""Every fuzz target, for a short while."""

import importlib
from pathlib import Path

import pytest
from fuzz.harness import run
from tests.guests.ext4.images import have

ROOT = Path(__file__).parents[2]
TARGETS = sorted(path.stem for path in (ROOT / "fuzz").glob("*.py") if path.stem != "harness")
SECONDS = 1.0
PROGRAMS = {"ext4": ("mke2fs", "e2fsck", "debugfs")}


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    missing = [program for program in PROGRAMS.get(name, ()) if not have(program)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} are not installed (package e2fsprogs)")
    assert run(importlib.import_module(f"fuzz.{name}").case, SECONDS, seed=0) > 0
