"""A place of its own for the machines of each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.worker.homes import own_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_home(tmp_path / "home", monkeypatch) as path:
        yield path
