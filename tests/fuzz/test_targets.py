"""Every fuzz target, for a short while."""

import importlib
from pathlib import Path

import pytest
from fuzz.harness import run

ROOT = Path(__file__).parents[2]
TARGETS = sorted(path.stem for path in (ROOT / "fuzz").glob("*.py") if path.stem != "harness")
SECONDS = 1.0


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    assert run(importlib.import_module(f"fuzz.{name}").case, SECONDS, seed=0) > 0
